"""Reading a journal from outside the daemon: the store of a data directory, whether or not a daemon runs on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from router.app.shelves import blobs_of
from router.core.errors import ConfigError, StoreUnavailable
from router.shell.disk import DiskGuard
from router.shell.store import server
from router.shell.store.client import Store
from router.shell.store.embedded import EmbeddedStore
from router.shell.store.files import BlobPlace
from router.shell.store.locks import DataLocks
from skills.model import WorkspaceConfig


@asynccontextmanager
async def opened(config: WorkspaceConfig, data: Path) -> AsyncIterator[Store]:
    """The workspace's store: at its URL, or in the data directory, started for the while if nobody runs it."""
    blobs = await blobs_of(config, data)
    if config.store.url is not None:
        store = await open_at_url(config, blobs)
        try:
            yield store
        finally:
            await store.close()
        return
    state = _state_of(data)
    if state is None:
        raise ConfigError(f"there is no store in {data}", hint="name the daemon's data directory with --data")
    if daemon_lives(data):
        address = server.SocketAddress(data)
        store = await Store.open(
            address.path, config.workspace, blobs=blobs, user=server.DAEMON_USER, password=state.password
        )
        try:
            yield store
        finally:
            await store.close()
            address.close()
        return
    embedded = EmbeddedStore(data, guard=DiskGuard(data))
    await embedded.start()
    try:
        store = await embedded.open(config.workspace, blobs=blobs)
        try:
            yield store
        finally:
            await store.close()
    finally:
        await embedded.stop()


async def open_at_url(config: WorkspaceConfig, blobs: BlobPlace) -> Store:
    """The store at `store.url`. Raises ConfigError, without the password, where nobody answers."""
    if config.store.url is None:
        raise ConfigError("there is no store.url")
    url = config.store.url.reveal()
    try:
        return await Store.open(url, config.workspace, blobs=blobs, replicas=config.store.replicas)
    except StoreUnavailable as error:
        raise ConfigError(
            f"the store at {urlsplit(url).netloc.rpartition('@')[2]} cannot be used: {error}",
            hint="start it, or correct store.url; without store.url usherd runs a store of its own",
        ) from None


def _state_of(data: Path) -> server.State | None:
    return server.read_state(data) if data.is_dir() else None


def daemon_lives(data: Path) -> bool:
    """Whether a daemon runs on a data directory."""
    locks = DataLocks(data)
    try:
        locks.take_daemon()
    except ConfigError:
        return True
    locks.release()
    return False
