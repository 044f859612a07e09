"""Recovery: the newest sound snapshot and the tail of the journal give what the whole journal gives."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore as Objects

from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.core.events import StatusSet, WorkspaceChanged
from router.core.values import Agent, Status, Workspace
from router.shell import snapshots
from router.shell.journal import Drafted, Journal
from router.shell.recovery import recover
from router.shell.shelf import Shelf
from tests.support.memory_store import MemoryStore

WORKSPACE = Workspace(name="acme", agents={"ana": Agent(id="ana", team="everyone", capacity={"email": 2})})


def shelf() -> Shelf:
    """An empty shelf in memory."""
    return Shelf(Objects())


async def begun(store: MemoryStore) -> tuple[Engine, Journal]:
    """A journal with a fence and a workspace."""
    engine, journal = await recover(store)
    await journal.fence(engine, node="n1", at=1, wall=1)
    await append(engine, journal, WorkspaceChanged(at=2, version="v1", workspace=WORKSPACE))
    return engine, journal


async def append(engine: Engine, journal: Journal, event: WorkspaceChanged | StatusSet) -> None:
    """One more record."""
    decisions = engine.apply(event)
    await journal.append([Drafted(engine.state.n, event, decisions, engine.state.version, "0-0")], {}, wall=event.at)


async def toggled(engine: Engine, journal: Journal, times: int) -> None:
    """So many changes of status."""
    for turn in range(times):
        status = Status.AVAILABLE if turn % 2 else Status.BUSY
        await append(engine, journal, StatusSet(at=10 + engine.state.n, agent="ana", target="ana", status=status))


async def taken(lying: Shelf, engine: Engine, journal: Journal) -> str:
    """A snapshot of the state as it is now; gives its name."""
    header = snapshots.header_of(engine.state, journal.position, engine=1, node="n1", wall=1, checked=True)
    return await snapshots.put(lying, header, engine.state)


async def test_a_snapshot_and_the_tail_give_the_whole() -> None:
    """Recovering from a snapshot gives the state hash, the place and the epochs that replaying everything gives."""
    store, lying = MemoryStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 5)
    await taken(lying, engine, journal)
    await journal.fence(engine, node="n2", at=900, wall=900)
    await toggled(engine, journal, 4)
    read: list[int] = []
    recovered, at = await recover(store, lying, progress=read.append)
    whole, _ = await recover(store)
    assert recovered.state_hash() == whole.state_hash() == engine.state_hash()
    assert read == list(range(8, 13))
    assert at.position == journal.position
    assert [at.id_of(n) for n in range(1, 13)] == [name for name, _ in store.rows]


async def test_a_damaged_snapshot_is_skipped() -> None:
    """Where the newest snapshot has a flipped byte, the one before it is used."""
    store, lying = MemoryStore(), shelf()
    engine, journal = await begun(store)
    await taken(lying, engine, journal)
    await toggled(engine, journal, 3)
    name = await taken(lying, engine, journal)
    raw = bytearray(await lying.get(name) or b"")
    raw[len(raw) // 2] ^= 1
    await lying.put(name, bytes(raw))
    read: list[int] = []
    recovered, _ = await recover(store, lying, progress=read.append)
    assert read == [3, 4, 5]
    assert recovered.state_hash() == engine.state_hash()


async def test_a_snapshot_ahead_of_the_journal_is_a_loss() -> None:
    """A snapshot of a record that the journal no longer has shows that its tail was cut."""
    store, lying = MemoryStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 3)
    await taken(lying, engine, journal)
    del store.rows[-2:]
    with pytest.raises(JournalBroken, match="record 5") as caught:
        await recover(store, lying)
    assert caught.value.first_bad == 5


async def test_a_snapshot_of_another_journal_is_refused() -> None:
    """A snapshot whose record has other bytes in the journal is not gone on from."""
    store, lying = MemoryStore(), shelf()
    engine, journal = await begun(store)
    await taken(lying, engine, journal)
    await toggled(engine, journal, 1)
    name, raw = store.rows[1]
    store.rows[1] = (name, raw.replace(b'"wall":2', b'"wall":3'))
    with pytest.raises(JournalBroken, match="record 2"):
        await recover(store, lying)
