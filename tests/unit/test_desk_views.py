"""What an agent sees: the desk, a contact, the queue."""

from __future__ import annotations

import msgspec
import pytest

from router.core import events
from router.core.state import Contact
from router.core.transitions import DeliveryState
from router.core.values import Role, Status
from router.desk import model
from router.desk.model import Desk, NotOnRoster, NotVisible
from tests.fakes.desk_parts import MINUTE, START, House, workspace


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


def desk_of(house: House) -> Desk:
    """The model over it."""
    return Desk(house, house, house.clock)


async def accepted(house: House, agent: str = "ana", **mail: str) -> Contact:
    """A contact that the agent has accepted."""
    contact = house.mail("I want my money back.", **mail)  # type: ignore[arg-type]
    assert contact.offer is not None
    await house.act(agent, "accept", {"contact": contact.id, "offer": contact.offer.id}, contact.id)
    return contact


async def test_an_offer_stands_on_the_desk_with_its_deadline(house: House) -> None:
    """An offer shows who writes, about what, which skills it needs and until when it is this agent's."""
    contact = house.mail("I want my money back.", subject="Refund")
    view = await desk_of(house).mine("ana")
    (offer,) = view.offers
    assert (offer.contact.id, offer.contact.who, offer.contact.subject) == (contact.id, "Carla Gómez", "Refund")
    assert (offer.at, offer.until) == (START, START + 10 * MINUTE)
    assert offer.needs == ("English", "Refunds 2")
    assert view.open == ()


async def test_contacts_stand_in_the_list_of_their_state(house: House) -> None:
    """Open, waiting on the customer, snoozed and resolved contacts are each in their own list and in no other."""
    ids = {}
    for state in ("open", "waiting_customer", "snoozed", "done"):
        ids[state] = (await accepted(house, subject=state)).id
    await house.act("ana", "reply", {"contact": ids["waiting_customer"], "text": "Which booking?"}, "1")
    await house.act("ana", "snooze", {"contact": ids["snoozed"], "until": START + MINUTE}, "2")
    await house.act("ana", "resolve", {"contact": ids["done"]}, "3")
    view = await desk_of(house).mine("ana")
    for state, contact in ids.items():
        assert [row.id for row in getattr(view, state)] == [contact]
    assert view.snoozed[0].snoozed_until == START + MINUTE


async def test_open_contacts_are_sorted_by_due_time(house: House) -> None:
    """The contact whose promise is due first stands first."""
    first = await accepted(house)
    house.now += MINUTE
    second = await accepted(house)
    assert [row.id for row in (await desk_of(house).mine("ana")).open] == [first.id, second.id]
    house.state.contacts[second.id].due = START
    assert [row.id for row in (await desk_of(house).mine("ana")).open] == [second.id, first.id]


async def test_bars_count_by_kind_and_in_units(house: House) -> None:
    """A bar stands for each kind the agent takes, and one for all in units; what is parked takes no room."""
    await accepted(house)
    parked = await accepted(house)
    await house.act("ana", "reply", {"contact": parked.id, "text": "Which booking?"}, "1")
    bars = (await desk_of(house).mine("ana")).me.capacity
    assert [(bar.kind, bar.held, bar.limit) for bar in bars] == [("email", 1, 6), ("chat", 0, 3), ("units", 1, 8)]


async def test_a_stranger_has_no_desk(house: House) -> None:
    """Who is not on the roster is refused by each view."""
    contact = house.mail("Hello")
    desk = desk_of(house)
    for asked in (desk.mine("eve"), desk.waiting("eve"), desk.contact("eve", contact.id)):
        with pytest.raises(NotOnRoster):
            await asked


async def test_a_removed_agent_has_no_desk_any_more(house: House) -> None:
    """An agent whom a new workspace leaves out is refused from then on."""
    desk = desk_of(house)
    await desk.mine("ben")
    left = workspace()
    del left.agents["ben"]
    house.apply(events.WorkspaceChanged(at=house.now, version="2", workspace=left))
    with pytest.raises(NotOnRoster):
        await desk.mine("ben")


async def test_a_colleagues_contact_is_not_to_be_seen(house: House) -> None:
    """An agent sees neither what is offered to nor what is owned by another; a supervisor sees both."""
    offered = house.mail("First")
    owned = await accepted(house)
    desk = desk_of(house)
    for contact in (offered, owned):
        with pytest.raises(NotVisible):
            await desk.contact("ben", contact.id)
        assert (await desk.contact("eva", contact.id)).contact.id == contact.id


async def test_a_waiting_contact_is_to_be_seen_by_everybody_on_the_roster(house: House) -> None:
    """Whoever may take a contact may read it first."""
    contact = house.mail("My cat is missing", topic="lost-pet")
    card = await desk_of(house).contact("ben", contact.id)
    assert "take" in card.actions
    assert "reply" not in card.actions


