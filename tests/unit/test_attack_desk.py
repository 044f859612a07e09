"""Somebody at a desk, or at its door, who means no good: odd bytes, odd numbers, other people's contacts."""

from __future__ import annotations

import httpx
import pytest

from router.core.events import ContactRetagged, ContactSnoozed
from router.core.state import Contact
from router.desk import actions
from router.desk.ports import Outcome
from router.shell.actions import Command, event_of
from router.shell.understanding import Refused
from router.web.access import PAGE_HEADER, SESSION_COOKIE, new_ticket, sessions
from router.web.app import create_app
from tests.fakes.desk_parts import START, House

DAY = 86_400_000
DEEP = b"[" * 100_000 + b"]" * 100_000
ODD = {"no UTF-8": b'"\xff\xfe"', "half a character": b'"\\ud800"', "very deep": DEEP, "nothing": b""}


@pytest.fixture
def house() -> House:
    """Ana and Ben are available."""
    made = House()
    made.available("ana")
    made.available("ben")
    return made


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/desk/session", b'{"link":%s}'),
        ("/desk/session", b'{"more":%s,"link":"x"}'),
        ("/desk/api/search", b'{"words":%s}'),
        ("/desk/api/act", b'{"action":"note","key":"k","fields":{"text":%s}}'),
        ("/desk/api/act", b'{"action":"note","key":"k","fields":%s}'),
        ("/desk/api/act", b"%s"),
    ],
)
async def test_bytes_that_are_no_json_are_refused(house: House, path: str, body: bytes, odd: str) -> None:
    """Invalid UTF-8, half characters and endless nesting are the sender's mistake, not a failure inside."""
    parts = house.parts()
    cookie = sessions(parts).sign(new_ticket("ana", parts.clock(), 600))
    transport = httpx.ASGITransport(app=create_app(parts), raise_app_exceptions=False)
    headers = {PAGE_HEADER: "1", "Cookie": f"{SESSION_COOKIE}={cookie}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers) as client:
        answer = await client.post(path, content=body % ODD[odd])
    assert answer.status_code in {200, 401, 422}
    if answer.status_code == 200:
        assert not answer.json()["ok"]


async def test_a_note_needs_the_right_to_see(house: House) -> None:
    """Nobody writes into a contact that they may not even look at; colleagues who may see it can."""
    contact = house.mail("I want my money back.")
    assert contact.offer is not None
    assert contact.offer.agent == "ana"
    accepted = {"contact": contact.id, "offer": contact.offer.id}
    assert (await actions.act(house, house.names, house.state, "ana", "accept", accepted, "k1")).ok
    note = {"contact": contact.id, "text": "psst"}
    before = len(house.state.contacts[contact.id].messages)
    answer = await actions.act(house, house.names, house.state, "ben", "note", note, "k2")
    assert (answer.ok, answer.code) == (False, "not-yours")
    assert len(house.state.contacts[contact.id].messages) == before
    for agent in ("ana", "eva"):
        assert (await actions.act(house, house.names, house.state, agent, "note", note, f"k-{agent}")).ok


@pytest.mark.parametrize("days", [1827, 10**9, 10**400])
def test_nobody_snoozes_for_ever(days: int) -> None:
    """An instant more than five years away is refused before it stands in the journal, however large."""
    command = Command(agent="ana", action="snooze", contact="c1", until=START + days * DAY)
    with pytest.raises(Refused) as refused:
        event_of("1-0", command, START, written=False)
    assert refused.value.code == "bad-time"


def test_a_year_is_a_fine_time_to_snooze() -> None:
    """What a person may mean goes through."""
    command = Command(agent="ana", action="snooze", contact="c1", until=START + 366 * DAY)
    event = event_of("1-0", command, START, written=False)
    assert isinstance(event, ContactSnoozed)
    assert event.until == START + 366 * DAY


def test_topics_count_once() -> None:
    """A topic named a hundred thousand times is one topic, in the journal too."""
    command = Command(agent="ana", action="retag", contact="c1", topics=("refund", "lost-pet") * 100_000)
    event = event_of("1-0", command, START, written=False)
    assert isinstance(event, ContactRetagged)
    assert event.topics == ("refund", "lost-pet")


async def test_a_key_used_for_other_words_is_explained(house: House) -> None:
    """The refusal of a reused key is a sentence, not a code."""
    contact: Contact = house.mail("I want my money back.")
    outcome = actions.answer(Outcome(ok=False, code="conflict", detail="", contact=contact.id), "note", house.names)
    assert "(conflict)" not in outcome.message
