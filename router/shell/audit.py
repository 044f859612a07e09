"""The journal looked at whole, from its first record on: archive, store, snapshots, and what was seen to stand.

What an older engine decided is read and not replayed; from the snapshot on that it left, decisions are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.archive import Archive, History
from router.shell.journal import Journal, JournalStore, detours, drive
from router.shell.records import Record
from router.shell.recovery import at_end, check_before, newest
from router.shell.shelf import Shelf
from router.shell.snapshots import Damaged, Label
from router.shell.witness import Witness

Progress = Callable[[int], object]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What `usherd journal verify` says.

    `records`: so many could be read; `archived`: so many of them from the archive. `first_bad`: number of the first
    record that is missing or not what was written. `state_hash`: of the state they give; "" if they give none.
    `compared_from`: the first record since which every decision was taken again and compared; None if none was.
    `snapshots`: so many were read and are the state at their record. `losses`: what was accepted to be gone.
    """

    records: int
    ok: bool
    first_bad: int | None
    state_hash: str
    problem: str = ""
    archived: int = 0
    snapshots: int = 0
    compared_from: int | None = None
    losses: tuple[str, ...] = ()


class _Audit:
    """One look at a journal."""

    def __init__(self, journal: Journal, shelf: Shelf | None, labels: list[Label]) -> None:
        self.journal = journal
        self.engine: Engine | None = Engine()
        self.compared_from: int | None = 1
        self.snapshots = 0
        self.bad: list[JournalBroken] = []  # that reading on does not mind
        self._shelf = shelf
        self._labels: dict[int, list[Label]] = {}
        for label in labels:
            self._labels.setdefault(label.n, []).append(label)

    async def run(self, progress: Progress | None) -> None:
        """Every record to the end. Raises JournalBroken."""
        expected = self.journal.n + 1
        async for record in self.journal.read(leap=True):
            if record.n != expected:
                await self._over_a_gap(expected, record)
            expected = record.n + 1
            self._replay(record)
            for label in self._labels.pop(record.n, []):
                await self._compare(label)
            if progress is not None:
                progress(record.n)

    async def _over_a_gap(self, expected: int, after: Record) -> None:
        """What an admin said to go on over: the state on its far side is that of a snapshot right before, if any."""
        self.engine, self.compared_from = None, None
        for n in sorted(self._labels):
            for label in self._labels.pop(n) if expected <= n < after.n else []:
                with suppress(Damaged):
                    found = await snapshots.load(self._shelf_of(label), label.name)
                    if (label.n, found.header.position.hash) == (after.n - 1, after.prev):
                        self.engine, self.compared_from = Engine(found.state), after.n
                        self.snapshots += 1

    def _shelf_of(self, label: Label) -> Shelf:
        if self._shelf is None:
            raise Damaged(f"{label.name} lies nowhere")
        return self._shelf

    def _replay(self, record: Record) -> None:
        if record.engine > ENGINE:
            drive(Engine(), record)  # says which usherd can read it
        if record.engine < ENGINE:
            self.engine, self.compared_from = None, None
        elif self.engine is not None:
            drive(self.engine, record)

    async def _compare(self, label: Label) -> None:
        """A snapshot with the state that the records give."""
        try:
            found = await snapshots.load(self._shelf_of(label), label.name)
        except Damaged as error:
            self.bad.append(JournalBroken(f"snapshot {label.name} of record {label.n}: {error}", label.n))
            return
        if found.header.position.hash != self.journal.last_hash:
            self.bad.append(JournalBroken(f"snapshot {label.name} is of another record {label.n}", label.n))
        elif self.engine is None:
            self.engine, self.compared_from = Engine(found.state), label.n + 1
            self.snapshots += 1
        elif found.header.state_hash != self.engine.state_hash():
            self.bad.append(JournalBroken(f"snapshot {label.name} is not the state at record {label.n}", label.n))
        else:
            self.snapshots += 1

    def look_ahead(self) -> None:
        """Snapshots of records that the journal, read to its end, does not have."""
        for n in sorted(self._labels):
            self.bad.append(JournalBroken(f"there is a snapshot of record {n}, and the journal does not have it", n))


async def verify(
    store: JournalStore,
    shelf: Shelf | None = None,
    *,
    witness: Witness | None = None,
    progress: Progress | None = None,
) -> tuple[Verified, Engine]:
    """Read the whole journal, check the chain, replay it; gives the verdict and the engine as far as it got."""
    archive = None if shelf is None else Archive(shelf)
    journal = Journal(store if archive is None else History(store, archive))
    if shelf is not None and (known := await newest(shelf)) is not None:
        journal.detours = detours(known.header.position.losses)
    audit = _Audit(journal, shelf, [] if shelf is None else await snapshots.listed(shelf))
    try:
        await audit.run(progress)
        while not await at_end(store, journal):
            await audit.run(progress)
        await check_before(store, journal.position, records_max=journal.n)
        audit.look_ahead()
        if witness is not None and (loss := await witness.check(journal)) is not None:
            audit.bad.append(JournalBroken(str(loss), loss.ends + 1))
    except JournalBroken as error:
        audit.bad.append(error)
    found = sorted(audit.bad, key=lambda error: error.first_bad or 0)
    segments = [] if archive is None else await archive.segments()
    engine = audit.engine or Engine()
    verdict = Verified(
        records=journal.n,
        ok=not found,
        first_bad=found[0].first_bad if found else None,
        state_hash="" if found or audit.engine is None else engine.state_hash(),
        problem="; ".join(str(error) for error in found),
        archived=min(journal.n, max((segment.last for segment in segments), default=0)),
        snapshots=audit.snapshots,
        compared_from=audit.compared_from if audit.engine is not None else None,
        losses=tuple(_words(n, fence.loss.seen, fence.loss.after) for n, fence in journal.losses if fence.loss),
    )
    return verdict, engine


def _words(n: int, seen: int, after: int) -> str:
    lost = f"records {after + 1} to {seen} were lost" if seen > after else "records could no longer be read"
    return f"record {n}: {lost}, and an admin said to go on"
