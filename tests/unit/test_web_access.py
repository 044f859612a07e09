"""Who gets in: sign-in links, sessions, bearer tokens, origins."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from router.core import events
from router.core.errors import StoreUnavailable
from router.web.access import PAGE_HEADER, SESSION_COOKIE, digest, links, new_ticket, sessions
from router.web.app import create_app
from router.web.parts import WebParts, WebSettings
from router.web.signing import Signer, Ticket
from tests.fakes.desk_parts import House, workspace

ADMIN = {"Authorization": "Bearer local-admin-token"}
PAGE = {PAGE_HEADER: "1"}


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


@pytest.fixture
def parts(house: House) -> WebParts:
    """The web's parts over it."""
    return house.parts()


@pytest_asyncio.fixture
async def web(parts: WebParts) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that keeps cookies."""
    transport = httpx.ASGITransport(app=create_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        yield client


async def link(web: httpx.AsyncClient, agent: str = "ana") -> str:
    """The token of a fresh link, as the API gives it."""
    answer = await web.post("/v1/links", json={"agent": agent}, headers=ADMIN)
    assert answer.status_code == 200
    url = str(answer.json()["url"])
    assert url.startswith("http://desk.test/desk#link=")
    return url.partition("#link=")[2]


async def enter(web: httpx.AsyncClient, token: str) -> httpx.Response:
    """Use a link."""
    return await web.post("/desk/session", json={"link": token}, headers=PAGE)


# -- signed values -------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=40), st.text(max_size=20), st.integers(0, 2**40))
def test_a_ticket_is_read_back_until_its_time_is_over(secret: bytes, agent: str, until: int) -> None:
    """What was signed is checked as the same ticket before `until`, and as nothing from then on."""
    signer = Signer(secret, "test")
    ticket = Ticket(agent=agent, until=until, id="1")
    signed = signer.sign(ticket)
    assert signer.check(signed, until - 1) == ticket
    assert signer.check(signed, until) is None


@given(st.integers(0, 10_000), st.integers(1, 127))
def test_a_changed_ticket_is_nothing(place: int, flip: int) -> None:
    """Whichever character is changed, the ticket does not check."""
    signer = Signer(b"k" * 32, "test")
    signed = signer.sign(Ticket(agent="ana", until=10, id="1"))
    place %= len(signed)
    changed = signed[:place] + chr(ord(signed[place]) ^ flip) + signed[place + 1 :]
    assert signer.check(changed, 0) is None


@given(st.text(max_size=200))
def test_nonsense_is_no_ticket(text: str) -> None:
    """Any text is refused without an error."""
    assert Signer(b"k" * 32, "test").check(text, 0) is None


def test_a_ticket_is_good_for_one_purpose_and_one_secret() -> None:
    """A link is no session, and another workspace's ticket is nothing here."""
    signed = Signer(b"k" * 32, "link").sign(Ticket(agent="ana", until=10, id="1"))
    assert Signer(b"k" * 32, "session").check(signed, 0) is None
    assert Signer(b"q" * 32, "link").check(signed, 0) is None


def test_a_short_secret_is_refused_at_the_start(house: House) -> None:
    """A secret that could be guessed stops the start, not the first sign-in."""
    with pytest.raises(ValueError, match="32 bytes"):
        create_app(house.parts(secret=b"short"))


# -- links and sessions --------------------------------------------------------------------------------------------


async def test_a_link_signs_in_once(web: httpx.AsyncClient) -> None:
    """A link opens the desk of its agent; used again, it opens nothing."""
    token = await link(web)
    first = await enter(web, token)
    assert (first.status_code, first.json()) == (200, {"agent": "ana"})
    assert (await web.get("/desk/api/desk")).json()["me"]["id"] == "ana"
    web.cookies.clear()
    again = await enter(web, token)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "link_over")
    assert (await web.get("/desk/api/desk")).status_code == 401


async def test_a_link_ends_after_ten_minutes(web: httpx.AsyncClient, house: House) -> None:
    """One millisecond before the tenth minute is over a link works, then no more."""
    early, late = await link(web), await link(web)
    house.now += 600_000 - 1
    assert (await enter(web, early)).status_code == 200
    house.now += 1
    assert (await enter(web, late)).status_code == 401


async def test_a_session_cookie_is_kept_from_scripts_and_other_sites(web: httpx.AsyncClient) -> None:
    """The cookie is HttpOnly, SameSite=Strict, for the desk's paths only; Secure where the desk is reached by TLS."""
    cookie = (await enter(web, await link(web))).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/desk" in cookie
    assert "secure" not in cookie


