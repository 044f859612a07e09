"""Recovery: the engine as the journal says it is, from the newest sound snapshot and the records after it.

It is refused where the journal does not hold what it promised to keep: nobody leads over a journal with a hole, a cut
end or a changed record until an admin has said so (`usherd journal accept-loss`).
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.shell.archive import Archive, History, order
from router.shell.journal import READ_BATCH_RECORDS, Detour, Journal, JournalStore
from router.shell.records import EMPTY, GENESIS, Position, decode, digest, id_before
from router.shell.shelf import Shelf
from router.shell.snapshots import Damaged, Header, Snapshot, listed, load, name_of, set_aside
from router.shell.witness import Witness

log = structlog.get_logger()

REMEDY = "; see docs/operations.md; `usherd journal accept-loss` says what going on would cost"
CHECKED_BEFORE_RECORDS_MAX = 200_000  # of the store's records that a snapshot covers: a start checks their chain too
REWIND_RECORDS_MAX = 100_000
_PREV = b'"prev":"'
_HASH_BYTES = 64

Wanted = Callable[[Header], bool]


async def recover(
    store: JournalStore,
    shelf: Shelf | None = None,
    *,
    witness: Witness | None = None,
    wanted: Wanted | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[Engine, Journal]:
    """The engine and its place in the journal, after the last record that the store holds.

    `shelf`: where snapshots and old records lie; None: there are none. `witness`: what was seen to stand. `wanted`:
    which snapshots may be used. The chain is checked and every decision compared, from the snapshot on. Raises
    JournalBroken, StoreUnavailable.
    """
    history = store if shelf is None else History(store, Archive(shelf))
    with _no_collecting():
        engine, journal = await _replayed(store, history, shelf, wanted, {}, progress)
    while not await at_end(store, journal):  # the leader wrote on
        await journal.replay(engine, progress=progress)
    if witness is not None and (loss := await witness.check(journal)) is not None:
        raise JournalBroken(f"{loss}{REMEDY}", loss.ends + 1)
    return engine, journal


@contextmanager
def _no_collecting() -> Iterator[None]:
    """All that is made here stays: to look for garbage in it again and again would take longer than making it."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


async def _replayed(
    store: JournalStore,
    history: JournalStore,
    shelf: Shelf | None,
    wanted: Wanted | None,
    detours: dict[int, str],
    progress: Callable[[int], object] | None,
) -> tuple[Engine, Journal]:
    base = None if shelf is None else await newest(shelf, wanted)
    if base is not None and shelf is not None:
        try:
            await require_standing(history, base.header)
        except JournalBroken as broken:
            older = partial(_older, base.header.position.n, wanted)
            return await _given_up(
                broken, shelf, base.header, _replayed(store, history, shelf, older, detours, progress)
            )
        await check_before(store, base.header.position)
    engine = Engine() if base is None else Engine(base.state)
    journal = Journal(history) if base is None else Journal(history, base.header.position)
    journal.detours |= detours
    try:
        await journal.replay(engine, progress=progress)
    except Detour as found:
        again = {**detours, found.after: found.fence}
        return await _replayed(store, history, shelf, wanted, again, progress)
    return engine, journal


def _older(n: int, wanted: Wanted | None, header: Header) -> bool:
    return header.position.n < n and (wanted is None or wanted(header))


async def _given_up(
    broken: JournalBroken, shelf: Shelf, header: Header, without: Awaitable[tuple[Engine, Journal]]
) -> tuple[Engine, Journal]:
    """A snapshot that does not stand: set aside, if the journal says that its record was given up. Raises `broken`.

    That was said at another node, whose shelf is another one.
    """
    try:
        engine, journal = await without
    except JournalBroken:
        raise broken from None
    if not journal.gave_up(header.position.n, header.position.id):
        raise broken
    log.warning("snapshot_given_up", records=header.position.n)
    await set_aside(shelf, name_of(header))
    return engine, journal


async def as_of(store: JournalStore, shelf: Shelf | None, n: int) -> Engine | None:
    """An engine as it stood before record `n`, from the newest snapshot before it; None where that is too far.

    Raises JournalBroken, StoreUnavailable.
    """
    base = None if shelf is None else await newest(shelf, before=n)
    began = 0 if base is None else base.header.position.n
    if n - began > REWIND_RECORDS_MAX:
        return None
    engine = Engine() if base is None else Engine(base.state)
    journal = Journal(store) if base is None else Journal(store, base.header.position)
    async for record in journal.read():
        if record.n == n:
            break
        engine.apply(record.event)
    return engine


