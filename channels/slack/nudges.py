"""Tells an agent of contacts of theirs that are due soon: together, once each, and not more often than ten minutes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from channels.slack import alerting, texts
from channels.slack.api import Api, Doubt
from channels.slack.mrkdwn import date, inline
from channels.slack.people import People
from channels.slack.ports import Memory
from channels.slack.work import Work
from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.model import Desk
from router.desk.overview import risky
from router.desk.summaries import shown_topics
from router.desk.texts import NO_TOPIC, label

PREFIX = "nudge:"
HANDS = 2
LOOK_MS = 5_000
APART_MS = 600_000
LINES_MAX = 10


class Nudged(msgspec.Struct):
    """What an agent was told of: when last, and each contact with the promise it was about."""

    at: int = 0
    due: dict[str, int] = {}


class Nudges:
    """One node's. `link` gives a contact's thread as an address; `clock` ms."""

    def __init__(
        self,
        *,
        api: Api,
        desk: Desk,
        people: People,
        memory: Memory,
        link: Callable[[str, str], str | None],
        clock: Callable[[], int],
    ) -> None:
        self._api = api
        self._desk = desk
        self._people = people
        self._memory = memory
        self._link = link
        self._clock = clock
        self._told: dict[str, Nudged] = {}
        self._looked = 0
        self.work: Work[str] = Work("reminders", self._tell, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        self._told = {
            name[len(PREFIX) :]: msgspec.json.decode(raw, type=Nudged)
            for name, raw in kept.items()
            if name.startswith(PREFIX)
        }

    def look(self) -> None:
        """See now and then what is due soon."""
        now = self._clock()
        if 0 <= now - self._looked < LOOK_MS:
            return
        self._looked = now
        for agent, listed in self._due().items():
            told = self._told.get(agent, Nudged())
            if any(told.due.get(one.id) != one.due for one in listed) and not 0 <= now - told.at < APART_MS:
                self.work.mark(agent)

    def _due(self) -> dict[str, list[Contact]]:
        """What is due soon, by whose turn it is."""
        found: dict[str, list[Contact]] = {}
        if self._desk.source.state.workspace.shadow:
            return found
        for one in risky(self._desk.figures.open(), self._clock()):
            if one.agent is not None and one.state is ContactState.ASSIGNED:
                found.setdefault(one.agent, []).append(one)
        return found

    async def _tell(self, agent: str) -> None:
        await self._desk.source.settled()
        listed, now = self._due().get(agent, []), self._clock()
        told = self._told.get(agent, Nudged())
        news = [one for one in listed if told.due.get(one.id) != one.due]
        seat = await self._people.found(agent) if news else None
        if seat is None or 0 <= now - told.at < APART_MS:
            return
        lines = [self._line(agent, one) for one in news[:LINES_MAX]]
        lines += [texts.HOME_MORE.format(n=len(news) - LINES_MAX)] if len(news) > LINES_MAX else []
        post = alerting.reminder(lines)
        arguments = {"channel": seat.dm, "text": post.text, "blocks": list(post.blocks)}
        with suppress(Doubt):  # most likely it stands there; said twice it would say nothing more
            await self._api.call("chat.postMessage", arguments)
        kept = {one.id: one.due for one in listed if one.due is not None}
        self._told[agent] = Nudged(at=now, due=kept)
        await self._memory.put(PREFIX + agent, msgspec.json.encode(self._told[agent]))

    def _line(self, agent: str, contact: Contact) -> str:
        """What it is about and when it is due; nothing that the customer said, for this stays when they are erased."""
        topics = shown_topics(contact)
        about = inline(label(topics[0][0]) if topics else NO_TOPIC, 60)
        address = self._link(agent, contact.id)
        named = f"<{address}|{about} {contact.id}>" if address else f"{about} `{contact.id}`"
        return texts.NUDGE_LINE.format(what=named, when=date(contact.due or 0, texts.DUE_FORM, "soon"))
