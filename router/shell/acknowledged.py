"""The last inbox entry that this node acknowledged, kept outside the store: a store that ends before it lost some.

While the node lives, what a promoted replica lacks is written again from memory (store/recent.py). This is for a node
that was restarted in between, and remembers nothing: then at least it is said.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from router.shell.store.server import write_private

log = structlog.get_logger()

NAME = "acknowledged"
WRITE_SECONDS = 1.0


class AcknowledgingStore(Protocol):
    """What is asked of the store."""

    acknowledged: str

    async def inbox_last(self) -> str | None:
        """The id of the newest entry there ever was; None if the store does not tell."""
        ...


class Acknowledged:
    """One node's note."""

    def __init__(self, data: Path, store: AcknowledgingStore) -> None:
        self._path = data / NAME
        self._store = store
        self._written = ""
        self._problem = ""

    async def check(self) -> None:
        """At the start: compare what an earlier run noted with what the store has. Raises StoreUnavailable."""
        with suppress(OSError, ValueError):
            self._written = self._path.read_text().strip()
            noted = _order(self._written)
            last = await self._store.inbox_last()
            if last is not None and _order(last) < noted:
                self._problem = (
                    f"messages up to {self._written} were acknowledged, and the store's inbox never got further than"
                    f" {last}: those between are lost, ask the mail server that sent them"
                )
                log.error("acknowledged_messages_lost", acknowledged=self._written, last=last)

    def problems(self) -> list[str]:
        """What was found at the start."""
        return [self._problem] if self._problem else []

    async def run(self) -> None:
        """Note it once a second, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.note()

    async def note(self) -> None:
        """Keep what was acknowledged since, fsynced."""
        newest = self._store.acknowledged
        if newest in {"", self._written}:
            return
        try:
            await asyncio.to_thread(write_private, self._path, f"{newest}\n".encode())
        except OSError as error:
            log.warning("acknowledged_not_written", error=error.strerror)
        else:
            self._written = newest


def _order(identifier: str) -> tuple[int, int]:
    """Raises ValueError for what is no id."""
    milliseconds, _, sequence = identifier.partition("-")
    return int(milliseconds), int(sequence)
