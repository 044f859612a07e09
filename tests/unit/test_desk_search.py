"""Search: by words, names, addresses and ids, over what an agent may see; in memory only, bounded, kept up."""

from __future__ import annotations

import asyncio

import pytest

from router.core.errors import StoreUnavailable
from router.core.message import Message
from router.desk import search
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.search import Search, fold
from router.desk.views import Found
from tests.fakes.desk_parts import House


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


def searching(house: House) -> Search:
    """A search over it."""
    return Search(house, house, house.clock)


async def found(house: House, words: str, agent: str = "eva", over: Search | None = None) -> Found:
    """What is found once everything was read in."""
    made = over or searching(house)
    async with asyncio.timeout(30):
        while not (last := await made.find(agent, words)).complete:
            await asyncio.sleep(0)
    return last


def ids(what: Found) -> list[str]:
    """The contacts found, in their order."""
    return [row.id for row in what.rows]


@pytest.mark.parametrize(
    "words",
    ["voucher", "GOMEZ", "gómez carla", "carla@example.org", "seat", "c1", "K7X", "  seat   voucher ", "boarding.pdf"],
)
async def test_a_contact_is_found_by_whatever_is_known_of_it(house: House, words: str) -> None:
    """Words of the text, name, address, subject, id and file name find it, whatever case and accents."""
    contact = house.mail(
        "I never got my voucher K7XQ2P.",
        subject="Seat",
        files=(("boarding.pdf", "application/pdf", b"x"),),
    )
    house.mail("My cat", topic="lost-pet", sender="Pia <p@example.org>", subject="Missing")
    assert ids(await found(house, words)) == [contact.id]


@pytest.mark.parametrize("words", ["", "   ", "zebra", "voucher zebra", "gomezi"])
async def test_what_was_not_written_is_not_found(house: House, words: str) -> None:
    """All words must be there; nothing at all is asked for by no words."""
    house.mail("I never got my voucher.")
    assert ids(await found(house, words)) == []


async def test_the_newest_comes_first(house: House) -> None:
    """Contacts in which something happened last stand first."""
    first = house.mail("voucher one", sender="A <a@example.org>")
    second = house.mail("voucher two", sender="B <b@example.org>")
    house.now += 1_000
    house.mail("voucher again", thread=first.id, sender="A <a@example.org>")
    assert ids(await found(house, "voucher")) == [first.id, second.id]


async def test_an_agent_finds_only_what_they_may_see(house: House) -> None:
    """What is offered to Ana is not found by Ben; a supervisor finds all."""
    contact = house.mail("voucher")
    waiting = house.mail("voucher for my cat", topic="lost-pet", sender="P <p@example.org>")
    assert set(ids(await found(house, "voucher", "ana"))) == {contact.id, waiting.id}
    assert ids(await found(house, "voucher", "ben")) == [waiting.id]
    assert set(ids(await found(house, "voucher", "eva"))) == {contact.id, waiting.id}
    with pytest.raises(NotOnRoster):
        await searching(house).find("mallory", "voucher")


async def test_notes_and_replies_are_found_too(house: House) -> None:
    """What colleagues wrote is as good a memory as what the customer wrote, and is there as soon as it is written."""
    contact = house.mail("Hello")
    over = searching(house)
    assert ids(await found(house, "umbrella", over=over)) == []
    await house.act("eva", "note", {"contact": contact.id, "text": "She left her umbrella."}, "1")
    assert ids(await found(house, "umbrella", over=over)) == [contact.id]


async def test_customers_are_named_beside_their_contacts(house: House) -> None:
    """Who is searched for by name comes as a customer with the number of contacts; who only wrote the word does not."""
    one = house.mail("Hello")
    house.mail("Hello again", channel="webchat")
    house.mail("I know Carla", sender="Pia <p@example.org>", topic="lost-pet")
    what = await found(house, "carla")
    assert [(one.name, one.address, one.contacts) for one in what.customers] == [
        ("Carla Gómez", "carla@example.org", 2)
    ]
    assert what.customers[0].customer == one.customer
    assert len(what.rows) == 3


