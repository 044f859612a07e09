"""Who else has a contact open, its customer too, and who of them writes: told to colleagues, kept nowhere.

It knows the sockets of this node and, where there are others, what those say of theirs; nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from router.desk import texts
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.summaries import person_name
from router.web.elsewhere import TYPING_SECONDS, Elsewhere, Passing, Spot


class Line(Protocol):
    """An open desk, as far as this needs it."""

    agent: str
    typing_until: float

    @property
    def place(self) -> str | None:
        """The contact that it has open."""
        ...

    def mark(self, *kinds: str) -> None:
        """Have these frames looked at again."""
        ...


class Visitors(Protocol):
    """The open chats of this node."""

    def is_there(self, contact: str) -> bool:
        """Whether the contact's customer has the chat open."""
        ...

    def open_contacts(self) -> Iterable[str]:
        """The latest contact of everybody who has."""
        ...

    def agent_types(self, contact: str, agent: str) -> None:
        """Tell the customer that the agent writes, if the contact is theirs."""
        ...


class Together:
    """Tells the lines of one node of each other, and of those at other nodes."""

    def __init__(self, desk: Desk, lines: Collection[Line]) -> None:
        self._desk = desk
        self._lines = lines
        self._customers: dict[str, float] = {}  # contact -> until when its customer counts as writing
        self._visitors: Visitors | None = None
        self._elsewhere: Elsewhere | None = None

    def connect(self, visitors: Visitors | None, passing: Passing | None) -> None:
        """The chat, where there is one, and the way to other nodes, where there may be any."""
        self._visitors = visitors
        self._elsewhere = Elsewhere(passing, self) if passing is not None else None

    def close(self) -> None:
        """Say and hear nothing more of other nodes."""
        if self._elsewhere is not None:
            self._elsewhere.close()

    # -- what happens here -------------------------------------------------------------------------------------------

    def moved(self, line: Line, before: str | None, *, typing: bool = False) -> None:
        """A desk opened another contact, left, or somebody typed there: those who have it open hear of it."""
        loop = asyncio.get_running_loop()
        if typing:
            line.typing_until = loop.time() + TYPING_SECONDS
            loop.call_later(TYPING_SECONDS + 0.05, self._tell, line.place)
        elif before != line.place:
            line.typing_until = 0.0
        for contact in {before, line.place}:
            self._tell(contact)
            self._pass_on(contact)

    def customer_types(self, contact: str) -> None:
        """The customer writes in a chat: those who have it open hear of it."""
        self._customer_writes(contact)
        self._pass_on(contact, writes=True)

    def customer_moved(self, contact: str) -> None:
        """The customer has opened the chat, or closed it."""
        self._tell(contact)
        self._pass_on(contact)

    def agent_answers(self, contact: str, agent: str) -> None:
        """The agent writes to the customer, who may have the chat open here or elsewhere."""
        if self._visitors is not None:
            self._visitors.agent_types(contact, agent)
        self._pass_on(contact, answers=agent)

    def _customer_writes(self, contact: str) -> None:
        loop = asyncio.get_running_loop()
        until = self._customers[contact] = loop.time() + TYPING_SECONDS
        self._tell(contact)
        loop.call_later(TYPING_SECONDS + 0.05, self._customer_stopped, contact, until)

    def _customer_stopped(self, contact: str, until: float) -> None:
        if self._customers.get(contact) == until:
            del self._customers[contact]
            self._tell(contact)

    def _tell(self, contact: str | None) -> None:
        for line in self._lines:
            if contact is not None and line.place == contact:
                line.mark("others")

    def _pass_on(self, contact: str | None, *, writes: bool = False, answers: str = "") -> None:
        if self._elsewhere is not None and contact in self._desk.source.state.contacts:
            self._elsewhere.tell(contact, writes=writes, answers=answers)

    # -- for other nodes, and from them ------------------------------------------------------------------------------

    def spot(self, contact: str) -> Spot:
        """What is seen of a contact here."""
        now = asyncio.get_running_loop().time()
        agents: dict[str, bool] = {}
        for line in self._at(contact):
            agents[line.agent] = agents.get(line.agent, False) or line.typing_until > now
        return Spot(contact, agents, visitor=self._visitors is not None and self._visitors.is_there(contact))

    def open_contacts(self) -> Iterable[str]:
        """All that anybody has open here."""
        places = [line.place for line in self._lines if line.place is not None]
        return dict.fromkeys([*places, *(self._visitors.open_contacts() if self._visitors is not None else ())])

    def noticed(self, contact: str, spot: Spot) -> None:
        """Something is another way at another node."""
        if contact not in self._desk.source.state.contacts:
            return
        if spot.writes:
            self._customer_writes(contact)
        if spot.answers and self._visitors is not None:
            self._visitors.agent_types(contact, spot.answers)
        self._tell(contact)
        if any(spot.agents.values()):
            asyncio.get_running_loop().call_later(TYPING_SECONDS + 0.05, self._tell, contact)

    # -- what a desk shows -------------------------------------------------------------------------------------------

    def others(self, line: Line) -> tuple[list[str], list[str]]:
        """Names of all others who have this line's contact open: (those who type, the rest). Each may see it."""
        contact = line.place or ""
        spots = [self.spot(contact), *(self._elsewhere.at(contact) if self._elsewhere is not None else ())]
        typing: dict[str, bool] = {}
        for spot in spots:
            for agent, types in spot.agents.items():
                if agent != line.agent and self._sees(agent, contact):
                    typing[agent] = typing.get(agent, False) or types
        named = {agent: person_name(self._desk.source.names, agent) for agent in sorted(typing)}
        writing = [named[one] for one in named if typing[one]]
        here = [named[one] for one in named if not typing[one]]
        if contact in self._customers:
            return [texts.THE_CUSTOMER, *writing], here
        there = any(spot.visitor for spot in spots)
        return writing, [*here, texts.THE_CUSTOMER] if there else here

    def _at(self, contact: str) -> Iterator[Line]:
        return (line for line in self._lines if line.place == contact and self._sees(line.agent, contact))

    def _sees(self, agent: str, contact: str) -> bool:
        try:
            self._desk.visible(agent, contact)
        except (NotOnRoster, NotVisible):
            return False
        return True
