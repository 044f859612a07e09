"""Blobs: message texts and raw mails, encrypted before they come here; small ones in the store, large ones as files.

A stored value begins with one byte that says which: INLINE and the bytes, or FILE and the name of a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol
from urllib.parse import quote, unquote

from router.core.errors import StoreUnavailable
from router.shell.store import commands
from router.shell.store.commands import Command, Keys
from router.shell.store.files import BlobFolder

FILE_PREFIX = "blob-"
INLINE = b"\x00"
FILE = b"\x01"
NAME_BYTES_MAX = 160  # quoted; it is part of a file's name


class Ask(Protocol):
    """Send commands in one round trip and return their replies."""

    def __call__(self, *asked: Command) -> Awaitable[list[Any]]:
        """Raise StoreUnavailable when one of them is refused."""
        ...


class Blobs:
    """The blobs of one workspace."""

    def __init__(self, ask: Ask, keys: Keys, folder: BlobFolder) -> None:
        """`folder` holds values over 256 kB."""
        self._ask = ask
        self._keys = keys
        self._folder = folder

    async def prepare(self, blobs: dict[str, bytes]) -> dict[str, bytes]:
        """Write large values to files, durably; return what the store is to hold for each name."""
        stored = {}
        for name, value in blobs.items():
            if len(value) <= commands.INLINE_BYTES_MAX:
                stored[name] = INLINE + value
                continue
            try:
                file = await asyncio.to_thread(self._folder.write, _prefix(name), value)
            except OSError as error:
                raise StoreUnavailable(f"a large blob could not be written ({error.strerror})") from None
            stored[name] = FILE + file.encode()
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
            if value[:1] == FILE:
                try:
                    found[name] = await asyncio.to_thread(self._folder.read, value[1:].decode())
                except FileNotFoundError:
                    continue
            else:
                found[name] = value[1:]
        return found

    async def delete(self, names: list[str]) -> None:
        """Delete blobs and their files."""
        if not names:
            return
        *heads, _ = await self._ask(
            *(commands.blob_head(self._keys, name) for name in names), commands.blobs_delete(self._keys, names)
        )
        files = [head[1:].decode() for head in heads if head[:1] == FILE]
        if files:
            await asyncio.to_thread(self._folder.delete, files)

    async def sweep(self, older_seconds: float) -> int:
        """Delete files no blob refers to; return how many."""
        found = await asyncio.to_thread(self._folder.older_than, older_seconds, FILE_PREFIX)
        useless = []
        for file in found:
            # blob-<quoted name>-<token>: the blob of that name must point to this very file
            quoted = file.removeprefix(FILE_PREFIX).rpartition("-")[0]
            (head,) = await self._ask(commands.blob_head(self._keys, unquote(quoted)))
            if head != FILE + file.encode():
                useless.append(file)
        await asyncio.to_thread(self._folder.delete, useless)
        return len(useless)


def _prefix(name: str) -> str:
    quoted = quote(name, safe="")
    if len(quoted) > NAME_BYTES_MAX:
        raise ValueError("the name of a blob is at most 160 bytes")
    return FILE_PREFIX + quoted