async def test_a_desk_behind_tls_has_a_secure_cookie(house: House) -> None:
    """With a public https address the cookie never travels without TLS, and links name that address."""
    parts = house.parts(settings=WebSettings(public_url="https://desk.acme.example/"))
    transport = httpx.ASGITransport(app=create_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        url = (await client.post("/v1/links", json={"agent": "ana"}, headers=ADMIN)).json()["url"]
        assert url.startswith("https://desk.acme.example/desk#link=")
        answer = await enter(client, url.partition("#link=")[2])
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_session_ends_by_its_time(web: httpx.AsyncClient, house: House) -> None:
    """After twelve hours the cookie opens nothing, whatever the browser still sends."""
    await enter(web, await link(web))
    signed = web.cookies[SESSION_COOKIE]
    house.now += 12 * 3_600_000
    answer = await web.get("/desk/api/desk", headers={"Cookie": f"{SESSION_COOKIE}={signed}"})
    assert answer.status_code == 401


async def test_signing_out_forgets_the_session(web: httpx.AsyncClient) -> None:
    """After signing out the browser has no session."""
    await enter(web, await link(web))
    assert (await web.get("/desk/session")).json() == {"agent": "ana"}
    assert (await web.delete("/desk/session", headers=PAGE)).status_code == 200
    assert (await web.get("/desk/session")).json() == {"agent": None}


async def test_a_copied_cookie_is_of_no_use_once_its_agent_has_signed_out(web: httpx.AsyncClient) -> None:
    """Whoever copied a session's cookie is out with it; the agent's session in another browser goes on."""
    await enter(web, await link(web))
    copied = {"Cookie": f"{SESSION_COOKIE}={web.cookies[SESSION_COOKIE]}"}
    web.cookies.clear()
    await enter(web, await link(web))
    other = {"Cookie": f"{SESSION_COOKIE}={web.cookies[SESSION_COOKIE]}"}
    web.cookies.clear()
    assert (await web.get("/desk/api/desk", headers=copied)).status_code == 200
    assert (await web.delete("/desk/session", headers={**PAGE, **copied})).json() == {"ended": True}
    assert (await web.get("/desk/api/desk", headers=copied)).status_code == 401
    assert (await web.get("/desk/session", headers=copied)).json() == {"agent": None}
    assert (await web.get("/desk/api/desk", headers=other)).status_code == 200


async def test_signing_out_without_the_store_still_empties_the_browser(web: httpx.AsyncClient, house: House) -> None:
    """When the store does not answer, the browser forgets the session and the page learns that a copy may be left."""
    await enter(web, await link(web))

    async def silent(session: str, until: int) -> None:
        raise StoreUnavailable("no answer")

    house.credentials.end = silent  # type: ignore[method-assign]
    answer = await web.delete("/desk/session", headers=PAGE)
    assert (answer.status_code, answer.json()) == (200, {"ended": False})
    assert (await web.get("/desk/session")).json() == {"agent": None}


@pytest.mark.parametrize("kind", ["link", "other secret", "changed", "empty"])
async def test_a_forged_cookie_opens_nothing(web: httpx.AsyncClient, house: House, parts: WebParts, kind: str) -> None:
    """Neither a link's token, nor another secret's session, nor a changed one is a session."""
    ticket = new_ticket("eva", house.now, 600)
    good = sessions(parts).sign(ticket)
    forged = {
        "link": links(parts).sign(ticket),
        "other secret": sessions(house.parts(secret=b"x" * 32)).sign(ticket),
        "changed": good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "empty": "",
    }[kind]
    assert (await web.get("/desk/api/desk", headers={"Cookie": f"{SESSION_COOKIE}={good}"})).status_code == 200
    for path in ("/desk/api/desk", "/desk/api/waiting", "/desk/api/contacts/c1"):
        answer = await web.get(path, headers={"Cookie": f"{SESSION_COOKIE}={forged}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")


async def test_a_removed_agent_is_out_at_once(web: httpx.AsyncClient, house: House) -> None:
    """The roster is asked on every request: a session of a removed agent opens nothing and does nothing."""
    contact = house.mail("I want my money back.")
    assert contact.offer is not None
    await enter(web, await link(web))
    token = await link(web)
    left = workspace()
    del left.agents["ana"]
    house.apply(events.WorkspaceChanged(at=house.now, version="2", workspace=left))
    assert (await web.get("/desk/api/desk")).status_code == 401
    asked = {"action": "accept", "key": "1", "fields": {"contact": contact.id, "offer": "o1"}}
    assert (await web.post("/desk/api/act", json=asked, headers=PAGE)).status_code == 401
    assert house.acts == []
    assert (await enter(web, token)).status_code == 401


async def test_a_link_for_nobody_is_not_made(web: httpx.AsyncClient) -> None:
    """Only agents on the roster get links."""
    answer = await web.post("/v1/links", json={"agent": "eve"}, headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_agent")


# -- other sites ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://desk.test"},
        {PAGE_HEADER: "1", "Origin": "http://evil.test"},
        {PAGE_HEADER: "1", "Origin": "null"},
        {PAGE_HEADER: "1", "Origin": "http://desk.test.evil.test"},
        {PAGE_HEADER: "1", "Origin": "http://desk.test:81"},
    ],
)
async def test_another_site_cannot_act_with_an_agents_cookie(
    web: httpx.AsyncClient, house: House, headers: dict[str, str]
) -> None:
    """Without the page's own header, or from another origin, nothing is done although the cookie is there."""
    contact = house.mail("I want my money back.")
    await enter(web, await link(web))
    asked = {"action": "accept", "key": "1", "fields": {"contact": contact.id, "offer": "o1"}}
    answer = await web.post("/desk/api/act", json=asked, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "other_site")
    assert house.acts == []
    for done in (await web.post("/desk/session", json={}, headers=headers), await web.delete("/desk/session")):
        assert done.status_code == 403


async def test_the_desks_own_page_may_act(web: httpx.AsyncClient, house: House) -> None:
    """The same request from the page itself is done."""
    contact = house.mail("I want my money back.")
    await enter(web, await link(web))
    asked = {"action": "accept", "key": "1", "fields": {"contact": contact.id, "offer": "o1"}}
    answer = await web.post("/desk/api/act", json=asked, headers={**PAGE, "Origin": "http://desk.test"})
    done = {"ok": True, "code": "", "message": "It is yours.", "contact": contact.id}
    assert answer.json().items() >= done.items()


# -- programs ------------------------------------------------------------------------------------------------------

ROUTES = [
    ("POST", "/v1/messages", "messages"),
    ("GET", "/v1/status", "read"),
    ("POST", "/v1/mails", "admin"),
    ("POST", "/v1/assignments", "admin"),
    ("GET", "/v1/workspace", "read"),
    ("GET", "/v1/reports/shadow", "read"),
    ("GET", "/v1/queue", "read"),
    ("GET", "/v1/board", "read"),
    ("GET", "/v1/agents", "read"),
    ("GET", "/v1/contacts", "read"),
    ("GET", "/v1/explain/c1", "read"),
    ("GET", "/v1/quarantine", "admin"),
    ("GET", "/v1/quarantine/m1", "admin"),
    ("POST", "/v1/quarantine/m1/retry", "admin"),
    ("GET", "/v1/topics", "read"),
    ("GET", "/v1/topics/unsure", "admin"),
    ("POST", "/v1/topics/back", "admin"),
    ("POST", "/v1/topics/learn", "admin"),
    ("POST", "/v1/erasures", "admin"),
    ("PUT", "/v1/customers/tier", "admin"),
    ("POST", "/v1/customers/unblock", "admin"),
    ("POST", "/v1/ratings", "messages"),
    ("GET", "/v1/exports/k1", "admin"),
    ("GET", "/v1/messages/m1/files/0", "admin"),
    ("GET", "/v1/reports/service", "read"),
    ("POST", "/v1/links", "admin"),
    ("POST", "/v1/tokens", "admin"),
]


async def test_the_list_of_routes_is_whole(parts: WebParts) -> None:
    """Every route under /v1 stands in the list that the scope tests walk."""
    paths = create_app(parts).openapi()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods if "/v1/" in path}
    names = {"/c1": "/{contact}", "/m1": "/{message}", "/k1": "/{customer}", "/files/0": "/files/{part}"}
    listed = {
        (method, re.sub("/(c1|m1|k1|files/0)$|/m1(?=/)", lambda one: names[one[0]], path)) for method, path, _ in ROUTES
    }
    assert described == listed


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_each_route_needs_its_scope(web: httpx.AsyncClient, method: str, path: str, scope: str) -> None:
    """Without a token, with an unknown one, or with one of another scope, nothing is told and nothing done."""
    tokens = {}
    for other in ("messages", "read", "admin"):
        made = await web.post("/v1/tokens", json={"scope": other}, headers=ADMIN)
        tokens[other] = made.json()["token"]
    unknown = await web.request(method, path, json={}, headers={"Authorization": f"Bearer {tokens['admin']}x"})
    nobody = await web.request(method, path, json={})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")
    assert nobody.headers["www-authenticate"] == "Bearer"
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (401, "bad_token")
    for held, token in tokens.items():
        answer = await web.request(method, path, json={}, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code == 403) == (held not in {scope, "admin"})


async def test_a_session_is_no_token(web: httpx.AsyncClient) -> None:
    """An agent's cookie opens the desk, not the API."""
    await enter(web, await link(web))
    cookie = f"{SESSION_COOKIE}={web.cookies[SESSION_COOKIE]}"
    assert (await web.get("/v1/queue", headers={"Cookie": cookie})).status_code == 401


async def test_only_the_hash_of_a_token_is_kept(web: httpx.AsyncClient, house: House) -> None:
    """What is stored of a token tells it to nobody."""
    made = (await web.post("/v1/tokens", json={"scope": "read"}, headers=ADMIN)).json()
    (record,) = house.credentials.records
    assert record.digest == digest(made["token"])
    assert made["token"] not in repr(record)
    assert made["scope"] == "read"


async def test_an_empty_local_token_lets_nobody_in(house: House) -> None:
    """A daemon without a local token takes no empty bearer token for it."""
    transport = httpx.ASGITransport(app=create_app(house.parts(local_token="")))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        for given in ("Bearer ", "Bearer", "Bearer  ", "Basic Og=="):
            assert (await client.get("/v1/queue", headers={"Authorization": given})).status_code == 401
