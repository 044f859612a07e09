"""Answers that can be taken back, saved replies, copies, letters, colleagues, merging and spam, in Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from unittest.mock import AsyncMock, patch

import pytest
import pytest_asyncio

from channels.slack.ports import Wishes
from router.core.errors import StoreUnavailable
from router.core.transitions import ContactState
from tests.contract.test_slack_desk import accepted
from tests.fakes.rehearsing import Rehearsing
from tests.support.slack_house import SlackHouse, slack_house

NEVER = Wishes(undo_ms=3_600_000)  # by a clock that only moves by hand


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house() as made:
        made.house.available("ana")
        yield made


def said(desk: SlackHouse, name: str, direction: str = "out") -> list[str]:
    """What was written in a contact, one way."""
    refs = desk.house.state.contacts[name].messages
    return [desk.house.written[ref.id].text for ref in refs if ref.direction == direction]


async def test_an_answer_is_taken_back_by_deleting_it(desk: SlackHouse) -> None:
    """Deleted in time it goes to nobody, and its writer reads so; changed in time it goes out as it was changed."""
    desk.wishes = NEVER
    card, name = await accepted(desk)
    assert "you can delete or change it" in card.said
    wrong = await desk["ana"].writes("To the wrong one", thread=card)
    await desk.until(lambda: desk.memory.left("in:"), "held")
    await desk["ana"].deletes(wrong)
    await desk.whisper("ana", "Not sent")
    right = await desk["ana"].writes("Hello Carl", thread=card)
    await desk.until(lambda: desk.memory.left("in:"), "held")
    await desk["ana"].edits(right, "Hello Carla")
    await desk.until(lambda: b"Hello Carla" in b"".join(desk.memory.kept.values()), "changed")
    await desk["ana"].clicks(
        await desk.card("ana", "Write in this thread"), "usherd.resolve"
    )  # who goes on waits for nothing
    await desk.until(lambda: desk.house.state.contacts[name].state is ContactState.RESOLVED, "resolved")
    assert said(desk, name) == ["Hello Carla"]


async def test_a_note_behind_a_held_answer_is_taken_back_as_well(desk: SlackHouse) -> None:
    """What waits its turn and was deleted meanwhile is written down nowhere, be it for colleagues alone."""
    desk.wishes = NEVER
    card, name = await accepted(desk)
    await desk["ana"].writes("On its way", thread=card)
    wrong = await desk["ana"].writes("// they shout a lot", thread=card)
    await desk.until(lambda: len(desk.memory.left("in:")) == 2, "both wait")
    await desk["ana"].deletes(wrong)
    await desk.until(lambda: b'"undone":true' in b"".join(desk.memory.kept.values()), "taken back")
    await desk["ana"].clicks(await desk.card("ana", "Write in this thread"), "usherd.resolve")
    await desk.until(lambda: desk.house.state.contacts[name].state is ContactState.RESOLVED, "resolved")
    assert (said(desk, name), said(desk, name, "note")) == (["On its way"], [])


async def test_what_went_out_early_is_too_late_to_take_back_after_a_restart(desk: SlackHouse) -> None:
    """A process that ends as an answer goes out before its time leaves word of it: nobody is told that it was not."""
    desk.wishes = NEVER
    card, name = await accepted(desk)
    wrong = await desk["ana"].writes("On its way", thread=card)
    await desk.until(lambda: desk.memory.left("in:"), "held")
    with patch.object(desk.memory, "delete", AsyncMock(side_effect=StoreUnavailable("it ends here"))):
        await desk["ana"].clicks(card, "usherd.resolve")
        await desk.until(lambda: said(desk, name) == ["On its way"], "sent")
        await desk.stop()
    await desk.start()
    await desk["ana"].deletes(wrong)
    await desk.told("ana", card, "deleted a message after it was sent")
    assert "Not sent" not in str([one.said for one in desk["ana"].sees()])


async def test_an_answer_that_is_held_outlives_the_process(desk: SlackHouse) -> None:
    """What was written right before the end goes out after the start, once its time is over."""
    desk.wishes = NEVER
    card, name = await accepted(desk)
    await desk["ana"].writes("On its way", thread=card)
    await desk.until(lambda: desk.memory.left("in:"), "held")
    await desk.stop()
    assert said(desk, name) == []
    desk.house.now += 3_600_000
    await desk.start()
    await desk.until(lambda: said(desk, name) == ["On its way"], "sent")


async def test_the_window_for_an_answer_has_saved_replies_and_copies(desk: SlackHouse) -> None:
    """A saved reply is put in, filled; who was in copy gets it when ticked; what is not filled in is not sent."""
    contact = desk.house.mail("Where is my money?", subject="Refund", cc=("bob@example.org", "dora@example.net"))
    await desk["ana"].clicks(await desk.card("ana", "Offered to you"), "usherd.accept")
    card = await desk.card("ana", "Also on their message: bob@example.org, dora@example.net")
    await desk["ana"].clicks(card, "usherd.reply")
    await desk.until(lambda: desk["ana"].modal, "the window")
    assert desk["ana"].modal is not None
    await desk["ana"].chooses(desk["ana"].modal, "usherd.saved", "1")
    await desk.until(lambda: "text.2" in str(desk["ana"].modal), "put in")
    answer = await desk["ana"].submits(desk["ana"].modal, {"text.2": "Hello {customer}"})
    assert answer.errors == {"text.2": "Fill in {customer} before you send it."}
    values = {"text.2": "Hello Carla, which code?", "cc": ["1"], "then": ["resolve"]}
    assert (await desk["ana"].submits(desk["ana"].modal, values)).acked
    await desk.until(lambda: contact.state is ContactState.RESOLVED, "sent and resolved")
    assert said(desk, contact.id) == ["Hello Carla, which code?"]
    assert [one.address for one in desk.house.written[contact.messages[-1].id].cc] == ["dora@example.net"]
    assert desk.slack.refusals == []


async def test_what_a_window_sent_has_a_button_to_take_it_back(desk: SlackHouse) -> None:
    """Undo in time sends nothing; later it says that it is too late. Who goes on to something sends what is held."""
    desk.wishes = NEVER
    card, name = await accepted(desk)
    await desk["ana"].clicks(card, "usherd.reply")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"text.0": "Too soon"})
    held = await desk.whisper("ana", "It goes out in")
    await desk["ana"].clicks(held, "usherd.undo")
    await desk.whisper("ana", "Not sent: it was taken back")
    await desk["ana"].clicks(await desk.card("ana", "Write in this thread"), "usherd.reply")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"text.0": "Just right", "then": ["resolve"]})
    held = await desk.whisper("ana", "It goes out in")
    await desk["ana"].clicks(await desk.card("ana", "Write in this thread"), "usherd.resolve")
    await desk.until(lambda: desk.house.state.contacts[name].state is ContactState.RESOLVED, "resolved")
    await desk["ana"].clicks(held, "usherd.undo")
    await desk.whisper("ana", "It is too late")
    assert said(desk, name) == ["Just right"]


async def test_a_placeholder_is_not_sent(desk: SlackHouse) -> None:
    """A saved reply that was pasted with a gap in it goes to nobody."""
    card, name = await accepted(desk)
    await desk["ana"].writes("Hello {customer}", thread=card)
    await desk.whisper("ana", "Fill in {customer}")
    assert said(desk, name) == []


async def test_an_agent_writes_first(desk: SlackHouse) -> None:
    """/usherd new opens a window for a letter; an address that is none is said there; the contact is theirs."""
    await desk["ana"].command("/usherd", "new")
    await desk.until(lambda: desk["ana"].modal, "the window")
    letter = {"to": "carla@example.c", "subject": "Your bag", "text": "We found it."}
    answer = await desk["ana"].submits(desk["ana"].modal, letter)
    assert answer.errors == {"to": "One e-mail address, as in name@example.org."}
    await desk["ana"].submits(desk["ana"].modal, {"to": "carla@example.org"})
    await desk.card("ana", "Your bag", "Waiting on the customer")
    assert desk.house.acts[-1][2]["to"] == "carla@example.org"


async def test_a_colleague_is_called_in(desk: SlackHouse) -> None:
    """They get a thread of their own in which everything is a note, read by the owner in theirs, and leave it again."""
    card, name = await accepted(desk)
    await desk["ana"].chooses(card, "usherd.more", f"call {name}")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"target": "ben", "text": "Is it refundable?"})
    theirs = await desk.card("ben", "Called in by a colleague", "Ana Souza called you in")
    await desk.told("ben", theirs, "Is it refundable?")
    await desk["ben"].writes("Yes, until Friday.", thread=theirs)
    await desk.told("ana", card, "Yes, until Friday.")
    assert (said(desk, name), said(desk, name, "note")) == ([], ["Is it refundable?", "Yes, until Friday."])
    await desk["ben"].clicks(await desk.card("ben", "Called in"), "usherd.leave")
    await desk.card("ben", "No longer yours")
    await desk.until(lambda: desk.house.state.contacts[name].called == [], "left")


async def test_contacts_are_merged(desk: SlackHouse) -> None:
    """The customer's other contact is chosen in a window; its messages stand in the thread, its own card is over."""
    first, name = await accepted(desk, subject="Refund")
    _, other = await accepted(desk, subject="Once more")
    await desk["ana"].chooses(first, "usherd.more", f"merge {name}")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"from": other})
    await desk.card("ana", "Merged", "go on there")
    assert desk.house.state.contacts[other].joined == name
    await desk.told("ana", first, "wrote")


