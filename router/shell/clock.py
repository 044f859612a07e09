"""Engine time: never backwards, close to the wall clock, unmoved by its jumps.

Between readings it advances with the monotonic clock. A small difference from the wall clock is slewed away at one
part in twenty; a difference of more than JUMP_MS is reported by `jumped` and left to the caller to take or refuse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

JUMP_MS = 60_000
SLEW = 20


def wall_ms() -> int:
    """The node's clock, milliseconds of UTC since 1970."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Milliseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class Clock:
    """`now()` for events. `wall` and `monotonic` are handed in by tests."""

    def __init__(
        self, last: int = 0, *, wall: Callable[[], int] = wall_ms, monotonic: Callable[[], int] = monotonic_ms
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._now = max(last, wall())

    @property
    def jumped(self) -> int:
        """Milliseconds by which the wall clock is ahead of engine time, where that is too much to slew; else 0."""
        ahead = self._wall() - self._now
        return ahead if abs(ahead) > JUMP_MS else 0

    def now(self) -> int:
        """Engine time in milliseconds; never less than before."""
        reading = self._monotonic()
        passed = max(0, reading - self._read_at)
        self._read_at = reading
        ahead = self._wall() - (self._now + passed)
        if abs(ahead) <= JUMP_MS:
            limit = passed // SLEW
            passed += max(-limit, min(limit, ahead))
        self._now += passed
        return self._now


def rfc3339(at: int) -> str:
    """An instant in milliseconds of UTC, as people and scripts read it."""
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str) -> int:
    """The instant that `rfc3339` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
