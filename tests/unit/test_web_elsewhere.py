"""Typing and who is there, between nodes: both ways, only what one may see, and no harm if a note is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from router.web import elsewhere as elsewhere_module
from router.web.elsewhere import HELD_SECONDS, NOTE_CONTACTS_MAX, Elsewhere, Spot
from tests.fakes.chat_site import ChatSite, chatting
from tests.fakes.desk_site import Site
from tests.fakes.hub import Hub
from tests.support.chat_workspace import Visitor
from tests.support.shell_scene import until

PATIENCE_SECONDS = 60.0


@pytest.fixture
def hub() -> Hub:
    """The way between the nodes."""
    return Hub()


@pytest_asyncio.fixture
async def nodes(hub: Hub) -> AsyncIterator[tuple[ChatSite, Site]]:
    """Two nodes with one state: at the first one the visitors come in, at the second one the agents sit."""
    async with chatting(passing=hub.node("a")) as first:
        first.house.available("ana")
        second = Site(house=first.house, parts=replace(first.parts, passing=hub.node("b")))
        await second.start()
        try:
            yield first, second
        finally:
            await second.stop()


@asynccontextmanager
async def desk(site: Site, agent: str, contact: str) -> AsyncIterator[ClientConnection]:
    """An agent's line to a node, with a contact open."""
    headers = {"Cookie": site.cookie(agent)}
    async with connect(f"ws{site.url[4:]}/desk/live", origin=Origin(site.url), additional_headers=headers) as socket:
        await socket.send(json.dumps({"contact": contact}))
        yield socket


