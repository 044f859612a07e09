"""What agents wrote while nobody listened: Slack gives an event up after six minutes, so it is read from the threads.

A message has the same key whether Slack sent it or it was read, so that what came both ways is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from channels.slack.api import Api
from channels.slack.people import People
from channels.slack.work import Work

log = structlog.get_logger()

HANDS = 1
PAGES_MAX = 5
PAGE = 200
MARGIN_MS = 60_000  # clocks differ, and what came last may not have been stored

Take = Callable[[Mapping[str, Any]], Awaitable[object]]


class CatchingUp:
    """One node's. `take` stores a payload as if Slack had sent it; `agents` lists those to read after."""

    def __init__(self, *, api: Api, people: People, take: Take, agents: Callable[[], list[str]]) -> None:
        self._api = api
        self._people = people
        self._take = take
        self._agents = agents
        self._since: dict[str, int] = {}
        self.work: Work[str] = Work("catching up", self._read, HANDS)

    def begin(self, since: int) -> None:
        """Read what was written since an instant (ms)."""
        log.info("slack_catches_up", since=since)
        for agent in self._agents():
            self._since[agent] = min(since - MARGIN_MS, self._since.get(agent, since))
            self.work.mark(agent)

    async def _read(self, agent: str) -> None:
        """Read one agent's threads. Raises Wait, Refusal, StoreUnavailable."""
        seat, since = self._people.seat(agent), self._since.get(agent)
        if seat is None or not seat.dm or since is None:
            return
        after = f"{since // 1000}.{since % 1000:03d}000"
        for thread in await self._threads(seat.dm, after):
            arguments = {"channel": seat.dm, "ts": thread, "oldest": after, "limit": PAGE}
            answer = await self._api.call("conversations.replies", arguments)
            for message in answer.get("messages") or ():
                if message.get("user") == seat.user and str(message.get("ts")) not in {"", thread}:
                    event = {**message, "type": "message", "channel": seat.dm, "channel_type": "im"}
                    await self._take({"type": "event_callback", "event_id": "", "event": event})
        self._since.pop(agent, None)

    async def _threads(self, channel: str, after: str) -> list[str]:
        """Threads of a conversation in which something was said lately."""
        found: list[str] = []
        cursor = None
        for _ in range(PAGES_MAX):
            arguments = {"channel": channel, "limit": PAGE, "cursor": cursor}
            answer = await self._api.call("conversations.history", arguments)
            heads = answer.get("messages") or ()
            found += [str(one["ts"]) for one in heads if str(one.get("latest_reply") or "") > after]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                break
        return found