async def newest(shelf: Shelf, wanted: Wanted | None = None, *, before: int | None = None) -> Snapshot | None:
    """The newest snapshot that can be read; `before`: of an earlier record than that."""
    for label in await listed(shelf):
        if before is not None and label.n >= before:
            continue
        try:
            snapshot = await load(shelf, label.name)
        except Damaged as error:
            log.warning("snapshot_skipped", snapshot=label.name, reason=str(error))
            continue
        if wanted is None or wanted(snapshot.header):
            return snapshot
    return None


async def at_end(store: JournalStore, journal: Journal) -> bool:
    """Whether a journal has been read to the end of the store's; False if there is more now.

    Raises JournalBroken if the store's once went further, or no longer goes so far.
    """
    last = await store.journal_last()
    if last == journal.last_id:
        return True
    if order(last) > order(journal.last_id):
        if await store.journal_read(journal.last_id, 1):
            return False
        raise JournalBroken(
            f"the store's journal once held {last}, and ends with record {journal.n} ({journal.last_id}){REMEDY}",
            journal.n + 1,
        )
    if last == EMPTY:
        raise JournalBroken(f"the store's journal is gone: {journal.n} records are known of{REMEDY}", 1)
    raise JournalBroken(
        f"the store's journal ends with {last}, and record {journal.n} ({journal.last_id}) is known of{REMEDY}",
        journal.n,
    )


async def require_standing(store: JournalStore, header: Header) -> None:
    """A journal holds a snapshot's record, or goes on right after it. Raises JournalBroken."""
    at = header.position
    rows = await store.journal_read(id_before(at.id), 1)
    if not rows:
        raise JournalBroken(f"there is a snapshot of record {at.n}, and the journal ends before it{REMEDY}", at.n)
    identifier, raw = rows[0]
    if identifier == at.id:
        if digest(raw) != at.hash:
            raise JournalBroken(f"record {at.n} is not the one that its snapshot was made of{REMEDY}", at.n)
        return
    following = decode(raw, at.n + 1)
    if (following.n, following.prev) != (at.n + 1, at.hash):
        raise JournalBroken(
            f"record {at.n + 1} is missing: after the snapshot of record {at.n} the journal goes on with"
            f" {following.n}{REMEDY}",
            at.n + 1,
        )


async def check_before(store: JournalStore, at: Position, *, records_max: int = CHECKED_BEFORE_RECORDS_MAX) -> None:
    """The chain of the records that the store still holds up to a place, by their hashes alone.

    Not more than `records_max` of them: the process that takes snapshots checks all. Raises JournalBroken.
    """
    rows = await store.journal_read(EMPTY, 1)
    if not rows or order(rows[0][0]) > order(at.id):
        return
    first = decode(rows[0][1])
    if first.n > at.n or at.n - first.n > records_max:
        return
    hash_, last = first.prev.encode(), id_before(rows[0][0])
    while last != at.id and (rows := await store.journal_read(last, READ_BATCH_RECORDS)):
        began = last, hash_
        for identifier, raw in rows:
            place = raw.find(_PREV) + len(_PREV)
            if raw[place : place + _HASH_BYTES] != hash_ or not _follows(last, identifier):
                fence = _accepted_after(at, identifier)
                if fence is None:
                    await _name_the_broken(store, *began)
                    raise JournalBroken(f"the chain is broken at {identifier}{REMEDY}")
                hash_, last = await _before(store, fence)
                break
            hash_, last = digest(raw).encode(), identifier
            if identifier == at.id:
                break


def _follows(last: str, identifier: str) -> bool:
    (epoch, seq), (next_epoch, next_seq) = order(last), order(identifier)
    return (next_epoch == epoch and next_seq == seq + 1) or (next_epoch > epoch and next_seq == 0)


def _accepted_after(at: Position, identifier: str) -> str | None:
    """The fence that went on after a loss, from somewhere before or at this record."""
    fences = [f"{event.epoch}-0" for _, event in at.losses]
    return next((fence for fence in fences if order(fence) >= order(identifier)), None)


async def _before(store: JournalStore, fence: str) -> tuple[bytes, str]:
    """Hash and place before a fence, as the fence itself says."""
    rows = await store.journal_read(id_before(fence), 1)
    return (decode(rows[0][1]).prev if rows else GENESIS).encode(), id_before(fence)


async def _name_the_broken(store: JournalStore, after: str, hash_: bytes) -> None:
    """Read again, whole records from the last sound place on: that says which one it is. Raises JournalBroken."""
    rows = await store.journal_read(after, 1)
    number = decode(rows[0][1]).n
    async for _ in Journal(store, Position(n=number - 1, id=after, hash=hash_.decode())).read():
        pass