async def test_no_more_than_a_page_is_given(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a page the number of the rest is told."""
    monkeypatch.setattr(search, "ROWS_MAX", 2)
    for number in range(5):
        house.mail("voucher", sender=f"P <p{number}@example.org>")
    what = await found(house, "voucher")
    assert (len(what.rows), what.more) == (2, 3)


async def test_what_there_is_no_room_for_is_the_oldest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the oldest contacts are not kept, and do not push out newer ones when they change."""
    monkeypatch.setattr(search, "CONTACTS_MAX", 3)
    contacts = []
    for number in range(5):
        house.now += 1_000
        contacts.append(house.mail("voucher", sender=f"P <p{number}@example.org>"))
    over = searching(house)
    newest = [one.id for one in reversed(contacts[2:])]
    assert ids(await found(house, "voucher", over=over)) == newest
    house.now += 1_000
    latest = house.mail("voucher", sender="P <p9@example.org>")
    kept = ids(await found(house, "voucher", over=over))
    assert kept[0] == latest.id
    assert set(kept) <= {latest.id, *newest}
    await house.act("eva", "note", {"contact": contacts[0].id, "text": "voucher"}, "1")
    assert contacts[0].id not in ids(await found(house, "voucher", over=over))


async def test_words_are_forgotten_when_nobody_searches(house: House) -> None:
    """Half an hour after the last search no word is held any more; the next search reads them in again."""
    contact = house.mail("voucher")
    over = searching(house)
    assert ids(await found(house, "voucher", over=over)) == [contact.id]
    house.now += search.IDLE_MS_MAX + 1
    house.mail("Hello", sender="B <b@example.org>")
    assert over._words == {}  # noqa: SLF001 - that nothing is kept cannot be seen from outside
    assert ids(await found(house, "voucher", over=over)) == [contact.id]


async def test_what_was_erased_is_not_found_any_more(house: House) -> None:
    """A text that can no longer be read is out of the search with the next change of its contact."""
    contact = house.mail("voucher")
    over = searching(house)
    assert ids(await found(house, "voucher", over=over)) == [contact.id]
    del house.written[contact.messages[0].id]
    await house.act("eva", "note", {"contact": contact.id, "text": "Erased as asked."}, "1")
    assert ids(await found(house, "voucher", over=over)) == []


async def test_a_store_that_is_away_hides_nothing_for_good(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be read in is said to be missing, and is read in with the next change."""
    contact = house.mail("voucher")
    over = searching(house)
    real = house.messages

    async def away(names: list[str]) -> dict[str, Message]:
        if len(names) > 0:
            raise StoreUnavailable("down")
        return {}

    monkeypatch.setattr(house, "messages", away)
    for _ in range(5):
        assert not (await over.find("eva", "voucher")).complete
        await asyncio.sleep(0)
    monkeypatch.setattr(house, "messages", real)
    house.available("ben")
    house.mail("Hello", sender="B <b@example.org>")
    assert ids(await found(house, "voucher", over=over)) == [contact.id]
    over.close()


async def test_long_texts_are_kept_by_their_newest_words(house: House) -> None:
    """Of an endless contact the newest words are searched."""
    contact = house.mail("zebra " + "x" * search.CONTACT_CHARACTERS_MAX)
    house.mail("voucher", thread=contact.id)
    assert ids(await found(house, "voucher")) == [contact.id]
    assert ids(await found(house, "zebra")) == [contact.id]
    house.mail("y" * search.CONTACT_CHARACTERS_MAX, thread=contact.id)
    assert ids(await found(house, "zebra")) == []


def test_folding_makes_alike_what_people_take_for_alike() -> None:
    """Case, accents and width do not matter."""
    assert fold("Gómez") == fold("gomez") == "gomez"
    assert fold("STRASSE") == fold("straße")
    assert fold("ÇA") == "ca"


async def test_a_customers_history_spans_channels(house: House) -> None:
    """All contacts of a customer over all channels are listed, newest first, as far as the agent may see them."""
    desk = Desk(house, house, house.clock)
    mail = house.mail("Hello")
    house.now += 1_000
    chat = house.mail("Hello?", channel="webchat")
    seen = await desk.history("eva", mail.customer)
    assert [(row.id, row.channel) for row in seen.rows] == [(chat.id, "webchat"), (mail.id, "email")]
    assert (seen.name, seen.addresses, seen.more) == ("Carla Gómez", ("carla@example.org",), 0)
    for customer in (mail.customer, "", "k99"):
        with pytest.raises(NotVisible):
            await desk.history("ben", customer)
    with pytest.raises(NotOnRoster):
        await desk.history("mallory", mail.customer)
