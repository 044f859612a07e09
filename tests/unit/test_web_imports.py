"""Raw mails over HTTP are stored before they are acknowledged, once; contacts go to who had them before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
import pytest_asyncio

from channels.email.identity import identity
from router.app.mail_entries import MailEntries
from router.core.errors import BacklogFull, Draining, StoreUnavailable
from router.desk.in_force import InForce
from router.desk.ports import Outcome
from router.web.app import create_app
from router.web.parts import WebSettings
from tests.fakes.desk_parts import House

ADMIN = {"Authorization": "Bearer local-admin-token"}
MAIL = b"From: ada@example.org\r\nMessage-ID: <1@example.org>\r\nDate: Fri, 20 Nov 2026\r\n\r\nIt is gone.\r\n"
ACCOUNTS = ("help@acme.example", "Sales@acme.example")
MAILS = MailEntries(lambda: ACCOUNTS)


@pytest.fixture
def house() -> House:
    """Ana is available, and a contact waits that nobody can take now."""
    made = House()
    made.available("ana")
    return made


@pytest_asyncio.fixture
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A program with the local token."""
    app = create_app(house.parts(mails=MAILS, settings=WebSettings(body_bytes_max=1_000)))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=ADMIN) as client:
        yield client


async def post(web: httpx.AsyncClient, raw: bytes = MAIL, account: str = "") -> httpx.Response:
    """Hand in a mail."""
    params = {"account": account} if account else {}
    return await web.post("/v1/mails", content=raw, params=params, headers={"Content-Type": "message/rfc822"})


async def test_a_mail_is_accepted_once_it_is_stored(web: httpx.AsyncClient, house: House) -> None:
    """202 with the id of the entry, which is the one that SMTP would have made, but that nobody hears of it."""
    answer = await post(web, account="sales+old@ACME.example")
    assert answer.status_code == 202
    [(name, entry)] = house.inbox.entries.values()
    assert answer.json() == {"id": name}
    assert (entry.key, entry.body) == identity("Sales@acme.example", MAIL)
    assert (entry.source, entry.raw) == ("email", MAIL)
    meta = msgspec.json.decode(entry.meta)
    assert (meta["account"], meta["recipients"], meta["quiet"]) == ("Sales@acme.example", ["Sales@acme.example"], True)


async def test_the_same_mail_is_one(web: httpx.AsyncClient, house: House) -> None:
    """A second time gives the same id and says so; the same mail to another account is another entry."""
    first, second = await post(web), await post(web)
    assert first.json() == second.json()
    assert [one.headers.get("Idempotency-Replayed") for one in (first, second)] == [None, "true"]
    await post(web, account="sales@acme.example")
    assert len(house.inbox.entries) == 2


async def test_messages_say_that_they_were_known(web: httpx.AsyncClient) -> None:
    """A repeated POST /v1/messages carries the header too."""
    answers = [
        await web.post("/v1/messages", json={"text": "Hello"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [one.headers.get("Idempotency-Replayed") for one in answers] == [None, "true"]


@pytest.mark.parametrize(
    ("raw", "account", "status", "code"),
    [
        (MAIL, "other@acme.example", 422, "no_account"),
        (b" \r\n", "", 422, "not_a_mail"),
        (MAIL * 20, "", 413, "too_large"),
    ],
)
async def test_what_is_no_mail_of_ours_is_refused(
    web: httpx.AsyncClient, house: House, raw: bytes, account: str, status: int, code: str
) -> None:
    """An address that is not ours, nothing at all and too much are refused, and nothing is stored."""
    answer = await post(web, raw, account)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert house.inbox.entries == {}


@pytest.mark.parametrize(
    ("error", "status"), [(StoreUnavailable("gone"), 503), (BacklogFull("full"), 429), (Draining("stopping"), 503)]
)
async def test_what_cannot_be_stored_is_to_be_sent_again(
    web: httpx.AsyncClient, house: House, error: Exception, status: int
) -> None:
    """While nothing can be stored nothing is acknowledged, and the answer says when to try again."""
    house.inbox.error = error
    answer = await post(web)
    assert answer.status_code == status
    assert "Retry-After" in answer.headers


async def test_a_stopping_node_takes_no_mail(web: httpx.AsyncClient, house: House) -> None:
    """While stopping, nothing is read or stored."""
    house.stopping = True
    assert (await post(web)).status_code == 503
    assert house.inbox.entries == {}


async def test_a_workspace_without_mail_takes_none(house: House) -> None:
    """Where no address is configured the way in does not exist, and the answer says what to add."""
    for mails in (None, MailEntries(tuple)):
        transport = httpx.ASGITransport(app=create_app(house.parts(mails=mails)))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=ADMIN) as client:
            answer = await post(client)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_mail")


async def test_the_workspace_in_force_is_told(web: httpx.AsyncClient, house: House) -> None:
    """The engine's workspace with its version, what waits, and the addresses that mail comes to."""
    house.mail("I want my money back.")
    found = msgspec.json.decode((await web.get("/v1/workspace")).content, type=InForce)
    assert (found.workspace, found.version, found.accounts) == (house.state.workspace, "1", ACCOUNTS)


# -- contacts to who had them --------------------------------------------------------------------------------------


async def assign(web: httpx.AsyncClient, message: str, agent: str) -> httpx.Response:
    """Give a message's contact to an agent."""
    return await web.post("/v1/assignments", json={"message": message, "agent": agent})


async def test_a_contact_is_given_to_who_had_it(web: httpx.AsyncClient, house: House) -> None:
    """The contact that a message is in becomes the agent's, as if they had taken it; asked again it is no change."""
    contact = house.mail("I want my money back.")
    message = contact.messages[0].id
    answer = await assign(web, message, "ben")
    assert (answer.status_code, answer.json()) == (200, {"contact": contact.id, "agent": "ben"})
    assert house.state.contacts[contact.id].agent == "ben"
    assert (await assign(web, message, "ben")).status_code == 200
    assert [action for _, action, _ in house.acts] == ["take"]


async def test_what_cannot_be_given_is_said(web: httpx.AsyncClient, house: House) -> None:
    """No such agent, a message that is no contact yet, and an agent who may not have it are told apart."""
    contact = house.mail("I want my money back.")
    message = contact.messages[0].id
    unknown, early = await assign(web, message, "zoe"), await assign(web, "9-9", "ben")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "no_agent")
    assert (early.status_code, early.json()["error"]["code"]) == (404, "no_message")
    house.acted[f"assignment-{message}"] = Outcome(ok=False, code="taken", detail="ana")
    refused = await assign(web, message, "ben")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_assigned")
