"""What a journal says of a stretch of time, made fit to be lived through once more under another workspace.

What came from outside keeps its instant. What people did is told from what it answered: an offer is accepted as long
after it was made, a turn takes as many minutes of work, a customer writes again as long after our answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.state import State
from router.core.transitions import ContactState
from router.core.values import Status
from router.sim.hands import Hands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.engine import Engine
    from router.core.state import Contact, Learned
    from router.core.values import Workspace

AT_WORK = (Status.AVAILABLE, Status.BUSY)
ANSWERED = (ContactState.WAITING_CUSTOMER, ContactState.SNOOZED, ContactState.RESOLVED)  # a message then is a reaction
OUTSIDE = (
    e.MessageReceived, e.MessageQuarantined, e.MessageReleased, e.StatusSet, e.ContactStarted, e.TierSet, e.BlockLifted,
)  # fmt: skip
CORRECTIONS = (e.ContactRetagged, e.PrioritySet)
BY_HAND = (
    e.ContactTaken, e.TransferAsked, e.ContactSnoozed, e.ContactWoken, e.ContactReopened, e.SenderLetIn,
    e.ContactsMerged, e.IdentitiesLinked, e.LinkUndone, e.CustomerDescribed, e.IncidentAnswered, e.IncidentEnded,
)  # fmt: skip
ACCEPTED_AFTER = 10_000  # ms, where no offer was ever accepted
EFFORT = 300_000  # ms of a turn, where none was ever worked


@dataclass
class Turn:
    """One stretch of work on a contact. `message`: id of the answer, "" for none; `closes`: it was the last.

    `then`: what customers wrote upon it, each with the ms after it. `resolved_after`: ms until it was closed without
    more work, None if it was not.
    """

    effort: float
    message: str
    closes: bool
    then: list[tuple[int, e.MessageReceived]] = field(default_factory=list)
    resolved_after: int | None = None
    ended: int = 0


@dataclass
class Script:
    """How the people of one contact behaved. `begun`: ms of work on a turn that was not over at the end."""

    turns: list[Turn] = field(default_factory=list)
    accepted_after: int | None = None
    declined: dict[str, int] = field(default_factory=dict)  # agent -> ms after the offer
    lapsed: dict[str, None] = field(default_factory=dict)  # agents who let an offer of it lapse
    begun: float = 0.0


@dataclass
class Recorded:
    """A stretch of a journal. `outside`: events at their instants; `scripts` by the message that opened the contact."""

    state: State
    begin: int
    end: int = 0
    outside: list[e.Event] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)
    opened_by: dict[str, str] = field(default_factory=dict)  # contact -> message
    left_out: Counter[str] = field(default_factory=Counter)
    accepted_after: int = ACCEPTED_AFTER
    effort: float = EFFORT
    version: str = ""  # of the workspace in force at the end
    last: Workspace | None = None  # that workspace
    efforts: dict[str, Learned] = field(default_factory=dict)  # by then, as the state has them

    def script(self, contact: str) -> Script:
        """The script of a recorded contact."""
        return self.scripts.setdefault(self.opened_by[contact], Script())


class Recorder:
    """Listens to a journal that is replayed, record by record."""

    def __init__(self, engine: Engine) -> None:
        """`engine` stands where the stretch begins, and is driven by `hear`."""
        state = engine.state
        self.engine = engine
        self.found = Recorded(copied(state), state.at)
        self._hands = Hands()
        self._stood: dict[str, ContactState] = {}
        self._offered: dict[str, int] = {}  # offer -> at
        for agent in state.agents:
            self._hands.work(agent, state.at, here=at_work(state, agent))
        for contact in state.contacts.values():
            self.found.opened_by[contact.id] = opening(contact)
            self._follow(contact, state.at)
            if contact.offer is not None:
                self._offered[contact.offer.id] = contact.offer.at

    def hear(self, event: e.Event) -> None:
        """Apply the next recorded event, and note what it says of people."""
        made = self.engine.apply(event)
        state = self.engine.state
        for decision in made:
            self._note(decision, state.at)
        if not any(isinstance(decision, d.Refuse) for decision in made):
            self._sort(event, made)
        for contact in touched(event, made):
            found = state.contacts.get(contact)
            if found is not None:
                self._follow(found, state.at)
        for agent in state.agents:
            self._hands.work(agent, state.at, here=at_work(state, agent))

    def close(self) -> Recorded:
        """The stretch is over."""
        found, now = self.found, self.engine.state.at
        found.end = now
        found.version, found.last = self.engine.state.version, self.engine.state.workspace
        found.efforts = dict(self.engine.state.efforts)
        for contact in list(self._hands.holder):
            found.script(contact).begun = self._hands.drop(contact, now)
        waits = [script.accepted_after for script in found.scripts.values() if script.accepted_after is not None]
        efforts = [turn.effort for script in found.scripts.values() for turn in script.turns if turn.effort > 0]
        found.accepted_after = round(median(waits)) if waits else ACCEPTED_AFTER
        found.effort = median(efforts) if efforts else EFFORT
        return found

    def _note(self, decision: object, now: int) -> None:
        if isinstance(decision, d.OpenContact):
            self.found.opened_by[decision.contact] = decision.message
        elif isinstance(decision, d.OfferTo):
            self._offered[decision.offer] = now
        elif isinstance(decision, d.RescindOffer) and decision.reason == "lapsed":
            self.found.script(decision.contact).lapsed[decision.agent] = None

    def _sort(self, event: e.Event, made: Sequence[object]) -> None:
        if isinstance(event, OUTSIDE):
            if not (isinstance(event, e.MessageReceived) and self._is_reaction(event, made)):
                self.found.outside.append(event)
        elif isinstance(event, CORRECTIONS):
            self.found.outside.append(event)
        elif isinstance(event, BY_HAND):
            self.found.left_out[type(event).__name__] += 1
        elif isinstance(event, e.OfferAccepted):
            self.found.script(event.contact).accepted_after = event.at - self._offered.get(event.offer, event.at)
        elif isinstance(event, e.OfferDeclined):
            after = event.at - self._offered.get(event.offer, event.at)
            self.found.script(event.contact).declined[event.agent] = after
        elif isinstance(event, e.ReplyWritten):
            self._turn(event.contact, event.message, closes=event.resolve)
        elif isinstance(event, e.ContactResolved):
            self._resolved(event)

    def _is_reaction(self, event: e.MessageReceived, made: Sequence[object]) -> bool:
        """Whether a customer answered what we wrote in this stretch; then it is noted there."""
        joined = next((one.contact for one in made if isinstance(one, d.AttachMessage)), None)
        if joined is None or self._stood.get(joined) not in ANSWERED:
            return False
        turns = self.found.script(joined).turns
        if not turns:
            return False
        turns[-1].then.append((event.at - turns[-1].ended, event))
        return True

    def _turn(self, contact: str, message: str, *, closes: bool) -> None:
        now = self.engine.state.at
        effort = self._hands.drop(contact, now)
        script = self.found.script(contact)
        script.turns.append(Turn(effort + script.begun, message, closes, ended=now))
        script.begun = 0.0

    def _resolved(self, event: e.ContactResolved) -> None:
        script = self.found.script(event.contact)
        if event.contact in self._hands.holder or not script.turns:
            self._turn(event.contact, "", closes=True)
        else:
            script.turns[-1].resolved_after = event.at - script.turns[-1].ended

    def _follow(self, contact: Contact, now: int) -> None:
        """Whose hands it is in."""
        self._stood[contact.id] = contact.state
        owner = contact.agent if contact.state is ContactState.ASSIGNED else None
        if self._hands.holder.get(contact.id) == owner:
            return
        script = self.found.script(contact.id)
        script.begun += self._hands.drop(contact.id, now)
        if owner is not None:
            self._hands.take(owner, contact.id, now)


def copied(state: State) -> State:
    """A state of one's own."""
    return msgspec.json.decode(msgspec.json.encode(state), type=State)


def opening(contact: Contact) -> str:
    """The message that opened a contact; the contact's own id where it is not known any more."""
    return contact.messages[0].id if contact.messages else contact.id


def at_work(state: State, agent: str) -> bool:
    """Whether somebody works on what they have."""
    known = state.agents.get(agent)
    return known is not None and known.status in AT_WORK and known.on_shift


def touched(event: e.Event, made: Sequence[object]) -> dict[str, None]:
    """The contacts that an event or its decisions name, each once."""
    named: dict[str, None] = {}
    for item in (event, *made):
        for name in ("contact", "into"):
            contact = getattr(item, name, "")
            if contact:
                named[contact] = None
    return named
