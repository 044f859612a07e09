"""Blobs: message texts and raw mails, encrypted before they come here; small ones in the store, large ones beside it.

A stored value begins with one byte that says which: INLINE and the bytes, or FILE and the name of a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from typing import Any, Protocol
from urllib.parse import quote, unquote

from router.core.errors import StoreUnavailable
from router.shell.store import commands
from router.shell.store.commands import Command, Keys
from router.shell.store.files import BlobPlace
from router.shell.store.orphans import Orphans

FILE_PREFIX = "blob-"
INLINE = b"\x00"
FILE = b"\x01"
HEADS_MAX = 500  # asked for in one round trip
NAME_BYTES_MAX = 160  # quoted; it is part of a file's name


class Ask(Protocol):
    """Send commands in one round trip and return their replies."""

    def __call__(self, *asked: Command) -> Awaitable[list[Any]]:
        """Raise StoreUnavailable when one of them is refused."""
        ...


class Blobs:
    """The blobs of one workspace."""

    def __init__(self, ask: Ask, keys: Keys, files: BlobPlace) -> None:
        """`files` holds values over 256 kB."""
        self._ask = ask
        self._keys = keys
        self._files = files
        self._orphans = Orphans()

    async def prepare(self, blobs: dict[str, bytes], spare_bytes: int = 0) -> dict[str, bytes]:
        """Write large values to files, durably; return what the store is to hold for each name.

        `spare_bytes`: values up to this size are put into the store where they cannot be written as files now.
        """
        stored = {}
        for name, value in blobs.items():
            if len(value) <= commands.INLINE_BYTES_MAX:
                stored[name] = INLINE + value
                continue
            try:
                stored[name] = FILE + (await self._files.write(_prefix(name), value)).encode()
            except StoreUnavailable:
                if len(value) > spare_bytes:
                    raise
                stored[name] = INLINE + value
        return stored

    async def put(self, blobs: dict[str, bytes]) -> None:
        """Store blobs durably, replacing those of the same name."""
        stored = await self.prepare(blobs)
        if stored:
            await self._ask(*(commands.blob_put(self._keys, name, value) for name, value in stored.items()))

    async def get(self, names: list[str]) -> dict[str, bytes]:
        """Return those of the blobs that exist."""
        if not names:
            return {}
        (values,) = await self._ask(commands.blobs_get(self._keys, names))
        found = {}
        for name, value in zip(names, values, strict=True):
            if value is None:
                continue
            whole = await self._files.read(value[1:].decode()) if value[:1] == FILE else value[1:]
            if whole is not None:
                found[name] = whole
        return found

    async def delete(self, names: list[str]) -> None:
        """Delete blobs and their files."""
        if not names:
            return
        heads = await self._ask(*(commands.blob_head(self._keys, name) for name in names))
        files = [head[1:].decode() for head in heads if head[:1] == FILE]
        if files:  # first, so that asking again after an error finds what is left
            await self._files.delete(files)
        await self._ask(commands.blobs_delete(self._keys, names))

    async def sweep(self, seconds: float) -> int:
        """Delete files no blob has referred to for `seconds`, as far as this process saw; return how many."""
        useless: list[str] = []
        found = iter(await self._files.names(FILE_PREFIX))
        while batch := list(itertools.islice(found, HEADS_MAX)):
            # blob-<quoted name>-<token>: the blob of that name must point to this very file
            names = [unquote(file.removeprefix(FILE_PREFIX).rpartition("-")[0]) for file in batch]
            heads = await self._ask(*(commands.blob_head(self._keys, name) for name in names))
            useless += [file for file, head in zip(batch, heads, strict=True) if head != FILE + file.encode()]
        ripe = self._orphans.ripe(useless, seconds)
        await self._files.delete(ripe)
        return len(ripe)


def _prefix(name: str) -> str:
    quoted = quote(name, safe="")
    if len(quoted) > NAME_BYTES_MAX:
        raise ValueError("the name of a blob is at most 160 bytes")
    return FILE_PREFIX + quoted
