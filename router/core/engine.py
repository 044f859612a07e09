"""The engine: `apply(event) -> decisions`. One writer, its own state, no clock, no chance, no I/O.

The same events give the same decisions and the same state hash on any machine. Every applied event increments
`state.n`, which so is the number of its record in the journal.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, assert_never

import msgspec

from router.core import (
    alarms,
    asking,
    autoanswers,
    commands,
    delivery,
    erasing,
    events,
    explain,
    foresight,
    incidents,
    intake,
    joining,
    jumps,
    levelling,
    links,
    matching,
    presence,
    prospects,
    reload,
    reserve,
    settling,
    shadow,
    starting,
    storm,
    unwanted,
)
from router.core.board import SCAN_FROM
from router.core.decisions import Candidate, Explanation
from router.core.errors import PermanentError
from router.core.index import Index
from router.core.ledger import open_presence
from router.core.state import AgentState, State
from router.core.values import Status, Workspace
from router.core.work import Work

if TYPE_CHECKING:
    from router.core.decisions import Decision
    from router.core.events import AgentCommand, ContactCommand, Event
    from router.core.prospects import Prospects, WouldHave
    from router.core.state import Contact
    from router.core.values import Requirement


OUTWARD = (
    events.ReplyWritten,
    events.ContactStarted,
    events.IncidentAnswered,
)  # commands that send something: never in shadow mode


class NoSuchContact(PermanentError):
    """The state has no contact of that id: it never was, or it was closed longer ago than the reopen window."""

    code = "no-such-contact"


class Engine:
    """Decides what becomes of messages and who works on what."""

    def __init__(self, state: State | None = None, *, scan_from: int = SCAN_FROM) -> None:
        """Begin anew, or go on from a state, which the engine owns from now on; indexes are derived from it.

        Where more than `scan_from` agents are able, they are looked at in arrays; it changes no decision.
        """
        self.state = State() if state is None else state
        self.index = Index(self.state, scan_from)
        self._inbox = _order(self.state.inbox)

    @classmethod
    def rehearsal(cls, workspace: Workspace, at: int = 0) -> Engine:
        """A fresh engine in which all agents are available and on shift: who would get a contact, all else equal."""
        agents = {name: AgentState(id=name, status=Status.AVAILABLE) for name in sorted(workspace.agents)}
        for agent in agents.values():
            open_presence(agent, at)
        return cls(State(at=at, workspace=workspace, agents=agents))

    def apply(self, event: Event) -> tuple[Decision, ...]:
        """Apply one event; returns what was decided, in order. What may not be done is refused, never raised."""
        state = self.state
        state.n += 1
        state.at = max(state.at, event.at)
        if event.inbox:
            order = _order(event.inbox)
            if order > self._inbox:
                state.inbox, self._inbox = event.inbox, order
        work = Work(state, self.index)
        if self.index.is_behind():
            foresight.follow(work)
            self.index.advance()
            reserve.renew(work)
            levelling.release(work)
        _dispatch(work, event)
        settling.settle(work)
        erasing.settle(work)
        if isinstance(event, events.MessageReceived):
            incidents.count(work)
            autoanswers.answer(work, event)
        return tuple(work.out)

    def next_timer(self) -> int | None:
        """The instant at which TimePassed is due; not after `state.at` means at once; None: nothing is pending."""
        return self.index.timers.first()

    def state_hash(self) -> str:
        """SHA-256 over the state in a canonical encoding, in hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self.state)).hexdigest()

    def explain(self, contact: str) -> Explanation:
        """Who could take a contact now, in which order, and what rules the others out. Changes nothing.

        Raises NoSuchContact.
        """
        found = self._contact(contact)
        profile = self.index.profile_of(found)
        sticky = found.prefer_agent if found.sticky_until is not None else None
        choice = matching.choose(self.index, profile, found)
        return explain.explain(profile, found, choice, self.state.at, sticky=sticky)

    def would_have(self, contact: str) -> tuple[WouldHave, ...]:
        """What would have given a contact to somebody else, as things stand now. Raises NoSuchContact."""
        return prospects.would_have(self.index, self._contact(contact))

    def prospects(self, contact: str) -> Prospects:
        """Who could take a contact that waits, and when it likely gets somebody. Raises NoSuchContact."""
        return prospects.prospects(self.index, self._contact(contact))

    def _contact(self, name: str) -> Contact:
        found = self.state.contacts.get(name)
        if found is None:
            raise NoSuchContact(name)
        return found

    def candidates(
        self, requirement: Requirement, kind: str, team: str | None = None, limit: int | None = None
    ) -> tuple[Candidate, ...]:
        """Agents who could be given such a contact now, best first; all of them, or the first `limit`."""
        profile = self.index.profile(requirement, kind, team)
        best = matching.choose(self.index, profile, None, len(profile.able) if limit is None else limit).best
        keys = [matching.key_of(profile, None, seat, self.state.at) for seat in best]
        return tuple(
            Candidate(
                agent=seat.agent.id,
                rank=rank,
                key=key,
                why=explain.words(key, None, self.state.at, planned=seat.planned),
            )
            for rank, (seat, key) in enumerate(zip(best, keys, strict=True), 1)
        )


