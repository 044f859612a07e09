"""The auditor: judges what the engine did with a model of its own, and calls none of the engine's matching code.

`Auditor.observe` follows the stream of (event, decisions) and checks, by the names of RELIABILITY.md, that (I1) each
message goes to one place, (I3) a contact has one owner, and what the router gives is within skills, team, presence,
shift and capacity, (I6) first come is first served among contacts alike, (I7) nothing crosses customers. `check_state`
checks one state as a whole, `check_idle` (I5) that nobody waits while an able agent is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.fairplay import (
    against_rules,
    alike,
    by_person,
    excused,
    has_reason,
    holds,
    known_for_nothing,
    links_wrong,
    may_help,
    may_serve_team,
    must_have,
    on_shift,
    overfull,
    rightful_holder,
    writers_of,
)
from router.core.transitions import ContactState
from router.core.values import Status

if TYPE_CHECKING:
    from router.core.decisions import Decision
    from router.core.events import Event
    from router.core.state import State
    from router.core.values import Priority, Requirement

PASSES_MAX, NEAR, DAY = 3, 60_000, 86_400_000  # so often a missed contact may be passed over by one due in a minute

WRITTEN = (e.ReplyWritten, e.NoteWritten, e.TransferAsked, e.IdentitiesLinked, e.LinkUndone)
Line = tuple["Requirement", str, "Priority"]  # requirement, kind, priority


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise: which oracle, at which record, and what was seen."""

    oracle: str
    record: int
    detail: str


