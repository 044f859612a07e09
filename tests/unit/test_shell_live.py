"""The engine's state as desks see it, and news of each commit."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from router.app.names import Names
from router.core.engine import Engine
from router.core.errors import PoisonError, StoreUnavailable
from router.core.message import Message
from router.desk.ports import Changed
from router.shell import follower as follower_module
from router.shell.journal import Journal
from router.shell.live import Library, Live
from router.shell.vault import raw_blob
from skills.model import WorkspaceConfig
from tests.support.shell_scene import WORKSPACE, Stage, until, written


def names() -> Names:
    """The names of an empty workspace."""
    return Names(lambda: WorkspaceConfig(workspace="acme"))


def watched() -> tuple[Stage, Live]:
    """A node and its view."""
    stage = Stage()
    live = Live(stage.leader, names())
    stage.leader.listeners.append(live.committed)
    return stage, live


async def test_news_name_the_contacts_and_agents_that_a_commit_touched() -> None:
    """Who subscribed hears of each commit what it touched, and nothing more after ending that."""
    stage, live = watched()
    news: list[Changed] = []
    end = live.subscribe(news.append)
    async with stage.leading():
        assert [one.everything for one in news] == [False, True]  # the fence, then the workspace came into force
        news.clear()
        contact = await stage.holding()
        agents = {name for one in news for name in one.agents}
        contacts = {name for one in news for name in one.contacts}
        assert (agents, contacts) == ({"ana"}, {contact})
        assert not any(one.everything for one in news)
        end()
        end()
        heard = len(news)
        await stage.act("ben", "status", status="available")
        assert len(news) == heard


async def test_a_subscriber_that_fails_keeps_no_other_from_hearing() -> None:
    """A mistake in one desk's callback reaches neither the leader nor the other desks."""
    stage, live = watched()
    heard: list[Changed] = []

    def broken(changed: Changed) -> None:
        raise ValueError("a mistake")

    live.subscribe(broken)
    live.subscribe(heard.append)
    async with stage.leading():
        assert (await stage.act("ana", "status", status="available")).ok
    assert any(one.agents == ("ana",) for one in heard)


async def test_subscriptions_may_end_while_news_are_told() -> None:
    """A subscriber may end its own subscription, or another's, while it hears news."""
    stage, live = watched()
    heard: list[str] = []

    def first(changed: Changed) -> None:
        heard.append("first")
        end_first()
        end_second()

    end_first = live.subscribe(first)
    end_second = live.subscribe(lambda changed: heard.append("second"))
    async with stage.leading():
        await stage.act("ana", "status", status="available")
    assert heard.count("first") == 1


async def test_the_state_is_that_of_the_last_commit() -> None:
    """The view follows the engine, also when the leader has begun again with another one."""
    stage, live = watched()
    async with stage.leading():
        engine = stage.leader.engine
        contact = await stage.holding()
        assert live.state is engine.state
        assert live.utilisation("ana") >= live.utilisation("ben") >= 0
        assert live.utilisation("nobody") == 0
        assert live.names.team("front") == "front"
    again = Stage(stage.store)
    view = Live(again.leader, names())
    async with again.leading():
        assert contact in view.state.contacts
        assert view.state.workspace == WORKSPACE


async def test_texts_are_opened_and_erased_ones_are_absent() -> None:
    """What was written is read from the vault; without its key it is absent, and no error."""
    stage, _ = watched()
    library = Library(stage.vault, stage.leader, lambda raw, part: ("a.txt", "text/plain", raw[part:]))
    async with stage.leading():
        message = await stage.receive(written("hello"))
        await until(lambda: stage.contact_of(message) and not stage.store.inbox)
        found = await library.messages([message, "9-9"])
        assert {name: one.text for name, one in found.items()} == {message: "hello"}
        name, kind, content = await library.attachment(message, 1)
        assert (name, kind) == ("a.txt", "text/plain")
        assert msgspec.json.decode(b"{" + content, type=Message).text == "hello"
        owner = stage.store.blobs[raw_blob(message)]
        identity = owner[2 : 2 + owner[1]].decode()
        del stage.store.keys[identity]
        stage.vault.erase({identity})
        assert await library.messages([message]) == {}
        with pytest.raises(KeyError):
            await library.attachment(message, 1)


async def test_a_part_that_is_none_is_a_key_error() -> None:
    """An attachment that the mail does not have is unknown, not a failure."""
    stage, _ = watched()

    def none(raw: bytes, part: int) -> tuple[str, str, bytes]:
        raise PoisonError("no such part")

    library = Library(stage.vault, stage.leader, none)
    async with stage.leading():
        message = await stage.receive(written("hello"))
        await until(lambda: stage.contact_of(message) and not stage.store.inbox)
        for name in (message, "9-9"):
            with pytest.raises(KeyError):
                await library.attachment(name, 7)


class Gate:
    """Holds appends back until it is opened."""

    def __init__(self, stage: Stage) -> None:
        self.opened = asyncio.Event()
        self.append = stage.store.journal_append
        stage.store.journal_append = self._held  # type: ignore[method-assign]

    async def _held(self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]) -> None:
        await self.opened.wait()
        await self.append(expected_last, records, blobs)


async def test_whoever_looks_while_the_store_hangs_waits_for_what_stands() -> None:
    """Between a decision and its commit `settled` gives nothing; then it gives the state with the commit in it."""
    stage, live = watched()
    async with stage.leading():
        gate = Gate(stage)
        message = await stage.receive(written("hello"))
        await until(lambda: stage.leader.follower.ahead)
        looking = asyncio.create_task(live.settled())
        await asyncio.sleep(0.05)
        assert not looking.done()
        records = len(stage.store.rows)
        gate.opened.set()
        state = await looking
        assert len(stage.store.rows) > records
        assert any(ref.id == message for contact in state.contacts.values() for ref in contact.messages)


async def test_a_store_that_hangs_for_long_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever: after a while whoever looks is told that the store has not confirmed."""
    monkeypatch.setattr(follower_module, "SETTLE_SECONDS_MAX", 0.02)
    stage, live = watched()
    async with stage.leading():
        gate = Gate(stage)
        await stage.receive(written("hello"))
        await until(lambda: stage.leader.follower.ahead)
        with pytest.raises(StoreUnavailable):
            await live.settled()
        gate.opened.set()


async def test_what_was_decided_and_refused_by_the_store_is_never_seen() -> None:
    """A leader that another one fences shows nothing of its last batch: not before, and not after it was refused."""
    old, live = watched()
    async with old.leading():
        gate = Gate(old)
        await old.receive(written("refused"))
        await until(lambda: old.leader.follower.ahead)
        looking = asyncio.create_task(live.settled())
        old.store.leases["leader"] = "n2"
        journal = Journal(old.store)
        engine = Engine()
        await journal.replay(engine)
        old.store.journal_append = gate.append  # type: ignore[method-assign]
        await journal.fence(engine, node="n2", at=engine.state.at, wall=1)
        gate.opened.set()
        state = await looking
        assert state.contacts == {}
        assert state.node == "n2"
