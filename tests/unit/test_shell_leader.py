"""The leader: one append at a time, nothing said before it stands, begun anew whenever in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from router.core.decisions import Decision
from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.core.events import (
    Event,
    LeaderElected,
    MessageQuarantined,
    MessageReceived,
    MessageReleased,
    StatusSet,
    TimePassed,
    WorkspaceChanged,
)
from router.core.values import Workspace
from router.shell import leader as leader_module
from router.shell import lease as lease_module
from router.shell import yielding as yielding_module
from router.shell.asked import Asked, NotLeading
from router.shell.audit import verify
from router.shell.follower import Applied
from router.shell.journal import Drafted, Journal
from router.shell.store import Store
from router.shell.workers import Raw, understand
from tests.support.shell_scene import PATIENCE_SECONDS, WORKSPACE, ShellStore, Stage, read_json, until, written
from tests.support.stores import opened


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are short."""
    monkeypatch.setattr(leader_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(lease_module, "KEEP_SECONDS", 0.01)
    monkeypatch.setattr(lease_module, "LOOK_SECONDS", 0.0)


def failing(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Event], bool]) -> None:
    """Give the engine a mistake: it raises on events that are `wrong`, after it has begun to change its state."""
    apply = Engine.apply

    def mistaken(self: Engine, event: Event) -> tuple[Decision, ...]:
        decisions = apply(self, event)
        if wrong(event):
            raise RuntimeError("a mistake in the engine")
        return decisions

    monkeypatch.setattr(Engine, "apply", mistaken)


class OnDisk:
    """The embedded store in the place of the one in memory."""

    def __init__(self, store: Store) -> None:
        self.trace: list[str] = []
        self.append = store.inbox_append
        self._store = store

    def __getattr__(self, name: str) -> object:
        """All else is the store's own."""
        return getattr(self._store, name)


async def whole(store: ShellStore, stage: Stage) -> bool:
    """Whether the journal verifies and replays to the state that is live."""
    verdict, _ = await verify(store)
    return verdict.ok and verdict.state_hash == stage.leader.engine.state_hash()


async def test_messages_become_contacts_in_the_order_they_came() -> None:
    """Many messages are journaled in inbox order, the inbox ends empty, and replay gives the live state."""
    stage = Stage()
    ids = [await stage.receive(written(f"m{number}", f"c{number}@x.example")) for number in range(150)]
    async with stage.leading():
        ids += [await stage.receive(written(f"m{number}", f"c{number}@x.example")) for number in range(150, 200)]
        await until(lambda: len(stage.contacts) == 200 and not stage.store.inbox)
        assert [contact.messages[0].id for contact in stage.contacts] == ids
    assert await whole(stage.store, stage)


