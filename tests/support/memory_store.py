"""The store's commands that the shell uses, in memory: for tests of what stands above them."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

from router.core.errors import Fenced, StoreUnavailable
from router.shell.store.commands import BEGUN


class MemoryStore:
    """A journal, blobs, keys, an outbox. `fail_before`, `fail_after`: appends that fail without, or with, effect."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, bytes]] = []
        self.blobs: dict[str, bytes] = {}
        self.keys: dict[str, bytes] = {}
        self.outbox: dict[str, bytes] = {}
        self.fail_before = 0
        self.fail_after = 0

    async def journal_append(
        self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]
    ) -> None:
        """As the store's script: all, or Fenced."""
        if self.fail_before:
            self.fail_before -= 1
            raise StoreUnavailable("no answer")
        last = self.rows[-1][0] if self.rows else "0-0"
        if last == records[-1][0] and self.rows[-len(records) :] == records:
            return
        if last != expected_last:
            raise Fenced(last)
        self.rows += records
        self.blobs |= blobs
        if self.fail_after:
            self.fail_after -= 1
            raise StoreUnavailable("the answer was lost")

    async def journal_read(self, after: str, count: int, block_ms: int = 0) -> list[tuple[str, bytes]]:
        """Records after an id; blocks shortly."""
        start = bisect_right(self.rows, _order(after), key=lambda row: _order(row[0]))
        if block_ms and start == len(self.rows):
            await asyncio.sleep(0.002)
            start = bisect_right(self.rows, _order(after), key=lambda row: _order(row[0]))
        return self.rows[start : start + count]

    async def journal_get(self, identifier: str) -> bytes | None:
        """One record."""
        return dict(self.rows).get(identifier)

    async def journal_last(self) -> str:
        """The id of the newest record."""
        return self.rows[-1][0] if self.rows else "0-0"

    async def journal_vanished(self) -> bool:
        """Whether it has begun and is empty."""
        return BEGUN in self.blobs and not self.rows

    async def blobs_delete(self, names: list[str]) -> None:
        """Forget blobs."""
        for name in names:
            self.blobs.pop(name, None)

    async def keys_get_or_create(self, names: list[str]) -> dict[str, bytes]:
        """Keys, made where missing."""
        for name in names:
            self.keys.setdefault(name, len(self.keys).to_bytes(32, "big"))
        return {name: self.keys[name] for name in names}

    async def keys_get(self, names: list[str]) -> dict[str, bytes]:
        """Keys that there are."""
        return {name: self.keys[name] for name in names if name in self.keys}

    async def keys_delete(self, names: list[str]) -> None:
        """Forget keys."""
        for name in names:
            self.keys.pop(name, None)

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs."""
        self.blobs |= blobs

    async def blobs_put_leading(self, epoch: int, blobs: dict[str, bytes]) -> None:
        """Keep blobs, unless the epoch is over."""
        self._require(epoch)
        self.blobs |= blobs

    def _require(self, epoch: int) -> None:
        last = int(self.rows[-1][0].partition("-")[0]) if self.rows else epoch
        if last > epoch:
            raise Fenced(str(last))

    async def blobs_get(self, ids: list[str]) -> dict[str, bytes]:
        """Blobs that there are."""
        return {name: self.blobs[name] for name in ids if name in self.blobs}

    async def outbox_put(self, epoch: int, identifier: str, value: bytes) -> None:
        """Keep a delivery, unless the epoch is over."""
        self._require(epoch)
        self.outbox[identifier] = value

    async def outbox_all(self) -> dict[str, bytes]:
        """All deliveries."""
        return dict(self.outbox)

    async def outbox_delete(self, epoch: int, identifiers: list[str]) -> None:
        """Forget some."""
        for name in identifiers:
            self.outbox.pop(name, None)


def _order(identifier: str) -> tuple[int, int]:
    first, _, second = identifier.partition("-")
    return int(first), int(second)
