"""Who else has a contact open, and who of them writes in it: told to colleagues, kept nowhere.

It knows the desks that are open on this node; a colleague on another node is not seen, and nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from router.desk import texts
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.summaries import person_name

TYPING_SECONDS = 6.0  # after the last sign of it; pages give one about every three seconds


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


class Together:
    """Tells the lines of one process of each other."""

    def __init__(self, desk: Desk, lines: Collection[Line]) -> None:
        self._desk = desk
        self._lines = lines
        self._customers: dict[str, float] = {}  # contact -> until when its customer counts as writing

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

    def customer_types(self, contact: str) -> None:
        """The customer writes in a chat: those who have it open hear of it."""
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

    def others(self, line: Line) -> tuple[list[str], list[str]]:
        """Names of other agents who have this line's contact open: (those who type, the rest). Each may see it."""
        now = asyncio.get_running_loop().time()
        typing: dict[str, bool] = {}
        for other in self._lines:
            if other.agent != line.agent and other.place == line.place and self._sees(other):
                typing[other.agent] = typing.get(other.agent, False) or other.typing_until > now
        named = {agent: person_name(self._desk.source.names, agent) for agent in sorted(typing)}
        customer = [texts.THE_CUSTOMER] if line.place in self._customers else []
        return customer + [named[one] for one in named if typing[one]], [named[one] for one in named if not typing[one]]

    def _sees(self, line: Line) -> bool:
        try:
            self._desk.visible(line.agent, line.place or "")
        except (NotOnRoster, NotVisible):
            return False
        return True
