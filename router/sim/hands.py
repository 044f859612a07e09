"""Whose hands contacts are in: minutes are split evenly over what a person holds; none pass while they are gone."""

from __future__ import annotations


class Hands:
    """Minutes spent on each contact that is in somebody's hands. Instants are integers in milliseconds."""

    def __init__(self) -> None:
        self.holder: dict[str, str] = {}  # contact -> agent
        self.load: dict[str, float] = {}  # agent -> ms worked
        self.changed: dict[str, None] = {}  # agents whose hands are others than when this was emptied last
        self._spent: dict[str, dict[str, float]] = {}  # agent -> contact -> ms
        self._at_work: dict[str, bool] = {}
        self._since: dict[str, int] = {}

    def take(self, agent: str, contact: str, now: int) -> None:
        """The contact is in the agent's hands from now on."""
        self._settle(agent, now)
        self.changed[agent] = None
        self.holder[contact] = agent
        self._spent.setdefault(agent, {})[contact] = 0.0

    def drop(self, contact: str, now: int) -> float:
        """It no longer is in anybody's; gives the ms spent on it since it was taken."""
        agent = self.holder.pop(contact, None)
        if agent is None:
            return 0.0
        self._settle(agent, now)
        self.changed[agent] = None
        return self._spent[agent].pop(contact)

    def work(self, agent: str, now: int, *, here: bool) -> None:
        """The agent is at work, or is not, from now on."""
        if self._at_work.get(agent, False) is not here:
            self._settle(agent, now)
            self.changed[agent] = None
            self._at_work[agent] = here

    def done_at(self, agent: str, need: dict[str, float], now: int) -> tuple[int, str] | None:
        """When the first of an agent's contacts will have had the ms it needs, and which; None: not as things stand."""
        self._settle(agent, now)
        held = self._spent.get(agent)
        if not held or not self._at_work.get(agent, False):
            return None
        left, contact = min((max(0.0, need[contact] - spent), contact) for contact, spent in held.items())
        return now + round(left * len(held) + 0.5), contact

    def _settle(self, agent: str, now: int) -> None:
        """Count the time since the last look."""
        since, self._since[agent] = self._since.get(agent, now), now
        held = self._spent.get(agent)
        if not held or not self._at_work.get(agent, False) or now <= since:
            return
        share = (now - since) / len(held)
        self.load[agent] = self.load.get(agent, 0.0) + (now - since)
        for contact in held:
            held[contact] += share
