"""The rule for how long messages are kept, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.shell.archive import Archive, History
from router.shell.keeping import Keeper

if TYPE_CHECKING:
    from router.app.daemon import Daemon


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
