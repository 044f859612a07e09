"""Slack on a bad day, people in a hurry, and strangers: exactly one outcome of each click, one copy of each post."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from router.core.errors import StoreUnavailable
from router.core.transitions import ContactState
from router.sim.slack import Message, Rules
from tests.support.slack_house import SlackHouse, slack_house

MONEY = "I want my money back."
OPEN = "Write in this thread"


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available; a Slack that sends events again after a moment."""
    async with slack_house(Rules(ack=1.0, retries=(0.0, 0.3, 1.0, 2.0, 3.0, 3.0), tier_scale=20)) as made:
        made.house.available("ana")
        yield made


async def accepted(desk: SlackHouse, subject: str = "Refund") -> tuple[Message, str]:
    """A card whose contact is Ana's, and the contact."""
    contact = desk.house.mail(MONEY, subject=subject)
    card = await desk.card("ana", subject, "Offered to you")
    await desk["ana"].clicks(card, "usherd.accept")
    return await desk.card("ana", subject, OPEN), contact.id


def once(desk: SlackHouse, name: str = "ana") -> None:
    """No card and no notice stands there twice."""
    said = Counter((one.thread_ts, one.said) for one in desk[name].sees() if one.user == desk.slack.bot)
    assert not [what for what, number in said.items() if number > 1]


# -- people --------------------------------------------------------------------------------------------------------


async def test_two_clicks_at_once_have_one_outcome(desk: SlackHouse) -> None:
    """Accept and Decline at the same moment, and Accept twice: one is done, the others are told so in a sentence."""
    contact = desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Offered to you")
    ana = desk["ana"]
    answers = await asyncio.gather(*(ana.clicks(card.seen(), "usherd.accept") for _ in range(3)))
    assert all(answer.acked for answer in answers)
    await desk.card("ana", OPEN)
    await desk.whisper("ana", "yours already")
    assert contact.agent == "ana"
    await desk.until(lambda: [action for _, action, _ in desk.house.acts].count("accept") == 3, "all three")
    assert len(desk.cards("ana")) == 1


async def test_a_click_on_an_offer_that_is_over_is_told(desk: SlackHouse) -> None:
    """An old card is clicked after the offer lapsed: nothing is done, a sentence says so."""
    desk.house.mail(MONEY, subject="Refund")
    card = (await desk.card("ana", "Offered to you")).seen()
    desk.house.now += 11 * 60_000
    desk.house.tick()
    await desk.until(lambda: not desk.house.state.contacts["c1"].agent, "lapsed")
    await desk["ana"].clicks(card, "usherd.accept")
    await desk.whisper("ana", "")
    assert desk.house.state.contacts["c1"].agent is None


async def test_a_stranger_can_do_nothing(desk: SlackHouse) -> None:
    """Whoever is no agent is told so alone, whatever they click, write, mark or type; the try stands in the journal."""
    _, name = await accepted(desk)
    zoe = desk["zoe"]
    await zoe.writes("let me in")
    await desk.whisper("zoe", "not in this team's roster")
    await zoe.command("/usherd", "queue")
    await desk.until(lambda: len([one for one in zoe.sees() if one.only_for]) == 2, "told twice")
    await zoe.command("/usherd", f"take {name}")
    await desk.until(lambda: len([one for one in zoe.sees() if one.only_for]) == 3, "told again")
    await zoe.command("/usherd", "whatif 7d")
    await desk.until(lambda: len([one for one in zoe.sees() if one.only_for]) == 4, "and again")
    assert desk.house.state.contacts[name].agent == "ana"
    tried = [(agent, action, fields["reason"]) for agent, action, fields in desk.house.acts if agent != "ana"]
    who = f"slack:{zoe.id}"
    said = ["say", "command queue", "command take", "command whatif"]
    assert tried == [(who, "tried", what) for what in said]


def line_of(desk: SlackHouse) -> list[Message]:
    """What stands in the team's channel."""
    return [one for one in desk["ana"].sees(desk.emea) if one.user == desk.slack.bot and not one.only_for]


