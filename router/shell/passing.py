"""What nodes tell each other of this moment, such as who types: passed on by the store, kept nowhere, no harm if lost.

Nothing is said, nor listened for, while no other node lives. What cannot be passed on at once waits in a short line, in
which the oldest gives way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec
import structlog

from router.core.errors import StoreUnavailable
from router.shell.store.passing import NotPassed

log = structlog.get_logger()

LINE_MAX = 16  # notes that wait
NOTE_BYTES_MAX = 64 << 10
LOOK_SECONDS = 1.0  # how often it is seen whether other nodes have come
RETRY_SECONDS = 2.0
REFUSED = (
    "who types at another node is not seen: the store's user may not SPUBLISH and SSUBSCRIBE on the channel of this "
    "workspace, usherd:{NAME}:passing, or the store is older than Redis 7"
)

Heard = Callable[[str, bytes], None]


class PassingStore(Protocol):
    """What is asked of the store."""

    async def pass_on(self, note: bytes) -> None:
        """Pass a note to whoever listens now, this node too. Raises StoreUnavailable."""
        ...

    async def hear(self, heard: Callable[[bytes], None], begun: Callable[[], None]) -> None:
        """Call `begun`, then `heard` with each note until that ends. Raises StoreUnavailable."""
        ...


class Passing:
    """One node's part. `nodes`: the others that live."""

    def __init__(self, store: PassingStore, name: str, nodes: Callable[[], Collection[str]]) -> None:
        self.nodes = nodes
        self._store = store
        self._name = name
        self._waiting: deque[bytes] = deque(maxlen=LINE_MAX)
        self._news = asyncio.Event()
        self._heard: dict[int, Heard] = {}
        self._next = 0
        self._refused = self._deaf = False

    def problems(self) -> list[str]:
        """What an admin should know."""
        return [REFUSED] if self._refused and self.nodes() else []

    def pass_on(self, note: bytes) -> None:
        """Tell the other nodes, soon; never, where that does not work."""
        if self.nodes():
            self._waiting.append(msgspec.msgpack.encode((self._name, note)))
            self._news.set()

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Have `heard` called with the node and its note; call the result to end that."""
        number = self._next
        self._next += 1
        self._heard[number] = heard

        def end() -> None:
            self._heard.pop(number, None)

        return end

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._tell())
            both.create_task(self._hear())

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                try:
                    await self._store.pass_on(self._waiting.popleft())
                except StoreUnavailable as error:
                    self._refused = isinstance(error, NotPassed)

    async def _hear(self) -> None:
        while True:
            if not self.nodes():
                await asyncio.sleep(LOOK_SECONDS)
                continue
            try:
                await self._store.hear(self._got, self._begun)
            except StoreUnavailable as error:
                self._refused = isinstance(error, NotPassed)
                if not self._deaf:
                    log.warning("nodes_not_heard", error=str(error))
                self._deaf = True
            await asyncio.sleep(RETRY_SECONDS)

    def _begun(self) -> None:
        self._refused = self._deaf = False

    def _got(self, raw: bytes) -> None:
        if len(raw) > NOTE_BYTES_MAX:
            return
        try:
            name, note = msgspec.msgpack.decode(raw, type=tuple[str, bytes])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if name == self._name:
            return
        for heard in tuple(self._heard.values()):
            try:
                heard(name, note)
            except Exception as error:  # what one of them makes of it is not the others' trouble
                log.exception("note_failed", error=type(error).__name__)
