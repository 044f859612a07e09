"""The archivist: a process of its own that replays the journal, takes snapshots, and puts old records away.

It goes on from the last snapshot that was made this way and from the store's records, by itself: so whatever it
writes is what replaying gives, and a leader whose state differs is found out (invariant I4). It is asked over its
standard input (secrets do not stand in a command line), answers with one line of JSON, and ends when its input does.

Run by the daemon as `python -m router.app.archivist`, by people as `usherd journal snapshot`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from router.core.engine import Engine
from router.core.errors import ConfigError, JournalBroken, RouterError
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.archive import SEGMENT_RECORDS_MIN, Archive, History, extend
from router.shell.buggify import point
from router.shell.journal import Journal, detours, drive
from router.shell.records import Position, digest
from router.shell.recovery import at_end, check_before, newest, require_standing
from router.shell.shelf import Place, Shelf
from router.shell.snapshots import Damaged, Header, Label
from router.shell.store import server
from router.shell.store.client import Store
from router.shell.trimming import Trimmer

NICE = 15


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, and where.

    `data`: the data directory, with the embedded store in it unless there is a `url`. `trim_url`: the store as a user
    who may trim, if that of `url` may not. `keep_ms`: records stay in the store so long; None: for ever. `check_all`:
    the chain of all records that the store holds, whatever that takes.
    """

    data: str
    workspace: str
    node: str
    place: Place
    url: str = ""
    trim_url: str = ""
    snapshots: int = 3
    keep_ms: int | None = None
    segment_min: int = SEGMENT_RECORDS_MIN
    check_all: bool = False


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `problem`: in words, "" if all is well; `first_bad`: the record that it is about."""

    n: int = 0
    snapshot: str = ""
    archived: int = 0
    trimmed: int = 0
    seconds: float = 0.0
    problem: str = ""
    first_bad: int | None = None


async def work(job: Job) -> Done:
    """Do a job. Raises JournalBroken, ConfigError, StoreUnavailable."""
    began = time.monotonic()
    shelf = Shelf.at(job.place, job.workspace)
    async with _store(job) as store:
        engine, journal, last = await _replayed(store, shelf, check_all=job.check_all)
        name = ""
        if journal.n > last:
            header = snapshots.header_of(
                engine.state, journal.position, engine=ENGINE, node=job.node, wall=_now_ms(), checked=True
            )
            await point("snapshot.before_put")
            name = await snapshots.put(shelf, header, engine.state)
            await point("snapshot.after_put")
            await snapshots.load(shelf, name)
        await snapshots.prune(shelf, job.snapshots)
        archived, trimmed = (0, 0) if job.keep_ms is None else await _put_away(job, store, shelf, journal)
    return Done(
        n=journal.n, snapshot=name, archived=archived, trimmed=trimmed, seconds=round(time.monotonic() - began, 3)
    )


async def _replayed(store: Store, shelf: Shelf, *, check_all: bool) -> tuple[Engine, Journal, int]:
    """The state by replay from a checked snapshot, the place, and the record of that snapshot (0: none).

    On the way every other snapshot is compared with the state that replaying gives.
    """
    base = await newest(shelf, lambda header: header.checked or header.engine != ENGINE)
    history = History(store, Archive(shelf))
    engine, journal, last = Engine(), Journal(history), 0
    if base is not None:
        at = base.header.position
        await require_standing(history, base.header)
        if check_all:
            await check_before(store, at, records_max=at.n)
        last = at.n if base.header.checked else 0
        engine, journal = Engine(base.state), Journal(history, at)
    unchecked = {label.n: label for label in await snapshots.listed(shelf) if label.n > journal.n}
    while True:
        async for record in journal.read():
            drive(engine, record)
            if (label := unchecked.pop(record.n, None)) is not None:
                await _compare(shelf, label, engine, journal)
        if await at_end(store, journal):
            return engine, journal, last


async def _compare(shelf: Shelf, label: Label, engine: Engine, journal: Journal) -> None:
    """A snapshot that a leader left: as good as ours if it is the same state. Raises JournalBroken if it is not."""
    with contextlib.suppress(Damaged):
        header = (await snapshots.load(shelf, label.name)).header
        if (header.state_hash, header.position.hash) != (engine.state_hash(), journal.last_hash):
            await snapshots.set_aside(shelf, label.name)
            raise JournalBroken(
                f"node {header.node} left another state at record {label.n} than replaying the journal gives:"
                f" its snapshot is set aside",
                label.n,
            )


async def _put_away(job: Job, store: Store, shelf: Shelf, journal: Journal) -> tuple[int, int]:
    """Archive what is old and covered by every snapshot kept, read it back, then trim it. Gives both numbers."""
    headers = await _sound(shelf)
    if not headers or job.keep_ms is None:
        return 0, 0
    upto = min(header.position.n for header in headers)
    archive = Archive(shelf)
    reader = await _at_the_end_of(archive, store)
    reader.detours = detours(tuple(journal.losses))
    before = _now_ms() - job.keep_ms
    done = await extend(archive, reader, upto=upto, before=before, records_min=job.segment_min)
    segments = await archive.segments(fresh=True)
    if not segments:
        return done, 0
    epoch, seq = segments[-1].last_id
    trimmer = _trimmer(job)
    try:
        await point("archive.before_trim")
        trimmed = await trimmer.trim(f"{epoch}-{seq + 1}")
        await point("archive.after_trim")
        return done, trimmed
    finally:
        await trimmer.close()


async def _sound(shelf: Shelf) -> list[Header]:
    """Headers of the snapshots that can be read."""
    found = []
    for label in await snapshots.listed(shelf):
        with contextlib.suppress(Damaged):
            found.append((await snapshots.load(shelf, label.name)).header)
    return found


async def _at_the_end_of(archive: Archive, store: Store) -> Journal:
    """Where the archive ends, to read on in the store."""
    segments = await archive.segments(fresh=True)
    if not segments:
        return Journal(store)
    identifier, raw = (await archive.rows(segments[-1]))[-1]
    return Journal(store, Position(n=segments[-1].last, id=identifier, hash=digest(raw)))


@asynccontextmanager
async def _store(job: Job) -> AsyncIterator[Store]:
    blobs = Path(job.data) / "blobs"  # not read here
    address = None
    if job.url:
        store = await Store.open(job.url, job.workspace, blobs=blobs, seconds_max=60.0)
    else:
        state = _state(job)
        address = server.SocketAddress(Path(job.data))
        store = await Store.open(
            address.path,
            job.workspace,
            blobs=blobs,
            user=server.DAEMON_USER,
            password=state.password,
            seconds_max=60.0,
        )
    try:
        yield store
    finally:
        await store.close()
        if address is not None:
            address.close()


def _trimmer(job: Job) -> Trimmer:
    if job.trim_url or job.url:
        return Trimmer.at(job.trim_url or job.url, job.workspace)
    socket = server.SocketAddress(Path(job.data)).path
    return Trimmer.at(socket, job.workspace, user=server.ARCHIVER_USER, password=_state(job).archiver_password)


def _state(job: Job) -> server.State:
    state = server.read_state(Path(job.data))
    if state is None:
        raise ConfigError(f"there is no store in {job.data}")
    return state


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    """Read a job, do it, say what came of it."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    gc.disable()  # all that is made here lives until the end
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        done = asyncio.run(work(job))
    except RouterError as error:
        bad = error.first_bad if isinstance(error, JournalBroken) else None
        done = Done(problem=str(error), first_bad=bad)
    except Exception as error:  # noqa: BLE001 - a defect is no news that may get lost with this process
        done = Done(problem=f"replaying it failed: {type(error).__name__}: {error}")
    sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_input() -> None:
    """Whoever asked is gone, or no longer wants it."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    main()
