"""The web desk's routes: views, actions, and what customers sent, which is hostile until shown otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.message import Message as Headers

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import StoreUnavailable
from router.core.state import Contact
from router.web.access import PAGE_HEADER, SESSION_COOKIE, new_ticket, sessions
from router.web.app import create_app
from router.web.desk import disposition
from router.web.pages import STATIC
from router.web.parts import WebParts, WebSettings
from tests.fakes.desk_parts import House

PAGE = {PAGE_HEADER: "1"}
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


@pytest.fixture
def parts(house: House) -> WebParts:
    """The web's parts over it."""
    return house.parts(settings=WebSettings(act_seconds=0.05))


def browser(parts: WebParts, agent: str) -> httpx.AsyncClient:
    """A browser in which the agent is signed in."""
    cookie = sessions(parts).sign(new_ticket(agent, parts.clock(), 600))
    transport = httpx.ASGITransport(app=create_app(parts))
    headers = {**PAGE, "Cookie": f"{SESSION_COOKIE}={cookie}"}
    return httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers)


@pytest_asyncio.fixture
async def ana(parts: WebParts) -> AsyncIterator[httpx.AsyncClient]:
    """Ana's browser."""
    async with browser(parts, "ana") as client:
        yield client


@pytest_asyncio.fixture
async def ben(parts: WebParts) -> AsyncIterator[httpx.AsyncClient]:
    """Ben's browser."""
    async with browser(parts, "ben") as client:
        yield client


@pytest.fixture
def contact(house: House) -> Contact:
    """Offered to Ana: hostile HTML and a file with a hostile name."""
    files = (("../../etc/<b>in voice</b>\r\nX: y.html", "text/html", HOSTILE.encode()),)
    return house.mail(HOSTILE, subject=HOSTILE, sender=f"{HOSTILE} <carla@example.org>", html=HOSTILE, files=files)


async def test_a_view_is_json_whatever_the_customer_wrote(ana: httpx.AsyncClient, contact: Contact) -> None:
    """Hostile text comes as a JSON string with a JSON type, never as something a browser would run."""
    answer = await ana.get(f"/desk/api/contacts/{contact.id}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["items"][0]["text"] == HOSTILE


async def test_a_customers_html_has_no_rights(ana: httpx.AsyncClient, contact: Contact) -> None:
    """HTML is served sandboxed: no script, nothing fetched, an opaque origin, framed by the desk alone."""
    message = contact.messages[0].id
    answer = await ana.get(f"/desk/api/contacts/{contact.id}/messages/{message}/html")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy


async def test_an_attachment_is_a_download_only(ana: httpx.AsyncClient, contact: Contact) -> None:
    """Whatever type the sender claims, a file is bytes to be saved, under a harmless name."""
    message = contact.messages[0].id
    answer = await ana.get(f"/desk/api/contacts/{contact.id}/messages/{message}/files/1")
    assert answer.content == HOSTILE.encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    given = answer.headers["content-disposition"]
    assert given.startswith("attachment;")
    assert "/etc" not in given
    assert "X: y" not in given.partition("filename*")[0]


@given(st.text(max_size=80))
def test_any_file_name_makes_one_safe_header(name: str) -> None:
    """No name breaks out of its header, names a folder, or hides the file."""
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    parsed = Headers()
    parsed["Content-Disposition"] = header
    assert parsed.get_content_disposition() == "attachment"
    saved = parsed.get_filename("")
    assert saved
    assert "/" not in saved
    assert "\\" not in saved
    assert not saved.startswith(".")


@pytest.mark.parametrize("path", ["", "/people", "/why", "/messages/{m}/html", "/messages/{m}/files/1"])
async def test_another_agents_contact_cannot_be_read(ben: httpx.AsyncClient, contact: Contact, path: str) -> None:
    """To an agent whom it does not concern a contact does not exist, by any route."""
    answer = await ben.get(f"/desk/api/contacts/{contact.id}{path.format(m=contact.messages[0].id)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_contact")


@pytest.mark.parametrize("what", ["html", "files/1"])
async def test_a_message_is_only_found_in_its_own_contact(
    ana: httpx.AsyncClient, house: House, contact: Contact, what: str
) -> None:
    """A message of a contact that the agent may not see is not to be had through one that they may."""
    other = house.mail("secret", sender="x@example.org", topic="lost-pet", html="<p>secret</p>")
    await house.act("eva", "take", {"contact": other.id}, "1")
    answer = await ana.get(f"/desk/api/contacts/{contact.id}/messages/{other.messages[0].id}/{what}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_message")


async def test_a_missing_part_is_not_found(ana: httpx.AsyncClient, contact: Contact) -> None:
    """A part that the message does not have is 404, and so is one that is no number."""
    message = contact.messages[0].id
    assert (await ana.get(f"/desk/api/contacts/{contact.id}/messages/{message}/files/7")).status_code == 404
    assert (await ana.get(f"/desk/api/contacts/{contact.id}/messages/{message}/files/x")).status_code == 422


async def act(client: httpx.AsyncClient, action: str, key: str = "k", **fields: object) -> httpx.Response:
    """As the page does it."""
    return await client.post("/desk/api/act", json={"action": action, "key": key, "fields": fields})


async def test_an_action_by_another_name_is_not_possible(
    ben: httpx.AsyncClient, house: House, contact: Contact
) -> None:
    """Who acts is said by the session alone: a foreign agent in the fields is refused."""
    assert contact.offer is not None
    answer = await act(ben, "accept", contact=contact.id, offer=contact.offer.id, agent="ana")
    assert answer.json()["ok"] is False
    refused = await act(ben, "accept", key="2", contact=contact.id, offer=contact.offer.id)
    assert refused.json()["ok"] is False
    assert contact.agent is None


async def test_a_refusal_is_an_answer_not_an_error(ana: httpx.AsyncClient, contact: Contact) -> None:
    """What the engine refuses comes as 200 with a sentence to show."""
    answer = await act(ana, "accept", contact=contact.id, offer="o99")
    assert answer.status_code == 200
    assert answer.json()["message"] == "This offer has lapsed."


async def test_what_could_not_be_stored_can_be_sent_again(
    ana: httpx.AsyncClient, house: House, contact: Contact
) -> None:
    """503 while the store fails; the same request later is done, once."""
    assert contact.offer is not None
    house.act_error = StoreUnavailable("down")
    failed = await act(ana, "accept", contact=contact.id, offer=contact.offer.id)
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "store_unavailable")
    house.act_error = None
    assert (await act(ana, "accept", contact=contact.id, offer=contact.offer.id)).json()["ok"] is True
    assert len(house.acts) == 1


