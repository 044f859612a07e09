"""Slack's rate limits are kept by method and channel, and what people wait for goes first."""

from __future__ import annotations

import asyncio

import pytest

from channels.slack.api import Refusal, Wait
from channels.slack.limits import MESSAGE_SECONDS, PER_MINUTE, WINDOW_SECONDS, Limits
from channels.slack.work import URGENT, USUAL, Work


class Clock:
    """Seconds that move by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_has_so_many_calls_of_a_method() -> None:
    """Four fifths of a minute's calls are for all, the rest for what is urgent; then it is told how long to wait."""
    clock = Clock()
    limits = Limits(clock)
    allowed = PER_MINUTE["chat.update"]
    usual = allowed - allowed // 5
    assert [limits.take("chat.update") for _ in range(usual)] == [0.0] * usual
    assert limits.take("chat.update") == pytest.approx(WINDOW_SECONDS)
    assert [limits.take("chat.update", urgent=True) for _ in range(allowed - usual)] == [0.0] * (allowed - usual)
    assert limits.take("chat.update", urgent=True) == pytest.approx(WINDOW_SECONDS)
    assert limits.take("views.open") == 0.0
    clock.now += WINDOW_SECONDS
    assert limits.take("chat.update") == 0.0


def test_a_channel_gets_one_message_a_second() -> None:
    """Posts to one channel keep apart; those to another do not wait, nor do changes of what stands there."""
    clock = Clock()
    limits = Limits(clock)
    assert limits.take("chat.postMessage", "D1", urgent=True) == 0.0
    assert limits.take("chat.postMessage", "D1", urgent=True) == pytest.approx(MESSAGE_SECONDS)
    assert limits.take("chat.postMessage", "D2") == 0.0
    assert limits.take("chat.update", "D1") == 0.0
    clock.now += MESSAGE_SECONDS
    assert limits.take("chat.postMessage", "D1") == 0.0


def test_slack_has_the_last_word() -> None:
    """After a 429 a method is left alone for as long as Slack says, also what is urgent; others go on."""
    clock = Clock()
    limits = Limits(clock)
    limits.pause("chat.postMessage", 30)
    limits.pause("chat.postMessage", 5)
    assert limits.take("chat.postMessage", "D1", urgent=True) == pytest.approx(30)
    assert limits.take("chat.update") == 0.0
    clock.now += 30
    assert limits.take("chat.postMessage", "D1") == 0.0


def test_whoever_waits_is_told_of_a_place_of_their_own() -> None:
    """Of a thousand that wait each comes back when it is their turn, and seldom in vain; so it is by channel too."""
    clock = Clock()
    limits = Limits(clock)
    tries = admitted = 0
    due = [(clock.now, f"D{number % 50}") for number in range(1_000)]
    while due:
        due.sort()
        at, channel = due.pop(0)
        clock.now = max(clock.now, at)
        tries += 1
        wait = limits.take("chat.postMessage", channel, urgent=True)
        if wait > 0:
            due.append((clock.now + wait, channel))
        else:
            admitted += 1
    assert admitted == 1_000
    assert tries < 4_000
    assert clock.now < 1_000.0 + WINDOW_SECONDS * (1_000 // PER_MINUTE["chat.postMessage"] + 1)


async def test_work_is_done_once_at_a_time_the_urgent_first() -> None:
    """A key that must wait holds up no other; one that is marked while it is worked on is worked on once more."""
    done: list[str] = []
    together: set[str] = set()
    waits = {"slow": 2}

    async def do(key: str) -> None:
        assert key not in together
        together.add(key)
        try:
            await asyncio.sleep(0)
            if waits.get(key, 0):
                waits[key] -= 1
                raise Wait(0.02)
            done.append(key)
            if done.count("again") == 1 and key == "again":
                work.mark("again")
        finally:
            together.discard(key)

    work: Work[str] = Work("test", do, 1)
    for key in ("slow", "first", "again"):
        work.mark(key, USUAL)
    work.mark("now", URGENT)
    running = asyncio.create_task(work.run())
    async with asyncio.timeout(20):
        while "slow" not in done or done.count("again") < 2:
            await asyncio.sleep(0.005)
    running.cancel()
    assert done[0] == "now"
    assert sorted(done) == ["again", "again", "first", "now", "slow"]


async def test_what_slack_refuses_stops_nobody_else() -> None:
    """A refusal, or a mistake of ours, is logged and tried much later; the others are done."""
    done: list[str] = []

    async def do(key: str) -> None:
        if key == "refused":
            raise Refusal("channel_not_found")
        if key == "broken":
            raise ValueError
        done.append(key)

    work: Work[str] = Work("test", do, 2)
    for key in ("refused", "broken", "fine"):
        work.mark(key)
    running = asyncio.create_task(work.run())
    async with asyncio.timeout(20):
        while not done:
            await asyncio.sleep(0.005)
        await work.done(5)
    running.cancel()
    assert done == ["fine"]
