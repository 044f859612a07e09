"""Inbox entries that are in their place are deleted: many at once, off the way of everything else."""

from __future__ import annotations

import asyncio
from typing import Protocol

from router.core.errors import StoreUnavailable
from router.core.intake import stream_order
from router.core.state import State
from router.shell.buggify import point
from router.shell.store.entries import InboxItem

ENTRIES_MAX = 512  # deleted in one call
READ_ENTRIES_MAX = 64
RETRY_SECONDS = 0.2


class SweeperStore(Protocol):
    """What deleting asks of the store."""

    async def inbox_read(self, after: str, count: int, block_ms: int) -> list[InboxItem]:
        """Entries after an id, in order."""
        ...

    async def inbox_delete(self, ids: list[str]) -> None:
        """Forget entries that are in their place."""
        ...


class Sweeper:
    """Deletes what it is told, however long the store takes."""

    def __init__(self, store: SweeperStore) -> None:
        self._store = store
        self._done: list[str] = []
        self._news = asyncio.Event()

    def forget(self, ids: list[str]) -> None:
        """These are in their place."""
        self._done += ids
        self._news.set()

    async def run(self) -> None:
        """Delete until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while ids := self._done[:ENTRIES_MAX]:
                try:
                    await point("leader.before_sweep")
                    await self._store.inbox_delete(ids)
                    await point("leader.after_sweep")
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    del self._done[: len(ids)]

    async def tidy(self, state: State) -> None:
        """Forget entries that were journaled but not deleted before the last leader ended."""
        after, end = "0-0", stream_order(state.inbox) or (0, 0)
        while items := await self._store.inbox_read(after, READ_ENTRIES_MAX, 0):
            old = [item.id for item in items if (stream_order(item.id) or (0, 0)) <= end]
            done = [identifier for identifier in old if identifier not in state.deferred]
            if done:
                await self._store.inbox_delete(done)
            if len(old) < len(items):
                return
            after = items[-1].id