async def test_a_late_action_is_not_torn_down(ana: httpx.AsyncClient, house: House, contact: Contact) -> None:
    """When the answer takes too long the page is told so, and the action is still done."""
    assert contact.offer is not None
    house.act_gate = asyncio.Event()
    answer = await act(ana, "accept", contact=contact.id, offer=contact.offer.id)
    assert answer.json()["code"] == "late"
    assert house.acts == []
    house.act_gate.set()
    async with asyncio.timeout(30):
        while not house.acts:
            await asyncio.sleep(0)
    assert contact.agent == "ana"


async def test_a_stopping_node_takes_no_actions(ana: httpx.AsyncClient, house: House, contact: Contact) -> None:
    """While the node stops the page is told to try again."""
    assert contact.offer is not None
    house.stopping = True
    assert (await act(ana, "accept", contact=contact.id, offer=contact.offer.id)).status_code == 503
    assert house.acts == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"action": "take"}', b'{"action": 1, "key": "k"}', b"x" * 1_000_001]
)
async def test_a_malformed_action_is_refused(ana: httpx.AsyncClient, house: House, body: bytes) -> None:
    """What is no action, or endless, is refused in the shape of all errors."""
    answer = await ana.post("/desk/api/act", content=body)
    assert answer.status_code in {413, 422}
    assert set(answer.json()["error"]) == {"code", "message", "hint"}
    assert house.acts == []


async def test_people_and_reasons_are_given_for_a_contact(ana: httpx.AsyncClient, contact: Contact) -> None:
    """Whom it may be handed to, and why it came, in one request each."""
    assert [one["id"] for one in (await ana.get(f"/desk/api/contacts/{contact.id}/people")).json()["agents"]] == [
        "ben",
        "eva",
    ]
    assert (await ana.get(f"/desk/api/contacts/{contact.id}/why")).json()["headline"].startswith("It came to you")


def test_our_scripts_never_make_markup_of_text() -> None:
    """No script of ours uses a call that would turn a customer's words into markup, or fetches from elsewhere."""
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc",
                 "DOMParser", "https://", "javascript:")  # fmt: skip
    scripts = sorted(STATIC.rglob("*.js"))
    assert scripts
    for script in scripts:
        text = script.read_text()
        for word in forbidden:
            assert word not in text, f"{script.name}: {word}"
        assert text.replace("http://www.w3.org/2000/svg", "").count("http://") == 0
