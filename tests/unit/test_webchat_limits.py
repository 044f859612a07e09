"""Limits of the chat: rates, counts, signs of life, and frames that no widget sends."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from router.web.chat_feed import SILENT
from router.web.chat_limits import BUCKETS_MAX, Buckets, Counts
from router.web.chat_parts import ChatLimits
from tests.fakes.chat_site import ChatSite, chatting
from tests.support.chat_workspace import Visitor


@pytest_asyncio.fixture
async def site() -> AsyncIterator[ChatSite]:
    """A chat with the usual limits."""
    async with chatting() as started:
        yield started


async def test_a_visitor_who_writes_too_much_waits(site: ChatSite) -> None:
    """Over the rate a message is not stored, and the widget is told when to try again; others are not held up."""
    async with chatting(ChatLimits(messages_per_minute=2)) as slow, Visitor(slow.url) as visitor:
        await visitor.write("client-01", "one")
        await visitor.write("client-02", "two")
        await visitor.say(type="say", client="client-03", text="three")
        refused = await visitor.frame("refused", client="client-03")
        assert refused["code"] == "slow"
        assert 0 < refused["retry"] <= 30
        async with Visitor(slow.url) as other:
            await other.write("client-01", "one")
        assert len(slow.inbox.entries) == 3
    assert site.inbox.entries == []


@pytest.mark.parametrize(
    ("limits", "visitors"),
    [(ChatLimits(visitors_per_hour=2), 2), (ChatLimits(address_connections=3), 3), (ChatLimits(connections=1), 1)],
)
async def test_an_address_gets_only_so_many_lines(limits: ChatLimits, visitors: int) -> None:
    """Over the limit on new visitors, on lines of an address and on lines in all, a line is closed at once."""
    async with chatting(limits) as site:
        held = [Visitor(site.url) for _ in range(visitors)]
        for one in held:
            await one.__aenter__()
        async with connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket:
            with contextlib.suppress(ConnectionClosed):  # closed before it could say so
                await socket.send('{"type":"hello"}')
            await socket.wait_closed()
            assert socket.close_code == 4429
        for one in held:
            await one.__aexit__(None, None, None)
        async with connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket:
            await socket.send(json.dumps({"type": "hello", "pass": held[0].held}))
            assert '"welcome"' in str(await socket.recv())


async def test_too_many_frames_end_the_line() -> None:
    """A widget that says anything whatever too often is hung up on."""
    async with chatting(ChatLimits(frames_per_minute=5)) as site, Visitor(site.url) as visitor:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(6):
                await visitor.say(type="typing")
        assert await visitor.closed() == 4429


@pytest.mark.parametrize(
    "first",
    ["", "nonsense", "[]", '{"type":"say","client":"client-01","text":"x"}', '{"type":"hello","pass":7}', b"\0"],
)
async def test_a_line_begins_with_hello(site: ChatSite, first: str | bytes) -> None:
    """Whatever else comes first closes the line."""
    async with connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket:
        await socket.send(first)
        await socket.wait_closed()
        assert socket.close_code == 4400


async def test_a_line_that_says_nothing_is_closed() -> None:
    """Without hello in time, and without a sign of life, a line is closed."""
    async with (
        chatting(hello_seconds=0.05) as site,
        connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket,
    ):
        await socket.wait_closed()
        assert socket.close_code == 4400
    async with chatting(tick_seconds=0.2, silence_seconds=1.0) as site:
        async with Visitor(site.url) as visitor:
            assert await visitor.closed() == SILENT
        async with Visitor(site.url) as visitor:
            until = time.monotonic() + 2.5
            while time.monotonic() < until:  # far longer than the silence that is allowed
                await visitor.frame("tick")
                await visitor.say(type="pong")


@pytest.mark.parametrize(
    "frame", ["nonsense", '{"type":"hello"}', '{"type":"say"}', '{"type":"say","client":1}', b"\0"]
)
async def test_nonsense_ends_the_line(site: ChatSite, frame: str | bytes) -> None:
    """A frame that no widget sends closes the line, and nothing is stored."""
    async with connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket:
        await socket.send('{"type":"hello"}')
        await socket.send(frame)
        await socket.wait_closed()
        assert socket.close_code == 4400
    assert site.inbox.entries == []


async def test_a_frame_beyond_all_measure_ends_the_line(site: ChatSite) -> None:
    """A frame longer than the longest message could be closes the line unread."""
    async with Visitor(site.url) as visitor:
        await visitor.say(type="say", client="client-01", text="x" * 30_000)
        assert await visitor.closed() == 4400
    assert site.inbox.entries == []


def test_buckets_fill_evenly() -> None:
    """A bucket gives its size at once, then one drop at a time; each name has its own; it never overflows."""
    now = [100.0]
    buckets = Buckets(lambda: 2, 60.0, lambda: now[0])
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.0]
    assert buckets.take("a") == pytest.approx(30.0)
    assert buckets.take("b") == 0.0
    now[0] += 29.0
    assert buckets.take("a") == pytest.approx(1.0)
    now[0] += 1.0
    assert buckets.take("a") == 0.0
    now[0] += 10_000.0
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.0]
    assert buckets.take("a") > 0.0


def test_buckets_forget_who_was_there_longest_ago() -> None:
    """However many names come, the memory for them is bounded."""
    buckets = Buckets(lambda: 1, 60.0, lambda: 0.0)
    for number in range(BUCKETS_MAX + 10):
        buckets.take(str(number))
    assert buckets.take(str(BUCKETS_MAX)) > 0.0
    assert buckets.take("0") == 0.0


def test_counts_are_by_name_and_in_all() -> None:
    """Nobody enters beyond either limit, and whoever leaves makes room."""
    counts = Counts(lambda: 2, lambda: 3)
    assert [counts.enter("a"), counts.enter("a"), counts.enter("a"), counts.enter("b"), counts.enter("c")] == [
        True, True, False, True, False,
    ]  # fmt: skip
    counts.leave("a")
    assert counts.enter("c")
    assert len(counts) == 3
