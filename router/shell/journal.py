"""The journal: the only commit. Reading it gives the engine's state; appending to it makes a decision real.

Rules: ids are `<epoch>-<seq>` with `seq` from 0 in each epoch; an epoch begins with a fence; an append names the id
it expects to be last, so a stale leader is refused by the store itself; after an unknown result the same batch is
offered again, and nothing is emitted until it is known to stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from router.core.engine import Engine
from router.core.errors import JournalBroken, StoreUnavailable
from router.core.events import Event, LeaderElected, LossAccepted
from router.core.version import ENGINE
from router.shell.buggify import point
from router.shell.records import Position, Record, decode, digest, encode, id_before
from router.shell.store.commands import BEGUN

log = structlog.get_logger()

READ_BATCH_RECORDS = 2_000
LOSS = b'"loss":{'  # in the bytes of a fence that went on after a loss, and of nothing else
RETRY_SECONDS_MAX = 5.0


class JournalStore(Protocol):
    """What the journal asks of the store."""

    async def journal_append(
        self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]
    ) -> None:
        """Append all or nothing. Raises Fenced, or StoreUnavailable when the outcome is unknown."""
        ...

    async def journal_read(self, after: str, count: int) -> list[tuple[str, bytes]]:
        """(id, record) after an id, in order."""
        ...

    async def journal_last(self) -> str:
        """The id of the newest record that ever was; '0-0' if there never was one."""
        ...


class Drafted(msgspec.Struct, frozen=True):
    """An applied event, not yet on disk. `n`, `config`, `inbox`: the engine's after it."""

    n: int
    event: Event
    decisions: tuple[object, ...]
    config: str
    inbox: str


class OtherEngine(JournalBroken):
    """A record was decided by an engine of another version, so that replaying it here would give another state."""

    code = "other_engine"

    def __init__(self, record: Record) -> None:
        remedy = (
            "start the newer usherd"
            if record.engine > ENGINE
            else "start the usherd that wrote it and stop it in order: it leaves a snapshot to go on from"
        )
        super().__init__(
            f"record {record.n} was decided by engine {record.engine}, and this is engine {ENGINE}: {remedy}", record.n
        )


class Detour(JournalBroken):
    """An admin said to go on from an earlier record than has been read by now: read again, with that `detours`."""

    def __init__(self, after: int, fence: str) -> None:
        super().__init__(f"what follows record {after} was given up", after + 1)
        self.after = after
        self.fence = fence


class Unchained(JournalBroken):
    """A record names another as the one before it."""


def detours(losses: tuple[tuple[int, LeaderElected], ...]) -> dict[int, str]:
    """Record → id of the fence that is read after it, instead of what follows: as an admin said after a loss."""
    return {event.loss.after: f"{event.epoch}-0" for _, event in losses if event.loss is not None}


