"""Working hours as UTC intervals, against a walk minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.values import Interval
from skills.calendar import DAY_MS, expand, holiday_problem, union
from skills.model import CalendarConfig

MINUTE = 60_000
ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Asia/Kathmandu",  # + 5:45
    "Africa/Casablanca",  # changes for Ramadan
    "Pacific/Apia",  # left out a whole day in 2011
    "America/St_Johns",
    "Antarctica/Troll",  # two hours of daylight saving
)


def ms(*when: int) -> int:
    """UTC milliseconds of a year, month, day, …."""
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


def calendar_of(**written: object) -> CalendarConfig:
    """A calendar as an admin writes it."""
    return CalendarConfig.model_validate(written)


def walk(calendar: CalendarConfig, zone: ZoneInfo, from_ms: int, days: int) -> tuple[Interval, ...]:
    """Every minute by itself: open if the wall clock shows an hour of that day, or of the day before that runs over."""
    opened = []
    for at in range(from_ms, from_ms + days * DAY_MS, MINUTE):
        wall = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
        minute = wall.hour * 60 + wall.minute
        for back in (0, 1):
            day = wall.date() - timedelta(days=back)
            ranges = [r for on, rs in calendar.hours.items() if day.weekday() in on for r in rs]
            if day not in calendar.closed and any(a <= minute + back * 1440 < b for a, b in ranges):
                opened.append((at, at + MINUTE))
                break
    return union(opened)


minutes = st.integers(0, 1439)
ranges = st.tuples(minutes, st.integers(1, 1440)).map(lambda pair: (pair[0], min(pair[0] + pair[1], pair[0] + 1440)))
hours = st.dictionaries(
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    st.lists(ranges, max_size=3).map(tuple),
    min_size=1,
    max_size=3,
)
# Weeks round the changes of the clock in three years, and any other.
starts = st.one_of(
    st.integers(ms(2025, 1, 1) // MINUTE, ms(2027, 12, 20) // MINUTE).map(lambda minute: minute * MINUTE),
    st.sampled_from(
        [ms(2026, 3, 27), ms(2026, 10, 23), ms(2026, 4, 3), ms(2025, 3, 7), ms(2027, 10, 30), ms(2011, 12, 28)]
    ),
)


@settings(max_examples=60, deadline=None)
@given(zone=st.sampled_from(ZONES), hours=hours, start=starts, closed=st.integers(0, 5))
def test_agrees_with_a_walk_over_every_minute(
    zone: str, hours: dict[tuple[int, ...], tuple[Interval, ...]], start: int, closed: int
) -> None:
    """In ten zones, daylight-saving days included, the intervals are what a walk minute by minute finds."""
    shut = (date(1970, 1, 1) + timedelta(milliseconds=start, days=closed),)
    calendar = CalendarConfig(timezone=zone, hours=hours, closed=shut)
    assert expand(calendar, start, 4) == walk(calendar, ZoneInfo(zone), start, 4)


def test_hours_stay_on_the_wall_when_the_clock_changes() -> None:
    """Nine o'clock in Madrid is 8:00 UTC in winter and 7:00 in summer, from one day to the next."""
    calendar = calendar_of(timezone="Europe/Madrid", hours={"daily": "09:00-10:00"})
    assert expand(calendar, ms(2026, 3, 28), 2) == (
        (ms(2026, 3, 28, 8), ms(2026, 3, 28, 9)),
        (ms(2026, 3, 29, 7), ms(2026, 3, 29, 8)),
    )


def test_public_holidays_have_no_hours_unless_left_out() -> None:
    """Madrid's own holiday, 2 May, is shut for ES-MD and open for an ordinary week."""
    calendar = calendar_of(timezone="Europe/Madrid", hours={"daily": "09:00-10:00"}, holidays="ES-MD")
    year = 2025
    assert expand(calendar, ms(year, 5, 2), 1) == ()
    assert len(expand(calendar, ms(year, 5, 2), 1, with_holidays=False)) == 1


def test_calendar_without_zone_takes_the_workspaces() -> None:
    """The workspace's zone counts where a calendar names none."""
    calendar = calendar_of(hours={"daily": "00:00-01:00"})
    assert expand(calendar, ms(2026, 1, 1), 1, timezone="Asia/Kathmandu") == (
        (ms(2026, 1, 1, 18, 15), ms(2026, 1, 1, 19, 15)),
    )


@pytest.mark.parametrize("code", ["XX", "ES-XX", "", "es", "ES-MD-1", "../etc"])
def test_unknown_holidays_are_told(code: str) -> None:
    """A code for which no holidays are known is a problem in words."""
    assert "no public holidays" in (holiday_problem(code) or "")


@pytest.mark.parametrize("code", ["ES", "ES-MD", "US-NY", "DE-BY"])
def test_known_holidays_are_no_problem(code: str) -> None:
    """Countries and their regions can be used."""
    assert holiday_problem(code) is None
