"""A recorded stretch of time, lived through once more by the very engine under a workspace of one's choice.

Everything is determined by the record and the workspace: the same workspace gives the same outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.transitions import ContactState
from router.core.values import Status
from router.sim.hands import Hands
from router.sim.recorded import CORRECTIONS, Recorded, Script, Turn, at_work, copied, opening, touched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.state import Contact
    from router.core.values import Workspace

PRESENCE = (e.StatusSet, e.TimePassed, e.WorkspaceChanged)
NEVER = 1e15  # ms


@dataclass
class Fate:
    """What became of one contact. Instants in ms; `agent`: who got it first; `due`: of the first promise."""

    opened_at: int
    topic: str
    due: int | None
    agent: str | None = None
    started_at: int | None = None
    dead_end: bool = False


@dataclass
class Outcome:
    """What became of everything, by the message that opened each contact. `load`: ms of work by agent."""

    fates: dict[str, Fate] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    assumed: Counter[str] = field(default_factory=Counter)  # what the record does not say
    refused: Counter[str] = field(default_factory=Counter)  # what the engine would not do, by code
    end: int = 0


class Rehearsal:
    """One run."""

    def __init__(self, recorded: Recorded, workspace: Workspace) -> None:
        self.recorded = recorded
        self.engine = Engine(copied(recorded.state))
        self.outcome = Outcome(end=recorded.end)
        self._hands = Hands()
        self._need: dict[str, float] = {}  # contact in hand -> ms
        self._left: dict[str, float] = {}  # contact out of hand in the middle of a turn -> ms still to work
        self._done: list[tuple[int, str, int]] = []  # when somebody is done with something, who, as they stood then
        self._stand: Counter[str] = Counter()  # how often an agent's hands have changed
        self._turn: dict[str, int] = {}  # contact -> which turn of its script comes next
        self._opened_by: dict[str, str] = {}
        self._now_called: dict[str, str] = {}  # recorded contact -> the one that its message opened here
        self._answered: dict[str, None] = {}  # offers whose answer is on its way
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._pushed = 0
        self._named = {message: contact for contact, message in recorded.opened_by.items()}
        known = set(self.engine.state.agents)
        for contact in self.engine.state.contacts.values():
            self._opens(contact.id, opening(contact))
        self._decided = [fate for fate in self.outcome.fates if self.outcome.fates[fate].started_at is not None]
        self._apply(e.WorkspaceChanged(at=recorded.begin, version="rehearsed", workspace=workspace))
        for agent in workspace.agents:
            if agent not in known:
                self.outcome.assumed["agents who were not there: available"] += 1
                self._apply(e.StatusSet(at=recorded.begin, agent=agent, status=Status.AVAILABLE))
        for contact in list(self.engine.state.contacts.values()):
            self._follow(contact)
        self._look_at_people()

    def run(self, progress: Callable[[int], None] | None = None) -> Outcome:
        """Live through it to the end; `progress` is told how many events from outside have come."""
        for number, event in enumerate(self.recorded.outside):
            self._until(event.at)
            self._from_outside(event)
            if progress is not None and not number % 100:
                progress(number)
        self._until(self.recorded.end)
        for message in self._decided:  # somebody had it before
            del self.outcome.fates[message]
        self.outcome.load = {agent: self._worked(agent) for agent in self.engine.state.workspace.agents}
        return self.outcome

    def _worked(self, agent: str) -> float:
        self._hands.done_at(agent, self._need, self.recorded.end)
        return self._hands.load.get(agent, 0.0)

    # -- time ------------------------------------------------------------------------------------------------------

    def _until(self, instant: int) -> None:
        """Do all that comes before an instant, or at it."""
        while True:
            now = self.engine.state.at
            done = self._next_done(now)
            timer = self.engine.next_timer()
            planned = self._heap[0][0] if self._heap else None
            first = min(
                (at for at in (timer, planned, None if done is None else done[0]) if at is not None), default=None
            )
            if first is None or first > instant:
                return
            if planned == first:
                heappop(self._heap)[2]()
            elif timer == first:
                self._apply(e.TimePassed(at=max(now, first)))
            elif done is not None:
                self._finish(done[1], first)

    def _plan(self, at: int, do: Callable[[], None]) -> None:
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, do))

    def _next_done(self, now: int) -> tuple[int, str] | None:
        """When the next turn is over, and of which contact."""
        for agent in self._hands.changed:
            self._stand[agent] += 1
            found = self._hands.done_at(agent, self._need, now)
            if found is not None:
                heappush(self._done, (found[0], found[1], self._stand[agent]))
        self._hands.changed.clear()
        while self._done:
            at, contact, stand = self._done[0]
            if self._stand[self._hands.holder.get(contact, "")] == stand:
                return at, contact
            heappop(self._done)
        return None

    # -- the engine ------------------------------------------------------------------------------------------------

    def _apply(self, event: e.Event) -> Sequence[object]:
        made = self.engine.apply(event)
        for decision in made:
            if isinstance(decision, d.OpenContact):
                self._opens(decision.contact, decision.message)
            elif isinstance(decision, d.AssignTo):
                self._starts(decision.contact, decision.agent)
            elif isinstance(decision, d.Refuse):
                self.outcome.refused[decision.code] += 1
        for contact in touched(event, made):
            found = self.engine.state.contacts.get(contact)
            if found is not None:
                self._follow(found)
        if isinstance(event, PRESENCE) or any(isinstance(decision, d.SetStatus) for decision in made):
            self._look_at_people()
        return made

    def _opens(self, contact: str, message: str) -> None:
        self._opened_by[contact] = message
        self._now_called[self._named.get(message, contact)] = contact
        known = self.engine.state.contacts[contact]
        topic = known.topics[0][0] if known.topics else ""
        self.outcome.fates[message] = Fate(known.opened_at, topic, known.due)
        if known.agent is not None or known.state is ContactState.RESOLVED:
            self._starts(contact, known.agent)

    def _starts(self, contact: str, agent: str | None) -> None:
        fate = self.outcome.fates[self._opened_by[contact]]
        if fate.started_at is None:
            fate.agent, fate.started_at = agent, self.engine.state.at

    def _follow(self, contact: Contact) -> None:
        """Whose hands it is in, and whether somebody has to answer an offer."""
        fate = self.outcome.fates[self._opened_by[contact.id]]
        fate.dead_end = fate.dead_end or contact.dead_end
        if contact.offer is not None and contact.offer.id not in self._answered:
            self._answered[contact.offer.id] = None
            self._will_answer(contact)
        owner = contact.agent if contact.state is ContactState.ASSIGNED else None
        now = self.engine.state.at
        if self._hands.holder.get(contact.id) == owner:
            return
        spent = self._hands.drop(contact.id, now)
        if contact.id in self._need:
            self._left[contact.id] = self._need.pop(contact.id) - spent
        if owner is not None:
            self._hands.take(owner, contact.id, now)
            left = self._left.pop(contact.id, None)
            self._need[contact.id] = self._effort(contact.id) if left is None else left

    def _look_at_people(self) -> None:
        state = self.engine.state
        for agent in state.agents:
            self._hands.work(agent, state.at, here=at_work(state, agent))

    # -- people ----------------------------------------------------------------------------------------------------

    def _script(self, contact: str) -> Script:
        return self.recorded.scripts.get(self._opened_by[contact]) or Script()

    def _next_turn(self, contact: str) -> Turn | None:
        turns = self._script(contact).turns
        place = self._turn.get(contact, 0)
        return turns[place] if place < len(turns) else None

    def _effort(self, contact: str) -> float:
        turn = self._next_turn(contact)
        if turn is not None:
            return turn.effort
        self.outcome.assumed["turns that were not worked to their end: the usual effort"] += 1
        return max(self.recorded.effort, self._script(contact).begun)

    def _will_answer(self, contact: Contact) -> None:
        offer, script = contact.offer, self._script(contact.id)
        if offer is None or offer.agent in script.lapsed:
            return
        declined = script.declined.get(offer.agent)
        now = self.engine.state.at
        if declined is not None:
            event: e.Event = e.OfferDeclined(
                at=now + declined, agent=offer.agent, contact=contact.id, offer=offer.id, reason="recorded"
            )
        else:
            after = self.recorded.accepted_after if script.accepted_after is None else script.accepted_after
            event = e.OfferAccepted(at=now + after, agent=offer.agent, contact=contact.id, offer=offer.id)
        self._plan(event.at, lambda: self._answer(event))

    def _answer(self, event: e.Event) -> None:
        contact = self.engine.state.contacts.get(getattr(event, "contact", ""))
        if contact is not None and contact.offer is not None and contact.offer.id == getattr(event, "offer", ""):
            self._apply(event)

    def _finish(self, contact: str, now: int) -> None:
        """A turn is over: the answer goes out, or the contact is closed; the customer will react as they did."""
        agent, turn = self._hands.holder[contact], self._next_turn(contact)
        self._need[contact] = NEVER  # if the engine will not have it, it is not tried again and again
        self._turn[contact] = self._turn.get(contact, 0) + 1
        if turn is None or not turn.message:
            self._apply(e.ContactResolved(at=now, agent=agent, contact=contact))
        else:
            self._apply(e.ReplyWritten(at=now, agent=agent, contact=contact, message=turn.message, resolve=turn.closes))
        self._left.pop(contact, None)
        if turn is None:
            return
        for after, event in turn.then:
            self._plan(now + after, lambda event=event, at=now + after: self._writes_again(event, at))  # type: ignore[misc]
        if turn.resolved_after is not None:
            at = now + turn.resolved_after
            self._plan(at, lambda: self._close(contact, at))

    def _writes_again(self, event: e.MessageReceived, at: int) -> None:
        self._apply(msgspec.structs.replace(event, at=at, inbox="", thread=self._called(event.thread)))

    def _called(self, recorded: str | None) -> str | None:
        return None if recorded is None else self._now_called.get(recorded, recorded)

    def _close(self, contact: str, at: int) -> None:
        known = self.engine.state.contacts.get(contact)
        if known is not None and known.agent is not None and known.state is ContactState.WAITING_CUSTOMER:
            self._apply(e.ContactResolved(at=at, agent=known.agent, contact=contact))

    # -- from outside ----------------------------------------------------------------------------------------------

    def _from_outside(self, event: e.Event) -> None:
        agents = self.engine.state.workspace.agents
        if isinstance(event, e.MessageReceived):
            event = msgspec.structs.replace(event, thread=self._called(event.thread))
        elif isinstance(event, CORRECTIONS):
            self._correct(event)
            return
        elif isinstance(event, e.StatusSet):
            if (event.target or event.agent) not in agents:
                return
            event = msgspec.structs.replace(event, agent=event.target or event.agent, target="")
        elif isinstance(event, e.ContactStarted) and event.agent not in agents:
            self.outcome.assumed["agents who are gone: what they began is left out"] += 1
            return
        self._apply(msgspec.structs.replace(event, inbox=""))

    def _correct(self, event: e.ContactRetagged | e.PrioritySet) -> None:
        """What was said of a contact is said by whoever has it here; of one that nobody has, by nobody."""
        contact = self.engine.state.contacts.get(self._called(event.contact) or "")
        if contact is None or contact.state is ContactState.RESOLVED:
            return
        who = contact.agent or (contact.offer.agent if contact.offer is not None else None)
        if who is None:
            self.outcome.assumed["corrections of what nobody has yet: left out"] += 1
            return
        self._apply(msgspec.structs.replace(event, agent=who, contact=contact.id, inbox=""))
