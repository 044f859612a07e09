"""Corners of the desk in Slack: what two clicks, a missed change or a full store must not bring about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from router.core.errors import BacklogFull, StoreUnavailable
from router.core.transitions import ContactState
from router.sim.slack import Message, Rules
from tests.support.slack_house import SlackHouse, slack_house

MONEY = "I want my money back."
MINUTE = 60_000


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house(Rules(ack=1.0, retries=(0.0, 0.3, 1.0, 2.0), tier_scale=20)) as made:
        made.house.available("ana")
        yield made


async def accepted(desk: SlackHouse) -> tuple[Message, str]:
    """A card whose contact is Ana's, and the contact."""
    contact = desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Refund", "Offered to you")
    await desk["ana"].clicks(card, "usherd.accept")
    return await desk.card("ana", "Refund", "Write in this thread"), contact.id


def status(desk: SlackHouse) -> str:
    """Ana's."""
    return desk.house.state.agents["ana"].status.value


async def test_sending_again_is_done_once(desk: SlackHouse) -> None:
    """Two clicks on *Send again*, and a third after a restart, bring the customer one more copy, not three."""
    card, name = await accepted(desk)
    await desk["ana"].writes("It is on its way.", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    desk.house.report(name, contact.messages[-1].id, "failed")
    failure = (await desk.told("ana", card, "Not delivered")).seen()
    for _ in range(2):
        await desk["ana"].clicks(failure, "usherd.retry")
    await desk.whisper("ana", "sent again already")
    await desk.until(lambda: not desk.memory.left("in:"), "both done")
    await desk.stop()
    await desk.start()
    await desk["ana"].clicks(failure, "usherd.retry")
    await desk.slack.settled()
    await desk.until(lambda: not desk.memory.left("in:"), "done")
    assert [ref.direction for ref in contact.messages] == ["in", "out", "out"]


async def test_eyes_on_a_line_that_somebody_takes_just_now_are_too_late(desk: SlackHouse) -> None:
    """A supervisor's 👀 stands behind a colleague's click that is under way, and takes nothing from them."""
    contact = desk.house.mail("My dog is gone.", subject="Lost dog", topic="lost-pet")  # only Eva could, and is away
    desk.house.now += 8 * 3_600_000 - 10 * MINUTE

    def lines() -> list[Message]:
        return [one for one in desk["ana"].sees(desk.emea) if "Lost dog" in one.said]

    await desk.until(lines, "the line")
    line = lines()[0].seen()
    desk.house.act_gate = asyncio.Event()
    await desk["ana"].clicks(line, "usherd.take")
    await desk["eva"].reacts(line, "eyes")
    await desk.until(lambda: len(desk.memory.left("in:")) == 2, "both stored")
    await asyncio.sleep(0.2)  # as long as both would need to look who has it
    desk.house.act_gate.set()
    await desk.until(lambda: not desk.memory.left("in:"), "both done")
    assert contact.agent == "ana"


async def test_whose_address_is_another_stays_no_agent_after_a_restart(desk: SlackHouse) -> None:
    """Once Slack told that an address is not Ana's any more, the next process does not take her for the agent."""
    card, name = await accepted(desk)
    ana = desk["ana"]
    ana.user.email = "ana@elsewhere.example"
    await ana.sets_status(":wave:")  # any change of a member is told in one event
    await desk.slack.settled()
    await desk.until(lambda: not desk.memory.left("in:"), "done")
    await desk.stop()
    await desk.start()
    await ana.clicks(card, "usherd.resolve")
    await desk.whisper("ana", "not in this team's roster")
    assert desk.house.state.contacts[name].state is ContactState.ASSIGNED


async def test_time_away_ends_nothing_that_was_said_since(desk: SlackHouse) -> None:
    """Away for two hours, back before, and away again without an end: nobody is made available at the first end."""
    for words, said in (("away 2h", "You are away until"), ("back", "status is changed")):
        await desk["ana"].command("/usherd", words)
        await desk.whisper("ana", said)
    desk.house.now += 60 * MINUTE
    await desk["ana"].command("/usherd", "away")
    await desk.until(lambda: status(desk) == "away", "away")
    desk.house.now += 61 * MINUTE
    await desk.until(lambda: not desk.memory.left("back:"), "the end")
    assert status(desk) == "away"


async def test_time_away_that_ends_while_the_store_is_full_ends_later(desk: SlackHouse) -> None:
    """The desk goes on for all others meanwhile, and the agent is available once it can be stored."""
    await desk["ana"].command("/usherd", "away 30m")
    await desk.whisper("ana", "You are away until")
    desk.house.act_error = BacklogFull("full")
    desk.house.now += 31 * MINUTE
    await asyncio.sleep(0.5)
    assert desk.desk is not None
    assert desk.desk.troubles == []
    desk.house.act_error = None
    await desk.until(lambda: status(desk) == "available", "back")


async def test_what_is_stored_as_the_desk_ends_is_not_acknowledged(desk: SlackHouse) -> None:
    """The next desk has read what there was and would not see it: Slack hears nothing and sends it again, once done."""
    card, name = await accepted(desk)
    gate, add, old = asyncio.Event(), desk.memory.add, desk.desk
    assert old is not None

    async def slow(name: str, value: bytes) -> bool:
        await gate.wait()
        return await add(name, value)

    desk.memory.add = slow  # type: ignore[method-assign]
    ana = desk["ana"]
    where = {"channel": ana.dm.id, "channel_type": "im", "ts": "1790000099.000100", "thread_ts": card.ts}
    event = {"type": "message", "user": ana.id, "text": "Hello", **where}
    payload = {"type": "event_callback", "event_id": "Ev1", "event": event}
    taking = asyncio.create_task(old.take(payload))
    await asyncio.sleep(0)
    await desk.stop()
    await desk.start()
    gate.set()
    with pytest.raises(StoreUnavailable):
        await taking
    assert desk.desk is not None
    assert await desk.desk.take(payload) == {}
    await desk.until(lambda: len(desk.house.state.contacts[name].messages) == 2, "answered")
    await desk.until(lambda: not desk.memory.left("in:"), "forgotten")


async def test_a_click_that_was_shown_as_failed_is_never_carried_out(desk: SlackHouse) -> None:
    """The store kept it and could not say so: it is forgotten, and does not happen at some later start."""
    card, name = await accepted(desk)
    add = desk.memory.add

    async def kept_and_silent(name: str, value: bytes) -> bool:
        await add(name, value)
        raise StoreUnavailable("no answer")

    desk.memory.add = kept_and_silent  # type: ignore[method-assign]
    answer = await desk["ana"].clicks(card, "usherd.resolve")
    assert not answer.acked
    desk.memory.add = add  # type: ignore[method-assign]
    await desk.until(lambda: not desk.memory.left("in:"), "forgotten")
    await desk.stop()
    await desk.start()
    await desk["ana"].clicks(card, "usherd.note")
    await desk.until(lambda: desk["ana"].modal, "a click that is done")
    assert desk.house.state.contacts[name].state is ContactState.ASSIGNED
