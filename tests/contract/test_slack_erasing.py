"""An erased customer in Slack: nothing that they wrote, sent or are called stays where the app can take it away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from router.core import events
from router.sim.slack import Message, Rules
from tests.support.slack_house import SlackHouse, slack_house

MONEY = "I want my money back."
MINUTE = 60_000


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house(Rules(tier_scale=20)) as made:
        made.house.available("ana")
        yield made


def erase(desk: SlackHouse, contact: str) -> None:
    """Erase whoever a contact is with, as the engine says what is to go."""
    for made in desk.house.apply(events.CustomerErased(at=desk.house.now, erasure="9-0", contact=contact)):
        for message in getattr(made, "messages", ()):
            desk.house.written.pop(message, None)


async def test_card_notices_and_files_go(desk: SlackHouse) -> None:
    """The card says that they were erased; their later messages, and files fetched into the thread, are deleted."""
    contact = desk.house.mail(MONEY, subject="Refund", files=(("bill.pdf", "application/pdf", b"%PDF-1"),))
    card = await desk.card("ana", "Offered to you")
    await desk["ana"].clicks(card, "usherd.accept")
    await desk["ana"].clicks(await desk.card("ana", "Write in this thread"), "usherd.files")
    await desk.until(lambda: [one for one in desk["ana"].thread(card) if one.files], "the file")
    desk.house.mail("Are you there?", thread=contact.id)
    await desk.told("ana", card, "Are you there?")
    erase(desk, contact.id)
    await desk.card("ana", "erased")
    await desk.until(lambda: not [one for one in desk["ana"].thread(card) if one.files], "the file's going")
    said = " ".join(one.said for one in desk["ana"].sees())
    assert MONEY not in said
    assert "Are you there?" not in said
    assert "Carla" not in said
    assert desk.slack.space.files == {}


async def test_the_teams_channel_keeps_no_name(desk: SlackHouse) -> None:
    """Once somebody has it, the line says neither who waited nor about what: it is never looked at again."""
    desk.house.mail("My dog is gone.", subject="Lost dog", topic="lost-pet")  # only Eva could, and is away
    desk.house.now += 8 * 3_600_000 - 10 * MINUTE

    def lines() -> list[Message]:
        return [one for one in desk["ana"].sees(desk.emea) if one.user == desk.slack.bot and not one.only_for]

    await desk.until(lines, "the line")
    assert "Lost dog" in lines()[0].said
    await desk["ana"].clicks(lines()[0], "usherd.take")
    await desk.until(lambda: "has it" in lines()[0].said, "taken")
    for word in ("Carla", "Lost dog"):
        assert word not in lines()[0].said + lines()[0].text


async def test_what_they_wrote_in_somebody_elses_contact_goes(desk: SlackHouse) -> None:
    """That contact's thread stays, and their words in it are taken back."""
    contact = desk.house.mail(MONEY, subject="Refund")
    card = await desk.card("ana", "Offered to you")
    await desk["ana"].clicks(card, "usherd.accept")
    await desk.card("ana", "Write in this thread")
    other = desk.house.mail("I am her brother.", sender="Dan <dan@example.org>", thread=contact.id)
    desk.house.apply(events.SenderLetIn(at=desk.house.now, agent="eva", contact=other.id))
    await desk.told("ana", card, "I am her brother.")
    sender = contact.messages[-1].sender
    assert sender is not None
    assert sender != contact.messages[0].sender
    for made in desk.house.apply(events.CustomerErased(at=desk.house.now, erasure="9-0", identities=(sender,))):
        for message in getattr(made, "messages", ()):
            desk.house.written.pop(message, None)
    await desk.until(
        lambda: "her brother" not in " ".join(one.said + one.text for one in desk["ana"].thread(card)),
        "the words' going",
    )
    assert MONEY in (await desk.card("ana", "Refund")).said
