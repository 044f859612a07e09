"""Snapshots, archive and trimming against a real store, on a folder and in S3, in this process and in its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from router.app.archivist import Job, work
from router.app.upkeep import Upkeep
from router.core.engine import Engine
from router.core.errors import ConfigError, JournalBroken
from router.shell import snapshots
from router.shell.archive import Archive, History
from router.shell.audit import verify
from router.shell.journal import Journal
from router.shell.recovery import recover
from router.shell.shelf import Place, Shelf
from router.shell.store import Store
from router.shell.trimming import Trimmer
from router.shell.witness import Witness
from skills.workspace import load
from tests.support.buckets import bucket
from tests.support.daemons import write_workspace
from tests.support.journals import begun, taken, toggled
from tests.support.stores import running

KEPT_MS = 60_000  # the records of these tests are of 1970: older than that


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where to put things."""
    if request.param == "folder":
        yield Place(folder=str(tmp_path / "shelf"))
    else:
        with bucket("archive") as made:
            yield made.place


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """The embedded store of a data directory, with a workspace in it."""
    async with running(tmp_path / "data") as embedded:
        opened = await embedded.open("acme")
        yield opened
        await opened.close()


def job(tmp_path: Path, place: Place, **rest: int) -> Job:
    """What the daemon asks for."""
    return Job(data=str(tmp_path / "data"), workspace="acme", node="n1", place=place, **rest)  # type: ignore[arg-type]


async def test_snapshot_archive_trim_and_start(store: Store, place: Place, tmp_path: Path) -> None:
    """What is covered by all kept snapshots leaves the store for the archive; all of it is one journal still."""
    engine, journal = await begun(store)
    shelf = Shelf.at(place, "acme")
    first = await work(job(tmp_path, place, keep_ms=KEPT_MS, segment_min=1))
    assert (first.n, first.archived, first.trimmed) == (2, 2, 2)
    await toggled(engine, journal, 8)
    done = await work(job(tmp_path, place, keep_ms=KEPT_MS, segment_min=1))
    assert (done.problem, done.n, done.archived) == ("", 10, 0)  # the first snapshot still needs them
    await toggled(engine, journal, 5)
    for _ in range(2):
        done = await work(job(tmp_path, place, keep_ms=KEPT_MS, segment_min=1, snapshots=1))
    assert (done.n, await store.journal_length()) == (15, 0)
    assert [label.n for label in await snapshots.listed(shelf)] == [15]
    witness = Witness(tmp_path, store)
    recovered, at = await recover(store, shelf, witness=witness)
    assert (recovered.state_hash(), at.position) == (engine.state_hash(), journal.position)
    await toggled(recovered, at, 3)
    verdict, replayed = await verify(store, shelf, witness=witness)
    assert (verdict.problem, verdict.records, verdict.archived) == ("", 18, 15)
    assert verdict.state_hash == recovered.state_hash() == replayed.state_hash()
    history = History(store, Archive(shelf))
    assert [record.n async for record in Journal(history).read()] == list(range(1, 19))


async def test_young_records_stay(store: Store, tmp_path: Path) -> None:
    """Records younger than `keep` stay in the store, and so do too few for a segment."""
    place = Place(folder=str(tmp_path / "shelf"))
    engine, journal = await begun(store)
    await toggled(engine, journal, 3)
    assert (await work(job(tmp_path, place, keep_ms=1 << 50, segment_min=1))).archived == 0
    assert (await work(job(tmp_path, place, keep_ms=KEPT_MS, segment_min=6))).archived == 0
    assert (await work(job(tmp_path, place, segment_min=1))).archived == 0
    assert await store.journal_length() == 5


