"""People's own status in Slack, by its emoji: one that the workspace names sets an agent away or busy while it stands.

What an agent sets by hand counts more: a status of Slack's ends only what it began itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from channels.slack.ports import Memory
from router.core.values import Status
from router.desk import actions, roster
from router.desk.ports import Commands, Source

PREFIX = "status:"


class OwnStatus:
    """One node's. `named`: which emoji mean what, by their names without colons."""

    def __init__(
        self, *, commands: Commands, source: Source, memory: Memory, named: Callable[[], Mapping[str, str]]
    ) -> None:
        self._commands = commands
        self._source = source
        self._memory = memory
        self._named = named
        self._begun: dict[str, str] = {}  # agent -> the status that one of Slack's began

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        self._begun = {
            name[len(PREFIX) :]: msgspec.json.decode(raw, type=str)
            for name, raw in kept.items()
            if name.startswith(PREFIX)
        }

    async def follow(self, agent: str, emoji: str, key: str) -> None:
        """Somebody's status in Slack shows `emoji` now ("": none). Raises TransientError, Fenced."""
        wanted, begun = self._named().get(emoji.strip(":")), self._begun.get(agent)
        now = roster.status_of(await self._source.settled(), agent)
        if wanted is not None:
            if now in {Status.AVAILABLE, Status.BUSY} and now != wanted:
                await self._memory.put(PREFIX + agent, msgspec.json.encode(wanted))  # first: its end must be known
                self._begun[agent] = wanted
                if not await self._set(agent, wanted, key):
                    await self._forget(agent)
        elif begun is not None:
            if now == begun:
                await self._set(agent, Status.AVAILABLE.value, key)
            await self._forget(agent)

    async def _forget(self, agent: str) -> None:
        await self._memory.delete([PREFIX + agent])
        self._begun.pop(agent, None)

    async def _set(self, agent: str, status: str, key: str) -> bool:
        source = self._source
        fields: dict[str, object] = {"status": status}
        answer = await actions.act(self._commands, source.names, source.state, agent, "status", fields, key)
        return answer.ok
