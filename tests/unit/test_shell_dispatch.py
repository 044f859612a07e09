"""Desk commands: the same key is one action with one outcome; what is refused says why."""

from __future__ import annotations

import asyncio

import pytest

from router.core.errors import StoreUnavailable
from router.core.events import NoteWritten, StatusSet
from router.shell import dispatch as dispatch_module
from router.shell.dispatch import Dispatcher, Past, command_entry
from tests.support.shell_scene import Stage, until, written


async def test_the_same_key_is_one_action_with_one_outcome() -> None:
    """A retry under the same key gives the first outcome and journals nothing more."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        for _ in range(3):
            outcome = await stage.commands.act("ana", "note", {"contact": contact, "text": "Called."}, "k1")
            assert (outcome.ok, outcome.contact) == (True, contact)
    assert len(stage.store.events(NoteWritten)) == 1


async def test_the_same_key_at_the_same_time_is_one_action() -> None:
    """Two calls under one key, the second before the first is answered, share one action and one outcome."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        fields: dict[str, object] = {"contact": contact, "text": "Called."}
        both = await asyncio.gather(*(stage.commands.act("ana", "note", fields, "k1") for _ in range(2)))
        assert both[0] == both[1]
        assert both[0].ok
    assert len(stage.store.events(NoteWritten)) == 1


async def test_a_key_reused_for_another_action_is_a_conflict() -> None:
    """A key that stood for one action cannot stand for another, whether or not the first outcome is remembered."""
    stage = Stage()
    async with stage.leading():
        assert (await stage.commands.act("ana", "status", {"status": "available"}, "k1")).ok
        for commands in (stage.commands, Dispatcher(stage.store)):
            outcome = await commands.act("ana", "status", {"status": "away"}, "k1")
            assert (outcome.ok, outcome.code) == (False, "conflict")
        assert stage.leader.engine.state.agents["ana"].status == "available"


async def test_a_conflict_takes_nothing_from_who_waits_under_that_key() -> None:
    """A call with another action under a key in use is refused, and the first call still gets its outcome."""
    stage = Stage()
    first = asyncio.create_task(stage.commands.act("ana", "status", {"status": "available"}, "k1"))
    await until(lambda: stage.store.inbox)
    assert (await stage.commands.act("ana", "status", {"status": "away"}, "k1")).code == "conflict"
    async with stage.leading():
        assert (await first).ok


async def test_another_agents_key_is_another_key() -> None:
    """Two agents may use the same key for actions of their own."""
    stage = Stage()
    async with stage.leading():
        for agent in ("ana", "ben"):
            assert (await stage.commands.act(agent, "status", {"status": "available"}, "k1")).ok
    assert len(stage.store.events(StatusSet)) == 2


@pytest.mark.parametrize(
    ("agent", "action", "fields", "code"),
    [
        ("nobody", "status", {"status": "available"}, "no-such-agent"),
        ("ana", "take", {"contact": "c9"}, "no-such-contact"),
        ("ben", "reply", {"contact": "c1", "text": "Hello"}, "not-yours"),
        ("ana", "accept", {"contact": "c1", "offer": "o99"}, "already-yours"),
        ("ana", "transfer", {"contact": "c1", "to_team": "no team"}, "no-such-team"),
        ("ana", "dance", {}, "bad-request"),
        ("ana", "status", {"status": "asleep"}, "bad-request"),
        ("ana", "note", {"contact": "c1"}, "empty"),
    ],
)
async def test_a_refusal_says_its_code(agent: str, action: str, fields: dict[str, object], code: str) -> None:
    """What may not be done, and what makes no sense, comes back as a code and changes no contact."""
    stage = Stage()
    async with stage.leading():
        await stage.holding()
        outcome = await stage.act(agent, action, **fields)
        assert (outcome.ok, outcome.code) == (False, code)
        again = await stage.act("ana", "note", contact="c1", text="still mine")
        assert again.ok


