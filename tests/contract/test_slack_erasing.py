"""An erased customer in Slack: nothing that they wrote, sent or are called stays where the app can take it away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from router.sim.slack import Message, Rules
from tests.support.slack_house import SlackHouse, slack_house

MINUTE = 60_000


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house(Rules(tier_scale=20)) as made:
        made.house.available("ana")
        yield made


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
