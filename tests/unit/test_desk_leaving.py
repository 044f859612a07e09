"""What desks show of contacts that left the state, and of customers who were erased."""

from __future__ import annotations

import asyncio

import pytest

from router.core import events
from router.core.state import Contact
from router.desk import reports, texts
from router.desk.index import DeskIndex
from router.desk.model import Desk, NotVisible
from router.desk.search import Search
from router.desk.views import Found
from tests.fakes.desk_parts import House

WINDOW = 30 * 86_400_000


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


async def resolved(house: House, **mail: str) -> Contact:
    """A contact that Ana had and resolved."""
    contact = house.mail("I want my money back.", **mail)  # type: ignore[arg-type]
    assert contact.offer is not None
    await house.act("ana", "accept", {"contact": contact.id, "offer": contact.offer.id}, contact.id)
    await house.act("ana", "resolve", {"contact": contact.id}, f"done {contact.id}")
    return contact


async def found(search: Search, words: str) -> Found:
    """What a supervisor finds once everything was read in."""
    async with asyncio.timeout(30):
        while not (last := await search.find("eva", words)).complete:
            await asyncio.sleep(0)
    return last


def pass_window(house: House) -> None:
    """Time goes by until closed contacts leave."""
    house.now += WINDOW
    house.apply(events.TimePassed(at=house.now))


def erase(house: House, contact: Contact) -> None:
    """Erase its customer; what was written is gone with the keys."""
    gone = [ref.id for ref in contact.messages]
    house.apply(events.CustomerErased(at=house.now, erasure="e1", contact=contact.id))
    for message in gone:
        del house.written[message]


async def test_what_left_the_state_is_in_no_list_and_no_index(house: House) -> None:
    """Neither in the customer's history, nor in an agent's done list, nor found by searching."""
    index, search, desk = DeskIndex(house), Search(house, house, house.clock), Desk(house, house, house.clock)
    contact = await resolved(house)
    customer = contact.customer
    assert len((await found(search, "money")).rows) == 1
    pass_window(house)
    assert house.state.contacts == {}
    assert (index.of_customer(customer), index.resolved_by("ana")) == ([], [])
    assert (await found(search, "money")).rows == ()
    assert (await desk.mine("ana")).done == ()
    with pytest.raises(NotVisible):
        await desk.contact("ana", contact.id)


async def test_an_answer_to_a_contact_that_left_says_so(house: House) -> None:
    """A banner on the new contact names the earlier one."""
    earlier = await resolved(house)
    pass_window(house)
    contact = house.mail("And now?", thread=earlier.id)
    card = await Desk(house, house, house.clock).contact("ana", contact.id)
    assert [(one.code, one.text) for one in card.banners if one.code == "follows"] == [
        ("follows", texts.FOLLOWS.format(contact=earlier.id))
    ]


async def test_an_erased_contact_is_shown_without_a_word_of_the_customer(house: House) -> None:
    """Supervisors see that it was; nobody can act on it; it is in nobody's history and no search."""
    contact = await resolved(house, subject="Reclamo")
    other = house.mail("Something else", sender="Dora <dora@example.org>")
    desk, search = Desk(house, house, house.clock), Search(house, house, house.clock)
    assert len((await found(search, "reclamo")).rows) == 1
    erase(house, contact)
    card = await desk.contact("eva", contact.id)
    assert card.actions == ()
    assert [one.code for one in card.banners] == ["erased"]
    assert [(item.gone, item.text) for item in card.items] == [(True, texts.GONE)]
    said = str(card)
    assert not any(word in said for word in ("Carla", "carla@", "Reclamo", "money"))
    assert (await found(search, "reclamo")).rows == ()
    listed = (await reports.contacts(house, house, lambda one: one.id == contact.id))["contacts"]
    assert [(one["flag"], one["customer"], one["subject"]) for one in listed] == [("erased", "", None)]  # type: ignore[attr-defined]
    assert card.earlier == ()
    assert (await desk.contact("eva", other.id)).earlier == ()
