"""News for open desks: over a real socket, whole views, only what the agent may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from router.core import events
from router.web import together
from router.web.access import sessions
from router.web.live import SIGNED_OUT
from tests.fakes.desk_parts import workspace
from tests.fakes.desk_site import Site, running


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A running desk; Ana is available."""
    async with running() as started:
        started.house.available("ana")
        yield started


def line(site: Site, agent: str | None = "ana", origin: str | None = None, seconds: int = 600) -> connect:
    """A line to the desk, as a browser opens it."""
    headers = {"Cookie": site.cookie(agent, seconds)} if agent else {}
    return connect(
        f"ws://127.0.0.1:{site.port}/desk/live", origin=Origin(origin or site.url), additional_headers=headers
    )


async def frame(socket: ClientConnection, kind: str, **wanted: object) -> dict[str, Any]:
    """The next frame of this kind, with these values."""
    async with asyncio.timeout(30):
        while True:
            got: dict[str, Any] = msgspec.json.decode(await socket.recv())
            if got["type"] == kind and all(got.get(name) == value for name, value in wanted.items()):
                return got


async def quiet(socket: ClientConnection, kind: str) -> bool:
    """Whether no frame of this kind comes before a later change of the queue's length has been told."""
    async with asyncio.timeout(30):
        while True:
            got = msgspec.json.decode(await socket.recv())
            if got["type"] == kind:
                return False
            if got["type"] == "queue" and got["queue"] > 0:
                return True


async def closed(socket: ClientConnection) -> int:
    """The code with which the server closes."""
    async with asyncio.timeout(30):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 0


async def test_the_whole_desk_comes_first(site: Site) -> None:
    """On connecting a page gets its whole desk, so that whatever it missed does not matter."""
    contact = site.house.mail("I want my money back.")
    async with line(site) as socket:
        desk = (await frame(socket, "desk"))["desk"]
    assert [offer["contact"]["id"] for offer in desk["offers"]] == [contact.id]


async def test_a_line_ends_with_its_session(site: Site) -> None:
    """Whoever signs out somewhere else, or copied the cookie, is shown nothing that happens afterwards."""
    async with line(site) as socket:
        await frame(socket, "desk")
        header = socket.request.headers["Cookie"] if socket.request else ""
        ticket = sessions(site.parts).check(header.partition("=")[2], site.house.clock())
        assert ticket is not None
        await site.house.credentials.end(ticket.id, ticket.until)
        site.house.mail("I want my money back.")
        assert await closed(socket) == SIGNED_OUT


async def test_a_binary_frame_ends_the_line(site: Site) -> None:
    """Pages say what they have open in text; whatever sends bytes is told so by the close code."""
    async with line(site) as socket:
        await frame(socket, "desk")
        await socket.send(b"\x00")
        assert await closed(socket) == 1003


async def test_an_offer_is_pushed(site: Site) -> None:
    """A new offer reaches the agent's page without being asked for."""
    async with line(site) as socket:
        assert (await frame(socket, "desk"))["desk"]["offers"] == []
        contact = site.house.mail("I want my money back.")
        desk = (await frame(socket, "desk"))["desk"]
        assert desk["offers"][0]["contact"]["id"] == contact.id


async def test_what_concerns_others_is_not_pushed(site: Site) -> None:
    """A change on a colleague's desk sends nothing but the length of the queue."""
    async with line(site, "ben") as socket:
        await frame(socket, "desk")
        site.house.mail("I want my money back.")
        site.house.mail("My cat", topic="lost-pet", sender="p@example.org")
        assert await quiet(socket, "desk")


async def test_the_open_contact_is_followed(site: Site) -> None:
    """A page that has a contact open gets it whole at once, and again with each change of it."""
    contact = site.house.mail("I want my money back.")
    async with line(site) as socket:
        await socket.send(msgspec.json.encode({"contact": contact.id}).decode())
        card = (await frame(socket, "contact"))["contact"]
        assert [item["text"] for item in card["items"]] == ["I want my money back."]
        site.house.mail("Hello?", thread=contact.id)
        card = (await frame(socket, "contact"))["contact"]
        assert [item["text"] for item in card["items"]] == ["I want my money back.", "Hello?"]


async def test_a_contact_that_goes_elsewhere_is_taken_away(site: Site) -> None:
    """When a supervisor takes the open contact its page is told that it is gone, and gets no more of it."""
    house = site.house
    contact = house.mail("I want my money back.")
    async with line(site) as socket:
        await socket.send(msgspec.json.encode({"contact": contact.id}).decode())
        await frame(socket, "contact")
        await house.act("eva", "take", {"contact": contact.id}, "1")
        assert (await frame(socket, "desk"))["desk"]["offers"] == []
        assert (await frame(socket, "contact"))["contact"] is None


async def test_a_foreign_contact_is_not_followed(site: Site) -> None:
    """Asking for a contact of somebody else gives nothing of it."""
    contact = site.house.mail("I want my money back.")
    async with line(site, "ben") as socket:
        await socket.send(msgspec.json.encode({"contact": contact.id}).decode())
        assert (await frame(socket, "contact"))["contact"] is None


