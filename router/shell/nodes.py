"""Which nodes there are: each says of itself, every other second, that it lives, where, and how far it has read.

Whether another one lives is seen by whether what it says changes, by our own monotonic clock: no two clocks are
compared. A node that stops in good order takes itself off; one that was killed is forgotten after an hour.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from router.core.errors import StoreUnavailable

BEAT_SECONDS = 2.0
SILENT_SECONDS = 7.0  # without a change: it is gone, or cut off
ALONE_LOOKS = 5  # so often nobody else was heard of: nobody else is there, though the store may have been away
FORGOTTEN_SECONDS = 3_600.0


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself. `records`: how many of the journal's it has applied. `beat`: counts up.

    `able`: it goes by the workspace in force.
    """

    url: str = ""
    records: int = 0
    able: bool = True
    beat: int = 0


class Seen(msgspec.Struct):
    """Another node, and since when what it says has been the same."""

    about: About
    since: float


class NodesStore(Protocol):
    """What nodes ask of the store."""

    async def node_put(self, name: str, value: bytes) -> None:
        """Keep what a node says of itself."""
        ...

    async def node_delete(self, names: list[str]) -> None:
        """Forget nodes."""
        ...

    async def nodes_all(self) -> dict[str, bytes]:
        """What each says of itself."""
        ...


_ABOUT = msgspec.json.Decoder(About)


class Nodes:
    """This node among the others. `about`: what to say of it."""

    def __init__(
        self,
        store: NodesStore,
        name: str,
        about: Callable[[], About],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._store = store
        self._about = about
        self._monotonic = monotonic
        self._beat = 0
        self._others: dict[str, Seen] = {}
        self._looks = 0
        self._met = False

    async def look(self) -> None:
        """See who is there. Raises StoreUnavailable."""
        now = self._monotonic()
        said = {name: _ABOUT.decode(raw) for name, raw in (await self._store.nodes_all()).items() if name != self.name}
        before = self._others
        if self._looks:
            self._met |= any(name not in before or before[name].about != about for name, about in said.items())
        self._looks += 1
        self._others = {
            name: before[name] if name in before and before[name].about == about else Seen(about, now)
            for name, about in said.items()
        }
        gone = [name for name, seen in self._others.items() if now - seen.since > FORGOTTEN_SECONDS]
        if gone:
            await self._store.node_delete(gone)

    async def run(self) -> None:
        """Say and look until cancelled."""
        while True:
            with suppress(StoreUnavailable):
                self._beat += 1
                about = msgspec.structs.replace(self._about(), beat=self._beat)
                await self._store.node_put(self.name, msgspec.json.encode(about))
                await self.look()
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Take this node off the list."""
        with suppress(StoreUnavailable):
            await self._store.node_delete([self.name])

    @property
    def listed(self) -> bool:
        """Whether any other node is on the list, living or not."""
        return bool(self._others)

    @property
    def alone(self) -> bool:
        """Whether no other node has been heard of since this one began to look, which is long enough ago to know."""
        return not self._met and self._looks >= ALONE_LOOKS

    def living(self) -> dict[str, About]:
        """The other nodes that live, by name."""
        now = self._monotonic()
        found = ((name, seen) for name, seen in sorted(self._others.items()) if now - seen.since <= SILENT_SECONDS)
        return {name: seen.about for name, seen in found}

    def problems(self) -> list[str]:
        """Nodes that were here and are silent."""
        now = self._monotonic()
        return [
            f"node {name} has not been heard of for {now - seen.since:.0f} s"
            for name, seen in sorted(self._others.items())
            if now - seen.since > SILENT_SECONDS
        ]
