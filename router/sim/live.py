"""The policy `usherd`: the very engine that runs live, told what the shell would tell it, in virtual time."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.foresight import LATER
from router.core.ledger import slot_length
from router.core.state import Rhythm, State
from router.core.values import WHOLE, Role, Status, Workspace
from router.sim.reading import Scenario, channel_of
from router.sim.work import Job, Move, Moved, Person, Told

FORGET_AFTER = 60_000  # a closed contact is never reopened here: the engine need not keep it for 30 days
PLACED = (d.QueueContact, d.OfferTo, d.AssignTo)
NOBODY_CLOSES = "a simulated workspace needs an agent"


class RefusedError(RuntimeError):
    """The engine refused what the world did: one of the two has lost track."""


class Live:
    """The engine as a router of the simulation."""

    def __init__(
        self, scenario: Scenario, people: Sequence[Person], rhythms: Mapping[str, Rhythm] | None = None
    ) -> None:
        """`rhythms`: what earlier days have taught the engine; it goes on from a copy."""
        self.decisions = 0
        self.engine = Engine(State(rhythms=copy.deepcopy(dict(rhythms or {}))))
        self._people = {person.id: person for person in people}
        self._jobs: dict[str, Job] = {}  # contact -> job
        self._told: dict[str, Status] = {}
        self._gaps: dict[str, tuple[int, Status]] = {}  # who is gone, and when that counts
        self._grace = scenario.workspace.grace
        self._numbers = 0
        self._now = scenario.begin
        self._end = scenario.end
        workspace = _with_supervisor(scenario.workspace)
        self._closer = next(iter(sorted(name for name, agent in workspace.agents.items() if agent.role != Role.AGENT)))
        self._apply(e.LeaderElected(at=scenario.begin, epoch=1, node="simulated"))
        self._apply(e.WorkspaceChanged(at=scenario.begin, version="simulated", workspace=workspace))

    def next_timer(self) -> int | None:
        """The engine's next timer, or the end of a gap."""
        timer = self.engine.next_timer()
        for at, _ in self._gaps.values():
            timer = at if timer is None else min(timer, at)
        return timer

    def rhythms(self) -> Mapping[str, Rhythm]:
        """What the day that is over taught the engine, once it has looked back at it. Ends the run."""
        length = slot_length(self.engine.state.workspace)
        self._apply(e.TimePassed(at=self._end - 1 + LATER * length))
        return self.engine.state.rhythms

    def tell(self, at: int, what: Told, thing: Job | Person | None) -> Sequence[Move]:
        """Hand in the event that the shell would."""
        self._now = at
        if isinstance(thing, Job):
            return self._of_job(at, what, thing)
        if isinstance(thing, Person):
            return self._presence(at, thing)
        moves: list[Move] = []
        for name, (due, status) in list(self._gaps.items()):
            if due <= at:
                del self._gaps[name]
                moves += self._set(at, name, status)
        timer = self.engine.next_timer()
        if timer is not None and timer <= at:
            moves += self._apply(e.TimePassed(at=at))
        return moves

    def _of_job(self, at: int, what: Told, job: Job) -> Sequence[Move]:
        if what is Told.ARRIVED:
            return self._arrive(at, job)
        contact = job.contact
        agent = job.agent.id if job.agent is not None else self._closer
        if what is Told.ACCEPTED:
            return self._apply(e.OfferAccepted(at=at, agent=agent, contact=contact, offer=self._offer(contact)))
        if what is Told.DECLINED:
            return self._apply(
                e.OfferDeclined(at=at, agent=agent, contact=contact, offer=self._offer(contact), reason="simulated")
            )
        if what is Told.ANSWERED:
            self._numbers += 1
            return self._apply(e.ReplyWritten(at=at, agent=agent, contact=contact, message=f"r{at}-{self._numbers}"))
        if what is Told.WROTE:
            return self._moves(self._decide(self._message(at, job)))
        del self._jobs[contact]
        closer = agent if what is Told.FINISHED else self._closer
        return self._apply(e.ContactResolved(at=at, agent=closer, contact=contact))

    def _message(self, at: int, job: Job) -> e.MessageReceived:
        """What the customer of a job writes. Whoever may write again has a name, so that it is known whose it is."""
        line = job.stream.arrivals
        self._numbers += 1
        return e.MessageReceived(
            at=at,
            message=f"{at}-{self._numbers}",
            channel=channel_of(line.channel),
            kind=line.channel,
            account=job.stream.account,
            sender=job.customer or (f"of {job.number}" if line.turns else ""),
            thread=job.contact or None,
            language=line.language,
            topics=((line.topic, WHOLE),),
        )

    def _arrive(self, at: int, job: Job) -> Sequence[Move]:
        decided = self._decide(self._message(at, job))
        for decision in decided:
            if isinstance(decision, d.OpenContact):
                job.contact = decision.contact
                self._jobs[decision.contact] = job
        if not job.contact:
            raise RefusedError(f"the engine opened no contact for job {job.number}")
        return self._moves(decided)

    def _offer(self, contact: str) -> str:
        offer = self.engine.state.contacts[contact].offer
        return "" if offer is None else offer.id

    # -- presence --------------------------------------------------------------------------------------------------

    def _presence(self, at: int, person: Person) -> Sequence[Move]:
        """Shifts the engine knows from the calendar; what agents say of themselves is told, gaps only after a grace."""
        wanted = Status.AVAILABLE if person.here else Status.AWAY if person.absences else Status.BUSY
        if wanted is not Status.AWAY:
            self._gaps.pop(person.id, None)
            return self._set(at, person.id, wanted)
        if self._told.get(person.id) is None:
            return self._set(at, person.id, wanted)
        self._gaps.setdefault(person.id, (at + self._grace, wanted))
        return ()

    def _set(self, at: int, name: str, status: Status) -> Sequence[Move]:
        if self._told.get(name) is status:
            return ()
        self._told[name] = status
        return self._apply(e.StatusSet(at=at, agent=name, status=status))

    # -- the engine ------------------------------------------------------------------------------------------------

    def _decide(self, event: e.Event) -> Sequence[d.Decision]:
        decided = self.engine.apply(event)
        for decision in decided:
            if isinstance(decision, PLACED):
                self.decisions += 1
                break
        return decided

    def _apply(self, event: e.Event) -> Sequence[Move]:
        return self._moves(self._decide(event))

    def _moves(self, decided: Sequence[d.Decision]) -> Sequence[Move]:
        moves: list[Move] = []
        for decision in decided:
            match decision:
                case d.AssignTo():
                    moves.append((Moved.ASSIGN, self._jobs[decision.contact], self._people[decision.agent]))
                case d.OfferTo():
                    moves.append((Moved.OFFER, self._jobs[decision.contact], self._people[decision.agent]))
                case d.WakeContact():
                    job = self._jobs[decision.contact]
                    moves.append((Moved.WAKE, job, job.agent))
                case d.RescindOffer() | d.ReleaseContact() if decision.contact in self._jobs:
                    moves.append((Moved.TAKE_BACK, self._jobs[decision.contact], None))
                case d.SetStatus() if decision.reason == "lapses":
                    self._told[decision.agent] = decision.status
                    moves.append((Moved.SET_AWAY, None, self._people[decision.agent]))
                case d.Refuse():
                    raise RefusedError(f"{decision.code} {decision.detail} at {self._now}")
                case _:
                    pass
        return moves


def _with_supervisor(workspace: Workspace) -> Workspace:
    """The workspace with somebody who may close what a customer has given up; and it forgets closed contacts soon."""
    agents = dict(workspace.agents)
    if not agents:
        raise RefusedError(NOBODY_CLOSES)
    if all(agent.role is Role.AGENT for agent in agents.values()):
        first = min(agents)
        agents[first] = msgspec.structs.replace(agents[first], role=Role.SUPERVISOR)
    return msgspec.structs.replace(workspace, agents=agents, reopen_window=FORGET_AFTER)