async def test_the_queue_is_followed_while_it_is_open(site: Site) -> None:
    """A page that shows the queue gets it whole, and again when something comes to wait."""
    async with line(site) as socket:
        await socket.send(msgspec.json.encode({"waiting": True}).decode())
        assert (await frame(socket, "waiting"))["waiting"]["rows"] == []
        contact = site.house.mail("My cat", topic="lost-pet")
        assert [row["id"] for row in (await frame(socket, "waiting"))["waiting"]["rows"]] == [contact.id]


async def test_a_page_that_comes_back_has_missed_nothing(site: Site) -> None:
    """After a dropped line a new one brings everything that happened in between."""
    async with line(site) as socket:
        await frame(socket, "desk")
        socket.transport.abort()
    contact = site.house.mail("I want my money back.")
    async with line(site) as socket:
        await socket.send(msgspec.json.encode({"contact": contact.id}).decode())
        assert (await frame(socket, "desk"))["desk"]["offers"][0]["contact"]["id"] == contact.id
        assert (await frame(socket, "contact"))["contact"]["contact"]["id"] == contact.id


async def test_colleagues_are_told_who_else_is_there_and_who_writes(site: Site) -> None:
    """Two who have one contact open learn of each other, hear when the other writes, and when they are gone."""
    contact = site.house.mail("I want my money back.")
    async with line(site) as ana:
        await ana.send(msgspec.json.encode({"contact": contact.id}).decode())
        async with line(site, "eva") as eva:
            await eva.send(msgspec.json.encode({"contact": contact.id}).decode())
            assert (await frame(eva, "others", here=["Ana Souza"]))["typing"] == []
            await frame(ana, "others", here=["Eva Lindqvist"])
            await eva.send(msgspec.json.encode({"contact": contact.id, "typing": True}).decode())
            assert (await frame(ana, "others", typing=["Eva Lindqvist"]))["here"] == []
            await eva.send(msgspec.json.encode({"contact": None}).decode())
            assert (await frame(ana, "others", typing=[]))["here"] == []
            await eva.send(msgspec.json.encode({"contact": contact.id, "typing": True}).decode())
            await frame(ana, "others", typing=["Eva Lindqvist"])
        await frame(ana, "others", typing=[], here=[])


async def test_writing_is_over_when_nothing_more_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops writing without a word is shown as just being there after a moment."""
    monkeypatch.setattr(together, "TYPING_SECONDS", 0.05)
    contact = site.house.mail("I want my money back.")
    async with line(site) as ana, line(site, "eva") as eva:
        await ana.send(msgspec.json.encode({"contact": contact.id}).decode())
        await eva.send(msgspec.json.encode({"contact": contact.id, "typing": True}).decode())
        await frame(ana, "others", typing=[], here=["Eva Lindqvist"])


async def test_whoever_may_not_see_a_contact_is_neither_told_nor_told_of(site: Site) -> None:
    """Asking for somebody else's contact, or writing in it, is seen by nobody and shows nobody."""
    contact = site.house.mail("I want my money back.")
    async with line(site) as ana, line(site, "ben") as ben:
        await ben.send(msgspec.json.encode({"contact": contact.id, "typing": True}).decode())
        assert (await frame(ben, "contact"))["contact"] is None
        await ana.send(msgspec.json.encode({"contact": contact.id}).decode())
        assert (await frame(ana, "others"))["here"] == []
        site.house.mail("My cat", topic="lost-pet")
        assert await quiet(ben, "others")


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "https://127.0.0.1:1"])
async def test_another_sites_page_gets_no_line(site: Site, origin: str) -> None:
    """An agent's cookie does not open a line for a page of another origin."""
    with pytest.raises(InvalidStatus) as refused:
        async with line(site, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_line_needs_a_session(site: Site) -> None:
    """Without a session the line is closed with the code that tells the page to ask for a link."""
    async with line(site, agent=None) as socket:
        assert await closed(socket) == 4401


async def test_a_removed_agents_line_ends(site: Site) -> None:
    """When an agent leaves the roster their open page is signed out at once."""
    async with line(site) as socket:
        await frame(socket, "desk")
        left = workspace()
        del left.agents["ana"]
        site.house.apply(events.WorkspaceChanged(at=site.house.clock(), version="2", workspace=left))
        assert await closed(socket) == 4401


async def test_a_session_that_ends_takes_its_line_along(site: Site) -> None:
    """A line does not outlive the session it was opened with."""
    async with line(site, seconds=60) as socket:
        await frame(socket, "desk")
        clock = site.house.clock
        site.house.clock = lambda: clock() + 61_000
        site.house.mail("I want my money back.")
        assert await closed(socket) == 4401


async def test_a_stopping_node_ends_its_lines(site: Site) -> None:
    """When the node stops each page is told to come back."""
    async with line(site) as socket:
        await frame(socket, "desk")
        site.house.stopping = True
        site.house.mail("I want my money back.")
        assert await closed(socket) == 1012


@pytest.mark.parametrize("said", ["", "{", "[]", '{"contact": 7}', "x" * 1_001])
async def test_nonsense_ends_the_line(site: Site, said: str) -> None:
    """A page that talks nonsense loses its line, and nobody else theirs."""
    async with line(site) as good, line(site) as bad:
        await frame(good, "desk")
        await frame(bad, "desk")
        await bad.send(said)
        assert await closed(bad) in {1000, 1006, 0}
        site.house.mail("I want my money back.")
        assert (await frame(good, "desk"))["desk"]["offers"]
