"""One contract for every channel: what is acknowledged is on disk, once, whatever happens; what leaves, leaves once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from router.core.transitions import DeliveryState
from router.shell.outbox import attempt
from tests.support.way import OVERSIZE, Way, until
from tests.support.ways import WAYS, ChatWay

HOSTILE = (
    "needle \x00\x01\x1b[2J\x07 </script><script>alert(1)</script>",
    "needle \u202e\u2066 {{7*7}} ${jndi:ldap://x} '; DROP TABLE contacts; --",
    "needle " + "a\u0301" * 400 + " 👩‍👩‍👧‍👧 \ufeff\u200b",
    '=HYPERLINK("http://x") needle\r\n.\r\nMAIL FROM:<x>\r\n',
    "needle " + "x" * 3_000,
)


@pytest_asyncio.fixture(params=list(WAYS))
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    """A channel and its outside; the adapter is begun by each test."""
    made = WAYS[request.param](tmp_path)
    async with made.opened():
        yield made


async def test_it_is_acknowledged_only_once_it_is_on_disk(way: Way) -> None:
    """While the store has not answered, the outside was told nothing; then it is."""
    way.inbox.gate.clear()
    async with way.running():
        await way.hand_in(1)
        await until(lambda: way.inbox.asked)
        await asyncio.sleep(0.05)
        assert not way.taken(1)
        assert way.inbox.entries == []
        way.inbox.gate.set()
        await until(lambda: way.taken(1))
    assert len(way.inbox.entries) == 1


async def test_what_is_handed_in_twice_is_one(way: Way) -> None:
    """Also when the second time is to another process."""
    async with way.running():
        await way.hand_in(1)
        await until(lambda: way.taken(1))
    async with way.running():
        await way.hand_in(1)
        await way.hand_in(2)
        await until(lambda: way.taken(1) and way.taken(2))
    assert len(way.inbox.entries) == 2


async def test_out_of_order_both_come_in(way: Way) -> None:
    """A later message before an earlier one is no reason to take the earlier for one that was seen."""
    async with way.running():
        for number in (3, 1, 2):
            await way.hand_in(number)
            await until(lambda number=number: way.taken(number))  # type: ignore[misc]
    texts = [way.read(entry).text.strip() for entry in way.inbox.entries]
    assert texts == ["This is number 3.", "This is number 1.", "This is number 2."]


async def test_what_is_too_large_is_not_stored_whole(way: Way) -> None:
    """And what follows it comes in."""
    async with way.running():
        await way.oversize()
        await way.hand_in(1)
        await until(lambda: way.taken(1))
    assert all(len(entry.raw) < OVERSIZE / 2 for entry in way.inbox.entries)
    assert way.read(way.inbox.entries[-1]).text.strip() == "This is number 1."


async def test_hostile_text_is_a_message_all_the_same(way: Way) -> None:
    """Control characters, markup, directions, long lines: read without fail, and nothing that no text may hold."""
    async with way.running():
        for number, text in enumerate(HOSTILE, 1):
            await way.hand_in(number, text)
            await until(lambda number=number: way.taken(number))  # type: ignore[misc]
    assert len(way.inbox.entries) == len(HOSTILE)
    for entry in way.inbox.entries:
        message = way.read(entry)
        assert "needle" in message.full_text
        assert "\x00" not in message.full_text + message.subject
        message.full_text.encode()


async def test_while_the_store_is_down_nothing_is_acknowledged(way: Way) -> None:
    """And nothing is lost: once it is back the message comes in, once."""
    way.inbox.down = True
    async with way.running():
        await way.hand_in(1)
        await until(lambda: way.inbox.failed)
        assert not way.taken(1)
        way.inbox.down = False
        await way.insist(1)
        await until(lambda: way.taken(1))
    assert len(way.inbox.entries) == 1


async def test_a_restart_in_the_middle_doubles_nothing(way: Way) -> None:
    """Stored, the store's answer lost, the process gone: the next process takes it for what it is."""
    way.inbox.lose = True
    async with way.running():
        await way.hand_in(1)
        await until(lambda: way.inbox.failed)
        assert not way.taken(1)  # nothing more of this process's gets through
    way.inbox.down = False
    async with way.running():
        await way.insist(1)
        await until(lambda: way.taken(1))
    assert len(way.inbox.entries) == 1


async def test_who_is_asked_to_wait_waits_and_delivers_once(way: Way) -> None:
    """A try that the other side puts off is deferred, with a time for the next; in the end it is there once.

    A chat has nobody to put it off: there it is the visitor who is asked to wait, and what they say is not lost.
    """
    async with way.outgoing() as out:
        if out.busy is None:
            assert isinstance(way, ChatWay)
            await visitor_waits(way)
            return
        out.busy()
        first = await attempt(out.sender.send, out.letter)
        assert first.state is DeliveryState.DEFERRED
        assert out.sender.retry_after(1, 0) is not None
        async with asyncio.timeout(60):
            while (await attempt(out.sender.send, out.letter)).state is not DeliveryState.SENT:
                await asyncio.sleep(0.05)
        assert out.delivered() == 1


async def visitor_waits(way: ChatWay) -> None:
    """Whoever says too much at once is told when to go on."""
    async with way.running():
        told: list[dict[str, object]] = []
        for number in range(1, 20):
            told.append(await way.answer_to(number, f"This is number {number}."))
            if told[-1]["type"] == "refused":
                break
        assert told[-1]["code"] == "slow"
        assert int(str(told[-1]["retry"])) > 0
    assert len(way.inbox.entries) == len(told) - 1


async def test_what_cannot_be_delivered_has_failed(way: Way) -> None:
    """Nobody is there: it is not tried again, and the agent is told."""
    async with way.outgoing() as out:
        out.gone()
        assert (await attempt(out.sender.send, out.letter)).state is DeliveryState.FAILED
