"""Waiting rooms: a webhook brings the items of an album one by one, at the same time; here they wait for each other.

Each is answered when the album is on disk, so Telegram brings all of them again if that fails. An album is whole when
it has not grown for a moment, has as many items as there can be, or the very next update of its chat is something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from channels.telegram.albums import ITEMS_MAX
from channels.telegram.entries import Item, Unit
from router.core.errors import RouterError

REMEMBERED_MAX = 1_000  # numbers of items stored lately: an answer that was lost makes Telegram bring one again
Key = tuple[int, str]  # chat and album


class _Room:
    """One album. `task` stores it in the end."""

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}
        self.news = asyncio.Event()
        self.whole = False
        self.task: asyncio.Task[None] | None = None


class Rooms:
    """All albums that are coming in. `seconds`: how long one waits for another item; `store` raises RouterError."""

    def __init__(self, seconds: float, store: Callable[[Unit], Awaitable[None]]) -> None:
        self._seconds = seconds
        self._store = store
        self._rooms: dict[Key, _Room] = {}
        self._stored: dict[int, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def enter(self, item: Item) -> None:
        """Wait with an item of an album until all of it is stored. Raises RouterError."""
        key = item.album
        if key is None or item.number in self._stored:
            return
        room = self._rooms.get(key)
        if room is None or room.task is None:
            room = self._rooms[key] = _Room()
            room.task = asyncio.create_task(self._serve(key, room))
            self._tasks.add(room.task)
            room.task.add_done_callback(self._left)
        room.items[item.number] = item
        room.whole = len(room.items) >= ITEMS_MAX
        room.news.set()
        await asyncio.shield(room.task)  # whoever hangs up does not keep the others from being stored

    async def before(self, item: Item) -> None:
        """Wait until albums of the same chat that came before are stored: what was written after them stands below."""
        chat = item.posted.chat.id if item.posted is not None else None
        for (room_chat, _), room in tuple(self._rooms.items()):
            if room_chat == chat and room.task is not None and min(room.items) < item.number:
                if max(room.items) == item.number - 1:
                    room.whole = True
                    room.news.set()
                with suppress(RouterError):  # theirs to answer for
                    await asyncio.shield(room.task)

    async def _serve(self, key: Key, room: _Room) -> None:
        try:
            known = -1
            while not room.whole and known != len(room.items):
                known = len(room.items)
                room.news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        await room.news.wait()
        finally:
            del self._rooms[key]  # what comes now is another message
        unit = tuple(room.items[number] for number in sorted(room.items))
        await self._store(unit)
        for one in unit:
            self._stored[one.number] = None
        while len(self._stored) > REMEMBERED_MAX:
            del self._stored[next(iter(self._stored))]

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, though everybody may have hung up
