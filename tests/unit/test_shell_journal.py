"""The journal: a chain that shows every change, an append that is certain, a fence that holds."""

from __future__ import annotations

import pytest

from router.core.engine import Engine
from router.core.errors import Fenced, JournalBroken
from router.core.events import Event, StatusSet, TimePassed, WorkspaceChanged
from router.core.values import Agent, Status, Workspace
from router.shell.audit import verify
from router.shell.journal import Drafted, Journal
from router.shell.records import decode, digest
from tests.support.memory_store import MemoryStore

WORKSPACE = Workspace(name="acme", agents={"ana": Agent(id="ana", team="everyone", capacity={"email": 2})})


def draft(engine: Engine, event: Event) -> Drafted:
    """`event` applied, ready to be appended."""
    decisions = engine.apply(event)
    return Drafted(engine.state.n, event, decisions, engine.state.version, engine.state.inbox)


async def written(store: MemoryStore, *, node: str = "n1") -> tuple[Engine, Journal]:
    """A journal with a fence, a workspace and a change of status."""
    engine, journal = Engine(), Journal(store)
    await journal.replay(engine)
    await journal.fence(engine, node=node, at=1, wall=1)
    await journal.append([draft(engine, WorkspaceChanged(at=2, version="v1", workspace=WORKSPACE))], {}, wall=2)
    status = StatusSet(at=3, agent="ana", target="ana", status=Status.AVAILABLE, inbox="5-0")
    await journal.append([draft(engine, status)], {}, wall=3)
    return engine, journal


async def test_replaying_gives_the_live_state() -> None:
    """A fresh engine that reads the journal has the state hash of the one that wrote it."""
    store = MemoryStore()
    engine, _ = await written(store)
    verdict, replayed = await verify(store)
    assert verdict.ok
    assert verdict.records == 3
    assert verdict.state_hash == engine.state_hash() == replayed.state_hash()
    assert replayed.state.inbox == "5-0"


async def test_ids_count_from_the_fence() -> None:
    """Each epoch begins with its fence at seq 0, and a record's id is found by its number."""
    store = MemoryStore()
    await written(store)
    _, journal = await written(store, node="n2")
    assert [name for name, _ in store.rows] == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2"]
    assert [journal.id_of(n) for n in range(1, 7)] == [name for name, _ in store.rows]
    with pytest.raises(KeyError):
        journal.id_of(7)


@pytest.mark.parametrize("changed", [1, 2])
async def test_a_changed_record_is_named(changed: int) -> None:
    """A record that was changed and still can be read is noticed by the one that follows it, and named."""
    store = MemoryStore()
    await written(store)
    name, raw = store.rows[changed - 1]
    store.rows[changed - 1] = (name, raw.replace(b'"wall":', b'"wall":1'))
    verdict, _ = await verify(store)
    assert (verdict.ok, verdict.first_bad) == (False, changed)
    assert f"record {changed} was changed" in verdict.problem


async def test_a_changed_reference_is_named() -> None:
    """Where the hash of the record before was changed, the record that holds it is named, not the one before."""
    store = MemoryStore()
    await written(store)
    name, raw = store.rows[1]
    store.rows[1] = (name, raw.replace(digest(store.rows[0][1]).encode(), b"0" * 64))
    verdict, _ = await verify(store)
    assert (verdict.ok, verdict.first_bad) == (False, 2)


async def test_a_hole_is_named() -> None:
    """A record that is missing in the middle breaks the chain at the one after it."""
    store = MemoryStore()
    await written(store)
    del store.rows[1]
    verdict, _ = await verify(store)
    assert (verdict.ok, verdict.first_bad) == (False, 2)
    assert "hole" in verdict.problem


async def test_a_record_that_cannot_be_read_is_named() -> None:
    """Bytes that are no record are reported with their number, not as a traceback."""
    store = MemoryStore()
    await written(store)
    store.rows[2] = (store.rows[2][0], b"\xff not json")
    verdict, _ = await verify(store)
    assert verdict.first_bad == 3


async def test_decisions_that_replay_does_not_give_are_refused() -> None:
    """A record with other decisions than the engine takes is broken even if its chain is right."""
    store = MemoryStore()
    engine, journal = await written(store)
    forged = Drafted(engine.state.n + 1, TimePassed(at=4), engine.apply(TimePassed(at=4)), "v1", "5-0")
    refusal = engine.apply(StatusSet(at=4, agent="nobody", target="nobody", status=Status.AWAY))
    await journal.append([Drafted(forged.n, forged.event, refusal, "v1", "5-0")], {}, wall=4)
    with pytest.raises(JournalBroken) as caught:
        await Journal(store).replay(Engine())
    assert caught.value.first_bad == 4


@pytest.mark.parametrize("lost_after", [False, True])
async def test_an_unknown_result_is_asked_again(lost_after: bool) -> None:
    """An append whose answer is lost is tried again until it is known to stand, and stands once."""
    store = MemoryStore()
    engine, journal = await written(store)
    if lost_after:
        store.fail_after = 2
    else:
        store.fail_before = 2
    await journal.append([draft(engine, TimePassed(at=4))], {"b": b"x"}, wall=4)
    assert len(store.rows) == 4
    assert store.blobs["b"] == b"x"
    assert (await verify(store))[0].ok


async def test_a_stale_leader_is_refused() -> None:
    """After another leader's fence the old one's append raises Fenced and nothing is written."""
    store = MemoryStore()
    engine, journal = await written(store)
    await written(store, node="n2")
    before = list(store.rows)
    with pytest.raises(Fenced):
        await journal.append([draft(engine, TimePassed(at=4))], {}, wall=4)
    assert store.rows == before


async def test_the_chain_names_the_bytes() -> None:
    """Each record names the SHA-256 of the bytes of the one before it."""
    store = MemoryStore()
    await written(store)
    records = [decode(raw) for _, raw in store.rows]
    assert [record.prev for record in records[1:]] == [digest(raw) for _, raw in store.rows[:-1]]
