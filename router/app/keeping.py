"""How long messages are kept, and the files of none: put together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from router.core.errors import TransientError
from router.shell.archive import Archive, History
from router.shell.keeping import Keeper

if TYPE_CHECKING:
    from router.app.daemon import Daemon
    from router.shell.enclosures import Enclosures
    from router.shell.store.client import Store


SWEEP_SECONDS = 3_600.0


def keeper(daemon: Daemon) -> Keeper:
    """The node's."""
    return Keeper(
        daemon.store,
        daemon.vault,
        daemon.leader,
        past=lambda: History(daemon.store, Archive(daemon.upkeep.shelf)),
        keep=lambda: daemon.config.keep_messages,
        now=daemon.clock.now,
    )


async def sweep(store: Store, enclosures: Enclosures) -> None:
    """Delete blob files that no entry and no record refers to any more, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        with suppress(TransientError):
            await store.sweep_files()
            await enclosures.sweep()