async def others(socket: ClientConnection, **wanted: object) -> dict[str, Any]:
    """The next frame that says who else is there, with these values."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            got: dict[str, Any] = json.loads(await socket.recv())
            if got["type"] == "others" and all(got[name] == value for name, value in wanted.items()):
                return got


async def test_visitor_and_agent_at_two_nodes_see_each_other(nodes: tuple[ChatSite, Site], hub: Hub) -> None:
    """The agent sees that the visitor is there, has gone, is back and writes; the visitor that the agent writes."""
    here, there = nodes
    async with Visitor(here.url) as first:
        await first.write("client-01", "A secret question")
        here.answer("Good morning")
        line = desk(there, "ana", here.contact.id)
        ana = await line.__aenter__()
        await others(ana, here=["The customer"], typing=[])
    await others(ana, here=[])
    records = here.house.state.n
    async with Visitor(here.url, held=first.held) as visitor:
        await others(ana, here=["The customer"])
        await visitor.say(type="typing")
        await others(ana, typing=["The customer"], here=[])
        await ana.send(json.dumps({"contact": here.contact.id, "typing": True, "reply": True}))
        assert (await visitor.frame("typing"))["who"] == "Ana"
    await line.__aexit__(None, None, None)
    assert here.house.state.n == records
    said = b"".join(note for _, note in hub.said)
    assert said
    assert b"secret" not in said
    assert b"Good" not in said


async def test_colleagues_at_two_nodes_see_each_other(nodes: tuple[ChatSite, Site], hub: Hub) -> None:
    """Who has the contact open at another node is shown, and who writes there; nobody of a node that is gone."""
    here, there = nodes
    contact = here.house.mail("I want my money back.").id
    async with desk(here, "ana", contact) as ana, desk(there, "eva", contact) as eva:
        await others(ana, here=["Eva Lindqvist"])
        await others(eva, here=["Ana Souza"])
        await eva.send(json.dumps({"contact": contact, "typing": True}))
        await others(ana, typing=["Eva Lindqvist"], here=[])
        hub.living.remove("b")
        await ana.send(json.dumps({"contact": contact}))
        await others(ana, typing=[], here=[])


async def test_what_another_node_says_shows_nobody_more_than_they_may_see(
    nodes: tuple[ChatSite, Site], hub: Hub
) -> None:
    """An agent who may not see a contact is not shown in it, nor anybody but its owner to the customer."""
    here, _ = nodes
    forged, true = hub.node("c"), hub.node("d")
    contact = here.house.mail("I want my money back.").id
    async with desk(here, "ana", contact) as ana, Visitor(here.url) as visitor:
        await visitor.write("client-01", "Hello")
        here.answer("Good morning")
        chat = here.contact.id
        await others(ana, here=[])
        for spots in (
            [Spot(contact, {"ben": True, "nobody": True})],
            [Spot("no such contact", {"eva": True}, visitor=True, writes=True, answers="eva")],
            [Spot(chat, answers="ben")],
            "nonsense",
        ):
            forged.pass_on(msgspec.msgpack.encode(spots))
        true.pass_on(msgspec.msgpack.encode([Spot(contact, {"eva": False}), Spot(chat, answers="ana")]))
        told = await others(ana)
        assert (told["typing"], told["here"]) == ([], ["Eva Lindqvist"])
        assert (await visitor.frame("typing"))["who"] == "Ana"
        assert not [one for one in visitor.frames if one["type"] == "typing"]


class Place:
    """A node that has so many contacts open."""

    def __init__(self, contacts: Iterable[str] = ()) -> None:
        self.contacts = list(contacts)
        self.seen: list[str] = []

    def spot(self, contact: str) -> Spot:
        """Ana is everywhere."""
        return Spot(contact, {"ana": False})

    def open_contacts(self) -> list[str]:
        """All of them."""
        return self.contacts

    def noticed(self, contact: str, _: Spot) -> None:
        """Noted."""
        self.seen.append(contact)


async def test_much_at_once_is_few_notes_and_nobody_to_tell_is_none(hub: Hub) -> None:
    """However often something changes, one note says how it stands, of a bounded number of contacts."""
    node = hub.node("a")
    telling = Elsewhere(node, Place())
    for _ in range(1_000):
        telling.tell("c1", writes=True)
    other = hub.node("b")
    heard: list[bytes] = []
    other.listen(lambda _, note: heard.append(note))
    for number in range(1_000):
        telling.tell(f"c{number % (NOTE_CONTACTS_MAX + 10)}")
    await until(lambda: len(heard) == 2)
    assert [len(msgspec.msgpack.decode(note)) for note in heard] == [NOTE_CONTACTS_MAX, 10]
    telling.close()
    telling.tell("c1")
    assert len(hub.said) == 2


async def test_a_lost_note_does_no_harm(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open is told again before long; what is not told any more is forgotten, and that is noticed."""
    for name in ("PASS_SECONDS", "AGAIN_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(elsewhere_module, name, 0.001)
    here, there = Place(["c1"]), Place()
    telling, hearing = Elsewhere(hub.node("a"), here), Elsewhere(hub.node("b"), there)
    hub.lost = True
    telling.tell("c1")
    await until(lambda: hub.said)
    assert not list(hearing.at("c1"))
    hub.lost = False
    await until(lambda: list(hearing.at("c1")) == [Spot("c1", {"ana": False})])
    telling.close()
    there.seen.clear()
    monkeypatch.setattr(elsewhere_module, "HELD_SECONDS", 0.0)
    await until(lambda: there.seen)
    monkeypatch.setattr(elsewhere_module, "HELD_SECONDS", HELD_SECONDS)
    assert not list(hearing.at("c1"))
    hearing.close()


async def test_what_is_known_of_other_nodes_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that says more than a node can, pushes out the oldest of it."""
    monkeypatch.setattr(elsewhere_module, "HELD_MAX", 3)
    node = hub.node("a")
    hearing = Elsewhere(hub.node("b"), Place())
    node.pass_on(msgspec.msgpack.encode([Spot(f"c{number}", {"ana": True}) for number in range(5)]))
    assert [len(list(hearing.at(f"c{number}"))) for number in range(5)] == [0, 0, 1, 1, 1]
    hearing.close()
