"""The store that a daemon works with: its own, or the one at `store.url`, and where its large values lie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from router.app.shelves import blobs_of
from router.app.together import require_shared
from router.app.verify import open_at_url
from router.shell.disk import DiskGuard
from router.shell.store.client import Store
from router.shell.store.embedded import EmbeddedStore
from router.shell.store.files import BlobFolder
from router.shell.store.locks import DataLocks
from skills.model import WorkspaceConfig


async def open_store(
    config: WorkspaceConfig,
    data: Path,
    disk: DiskGuard,
    leaving: AsyncExitStack,
    troubles: list[Callable[[], list[str]]],
) -> Store:
    """Open it, and have it closed by `leaving`; what is wrong with it later joins `troubles`. Raises ConfigError."""
    blobs = await blobs_of(config, data)
    troubles.append(blobs.problems)
    if config.store.url is None:
        embedded = EmbeddedStore(data, guard=disk)
        await embedded.start()
        leaving.push_async_callback(embedded.stop)
        troubles.append(embedded.problems)
        store = await embedded.open(config.workspace, blobs=blobs)
    else:
        locks = DataLocks(data)
        locks.take_node()
        leaving.callback(locks.release)
        store = await open_at_url(config, blobs)
        troubles.append(store.problems)
    leaving.push_async_callback(store.close)
    await store.check_durability(relaxed=config.store.durability == "relaxed")
    if config.store.url is not None and isinstance(blobs, BlobFolder):
        await require_shared(store, blobs.folder)
    return store
