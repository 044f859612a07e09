"""What admins do with a journal, daemon or none: verify, export, restore, snapshot, go on after a loss."""

from __future__ import annotations

import gzip
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from router.app import archivist, local
from router.app.archivist import Done
from router.app.shelves import shelf_of
from router.app.upkeep import job_of
from router.app.verify import daemon_lives, opened
from router.core.errors import ConfigError
from router.shell.archive import Archive, History, to_line
from router.shell.audit import Verified, verify
from router.shell.clock import wall_ms
from router.shell.journal import Journal, detours
from router.shell.loss import Damage, accept, assess
from router.shell.records import EMPTY
from router.shell.recovery import newest
from router.shell.shelf import Shelf
from router.shell.store.client import Store
from router.shell.witness import Witness
from skills.workspace import Loaded, load

Progress = Callable[[int], object]
RESTORE_RECORDS = 500
RESTORE_BYTES = 4 << 20


async def verify_journal(config: Path, data: Path, *, progress: Progress) -> Verified:
    """Verify archive, store, snapshots and witness of a workspace. Raises ConfigError if there is no store."""
    async with _journal(config, data) as (loaded, store):
        shelf = shelf_of(loaded.config, data)
        verdict, _ = await verify(store, shelf, witness=Witness(data, store), progress=progress)
        return verdict


async def snapshot(config: Path, data: Path) -> Done:
    """Do what the daemon has done in the background: replay, compare, take a snapshot, put old records away."""
    async with _journal(config, data) as (loaded, _):
        return await archivist.work(job_of(loaded.config, data, local.node_name(data), check_all=True))


async def export(config: Path, data: Path, to: Path | None, *, first: int, last: int | None, progress: Progress) -> int:
    """Write the records `first` to `last` as JSON Lines, from archive and store; gives their number.

    `to`: a file, compressed if its name ends with `.gz`; None: standard output. Raises JournalBroken.
    """
    done = 0
    async with _journal(config, data) as (loaded, store):
        shelf = shelf_of(loaded.config, data)
        reader = await _reader(store, shelf)
        with _opened(to) as file:
            async for identifier, raw, record in reader.rows(leap=True):
                if last is not None and record.n > last:
                    break
                if record.n >= first:
                    file.write(to_line((identifier, raw)) + b"\n")
                    done += 1
                    progress(record.n)
    return done


def _opened(to: Path | None) -> IO[bytes]:
    if to is None:
        return open(sys.stdout.fileno(), "wb", closefd=False)
    return gzip.open(to, "wb", compresslevel=6) if to.suffix == ".gz" else to.open("wb")  # type: ignore[return-value]


async def restore(config: Path, data: Path, *, progress: Progress) -> int:
    """Put the archived records back into an empty journal; gives their number.

    Raises ConfigError if the store's journal is not empty or a daemon runs, JournalBroken if the archive is damaged.
    """
    _require_alone(data)
    async with _journal(config, data) as (loaded, store):
        if await store.journal_last() != EMPTY:
            raise ConfigError(
                "the store's journal is not empty",
                hint="records are restored into a new store; verify tells what it has",
            )
        reader = await _reader(store, shelf_of(loaded.config, data))
        batch: list[tuple[str, bytes]] = []
        last, size = EMPTY, 0
        async for identifier, raw, record in reader.rows(leap=True):
            batch.append((identifier, raw))
            size += len(raw)
            if len(batch) == RESTORE_RECORDS or size > RESTORE_BYTES:
                await store.journal_append(last, batch)
                last, size, batch = identifier, 0, []
                progress(record.n)
        if batch:
            await store.journal_append(last, batch)
        return reader.n


async def what_is_lost(config: Path, data: Path) -> Damage | None:
    """Why nobody leads, and what going on would cost; None where nothing is lost."""
    async with _journal(config, data) as (loaded, store):
        return await assess(store, shelf_of(loaded.config, data), Witness(data, store))


async def accept_loss(config: Path, data: Path) -> tuple[Damage, int] | None:
    """Go on without what is lost; gives what that was and the record that says so. None where nothing is lost.

    Raises ConfigError while a daemon runs.
    """
    _require_alone(data)
    async with _journal(config, data) as (loaded, store):
        owner = await store.lease_owner("leader")
        if owner is not None:
            raise ConfigError(f"node {owner} leads, or did so a moment ago", hint="stop all nodes and try again")
        shelf, witness = shelf_of(loaded.config, data), Witness(data, store)
        damage = await assess(store, shelf, witness)
        if damage is None:
            return None
        journal = await accept(store, shelf, witness, damage, node=local.node_name(data), wall=wall_ms())
        return damage, journal.n


async def _reader(store: Store, shelf: Shelf) -> Journal:
    """At the beginning of archive and store; goes on where an admin said so."""
    reader = Journal(History(store, Archive(shelf)))
    if (known := await newest(shelf)) is not None:
        reader.detours = detours(known.header.position.losses)
    return reader


def _require_alone(data: Path) -> None:
    if data.is_dir() and daemon_lives(data):
        raise ConfigError(f"a daemon runs on {data}", hint="stop it first")


@asynccontextmanager
async def _journal(config: Path, data: Path) -> AsyncIterator[tuple[Loaded, Store]]:
    loaded = load(config)
    async with opened(loaded.config, data) as store:
        yield loaded, store
