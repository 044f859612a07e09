"""How fast a bot may write: about thirty messages a second in all, one a second in a chat, twenty a minute in a group.

Telegram names these numbers and no more of its rules; who is faster is told to wait (429), and that wait holds for
everything. Chats take turns: what is sent to one chat is sent in order, one at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

CHATS_KEPT_MAX = 10_000


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """One message each `every` seconds; after a silence so many at once."""

    every: float
    burst: int


ALL = Rate(every=1 / 30, burst=30)
CHAT = Rate(every=1.0, burst=3)
GROUP = Rate(every=3.0, burst=10)


class Meter:
    """Counts one rate. `full_at`: when all that was let through will have been paid for (GCRA)."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at = float("-inf")

    def take(self, now: float) -> float:
        """Count one message; seconds to wait before it goes."""
        wait = max(0.0, self._full_at - now - self._rate.every * (self._rate.burst - 1))
        self._full_at = max(self._full_at, now) + self._rate.every
        return wait


class _Chat(msgspec.Struct):
    meter: Meter
    lock: asyncio.Lock
    users: int = 0


class Pace:
    """One bot's. `monotonic`: a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._all = Meter(ALL)
        self._held_until = float("-inf")
        self._chats: OrderedDict[int, _Chat] = OrderedDict()

    def hold(self, seconds: float) -> None:
        """Telegram wants us to wait."""
        self._held_until = max(self._held_until, self._monotonic() + seconds)

    @property
    def held(self) -> float:
        """Seconds for which nothing may be sent."""
        return max(0.0, self._held_until - self._monotonic())

    @asynccontextmanager
    async def turn(self, chat: int) -> AsyncIterator[None]:
        """Come in when it is this chat's turn."""
        entry = self._chat(chat)
        entry.users += 1
        try:
            async with entry.lock:
                await asyncio.sleep(entry.meter.take(self._monotonic()))
                await asyncio.sleep(max(self._all.take(self._monotonic()), self.held))
                yield
        finally:
            entry.users -= 1

    def _chat(self, chat: int) -> _Chat:
        entry = self._chats.get(chat)
        if entry is None:
            entry = self._chats[chat] = _Chat(Meter(GROUP if chat < 0 else CHAT), asyncio.Lock())
        self._chats.move_to_end(chat)
        while len(self._chats) > CHATS_KEPT_MAX and not next(iter(self._chats.values())).users:
            self._chats.popitem(last=False)
        return entry
