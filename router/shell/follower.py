"""The follower: an engine that is as the journal has it, on every node, whoever leads.

It begins from a snapshot and the journal, then reads on as others write, applies each record as a replay does, its
decisions compared, and tells the listeners, so that desks, chats and metrics of a node that does not lead are up to
date. A leader drives the same engine: from its first look at a batch until the store has confirmed it the engine is
ahead of the journal, and whoever wants to see what stands waits for `settled`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import structlog

from router.core.engine import Engine
from router.core.errors import StoreUnavailable
from router.core.state import State
from router.shell.journal import Drafted, Journal, JournalStore, drive
from router.shell.understanding import Prepared

log = structlog.get_logger()

READ_RECORDS_MAX = 1_000
SLICE_RECORDS = 64  # applied in one go, before others have their turn
SETTLE_SECONDS_MAX = 5.0


class Applied(msgspec.Struct, frozen=True):
    """What the engine made of an event; on disk by the time that listeners hear of it.

    `prepared` holds blobs and entries on the node that leads only; elsewhere it is the event and nothing else.
    """

    prepared: Prepared
    draft: Drafted


Listener = Callable[[list[Applied]], None]
Recover = Callable[[], Awaitable[tuple[Engine, Journal]]]


class FollowerStore(JournalStore, Protocol):
    """What following asks of the store."""

    async def journal_read(self, after: str, count: int, block_ms: int = 0) -> list[tuple[str, bytes]]:
        """(id, record) after an id, in order, waiting for the first at most `block_ms`."""
        ...


class Follower:
    """`listeners` hear of each commit in order; `renewals` that the engine is another one, so that all is new."""

    def __init__(self, store: FollowerStore, recover: Recover) -> None:
        """`recover`: how engine and journal are had, at the start and after a doubt."""
        self.engine = Engine()
        self.journal = Journal(store)
        self.current = False
        self.listeners: list[Listener] = []
        self.renewals: list[Callable[[], None]] = []
        self._store = store
        self._recover = recover
        self._settled = asyncio.Event()

    @property
    def ahead(self) -> bool:
        """Whether the engine has applied what is not known to be in the journal."""
        return not self._settled.is_set()

    async def settled(self) -> State:
        """The state as the journal has it. Good until the next await. Raises StoreUnavailable if that takes long."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                while self.ahead:
                    await self._settled.wait()
        except TimeoutError:
            raise StoreUnavailable("the store has not confirmed yet what was decided last") from None
        return self.engine.state

    def run_ahead(self) -> None:
        """From here on the engine may know more than the journal, until `stand`."""
        self._settled.clear()

    async def stand(self, applied: list[Applied]) -> None:
        """What was applied is in the journal: tell everybody, and give whoever waited a turn before the next batch."""
        self._settled.set()
        self._tell(applied)
        await asyncio.sleep(0)

    def _tell(self, applied: list[Applied]) -> None:
        for listener in self.listeners:
            try:
                listener(applied)
            except Exception as error:  # what is journaled stands, and the others must hear of it
                log.exception("listener_failed", error=type(error).__name__)

    def throw_away(self) -> None:
        """The engine is in doubt: nobody looks at it any more, and `begin` makes another."""
        self._settled.clear()
        self.current = False

    async def begin(self) -> None:
        """Be as the journal says, from the newest snapshot on. Raises JournalBroken, StoreUnavailable."""
        self.engine, self.journal = await self._recover()
        self.current = True
        self._settled.set()
        for renewed in self.renewals:
            renewed()

    async def read_on(self, block_ms: int = 0) -> int:
        """Apply what others have written since, waiting for it at most `block_ms`; how many records it was.

        Raises JournalBroken, StoreUnavailable.
        """
        rows = await self._store.journal_read(self.journal.last_id, READ_RECORDS_MAX, block_ms)
        for lot in (rows[start : start + SLICE_RECORDS] for start in range(0, len(rows), SLICE_RECORDS)):
            self._tell([self._apply(identifier, raw) for identifier, raw in lot])
            await asyncio.sleep(0)
        return len(rows)

    def _apply(self, identifier: str, raw: bytes) -> Applied:
        record = self.journal.take(identifier, raw)
        drive(self.engine, record)
        draft = Drafted(record.n, record.event, record.decisions, record.config, record.inbox)
        return Applied(Prepared(event=record.event), draft)
