"""The HTTP API: messages in, reports out, errors in one shape, headers on everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from router.core import events
from router.core.errors import BacklogFull, Draining, StoreUnavailable
from router.web.app import create_app
from router.web.parts import WebSettings
from tests.fakes.desk_parts import House

ADMIN = {"Authorization": "Bearer local-admin-token"}


@pytest.fixture
def house() -> House:
    """Ana is available and one contact is offered to her."""
    made = House()
    made.available("ana")
    made.mail("I want my money back.")
    return made


@pytest_asyncio.fixture
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A program with the local token."""
    transport = httpx.ASGITransport(app=create_app(house.parts()))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=ADMIN) as client:
        yield client


async def post(web: httpx.AsyncClient, text: str = "Hello", key: str = "k1") -> httpx.Response:
    """Hand in a message."""
    return await web.post("/v1/messages", json={"text": text}, headers={"Idempotency-Key": key})


# -- messages in ---------------------------------------------------------------------------------------------------


async def test_a_message_is_accepted_once_it_is_stored(web: httpx.AsyncClient, house: House) -> None:
    """202 with the inbox id; what was stored is what was sent."""
    answer = await post(web)
    assert (answer.status_code, answer.json()) == (202, {"id": "1-0"})
    ((_, entry),) = house.inbox.entries.values()
    assert entry.source == "http"
    assert b"Hello" in entry.raw


async def test_a_repeated_message_keeps_its_id(web: httpx.AsyncClient, house: House) -> None:
    """The same key and body give the same id and store nothing more."""
    assert (await post(web)).json() == (await post(web)).json()
    assert len(house.inbox.entries) == 1


async def test_a_key_used_for_another_body_is_a_conflict(web: httpx.AsyncClient, house: House) -> None:
    """409 for the same key with another body, and nothing is stored."""
    await post(web)
    answer = await post(web, text="Something else")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_conflict")
    assert len(house.inbox.entries) == 1


async def test_accounts_do_not_share_keys(web: httpx.AsyncClient, house: House) -> None:
    """Two programs with tokens of their own accounts may use the same key."""
    for account in ("forms", "sms"):
        made = await web.post("/v1/tokens", json={"scope": "messages", "account": account})
        headers = {"Authorization": f"Bearer {made.json()['token']}", "Idempotency-Key": "1"}
        assert (await web.post("/v1/messages", json={"text": account}, headers=headers)).status_code == 202
    assert len(house.inbox.entries) == 2


