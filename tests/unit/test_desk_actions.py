"""What an agent does: well-formed actions reach the engine once, and each outcome is one plain sentence."""

from __future__ import annotations

import pytest

from router.core.errors import StoreUnavailable
from router.core.state import Contact
from router.desk import actions, texts
from router.desk.model import Desk
from router.desk.ports import Outcome
from router.desk.views import Answer
from tests.fakes.desk_parts import EVENT_OF, START, House


async def act(house: House, agent: str, action: str, key: str = "k", **fields: object) -> Answer:
    """As a desk does it."""
    return await actions.act(house, house.names, house.state, agent, action, fields, key)


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


@pytest.fixture
def offered(house: House) -> Contact:
    """A contact that is offered to Ana."""
    return house.mail("I want my money back.")


def offer_of(contact: Contact) -> str:
    """The pending offer."""
    assert contact.offer is not None
    return contact.offer.id


async def test_every_action_has_its_words(house: House) -> None:
    """Each action says something of its own when it went well, and each but status is an event on a contact."""
    assert set(actions.ACTIONS) == set(texts.DONE)
    assert set(actions.ACTIONS) - {"status"} == set(EVENT_OF)


async def test_an_agent_writes_first(house: House) -> None:
    """A contact opened by an agent is theirs, waits on the customer, and is shown with the customer's address."""
    answer = await act(house, "ana", "start", to="Carla@example.org", subject="Your bag", text="Found.", topics=[])
    said = "Stored, and on its way. The contact is yours."
    assert answer == Answer(ok=True, message=said, code="", contact="a1-0", entry="1-0")
    view = await Desk(house, house, house.clock).mine("ana")
    assert [(row.id, row.who, row.subject) for row in view.waiting_customer] == [
        ("a1-0", "Carla@example.org", "Your bag")
    ]
    card = await Desk(house, house, house.clock).contact("ana", "a1-0")
    assert [one.address for one in card.replies_to] == ["Carla@example.org"]


@pytest.mark.parametrize(
    "wrong",
    [{"to": "carla"}, {"to": "a@b.example, c@d.example"}, {"subject": " "}, {"text": ""}, {"subject": "x" * 301}],
)
async def test_a_letter_needs_an_address_a_subject_and_words(house: House, wrong: dict[str, str]) -> None:
    """What could not be sent is refused in plain words, and nothing is done."""
    fields = {"to": "carla@example.org", "subject": "Your bag", "text": "Found.", **wrong}
    answer = await act(house, "ana", "start", **fields)
    assert (answer.ok, answer.code) == (False, "bad-field")
    assert house.acts == []


async def test_accepting_makes_it_mine(house: House, offered: Contact) -> None:
    """An accepted offer is the agent's, and the answer says so."""
    answer = await act(house, "ana", "accept", contact=offered.id, offer=offer_of(offered))
    assert answer == Answer(ok=True, code="", message="It is yours.", contact=offered.id)
    assert offered.agent == "ana"


async def test_the_same_click_twice_is_one_action(house: House, offered: Contact) -> None:
    """An action sent again under its key gives the same answer and is done once."""
    first = await act(house, "ana", "accept", contact=offered.id, offer=offer_of(offered))
    again = await act(house, "ana", "accept", contact=offered.id, offer="o1")
    assert again == first
    assert len(house.acts) == 1


async def test_a_key_is_an_agents_own(house: House, offered: Contact) -> None:
    """Two agents who happen to use one key do not get each other's answers."""
    await act(house, "ana", "accept", key="same", contact=offered.id, offer=offer_of(offered))
    other = await act(house, "ben", "resolve", key="same", contact=offered.id)
    assert not other.ok
    assert len(house.acts) == 2


async def test_losing_a_race_is_said_plainly(house: House, offered: Contact) -> None:
    """Who takes a contact that somebody else has just accepted hears who was first."""
    await act(house, "ana", "accept", key="1", contact=offered.id, offer=offer_of(offered))
    answer = await act(house, "ben", "take", key="2", contact=offered.id)
    assert (answer.ok, answer.code, answer.message) == (False, "taken", "Ana Souza was first.")


