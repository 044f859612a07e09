"""Going on after a loss: what is the furthest state that can be had, what is gone, and the fence that says so.

Only an admin does this (`usherd journal accept-loss`), and only while nobody leads.
"""

from __future__ import annotations

import msgspec

from router.core.engine import Engine
from router.core.errors import Fenced, JournalBroken
from router.core.events import LossAccepted
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.archive import Archive, History
from router.shell.journal import Journal, JournalStore, OtherEngine, drive
from router.shell.records import EMPTY, decode, id_before
from router.shell.recovery import check_before, newest, recover, require_standing
from router.shell.shelf import Shelf
from router.shell.snapshots import Damaged, Snapshot
from router.shell.witness import Witness

READ_RECORDS = 2_000


class Damage(msgspec.Struct, frozen=True):
    """What a journal lost: why nobody leads, what would be gone on from, and the loss that is to be accepted."""

    problem: str
    engine: Engine
    journal: Journal
    loss: LossAccepted

    @property
    def lost(self) -> int:
        """How many acknowledged records are in no state any more."""
        return max(0, self.loss.seen - self.loss.after)


async def assess(store: JournalStore, shelf: Shelf, witness: Witness) -> Damage | None:
    """What accepting would cost; None where the journal is whole. Raises OtherEngine, StoreUnavailable."""
    try:
        await recover(store, shelf, witness=witness)
    except OtherEngine:
        raise
    except JournalBroken as broken:
        return await _damage(store, shelf, witness, broken)
    return None


async def _damage(store: JournalStore, shelf: Shelf, witness: Witness, broken: JournalBroken) -> Damage:
    history = History(store, Archive(shelf))
    snapshot = await newest(shelf)
    engine, journal = await _read_on(history, snapshot if await _stands(history, snapshot) else None)
    missing: list[tuple[int, int]] = []
    if snapshot is not None and snapshot.header.position.n > journal.n:
        at = snapshot.header.position
        missing = [(journal.n + 1, at.n)]
        engine, journal = Engine(snapshot.state), Journal(history, at)
    elif snapshot is not None:
        try:
            await check_before(store, journal.position, records_max=journal.n)
        except JournalBroken as error:
            missing = [(error.first_bad or 0, error.first_bad or 0)]
    seen = max(journal.n, (await witness.furthest()).n, await _last_number(store))
    loss = LossAccepted(after=journal.n, seen=seen, missing=tuple(missing))
    return Damage(str(broken), engine, journal, loss)


async def _stands(history: History, snapshot: Snapshot | None) -> bool:
    if snapshot is None:
        return False
    try:
        await require_standing(history, snapshot.header)
    except JournalBroken:
        return False
    return True


async def _read_on(history: History, base: Snapshot | None, upto: int | None = None) -> tuple[Engine, Journal]:
    """The state after the last sound record: read as far as it goes, and no further than a changed record allows."""
    state = None if base is None else msgspec.json.decode(msgspec.json.encode(base.state), type=type(base.state))
    engine = Engine() if state is None else Engine(state)
    journal = Journal(history) if base is None else Journal(history, base.header.position)
    try:
        async for record in journal.read():
            drive(engine, record)
            if record.n == upto:
                break
    except OtherEngine:
        raise
    except JournalBroken as error:
        good = (error.first_bad or journal.n + 1) - 1
        if good < engine.state.n:  # a changed record could be applied: it is found out by the one after it
            return await _read_on(history, base, good)
    return engine, journal


async def _last_number(store: JournalStore) -> int:
    """Number of the last record that can be read in the store, wherever the chain is broken."""
    last = await store.journal_last()
    if last == EMPTY:
        return 0
    rows = await store.journal_read(id_before(last), 1)
    try:
        return decode(rows[0][1]).n if rows else 0
    except JournalBroken:
        return 0


async def accept(
    store: JournalStore, shelf: Shelf, witness: Witness, damage: Damage, *, node: str, wall: int
) -> Journal:
    """Write the fence that goes on after a loss, and a snapshot behind it. Raises Fenced if somebody leads."""
    engine, journal, last = damage.engine, damage.journal, await store.journal_last()
    newest_epoch = max(_epoch(name) for name in (last, journal.last_id, (await witness.furthest()).id))
    at = engine.state.at or wall  # where all is lost
    journal.last_id = last  # what the store expects; the record itself names the one it goes on from by its hash
    try:
        await journal.fence(engine, node=node, at=at, wall=wall, loss=damage.loss, epoch=newest_epoch + 1)
    except Fenced as error:
        raise Fenced(f"somebody wrote meanwhile: {error}") from None
    header = snapshots.header_of(engine.state, journal.position, engine=ENGINE, node=node, wall=wall, checked=True)
    await _set_aside(History(store, Archive(shelf)), shelf)
    await snapshots.put(shelf, header, engine.state)
    await witness.note(journal.position, leading=True)
    return journal


async def _set_aside(history: History, shelf: Shelf) -> None:
    """Snapshots that cannot be read, or whose record the journal does not have, are no use any more."""
    for label in await snapshots.listed(shelf):
        try:
            await require_standing(history, (await snapshots.load(shelf, label.name)).header)
        except (Damaged, JournalBroken):
            await snapshots.set_aside(shelf, label.name)


def _epoch(identifier: str) -> int:
    return int(identifier.partition("-")[0])