async def test_the_team_takes_what_waits_too_long(desk: SlackHouse) -> None:
    """One line for a contact at risk; of all who press at once one has it, the others hear who was first."""
    contact = desk.house.mail("My dog is gone.", subject="Lost dog", topic="lost-pet")  # only Eva could, and is away
    await asyncio.sleep(0.3)
    assert line_of(desk) == []
    desk.house.now += 8 * 3_600_000 - 10 * 60_000
    await desk.until(lambda: line_of(desk), "the line")
    (line,) = line_of(desk)
    assert "Lost dog" in line.said
    assert "My dog is gone" not in line.said
    seen = {name: line.seen() for name in ("ana", "ben", "eva", "zoe")}
    answers = await asyncio.gather(*(desk[name].clicks(one, "usherd.take") for name, one in seen.items()))
    assert all(answer.acked for answer in answers)
    await desk.until(lambda: "has it" in line_of(desk)[0].said, "taken")
    winner = str(contact.agent)
    assert winner in {"ana", "ben", "eva"}
    first = desk.house.names.person(winner)
    assert first is not None
    for name in {"ana", "ben", "eva"} - {winner}:
        await desk.whisper(name, f"{first.name} was first", desk.emea)
    await desk.whisper("zoe", "not in this team's roster", desk.emea)
    await desk.card(winner, "Lost dog", OPEN)
    assert line_of(desk)[0].buttons == []
    assert (f"slack:{desk['zoe'].id}", "take", {"contact": contact.id}) in desk.house.acts
    assert len(line_of(desk)) == 1
    await desk["ana"].writes("I know that dog.", channel=desk.emea, thread=line)
    await desk.slack.settled()
    assert all(action == "take" for _, action, _ in desk.house.acts)


async def test_who_leaves_the_roster_can_do_nothing_more(desk: SlackHouse) -> None:
    """The roster is asked at every click: a card of yesterday is no right of today."""
    card, name = await accepted(desk)
    desk.addresses = lambda: {"ben": desk["ben"].id}  # type: ignore[method-assign]
    await desk["ana"].clicks(card, "usherd.resolve")
    await desk.whisper("ana", "not in this team's roster")
    assert desk.house.state.contacts[name].state is ContactState.ASSIGNED


# -- Slack ---------------------------------------------------------------------------------------------------------


async def test_a_post_whose_answer_was_lost_is_looked_up(desk: SlackHouse) -> None:
    """Slack posts the card and fails to say so: it is found by its metadata and not posted again."""
    desk.slack.faults.fail("chat.postMessage", times=1, after=True)
    _, name = await accepted(desk)
    desk.slack.faults.fail("chat.postMessage", times=1, after=True)
    desk.house.mail("Hello?", thread=name)
    await desk.told("ana", desk.cards("ana")[0], "Hello?")
    await desk["ana"].writes("Yes.", thread=desk.cards("ana")[0])
    await desk.card("ana", "Waiting on the customer")
    once(desk)
    assert len(desk.cards("ana")) == 1


async def test_a_post_that_failed_is_made(desk: SlackHouse) -> None:
    """Slack answers 500, or too many requests, and has done nothing: the card comes a moment later, once."""
    desk.slack.faults.fail("chat.postMessage", times=1)
    desk.slack.faults.refuse("chat.postMessage", "ratelimited", retry_after=1, times=1)
    await accepted(desk)
    once(desk)


async def test_a_double_that_turns_up_late_is_deleted(desk: SlackHouse) -> None:
    """A post that hangs is not found and made again; when the first appears after all, it goes."""
    desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Offered to you")
    thread = next(one for one in desk.memory.left("thread:"))
    await desk.stop()
    raw = desk.memory.kept[thread].decode()
    # as if it had been made a second time after a look-up that found nothing
    desk.memory.kept[thread] = raw.replace('"again":[]', '"again":[{"delivery":"card","at":0}]').encode()
    assert desk.memory.kept[thread] != raw.encode()
    late = desk.slack.space.new_message(desk["ana"].dm, desk.slack.bot, card.text)
    late.blocks, late.metadata = card.blocks, card.metadata
    desk.slack.space.post(desk["ana"].dm, late)
    assert len(desk.cards("ana")) == 2
    await desk.start()
    await desk.until(lambda: [one.ts for one in desk.cards("ana")] == [card.ts], "the double's going")