async def test_an_earlier_contact_of_a_served_customer_is_to_be_seen(house: House) -> None:
    """While an agent serves a customer, that customer's earlier contacts with others can be read."""
    earlier = await accepted(house)
    await house.act("ana", "resolve", {"contact": earlier.id}, "1")
    desk = desk_of(house)
    with pytest.raises(NotVisible):
        await desk.contact("ben", earlier.id)
    later = house.mail("It is missing again", topic="lost-pet")
    await house.act("ben", "take", {"contact": later.id}, "2")
    assert (await desk.contact("ben", earlier.id)).contact.id == earlier.id
    assert [one.id for one in (await desk.contact("ben", later.id)).earlier] == [earlier.id]


async def test_the_thread_shows_customer_agent_and_note(house: House) -> None:
    """Each entry says who wrote it, which way it went, and how its delivery fares."""
    contact = await accepted(house)
    await house.act("ana", "note", {"contact": contact.id, "text": "She rang twice."}, "1")
    await house.act("ana", "reply", {"contact": contact.id, "text": "It is on its way."}, "2")
    reply = contact.messages[-1].id
    house.apply(events.DeliveryReported(at=house.now, message=reply, contact=contact.id, state="sent"))
    items = (await desk_of(house).contact("ana", contact.id)).items
    assert [(one.direction, one.who, one.text, one.mine) for one in items] == [
        ("in", "Carla Gómez", "I want my money back.", False),
        ("note", "Ana Souza", "She rang twice.", True),
        ("out", "Ana Souza", "It is on its way.", True),
    ]
    assert items[2].delivery == DeliveryState.SENT
    assert items[2].delivery_text == "delivered"


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ({}, False),
        ({"dmarc": "pass", "spf": "fail"}, False),
        ({"dmarc": "fail", "spf": "pass", "dkim": "pass"}, True),
        ({"dmarc": "none", "spf": "softfail", "dkim": "pass"}, False),
        ({"spf": "pass"}, False),
        ({"spf": "softfail", "dkim": "none"}, True),
    ],
)
async def test_a_writer_whom_their_mail_server_does_not_vouch_for_is_marked(
    house: House, said: dict[str, str], marked: bool
) -> None:
    """By what our own mail server says of the mail; where it says nothing there is no mark."""
    contact = await accepted(house)
    name = contact.messages[0].id
    house.written[name] = msgspec.structs.replace(house.written[name], authentication=said)
    card = await desk_of(house).contact("ana", contact.id)
    texts = [one.text for one in card.banners if one.code == "unproven"]
    assert len(texts) == marked
    assert all("carla@example.org" in text for text in texts)


async def test_an_erased_text_is_said_to_be_gone(house: House) -> None:
    """A message whose text cannot be read keeps its place and says so."""
    contact = await accepted(house)
    house.written.clear()
    card = await desk_of(house).contact("ana", contact.id)
    assert [one.gone for one in card.items] == [True]
    assert card.contact.who == "Unknown sender"
    assert card.replies_to == ()


async def test_a_reply_goes_to_the_last_message_of_the_customer(house: House) -> None:
    """The card names who gets a reply and the message that says so; a note in between changes nothing."""
    contact = await accepted(house)
    await house.act("ana", "note", {"contact": contact.id, "text": "Hm."}, "1")
    card = await desk_of(house).contact("ana", contact.id)
    assert card.answers == contact.messages[0].id
    assert [one.address for one in card.replies_to] == ["carla@example.org"]
    assert card.replies_line == "A reply goes to carla@example.org by e-mail."


async def test_history_counts_the_customers_contacts_of_the_month(house: House) -> None:
    """The card says the how manieth contact it is and who served the customer last."""
    first = await accepted(house)
    desk = desk_of(house)
    assert (await desk.contact("ana", first.id)).history == "First contact with us."
    await house.act("ana", "resolve", {"contact": first.id}, "1")
    house.now += MINUTE
    second = await accepted(house)
    assert (await desk.contact("ana", second.id)).history == "2nd contact this month, last with you."
    assert (await desk.contact("eva", second.id)).history == "2nd contact this month, last with Ana Souza."


async def test_a_contact_that_was_joined_leads_to_the_other(house: House) -> None:
    """Asking for a contact that was let in elsewhere gives the one it was joined into."""
    into = await accepted(house)
    stray = house.mail("It is me again, from work", sender="C. Gómez <cg@work.example>", thread=into.id)
    assert stray.id != into.id
    assert stray.flag == "unknown-sender"
    desk = desk_of(house)
    card = await desk.contact("eva", stray.id)
    assert [(one.code, one.action) for one in card.banners if one.code == "unknown-sender"] == [
        ("unknown-sender", "let_in")
    ]
    assert "let_in" in card.actions
    outcome = await house.act("eva", "let_in", {"contact": stray.id}, "1")
    assert outcome.ok
    assert (await desk.contact("ana", stray.id)).contact.id == into.id


async def test_the_queue_marks_what_fits(house: House) -> None:
    """All that waits is listed by urgency; what the agent has the skills for is marked."""
    pet = house.mail("My cat is missing", topic="lost-pet")
    house.apply(events.StatusSet(at=house.now, agent="ana", target="ana", status=Status.OFFLINE))
    bag = house.mail("My bag is missing", topic="lost-baggage")
    desk = desk_of(house)
    waiting = await desk.waiting("ben")
    assert {row.id for row in waiting.rows} == {pet.id, bag.id}
    assert waiting.fits == (bag.id,)
    assert (await desk.mine("ben")).queue == 2


