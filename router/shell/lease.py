"""A lease: what only one node at a time should do, and another does when that one is gone.

It is for liveness only. A lease ends by the store's clock, which may be set, and its owner may be stopped for a while
and not know: two nodes may believe that they hold it. Whatever must never be done twice needs a fence besides: the
leader has its epoch, a reader of a mailbox the idempotency keys of what it brings in.

Whoever waits for a lease sees by its own monotonic clock whether the owner still keeps it: should the store's clock be
set back, so that the lease would last for hours, it is taken all the same. Time in which the store does not answer
does not count, for then nobody can keep anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog

from router.core.errors import StoreUnavailable
from router.shell.buggify import point

log = structlog.get_logger()

TTL_MS = 3_000
KEEP_SECONDS = 0.7
LOOK_SECONDS = 0.25
LOOK_COUNTS_SECONDS_MAX = 0.5  # so much of the time between two looks counts at most: the store may have been away
UNCHANGED_SECONDS_MAX = 3.5  # then its owner is gone, whatever the store's clock says


class LeaseStore(Protocol):
    """What a lease asks of the store."""

    async def lease_acquire(self, name: str, owner: str, ttl_ms: int, stale: str = "") -> bool:
        """Whether `owner` holds it now; a value `stale` counts as nobody's."""
        ...

    async def lease_renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` still held it."""
        ...

    async def lease_release(self, name: str, owner: str) -> bool:
        """Give it back."""
        ...

    async def lease_value(self, name: str) -> str | None:
        """`owner count`, another one each time it is kept; None if nobody holds it."""
        ...


class Lease:
    """One node's claim to one lease. `holder`: who held it when we last looked, "" for nobody.

    `pace`: all its times are so many times longer, for what is held by the hundred and may wait a little.
    """

    def __init__(
        self,
        store: LeaseStore,
        name: str,
        owner: str,
        *,
        pace: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._pace = pace
        self.owner = owner
        self.holder = ""
        self._store = store
        self._monotonic = monotonic
        self._until = float("-inf")  # ours for certain, by our clock
        self._looked_at = float("-inf")
        self._seen: str | None = None  # the value that it has had, or that nobody has held it, for `_unchanged` seconds
        self._unchanged = 0.0

    @property
    def held(self) -> bool:
        """Whether it is certainly ours: it was kept less than its life ago, by a clock that nobody sets."""
        return self._monotonic() < self._until

    async def look(self, patience: float = 0.0) -> bool:
        """Take it if it is to be had; whether it is ours. Asks the store every LOOK_SECONDS at most.

        One that has just become free is left to its owner for one more look: the store may have been away for longer
        than the lease's life, and who leads shall go on. `patience`: so many seconds more it is left to whoever else
        wants it. Raises StoreUnavailable.
        """
        now = self._monotonic()
        passed = now - self._looked_at
        if passed < LOOK_SECONDS * self._pace:
            return False
        self._looked_at = now
        value = await self._store.lease_value(self.name)
        self.holder = "" if value is None else value.rpartition(" ")[0] or value
        if self.holder == self.owner:
            return await self._take()
        same = value == self._seen
        counted = min(passed, LOOK_COUNTS_SECONDS_MAX * self._pace)
        self._unchanged = self._unchanged + counted if same else 0.0
        self._seen = value
        if value is None:
            return same and self._unchanged >= patience and await self._take()
        if self._unchanged < UNCHANGED_SECONDS_MAX * self._pace + patience:
            return False
        log.warning("lease_not_kept", lease=self.name, holder=self.holder)
        return await self._take(value)

    async def _take(self, stale: str = "") -> bool:
        asked = self._monotonic()
        if not await self._store.lease_acquire(self.name, self.owner, TTL_MS * self._pace, stale):
            return False
        self._until = asked + TTL_MS * self._pace / 1_000
        self.holder = self.owner
        return True

    async def keep(self, doubtful: Callable[[], None] = lambda: None) -> None:
        """Keep it; returns once another node has it.

        `doubtful` is called each time that it stops being certainly ours: it could not be kept in time, or another has
        it. What only one may do stops there, and may go on while `held` says so again.
        """
        sure = True
        while True:
            await asyncio.sleep(KEEP_SECONDS * self._pace)
            kept = None
            with suppress(StoreUnavailable):
                kept = await self._keep()
            if kept is False:
                self._until = float("-inf")
            if sure and not self.held:
                doubtful()
            sure = self.held
            if kept is False:
                return

    async def _keep(self) -> bool:
        await point("leader.lease_renew")
        asked = self._monotonic()
        if await self._store.lease_renew(self.name, self.owner, TTL_MS * self._pace):
            self._until = asked + TTL_MS * self._pace / 1_000
            return True
        return await self._take()

    async def release(self) -> None:
        """Give it back, so that another need not wait; does nothing if it is not ours. Raises StoreUnavailable."""
        self._until, self._unchanged = float("-inf"), 0.0
        await self._store.lease_release(self.name, self.owner)
