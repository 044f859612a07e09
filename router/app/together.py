"""What nodes of one workspace must have in common, looked at before any of them takes anything in.

Mails over 256 kB lie in the folder of blobs, whichever node received them: nodes with folders of their own would lose
them for each other. So the folder holds a marker whose value stands in the store too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from router.core.errors import ConfigError

MARKER = "workspace-marker"
DOCUMENT = "blob-folder"


class MarkerStore(Protocol):
    """What the marker asks of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int | None = None) -> bool:
        """Keep one, if there is none of that name."""
        ...


async def require_shared(store: MarkerStore, folder: Path) -> None:
    """Refuse a folder of blobs that is not the other nodes'; the first node marks its own. Raises ConfigError."""
    known = await store.doc_get(DOCUMENT)
    if known is None:
        await store.doc_put_new(DOCUMENT, _marked(folder))
        known = await store.doc_get(DOCUMENT)
    try:
        found = (folder / MARKER).read_bytes()
    except OSError:
        found = b""
    if found != known:
        raise ConfigError(
            f"the folder for large mails, {folder}, is not the one that the other nodes of this workspace use",
            hint="set blobs.folder to a folder that all nodes share, or blobs.url to an S3 bucket; if the files have "
            f"moved here, copy {MARKER} along with them",
            code="blobs-not-shared",
        )


def _marked(folder: Path) -> bytes:
    """The folder's mark, made now if it has none; of two nodes that make it at once, one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, partial = folder / MARKER, folder / f"{MARKER}.{secrets.token_hex(4)}"
    with partial.open("wb") as file:
        file.write(secrets.token_hex(16).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)  # whole or not there, and never over another's
    finally:
        partial.unlink()
    return path.read_bytes()
