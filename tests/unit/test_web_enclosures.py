"""How a file of an agent's comes in at the desk: by whom, for what, how large, and what is said of a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from router.core.state import Contact
from router.desk.actions import FILES_BYTES_MAX
from router.web.access import PAGE_HEADER, SESSION_COOKIE, new_ticket, sessions
from router.web.app import create_app
from router.web.enclosures import AGENT_UPLOADS_MAX, Uploads
from tests.fakes.desk_parts import House


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


@pytest_asyncio.fixture
async def contact(house: House) -> Contact:
    """A contact that Ana has accepted."""
    found = house.mail("I want my money back.")
    assert found.offer is not None
    await house.act("ana", "accept", {"contact": found.id, "offer": found.offer.id}, "accept")
    return found


@pytest_asyncio.fixture
async def desks(house: House) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Browsers of Ana and Ben, signed in at one desk."""
    parts = house.parts()
    transport = httpx.ASGITransport(app=create_app(parts))
    found = {}
    for agent in ("ana", "ben"):
        cookie = sessions(parts).sign(new_ticket(agent, parts.clock(), 600))
        headers = {PAGE_HEADER: "1", "Cookie": f"{SESSION_COOKIE}={cookie}"}
        found[agent] = httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers)
    yield found
    for client in found.values():
        await client.aclose()


async def attach(
    client: httpx.AsyncClient, contact: str, content: bytes = b"x", headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send a file for a reply."""
    named = {"X-File-Name": "gr%C3%B6%C3%9Fe.pdf", "Content-Type": "application/pdf", **(headers or {})}
    return await client.post(f"/desk/api/contacts/{contact}/files", content=content, headers=named)


async def test_a_file_is_kept_and_named(house: House, contact: Contact, desks: dict[str, httpx.AsyncClient]) -> None:
    """The id comes back once the file is kept, under the name and type that the browser said."""
    answer = await attach(desks["ana"], contact.id, b"%PDF")
    assert (answer.status_code, answer.json()["size"]) == (202, 4)
    assert house.kept[answer.json()["id"]] == (contact.id, "größe.pdf", "application/pdf", b"%PDF")


async def test_a_file_of_a_letter_is_kept_for_its_address(house: House, desks: dict[str, httpx.AsyncClient]) -> None:
    """Whoever is signed in may attach to a letter; without an address, or from another page, nothing is kept."""
    headers = {"X-File-Name": "a.pdf", "Content-Type": "application/pdf", "X-Letter-To": "Carla%40example.org"}
    answer = await desks["ben"].post("/desk/api/letters/files", content=b"%PDF", headers=headers)
    assert answer.status_code == 202
    assert house.kept[answer.json()["id"]] == ("to carla@example.org", "a.pdf", "application/pdf", b"%PDF")
    for wrong, status in (({"X-Letter-To": "nobody"}, 422), ({"Origin": "https://evil.example"}, 403)):
        answer = await desks["ben"].post("/desk/api/letters/files", content=b"%PDF", headers={**headers, **wrong})
        assert answer.status_code == status
    assert len(house.kept) == 1


async def test_only_who_answers_may_attach(house: House, contact: Contact, desks: dict[str, httpx.AsyncClient]) -> None:
    """Another agent, another site's page, whoever is signed out, and a contact that is not open get nothing kept."""
    waiting = house.mail("Somebody?", sender="bob@example.org")
    bare = httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(house.parts())), base_url="http://desk.test")
    refused = [
        await attach(desks["ben"], contact.id),
        await attach(desks["ana"], contact.id, headers={"Origin": "https://evil.example"}),
        await attach(bare, contact.id, headers={PAGE_HEADER: "1"}),
        await attach(desks["ana"], waiting.id),
        await attach(desks["ana"], "nothing"),
    ]
    await bare.aclose()
    assert all(answer.status_code in {401, 403, 404} for answer in refused)
    assert house.kept == {}


async def test_sizes_are_refused_in_words(contact: Contact, desks: dict[str, httpx.AsyncClient]) -> None:
    """An empty file, one that is announced as too large, and one of unknown length are refused with a sentence."""
    client = desks["ana"]
    assert (await attach(client, contact.id, b"")).json()["error"]["message"] == "This file is empty."
    large = await attach(client, contact.id, b"x", {"Content-Length": str(FILES_BYTES_MAX + 1)})
    assert (large.status_code, large.json()["error"]["message"]) == (413, "The files of a reply may have 18 MB in all.")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    path = f"/desk/api/contacts/{contact.id}/files"
    assert (await client.post(path, content=pieces())).status_code == 413


async def test_more_than_was_announced_is_not_read(contact: Contact, desks: dict[str, httpx.AsyncClient]) -> None:
    """A body longer than its announced length is refused as soon as that shows."""
    assert (await attach(desks["ana"], contact.id, b"four", {"Content-Length": "3"})).status_code == 413


async def test_few_files_at_a_time(house: House, contact: Contact) -> None:
    """One agent's files beyond a few at a time are asked to come later; whatever became of one, there is room again."""
    app = create_app(house.parts())
    cookie = sessions(house.parts()).sign(new_ticket("ana", house.clock(), 600))
    headers = {PAGE_HEADER: "1", "Cookie": f"{SESSION_COOKIE}={cookie}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers) as client:
        for _ in range(AGENT_UPLOADS_MAX - 1):
            assert app.state.uploads.enter("ana")
        assert (await attach(client, contact.id)).status_code == 202
        assert (await attach(client, contact.id, b"")).status_code == 422
        assert app.state.uploads.enter("ana")
        busy = await attach(client, contact.id)
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
        app.state.uploads.leave("ana")
        assert (await attach(client, contact.id)).status_code == 202


def test_uploads_have_a_limit_in_all() -> None:
    """However many agents: so many files at a time, since each is held in memory."""
    uploads = Uploads(2)
    assert [uploads.enter(agent) for agent in ("a", "b", "c")] == [True, True, False]
    uploads.leave("a")
    assert uploads.enter("c")
