"""Engine time: never backwards, close to the wall clock, unmoved by its jumps.

Between readings it advances with the monotonic clock. A small difference from the wall clock is slewed away at one
part in twenty. A difference of more than JUMP_MS is `jumped`, and whoever watches the clock (timekeeping.py) decides
what becomes of it: a jump ahead is taken as one step, one to the back is slewed too, a node's own error is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

JUMP_MS = 60_000
SLEW = 20


def wall_ms() -> int:
    """The node's clock, milliseconds of UTC since 1970."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class Jump(msgspec.Struct, frozen=True):
    """The clock was set by `by_ms`; `taken`: engine time follows it."""

    by_ms: int
    taken: bool


class Clock:
    """`now()` for events. `wall` and `monotonic` are handed in by tests. One for each node."""

    def __init__(
        self, last: int = 0, *, wall: Callable[[], int] = wall_ms, monotonic: Callable[[], int] = monotonic_ms
    ) -> None:
        self.astray = 0  # ms by which the node's clock is known to be wrong; it is left out
        self._wall = wall
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._now = max(last, wall())
        self._set_back = False  # the wall clock is far behind, and right
        self._jumps: list[Jump] = []

    @property
    def node(self) -> int:
        """What the node's clock says, right or wrong."""
        return self._wall()

    @property
    def ahead(self) -> int:
        """Milliseconds by which the wall clock, less what is known to be wrong, is ahead of engine time."""
        return self._wall() - self.astray - self.now()

    @property
    def jumped(self) -> int:
        """The same where it is too much to slew; else 0."""
        ahead = self.ahead
        return ahead if abs(ahead) > JUMP_MS else 0

    def now(self) -> int:
        """Engine time in milliseconds; never less than before."""
        reading = self._monotonic()
        passed = max(0, reading - self._read_at)
        self._read_at = reading
        ahead = self._wall() - self.astray - (self._now + passed)
        if abs(ahead) <= JUMP_MS or (self._set_back and ahead < 0):
            limit = passed // SLEW
            passed += max(-limit, min(limit, ahead))
        self._now += passed
        return self._now

    def reach(self, last: int) -> int:
        """Be at least at `last`, where a journal ends; gives engine time."""
        self._now = max(self.now(), last)
        return self._now

    def begin_at(self, at: int) -> None:
        """Begin at another instant than the node's clock says; before anybody has read this one."""
        self._now = at
        self.astray = self._wall() - at

    # -- what a watch has found ------------------------------------------------------------------------------------

    def follow_back(self, *, following: bool) -> None:
        """The wall clock was set back, and that is right: let it catch up, however far."""
        self._set_back = following

    def announce(self, jump: Jump) -> None:
        """Have a jump journaled, and if it is `taken` followed, when its turn comes: once, however late that is."""
        if not any(waiting.by_ms > 0 and waiting.taken for waiting in self._jumps if jump.by_ms > 0 and jump.taken):
            self._jumps.append(jump)

    def take_jump(self) -> Jump | None:
        """The jump whose turn has come: engine time stands behind it now. None: there is none."""
        if not self._jumps:
            return None
        jump = self._jumps.pop(0)
        if jump.taken and jump.by_ms > 0:
            self._now = self.now() + jump.by_ms
        return jump


def rfc3339(at: int) -> str:
    """An instant in milliseconds of UTC, as people and scripts read it."""
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str) -> int:
    """The instant that `rfc3339` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
