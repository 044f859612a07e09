"""Room for mails that are being fetched: a hundred mailboxes that catch up at once take no more than a dozen.

All mailboxes of a process share it. Groups of small mails share a number of bytes, first come first served; large mails
have two places of their own, so that one which comes in drips holds up nobody's small mail.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MEGABYTE = 1 << 20
BYTES_MAX = 48 * MEGABYTE
LARGE_BYTES = 4 * MEGABYTE  # more than that is fetched alone: `ImapSettings.batch_bytes_max`
LARGE_AT_ONCE = 2


class Room:
    """The room of one process."""

    def __init__(self, bytes_max: int = BYTES_MAX, large_at_once: int = LARGE_AT_ONCE) -> None:
        self._free = bytes_max
        self._bytes_max = bytes_max
        self._large = asyncio.Semaphore(large_at_once)
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Have room for so many bytes while the block lasts; waits until there is."""
        if size > LARGE_BYTES:
            async with self._large:
                yield
            return
        size = min(size, self._bytes_max)
        await self._take(size)
        try:
            yield
        finally:
            self._give(size)

    async def _take(self, size: int) -> None:
        if not self._waiting and size <= self._free:
            self._free -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was ours already
                self._give(size)
            else:
                self._waiting.remove((size, turn))
                self._give(0)  # who waited behind may fit
            raise

    def _give(self, size: int) -> None:
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)
