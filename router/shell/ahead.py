"""What stands in the inbox, read ahead of its turn: begun as soon as it is read, ripe when nothing is left to wait for.

Whatever waits, for a worker or for the store, waits here, while the leader journals what came before. The leader takes
all that is ripe up to the first entry that is not, so that turns keep the order of the inbox, and one commit carries
whatever has gathered during the one before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from router.core.errors import StoreUnavailable
from router.shell.buggify import point
from router.shell.reader import Begun, Reader
from router.shell.store.entries import InboxItem

READ_MESSAGES_MAX = 64
READ_BLOCK_MS = 500
AHEAD_ENTRIES_MAX = 192
AHEAD_BYTES_MAX = 64 << 20
ROUNDS_MAX = 4  # under way to the store at the same time
RETRY_SECONDS = 0.2


class InboxStore(Protocol):
    """What reading ahead asks of the store."""

    async def inbox_read(self, after: str, count: int, block_ms: int) -> list[InboxItem]:
        """Entries after an id, in order, waiting for the first at most `block_ms`."""
        ...


class Ahead:
    """Entries on their way to their turn. `news`: there may be something to take."""

    def __init__(self, store: InboxStore, reader: Reader, poisoned: set[str], news: asyncio.Event) -> None:
        """`poisoned`: entries that are not to be understood again."""
        self._store = store
        self._reader = reader
        self._poisoned = poisoned
        self._news = news
        self._entries: deque[Begun] = deque()
        self._green: list[Begun] = []  # those that are not ripe
        self._bytes = 0
        self._room = asyncio.Event()
        self._rounds = asyncio.Semaphore(ROUNDS_MAX)
        self._grown = asyncio.Event()  # something may be ready to ripen

    def __len__(self) -> int:
        return sum(one.ripe for one in self._entries)

    def take(self, most: int) -> list[Begun]:
        """What is ripe, in order, up to the first entry that is not; at most so many.

        All are understood before any is applied: so what hangs on another's turn, since it brings the same message back
        or comes after an erasure, is left for the next time.
        """
        taken: list[Begun] = []
        turns: set[str] = set()  # messages that have theirs now
        while self._entries and self._entries[0].ripe and len(taken) < most:
            if self._entries[0].returns in turns or (taken and taken[-1].erases):
                break
            taken.append(self._entries.popleft())
            self._bytes -= len(taken[-1].entry.raw)
            turns |= {taken[-1].entry.id, taken[-1].returns} - {""}
        if taken:
            self._room.set()
        return taken

    def give_up(self) -> None:
        """Nobody takes any of it any more: whoever leads next reads it again."""
        for one in self._entries:
            if one.future is not None:
                one.future.cancel()

    async def read(self, cursor: str) -> None:
        """Read and begin what stands behind `cursor`, a bounded number ahead, until cancelled."""
        while True:
            while len(self._entries) >= AHEAD_ENTRIES_MAX or self._bytes >= AHEAD_BYTES_MAX:
                self._room.clear()
                await self._room.wait()
            try:
                items = await self._store.inbox_read(cursor, READ_MESSAGES_MAX, READ_BLOCK_MS)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if items:
                await point("leader.read")
                cursor = items[-1].id
                self._begin(items)

    def _begin(self, items: list[InboxItem]) -> None:
        begun = self._reader.begin(items, self._poisoned)
        self._entries += begun
        self._green += begun
        self._bytes += sum(len(one.entry.raw) for one in begun)
        for one in begun:
            if one.future is not None:
                one.future.add_done_callback(lambda _: self._grown.set())
        self._grown.set()

    async def ripen(self) -> None:
        """Bring entries to the point where their turn takes no waiting, many at once, until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            while True:
                await self._something_ready()
                now = asyncio.get_running_loop().time()
                if ready := [one for one in self._green if one.is_ready(now)]:
                    self._green = [one for one in self._green if not one.is_ready(now)]
                    await self._rounds.acquire()
                    rounds.create_task(self._ripen(ready))

    async def _ripen(self, ready: list[Begun]) -> None:
        try:
            await self._reader.ripen(ready)
        finally:
            self._rounds.release()
        for one in ready:
            one.ripe = True
        self._news.set()

    async def _something_ready(self) -> None:
        """Return when a worker has answered, something was read, or the first of them is late."""
        late = min((one.deadline for one in self._green), default=None)
        now = asyncio.get_running_loop().time()
        wait = None if late is None else max(0.0, late - now)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._grown.wait()
        self._grown.clear()
