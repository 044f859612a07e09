"""The store, asked until it answers: for what must be read or kept however long that takes.

Blobs that are not written with a journal record are written here, and only by the node that leads in its epoch: one
that was stopped and goes on refuses itself. What was erased meanwhile is not written again, and goes if it just was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from router.core.errors import Fenced, TransientError
from router.shell.store.entries import InboxItem
from router.shell.vault import Plain, Vault, raw_blob

log = structlog.get_logger()

RETRY_SECONDS = 0.5

_T = TypeVar("_T")


class InsistentStore(Protocol):
    """What is asked of the store."""

    async def inbox_get(self, ids: list[str]) -> list[InboxItem]:
        """Entries by id; those that are gone are left out."""
        ...

    async def inbox_heads(self, ids: list[str]) -> list[InboxItem]:
        """The same without bytes that are too large to lie in the store."""
        ...

    async def blobs_put_leading(self, epoch: int, blobs: dict[str, bytes]) -> None:
        """Keep blobs, replacing those of the same name; durable when it returns. Raises Fenced."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Forget blobs."""
        ...


class Insistent:
    """Every method waits for a store that is away."""

    def __init__(self, store: InsistentStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def get(self, ids: list[str]) -> list[InboxItem]:
        """Entries by id; those that are gone are left out."""
        return await insisted(lambda: self._store.inbox_get(ids))

    async def heads(self, ids: list[str]) -> list[InboxItem]:
        """The same without bytes that are too large to lie in the store."""
        return await insisted(lambda: self._store.inbox_heads(ids))

    async def raw(self, message: str) -> bytes | None:
        """A message as it was received; None if it was erased. Raises PermanentError if it was tampered with."""
        blob = raw_blob(message)
        return (await insisted(lambda: self._vault.open([blob]))).get(blob)

    async def put_raw(self, message: str, raw: Plain, epoch: int) -> bool:
        """Keep the bytes of a message; False if they are nobody's to keep: erased, or another node leads by now."""
        if self._vault.is_gone(message):
            return False
        try:
            await insisted(lambda: self._put(raw, epoch))
        except Fenced as error:
            log.warning("large_message_not_ours", message=message, error=str(error))
            return False
        if self._vault.is_gone(message):
            await insisted(lambda: self._store.blobs_delete([raw.blob]))
            return False
        return True

    async def _put(self, raw: Plain, epoch: int) -> None:
        await self._vault.prepare({raw.identity})
        await self._store.blobs_put_leading(
            epoch, dict([await self._vault.lock_blob(raw.blob, raw.identity, raw.plain)])
        )


async def insisted(asked: Callable[[], Awaitable[_T]]) -> _T:
    """Ask until there is an answer; what is asked may be repeated."""
    while True:
        try:
            return await asked()
        except TransientError:
            await asyncio.sleep(RETRY_SECONDS)