async def test_a_state_that_replay_does_not_give_is_found_out(store: Store, tmp_path: Path) -> None:
    """A snapshot that a leader left, of another state than its journal's, is set aside, and said to be wrong."""
    place = Place(folder=str(tmp_path / "shelf"))
    shelf = Shelf.at(place, "acme")
    engine, journal = await begun(store)
    await work(job(tmp_path, place))
    await toggled(engine, journal, 2)
    honest = engine.state.customers_seen
    engine.state.customers_seen += 1
    name = await taken(shelf, engine, journal, checked=False)
    with pytest.raises(JournalBroken, match="another state at record 4"):
        await work(job(tmp_path, place))
    assert name not in [label.name for label in await snapshots.listed(shelf)]
    assert (await work(job(tmp_path, place))).problem == ""
    recovered, _ = await recover(store, shelf)
    assert recovered.state.customers_seen == honest


async def test_a_state_left_by_a_leader_is_checked(store: Store, tmp_path: Path) -> None:
    """A snapshot left at a stop is replaced by one that replaying gave."""
    place = Place(folder=str(tmp_path / "shelf"))
    shelf = Shelf.at(place, "acme")
    engine, journal = await begun(store)
    name = await taken(shelf, engine, journal, checked=False)
    assert (await work(job(tmp_path, place))).snapshot == name
    assert (await snapshots.load(shelf, name)).header.checked


async def test_nobody_but_the_archiver_trims(store: Store, tmp_path: Path) -> None:
    """The daemon's own user is refused by the store, which is said as what the admin can do about it."""
    async with running(tmp_path / "other") as embedded:
        opened = await embedded.open("acme")
        await begun(opened)
        trimmer = Trimmer.at(embedded.socket, "acme", user=embedded.user, password=embedded.password)
        with pytest.raises(ConfigError, match="may not trim"):
            await trimmer.trim("1-1")
        await trimmer.close()
        assert await opened.journal_length() == 2
        await opened.close()


class Node:
    """What the upkeep asks of a leader."""

    def __init__(self, engine: Engine, journal: Journal, *, leading: bool) -> None:
        self.engine = engine
        self.journal = journal
        self.leading = leading


async def test_a_node_has_it_done_in_a_process_of_its_own(store: Store, tmp_path: Path) -> None:
    """When it is due a node takes the lease and has the archivist run; a change of a record shows in its problems."""
    config = load(write_workspace(tmp_path / "config")).config
    upkeep = Upkeep(config, tmp_path / "data", store, "n1")
    upkeep.look_seconds, upkeep.due = 0.05, ((1, 0.0),)
    engine, journal = await begun(store)
    node = Node(engine, journal, leading=True)
    await toggled(engine, journal, 2)
    await upkeep.look(node)  # type: ignore[arg-type]
    (label,) = await snapshots.listed(upkeep.shelf)
    assert (label.n, upkeep.problems()) == (4, [])
    assert (await snapshots.load(upkeep.shelf, label.name)).header.state_hash == engine.state_hash()
    engine.state.customers_seen += 1
    await toggled(engine, journal, 3)
    await upkeep.leave(engine, journal.position, led=True)
    await toggled(engine, journal, 3)
    for _ in range(2):  # at first it finds that there is a newer snapshot
        await upkeep.look(node)  # type: ignore[arg-type]
    assert "another state at record 7" in upkeep.problems()[0]


async def test_a_long_replay_is_not_done_twice(store: Store, tmp_path: Path) -> None:
    """A start that replays much leaves the state on the shelf, and the next one begins with that; a short one none."""
    config = load(write_workspace(tmp_path / "config")).config
    engine, journal = await begun(store)
    await toggled(engine, journal, 5)
    upkeep = Upkeep(config, tmp_path / "data", store, "n1")
    upkeep.long_replay = journal.n + 1
    await upkeep.recover()
    assert await snapshots.listed(upkeep.shelf) == []
    upkeep.long_replay = journal.n
    recovered, at = await upkeep.recover()
    (label,) = await snapshots.listed(upkeep.shelf)
    left = (await snapshots.load(upkeep.shelf, label.name)).header
    assert (left.position, left.state_hash, left.checked) == (at.position, recovered.state_hash(), False)
    await toggled(engine, journal, journal.n - 1)
    await upkeep.recover()
    assert len(await snapshots.listed(upkeep.shelf)) == 1