async def test_spam_is_closed_and_its_sender_blocked(desk: SlackHouse) -> None:
    """The window asks whether to block; the card says so afterwards, and has the way back."""
    card, name = await accepted(desk)
    await desk["ana"].chooses(card, "usherd.more", f"spam {name}")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"then": ["block"]})
    card = await desk.card("ana", "Resolved", "its sender is blocked")
    await desk["ana"].clicks(card, "usherd.unblock")
    await desk.until(lambda: not desk.house.state.blocked, "unblocked")


async def test_two_customers_become_one_and_two_again_in_slack(desk: SlackHouse) -> None:
    """The window about a customer links another contact of theirs, for a reason, lists the link, and undoes it."""
    contacts = desk.house.state.contacts
    card, name = await accepted(desk)
    other = desk.house.mail("Again: my money", sender="Carla <carla@example.net>")
    assert other.offer is not None
    await desk.house.act("ana", "accept", {"contact": other.id, "offer": other.offer.id}, "other")
    await desk["ana"].clicks(card, "usherd.customer")
    await desk.until(lambda: desk["ana"].modal, "the window")
    assert desk["ana"].modal is not None
    await desk["ana"].clicks(desk["ana"].modal, "usherd.link")
    await desk.until(lambda: "They are one customer" in str(desk["ana"].modal), "the question")
    answer = await desk["ana"].submits(desk["ana"].modal, {"other": other.id, "text": "  "})
    assert list(answer.errors or ()) == ["text"]
    assert (await desk["ana"].submits(desk["ana"].modal, {"other": f" {other.id} ", "text": "She rang."})).acked
    await desk.until(lambda: contacts[name].customer == other.customer, "one")
    assert said(desk, name, "note") == ["She rang."]
    await desk["ana"].clicks(card, "usherd.customer")
    await desk.until(lambda: desk["ana"].modal and "that they are one person" in str(desk["ana"].modal), "the link")
    await desk["ana"].clicks(desk["ana"].modal, "usherd.unlink")
    await desk.until(lambda: "They are two" in str(desk["ana"].modal), "the question")
    await desk["ana"].submits(desk["ana"].modal, {"text": "Her sister."})
    await desk.until(lambda: contacts[name].customer != other.customer, "two")
    assert said(desk, name, "note") == ["She rang.", "Her sister."]
    assert desk.slack.refusals == []


