"""The desk in Slack: what agents see and do there, with the real slack-bolt and a Slack that keeps Slack's rules."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from router.core.transitions import ContactState
from router.sim.slack import Message
from tests.support.slack_house import SlackHouse, slack_house

MONEY = "I want my money back."


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house() as made:
        made.house.available("ana")
        yield made


async def accepted(desk: SlackHouse, name: str = "ana", subject: str = "Refund") -> tuple[Message, str]:
    """A card whose contact is the agent's, and the contact."""
    contact = desk.house.mail(MONEY, subject=subject)
    card = await desk.card(name, subject, "Offered to you")
    await desk[name].clicks(card, "usherd.accept")
    await desk.until(lambda: contact.state is ContactState.ASSIGNED, "accepted")
    return await desk.card(name, subject, "Write in this thread"), contact.id


async def test_an_offer_is_a_card_and_accepting_changes_it(desk: SlackHouse) -> None:
    """The card says who, what and until when; Accept makes it theirs, and the same card shows so."""
    contact = desk.house.mail(MONEY, subject="Refund for my flight")
    card = await desk.card("ana", "Carla Gómez", "Refund for my flight", MONEY, "Yours to accept until")
    assert card.buttons == ["usherd.accept", "usherd.decline", "usherd.read", "usherd.why"]
    answer = await desk["ana"].clicks(card, "usherd.accept")
    assert answer.acked
    mine = await desk.card("ana", "Refund for my flight", "Write in this thread", "carla@example.org")
    assert mine.ts == card.ts
    assert len(desk.cards("ana")) == 1
    assert (contact.state, contact.agent) == (ContactState.ASSIGNED, "ana")
    assert desk.slack.refusals == []
    assert desk.slack.pings == []


async def test_declining_asks_why_and_the_card_says_it_is_gone(desk: SlackHouse) -> None:
    """Decline opens a window with the desk's reasons; afterwards nothing that was written stays on the card."""
    contact = desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Refund")
    await desk["ana"].clicks(card, "usherd.decline")
    await desk.until(lambda: desk["ana"].modal, "the window")
    answer = await desk["ana"].submits(desk["ana"].modal, {"reason": "not-my-field"})
    assert answer.acked
    gone = await desk.card("ana", "No longer yours")
    assert gone.ts == card.ts
    assert MONEY not in gone.said
    assert gone.buttons == []
    assert contact.declined == ["ana"]
    assert desk.house.acts[-1][2]["reason"] == "not-my-field"


async def test_a_reply_in_the_thread_goes_out_and_is_marked(desk: SlackHouse) -> None:
    """What an agent writes under the card is the answer to the customer, without Slack's marks; ✓ once it is there."""
    card, name = await accepted(desk)
    said = await desk["ana"].writes("Hello <b> & :smile: https://acme.example/x", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: contact.state is ContactState.WAITING_CUSTOMER, "answered")
    reply = contact.messages[-1]
    assert desk.house.written[reply.id].text == "Hello <b> & 😄 https://acme.example/x"
    assert desk.house.acts[-1][2]["answers"] == contact.messages[0].id
    desk.house.report(name, reply.id, "sent")
    await desk.until(lambda: "white_check_mark" in said.reactions, "the mark")
    await desk.card("ana", "Waiting on the customer")
    assert [one.said for one in desk["ana"].thread(card) if one.user == desk.slack.bot] == [card.said]


