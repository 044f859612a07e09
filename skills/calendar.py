"""Working hours of a time zone as intervals of UTC milliseconds.

An instant is open if the clock on the wall shows an hour of that day's ranges; so on a day when the clock goes back,
the hour that comes twice is open twice, and an hour that is skipped is not made up for. Arithmetic is done on UTC
within stretches of constant offset, never on local times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from router.core.values import Interval
from skills.model import CalendarConfig

DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_PROBE_MS = 6 * 3_600_000  # no zone has changed its offset twice within six hours


def expand(
    calendar: CalendarConfig, from_ms: int, days: int, *, timezone: str = "UTC", with_holidays: bool = True
) -> tuple[Interval, ...]:
    """The calendar's open intervals within [from_ms, from_ms + days), sorted and disjoint.

    `timezone` is for a calendar that names none. `with_holidays` False gives what an ordinary week looks like.
    """
    zone = ZoneInfo(calendar.timezone or timezone)
    until_ms = from_ms + days * DAY_MS
    first = _local_date(from_ms, zone) - timedelta(days=1)  # its hours may reach into the next day
    last = _local_date(until_ms, zone) + timedelta(days=1)
    shut = _shut_days(calendar, first.year, last.year) if with_holidays else frozenset()
    ranges = {day: _of_weekday(calendar, day) for day in range(7)}
    wall = union(
        (midnight + begin * _MINUTE_MS, midnight + end * _MINUTE_MS)
        for midnight, weekday in _local_midnights(first, last, shut)
        for begin, end in ranges[weekday]
    )
    opened: list[Interval] = []
    for begin, end, offset in _offsets(from_ms, until_ms, zone):
        opened += _cut(wall, begin, end, offset)
    return union(opened)


def holiday_problem(code: str) -> str | None:
    """What is wrong with a code of public holidays such as `ES-MD`; None if it can be used."""
    try:
        _holiday_dates(code, 2026, 2026)
    except (NotImplementedError, KeyError, ValueError):
        return f"no public holidays are known for `{code[:40]}`"
    return None


def _cut(wall: tuple[Interval, ...], begin: int, end: int, offset: int) -> Iterator[Interval]:
    """Those parts of the wall-clock ranges that lie in the stretch [begin, end) of UTC with this offset."""
    for opens, closes in wall:
        from_, until = max(begin, opens - offset), min(end, closes - offset)
        if from_ < until:
            yield from_, until


def _local_midnights(first: date, last: date, shut: frozenset[date]) -> Iterator[tuple[int, int]]:
    """(midnight on the wall as milliseconds, weekday) of each day that is not shut."""
    start = date(1970, 1, 1).toordinal()
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        if date.fromordinal(ordinal) not in shut:
            yield (ordinal - start) * DAY_MS, (ordinal - 1) % 7


def _offsets(from_ms: int, until_ms: int, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """Stretches [begin, end) of constant UTC offset, in milliseconds."""
    begin, probe, offset = from_ms, from_ms, _offset(from_ms, zone)
    while probe < until_ms:
        following = min(probe + _PROBE_MS, until_ms)
        if _offset(following, zone) != offset:
            change = _first_change(probe, following, offset, zone)
            yield begin, change, offset
            begin, offset = change, _offset(change, zone)
            probe = change
        else:
            probe = following
    if begin < until_ms:
        yield begin, until_ms, offset


def _first_change(low: int, high: int, offset: int, zone: ZoneInfo) -> int:
    """The first instant, to the millisecond, after `low` that has another offset; `high` has one."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
    return high


def _offset(at_ms: int, zone: ZoneInfo) -> int:
    offset = _instant(at_ms).astimezone(zone).utcoffset()
    assert offset is not None, "a zone always has an offset"
    return offset // timedelta(milliseconds=1)


def _instant(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def _local_date(at_ms: int, zone: ZoneInfo) -> date:
    return _instant(at_ms).astimezone(zone).date()


def _of_weekday(calendar: CalendarConfig, weekday: int) -> list[tuple[int, int]]:
    return [range_ for days, ranges in calendar.hours.items() if weekday in days for range_ in ranges]


def _shut_days(calendar: CalendarConfig, first_year: int, last_year: int) -> frozenset[date]:
    shut = set(calendar.closed)
    for code in calendar.holidays:
        shut |= _holiday_dates(code, first_year, last_year)
    return frozenset(shut)


@lru_cache(maxsize=256)
def _holiday_dates(code: str, first_year: int, last_year: int) -> frozenset[date]:
    """Public holidays of a country, or of a region after the hyphen. Raises NotImplementedError if unknown."""
    import holidays  # noqa: PLC0415 (a tenth of a second, for those who have holidays)

    country, _, region = code.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=region or None, years=range(first_year, last_year + 1)))


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same instants, sorted and disjoint; intervals that touch become one."""
    merged: list[Interval] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)