async def test_the_same_event_four_times_is_one_answer(desk: SlackHouse) -> None:
    """Slack sends what an agent wrote four times, and once as a retry only: the customer gets it once."""
    card, name = await accepted(desk)
    desk.slack.faults.repeat_events(4)
    await desk["ana"].writes("Once.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    await desk.slack.settled()
    desk.slack.faults.repeat_events(1)
    desk.slack.faults.only_retries(1)
    await desk["ana"].writes("Twice.", thread=card)
    await desk.until(lambda: len(contact.messages) == 3, "answered by the retry")
    await desk.slack.settled()
    assert [desk.house.written[ref.id].text for ref in contact.messages[1:]] == ["Once.", "Twice."]
    assert [action for _, action, _ in desk.house.acts].count("reply") == 2


async def test_nothing_is_acknowledged_that_is_not_stored(desk: SlackHouse) -> None:
    """While the store is away a click fails in front of its maker, and what they write comes again until it is kept."""
    card, name = await accepted(desk)
    desk.memory.fails = True
    answer = await desk["ana"].clicks(card, "usherd.resolve")
    assert not answer.acked
    await desk["ana"].writes("Kept later.", thread=card)
    await asyncio.sleep(0.3)
    contact = desk.house.state.contacts[name]
    assert contact.state is ContactState.ASSIGNED
    assert len(contact.messages) == 1
    desk.memory.fails = False
    await desk.until(lambda: len(contact.messages) == 2, "answered by a retry")


@pytest.mark.parametrize("how", ["dropped", "refreshed", "dead", "down"])
async def test_sockets_come_back(desk: SlackHouse, how: str) -> None:
    """A socket that is cut, refreshed, dead at birth, or a Slack that is away for a while: deeds arrive afterwards."""
    card, name = await accepted(desk)
    if how == "refreshed":
        await desk.slack.disconnects("refresh_requested")
    elif how == "dead":
        desk.slack.faults.dead_sockets(3)
        desk.slack.drops_sockets()
    elif how == "dropped":
        desk.slack.drops_sockets()
    else:
        await desk.slack.goes_down()
        desk.house.mail("Are you there?", thread=name)
        await asyncio.sleep(0.3)
        await desk.slack.comes_up()
    said = await desk["ana"].writes("Still here.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: any(ref.direction == "out" for ref in contact.messages), "answered")
    assert said.text
    if how == "down":
        await desk.told("ana", card, "Are you there?")
    once(desk)


async def test_what_the_store_kept_and_could_not_say_is_carried_out(desk: SlackHouse) -> None:
    """The store's answer was lost: Slack is told nothing, sends the message again, and it is carried out, once."""
    card, name = await accepted(desk)
    add, lost = desk.memory.add, 0

    async def kept_and_silent(name: str, value: bytes) -> bool:
        nonlocal lost
        added = await add(name, value)
        if added:
            lost += 1
            raise StoreUnavailable("no answer")
        return added

    desk.memory.add = kept_and_silent  # type: ignore[method-assign]
    await desk["ana"].writes("Once.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    await desk.slack.settled()
    assert lost == 1
    assert [action for _, action, _ in desk.house.acts].count("reply") == 1


async def test_an_agent_who_is_not_in_slack_costs_one_question(desk: SlackHouse) -> None:
    """Contacts of somebody without a member are theirs at the web desk; Slack is not asked at every change."""
    addresses = desk.addresses()
    desk.addresses = lambda: addresses | {"ana": "nobody@example.com"}  # type: ignore[method-assign]
    for number in range(3):
        desk.house.mail(MONEY, subject=f"Refund {number}", sender=f"{number} <{number}@example.org>")
    await desk.until(lambda: any(contact.offer for contact in desk.house.state.contacts.values()), "offered")
    await asyncio.sleep(0.3)
    asked = [one for one in desk.slack.calls if "lookupByEmail" in str(one)]
    assert len(asked) == 1
    assert desk.cards("ana") == []


# -- the process ---------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_was(desk: SlackHouse) -> None:
    """Cards are known again: what happened meanwhile changes them and comes into their threads, once."""
    card, name = await accepted(desk)
    await desk["ana"].writes("One.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    await desk.card("ana", "Waiting on the customer")
    await desk.stop()
    desk.house.mail("Two.", thread=name)
    other = desk.house.mail(MONEY, subject="Another one", sender="Dan <dan@example.org>")
    await desk.start()
    await desk.told("ana", card, "Two.")
    await desk.card("ana", "Another one", "Offered to you")
    assert other.offer is not None
    assert len(desk.cards("ana")) == 2
    once(desk)
    before = len(desk.slack.calls)
    await desk.stop()
    await desk.start()
    await asyncio.sleep(0.5)
    called = [str(one) for one in desk.slack.calls[before:]]
    assert not [one for one in called if "chat." in one], called


async def test_a_kill_between_a_post_and_its_record_makes_no_double(desk: SlackHouse) -> None:
    """The process ends while a post is under way, done or not: after the start the card stands there once."""
    for after in (True, False):
        desk.slack.faults.hang("chat.postMessage", seconds=0.4, times=1, after=after)
        desk.house.mail(MONEY, subject=f"Refund {after}", sender=f"{after} <{after}@example.org>")
        await desk.until(lambda: any('"sending":{' in raw.decode() for raw in desk.memory.kept.values()), "sending")
        await asyncio.sleep(0.1)
        await desk.stop()
        await desk.start()
        await desk.card("ana", f"Refund {after}")
        await asyncio.sleep(0.5)  # what hung is posted after all
    desk.house.now += 61_000  # a copy that came late is looked for, and deleted
    await desk.until(lambda: len(desk.cards("ana")) == 2, "the copy's going")
    once(desk)


async def test_what_was_stored_before_a_kill_is_carried_out_after_it(desk: SlackHouse) -> None:
    """An answer that Slack was told of is sent by the next process, in order, and told as nobody else's."""
    card, name = await accepted(desk)
    desk.house.act_gate = asyncio.Event()
    await desk["ana"].writes("One.", thread=card)
    await desk["ana"].writes("Two.", thread=card)
    await desk.until(lambda: len(desk.memory.left("in:")) == 2, "stored")
    await desk.stop()
    desk.house.act_gate = None
    await desk.start()
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 3, "answered")
    assert [desk.house.written[ref.id].text for ref in contact.messages[1:]] == ["One.", "Two."]
    await desk.until(lambda: not desk.memory.left("in:"), "forgotten")
    await desk.card("ana", "Waiting on the customer")
    assert [one.said for one in desk["ana"].thread(card) if one.user == desk.slack.bot] == [card.said]


async def test_what_was_written_while_nobody_listened_is_read_later() -> None:
    """Slack gave it up: after the start it is found in its thread and sent, once, as is what came both ways."""
    async with slack_house(Rules(ack=0.5, retries=(0.0,), tier_scale=20)) as desk:
        desk.house.available("ana")
        card, name = await accepted(desk)
        contact = desk.house.state.contacts[name]
        desk.house.now = int(time.time() * 1000)  # Slack's messages have Slack's time
        await desk["ana"].writes("Before.", thread=card)
        await desk.until(lambda: len(contact.messages) == 2, "answered")
        await desk.until(lambda: "alive" in desk.memory.kept, "remembered")
        await desk.stop()
        await desk["ana"].writes("Into the void.", thread=card)
        await desk.slack.settled()
        desk.house.now += 3_600_000
        await desk.start()
        await desk.until(lambda: len(contact.messages) == 3, "read")
        await desk["ana"].writes("After.", thread=card)
        await desk.until(lambda: len(contact.messages) == 4, "answered")
        said = [desk.house.written[ref.id].text for ref in contact.messages[1:]]
        assert said == ["Before.", "Into the void.", "After."]
        assert [action for _, action, _ in desk.house.acts].count("reply") == 3


async def test_whoever_changes_is_looked_up_anew(desk: SlackHouse) -> None:
    """A member whose address becomes an agent's is one from then on: Slack tells that something of theirs changed."""
    zoe = desk["zoe"]
    addresses = desk.addresses()
    desk.addresses = lambda: addresses | {"ana": "new@example.com"}  # type: ignore[method-assign]
    await zoe.command("/usherd", "status")
    await desk.whisper("zoe", "not in this team's roster")
    zoe.user.email = "new@example.com"
    await zoe.sets_status(":wave:")  # any change of a member is told in one event
    await desk.slack.settled()
    await zoe.command("/usherd", "status")
    await desk.whisper("zoe", "You are")
    await desk.until(lambda: not desk.memory.left("in:"), "done")