async def test_listeners_hear_only_of_what_stands() -> None:
    """Each commit is heard once, after its append has been answered, and what is heard is what is journaled."""
    stage = Stage()
    async with stage.leading():
        for number in range(5):
            await stage.receive(written(f"m{number}"))
        await until(lambda: len(stage.contacts) == 5)
    heard = [step for step in stage.store.trace if step != "append"]
    first = heard.index("heard")
    assert heard[first - 1 :][::2] == ["appended"] * (len(heard[first - 1 :]) // 2)
    assert [one.draft.n for one in stage.heard] == [record.n for record in stage.store.records()]


@pytest.mark.parametrize("how", ["fail_before", "fail_after"])
async def test_an_append_that_is_not_answered_is_tried_again_and_heard_once(how: str) -> None:
    """While the outcome of an append is unknown nobody hears of it; it stands once, and is heard once."""
    stage = Stage()
    async with stage.leading():
        stage.store.trace.clear()
        setattr(stage.store, how, 2)
        message = await stage.receive(written())
        await until(lambda: any(getattr(one.draft.event, "message", "") == message for one in stage.heard))
        assert stage.store.trace[:2] == ["append", "append"]
        assert stage.store.trace.index("heard") > stage.store.trace.index("appended")
        assert stage.store.trace.count("heard") == 1
        await until(lambda: not stage.store.inbox)
    assert len(stage.store.events(MessageReceived)) == 1
    assert await whole(stage.store, stage)


async def test_a_store_that_is_away_for_a_while_costs_nothing_but_time() -> None:
    """A leader whose store stops answering everything goes on where it was when the store is back."""
    stage = Stage()
    async with stage.leading():
        await stage.receive(written("before"))
        await until(lambda: len(stage.contacts) == 1)
        await stage.receive(written("during"))
        stage.store.down = True
        await asyncio.sleep(0.1)
        stage.store.down = False
        await stage.receive(written("after"))
        await until(lambda: len(stage.contacts) == 3 and not stage.store.inbox)
    assert await whole(stage.store, stage)


async def test_a_store_that_is_away_at_the_start_is_waited_for() -> None:
    """A leader that finds no store leads as soon as there is one."""
    stage = Stage()
    stage.store.down = True
    task = asyncio.create_task(stage.leader.run())
    await asyncio.sleep(0.05)
    assert not stage.leader.leading
    stage.store.down = False
    await until(lambda: stage.leader.leading)
    stage.leader.stop()
    await task


async def test_the_engines_mistake_on_one_message_harms_that_message_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message on which the engine raises is quarantined, all others of its batch are routed, none is lost."""
    stage = Stage()
    bad = {await stage.receive(written("a")), await stage.receive(written("b"))}
    bad_one = min(bad)
    failing(monkeypatch, lambda event: isinstance(event, MessageReceived) and event.message == bad_one)
    for number in range(6):
        await stage.receive(written(f"m{number}"))
    async with stage.leading():
        await until(lambda: len(stage.contacts) == 8 and not stage.store.inbox)
        assert list(stage.leader.engine.state.quarantined) == [bad_one]
        assert not any(applied.prepared.event is None for applied in stage.heard)
    assert [event.message for event in stage.store.events(MessageQuarantined)] == [bad_one]  # type: ignore[union-attr]
    assert await whole(stage.store, stage)


async def test_the_engines_mistake_on_a_command_is_said_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action on which the engine raises is answered as an internal error, and the next one works."""
    stage = Stage()
    failing(monkeypatch, lambda event: isinstance(event, StatusSet) and event.agent == "ben")
    async with stage.leading():
        outcome = await stage.act("ben", "status", status="available")
        assert (outcome.ok, outcome.code) == (False, "internal")
        assert (await stage.act("ana", "status", status="available")).ok
    assert [event.agent for event in stage.store.events(StatusSet)] == ["ana"]  # type: ignore[union-attr]


async def test_the_engines_mistake_on_a_message_that_came_back_quarantines_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deferred message on whose return the engine raises is quarantined under its first id, and leaves the inbox."""
    stage = Stage()
    slow = written("slow")
    stage.workers.held.add(slow)
    failing(monkeypatch, lambda event: isinstance(event, MessageReceived))
    async with stage.leading():
        message = await stage.receive(slow)
        await until(lambda: message in stage.leader.engine.state.deferred)
        stage.workers.release()
        await until(lambda: message in stage.leader.engine.state.quarantined and not stage.store.inbox)
        assert not stage.leader.engine.state.deferred


async def test_an_engine_that_fails_on_time_itself_is_not_driven_in_circles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no entry can be left out each new beginning waits longer, and it goes on once the mistake is gone."""
    stage = Stage()
    slept: list[float] = []
    wrong = True

    async def pause(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(stage.leader, "_pause", pause)
    failing(monkeypatch, lambda event: wrong and isinstance(event, TimePassed))
    monkeypatch.setattr(Engine, "next_timer", lambda self: self.state.at if wrong else None)
    task = asyncio.create_task(stage.leader.run())
    await until(lambda: len(slept) == 12)
    assert slept[0] < slept[1] < slept[2] < slept[3]
    assert max(slept) <= leader_module.REBUILD_SECONDS_MAX
    wrong = False
    await stage.receive(written())
    await until(lambda: len(stage.contacts) == 1)
    stage.leader.stop()
    await task


async def test_a_fenced_leader_throws_its_engine_away() -> None:
    """When another node began an epoch the old leader's append writes nothing, and it rebuilds from the journal."""
    old = Stage()
    async with old.leading():
        await old.receive(written("first"))
        await until(lambda: len(old.contacts) == 1 and not old.store.inbox)
        engine = old.leader.engine
        old.store.leases["leader"] = "n2"
        other = Stage(old.store, node="n2")
        async with other.leading():
            await old.receive(written("second"))
            await until(lambda: len(other.contacts) == 2 and not old.store.inbox)
        old.store.leases.clear()
        await until(lambda: old.leader.leading and len(old.contacts) == 2)
        assert old.leader.engine is not engine
        await old.receive(written("third"))
        await until(lambda: len(old.contacts) == 3)
    elected = old.store.events(LeaderElected)
    assert [event.node for event in elected] == ["n1", "n2", "n1"]  # type: ignore[union-attr]
    assert len(old.store.events(MessageReceived)) == 3
    assert await whole(old.store, old)


async def test_who_leads_no_more_has_nothing_read_for_nobody() -> None:
    """What was read ahead or deferred is read by whoever leads next, and not a second time behind what is left over."""
    stage = Stage()
    slow, next_one = written("slow"), written("next")
    stage.workers.held |= {slow, next_one}
    async with stage.leading():
        message = await stage.receive(slow)
        await until(lambda: message in stage.leader.engine.state.deferred)
        await stage.receive(next_one)
        await until(lambda: stage.workers.asked == [slow, next_one])
    assert [future.cancelled() for future in stage.workers.futures()] == [True, True]
    again = Stage(stage.store)
    async with again.leading():
        await until(lambda: len(again.contacts) == 2 and not again.store.inbox)
        assert sorted(again.workers.asked) == sorted([slow, next_one])


async def test_a_leader_without_the_lease_waits() -> None:
    """While another node holds the lease nothing is journaled, and it leads when the lease is free."""
    stage = Stage()
    stage.store.leases["leader"] = "other"
    task = asyncio.create_task(stage.leader.run())
    await asyncio.sleep(0.05)
    assert stage.store.rows == []
    assert not stage.leader.leading
    stage.store.leases.clear()
    await until(lambda: stage.leader.leading)
    stage.leader.stop()
    await task


async def test_a_node_that_should_not_lead_lets_another_and_leads_when_none_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It gives the lease back and leaves it to the other; once nobody has wanted it for a while it leads after all."""
    monkeypatch.setattr(yielding_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(leader_module, "PATIENCE_SECONDS", 0.3)
    unable = Stage()
    able = Stage(unable.store, node="n2")
    better: list[Stage] = []
    unable.leader.yields = lambda: bool(better)
    async with unable.leading():
        await unable.receive(written("first"))
        await until(lambda: len(unable.contacts) == 1)
        better.append(able)
        async with able.leading():
            await until(lambda: not unable.leader.leading)
            await able.receive(written("second"))
            await until(lambda: len(able.contacts) == 2 and len(unable.contacts) == 2)
            assert able.leader.leading
        await able.leader.lease.release()
        await until(lambda: unable.leader.leading)
    assert [event.node for event in unable.store.events(LeaderElected)] == ["n1", "n2", "n1"]  # type: ignore[union-attr]
    assert await whole(unable.store, unable)


async def test_what_was_asked_of_a_leader_that_is_none_any_more_is_not_journaled_later() -> None:
    """Whoever asks where nobody leads, or waits when the lead is lost, is told; nothing comes of it later."""
    stage, asked = Stage(), Asked()
    with pytest.raises(NotLeading):
        await stage.leader.propose("v2", WORKSPACE)
    for took in (False, True):
        waiting = asked.put(lambda at: WorkspaceChanged(at=at, version="v2", workspace=WORKSPACE))
        assert len(asked.take(1)) == 1 if took else True
        asked.give_up()
        with pytest.raises(NotLeading):
            await waiting
        assert asked.take(2) == []
    async with stage.leading():
        await stage.receive(written("first"))
        await until(lambda: len(stage.contacts) == 1)
    assert [event.version for event in stage.store.events(WorkspaceChanged)] == ["v1"]  # type: ignore[union-attr]


async def test_a_node_that_leads_no_more_shows_what_the_next_one_journals() -> None:
    """Words that a leader has kept in memory are not shown any more once another node may put others in their place."""
    first = Stage()
    async with first.leading():
        message = await first.receive(b"not to be read")
        await until(lambda: first.contact_of(message))
        assert (await first.vault.messages([message]))[message].warnings
    await first.leader.lease.release()
    second = Stage(first.store, "n2")
    understood = msgspec.json.encode(understand(Raw(written("read at last"), b"{}", read_json)))
    async with second.leading():
        await second.tell("reread", message, understood)
        await until(lambda: second.store.events(MessageReleased))
    assert (await first.vault.messages([message]))[message].text == "read at last"


async def test_what_was_journaled_and_not_deleted_is_tidied_at_the_start() -> None:
    """After a crash between append and delete the next leader deletes the entries and takes none of them twice."""
    first = Stage()
    async with first.leading() as task:
        first.store.fail_deletes = 1 << 30
        ids = [await first.receive(written(f"m{number}")) for number in range(100)]
        await until(lambda: len(first.contacts) == 100)
        await first.crash(task)
    assert set(ids) <= set(first.store.inbox)
    first.store.fail_deletes = 0
    second = Stage(first.store)
    await second.receive(written("later"))
    async with second.leading():
        await until(lambda: len(second.contacts) == 101 and not second.store.inbox)
    assert len(first.store.events(MessageReceived)) == 101
    assert await whole(second.store, second)


async def test_deleting_is_tried_again_until_it_works() -> None:
    """Entries in their place are deleted however often the store fails at that, and routing does not wait for it."""
    stage = Stage()
    async with stage.leading():
        stage.store.fail_deletes = 3
        await stage.receive(written("a"))
        await stage.receive(written("b"))
        await until(lambda: len(stage.contacts) == 2)
        await until(lambda: not stage.store.inbox)
        assert stage.store.fail_deletes == 0


async def test_the_workspace_is_journaled_when_it_changed() -> None:
    """A start with the same workspace adds no record of it; a start with another puts that in force."""
    first = Stage()
    async with first.leading():
        pass
    again = Stage(first.store)
    async with again.leading():
        assert again.leader.engine.state.version == "v1"
    changed = Stage(first.store, workspace=msgspec.structs.replace(WORKSPACE, name="other"), version="v2")
    async with changed.leading():
        assert changed.leader.engine.state.workspace.name == "other"
    versions = [event.version for event in first.store.events(WorkspaceChanged)]  # type: ignore[union-attr]
    assert versions == ["v1", "v2"]


async def test_calendars_that_end_soon_are_expanded_anew() -> None:
    """A workspace of the same version whose calendars reach not far enough is put in force again at the start."""
    near = Workspace(name="acme", calendars={"day": ((0, 1_000),)})
    first = Stage(workspace=near)
    async with first.leading():
        pass
    second = Stage(first.store, workspace=near)
    async with second.leading():
        pass
    assert len(first.store.events(WorkspaceChanged)) == 2


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing() -> None:
    """An exception in one listener reaches neither the others nor the leader."""
    stage = Stage()

    def broken(applied: list[Applied]) -> None:
        raise ValueError(len(applied))

    stage.leader.listeners.insert(0, broken)
    async with stage.leading():
        await stage.receive(written())
        await until(lambda: len(stage.contacts) == 1)
        assert (await stage.act("ana", "status", status="available")).ok


async def test_stopping_finishes_the_batch_at_hand() -> None:
    """When asked to stop in the middle of an append, that batch is journaled and heard before the leader ends."""
    stage = Stage()
    async with stage.leading():
        stage.store.fail_before = 2
        await stage.receive(written())
        await until(lambda: stage.store.fail_before < 2)
        stage.leader.stop()
    assert len(stage.store.events(MessageReceived)) == 1
    assert any(isinstance(one.draft.event, MessageReceived) for one in stage.heard)


async def test_a_broken_journal_ends_the_leader() -> None:
    """A journal whose chain does not hold is not led from: the leader raises and writes nothing."""
    stage = Stage()
    async with stage.leading():
        await stage.receive(written())
        await until(lambda: len(stage.contacts) == 1)
    del stage.store.rows[1]
    before = list(stage.store.rows)
    with pytest.raises(JournalBroken):
        await Stage(stage.store).leader.run()
    assert stage.store.rows == before


async def test_the_same_holds_over_the_real_store(tmp_path: Path) -> None:
    """Over the embedded store messages, a deferred one and a quarantined one survive a crash, each once, in order."""
    async with opened(tmp_path) as store:
        on_disk = cast("ShellStore", OnDisk(store))
        first = Stage(on_disk)
        slow = written("slow", "slow@x.example")
        first.workers.held.add(slow)
        async with first.leading() as task:
            ids = [await first.receive(raw) for raw in (written("a"), slow, b"no json", written("b"))]
            await until(lambda: len(first.contacts) == 3)
            ids.append(await first.receive(written("c")))
            await first.crash(task)
        assert await store.inbox_length() >= 1
        second = Stage(on_disk)
        async with second.leading():
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(second.contacts) < 5 or await store.inbox_length():
                    await asyncio.sleep(0.01)
            assert sorted(contact.messages[0].id for contact in second.contacts) == sorted(ids)
            assert list(second.leader.engine.state.quarantined) == [ids[2]]
            assert (await second.vault.messages([ids[1]]))[ids[1]].text == "slow"
        verdict, _ = await verify(store)
        assert verdict.ok
        assert verdict.state_hash == second.leader.engine.state_hash()


async def test_a_leader_that_stays_expands_its_calendars_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to restart a daemon for its calendars to go on: while it leads they are looked at, too."""
    monkeypatch.setattr(leader_module, "HORIZON_LOOK_MS", 20)
    ending = Workspace(name="acme", calendars={"day": ((0, 1_000),)})

    async def compiled(now: int, in_force: str) -> tuple[str, Workspace]:
        del now
        return in_force or "v1", msgspec.structs.replace(ending)

    stage = Stage(workspace=ending, compile_workspace=compiled)
    async with stage.leading():
        await until(lambda: len(stage.store.events(WorkspaceChanged)) >= 3)
    assert await whole(stage.store, stage)


async def test_a_standby_is_told_of_everything_and_leads_with_the_engine_it_has() -> None:
    """A node that follows hears of each record that the leader writes, and takes over without reading them again."""
    first = Stage(node="n1")
    second = Stage(first.store, node="n2")
    async with first.leading():
        await first.receive(written("before"))
        await until(lambda: len(first.contacts) == 1)
        following = asyncio.create_task(second.leader.run())
        await second.leader.started()
        assert not second.leader.leading
        await first.receive(written("after"))
        await until(lambda: len(second.contacts) == 2)
        engine = second.leader.engine
        assert (await second.commands.act("ana", "status", {"status": "available"}, "k1")).ok  # the leader takes it
    first.store.leases.clear()
    await until(lambda: second.leader.leading)
    assert second.leader.engine is engine
    heard = [one.draft.n for one in second.heard]
    assert heard == list(range(heard[0], heard[-1] + 1))
    assert heard[-1] == second.leader.journal.n
    assert await whole(first.store, second)
    second.leader.stop()
    await following


async def test_whoever_is_too_late_with_the_fence_reads_on_with_the_same_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A standby whose fence is refused, because the leader wrote just then, follows on and rebuilds nothing."""
    monkeypatch.setattr(lease_module, "KEEP_SECONDS", 3_600)  # the leader has not noticed that its lease is gone
    first = Stage(node="n1")
    async with first.leading():
        second = Stage(first.store, node="n2")
        following = asyncio.create_task(second.leader.run())
        await second.leader.started()
        engine = second.leader.engine
        fence = Journal.fence
        late: list[str] = []

        async def too_late(journal: Journal, of: Engine, **more: Any) -> Drafted:
            if not late:
                late.append(await first.receive(written("just then")))
                await until(lambda: len(first.contacts) == 1)
            return await fence(journal, of, **more)

        monkeypatch.setattr(Journal, "fence", too_late)
        first.store.leases["leader"] = "n2"
        await until(lambda: second.leader.leading)
        assert second.leader.engine is engine
        assert len(second.contacts) == 1
        second.leader.stop()
        await following
    assert late
    assert await whole(first.store, second)
