"""Customers over the web: the question's page, answers and tiers that programs hand in, exports, the report."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from router.core import events
from router.core.errors import StoreUnavailable
from router.core.state import Contact, Incident
from router.desk.model import Desk
from router.desk.satisfaction import ticket
from router.desk.service import Report, Tally
from router.web.app import create_app
from tests.fakes.desk_parts import House

ADMIN = {"Authorization": "Bearer local-admin-token"}
SECRET = b"s" * 32


class People:
    """Customers, as the web asks for them. `down`: nothing can be stored."""

    def __init__(self) -> None:
        self.rated: list[tuple[str, int, str]] = []
        self.tiers: list[tuple[str, str]] = []
        self.lifted: list[str] = []
        self.down = False

    async def rate(self, contact: str, score: int, sender: str = "") -> None:
        """Keep an answer."""
        if self.down:
            raise StoreUnavailable("down")
        self.rated.append((contact, score, sender))

    def question(self, contact: str) -> str | None:
        """The question."""
        return f"Was <{contact}> all right?"

    async def set_tier(self, address: str, tier: str) -> None:
        """Keep a tier."""
        if tier not in {"", "gold"}:
            raise KeyError(tier)
        self.tiers.append((address, tier))

    async def unblock(self, named: str) -> None:
        """One is blocked."""
        if named != "ada@customer.example":
            raise KeyError(named)
        self.lifted.append(named)

    async def export(self, named: str) -> dict[str, object]:
        """All of one."""
        if named != "ada@customer.example":
            raise KeyError(named)
        return {"customer": "k1", "messages": []}

    async def report(self, since: int, until: int, hourly: float) -> Report:
        """Nothing happened."""
        return Tally(since, until).report(hourly)


@pytest.fixture
def house() -> House:
    """Ana has a contact of Ada's, who was asked."""
    made = House()
    made.available("ana")
    made.mail("I want my money back.")
    return made


@pytest.fixture
def asked(house: House) -> Contact:
    """The contact that is asked about."""
    [contact] = house.state.contacts.values()
    contact.asked, contact.language = True, "es"
    return contact


@pytest.fixture
def people() -> People:
    """The customers."""
    return People()


