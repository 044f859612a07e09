"""What customers deleted while nobody listened is told apart from what only went out of sight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from channels.slack.api import Refusal, Wait
from channels.slack.catching_up import LOST_MS, PAGES_MAX, CatchingUp
from channels.slack.comparing import Had
from channels.slack.reading import Deed, read

CHANNEL, NOW = "C0HELP0001", 1_790_000_000_000
T = [f"17900000{n:02}.000100" for n in range(10)]


class Slack:
    """One channel: `heads` and `threads` stand there. `fails`: how often replies cannot be read; `endless`: no end."""

    def __init__(self, heads: Sequence[str], threads: Mapping[str, Sequence[str]]) -> None:
        self.heads = heads
        self.threads = threads
        self.fails = 0
        self.endless = False
        self.read: list[str] = []
        self.taken: list[Deed] = []

    async def call(self, method: str, arguments: dict[str, Any], **_: object) -> dict[str, Any]:
        """The methods that reading uses."""
        if method == "conversations.history":
            return {"messages": [{"ts": ts} for ts in reversed(self.heads)]}
        thread = arguments["ts"]
        if self.fails:
            self.fails -= 1
            raise Wait(0.0)
        self.read.append(thread)
        if thread not in self.threads:
            raise Refusal("thread_not_found")
        more = {"response_metadata": {"next_cursor": "on"}} if self.endless else {}
        return {"messages": [{"ts": ts} for ts in self.threads[thread]], **more}

    async def take(self, payload: Mapping[str, Any]) -> None:
        """As from a socket."""
        self.taken += read(payload, "UBOT")


def catching_up(slack: Slack, known: Mapping[str, Sequence[Had]]) -> CatchingUp:
    """It reads that one channel; `known` came in before."""

    async def had(channel: str) -> Mapping[str, Sequence[Had]]:
        assert channel == CHANNEL
        return known

    return CatchingUp(
        api=slack,  # type: ignore[arg-type]
        people=None,  # type: ignore[arg-type]  # no agent is read
        take=slack.take,
        agents=list,
        channels=lambda: (CHANNEL,),
        known=had,
    )


def by(*places: int) -> list[Had]:
    """Messages of one writer."""
    return [Had(ts=T[place], user="UCARA") for place in places]


async def compared(slack: Slack, known: Mapping[str, Sequence[Had]], *, gap: int = LOST_MS + 1) -> list[Deed]:
    """What is told after a gap; it is carried on until there is nothing left."""
    reading = catching_up(slack, known)
    reading.begin(NOW - gap, NOW)
    working = asyncio.create_task(reading.work.run())
    async with asyncio.timeout(60):
        while len(reading.work) + reading.work.waits:
            await asyncio.sleep(0.001)
    working.cancel()
    return slack.taken


async def test_a_message_that_is_gone_is_told_as_its_writers_deed() -> None:
    """It comes as if Slack had told of it: who, where, in which thread, and that it was deleted."""
    slack = Slack([T[0], T[1]], {T[1]: [T[1], T[3]]})
    [deed] = await compared(slack, {T[1]: by(1, 2, 3)})
    assert (deed.kind, deed.user, deed.channel, deed.ts, deed.thread) == ("delete", "UCARA", CHANNEL, T[2], T[1])


@pytest.mark.parametrize(
    ("heads", "threads", "why"),
    [
        ([T[5]], {T[5]: [T[5]]}, "nothing as old stands there: the workspace let it go"),
        ([], {}, "nothing can be seen at all"),
        ([T[0], T[1]], {T[1]: [T[1]], T[2]: [T[2], T[3]]}, "all of it stands"),
    ],
)
async def test_what_nobody_deleted_is_not_told(heads: list[str], threads: dict[str, list[str]], why: str) -> None:
    """Neither what went by its age, nor what cannot be seen, nor what stands."""
    known = {T[2]: by(2, 3)}
    assert await compared(Slack(heads, threads), known) == [], why


async def test_a_thread_too_long_to_be_read_proves_nothing() -> None:
    """What is not within the pages that are read may stand on the next one."""
    slack = Slack([T[0]], {T[1]: [T[1]]})
    slack.endless = True
    assert await compared(slack, {T[1]: by(1, 2)}) == []
    assert slack.read == [T[1]] * PAGES_MAX


async def test_a_short_gap_loses_nothing() -> None:
    """Slack sends an event again after a minute: nothing is compared before."""
    slack = Slack([T[0]], {})
    assert await compared(slack, {T[1]: by(1)}, gap=LOST_MS) == []
    assert slack.read == []


async def test_a_wait_does_not_begin_it_anew() -> None:
    """What was compared before Slack's limits were met is not read once more."""
    slack = Slack([T[0]], {T[2]: [T[2]]})
    slack.fails = 1
    deeds = await compared(slack, {T[1]: by(1), T[2]: by(2, 3)})
    assert [deed.ts for deed in deeds] == [T[1], T[3]]
    assert slack.read == [T[1], T[2]]
