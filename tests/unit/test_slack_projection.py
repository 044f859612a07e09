"""What bringing threads to Slack keeps in memory."""

from __future__ import annotations

import asyncio
import gc
from unittest.mock import Mock

from channels.slack.projection import Projection


def locks() -> int:
    """How many there are."""
    gc.collect()
    return sum(isinstance(one, asyncio.Lock) for one in gc.get_objects())


async def test_a_contact_without_a_thread_leaves_nothing_behind() -> None:
    """Of a contact of an agent who is not in Slack nothing stays; two looks at once still take turns."""
    projection = Projection(
        desk=Mock(), read=Mock(), people=Mock(), postings=Mock(), explain=Mock(), clock=Mock(), forget=Mock()
    )
    before, inside = locks(), 0

    async def look(key: tuple[str, str]) -> None:
        nonlocal inside
        async with projection.held(key):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    for number in range(50):
        key = ("ana", f"c{number}")
        await asyncio.gather(*(look(key) for _ in range(3)))
    assert locks() == before