class Auditor:
    """Follows one stream from its beginning, or from a state that `begin` is given."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.messages: dict[str, str] = {}  # message -> contact, or "" for the auto list
        self.allowed: dict[str, dict[str, int]] = {}  # contact -> identities that may write in it
        self.holder: dict[str, str] = {}  # contact -> agent who owns it or is offered it
        self.owned: dict[str, int] = {}  # contacts that have an owner, not only an offer
        self.held: dict[str, dict[str, str]] = {}  # agent -> contact -> kind: what counts against capacity
        self.kinds: dict[str, str] = {}
        self.status: dict[str, Status] = {}
        self.line_of: dict[str, Line] = {}  # contact -> what contacts alike have in common
        self.lines: dict[Line, dict[str, int]] = {}  # of those that wait: contact -> record since which
        self.helpers: dict[str, str | None] = {}  # team -> the one that helps it out now
        self.answered: dict[str, int] = {}  # "auto-answer customer" -> at
        self.proofs: dict[str, int] = {}  # signed links that were used
        self.found: list[Violation] = []
        self.record = 0

    def begin(self, state: State) -> None:
        """Go on from a state, such as a snapshot's."""
        for contact in state.contacts.values():
            self.kinds[contact.id] = contact.kind
            self.allowed[contact.id] = dict.fromkeys(contact.participants, 1)
            self.messages.update((ref.id, contact.id) for ref in contact.messages)
            if contact.agent is not None and contact.state is not ContactState.RESOLVED:
                self.holder[contact.id] = contact.agent
                self.owned[contact.id] = 1
            elif contact.offer is not None:
                self.holder[contact.id] = contact.offer.agent
            self.line_of[contact.id] = (contact.requirement, contact.kind, contact.priority)
            if contact.state is ContactState.WAITING:
                self._waits(contact.id, 0)
        self.messages.update((message, "") for message in state.autos)
        self.helpers.update(state.overflowing)
        for agent in state.agents.values():
            self.status[agent.id] = agent.status
            self.held[agent.id] = {name: state.contacts[name].kind for name in agent.held}

    def observe(self, event: Event, decisions: tuple[Decision, ...], state: State) -> list[Violation]:
        """Judge one record; `state` is the engine's after it. Returns what is wrong, in order."""
        self.record = state.n
        self.found = []
        if isinstance(event, e.WorkspaceChanged):
            for name in event.workspace.agents:
                self.status.setdefault(name, Status.OFFLINE)
        for decision in decisions:
            self._follow(event, decision, state)
        self._one_place(event, decisions)
        self._in_step(state)
        for decision in decisions:
            if isinstance(decision, d.OfferTo | d.AssignTo) and not by_person(event, decision):
                self._first_come(decision, state)
        self._forget_closed(state)
        return self.found

    # -- the stream ------------------------------------------------------------------------------------------------

    def _follow(self, event: Event, decision: Decision, state: State) -> None:  # noqa: C901, PLR0912 one line a decision
        match decision:
            case d.OpenContact():
                self._opened(event, decision)
            case d.AttachMessage():
                self._attached(event, decision)
            case d.FileAuto():
                self._put(decision.message, "")
            case d.OfferTo():
                self._given(event, decision, state)
            case d.AssignTo():
                self._assigned(event, decision, state)
            case d.ReleaseContact(reason="snoozed"):
                self._parked(decision.contact)
            case d.RescindOffer() | d.ReleaseContact():
                self._dropped(decision.contact, decision.agent)
            case d.SendAutoAnswer():
                self._auto_answered(event, decision, state)
            case d.SendReply() | d.SnoozeContact():
                self._parked(decision.contact)
            case d.WakeContact():
                self._woken(decision.contact)
            case d.ResolveContact():
                self._closed(decision.contact)
            case d.JoinContacts():
                self._closed(decision.contact)
                self.allowed[decision.into].update(self.allowed[decision.contact])
            case d.ForgetContact():
                self._left(decision.contact)
            case d.EraseCustomer():
                self._erased(decision)
            case d.TurnOverflow():
                self._turned(decision, state)
            case d.LinkIdentities() | d.UnlinkIdentities():
                for wrong in links_wrong(event, decision, self, state):
                    self._wrong("I7", wrong)
            case d.SetStatus():
                self.status[decision.agent] = decision.status
            case d.QueueContact() | d.ReopenContact():
                self._waits(decision.contact, self.record)
            case d.ChangeRequirement():
                self._moves(decision.contact, (decision.requirement, self.kinds[decision.contact], decision.priority))
            case _:
                pass

    def _opened(self, event: Event, decision: d.OpenContact) -> None:
        self._put(decision.message, decision.contact)
        if not isinstance(event, e.MessageReceived | e.MessageQuarantined | e.ContactStarted):
            self._wrong("I1", f"{decision.contact} is opened without a message having been received")
            return
        writers = writers_of(event)
        self.allowed[decision.contact] = {writer: 1 for writer in writers if writer}
        self.kinds[decision.contact] = event.kind
        self.line_of[decision.contact] = (decision.requirement, event.kind, decision.priority)
        self._waits(decision.contact, self.record)

    def _attached(self, event: Event, decision: d.AttachMessage) -> None:
        self._put(decision.message, decision.contact)
        if isinstance(event, e.AnswerSeen):
            return
        if not isinstance(event, e.MessageReceived):
            self._wrong("I1", f"{decision.message} is attached without having been received")
            return
        allowed = self.allowed[decision.contact]
        if event.sender not in allowed and event.auto != "bounce" and not event.shared:
            self._wrong("I7", f"{event.message} of a stranger joined {decision.contact}")
        if event.auto is None:
            allowed.update(dict.fromkeys((event.sender, *event.cc), 1))

    def _auto_answered(self, event: Event, decision: d.SendAutoAnswer, state: State) -> None:
        """I2: each customer is written to once a day in each way, and only where there is a reason for it."""
        self._put(decision.message, decision.contact)
        contact = state.contacts[decision.contact]
        if not has_reason(event, decision, contact, state):
            self._wrong("I2", f"{decision.contact} gets {decision.answer} without a reason")
        budget = f"{decision.answer} {contact.customer}"
        if state.at < self.answered.get(budget, -DAY) + DAY:
            self._wrong("I2", f"{contact.customer} gets the auto-answer {decision.answer} twice in a day")
        self.answered[budget] = state.at

    def _put(self, message: str, place: str) -> None:
        if message in self.messages:
            self._wrong("I1", f"{message} is in {self.messages[message] or 'the auto list'} already")
        self.messages[message] = place

    def _one_place(self, event: Event, decisions: tuple[Decision, ...]) -> None:
        """Every message received is in one place now."""
        arrived = e.MessageReceived | e.MessageQuarantined | e.AnswerSeen
        if isinstance(event, arrived) and event.message not in self.messages:
            self._wrong("I1", f"{event.message} is nowhere")
        if isinstance(event, e.MessageReleased) and event.message in self.messages:
            self.allowed.setdefault(self.messages[event.message], {})[event.sender] = 1
        if isinstance(event, WRITTEN) and event.message and not any(isinstance(made, d.Refuse) for made in decisions):
            self._put(event.message, event.contact)

    # -- who holds what --------------------------------------------------------------------------------------------

    def _given(self, event: Event, decision: d.OfferTo | d.AssignTo, state: State) -> None:
        contact, agent = decision.contact, decision.agent
        if self.holder.get(contact, agent) != agent:
            self._wrong("I3", f"{contact} goes to {agent} while {self.holder[contact]} has it")
        self._waits_no_more(contact)
        self.holder[contact] = agent
        self.held.setdefault(agent, {})[contact] = self.kinds[contact]
        if not by_person(event, decision):
            self._within_rules(decision, state)

    def _assigned(self, event: Event, decision: d.AssignTo, state: State) -> None:
        self._given(event, decision, state)
        self.owned[decision.contact] = 1

    def _dropped(self, contact: str, agent: str) -> None:
        if self.holder.get(contact) != agent:
            self._wrong("I3", f"{contact} is taken from {agent}, who does not have it")
        self._unhold(contact)
        self._waits(contact, self.record)

    def _parked(self, contact: str) -> None:
        self._waits_no_more(contact)
        if contact in self.holder:
            self.held.setdefault(self.holder[contact], {}).pop(contact, None)

    def _woken(self, contact: str) -> None:
        if contact in self.holder:
            self.held.setdefault(self.holder[contact], {})[contact] = self.kinds[contact]
        else:
            self._waits(contact, self.record)

    def _closed(self, contact: str) -> None:
        self._waits_no_more(contact)
        self._unhold(contact)

    def _left(self, contact: str) -> None:
        if contact in self.holder or contact in self.lines.get(self.line_of[contact], {}):
            self._wrong("I1", f"{contact} leaves the state and is not closed")

    def _erased(self, decision: d.EraseCustomer) -> None:
        """I7: from now on the customer takes part in nothing that there is."""
        for contact in decision.contacts:
            self.allowed[contact] = {}
        for key in decision.keys:
            for writers in self.allowed.values():
                writers.pop(key.partition(".")[0], None)

    def _unhold(self, contact: str) -> None:
        agent = self.holder.pop(contact, None)
        self.owned.pop(contact, None)
        if agent is not None:
            self.held.setdefault(agent, {}).pop(contact, None)

    def _waits(self, contact: str, since: int) -> None:
        self.lines.setdefault(self.line_of[contact], {}).setdefault(contact, since)

    def _waits_no_more(self, contact: str) -> int | None:
        line = self.lines.get(self.line_of[contact], {})
        since = line.pop(contact, None)
        if not line:
            self.lines.pop(self.line_of[contact], None)
        return since

    def _moves(self, contact: str, line: Line) -> None:
        since = self._waits_no_more(contact)
        self.line_of[contact] = line
        if since is not None:
            self._waits(contact, since)

    def _turned(self, decision: d.TurnOverflow, state: State) -> None:
        """I3: teams help only as the workspace says, and nobody helps a team that helps them."""
        if decision.active and not may_help(state.workspace, decision.team, decision.to, self.helpers):
            self._wrong("I3", f"{decision.to} helps {decision.team} against the rules")
        self.helpers[decision.team] = decision.to if decision.active else None

    # -- judgements ------------------------------------------------------------------------------------------------

    def _within_rules(self, decision: d.OfferTo | d.AssignTo, state: State) -> None:
        """I3: what the router gives is within skills, team, presence, shift and capacity."""
        name, contact = decision.agent, state.contacts[decision.contact]
        helper, kinds = self.helpers.get(contact.team or ""), list(self.held[name].values())
        for what in against_rules(decision, state, self.status.get(name), kinds, helper):
            self._wrong("I3", f"{contact.id} goes to {name}, who {what}")

    def _first_come(self, decision: d.OfferTo | d.AssignTo, state: State) -> None:
        """I6: no contact like it, opened earlier, has been waiting for this agent and is passed over."""
        chosen = state.contacts[decision.contact]
        if chosen.responded or self.holder.get(chosen.id) != decision.agent:
            return
        for name, since in self.lines.get(self.line_of[chosen.id], {}).items():
            other = state.contacts.get(name)
            if other is None or since == self.record or not alike(chosen, other):
                continue
            if other.turn_at >= chosen.turn_at or decision.agent in other.declined or other.sticky_until is not None:
                continue
            near = chosen.due is not None and chosen.due - state.at <= NEAR
            if other.missed and not chosen.missed and near and other.passed <= PASSES_MAX:
                continue
            self._wrong("I6", f"{decision.agent} gets {chosen.id} before {name}, which is older")

    def _in_step(self, state: State) -> None:
        """What the stream says that agents hold is what the state says."""
        for name, agent in state.agents.items():
            told = self.held.get(name, {})
            if sorted(told) != sorted(agent.held):
                self._wrong("I3", f"{name} holds {sorted(agent.held)}, but was given {sorted(told)}")

    def _forget_closed(self, state: State) -> None:
        """Contacts and auto mail leave the state in time; the audit of their ids ends there."""
        if len(self.allowed) > 2 * len(state.contacts) + 64:
            self.allowed = {name: ids for name, ids in self.allowed.items() if name in state.contacts}
            self.line_of = {name: line for name, line in self.line_of.items() if name in state.contacts}
            self.kinds = {name: kind for name, kind in self.kinds.items() if name in state.contacts}
            self.messages = {
                message: place
                for message, place in self.messages.items()
                if (place in state.contacts if place else message in state.autos)
            }

    def _wrong(self, oracle: str, detail: str) -> None:
        self.found.append(Violation(oracle=oracle, record=self.record, detail=detail))


