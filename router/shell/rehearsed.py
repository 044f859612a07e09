"""Which versions of the workspace were rehearsed: a small document of the store for each, good for a week."""

from __future__ import annotations

from typing import Protocol

REHEARSED_MS = 7 * 86_400_000


class Documents(Protocol):
    """What is asked of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int | None = None) -> bool:
        """Store a small document for `ttl_ms`, if there is none of that name."""
        ...

    async def doc_delete(self, name: str) -> bool:
        """Delete a small document."""
        ...


async def note_rehearsed(store: Documents, version: str, wall_ms: int) -> None:
    """This version was looked at just now; an earlier look no longer counts."""
    name = _document(version)
    await store.doc_delete(name)
    await store.doc_put_new(name, str(wall_ms).encode(), REHEARSED_MS)


async def was_rehearsed(store: Documents, version: str) -> bool:
    """Whether `usherd whatif` looked at this very version within the last seven days."""
    return await store.doc_get(_document(version)) is not None


def _document(version: str) -> str:
    return f"rehearsed:{version}"