async def test_an_offer_that_is_over_is_said_to_have_lapsed(house: House, offered: Contact) -> None:
    """A click on an offer that was declined before hears that it is over."""
    offer = offer_of(offered)
    await act(house, "ana", "decline", key="1", contact=offered.id, offer=offer, reason="leaving")
    answer = await act(house, "ana", "accept", key="2", contact=offered.id, offer=offer)
    assert (answer.code, answer.message) == ("offer-over", "This offer has lapsed.")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("fly", {}),
        ("reply", {"contact": "c1", "text": "  \n "}),
        ("reply", {"contact": "c1"}),
        ("reply", {"contact": "c1", "text": "x" * 100_001}),
        ("reply", {"contact": "c1", "text": "a\0b"}),
        ("note", {"contact": "c1", "text": ""}),
        ("note", {"contact": 7, "text": "x"}),
        ("accept", {"contact": "c1"}),
        ("accept", {"contact": "c1", "offer": "o1", "agent": "eva"}),
        ("decline", {"contact": "c1", "offer": "o1", "reason": "the customer Carla is rude"}),
        ("snooze", {"contact": "c1", "until": "tomorrow"}),
        ("transfer", {"contact": "c1", "to_agent": "ben", "to_team": "emea"}),
        ("priority", {"contact": "c1", "priority": "at once"}),
        ("status", {"status": "asleep"}),
        ("retag", {"contact": "c1", "topics": "refund"}),
        ("take", ["c1"]),
        ("take", None),
    ],
)
async def test_what_is_not_well_formed_never_reaches_the_engine(house: House, action: str, fields: object) -> None:
    """A missing, wrong, endless or foreign field is refused at the door, with a sentence."""
    house.mail("I want my money back.")
    answer = await actions.act(house, house.names, house.state, "ana", action, fields, "k")
    assert not answer.ok
    assert answer.code in {"bad-field", "no-such-action"}
    assert answer.message.endswith(".")
    assert house.acts == []


@pytest.mark.parametrize("key", ["", "x" * 101])
async def test_an_action_needs_a_key(house: House, offered: Contact, key: str) -> None:
    """Without a key of sensible length nothing is done, as a second click could not be told from the first."""
    answer = await act(house, "ana", "accept", key=key, contact=offered.id, offer=offer_of(offered))
    assert not answer.ok
    assert house.acts == []


async def test_a_stranger_can_do_nothing(house: House, offered: Contact) -> None:
    """Who is not on the roster is refused before anything else is looked at."""
    answer = await act(house, "eve", "accept", contact=offered.id, offer=offer_of(offered))
    assert (answer.ok, answer.code) == (False, "not-allowed")
    assert house.acts == []


async def test_what_could_not_be_stored_is_raised(house: House, offered: Contact) -> None:
    """A store that fails is no refusal: the desk may try again with the same key, and then it is done."""
    house.act_error = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        await act(house, "ana", "accept", contact=offered.id, offer=offer_of(offered))
    house.act_error = None
    assert (await act(house, "ana", "accept", contact=offered.id, offer=offer_of(offered))).ok


async def test_the_whole_life_of_a_contact_can_be_done_from_a_desk(house: House, offered: Contact) -> None:
    """Accept, retag, raise, note, reply, snooze, wake, transfer, take, resolve and reopen all go well."""
    await act(house, "ana", "accept", key="0", contact=offered.id, offer=offer_of(offered))
    steps: list[tuple[str, str, dict[str, object]]] = [
        ("ana", "retag", {"topics": ["refund", "lost-baggage"]}),
        ("ana", "priority", {"priority": "high"}),
        ("ana", "note", {"text": "She rang."}),
        ("ana", "reply", {"text": "Which booking?", "resolve": False, "answers": offered.messages[0].id}),
        ("ana", "snooze", {"until": START + 60_000}),
        ("ana", "wake", {}),
        ("ana", "transfer", {"to_agent": "ben", "text": "Yours, I think."}),
        ("eva", "take", {}),
        ("eva", "resolve", {}),
        ("eva", "reopen", {}),
    ]
    for number, (agent, action, fields) in enumerate(steps, 1):
        answer = await act(house, agent, action, key=str(number), contact=offered.id, **fields)
        written = house.state.contacts[offered.id].messages[-1].id if "text" in fields else ""
        done = Answer(ok=True, code="", message=texts.DONE[action], contact=offered.id, entry=written)
        assert answer == done
    assert (await act(house, "ana", "status", key="s", status="away")).ok
    assert house.state.agents["ana"].status == "away"


@pytest.mark.parametrize(
    ("code", "detail", "said"),
    [
        ("not-yours", "ben", "This contact is Ben Okafor's now."),
        ("not-yours", "", "This contact is not yours."),
        ("taken", "nobody-known", "Somebody else was first."),
        ("bad-time", "", "Choose a time in the future, within five years."),
        ("something-new", "", "That was refused (something-new)."),
        ("too-long", "a message may have {0}", "That is too long: a message may have {0}."),
    ],
)
def test_each_refusal_is_one_plain_sentence(house: House, code: str, detail: str, said: str) -> None:
    """A code becomes a sentence, an agent's id a name, and what is unknown still says something."""
    outcome = Outcome(ok=False, code=code, detail=detail, contact="c1")
    assert actions.answer(outcome, "take", house.names).message == said