@pytest_asyncio.fixture
async def web(house: House, people: People) -> AsyncIterator[httpx.AsyncClient]:
    """Anybody's browser."""
    transport = httpx.ASGITransport(app=create_app(house.parts(customers=people, secret=SECRET)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        yield client


def link(house: House, contact: Contact) -> str:
    """The link that stands in the mail."""
    return f"/rate/{ticket(SECRET, contact.id, house.clock())}"


# -- the page ----------------------------------------------------------------------------------------------------------


async def test_opening_the_link_answers_nothing(
    web: httpx.AsyncClient, house: House, asked: Contact, people: People
) -> None:
    """A scanner of links rates nobody: the page asks, in the customer's language, the link's answer chosen."""
    page = await web.get(f"{link(house, asked)}?score=4")
    assert page.status_code == 200
    assert 'lang="es"' in page.text
    assert f"Was &lt;{asked.id}&gt; all right?" in page.text
    assert re.findall(r'value="(\d)" required( checked)?', page.text) == [
        ("5", ""), ("4", " checked"), ("3", ""), ("2", ""), ("1", ""),
    ]  # fmt: skip
    assert "<script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert people.rated == []


async def test_pressing_the_button_does(web: httpx.AsyncClient, house: House, asked: Contact, people: People) -> None:
    """And is thanked for; once it counts, the page only thanks."""
    done = await web.post(link(house, asked), content=b"score=4")
    assert (done.status_code, people.rated) == (200, [(asked.id, 4, "")])
    assert "Gracias" in done.text
    asked.score = 4
    assert "Gracias" in (await web.get(link(house, asked))).text


@pytest.mark.parametrize("body", [b"", b"score=6", b"score=", b"score=5%20or%201", b"other=1", b"\xff"])
async def test_what_is_no_answer_is_asked_again(
    web: httpx.AsyncClient, house: House, asked: Contact, people: People, body: bytes
) -> None:
    """With a word on what is missing."""
    again = await web.post(link(house, asked), content=body)
    assert again.status_code == 422
    assert 'role="alert"' in again.text
    assert people.rated == []


async def test_a_link_that_is_none_asks_nothing(
    web: httpx.AsyncClient, house: House, asked: Contact, people: People
) -> None:
    """Changed, of a contact that nobody was asked about, or after its month; a body without end is not read."""
    good = link(house, asked)
    assert (await web.post(good, content=b"score=4&" + b"x" * 5_000)).status_code == 413
    house.now += 31 * 86_400_000
    asked_late = await web.get(good)
    house.now -= 31 * 86_400_000
    asked.asked = False
    for page in (asked_late, await web.get(good), await web.post(good, content=b"score=4"), await web.get("/rate/x")):
        assert page.status_code == 404
        assert "<form" not in page.text
    assert people.rated == []


async def test_what_could_not_be_stored_is_not_thanked_for(
    web: httpx.AsyncClient, house: House, asked: Contact, people: People
) -> None:
    """The browser shows that it failed, and may be asked again."""
    people.down = True
    assert (await web.post(link(house, asked), content=b"score=4")).status_code == 503


# -- programs ----------------------------------------------------------------------------------------------------------


async def test_a_program_hands_in_answers_of_its_own_contacts(
    web: httpx.AsyncClient, asked: Contact, people: People
) -> None:
    """By the account of its token; an admin's may hand in any; a score is from 1 to 5."""
    made = await web.post("/v1/tokens", json={"scope": "messages", "account": "sms"}, headers=ADMIN)
    program = {"Authorization": f"Bearer {made.json()['token']}"}
    body = {"contact": asked.id, "score": 5}
    assert (await web.post("/v1/ratings", json=body, headers=program)).status_code == 404
    asked.channel, asked.account = "http", "sms"
    assert (await web.post("/v1/ratings", json=body, headers=program)).status_code == 202
    assert (await web.post("/v1/ratings", json={**body, "contact": "c99"}, headers=program)).status_code == 404
    assert (await web.post("/v1/ratings", json={**body, "score": 6}, headers=program)).status_code == 422
    assert (await web.post("/v1/ratings", json={**body, "score": 1}, headers=ADMIN)).status_code == 202
    assert people.rated == [(asked.id, 5, ""), (asked.id, 1, "")]


async def test_who_is_blocked_is_let_in_by_name(web: httpx.AsyncClient, people: People) -> None:
    """An admin lets somebody write again; of whoever is not blocked it is said so."""
    for named, status in (("ada@customer.example", 202), ("ben@customer.example", 404)):
        found = await web.post("/v1/customers/unblock", json={"customer": named}, headers=ADMIN)
        assert found.status_code == status
    assert people.lifted == ["ada@customer.example"]


async def test_a_program_sets_tiers_that_there_are(web: httpx.AsyncClient, people: People) -> None:
    """Another is told as unknown; "" takes it back."""
    for tier, status in (("gold", 202), ("platinum", 404), ("", 202)):
        body = {"customer": "ada@customer.example", "tier": tier}
        assert (await web.put("/v1/customers/tier", json=body, headers=ADMIN)).status_code == status
    assert people.tiers == [("ada@customer.example", "gold"), ("ada@customer.example", "")]


async def test_an_export_is_of_somebody_known(web: httpx.AsyncClient, house: House) -> None:
    """Its files are fetched one by one."""
    found = await web.get("/v1/exports/ada@customer.example", headers=ADMIN)
    assert found.json()["customer"] == "k1"
    assert (await web.get("/v1/exports/nobody", headers=ADMIN)).status_code == 404
    house.files["m1", 0] = ("bill é.pdf", "text/html", b"%PDF")
    file = await web.get("/v1/messages/m1/files/0", headers=ADMIN)
    assert (file.content, file.headers["content-type"]) == (b"%PDF", "application/octet-stream")
    assert (await web.get("/v1/messages/m1/files/1", headers=ADMIN)).status_code == 404


async def test_the_report_comes_in_three_forms(web: httpx.AsyncClient, house: House) -> None:
    """JSON, CSV, and a page; of the last week unless another span is asked for."""
    found = (await web.get("/v1/reports/service?hourly=20", headers=ADMIN)).json()
    assert (found["until"] - found["since"], found["hourly"]) == (7 * 86_400_000, 20)
    assert (await web.get("/v1/reports/service?format=csv", headers=ADMIN)).text.startswith("of,name,contacts")
    page = await web.get("/v1/reports/service?format=page&days=1&until=86400000", headers=ADMIN)
    assert "1970-01-01 00:00 to 1970-01-02 00:00" in page.text
    last = await web.get("/v1/reports/service?format=page&until=253402300799000", headers=ADMIN)
    assert "9999-12-31" in last.text
    for wrong in ("days=0", "days=nan", "hourly=-1", "hourly=nan", "format=xml", "until=-1", "until=253402300800000"):
        assert (await web.get(f"/v1/reports/service?{wrong}", headers=ADMIN)).status_code == 422


async def test_only_who_leads_sees_the_page_at_the_desk(web: httpx.AsyncClient) -> None:
    """An agent is told that there is nothing, a stranger to sign in."""
    assert (await web.get("/desk/report")).status_code == 401
    for agent, status in (("ana", 404), ("eva", 200)):
        made = await web.post("/v1/links", json={"agent": agent}, headers=ADMIN)
        token = made.json()["url"].partition("#link=")[2]
        headers = {"Origin": "http://desk.test", "X-Usherd-Desk": "1"}
        assert (await web.post("/desk/session", json={"link": token}, headers=headers)).status_code == 200
        assert (await web.get("/desk/report")).status_code == status


async def test_without_customers_there_is_nothing(house: House) -> None:
    """A web without that part says so, everywhere."""
    transport = httpx.ASGITransport(app=create_app(house.parts(secret=SECRET)))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=ADMIN) as web:
        assert (await web.get("/v1/exports/k1")).status_code == 404
        [contact] = house.state.contacts.values()
        contact.asked = True
        page = await web.get(link(house, contact))
        assert "How was our help?" in page.text
        assert (await web.post(link(house, contact), content=b"score=4")).status_code == 404


# -- on the desk -------------------------------------------------------------------------------------------------------


async def test_an_incident_stands_on_the_wall_and_for_who_leads(house: House) -> None:
    """How many wrote, how many still wait, and what they are told."""
    [contact] = house.state.contacts.values()
    topic = contact.topics[0][0]
    house.state.incidents["i1"] = Incident(
        id="i1", topic=topic, began=contact.opened_at, contacts=12, usual=250, look_at=0, message="told-1"
    )
    house.written["told-1"] = house.written[contact.messages[0].id]
    desk = Desk(house, house, house.clock)
    view = await desk.overview("eva", [])
    [row] = view.board.incidents
    assert (row.contacts, row.usual, row.affected, row.told) == (12, 2.5, 1, True)
    assert view.answers == {"i1": "I want my money back."}
    contact.score = 4
    house.apply(events.ContactResolved(at=house.clock(), agent="eva", contact=contact.id))
    assert (desk.board([]).today.rated, desk.board([]).today.csat) == (1, 4.0)
