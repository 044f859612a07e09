"""Engine time: never backwards, near the wall clock, unmoved by its jumps until two of three clocks agree on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import StoreUnavailable
from router.core.state import State
from router.shell.clock import JUMP_MS, Clock, Jump
from router.shell.timekeeping import COMPARE_MS, SHOWN_MS, Attendance, TimeWatch, span

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = 1_800_000_000_000


class Hands:
    """Clocks that a test sets: the node's, the store's and the one that nobody sets."""

    def __init__(self, wall: int = T0) -> None:
        self.wall = wall
        self.store = wall
        self.monotonic = 0
        self.answers = True
        self.leading = False

    def clock(self, last: int = 0) -> Clock:
        """A clock that reads these hands."""
        return Clock(last, wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def watch(self, clock: Clock) -> TimeWatch:
        """A watch over it."""
        return TimeWatch(clock, self.store_time, leading=lambda: self.leading, monotonic=lambda: self.monotonic)

    async def store_time(self) -> int:
        """What the store says of the time."""
        if not self.answers:
            raise StoreUnavailable("no answer")
        return self.store

    def go(self, ms: int) -> None:
        """True time passes, everywhere."""
        self.wall += ms
        self.store += ms
        self.monotonic += ms


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-(10**9), 10**9)), max_size=50), st.integers(0, 10**10))
def test_it_never_runs_backwards(steps: list[tuple[int, int]], last: int) -> None:
    """Whatever the wall clock does, each reading is at least the one before and at least the last record's."""
    hands = Hands(1_000_000)
    clock = hands.clock(last)
    before = last
    for passed, jump in steps:
        hands.monotonic += passed
        hands.wall += jump
        clock.follow_back(following=jump < 0)
        now = clock.now()
        assert now >= before
        before = now


def test_it_follows_the_wall_clock() -> None:
    """Where both clocks agree, a reading is the wall clock's."""
    hands = Hands()
    clock = hands.clock()
    for _ in range(10):
        hands.go(250)
        assert clock.now() == hands.wall


def test_a_small_difference_is_slewed_away() -> None:
    """Two seconds of difference are gone after forty seconds, at one part in twenty."""
    hands = Hands()
    clock = hands.clock()
    hands.wall += 2_000
    for _ in range(400):
        hands.go(100)
        clock.now()
    assert clock.now() == hands.wall


def test_a_jump_is_reported_and_not_taken() -> None:
    """An hour's jump leaves engine time at the monotonic pace and is told to the caller."""
    hands = Hands()
    clock = hands.clock()
    start = clock.now()
    hands.wall += HOUR
    hands.monotonic += 1_000
    assert clock.now() == start + 1_000
    assert clock.jumped > JUMP_MS


def test_an_announced_jump_is_taken_in_its_turn_and_once() -> None:
    """However often it is announced while the leader is busy, engine time leaps once."""
    hands = Hands()
    clock = hands.clock()
    for _ in range(3):
        clock.announce(Jump(HOUR, taken=True))
    clock.announce(Jump(-DAY, taken=False))
    assert clock.now() == T0
    assert clock.take_jump() == Jump(HOUR, taken=True)
    assert clock.now() == T0 + HOUR
    assert clock.take_jump() == Jump(-DAY, taken=False)
    assert clock.take_jump() is None
    assert clock.now() == T0 + HOUR


def test_it_begins_at_the_journals_end() -> None:
    """A node whose clock is behind the journal goes on from its last record."""
    hands = Hands()
    clock = hands.clock()
    assert clock.reach(T0 - HOUR) == T0
    assert clock.reach(T0 + HOUR) == T0 + HOUR
    hands.monotonic += 5
    assert clock.now() == T0 + HOUR + 5


@pytest.mark.parametrize("by", [HOUR, DAY])
async def test_both_clocks_ahead_are_followed_in_one_step(by: int) -> None:
    """Where node and store agree on a jump ahead, it is announced to the leader, who takes it; then all is well."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.leading = True
    await watch.look()
    hands.wall += by
    hands.store += by
    hands.go(1_000)
    await watch.look()
    await watch.look()
    assert clock.now() == T0 + 1_000
    assert clock.take_jump() == Jump(by, taken=True)
    assert clock.take_jump() is None
    assert clock.now() == hands.wall
    assert watch.problems() == [f"the clock jumped ahead by {span(by)}: offers were given the time they had left"]
    hands.go(SHOWN_MS)
    await watch.look()
    assert watch.problems() == []


async def test_nobody_leads_here_so_a_jump_is_taken_at_once() -> None:
    """On a standby there is nothing to journal."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.wall = hands.store = T0 + HOUR
    await watch.look()
    assert clock.now() == T0 + HOUR


