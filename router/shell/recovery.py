"""Recovery: the engine as the journal says it is, from the newest sound snapshot and the records after it."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.shell.journal import Journal, JournalStore
from router.shell.records import decode, digest, id_before
from router.shell.shelf import Shelf
from router.shell.snapshots import Damaged, Header, Snapshot, listed, load

log = structlog.get_logger()


async def recover(
    store: JournalStore,
    shelf: Shelf | None = None,
    *,
    wanted: Callable[[Header], bool] | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[Engine, Journal]:
    """The engine and its place in the journal, after the last record that the store holds.

    `shelf`: where snapshots lie; None: there are none. `wanted`: which of them may be used. The chain is checked and
    every decision compared, from the snapshot on. Raises JournalBroken, StoreUnavailable.
    """
    base = await _base(store, shelf, wanted) if shelf is not None else None
    engine = Engine() if base is None else Engine(base.state)
    journal = Journal(store) if base is None else Journal(store, base.header.position)
    await journal.replay(engine, progress=progress)
    return engine, journal


async def _base(store: JournalStore, shelf: Shelf, wanted: Callable[[Header], bool] | None) -> Snapshot | None:
    """The newest snapshot that can be read and stands in the journal."""
    for label in await listed(shelf):
        try:
            snapshot = await load(shelf, label.name)
        except Damaged as error:
            log.warning("snapshot_skipped", snapshot=label.name, reason=str(error))
            continue
        if wanted is None or wanted(snapshot.header):
            await _require_standing(store, snapshot.header)
            return snapshot
    return None


async def _require_standing(store: JournalStore, header: Header) -> None:
    """The store's journal holds the snapshot's record, or goes on right after it. Raises JournalBroken."""
    at = header.position
    rows = await store.journal_read(id_before(at.id), 1)
    if not rows:
        raise JournalBroken(f"there is a snapshot of record {at.n}, but the store's journal ends before it", at.n)
    identifier, raw = rows[0]
    if identifier == at.id:
        if digest(raw) != at.hash:
            raise JournalBroken(f"record {at.n} is not the one that the snapshot of it was made of", at.n)
        return
    following = decode(raw, at.n + 1)
    if (following.n, following.prev) != (at.n + 1, at.hash):
        raise JournalBroken(
            f"record {at.n + 1} is missing: after the snapshot of record {at.n} the journal goes on with {following.n}",
            at.n + 1,
        )
