"""Keys that need attention: the urgent first, those that must wait for Slack's limits later, each once at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from channels.slack.api import Refusal, Wait
from router.core.errors import Fenced, TransientError

log = structlog.get_logger()

K = TypeVar("K")
IDLE_SECONDS = 1.0
STORE_SECONDS = 1.0
FAILED_SECONDS = 15.0  # doubled each time, up to
FAILED_SECONDS_MAX = 600.0
URGENT, USUAL = 0, 1


class Work(Generic[K]):
    """Calls `do(key)` for every key that was marked, until it returns; a few at a time. Raises Fenced."""

    def __init__(self, name: str, do: Callable[[K], Awaitable[None]], hands: int) -> None:
        self._name = name
        self._do = do
        self._hands = hands
        self._ready: list[tuple[int, int, K]] = []
        self._later: list[tuple[float, int, int, K]] = []
        self._marked: dict[K, int] = {}  # key -> how urgent
        self._active: set[K] = set()
        self._failed: dict[K, int] = {}
        self._count = itertools.count()
        self._news = asyncio.Event()
        self._finished = asyncio.Event()

    def __len__(self) -> int:
        return len(self._marked) + len(self._active)

    @property
    def waits(self) -> int:
        """How many are to be attended to later, for Slack's limits or another try."""
        return len(self._later)

    def mark(self, key: K, urgency: int = USUAL) -> None:
        """Have a key attended to; a more urgent mark counts."""
        known = self._marked.get(key)
        if known is not None and known <= urgency:
            return
        self._marked[key] = urgency
        heapq.heappush(self._ready, (urgency, next(self._count), key))
        self._news.set()

    async def done(self, seconds: float) -> None:
        """Return when nothing is left that need not wait, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self):
                    self._finished.clear()
                    await self._finished.wait()

    async def run(self) -> None:
        """Work until cancelled, or until another node leads (Fenced)."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._hands):
                group.create_task(self._hand())

    async def _hand(self) -> None:
        while True:
            key = self._next()
            if key is None:
                await self._idle()
                continue
            urgency = self._marked.pop(key)
            self._active.add(key)
            try:
                await self._attempt(key, urgency)
            finally:
                self._active.discard(key)
                self._news.set()
                self._finished.set()

    async def _attempt(self, key: K, urgency: int) -> None:
        try:
            await self._do(key)
        except Wait as wait:
            self._again(key, urgency, wait.seconds)
        except Fenced:
            raise
        except TransientError as error:
            log.warning("slack_waits_for_store", work=self._name, error=str(error))
            self._again(key, urgency, STORE_SECONDS)
        except Refusal as refusal:
            log.error("slack_refuses", work=self._name, code=refusal.code)  # noqa: TRY400  # no traceback
            self._much_later(key)
        except Exception as error:  # a mistake of ours with one contact is no other's
            log.exception("slack_work_failed", work=self._name, error=type(error).__name__)
            self._much_later(key)
        else:
            self._failed.pop(key, None)

    def _much_later(self, key: K) -> None:
        times = self._failed[key] = self._failed.get(key, 0) + 1
        self._again(key, USUAL, min(FAILED_SECONDS_MAX, FAILED_SECONDS * 2**times))

    def _again(self, key: K, urgency: int, seconds: float) -> None:
        due = asyncio.get_running_loop().time() + seconds
        heapq.heappush(self._later, (due, urgency, next(self._count), key))

    def _next(self) -> K | None:
        now = asyncio.get_running_loop().time()
        while self._later and self._later[0][0] <= now:
            _, urgency, _, key = heapq.heappop(self._later)
            self.mark(key, urgency)
        held: list[tuple[int, int, K]] = []
        found: K | None = None
        while self._ready and found is None:
            entry = heapq.heappop(self._ready)
            urgency, _, key = entry
            if self._marked.get(key) != urgency:
                continue  # marked as more urgent since, or done
            if key in self._active:
                held.append(entry)
            else:
                found = key
        for entry in held:
            heapq.heappush(self._ready, entry)
        return found

    async def _idle(self) -> None:
        self._news.clear()
        now = asyncio.get_running_loop().time()
        seconds = min(IDLE_SECONDS, self._later[0][0] - now) if self._later else IDLE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.01, seconds)):
                await self._news.wait()
