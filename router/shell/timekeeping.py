"""Which clock is right? The node's, the store's and the monotonic one watch each other.

Rules:
- Two of three decide. Node and store agree, and engine time does not: the clock was set (or the machine slept), and
  that is followed; ahead in one journaled step, back by slewing. The node's clock alone is elsewhere: it is left out.
  The store's alone is elsewhere: nothing follows it; leases and ids do not depend on it.
- Until the store has answered, engine time goes on at the monotonic pace.
- Whatever was found is said once in log and journal, and in `usherd status` while it lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from router.core.errors import StoreUnavailable
from router.core.state import State
from router.shell.clock import JUMP_MS, Clock, Jump, monotonic_ms

log = structlog.get_logger()

LOOK_SECONDS = 1.0
COMPARE_MS = 10_000  # so often the clocks are compared where all seems well
SLOW_MS = 5_000  # an answer that took longer says nothing of the time
ATTENDED = "attended"  # a document: the instant at which somebody last led, in ms
NOTED_MS = 15_000
SHOWN_MS = 900_000  # a jump that was taken stays a problem in `usherd status` for so long


class TimeWatch:
    """Compares the clocks and tells `clock` what to follow."""

    def __init__(
        self,
        clock: Clock,
        store_time: Callable[[], Awaitable[int]],
        *,
        leading: Callable[[], bool],
        monotonic: Callable[[], int] = monotonic_ms,
    ) -> None:
        """`store_time`: the store's clock in ms; raises StoreUnavailable. `leading`: somebody journals the jumps."""
        self._clock = clock
        self._store_time = store_time
        self._leading = leading
        self._monotonic = monotonic
        self._compared_at = monotonic() - COMPARE_MS
        self._finding = ""  # "" | node | store | back | unclear: what is wrong at present
        self._apart = 0  # ms, of what is wrong
        self._settled = False  # node and store have agreed once
        self._took = (0, 0)  # the last jump ahead, and when by the monotonic clock

    async def begin(self) -> None:
        """Before anything goes by the clock: of two that disagree the one behind. Time can be caught up, not undone.

        Raises StoreUnavailable.
        """
        store = await self._store_time()
        apart = self._clock.node - store
        if apart > JUMP_MS:
            self._clock.begin_at(store)
            self._find("node", apart)
        elif apart < -JUMP_MS:
            self._find("store", -apart)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once; the store is asked when something is wrong, and else now and then."""
        started = self._monotonic()
        calm = not self._clock.jumped and not self._finding
        if not calm or started - self._compared_at >= COMPARE_MS:
            try:
                store = await self._store_time()
            except StoreUnavailable:
                return
            if self._monotonic() - started <= SLOW_MS:
                self._compared_at = self._monotonic()
                self._compare(store)
        if not self._leading():
            while self._clock.take_jump() is not None:
                pass  # nobody's offers hang on it here

    def _compare(self, store: int) -> None:
        clock = self._clock
        node, now = clock.node, clock.now()
        if abs(node - store) <= JUMP_MS:
            clock.astray = 0
            self._settled = True
            self._follow(clock.jumped)
        elif abs(store - now) <= JUMP_MS:
            clock.astray = node - store
            self._find("node", node - store)
        elif abs(node - now) <= JUMP_MS:
            clock.astray = 0
            self._find("store", store - node)
        elif not self._settled and node < now < store:
            clock.astray = node - store  # a clock that is behind the journal's last record is wrong
            self._follow(clock.jumped)
            self._find("node", node - store)
        else:
            self._find("unclear", node - store)

    def _follow(self, jumped: int) -> None:
        """Node and store agree."""
        if jumped > 0:
            log.warning("clock_jumped", by_ms=jumped)
            self._took = (jumped, self._monotonic())
            self._clock.announce(Jump(jumped, taken=True))
            self._find("", 0)
        else:
            self._find("back" if jumped < 0 else "", jumped)

    def _find(self, finding: str, apart: int) -> None:
        self._clock.follow_back(following=finding == "back")
        new = finding and (finding != self._finding or abs(apart - self._apart) > JUMP_MS)
        if new:
            log.warning("clocks_disagree", finding=finding, apart_ms=apart)
            if finding in {"back", "node"}:
                self._clock.announce(Jump(apart, taken=finding == "back"))
        elif self._finding and not finding:
            log.info("clocks_agree")
        self._finding, self._apart = finding, apart  # slewing makes it smaller bit by bit: that is no news

    def problems(self) -> list[str]:
        """What an admin should put right, or know."""
        found: list[str] = []
        by, at = self._took
        if by and self._monotonic() - at < SHOWN_MS:
            found.append(f"the clock jumped ahead by {span(by)}: offers were given the time they had left")
        ahead = "ahead of" if self._apart > 0 else "behind"
        match self._finding:
            case "node":
                found.append(
                    f"this node's clock is {span(self._apart)} {ahead} the store's; not followed: set it right"
                )
            case "store":
                found.append(
                    f"the store's clock is {span(self._apart)} {ahead} this node's; not followed: set it right"
                )
            case "back":
                left = span(min(0, self._clock.ahead))
                found.append(f"the clock was set back: usherd's time is {left} ahead of it, and waits for it slowly")
            case "unclear":
                found.append("the clocks of this node and of the store disagree, and both moved: set them")
        return found


class AttendanceStore(Protocol):
    """What attendance asks of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...


class Attendance:
    """When somebody last led: the time after that, until somebody leads again, is a jump too."""

    def __init__(self, store: AttendanceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted_at = 0

    async def note(self) -> None:
        """This node leads; stored now and then. Raises StoreUnavailable."""
        now = self._clock.now()
        if now - self._noted_at >= NOTED_MS:
            await self._store.doc_put(ATTENDED, str(now).encode())
            self._noted_at = now

    async def lacking(self, state: State, at: int) -> int:
        """Milliseconds until `at` in which nobody led, where they make a jump; else 0. Raises StoreUnavailable."""
        if state.n == 0:
            return 0
        noted = await self._store.doc_get(ATTENDED)
        lacking = at - max(state.at, int(noted or 0))
        return lacking if lacking > JUMP_MS else 0


def span(ms: int) -> str:
    """A length of time in words, sign left out: `2 min`, `1 h 30 min`."""
    minutes = (abs(ms) + 30_000) // 60_000
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} min")
    return " ".join(parts)