async def test_an_answer_that_failed_can_be_sent_again(desk: SlackHouse) -> None:
    """✗ and a sentence with a button stand under it; the button sends the same words once more, in a new answer."""
    card, name = await accepted(desk)
    said = await desk["ana"].writes("It is on its way.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    desk.house.report(name, contact.messages[-1].id, "failed")
    failure = await desk.told("ana", card, "Not delivered")
    await desk.until(lambda: "x" in said.reactions, "the mark")
    await desk["ana"].clicks(failure, "usherd.retry")
    await desk.until(lambda: len(contact.messages) == 3, "sent again")
    assert desk.house.written[contact.messages[-1].id].text == "It is on its way."
    desk.house.report(name, contact.messages[-1].id, "sent")
    await desk.told("ana", card, "delivered")


async def test_notes_stay_inside(desk: SlackHouse) -> None:
    """A message that begins with // and the window of the button both make notes; neither goes to the customer."""
    card, name = await accepted(desk)
    said = await desk["ana"].writes("// she is furious", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: "memo" in said.reactions, "noted")
    await desk["ana"].clicks(card, "usherd.note")
    await desk.until(lambda: desk["ana"].modal, "the window")
    empty = await desk["ana"].submits(desk["ana"].modal, {"text": "  "})
    assert empty.errors
    await desk["ana"].submits(desk["ana"].modal, {"text": "call her"})
    await desk.told("ana", card, "call her")
    assert [ref.direction for ref in contact.messages] == ["in", "note", "note"]
    assert desk.house.written[contact.messages[1].id].text == "she is furious"


async def test_files_go_with_an_answer(desk: SlackHouse) -> None:
    """A file in the thread is fetched from Slack, stored, and enclosed; one that is too large is said and not sent."""
    card, name = await accepted(desk)
    await desk["ana"].uploads("a.pdf", b"%PDF-1", text="Here it is.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    sent = desk.house.written[contact.messages[-1].id]
    assert (sent.text, [one.filename for one in sent.attachments]) == ("Here it is.", ["a.pdf"])
    assert desk.house.kept["file-1"][3] == b"%PDF-1"
    await desk["ana"].uploads("big.bin", b"x" * 18_000_001, thread=card)
    await desk.whisper("ana", "too large")
    await desk["ana"].uploads("b.pdf", b"%PDF-2", text="// look", thread=card)
    await desk.whisper("ana", "with an answer only")
    assert len(contact.messages) == 2


async def test_customers_messages_come_into_the_thread(desk: SlackHouse) -> None:
    """Several within two minutes are one notice; one that comes later is another."""
    card, name = await accepted(desk)
    contact = desk.house.state.contacts[name]
    desk.house.mail("Are you there?", thread=name)
    first = await desk.told("ana", card, "Are you there?")
    desk.house.now += 30_000
    desk.house.mail("Hello?", thread=name)
    both = await desk.told("ana", card, "Hello?")
    assert both.ts == first.ts
    desk.house.now += 200_000
    desk.house.mail("I wait.", thread=name)
    assert (await desk.told("ana", card, "I wait.")).ts != first.ts
    assert len(contact.messages) == 4


async def test_transfer_hands_over_with_a_note(desk: SlackHouse) -> None:
    """The window offers whoever is best, teams and agents; the receiver's card has the note in its thread."""
    card, name = await accepted(desk)
    await desk["ana"].clicks(card, "usherd.transfer")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"to": "agent ben", "text": "you know her"})
    await desk.card("ana", "No longer yours")
    theirs = await desk.card("ben", "Refund", "Write in this thread")
    await desk.told("ben", theirs, "you know her")
    assert desk.house.state.contacts[name].agent == "ben"
    await desk["ana"].writes("am I still here?", thread=card)
    await desk.whisper("ana", "is Ben Okafor's now")
    assert len(desk.house.state.contacts[name].messages) == 2