@pytest.mark.parametrize("by", [HOUR, -HOUR, DAY, -DAY])
async def test_a_node_that_is_wrong_is_not_followed(by: int) -> None:
    """The store and the steady clock outvote the node's: engine time goes on by the store's."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.leading = True
    await watch.look()
    hands.wall += by
    for _ in range(50):
        hands.go(1_000)
        await watch.look()
        assert abs(clock.now() - hands.store) <= 1_000
    assert clock.take_jump() == Jump(by, taken=False)
    assert clock.take_jump() is None
    (problem,) = watch.problems()
    assert problem.startswith(f"this node's clock is {span(by)} {'ahead of' if by > 0 else 'behind'} the store's")
    hands.wall -= by
    await watch.look()
    assert watch.problems() == []
    assert clock.take_jump() is None


@pytest.mark.parametrize("by", [HOUR, -HOUR, DAY, -DAY])
async def test_a_store_that_is_wrong_is_not_followed(by: int) -> None:
    """Node and steady clock outvote the store's: nothing is journaled, and an admin is told."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.leading = True
    await watch.look()
    hands.store += by
    hands.go(COMPARE_MS)
    await watch.look()
    assert clock.now() == hands.wall
    assert clock.take_jump() is None
    (problem,) = watch.problems()
    assert problem.startswith(f"the store's clock is {span(by)} {'ahead of' if by > 0 else 'behind'} this node's")


@pytest.mark.parametrize("by", [-HOUR, -DAY])
async def test_both_clocks_set_back_are_awaited(by: int) -> None:
    """Engine time goes on at nineteen parts in twenty, says so once in the journal, and ends where the clocks are."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.leading = True
    await watch.look()
    hands.wall += by
    hands.store += by
    await watch.look()
    assert clock.take_jump() == Jump(by, taken=True)
    before = clock.now()
    for _ in range(60):
        hands.go(1_000)
        await watch.look()
    assert clock.now() - before == 57_000
    assert watch.problems() == [
        f"the clock was set back: usherd's time is {span(by + 3_000)} ahead of it, and waits for it slowly"
    ]
    for _ in range(-by * 20 // 600_000):
        hands.go(600_000)
        await watch.look()
    assert clock.now() == hands.wall
    assert clock.take_jump() is None
    assert watch.problems() == []


async def test_clocks_that_moved_apart_are_both_left_alone() -> None:
    """Where neither is near engine time it goes on at the steady pace, and an admin is told."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    await watch.look()
    hands.wall += DAY
    hands.store -= DAY
    hands.go(1_000)
    await watch.look()
    assert clock.now() == T0 + 1_000
    assert watch.problems() == ["the clocks of this node and of the store disagree, and both moved: set them"]


async def test_a_silent_store_decides_nothing() -> None:
    """Without the store's word a jump is not taken, nor is it after an answer that took too long."""
    hands = Hands()
    clock = hands.clock()
    watch = hands.watch(clock)
    hands.answers = False
    hands.wall += HOUR
    await watch.look()
    assert clock.now() == T0

    async def slowly() -> int:
        hands.go(6_000)
        return hands.wall

    slow = TimeWatch(clock, slowly, leading=lambda: False, monotonic=lambda: hands.monotonic)
    await slow.look()
    assert clock.now() == T0 + 6_000


async def test_of_two_clocks_at_the_start_the_one_behind_is_right() -> None:
    """A node that is a day ahead of the store begins at the store's time; one that is behind begins at its own."""
    hands = Hands()
    hands.wall += DAY
    clock = hands.clock()
    watch = hands.watch(clock)
    await watch.begin()
    hands.go(1_000)
    await watch.look()
    assert clock.now() == hands.store
    assert "ahead of the store's" in watch.problems()[0]
    late = Hands()
    late.wall -= DAY
    clock = late.clock()
    watch = late.watch(clock)
    await watch.begin()
    assert clock.now() == late.wall
    assert "ahead of this node's" in watch.problems()[0]


async def test_a_node_behind_the_last_record_goes_by_the_store() -> None:
    """A journal that ends after what the node's clock says shows that the node is wrong: the store's is followed."""
    hands = Hands()
    hands.wall -= DAY
    clock = hands.clock()
    watch = hands.watch(clock)
    await watch.begin()
    clock.reach(T0 - 2 * HOUR)
    await watch.look()
    assert clock.now() == T0
    hands.go(1_000)
    assert clock.now() == T0 + 1_000
    assert watch.problems()[-1].startswith("this node's clock is 24 h behind the store's")


async def test_the_time_in_which_nobody_led_is_told_from_a_quiet_night() -> None:
    """Leading is noted now and then, so that only the time after the last note counts as unattended."""
    hands = Hands()
    clock = hands.clock()
    documents: dict[str, bytes] = {}
    writes = 0

    class Documents:
        async def doc_get(self, name: str) -> bytes | None:
            return documents.get(name)

        async def doc_put(self, name: str, value: bytes) -> None:
            nonlocal writes
            writes += 1
            documents[name] = value

    attendance = Attendance(Documents(), clock)
    state = State(n=7, at=T0)
    assert await attendance.lacking(State(at=0), T0) == 0
    assert await attendance.lacking(state, T0 + JUMP_MS) == 0
    assert await attendance.lacking(state, T0 + HOUR) == HOUR
    for _ in range(3_600):
        hands.go(1_000)
        await attendance.note()
    assert writes == 240
    assert await attendance.lacking(state, clock.now() + 45_000) == 0
    assert await attendance.lacking(state, clock.now() + DAY) >= DAY


def test_a_span_is_said_in_hours_and_minutes() -> None:
    """Signs and seconds are left out."""
    assert [span(ms) for ms in (0, 89_999, -HOUR, DAY + 30 * 60_000)] == ["0 min", "1 min", "1 h", "24 h 30 min"]
