"""Away for a while: agents who said when they are back are available again by themselves.

What they said otherwise since counts more.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from channels.slack.ports import Memory
from router.core.errors import TransientError
from router.core.values import Status
from router.desk import actions
from router.desk.ports import Changed, Commands, Source

PREFIX = "back:"


class Away(msgspec.Struct, frozen=True):
    """Until when an agent is away (ms). It is a time on the clock: one that jumps over it brings them back."""

    until: int


class TimesAway:
    """One node's. It watches from before Slack is asked anything: whatever is said meanwhile ends a time away.

    Not by since when somebody is away is it known whether they said otherwise: a clock that jumps moves that along.
    """

    def __init__(self, *, memory: Memory, source: Source, commands: Commands, clock: Callable[[], int]) -> None:
        """`clock` gives ms."""
        self._memory = memory
        self._source = source
        self._commands = commands
        self._clock = clock
        self._back: dict[str, Away] = {}
        self._over: dict[str, None] = {}  # of whom it is to be forgotten

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        for name, raw in kept.items():
            if name.startswith(PREFIX):
                self._back[name[len(PREFIX) :]] = msgspec.json.decode(raw, type=Away)
        self._look(list(self._back))

    def changed(self, news: Changed) -> None:
        """A listener of each commit."""
        if self._back:
            self._look(list(self._back) if news.everything else [one for one in news.agents if one in self._back])

    def _look(self, agents: list[str]) -> None:
        """Who is not away any more has ended it themselves."""
        for agent in agents:
            seat = self._source.state.agents.get(agent)
            if seat is None or seat.status is not Status.AWAY:
                del self._back[agent]
                self._over[agent] = None

    def until(self, agent: str) -> int | None:
        """When an agent is available again by themselves (ms), if they said so and are away."""
        away = self._back.get(agent)
        return away.until if away is not None else None

    async def later(self, agent: str, until: int) -> None:
        """An agent is to be available again at an instant; 0: when they say so. Raises StoreUnavailable, Fenced."""
        if not until:
            await self._memory.delete([PREFIX + agent])
            self._back.pop(agent, None)
            return
        away = Away(until)
        await self._memory.put(PREFIX + agent, msgspec.json.encode(away))
        self._back[agent] = away
        self._over.pop(agent, None)

    async def look(self) -> None:
        """Bring back whose time is over. Raises Fenced."""
        try:
            if self._over:
                await self._memory.delete([PREFIX + agent for agent in self._over])
                self._over.clear()
            for agent in [agent for agent, away in self._back.items() if away.until <= self._clock()]:
                await self._returned(agent, self._back[agent])
        except TransientError:  # also a store that is full, or a node that stops: the desk is there for all others
            return  # at the next look

    async def _returned(self, agent: str, away: Away) -> None:
        source = self._source
        seat = (await source.settled()).agents.get(agent)
        if seat is not None and seat.status is Status.AWAY and self._back.get(agent) == away:
            fields: dict[str, object] = {"status": "available"}
            key = f"back {away.until}"
            await actions.act(self._commands, source.names, source.state, agent, "status", fields, key)
        await self._memory.delete([PREFIX + agent])
        if self._back.get(agent) == away:
            del self._back[agent]
