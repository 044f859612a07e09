"""What whoever leads keeps beside the journal: who was stopped, and wakes after another began, writes nothing."""

from __future__ import annotations

from typing import Protocol


class FencedStore(Protocol):
    """What is asked of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put_leading(self, epoch: int, name: str, value: bytes) -> None:
        """Keep a small document, unless the journal has a newer epoch."""
        ...

    async def doc_delete(self, name: str) -> bool:
        """Forget one."""
        ...

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs."""
        ...

    async def blobs_get(self, names: list[str]) -> dict[str, bytes]:
        """Blobs by name; missing ones are left out."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Forget blobs."""
        ...


class Leading:
    """The store for what is kept by whoever leads in `epoch`; what was read before that must be read again.

    Only `doc_put` is fenced: blobs are named by what they hold, and what is deleted was put out of a document first.
    """

    def __init__(self, store: FencedStore) -> None:
        self._store = store
        self.epoch = 0
        self.doc_get = store.doc_get
        self.doc_delete = store.doc_delete
        self.blobs_put = store.blobs_put
        self.blobs_get = store.blobs_get
        self.blobs_delete = store.blobs_delete

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document. Raises Fenced if another leads by now, and StoreUnavailable."""
        await self._store.doc_put_leading(self.epoch, name, value)