async def test_what_a_customer_wants_is_noted_in_slack(desk: SlackHouse) -> None:
    """Language and consent are chosen in the window about them; what was left as it stood is not said anew."""
    card, name = await accepted(desk)
    await desk["ana"].clicks(card, "usherd.customer")
    await desk.until(lambda: desk["ana"].modal, "the window")
    assert desk["ana"].modal is not None
    await desk["ana"].submits(desk["ana"].modal, {"language": "es", "consent": "no"})
    await desk.until(lambda: desk.house.acts[-1][1] == "customer", "noted")
    assert desk.house.acts[-1][2] == {"contact": name, "language": "es", "consent": False}
    await desk["ana"].clicks(card, "usherd.customer")
    await desk.until(lambda: desk["ana"].modal and "E-mail  ·" in str(desk["ana"].modal), "what stands")
    await desk["ana"].submits(desk["ana"].modal, {"consent": "yes"})
    await desk.until(lambda: len([one for one in desk.house.acts if one[1] == "customer"]) == 2, "changed")
    assert desk.house.acts[-1][2] == {"contact": name, "language": None, "consent": True}
    assert desk.slack.refusals == []


async def test_emoji_do_what_the_workspace_says(desk: SlackHouse) -> None:
    """An emoji that the workspace names resolves, in any colour; the usual one does nothing then."""
    desk.wishes = Wishes(emoji=(("take", "eyes"), ("resolve", "+1")))
    card, name = await accepted(desk)
    contact = desk.house.state.contacts[name]
    await desk["ana"].reacts(card, "white_check_mark")
    await desk["ana"].reacts(card, "+1::skin-tone-3")
    await desk.until(lambda: contact.state is ContactState.RESOLVED, "resolved")
    await desk.until(lambda: desk.slack.bot in card.reactions.get("+1", ()), "echoed")


@pytest.mark.parametrize(("fails", "word"), [("", "1 of them go to somebody else"), ("no journal", "no journal")])
async def test_a_supervisor_asks_what_a_change_would_have_done(fails: str, word: str) -> None:
    """/usherd whatif opens a window that says what the rehearsal found, or why there is none; for supervisors alone."""
    async with slack_house() as desk:
        desk.rehearsing = rehearsing = Rehearsing(waits=True, fails=fails)
        await desk.stop()
        await desk.start()
        await desk["eva"].opens_home()
        await desk.until(lambda: desk["eva"].home and "A changed workspace waits" in str(desk["eva"].home.sent), "said")
        await desk["eva"].command("/usherd", "whatif 12h")
        await desk.until(lambda: desk["eva"].modal and word in str(desk["eva"].modal.sent), "found")
        assert rehearsing.asked == [12 * 3_600_000]
        await desk["ana"].command("/usherd", "whatif")
        await desk.until(lambda: desk["ana"].modal, "an answer")
        assert "Your role does not allow that" in str(desk["ana"].modal.sent)  # type: ignore[union-attr]
        assert desk.slack.refusals == []