async def test_an_outcome_that_is_late_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody leads an action is stored but its outcome unknown; the retry under the same key then gets it."""
    monkeypatch.setattr(dispatch_module, "ANSWER_SECONDS_MAX", 0.01)
    stage = Stage()
    with pytest.raises(StoreUnavailable, match="not known yet"):
        await stage.commands.act("ana", "status", {"status": "available"}, "k1")
    async with stage.leading():
        await until(lambda: stage.heard and not stage.store.inbox)
        assert (await stage.commands.act("ana", "status", {"status": "available"}, "k1")).ok
    assert len(stage.store.events(StatusSet)) == 1


async def test_an_action_that_could_not_be_stored_raises() -> None:
    """When the store does not answer the caller is told to try again, and the retry works."""
    stage = Stage()
    async with stage.leading():
        stage.store.down = True
        with pytest.raises(StoreUnavailable):
            await stage.commands.act("ana", "status", {"status": "available"}, "k1")
        stage.store.down = False
        assert (await stage.commands.act("ana", "status", {"status": "available"}, "k1")).ok


async def test_only_so_many_outcomes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of outcomes is bounded, the oldest goes first; what is not in it is looked up in the journal."""
    monkeypatch.setattr(dispatch_module, "OUTCOMES_KEPT_MAX", 3)
    stage = Stage()
    async with stage.leading():
        for number in range(5):
            await stage.commands.act("ana", "status", {"status": "available"}, f"k{number}")
        looked = stage.store.looked_up
        assert (await stage.commands.act("ana", "status", {"status": "available"}, "k4")).ok
        assert stage.store.looked_up == looked
        assert (await stage.commands.act("ana", "status", {"status": "available"}, "k0")).ok
        assert stage.store.looked_up > looked
    assert len(stage.store.events(StatusSet)) == 5


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("status", {"status": "available"}, ""),
        ("take", {"contact": "c999"}, "no-such-contact"),
        ("status", {"status": "asleep"}, "bad-request"),
        ("dance", {}, "bad-request"),
    ],
)
async def test_a_retry_after_a_restart_is_answered(action: str, fields: dict[str, object], code: str) -> None:
    """Whatever became of an action, another process answers its retry with the same, and journals nothing more."""
    stage = Stage()
    async with stage.leading():
        for number in range(20):
            await stage.receive(written(f"before {number}"))
        first = await stage.commands.act("ana", action, fields, "k1")
        for number in range(20):
            await stage.receive(written(f"after {number}"))
        await until(lambda: len(stage.contacts) == 40)
    assert (first.ok, first.code) == (not code, code)
    records = len(stage.store.rows)
    again = Stage(stage.store)
    async with again.leading():
        assert await again.commands.act("ana", action, fields, "k1") == first
    assert len(stage.store.rows) == records + 1  # the second leader's fence


async def test_the_record_of_any_entry_is_found() -> None:
    """Each journaled entry's record is found by its id, however many there are; an unknown one has none."""
    stage = Stage()
    async with stage.leading():
        entries = [await stage.receive(written(f"m{number}")) for number in range(70)]
        await until(lambda: len(stage.contacts) == 70)
        past = Past(stage.store, stage.leader)
        for entry in entries:
            record = await past.record_of(entry)
            assert record is not None
            assert record.event.inbox == entry
        assert await past.record_of("1-0") is None
        assert await past.record_of("9999999999999-0") is None


def test_what_is_written_is_kept_apart_from_what_is_asked() -> None:
    """An entry's meta holds no word of the text, and neither an agent's name nor an action can be set by a field."""
    entry = command_entry("ana", "reply", {"text": "secret words", "contact": "c1", "agent": "sue", "action": "x"}, "k")
    assert b"secret" not in entry.meta
    assert b"secret words" in entry.raw
    assert entry.meta == b'{"contact":"c1","agent":"ana","action":"reply"}'