async def test_the_index_follows_every_change(house: House) -> None:
    """What the index finds after many changes is what a fresh index finds."""
    desk = desk_of(house)
    contact = house.mail("First", topic="lost-pet")
    for number in range(8):
        contact = await accepted(house, subject=str(number))
        if number % 2:
            await house.act("ana", "resolve", {"contact": contact.id}, f"r{number}")
        if number % 4 == 3:
            await house.act("ana", "reopen", {"contact": contact.id}, f"o{number}")
        house.mail("Waits", topic="lost-pet", sender=f"p{number}@example.org")
        house.now += MINUTE
    fresh = desk_of(house)
    customer = contact.customer
    assert {one.id for one in desk.index.waiting()} == {one.id for one in fresh.index.waiting()}
    assert [one.id for one in desk.index.resolved_by("ana")] == [one.id for one in fresh.index.resolved_by("ana")]
    assert [one.id for one in desk.index.of_customer(customer)] == [one.id for one in fresh.index.of_customer(customer)]
    assert len(desk.index.waiting()) == 9
    assert len(desk.index.resolved_by("ana")) == 2


async def test_people_are_listed_the_fittest_first(house: House) -> None:
    """Who has the skills and room stands before who lacks them; the one who asks is not listed."""
    house.available("ben")
    contact = await accepted(house)
    people = desk_of(house).people("eva", contact.id)
    assert [(one.id, one.able, one.room) for one in people.agents] == [("ana", True, True), ("ben", False, True)]
    assert [(one.id, one.members, one.available) for one in people.teams] == [("emea", 2, 2), ("triage", 1, 0)]
    assert [one.id for one in people.topics] == ["refund", "lost-baggage", "lost-pet"]


async def test_actions_follow_role_and_state(house: House) -> None:
    """An owner gets the owner's actions, a supervisor may take, and a resolved contact may only be reopened."""
    contact = await accepted(house)
    desk = desk_of(house)
    assert house.state.workspace.agents["eva"].role is Role.SUPERVISOR
    assert {"reply", "resolve", "snooze", "transfer"} <= set((await desk.contact("ana", contact.id)).actions)
    assert {"take", "transfer"} <= set((await desk.contact("eva", contact.id)).actions)
    assert "reply" not in (await desk.contact("eva", contact.id)).actions
    await house.act("ana", "resolve", {"contact": contact.id}, "1")
    assert (await desk.contact("ana", contact.id)).actions == ("note", "reopen", "link", "unlink", "customer")


async def test_why_me_speaks_to_the_one_who_asks(house: House) -> None:
    """The same explanation says `you` to the chosen one and the name to others."""
    contact = house.mail("I want my money back.")
    desk = desk_of(house)
    explanation = await house.explain(contact.id, full=False)
    assert desk.why("ana", explanation, contact).headline == "It came to you because nobody else could take it."
    assert desk.why("eva", explanation, contact).headline == "It went to Ana Souza because nobody else could take it."
    assert desk.why("ana", explanation, contact).ruled_out


async def test_why_says_that_nobody_could_take_it(house: House) -> None:
    """A contact that waits is explained as waiting, with what rules the agents out."""
    contact = house.mail("My cat is missing", topic="lost-pet")
    why = desk_of(house).why("ana", await house.explain(contact.id, full=False), contact)
    assert why.headline == "It waits: nobody who is able can take it at the moment."
    assert why.candidates == ()
    assert [(one.name, one.status, one.room) for one in why.could] == [("Eva Lindqvist", "offline", False)]


async def test_only_likely_topics_are_chosen(house: House) -> None:
    """What is at least half as likely as the best counts as a topic; what a person set counts whatever its number."""
    contact = await accepted(house)
    contact.topics = (("refund", 6_000), ("lost-baggage", 3_100), ("lost-pet", 900))
    desk = desk_of(house)
    card = await desk.contact("ana", contact.id)
    assert [(one.id, one.chosen) for one in card.topics] == [
        ("refund", True),
        ("lost-baggage", True),
        ("lost-pet", False),
    ]
    assert card.contact.topics == ("Refund", "Lost baggage")
    contact.topics_set = True
    assert all(one.chosen for one in (await desk.contact("ana", contact.id)).topics)


async def test_endless_lists_are_cut_and_say_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a list that is too long the soonest due are shown, with the number of the rest."""
    monkeypatch.setattr(model, "LIST_ROWS_MAX", 2)
    contacts = []
    for number in range(4):
        contacts.append(house.mail("Hello", sender=f"P <p{number}@example.org>", topic="lost-pet"))
        await house.act("ana", "take", {"contact": contacts[-1].id}, str(number))
        house.now += 1_000
    view = await desk_of(house).mine("ana")
    assert [row.id for row in view.open] == [contacts[0].id, contacts[1].id]
    assert view.more == {"open": 2}
