"""Where channels put what they received: many callers' entries, one round trip, one fsync.

Rules:
- While one round trip is under way the next batch gathers. A caller waits for the batch that carries its entries.
- An append goes on when its caller is cancelled (a client that drops before its `250`): the entries may be on their
  way already, and the client will send them again; the store knows them then.
- Full means refused before anything is stored. What agents do, and what usherd tells itself, is let in when customers'
  messages are not: it is how a backlog gets shorter.
- A caller sees RouterErrors only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import msgspec
import structlog

from router.core.errors import BacklogFull, Draining, StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.shell.buggify import point
from router.shell.store.entries import DIGEST_BYTES, Group, Outcome

log = structlog.get_logger()

OWN_SOURCES = frozenset({"command", "internal"})
REFRESH_SECONDS = 1.0


class IntakeStore(Protocol):
    """What intake needs of the store."""

    inbox_count: int

    async def inbox_append_many(self, groups: list[Group]) -> list[Outcome]:
        """Store groups in one round trip; raises StoreUnavailable."""
        ...

    async def inbox_length(self) -> int:
        """Count entries; also refreshes `inbox_count`."""
        ...

    async def inbox_bytes(self) -> int:
        """Estimate the memory they take."""
        ...

    async def memory_share(self) -> float:
        """Return the share of its memory the store uses."""
        ...


class Disk(Protocol):
    """What intake needs of the disk guard."""

    def accepting(self) -> bool:
        """Return whether there is room for new input."""
        ...


class IntakeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait, where. Beyond it customers' messages are refused for now (`452`, `429`)."""

    inbox_entries_max: int = 200_000  # stored and not yet journaled
    inbox_bytes_max: int = 1 << 30
    store_memory_share_max: float = 0.70  # the journal needs the rest: without it nothing could be worked off
    gathered_bytes_max: int = 64 << 20  # in this process, waiting for their round trip
    batch_entries_max: int = 512
    batch_bytes_max: int = 4 << 20  # a script call blocks everybody; this much takes about 10 ms


class _Waiting(msgspec.Struct):
    group: Group
    size: int
    future: asyncio.Future[list[Appended]]


