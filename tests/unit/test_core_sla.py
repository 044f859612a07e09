"""Business hours: due times, elapsed time and edges agree with a walk minute by minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core import sla

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=6)


def hours_of(pairs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Intervals from (gap before, length); none touch the one before."""
    hours: list[tuple[int, int]] = []
    end = 0
    for gap, length in pairs:
        start = end + gap + 1
        end = start + length
        hours.append((start, end))
    return tuple(hours)


def is_open(at: int, hours: tuple[tuple[int, int], ...]) -> bool:
    """Whether the clock runs in the unit that begins at `at`; it always does after the last interval."""
    return any(start <= at < end for start, end in hours) or at >= (hours[-1][1] if hours else 0)


@given(spans, st.integers(0, 250), st.integers(1, 200))
def test_due_is_where_a_walk_ends(pairs: list[tuple[int, int]], at: int, duration: int) -> None:
    """The due time is the first instant by which as many open units have passed."""
    hours = hours_of(pairs)
    walked, now = 0, at
    while walked < duration:
        walked += is_open(now, hours)
        now += 1
    assert sla.due(at, duration, hours) == now


@given(spans, st.integers(0, 250), st.integers(0, 250))
def test_elapsed_counts_open_units(pairs: list[tuple[int, int]], start: int, end: int) -> None:
    """Elapsed time is the number of open units between two instants."""
    hours = hours_of(pairs)
    assert sla.elapsed(start, end, hours) == sum(is_open(now, hours) for now in range(start, end))


@given(spans, st.integers(0, 250))
def test_open_at_tells_the_next_edge(pairs: list[tuple[int, int]], at: int) -> None:
    """Up to the next edge nothing changes, and there it does."""
    hours = hours_of(pairs)

    def inside(now: int) -> bool:
        return any(start <= now < end for start, end in hours)

    here, edge = sla.open_at(at, hours)
    assert here is inside(at)
    if edge is None:
        assert not any(inside(now) for now in range(at, 400))
    else:
        assert [inside(now) for now in range(at, edge)] == [here] * (edge - at)
        assert inside(edge) is not here


def test_without_a_calendar_the_clock_runs_round() -> None:
    """No calendar: due and elapsed are plain sums."""
    assert sla.due(10, 5, None) == 15
    assert sla.elapsed(10, 15, None) == 5
    assert sla.elapsed(15, 10, None) == 0


def test_a_zero_target_is_due_when_the_hours_open() -> None:
    """A promise of nothing, made at night, is due in the morning."""
    assert sla.due(5, 0, ((10, 20),)) == 10