class Journal:
    """Position in the chain, and the two things one can do with it: read on, and append."""

    def __init__(self, store: JournalStore, position: Position | None = None) -> None:
        """Begin before the first record, or after the one that `position` names."""
        at = position or Position()
        self._store = store
        self.last_id = at.id
        self.last_hash = at.hash
        self.n = at.n
        self.epochs = list(at.epochs)  # (epoch, number of its first record)
        self.losses = list(at.losses)  # number and event of each fence that went on after a loss
        self.detours = detours(at.losses)

    @property
    def position(self) -> Position:
        """The place reached, to go on from later."""
        return Position(
            n=self.n, id=self.last_id, hash=self.last_hash, epochs=tuple(self.epochs), losses=tuple(self.losses)
        )

    @property
    def epoch(self) -> int:
        """The epoch of the last record, 0 before any."""
        return int(self.last_id.partition("-")[0])

    def gave_up(self, n: int, identifier: str) -> bool:
        """Whether an admin said to go on without that record: of an epoch before that fence, behind what was kept."""
        epoch = int(identifier.partition("-")[0])
        return any(fence.loss is not None and epoch < fence.epoch and n > fence.loss.after for _, fence in self.losses)

    def id_of(self, n: int) -> str:
        """The stream id of record number `n`. Raises KeyError if there is no such record."""
        for epoch, first in reversed(self.epochs):
            if first <= n <= self.n:
                return f"{epoch}-{n - first}"
        raise KeyError(n)

    async def read(self, *, leap: bool = False) -> AsyncIterator[Record]:
        """The records after the position, checked one by one: ids without holes, numbers, chain.

        The position moves with each. `leap`: over a gap that an admin accepted; the state on its far side is then only
        in a snapshot. Raises JournalBroken.
        """
        async for _, _, record in self.rows(leap=leap):
            yield record

    async def rows(self, *, leap: bool = False) -> AsyncIterator[tuple[str, bytes, Record]]:
        """The same, each with its id and its bytes."""
        while rows := await self._store.journal_read(self._detour() or self.last_id, READ_BATCH_RECORDS):
            for place, (identifier, raw) in enumerate(rows):
                try:
                    record = self.take(identifier, raw)
                except JournalBroken as broken:
                    if (found := await self._accepted(rows[place:], leap=leap)) is None:
                        raise self._blame(broken, raw, rows[place + 1 : place + 2]) from None
                    yield *found, self._leap(*found) if leap else self.take(*found)
                    break  # and read on after it
                yield identifier, raw, record
                if self.n in self.detours:
                    break
            await asyncio.sleep(0)

    def _detour(self) -> str | None:
        """What to read after instead of the last record, where an admin said to go on elsewhere."""
        fence = self.detours.get(self.n)
        return None if fence is None else id_before(fence)

    async def _accepted(self, rows: list[tuple[str, bytes]], *, leap: bool) -> tuple[str, bytes] | None:
        """The fence, later on, that an admin had written to go on from here without what stands in between."""
        while rows:
            for identifier, raw in rows:
                if LOSS in raw and self._goes_on(identifier, raw, leap=leap):
                    return identifier, raw
            rows = await self._store.journal_read(rows[-1][0], READ_BATCH_RECORDS)
        return None

    def _goes_on(self, identifier: str, raw: bytes, *, leap: bool) -> bool:
        try:
            record = decode(raw)
        except JournalBroken:
            return False
        event = record.event
        if not isinstance(event, LeaderElected) or event.loss is None:
            return False
        if not leap and record.n <= self.n and record.n - 1 not in self.detours:
            raise Detour(record.n - 1, identifier)
        return leap or (record.n, record.prev) == (self.n + 1, self.last_hash)

    def _leap(self, identifier: str, raw: bytes) -> Record:
        record = decode(raw)
        self.last_id, self.last_hash, self.n = id_before(identifier), record.prev, record.n - 1
        return self.take(identifier, raw)

    def _blame(self, broken: JournalBroken, raw: bytes, after: list[tuple[str, bytes]]) -> JournalBroken:
        """Where a record does not follow, either it or the one before was changed: the next one knows which."""
        if not isinstance(broken, Unchained) or self.n == 0:
            return broken
        if not after:
            last = self.n + 1
            return JournalBroken(f"record {self.n} was changed, or record {last} after it", self.n)
        with suppress(JournalBroken):
            if decode(after[0][1]).prev == digest(raw):
                return JournalBroken(f"record {self.n} was changed: the next one names another", self.n)
        return JournalBroken(f"record {self.n + 1} was changed: it does not follow, nor is it followed", self.n + 1)

    def take(self, identifier: str, raw: bytes) -> Record:
        """The next record, as the store gave it, checked; the position moves to it. Raises JournalBroken."""
        record = decode(raw, self.n + 1)
        self._check(identifier, record)
        self._move(identifier, raw, record)
        return record

    def _check(self, identifier: str, record: Record) -> None:
        number = self.n + 1
        epoch, _, seq = identifier.partition("-")
        last_epoch, _, last_seq = self.last_id.partition("-")
        if epoch == last_epoch:
            follows = int(seq) == int(last_seq) + 1
        else:
            follows = int(epoch) > int(last_epoch) and seq == "0" and isinstance(record.event, LeaderElected)
        if not follows:
            raise JournalBroken(f"record {number} has id {identifier} after {self.last_id}: there is a hole", number)
        if record.n != number:
            raise JournalBroken(f"record {number} says it is number {record.n}", number)
        if record.prev != self.last_hash:
            raise Unchained(f"record {number} does not follow from the one before it: the chain is broken", number)

    def _move(self, identifier: str, raw: bytes, record: Record) -> None:
        self.last_id = identifier
        self.last_hash = digest(raw)
        self.n = record.n
        if isinstance(record.event, LeaderElected):
            self.epochs.append((record.event.epoch, record.n))
            if record.event.loss is not None:
                self.losses.append((record.n, record.event))

    async def replay(self, engine: Engine, *, progress: object = None) -> int:
        """Drive `engine` with every record after the position; gives how many there were.

        Each record's decisions must be the ones that the engine takes now: otherwise this usherd is not the one
        that wrote them. Raises JournalBroken.
        """
        count = 0
        async for record in self.read():
            drive(engine, record)
            count += 1
            if callable(progress):
                progress(record.n)
        return count

    async def fence(
        self, engine: Engine, *, node: str, at: int, wall: int, loss: LossAccepted | None = None, epoch: int = 0
    ) -> Drafted:
        """Begin a new epoch: from here on every older leader is refused. Raises Fenced if another was faster.

        `loss`: what is gone, if it was accepted; `epoch`: a later one than the next.

        A fence decides nothing, so that it is written first and applied once it stands: whoever is too late has an
        engine that is still right, and reads on.
        """
        epoch = max(epoch, self.epoch + 1)
        event, state = LeaderElected(at=at, epoch=epoch, node=node, loss=loss), engine.state
        draft = Drafted(state.n + 1, event, (), state.version, state.inbox)
        await self._append([draft], {BEGUN: b""}, wall, first_id=f"{epoch}-0")
        if engine.apply(event):
            raise JournalBroken(f"the fence {epoch}-0 decided something", draft.n)
        return draft

    async def append(self, drafts: list[Drafted], blobs: dict[str, bytes], *, wall: int) -> None:
        """Make a batch real, with the blobs it refers to. When it returns, the batch is on disk.

        While the store does not answer it tries again, for ever: the engine is ahead of the journal until then and
        nothing may be emitted. Raises Fenced if another leader has begun a newer epoch: the engine must be rebuilt.
        """
        epoch, _, seq = self.last_id.partition("-")
        await self._append(drafts, blobs, wall, first_id=f"{epoch}-{int(seq) + 1}")

    async def _append(self, drafts: list[Drafted], blobs: dict[str, bytes], wall: int, *, first_id: str) -> None:
        epoch, _, first_seq = first_id.partition("-")
        rows: list[tuple[str, bytes]] = []
        records: list[Record] = []
        prev = self.last_hash
        for offset, draft in enumerate(drafts):
            record = Record(
                n=draft.n,
                prev=prev,
                wall=wall,
                config=draft.config,
                inbox=draft.inbox,
                event=draft.event,
                decisions=draft.decisions,  # type: ignore[arg-type]  # the engine's own, not decoded
            )
            raw = encode(record)
            prev = digest(raw)
            rows.append((f"{epoch}-{int(first_seq) + offset}", raw))
            records.append(record)
        await self._insist(rows, blobs)
        for (identifier, raw), record in zip(rows, records, strict=True):
            self._move(identifier, raw, record)

    async def _insist(self, rows: list[tuple[str, bytes]], blobs: dict[str, bytes]) -> None:
        delay = 0.05
        while True:
            try:
                await point("journal.before_append")
                await self._store.journal_append(self.last_id, rows, blobs)
                await point("journal.after_append")
            except StoreUnavailable as error:
                log.warning("journal_append_unknown", records=len(rows), error=str(error), retry_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)
            else:
                return


def drive(engine: Engine, record: Record) -> None:
    """Apply a record that was read. Raises JournalBroken if the engine decides otherwise than the record says."""
    if record.engine != ENGINE:
        raise OtherEngine(record)
    if engine.apply(record.event) != record.decisions:
        raise JournalBroken(f"record {record.n} holds other decisions than replaying it gives", record.n)
