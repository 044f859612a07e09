"""Tells an agent that they were set away because offers lapsed, and how to come back; once for each time."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from channels.slack import texts
from channels.slack.api import Api, Doubt
from channels.slack.blocks import section
from channels.slack.people import People
from channels.slack.ports import Memory
from channels.slack.work import Work
from router.core.values import Status
from router.desk.ports import Changed, Source

PREFIX = "lapsed:"
HANDS = 1


class Lapses:
    """One node's."""

    def __init__(self, *, api: Api, people: People, source: Source, memory: Memory) -> None:
        self._api = api
        self._people = people
        self._source = source
        self._memory = memory
        self._told: dict[str, int] = {}  # agent -> since when they were away as they were told it
        self.work: Work[str] = Work("lapses", self._tell, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered, and see who was set away meanwhile."""
        self._told = {
            name[len(PREFIX) :]: msgspec.json.decode(raw, type=int)
            for name, raw in kept.items()
            if name.startswith(PREFIX)
        }
        for agent in self._source.state.agents:
            self._look(agent)

    def changed(self, changed: Changed) -> None:
        """A listener of each commit."""
        for agent in changed.agents:
            self._look(agent)

    def _since(self, agent: str) -> int | None:
        """Since when the agent is away for lapses; None if they are not."""
        state = self._source.state
        seat = state.agents.get(agent)
        if seat is None or seat.status is not Status.AWAY or seat.lapses < state.workspace.away_after_lapses:
            return None
        return seat.status_since

    def _look(self, agent: str) -> None:
        since = self._since(agent)
        if since is not None and self._told.get(agent) != since:
            self.work.mark(agent)

    async def _tell(self, agent: str) -> None:
        await self._source.settled()
        since = self._since(agent)
        seat = await self._people.found(agent) if since is not None and self._told.get(agent) != since else None
        if since is None or seat is None:
            return
        text = texts.LAPSES.format(n=self._source.state.agents[agent].lapses)
        arguments = {
            "channel": seat.dm,
            "text": text,
            "blocks": [section(text)],
            "unfurl_links": False,
            "unfurl_media": False,
        }
        with suppress(Doubt):  # most likely it stands there; said twice it would say nothing more
            await self._api.call("chat.postMessage", arguments, urgent=True)
        self._told[agent] = since
        await self._memory.put(PREFIX + agent, msgspec.json.encode(since))