def check_state(state: State) -> list[Violation]:
    """One state as a whole: each message in one place, each contact with whom its state says, and no one else."""
    found: list[Violation] = []

    def wrong(oracle: str, detail: str) -> None:
        found.append(Violation(oracle=oracle, record=state.n, detail=detail))

    places = [ref.id for contact in state.contacts.values() for ref in contact.messages] + list(state.autos)
    if len(places) != len(dict.fromkeys(places)):
        wrong("I1", "a message is in two places")
    holders: dict[str, list[str]] = {}
    for agent in state.agents.values():
        for name in (*agent.held, *agent.parked):
            holders.setdefault(name, []).append(agent.id)
    for contact in state.contacts.values():
        parked = contact.state in {ContactState.WAITING_CUSTOMER, ContactState.SNOOZED}
        expected = rightful_holder(contact)
        if holders.get(contact.id, []) != ([expected] if expected else []):
            wrong("I3", f"{contact.id} is {contact.state}, {expected} should have it, {holders.get(contact.id)} has")
        elif expected and contact.id not in (state.agents[expected].parked if parked else state.agents[expected].held):
            wrong("I3", f"{contact.id} is {contact.state} but counted otherwise")
        for ref in contact.messages:
            known = ref.sender in contact.participants or ref.sender in contact.parted
            if ref.direction == "in" and ref.auto is None and ref.sender and not known:
                wrong("I7", f"{ref.id} in {contact.id} is of somebody who takes no part")
    for customer in known_for_nothing(state):
        wrong("I7", f"{customer} is known, and nothing refers to them")
    return found


def check_idle(state: State) -> list[Violation]:
    """I5: nobody waits while an able agent is free, but for their own agent, or for a reserve.

    Holds once no timer is overdue. O(waiting x agents).
    """
    found: list[Violation] = []
    workspace = state.workspace
    for contact in state.contacts.values():
        if contact.state is not ContactState.WAITING or contact.sticky_until is not None:
            continue
        for name, agent in workspace.agents.items():
            if name in contact.declined or not (workspace.shadow or state.agents[name].status is Status.AVAILABLE):
                continue
            if not on_shift(workspace, agent, state.at) or not holds(agent, must_have(contact, workspace)):
                continue
            helper = state.overflowing.get(contact.team or "")
            if contact.team is not None and not may_serve_team(workspace, agent, contact.team, helper):
                continue
            held = [state.contacts[held].kind for held in state.agents[name].held]
            if not overfull(state, agent, [*held, contact.kind], contact.kind) and not excused(state, contact, name):
                found.append(Violation(oracle="I5", record=state.n, detail=f"{contact.id} waits while {name} is free"))
    return found
