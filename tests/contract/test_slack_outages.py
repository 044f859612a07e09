"""What Slack will not do, or does not do for a long while: nobody is held up, nothing is dropped without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest
import pytest_asyncio

from channels.slack import arriving, fetching, listening, sharing
from router.core import events
from router.core.values import Status
from router.sim.slack import Message, Rules
from tests.support.slack_house import SlackHouse, slack_house

MONEY = "I want my money back."
MINUTE = 60_000
HASTY_SECONDS, HANG_SECONDS = 2, 60.0


@pytest_asyncio.fixture(params=[listening.TIMEOUT_SECONDS])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[SlackHouse]:
    """Ana is available; what fails is tried again quickly, and Slack waited for as long as the test says."""
    with (
        patch.object(fetching, "AGAIN_SECONDS", 0.01),
        patch.object(sharing, "AGAIN_SECONDS", 0.01),
        patch.object(arriving, "TRIES_MAX", 2),
        patch.object(listening, "TIMEOUT_SECONDS", request.param),
    ):
        async with slack_house(Rules(ack=1.0, retries=(0.0, 0.3, 1.0, 2.0), tier_scale=20)) as made:
            made.house.available("ana")
            yield made


async def accepted(desk: SlackHouse, subject: str = "Refund", **more: object) -> tuple[Message, str]:
    """A card whose contact is Ana's, and the contact."""
    contact = desk.house.mail(MONEY, subject=subject, **more)  # type: ignore[arg-type]
    card = await desk.card("ana", subject, "Offered to you")
    await desk["ana"].clicks(card, "usherd.accept")
    return await desk.card("ana", subject, "Write in this thread"), contact.id


def told(desk: SlackHouse, word: str) -> list[Message]:
    """What the app says to Ana with this word."""
    return [one for one in desk["ana"].sees() if one.user == desk.slack.bot and word in one.said]


# -- deeds of which nothing comes ----------------------------------------------------------------------------------


async def test_a_file_that_slack_never_gives_is_told_and_holds_up_nothing(desk: SlackHouse) -> None:
    """An answer with such a file is given up in the thread; what the agent writes after it is sent."""
    card, name = await accepted(desk)
    desk.slack.faults.fail("download", status=503, times=1_000)
    await desk["ana"].uploads("form.pdf", b"%PDF", text="Please sign.", thread=card)
    await desk["ana"].writes("Are you there?", thread=card)
    contact = desk.house.state.contacts[name]
    await desk.until(lambda: len(contact.messages) == 2, "the next is sent")
    assert desk.house.written[contact.messages[1].id].text == "Are you there?"
    notice = await desk.told("ana", card, "not sent")
    assert "does not say why" in notice.said
    await desk.until(lambda: not [*desk.memory.left("in:"), *desk.memory.left("lost:")], "forgotten")


async def test_files_that_slack_never_takes_are_told(desk: SlackHouse) -> None:
    """*Fetch the files* of a customer's message, which cannot be uploaded: the agent reads so, and goes on."""
    card, name = await accepted(desk, files=(("order.pdf", "application/pdf", b"%PDF"),))
    desk.slack.faults.fail("upload", status=500, times=1_000)
    await desk["ana"].clicks(card, "usherd.files")
    await desk["ana"].writes("One moment.", thread=card)
    await desk.until(lambda: len(desk.house.state.contacts[name].messages) == 2, "the next is sent")
    await desk.told("ana", card, "could not be carried out")


async def test_what_slack_refuses_is_told(desk: SlackHouse) -> None:
    """A window that Slack would not open: in the contact's thread stands what became of the click, and why."""
    card, _ = await accepted(desk)
    desk.slack.faults.refuse("views.open", "expired_trigger_id")
    await desk["ana"].clicks(card, "usherd.note")
    notice = await desk.told("ana", card, "could not be carried out")
    assert "expired_trigger_id" in notice.said
    await desk["ana"].clicks(card, "usherd.note")
    await desk.until(lambda: desk["ana"].modal, "the window, at the second click")


@pytest.mark.parametrize("desk", [HASTY_SECONDS], indirect=True)
async def test_what_we_fail_at_is_told_even_after_a_restart(desk: SlackHouse) -> None:
    """A mistake of ours, twice; Slack is away as it is to be told. It is said once, in the conversation."""
    desk.house.act_error = RuntimeError("a mistake")
    desk.slack.faults.hang("chat.postMessage", seconds=HANG_SECONDS, times=1_000)
    await desk["ana"].command("/usherd", "away")
    await desk.until(lambda: desk.memory.left("lost:"), "noted")
    assert told(desk, "An admin finds") == []
    await desk.stop()
    desk.slack.faults.clear()
    await desk.start()
    await desk.until(lambda: told(desk, "An admin finds"), "told")
    await desk.until(lambda: not desk.memory.left("lost:"), "forgotten")
    await desk.stop()
    await desk.start()
    await desk.slack.settled()
    assert len(told(desk, "An admin finds")) == 1


# -- Slack hangs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("desk", [HASTY_SECONDS], indirect=True)
@pytest.mark.parametrize("done", [True, False])
async def test_a_post_that_hangs_long_holds_up_no_other(desk: SlackHouse, *, done: bool) -> None:
    """Far longer than Slack is waited for: others get their cards meanwhile, and this one stands there once."""
    desk.house.available("ben")
    desk.slack.faults.hang("chat.postMessage", seconds=HANG_SECONDS, times=1, after=done)
    desk.house.mail(MONEY, subject="Refund")
    await desk.until(lambda: any(b'"sending":{' in raw for raw in desk.memory.kept.values()), "under way")
    desk.house.mail("My bag is lost.", subject="Bag", topic="lost-baggage", sender="Dan <dan@example.org>")
    await desk.until(lambda: desk.cards("ana") + desk.cards("ben"), "a card meanwhile")
    await desk.card("ana", "Refund", "Offered to you")
    await desk.until(lambda: [one for name in ("ana", "ben") for one in desk.cards(name) if "Bag" in one.said], "Bag")
    await desk.until(lambda: not any(b'"sending":{' in raw for raw in desk.memory.kept.values()), "settled")
    assert len([one for one in desk.cards("ana") if "Refund" in one.said]) == 1


# -- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_time_away_ends_though_the_clock_jumped(desk: SlackHouse, *, restarted: bool) -> None:
    """The jump moves since when somebody is away; they are available again at the time that was said, and no sooner."""
    seat = desk.house.state.agents["ana"]
    await desk["ana"].command("/usherd", "away 2h")
    await desk.whisper("ana", "You are away until")
    if restarted:
        await desk.stop()
    desk.house.now += 60 * MINUTE
    since = seat.status_since
    desk.house.apply(events.ClockJumped(at=desk.house.now, by_ms=60 * MINUTE, taken=True))
    assert seat.status_since != since
    if restarted:
        await desk.start()
    await asyncio.sleep(0.3)  # some looks
    assert seat.status is Status.AWAY
    desk.house.now += 61 * MINUTE
    await desk.until(lambda: seat.status is Status.AVAILABLE, "back")
    await desk.until(lambda: not desk.memory.left("back:"), "forgotten")
