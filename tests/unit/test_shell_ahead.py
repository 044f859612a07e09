"""Reading ahead: nobody waits longer than for what stands before them, and what has gathered is journaled at once."""

from __future__ import annotations

import asyncio

import pytest

from router.core.events import MessageReceived, WorkspaceChanged
from router.shell import ahead as ahead_module
from router.shell import reader as reader_module
from router.shell.ahead import Ahead
from router.shell.journal import Drafted
from tests.support.shell_scene import PATIENCE_SECONDS, WORKSPACE, Stage, until, written


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow message is waited for as long as it takes."""
    monkeypatch.setattr(reader_module, "DEFER_SECONDS", 3_600.0)


async def test_what_comes_past_the_inbox_does_not_wait_for_mail() -> None:
    """A workspace that is proposed while a message is being understood is in force before that message."""
    stage = Stage()
    slow = written("slow")
    stage.workers.held.add(slow)
    async with stage.leading():
        message = await stage.receive(slow)
        await until(lambda: stage.workers.asked)
        await stage.leader.propose("v2", WORKSPACE)
        assert stage.leader.engine.state.version == "v2"
        assert stage.contacts == []
        stage.workers.release()
        await until(lambda: stage.contact_of(message))
    kinds = [type(one.draft.event) for one in stage.heard]
    assert [kind for kind in kinds if kind in {WorkspaceChanged, MessageReceived}][-2:] == [
        WorkspaceChanged,
        MessageReceived,
    ]


async def test_what_is_asked_for_during_a_commit_is_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proposals that come while an append is under way are journaled in their turn, each once, and each is answered."""
    stage = Stage()
    append = stage.store.journal_append
    proposing: list[asyncio.Task[Drafted]] = []

    async def slow(expected: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]) -> None:
        if stage.leader.leading and len(proposing) < 3:
            proposing.append(asyncio.create_task(stage.leader.propose(f"v{len(proposing) + 2}", WORKSPACE)))
            await asyncio.sleep(0.01)
        await append(expected, records, blobs)

    monkeypatch.setattr(stage.store, "journal_append", slow)
    async with stage.leading():
        await stage.leader.propose("v1a", WORKSPACE)
        await until(lambda: len(proposing) == 3)
        drafts = await asyncio.wait_for(asyncio.gather(*proposing), PATIENCE_SECONDS)
    changes = (event for event in stage.store.events(WorkspaceChanged) if isinstance(event, WorkspaceChanged))
    versions = [event.version for event in changes]
    assert versions[-4:] == ["v1a", "v2", "v3", "v4"]
    assert [draft.config for draft in drafts] == ["v2", "v3", "v4"]


async def test_a_commit_carries_all_that_has_gathered() -> None:
    """Messages that were understood behind a slow one are journaled with it, in order, by one append."""
    stage = Stage()
    slow = written("slow")
    stage.workers.held.add(slow)
    async with stage.leading():
        ids = [await stage.receive(slow)]
        ids += [await stage.receive(written(f"m{number}", f"c{number}@x.example")) for number in range(30)]
        await until(lambda: len(stage.workers.asked) == 31)
        await until(lambda: len(stage.store.keys) >= 30)  # of those behind it: they are ripe
        stage.store.trace.clear()
        stage.workers.release()
        await until(lambda: len(stage.contacts) == 31)
        assert stage.store.trace.count("append") <= 2  # a key of the last may still have been on its way
    assert [contact.messages[0].id for contact in stage.contacts] == ids


@pytest.mark.parametrize(("limit", "most", "begun"), [("AHEAD_ENTRIES_MAX", 4, 4), ("AHEAD_BYTES_MAX", 4_000, 3)])
async def test_reading_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, most: int, begun: int) -> None:
    """Behind a slow message so many, or so many bytes, are begun and no more; all come in their turn after it."""
    monkeypatch.setattr(ahead_module, "READ_MESSAGES_MAX", 1)
    monkeypatch.setattr(ahead_module, limit, most)
    stage = Stage()
    slow = written("slow")
    stage.workers.held.add(slow)
    ids = [await stage.receive(slow)]
    ids += [await stage.receive(written("x" * 1_000 + str(number), f"c{number}@x.example")) for number in range(12)]
    async with stage.leading():
        await until(lambda: len(stage.workers.asked) == begun)
        await asyncio.sleep(0.05)
        assert len(stage.workers.asked) == begun
        stage.workers.release()
        await until(lambda: len(stage.contacts) == 13)
    assert [contact.messages[0].id for contact in stage.contacts] == ids


async def test_keys_that_cannot_be_had_ahead_are_had_in_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away while messages ripen costs time, and no message."""
    stage = Stage()
    slow = written("slow")
    stage.workers.held.add(slow)
    async with stage.leading():
        first = await stage.receive(slow)
        await until(lambda: stage.workers.asked)
        stage.store.down = True
        stage.workers.release()
        await asyncio.sleep(0.05)
        stage.store.down = False
        await until(lambda: stage.contact_of(first) and not stage.store.inbox)


@pytest.mark.parametrize("step", ["begin", "ripen"])
async def test_a_mistake_of_ours_ahead_of_a_turn_ends_leading(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What goes wrong while entries are read ahead is raised, and all that leading had begun ends with it."""
    stage = Stage()

    def mistaken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(stage.reader, step, mistaken)
    before = asyncio.all_tasks()
    task = asyncio.create_task(stage.leader.run())
    await stage.leader.ready()
    await stage.receive(written())
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    assert task.done()
    assert isinstance(task.exception(), RuntimeError | ExceptionGroup)
    assert not stage.leader.leading
    await until(lambda: asyncio.all_tasks() == before)


async def test_what_hangs_on_another_entrys_turn_has_its_own_after_that() -> None:
    """A message and the notes that bring it back are never in one batch, nor is an erasure with what follows it."""
    stage = Stage()
    ahead = Ahead(stage.store, stage.reader, set(), asyncio.Event())
    message = await stage.receive(written(), source="http")
    for what, about, state in (
        ("understood", message, ""),
        ("understood", message, "again"),
        ("understood", "another", ""),
        ("erase", "", ""),
        ("delivery", "another", ""),
    ):
        await stage.tell(what, about, state=state)
    reading = [asyncio.create_task(ahead.read("0-0")), asyncio.create_task(ahead.ripen())]
    turns: list[list[str]] = []
    while sum(map(len, turns)) < 6:
        await asyncio.sleep(0)
        if not turns:  # all are ripe by then
            await until(lambda: len(ahead) == 6)
        turns.append([one.note.what if one.note else "message" for one in ahead.take(64)])
    for task in reading:
        task.cancel()
    assert turns == [["message"], ["understood"], ["understood", "understood", "erase"], ["delivery"]]
