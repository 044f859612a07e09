"""The desk model: one agent's desk, one contact, the queue; each as a whole view of the state at one record.

Views are always whole, never differences: a desk that lost its connection asks again and has missed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from router.core.state import Contact, State
from router.core.transitions import ContactState
from router.desk import rights, roster, texts
from router.desk.actions import FILES_BYTES_MAX, FILES_MAX
from router.desk.figures import Figures, middle
from router.desk.index import DeskIndex
from router.desk.lead_views import Board, Overview
from router.desk.matters import matters
from router.desk.overview import board, overview
from router.desk.ports import Source, Texts
from router.desk.saved import saved_replies
from router.desk.summaries import customer_of, heads, last_at, person_name, row
from router.desk.thread import card
from router.desk.views import Card, DeskView, Done, History, Me, OfferRow, People, Row, SavedReply, Topic, Waiting, Why
from router.desk.words import why

WAITING_ROWS_MAX = 100
LIST_ROWS_MAX = 100  # of one list; what is beyond is found by searching
HISTORY_ROWS_MAX = 50


class NotOnRoster(Exception):
    """Whoever asks is not an agent of the workspace in force."""


class NotVisible(Exception):
    """There is no such contact, or it is not for this agent to see; on purpose one answer for both."""


class Desk:
    """Reads for one process: all agents' desks over one source. `clock` gives ms since 1970 UTC."""

    def __init__(self, source: Source, read: Texts, clock: Callable[[], int], hold_ms: int = 0) -> None:
        self._hold_ms = hold_ms
        self.source = source
        self.index = DeskIndex(source)
        self.figures = Figures(source, clock)
        self._read = read
        self._clock = clock

    def close(self) -> None:
        """Stop following the source."""
        self.index.close()
        self.figures.close()

    async def mine(self, agent: str) -> DeskView:
        """The agent's whole desk. Raises NotOnRoster."""
        state = await self.source.settled()
        me = self._me(state, agent)
        desk = state.agents.get(agent)
        ids = (*desk.held, *desk.parked) if desk is not None else ()
        contacts = [contact for held in ids if (contact := state.contacts.get(held)) is not None]
        done = self.index.resolved_by(agent)
        n, queue = state.n, self.index.waiting_number
        offered = [one for one in contacts if one.offer is not None and one.offer.agent == agent]
        lists = {
            "open": _soonest(one for one in contacts if one.agent == agent and one.state is ContactState.ASSIGNED),
            "waiting_customer": _soonest(one for one in contacts if one.state is ContactState.WAITING_CUSTOMER),
            "snoozed": _soonest(one for one in contacts if one.state is ContactState.SNOOZED),
        }
        shown = {name: listed[:LIST_ROWS_MAX] for name, listed in lists.items()}
        called = self.index.called(agent)[:LIST_ROWS_MAX]
        wanted = (*offered, *(one for listed in shown.values() for one in listed), *done, *called)
        today, team = self.today(agent)
        messages = await heads(self._read, wanted)
        rows = {contact.id: row(contact, messages, self.source.names) for contact in wanted}
        return DeskView(
            n=n,
            now=self._clock(),
            workspace=self.source.names.display().name,
            me=me,
            offers=_offers(offered, rows, agent),
            open=tuple(rows[one.id] for one in shown["open"]),
            waiting_customer=tuple(rows[one.id] for one in shown["waiting_customer"]),
            snoozed=tuple(rows[one.id] for one in shown["snoozed"]),
            done=tuple(rows[c.id] for c in done),
            called=tuple(rows[c.id] for c in called),
            today=today,
            team=team,
            more={name: len(listed) - LIST_ROWS_MAX for name, listed in lists.items() if len(listed) > LIST_ROWS_MAX},
            queue=queue,
            notice=texts.SHADOW if state.workspace.shadow else "",
            hold_ms=self._hold_ms,
            files_max=FILES_MAX,
            files_bytes=FILES_BYTES_MAX,
        )

    def today(self, agent: str) -> tuple[Done, Done | None]:
        """What the agent did today, and the median of those of their team who did anything."""
        state = self.source.state
        team = state.workspace.agents[agent].team
        members = [one.id for one in state.workspace.agents.values() if one.team == team]
        done = self.figures.done(members)
        others = [one for name, one in done.items() if name != agent and (one.answers or one.resolved)]
        return done[agent], middle(done.values()) if others else None

    def _me(self, state: State, agent: str) -> Me:
        known = rights.on_roster(state, agent)
        if known is None:
            raise NotOnRoster
        desk = state.agents.get(agent)
        return Me(
            id=agent,
            name=person_name(self.source.names, agent),
            team=self.source.names.team(known.team),
            role=known.role.value,
            status=roster.status_of(state, agent).value,
            status_since=desk.status_since if desk is not None else 0,
            skills={texts.label(skill): level for skill, level in sorted(known.skills.items())},
            capacity=roster.bars(state, known),
        )

    async def waiting(self, agent: str) -> Waiting:
        """Contacts that wait for anybody, most urgent first, and which of them fit the agent. Raises NotOnRoster."""
        state = await self.source.settled()
        known = rights.on_roster(state, agent)
        if known is None:
            raise NotOnRoster
        contacts = sorted(self.index.waiting(), key=lambda one: (one.order, one.opened_at, one.id))
        shown = contacts[:WAITING_ROWS_MAX]
        fits = tuple(one.id for one in shown if roster.able(known, one.requirement))
        n = state.n
        messages = await heads(self._read, shown)
        rows = tuple(row(one, messages, self.source.names) for one in shown)
        return Waiting(n=n, now=self._clock(), rows=rows, fits=fits, more=len(contacts) - len(shown))

    def visible(self, agent: str, contact: str) -> Contact:
        """The contact, if the agent may see it; one that was joined leads to the one it was joined into.

        Raises NotOnRoster or NotVisible.
        """
        state = self.source.state
        if rights.on_roster(state, agent) is None:
            raise NotOnRoster
        found = state.contacts.get(contact)
        while found is not None and found.joined is not None:
            found = state.contacts.get(found.joined)
        if found is None or not rights.may_see(state, agent, found):
            raise NotVisible
        return found

    async def contact(self, agent: str, contact: str) -> Card:
        """A contact with its thread. Raises NotOnRoster or NotVisible."""
        await self.source.settled()
        found = self.visible(agent, contact)
        earlier = self.index.of_customer(found.customer)
        return await card(self.source, self._read, found, agent, earlier, self._clock())

    async def history(self, agent: str, customer: str) -> History:
        """A customer's contacts over all channels, as far as the agent may see them. Raises NotOnRoster, NotVisible."""
        state = await self.source.settled()
        if rights.on_roster(state, agent) is None:
            raise NotOnRoster
        known = [one for one in self.index.of_customer(customer) if one.joined is None]
        seen = [one for one in known if rights.may_see(state, agent, one)]
        if not customer or not seen:
            raise NotVisible
        shown, n = seen[:HISTORY_ROWS_MAX], state.n
        messages = await heads(self._read, shown)
        people = [one for contact in shown if (one := customer_of(contact, messages)) is not None]
        return History(
            n=n,
            now=self._clock(),
            customer=customer,
            name=next((one.name.strip() for one in people if one.name.strip()), people[0].address if people else ""),
            addresses=tuple(dict.fromkeys(one.address for one in people)),
            rows=tuple(row(one, messages, self.source.names) for one in shown),
            more=len(known) - len(shown),
        )

    async def saved(self, agent: str, contact: str) -> tuple[SavedReply, ...]:
        """Saved replies, filled in for the contact. Raises NotOnRoster or NotVisible."""
        await self.source.settled()
        found = self.visible(agent, contact)
        messages = await heads(self._read, [found])
        return saved_replies(found, messages, agent, self.source.names)

    def topics(self, agent: str) -> tuple[Topic, ...]:
        """All topics of the workspace. Raises NotOnRoster."""
        if rights.on_roster(self.source.state, agent) is None:
            raise NotOnRoster
        return roster.topics(self.source.state)

    async def twins(self, agent: str, contact: str) -> tuple[Row, ...]:
        """Open contacts of the same customer that the agent may merge into this one. Raises NotOnRoster, NotVisible."""
        await self.source.settled()
        found, state = self.visible(agent, contact), self.source.state
        listed = [
            one
            for one in self.index.of_customer(found.customer)
            if found.customer and one.id != found.id and one.channel == found.channel and one.joined is None
            and one.state is not ContactState.RESOLVED and (one.agent in {None, agent} or rights.leads(state, agent))
        ]  # fmt: skip
        messages = await heads(self._read, listed)
        return tuple(row(one, messages, self.source.names) for one in listed)

    def people(self, agent: str, contact: str) -> People:
        """Whom the contact may be handed to. Raises NotOnRoster or NotVisible."""
        return roster.people(self.source, self.visible(agent, contact), agent)

    def why(self, agent: str, explanation: dict[str, object], contact: Contact) -> Why:
        """The JSON of `usherd explain` in sentences, as this agent reads it; and who could take what waits."""
        said = why(explanation, agent, self.source.names)
        if contact.state is not ContactState.WAITING:
            return said
        could = tuple(one for one in roster.people(self.source, contact, but="").agents if one.able)
        return msgspec.structs.replace(said, could=could)

    async def overview(self, agent: str, problems: list[str], *, changes: bool = False) -> Overview:
        """What a supervisor watches; `changes`: an edited workspace waits. Raises NotOnRoster, NotVisible to others."""
        await self.source.settled()
        if rights.on_roster(self.source.state, agent) is None:
            raise NotOnRoster
        if not rights.leads(self.source.state, agent):
            raise NotVisible
        view = await overview(self.source, self._read, self.figures, problems, self._clock())
        found = matters(self.source.state, self.figures.open(), (), self._clock())  # problems have a place of their own
        return msgspec.structs.replace(view, matters=found, changes=changes)

    def board(self, problems: list[str]) -> Board:
        """What a wallboard shows."""
        return board(self.source, self.figures, problems, self._clock())


def _soonest(contacts: Iterable[Contact]) -> list[Contact]:
    """Soonest due first; those without a promise after them, longest there first."""
    return sorted(contacts, key=lambda one: (one.due is None, one.due or 0, last_at(one), one.id))


def _offers(contacts: list[Contact], rows: dict[str, Row], agent: str) -> tuple[OfferRow, ...]:
    found = [
        OfferRow(
            offer=contact.offer.id,
            at=contact.offer.at,
            until=contact.offer.until,
            contact=rows[contact.id],
            needs=tuple(texts.skill(skill, level) for skill, level in contact.requirement.must),
        )
        for contact in contacts
        if contact.offer is not None and contact.offer.agent == agent
    ]
    return tuple(sorted(found, key=lambda one: (one.until, one.offer)))
