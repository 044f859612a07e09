"""The engine's state as desks see it, and news of each commit."""

from __future__ import annotations

import msgspec
import pytest

from router.app.names import Names
from router.core.errors import PoisonError
from router.core.message import Message
from router.desk.ports import Changed
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
        stage.vault.forget({identity})
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