async def test_snooze_wake_resolve_and_reopen(desk: SlackHouse) -> None:
    """Each changes the same card and its buttons; what wakes by itself is said in the thread."""
    card, name = await accepted(desk)
    contact = desk.house.state.contacts[name]
    await desk["ana"].clicks(card, "usherd.snooze")
    await desk.until(lambda: desk["ana"].modal, "the window")
    past = await desk["ana"].submits(desk["ana"].modal, {"until": desk.house.now // 1000 - 60})
    assert "until" in (past.errors or {})
    await desk["ana"].submits(desk["ana"].modal, {"until": desk.house.now // 1000 + 3600})
    snoozed = await desk.card("ana", "Snoozed")
    assert "usherd.wake" in snoozed.buttons
    desk.house.now += 3_600_000
    desk.house.tick()
    await desk.told("ana", card, "awake again")
    await desk["ana"].clicks(await desk.card("ana", "Write in this thread"), "usherd.resolve")
    resolved = await desk.card("ana", "Resolved")
    assert "usherd.reopen" in resolved.buttons
    await desk["ana"].clicks(resolved, "usherd.reopen")
    again = await desk.told("ana", card, "offered to you again")
    await desk["ana"].clicks(again, "usherd.accept")
    await desk.card("ana", "Write in this thread")
    assert contact.state is ContactState.ASSIGNED
    assert {one.ts for one in desk.cards("ana")} == {card.ts}


async def test_topics_and_priority_are_changed_in_windows(desk: SlackHouse) -> None:
    """Both stand behind the three dots, with what holds now filled in."""
    card, name = await accepted(desk)
    contact = desk.house.state.contacts[name]
    await desk["ana"].chooses(card, "usherd.more", f"retag {name}")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"topics": ["lost-baggage"]})
    await desk.until(lambda: contact.topics_set, "retagged")
    await desk["ana"].chooses(await desk.card("ana", "Lost baggage"), "usherd.more", f"priority {name}")
    await desk.until(lambda: desk["ana"].modal, "the window")
    await desk["ana"].submits(desk["ana"].modal, {"priority": "urgent"})
    await desk.card("ana", "urgent")
    assert [topic for topic, _ in contact.topics] == ["lost-baggage"]


async def test_why_me_and_the_whole_contact(desk: SlackHouse) -> None:
    """Both open windows: who was considered and what decided; every word with what was quoted."""
    desk.house.mail(f"{MONEY}\n> You wrote: no refunds", subject="Refund")
    card = await desk.card("ana", "Refund")
    assert "no refunds" not in card.said
    await desk["ana"].clicks(card, "usherd.why")
    await desk.until(lambda: desk["ana"].modal and "Considered" in desk["ana"].modal.said, "why")
    await desk["ana"].closes(desk["ana"].modal)
    await desk["ana"].clicks(card, "usherd.read")
    await desk.until(lambda: desk["ana"].modal and "no refunds" in desk["ana"].modal.said, "the whole")


async def test_changing_what_was_sent_is_said_to_change_nothing(desk: SlackHouse) -> None:
    """An edit and a deletion in Slack are answered in the thread: the customer has the first words."""
    card, name = await accepted(desk)
    said = await desk["ana"].writes("You get ten.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    await desk["ana"].edits(said, "You get twenty.")
    await desk.told("ana", card, "not changed at the customer")
    await desk["ana"].deletes(said)
    await desk.told("ana", card, "You deleted")
    assert desk.house.written[contact.messages[-1].id].text == "You get ten."
    assert len(contact.messages) == 2


async def test_a_message_outside_of_threads_goes_to_nobody(desk: SlackHouse) -> None:
    """It is said so, to the one who wrote it alone."""
    await accepted(desk)
    await desk["ana"].writes("To whom does this go?")
    await desk.whisper("ana", "went to nobody")
    assert all(action != "reply" for _, action, _ in desk.house.acts)


async def test_emoji_take_and_resolve(desk: SlackHouse) -> None:
    """Eyes on an offer accept it, a check on the card resolves it."""
    contact = desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Offered to you")
    await desk["ana"].reacts(card, "eyes")
    await desk.card("ana", "Write in this thread")
    await desk["ana"].reacts(card, "white_check_mark")
    await desk.card("ana", "Resolved")
    assert contact.state is ContactState.RESOLVED


async def test_home_shows_the_desk_and_sets_the_status(desk: SlackHouse) -> None:
    """An agent's own contacts with ways to their threads; supervisors see the team; buttons set the status."""
    card, _ = await accepted(desk)
    await desk["ana"].opens_home()
    await desk.until(lambda: desk["ana"].home and "Refund" in desk["ana"].home.said, "Ana's Home")
    home = desk["ana"].home
    assert home is not None
    assert "The team" not in home.said
    assert f"/archives/{desk['ana'].dm.id}/p{card.ts.replace('.', '')}" in str(home.blocks)
    await desk["ana"].clicks(home, "usherd.status.busy")
    await desk.until(lambda: "busy" in (desk["ana"].home.said if desk["ana"].home else ""), "busy")
    assert desk.house.state.agents["ana"].status == "busy"
    await desk["eva"].opens_home()
    await desk.until(lambda: desk["eva"].home and "The team" in desk["eva"].home.said, "Eva's Home")
    await desk["zoe"].opens_home()
    await desk.until(lambda: desk["zoe"].home and "not in this team's roster" in desk["zoe"].home.said, "Zoe's Home")


async def test_commands_answer_whoever_asks(desk: SlackHouse) -> None:
    """Status, queue, take, find, explain, away for a while, back, help: each answered to one person alone."""
    contact = desk.house.mail("My dog is gone.", subject="Lost dog", topic="lost-pet")  # only Eva could, and is away
    ana = desk["ana"]
    for words, said in (
        ("", "/usherd status"),
        ("status", "available"),
        ("queue", "Lost dog"),
        ("find dog", contact.id),
        ("find carla", "Carla Gómez carla@example.org: 1 of these contacts"),
        ("find nothing-of-the-kind", "Nothing was found"),
        (f"explain {contact.id}", "It waits"),
        ("explain 9-9", "no such contact"),
        ("dance", "There is no"),
        ("away soon", "How long?"),
        (f"take {contact.id}", "It is yours"),
        ("away 30m", "You are away until"),
        ("back", "status is changed"),
    ):
        await ana.command("/usherd", words)
        await desk.whisper("ana", said)
    await desk.card("ana", "Lost dog", "Write in this thread")
    assert contact.agent == "ana"
    assert not [one for one in ana.sees() if not one.only_for and "queue" in one.said]


async def test_away_for_a_while_ends_by_itself(desk: SlackHouse) -> None:
    """Home says until when; then the agent is available again, also if the process was started anew meanwhile."""
    await desk["ana"].opens_home()
    await desk["ana"].command("/usherd", "away 30m")
    await desk.whisper("ana", "away until")
    await desk.until(lambda: desk["ana"].home and "then available again" in desk["ana"].home.said, "Home says so")
    await desk.stop()
    desk.house.now += 31 * 60_000
    await desk.start()
    await desk.until(lambda: desk.house.state.agents["ana"].status == "available", "back")
    await desk.until(lambda: not desk.memory.left("back:"), "forgotten")


async def test_customers_files_are_fetched_into_the_thread(desk: SlackHouse) -> None:
    """A button under the message uploads what came with it, for this agent alone, once."""
    contact = desk.house.mail(MONEY, subject="Refund", files=(("bill & co.pdf", "application/pdf", b"%PDF-1"),))
    card = await desk.card("ana", "Offered to you", "bill &amp; co.pdf")
    await desk["ana"].clicks(card, "usherd.files")
    await desk.until(lambda: [one for one in desk["ana"].thread(card) if one.files], "the file")
    (shared,) = [one for one in desk["ana"].thread(card) if one.files]
    files = [desk.slack.space.files[file] for file in shared.files]
    assert [(file.name, file.data) for file in files] == [("bill & co.pdf", b"%PDF-1")]
    assert desk.house.state.contacts[contact.id].agent is None
    await desk.until(lambda: not desk.memory.left("in:"), "done")
    assert not [one for one in desk["ana"].sees() if one.only_for]


async def test_who_lets_offers_lapse_is_told_how_to_come_back(desk: SlackHouse) -> None:
    """Two lapsed offers set an agent away; one message says so, also after a restart."""
    for number in range(2):
        desk.house.mail(MONEY, subject=f"Refund {number}", sender=f"{number} <{number}@example.org>")
    desk.house.now += 11 * 60_000
    desk.house.tick()
    await desk.until(lambda: desk.house.state.agents["ana"].status == "away", "away")

    def said() -> list[Message]:
        return [one for one in desk["ana"].sees() if "offers lapsed" in one.said]

    await desk.until(said, "the message")
    await desk.until(lambda: desk.memory.left("lapsed:"), "remembered")
    await desk.stop()
    await desk.start()
    await desk["ana"].command("/usherd", "back")
    await desk.until(lambda: desk.house.state.agents["ana"].status == "available", "back")
    assert len(said()) == 1


async def test_a_status_in_slack_is_followed_while_it_stands(desk: SlackHouse) -> None:
    """An emoji that the workspace names sets an agent away, and its end ends that; what they set by hand stays."""
    await accepted(desk)
    ana = desk["ana"]

    def status() -> str:
        return desk.house.state.agents["ana"].status.value

    await ana.sets_status(":coffee:")
    await ana.sets_status(":palm_tree:")
    await desk.until(lambda: status() == "away", "away")
    await ana.sets_status("")
    await desk.until(lambda: status() == "available", "available")
    await ana.sets_status(":spiral_calendar_pad:")
    await desk.until(lambda: status() == "busy", "busy")
    await ana.command("/usherd", "away")
    await desk.until(lambda: status() == "away", "away by hand")
    await ana.sets_status("")
    await desk.until(lambda: not desk.memory.left("status:"), "forgotten")
    assert status() == "away"
