"""Promised times: arithmetic on instants and business hours.

Business hours come in as sorted, disjoint intervals of UTC milliseconds that the shell expanded, so that time zones,
holidays and daylight saving are no concern here. Beyond the last interval the clock runs without pause: a calendar
that ends must not turn a promise into none.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.values import Interval


def due(at: int, duration: int, intervals: Sequence[Interval] | None) -> int:
    """The instant at which `duration` ms of business time have passed since `at`. None: around the clock."""
    if intervals is None:
        return at + duration
    left = duration
    for start, end in intervals[_first(at, intervals) :]:
        begin = max(at, start)
        if left <= end - begin:
            return begin + left
        left -= end - begin
    last = intervals[-1][1] if intervals else at
    return max(at, last) + left


def elapsed(start: int, end: int, intervals: Sequence[Interval] | None) -> int:
    """Business time in ms between two instants; the inverse of `due`. 0 where `end` is before `start`."""
    if end <= start:
        return 0
    if intervals is None:
        return end - start
    total = 0
    for opens, closes in intervals[_first(start, intervals) :]:
        if opens >= end:
            return total
        total += min(end, closes) - max(start, opens)
    last = intervals[-1][1] if intervals else start
    return total + max(0, end - max(start, last))


def open_at(at: int, intervals: Sequence[Interval]) -> tuple[bool, int | None]:
    """Whether `at` lies in an interval, and the instant at which that changes next (None: never)."""
    here = _first(at, intervals)
    if here == len(intervals):
        return False, None
    start, end = intervals[here]
    return (True, end) if start <= at else (False, start)


def _first(at: int, intervals: Sequence[Interval]) -> int:
    """Index of the first interval that ends after `at`."""
    return bisect_right(intervals, at, key=lambda interval: interval[1])