def _order(inbox: str) -> tuple[int, int]:
    """Inbox ids in stream order; events that did not come through the inbox are before all others."""
    return intake.stream_order(inbox) or (-1, -1)


def _dispatch(work: Work, event: Event) -> None:  # noqa: C901, PLR0912 one line an event
    match event:
        case events.MessageReceived():
            if (received := erasing.receive(work, event)) is not None:
                intake.receive(work, received)
                storm.watch(work, received)
                delivery.bounced(work, received)
        case events.AnswerSeen():
            shadow.answer_seen(work, event)
        case events.TimePassed():
            alarms.fire_due(work)
        case events.ClockJumped():
            jumps.jump(work, event)
        case events.WorkspaceChanged():
            reload.change_workspace(work, event)
        case events.LeaderElected():
            work.state.epoch, work.state.node = event.epoch, event.node
        case events.MessageDeferred():
            intake.defer(work, event)
        case events.MessageQuarantined():
            intake.quarantine(work, event)
        case events.MessageReleased():
            if not erasing.release(work, event):
                intake.release(work, event)
        case events.DeliveryReported():
            delivery.report(work, event)
        case events.SatisfactionGiven():
            asking.answered(work, event)
        case events.TierSet():
            links.set_tier(work, event)
        case events.BlockLifted():
            unwanted.lift(work.state, event.identities)
        case events.CommandRefused():
            work.refuse(event.code, event.detail)
        case events.CustomerErased() | events.ErasureDone():
            erasing.follow(work, event)
        case _:
            _by_agent(work, event)


def _by_agent(work: Work, event: AgentCommand) -> None:
    """A command, by somebody of the roster, on a contact that the state has."""
    if event.agent not in work.workspace.agents:
        work.refuse("no-such-agent", event.agent)
        return
    if work.workspace.shadow and isinstance(event, OUTWARD):
        work.refuse("shadow")
        return
    if isinstance(event, events.StatusSet):
        presence.set_status(work, event)
        return
    if isinstance(event, events.ContactStarted):
        starting.start(work, event)
        return
    if isinstance(event, events.IncidentAnswered):
        asking.tell(work, event)
        return
    if isinstance(event, events.IncidentEnded):
        incidents.end(work, event)
        return
    contact = work.state.contacts.get(event.contact)
    if contact is None:
        work.refuse("no-such-contact", event.contact)
        return
    _on_contact(work, event, contact)


def _on_contact(work: Work, event: ContactCommand, contact: Contact) -> None:  # noqa: C901, PLR0912 one line a command
    match event:
        case events.OfferAccepted():
            commands.accept(work, event, contact)
        case events.OfferDeclined():
            commands.decline(work, event, contact)
        case events.ReplyWritten():
            commands.reply(work, event, contact)
        case events.ContactResolved():
            commands.resolve(work, event, contact)
        case events.ContactTaken():
            commands.take(work, event, contact)
        case events.NoteWritten():
            commands.note(work, event, contact)
        case events.TransferAsked():
            commands.transfer(work, event, contact)
        case events.ContactSnoozed():
            commands.snooze(work, event, contact)
        case events.ContactWoken():
            commands.wake(work, event, contact)
        case events.ContactReopened():
            commands.reopen(work, event, contact)
        case events.ContactRetagged():
            commands.retag(work, event, contact)
        case events.PrioritySet():
            commands.set_priority(work, event, contact)
        case events.SenderLetIn():
            commands.let_in(work, event, contact)
        case events.IdentitiesLinked():
            links.by_agent(work, event, contact)
        case events.LinkUndone():
            if customers := links.undo(work, event, contact):
                joining.come_apart(work, *customers)
        case events.CustomerDescribed():
            links.describe(work, event, contact)
        case events.ContactsMerged():
            commands.merge(work, event, contact)
        case events.ColleagueCalled():
            commands.call(work, event, contact)
        case events.ColleagueLeft():
            commands.leave(work, event, contact)
        case events.SpamMarked():
            commands.mark_spam(work, event, contact)
        case events.SenderUnblocked():
            commands.unblock(work, event, contact)
        case _ as unreachable:
            assert_never(unreachable)
