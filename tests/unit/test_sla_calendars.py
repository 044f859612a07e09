"""Promises over real calendars: zones, holidays and daylight-saving days, against a walk minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core import sla
from skills.calendar import DAY_MS, expand
from skills.model import CalendarConfig

MINUTE = 60_000
DAYS = 5
ZONES = {
    "Europe/Madrid": "ES-MD",
    "America/New_York": "US-NY",
    "America/Sao_Paulo": "BR",
    "Australia/Lord_Howe": "AU-NSW",  # half an hour of daylight saving
    "Asia/Kathmandu": "IN",  # + 5:45
    "Africa/Casablanca": "MA",  # changes for Ramadan
    "Pacific/Apia": "WS",  # left out a whole day in 2011
    "America/St_Johns": "CA-NL",
    "Antarctica/Troll": "NO",  # two hours of daylight saving
    "UTC": "GB",
}
WEEKS = (
    {"mon-fri": ["09:00-14:00", "15:00-18:00"]},
    {"daily": "00:00-24:00"},
    {"mon-sat": "22:00-06:00"},
    {"fri-sun": ["01:30-02:30", "23:45-00:15"]},
)


def ms(*when: int) -> int:
    """UTC milliseconds of a year, month, day, …."""
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


def open_minutes(calendar: CalendarConfig, zone: str, code: str, start: int) -> list[bool]:
    """Whether each minute of five days is one in which the clock runs, asked of the clock on the wall."""
    country, _, region = code.partition("-")
    free = holidays.country_holidays(country, subdiv=region or None)
    found = []
    for at in range(start, start + DAYS * DAY_MS, MINUTE):
        wall = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
        minute = wall.hour * 60 + wall.minute
        found.append(
            any(_runs(calendar, free, wall.date() - timedelta(days=back), minute + back * 1440) for back in (0, 1))
        )
    return found


def _runs(calendar: CalendarConfig, free: holidays.HolidayBase, day: date, minute: int) -> bool:
    ranges = [r for days, rs in calendar.hours.items() if day.weekday() in days for r in rs]
    return day not in free and any(begin <= minute < end for begin, end in ranges)


# Any minute of three years, and days on which the clock changes or people celebrate.
starts = st.one_of(
    st.integers(ms(2025, 1, 1) // MINUTE, ms(2027, 12, 20) // MINUTE).map(lambda minute: minute * MINUTE),
    st.sampled_from(
        [ms(2025, 3, 8), ms(2025, 10, 25), ms(2025, 12, 31), ms(2026, 3, 28), ms(2026, 4, 4), ms(2026, 10, 24),
         ms(2026, 12, 24), ms(2027, 2, 5), ms(2027, 3, 13), ms(2027, 11, 6)]
    ),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(zone=st.sampled_from(sorted(ZONES)), week=st.sampled_from(WEEKS), start=starts, data=st.data())
def test_promises_agree_with_a_walk_over_every_minute(
    zone: str, week: dict[str, object], start: int, data: st.DataObject
) -> None:
    """In ten zones and three years: a promise is due after as many open minutes, and elapsed time counts them."""
    calendar = CalendarConfig.model_validate({"timezone": zone, "hours": week, "holidays": ZONES[zone]})
    walked = open_minutes(calendar, zone, ZONES[zone], start)
    hours = expand(calendar, start, DAYS + 30)  # beyond the last interval the clock would run on
    first = data.draw(st.integers(0, len(walked) - 1))
    last = data.draw(st.integers(first, len(walked)))
    passed = sum(walked[first:last])
    assert sla.elapsed(start + first * MINUTE, start + last * MINUTE, hours) == passed * MINUTE
    if passed:
        end = max(n for n in range(first, last) if walked[n]) + 1
        assert sla.due(start + first * MINUTE, passed * MINUTE, hours) == start + end * MINUTE


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ((2026, 3, 27, 16, 30), (2026, 3, 30, 8, 30)),  # Friday 17:30 in winter to Monday 10:30 in summer
        ((2026, 10, 23, 15, 30), (2026, 10, 26, 9, 30)),  # and back
        ((2026, 12, 24, 16, 30), (2026, 12, 28, 9, 30)),  # over Christmas and a weekend
    ],
)
def test_two_hours_over_a_weekend_are_two_hours(opened: tuple[int, ...], due: tuple[int, ...]) -> None:
    """Half an hour before closing, two hours promised: an hour and a half into the next working day, on the wall."""
    calendar = CalendarConfig.model_validate(
        {"timezone": "Europe/Madrid", "hours": {"mon-fri": "09:00-18:00"}, "holidays": "ES-MD"}
    )
    hours = expand(calendar, ms(2026, 1, 1), 400)
    assert sla.due(ms(*opened), 120 * MINUTE, hours) == ms(*due)
