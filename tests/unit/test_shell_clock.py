"""Engine time: never backwards, near the wall clock, unmoved by its jumps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.shell.clock import JUMP_MS, Clock


class Hands:
    """Clocks that a test sets."""

    def __init__(self, wall: int = 1_000_000) -> None:
        self.wall = wall
        self.monotonic = 0

    def clock(self, last: int = 0) -> Clock:
        """A clock that reads these hands."""
        return Clock(last, wall=lambda: self.wall, monotonic=lambda: self.monotonic)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-(10**9), 10**9)), max_size=50), st.integers(0, 10**10))
def test_it_never_runs_backwards(steps: list[tuple[int, int]], last: int) -> None:
    """Whatever the wall clock does, each reading is at least the one before and at least the last record's."""
    hands = Hands()
    clock = hands.clock(last)
    before = last
    for passed, jump in steps:
        hands.monotonic += passed
        hands.wall += jump
        now = clock.now()
        assert now >= before
        before = now


def test_it_follows_the_wall_clock() -> None:
    """Where both clocks agree, a reading is the wall clock's."""
    hands = Hands()
    clock = hands.clock()
    for _ in range(10):
        hands.wall += 250
        hands.monotonic += 250
        assert clock.now() == hands.wall


def test_a_small_difference_is_slewed_away() -> None:
    """Two seconds of difference are gone after forty seconds, at one part in twenty."""
    hands = Hands()
    clock = hands.clock()
    hands.wall += 2_000
    for _ in range(400):
        hands.wall += 100
        hands.monotonic += 100
        clock.now()
    assert clock.now() == hands.wall


def test_a_jump_is_reported_and_not_taken() -> None:
    """An hour's jump leaves engine time at the monotonic pace and is told to the caller."""
    hands = Hands()
    clock = hands.clock()
    start = clock.now()
    hands.wall += 3_600_000
    hands.monotonic += 1_000
    assert clock.now() == start + 1_000
    assert clock.jumped > JUMP_MS