@pytest.mark.parametrize("key", [None, "", "x" * 201, "a\tb"])
async def test_a_message_needs_a_key(web: httpx.AsyncClient, house: House, key: str | None) -> None:
    """Without a usable key a retry could not be told from a new message: refused, with what to send."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await web.post("/v1/messages", json={"text": "x"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "key_missing")
    assert house.inbox.entries == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "text"),
        (b'{"text": 1}', "text"),
        (b'{"text": "x", "txet": "y"}', "txet"),
        (b'{"text": "forbidden"}', "such a text is not taken"),
        (b"\xff\xfe", "JSON"),
    ],
)
async def test_a_body_that_is_not_right_is_refused(
    web: httpx.AsyncClient, house: House, body: bytes, said: str
) -> None:
    """422 that names the field; nothing is stored and no value is repeated."""
    answer = await web.post("/v1/messages", content=body, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert said in answer.json()["error"]["message"]
    assert house.inbox.entries == {}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BacklogFull("full"), 429, "backlog_full"),
        (Draining("stopping"), 503, "draining"),
        (StoreUnavailable("down"), 503, "store_unavailable"),
    ],
)
async def test_what_cannot_be_stored_is_to_be_sent_again(
    web: httpx.AsyncClient, house: House, error: Exception, status: int, code: str
) -> None:
    """A full backlog, a stopping node and a failing store say so, and when to come back."""
    house.inbox.error = error
    answer = await post(web)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert int(answer.headers["retry-after"]) > 0


async def test_a_stopping_node_takes_nothing(web: httpx.AsyncClient, house: House) -> None:
    """From the moment it stops, messages get 503 and readiness is gone while liveness stays."""
    assert (await web.get("/readyz")).status_code == 200
    house.stopping = True
    assert (await post(web)).status_code == 503
    assert (await web.get("/readyz")).status_code == 503
    assert (await web.get("/livez")).status_code == 200
    assert house.inbox.entries == {}


async def test_a_node_that_is_not_ready_says_so(house: House) -> None:
    """Until it leads or follows, a node is not ready."""
    transport = httpx.ASGITransport(app=create_app(house.parts(ready=lambda: False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


@pytest.mark.parametrize("announced", [True, False])
async def test_an_endless_body_is_cut_off(house: House, announced: bool) -> None:
    """A body over the limit is refused, whether its length was told or not, and is not read to its end."""
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 100
            yield b"x" * 100

    app = create_app(house.parts(settings=WebSettings(body_bytes_max=1000)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://desk.test", headers=ADMIN
    ) as client:
        headers = {"Idempotency-Key": "k"} | ({"Content-Length": "100000"} if announced else {})
        answer = await client.post("/v1/messages", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert read <= 1200


async def test_a_workspace_without_http_takes_no_messages(house: House) -> None:
    """Where the channel is not configured the way in does not exist, and the answer says what to add."""
    transport = httpx.ASGITransport(app=create_app(house.parts(intake=None)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=ADMIN) as client:
        answer = await post(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_intake")


# -- reports -------------------------------------------------------------------------------------------------------


async def test_reports_have_the_keys_of_the_commands(web: httpx.AsyncClient, house: House) -> None:
    """What the command line prints is what the API gives."""
    (contact,) = house.state.contacts
    assert set((await web.get("/v1/queue")).json()) == {"waiting", "profiles"}
    assert [one["id"] for one in (await web.get("/v1/agents")).json()["agents"]] == ["ana", "ben", "eva"]
    assert [one["id"] for one in (await web.get("/v1/contacts")).json()["contacts"]] == [contact]
    assert (await web.get("/v1/contacts?agent=ben")).json() == {"contacts": []}
    assert (await web.get("/v1/contacts?auto=true")).json() == {"auto": []}
    assert (await web.get(f"/v1/explain/{contact}?full=true")).json()["agent"] == "ana"
    assert (await web.get("/v1/status")).json()["node"] == "n1"


async def test_all_contacts_are_told_on_demand(web: httpx.AsyncClient, house: House) -> None:
    """Resolved contacts come with `all` only."""
    (contact,) = house.state.contacts
    await house.act("eva", "resolve", {"contact": contact}, "1")
    assert (await web.get("/v1/contacts")).json() == {"contacts": []}
    assert len((await web.get("/v1/contacts?all=true")).json()["contacts"]) == 1


async def test_quarantine_can_be_listed_shown_and_retried(web: httpx.AsyncClient, house: House) -> None:
    """What nobody could read has its list, its item and its retry; an unknown one is 404."""
    house.apply(
        events.MessageQuarantined(
            at=house.now,
            inbox="9-0",
            message="9-0",
            channel="email",
            kind="email",
            account="help@acme.example",
            reason="too-deep",
        )
    )
    assert (await web.get("/v1/quarantine")).json() == {"quarantine": [{"id": "9-0"}]}
    assert (await web.get("/v1/quarantine/9-0")).json()["id"] == "9-0"
    assert (await web.post("/v1/quarantine/9-0/retry")).json()["queued"] is True
    for answer in (await web.get("/v1/quarantine/8-0"), await web.post("/v1/quarantine/8-0/retry")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_message")


async def test_an_unknown_contact_is_not_explained(web: httpx.AsyncClient) -> None:
    """404 in the shape of all errors."""
    answer = await web.get("/v1/explain/c99")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


# -- operations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 401),
        ("192.0.2.7", ADMIN, 200),
    ],
)
async def test_metrics_are_for_this_machine_or_a_token(
    house: House, peer: str, headers: dict[str, str], status: int
) -> None:
    """Figures are open on the machine itself, not through a proxy, and elsewhere to a token that may read."""
    transport = httpx.ASGITransport(app=create_app(house.parts()), client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("usherd_received_total 3.0" in answer.text) == (status == 200)


# -- all answers ---------------------------------------------------------------------------------------------------

PATHS = ["/desk", "/docs", "/openapi.json", "/livez", "/v1/queue", "/v1/nothing", "/nothing", "/desk/api/desk",
         "/static/desk/main.js", "/static/nothing", "/static/../app.py", "/desk/api/contacts/c9"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_shielded(web: httpx.AsyncClient, path: str) -> None:
    """Nothing is sniffed, framed or loaded from elsewhere; errors have their shape; nothing is shown in passing."""
    answer = await web.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message", "hint"}


async def test_our_pages_name_nothing_outside(web: httpx.AsyncClient) -> None:
    """Neither the desk nor the docs load anything from another host, and no page has a script or style in it."""
    for path in ("/desk", "/docs"):
        text = (await web.get(path)).text
        assert "//" not in text.replace("<!doctype", "")
        assert "<style" not in text
        assert "<script>" not in text
        assert 'style="' not in text


async def test_a_failure_inside_tells_nothing(house: House) -> None:
    """An unforeseen error is 500 in the shape of all errors, without its words."""

    def broken() -> bool:
        raise RuntimeError("the secret is hunter2")

    app = create_app(house.parts(ready=broken))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "hunter2" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_description_is_whole(web: httpx.AsyncClient) -> None:
    """The description names the body of a message, its answers, and the token each route needs."""
    api = (await web.get("/openapi.json")).json()
    post_message = api["paths"]["/v1/messages"]["post"]
    reference = post_message["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert api["components"]["schemas"][reference.rpartition("/")[2]]["required"] == ["text"]
    assert {"202", "401", "409", "413", "422", "429", "503"} <= set(post_message["responses"])
    for path, methods in api["paths"].items():
        for operation in methods.values():
            assert bool(operation.get("security")) == path.startswith("/v1/")
    assert not any("/desk" in path for path in api["paths"])


async def test_requests_beside_each_other_keep_their_answers(web: httpx.AsyncClient, house: House) -> None:
    """Fifty messages at once get fifty ids."""
    answers = await asyncio.gather(*(post(web, text=str(number), key=str(number)) for number in range(50)))
    assert len({answer.json()["id"] for answer in answers}) == 50
    assert len(house.inbox.entries) == 50