class Intake:
    """The `Inbox` port over a store. Counters are totals since the start, for the metrics page."""

    def __init__(self, store: IntakeStore, disk: Disk, limits: IntakeLimits | None = None) -> None:
        """Make it in a running loop or out of one; it starts tasks only when something is appended."""
        self.accepted = 0
        self.duplicates = 0
        self.conflicts = 0
        self.refused = 0  # backlog, disk or draining: nothing was stored
        self.failed = 0  # the store did not confirm
        self.batches = 0
        self.draining = False
        self._store = store
        self._disk = disk
        self._limits = limits or IntakeLimits()
        self._waiting: deque[_Waiting] = deque()
        self._gathered_bytes = 0
        self._sender: asyncio.Task[None] | None = None
        self._refresher: asyncio.Task[None] | None = None
        self._refreshed_at = float("-inf")
        self._store_full = ""

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """Store all entries or none; when this returns they are on disk. One answer each, in order.

        `conflict`: what to do with a known key and another body, `keep` it as a flagged entry or `refuse` all.
        Raises StoreUnavailable (outcome unknown: send again), BacklogFull or Draining (nothing stored).
        """
        if not entries:
            return []
        size = 0
        for entry in entries:
            if len(entry.key) != DIGEST_BYTES or len(entry.body) != DIGEST_BYTES:
                raise ValueError("key and body of an inbox entry are 16-byte digests")
            size += len(entry.raw) + len(entry.meta)
        await point("intake.received")
        self._admit(entries, size)
        loop = asyncio.get_running_loop()
        waiting = _Waiting((entries, conflict), size, loop.create_future())
        self._waiting.append(waiting)
        self._gathered_bytes += size
        if self._sender is None:
            self._sender = loop.create_task(self._send(), name="intake")
        # Cancelling the caller cancels this future only: the entries stay in the batch.
        return await waiting.future

    def _admit(self, entries: list[InboxEntry], size: int) -> None:
        """Raise Draining or BacklogFull if these entries cannot be let in."""
        if self.draining:
            self.refused += len(entries)
            raise Draining("this node is stopping")
        self._refresh_if_old()
        if self._gathered_bytes and self._gathered_bytes + size > self._limits.gathered_bytes_max:
            reason = "too much waits to be stored"
        elif all(entry.source in OWN_SOURCES for entry in entries):
            return
        elif not self._disk.accepting():
            reason = "the disk is nearly full"
        elif self._store.inbox_count >= self._limits.inbox_entries_max:
            reason = "too many messages wait to be routed"
        elif self._store_full:
            reason = self._store_full
        else:
            return
        self.refused += len(entries)
        raise BacklogFull(reason)

    async def drain(self) -> None:
        """Take nothing new; return when all that was taken is answered."""
        self.draining = True
        if self._sender is not None:
            await asyncio.shield(self._sender)
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.wait([self._refresher])

    # --- sending ---

    async def _send(self) -> None:
        """Send batches until nothing waits."""
        try:
            while self._waiting:
                await self._send_batch(self._next_batch())
        finally:
            self._sender = None

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        count, size = len(batch[0].group[0]), batch[0].size
        while self._waiting:
            following = self._waiting[0]
            count += len(following.group[0])
            size += following.size
            if count > self._limits.batch_entries_max or size > self._limits.batch_bytes_max:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send_batch(self, batch: list[_Waiting]) -> None:
        outcomes: list[Outcome]
        try:
            await point("intake.before_append")
            outcomes = await self._store.inbox_append_many([waiting.group for waiting in batch])
            await point("intake.after_append")
        except StoreUnavailable as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            # A mistake of ours; the senders must keep their messages all the same.
            log.exception("intake_failed", error=type(error).__name__)
            outcomes = [StoreUnavailable("the messages could not be stored")] * len(batch)
        self.batches += 1
        for waiting, outcome in zip(batch, outcomes, strict=True):
            self._gathered_bytes -= waiting.size
            self._settle(waiting, outcome)

    def _settle(self, waiting: _Waiting, outcome: Outcome) -> None:
        if isinstance(outcome, StoreUnavailable):
            self.failed += len(waiting.group[0])
            if not waiting.future.done():
                # An exception instance belongs to one caller: raising it adds that caller's traceback.
                waiting.future.set_exception(StoreUnavailable(str(outcome)))
            return
        for answer in outcome:
            self.duplicates += answer.duplicate
            self.conflicts += answer.conflict
            self.accepted += not answer.duplicate
        if not waiting.future.done():
            waiting.future.set_result(outcome)

    # --- how full is the store ---

    async def measured(self) -> None:
        """Return when a measurement that is under way has ended."""
        if self._refresher is not None:
            await asyncio.wait([self._refresher])

    def _refresh_if_old(self) -> None:
        loop = asyncio.get_running_loop()
        if self._refresher is None and loop.time() - self._refreshed_at > REFRESH_SECONDS:
            self._refresher = loop.create_task(self._refresh(), name="intake-refresh")

    async def _refresh(self) -> None:
        """Ask the store how full it is. If it does not answer the appends will find out."""
        try:
            share = await self._store.memory_share()
            size = await self._store.inbox_bytes()
            await self._store.inbox_length()
            if share > self._limits.store_memory_share_max:
                self._store_full = "the store's memory is nearly used up"
            elif size > self._limits.inbox_bytes_max:
                self._store_full = "too many bytes wait to be routed"
            else:
                self._store_full = ""
        except StoreUnavailable:
            log.warning("store_not_measured")
        finally:
            self._refreshed_at = asyncio.get_running_loop().time()
            self._refresher = None
