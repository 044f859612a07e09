"""Jobs and people as the world knows them, and what the world and a router tell each other.

A *router* decides: the live engine or a baseline. The *world* does what customers and agents do. They exchange
happenings and moves; neither looks into the other.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.sim.reading import Plan, Stream


class Phase(enum.IntEnum):
    """Where a job stands."""

    WAITING = 0
    OFFERED = 1
    WORKED = 2
    DONE = 3
    LEFT = 4
    WAITING_CUSTOMER = 5  # its agent answered, and keeps it


class Job:
    """One contact as the world knows it. Instants and durations in milliseconds."""

    __slots__ = (
        "agent", "at", "attempts", "contact", "customer", "done_at", "effort", "left", "number", "offer", "patience",
        "phase", "since", "started", "stream", "turn",
    )  # fmt: skip

    def __init__(self, number: int, at: int, stream: Stream, effort: int, patience: int | None, customer: str) -> None:
        self.number = number
        self.at = at
        self.stream = stream
        self.effort = effort
        self.patience = patience
        self.customer = customer
        self.phase = Phase.WAITING
        self.agent: Person | None = None  # whom it is offered to, or who has it
        self.offer = 0  # counts offers, so that an answer to an older one is told from one to the last
        self.attempts = 0
        self.started: int | None = None  # when somebody began to work on it
        self.left = float(effort)  # of the effort, not done yet
        self.since: int | None = None  # worked on since; None: not now
        self.done_at: int | None = None  # when it will be done, as things are
        self.contact = ""  # its id in the engine
        self.turn = 0  # how often the customer answered


class Person:
    """One agent as the world knows them."""

    __slots__ = (
        "absences", "breaks", "counted", "done", "gone", "hand", "id", "number", "on_shift", "plain", "plan",
        "unanswered",
    )  # fmt: skip

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.id = plan.id
        self.number = plan.number
        self.on_shift = True
        self.absences = 0  # reasons for being gone, now
        self.breaks = 0  # reasons for taking nothing new, though here
        self.gone = 0  # how often they were set away
        self.hand: dict[int, Job] = {}  # what they work on
        self.done = 0  # ms of work within the span measured
        self.counted = 0  # work is counted until then
        self.unanswered: dict[int, Job] = {}  # offers they would have answered while they were gone
        self.plain = not plan.people.slowdown  # work takes as long whatever else they hold

    @property
    def here(self) -> bool:
        """Whether they can be given work, as far as they say so themselves."""
        return not self.absences and not self.breaks

    def stretch(self, kind: str) -> float:
        """How much longer work of a kind takes, with what they hold now."""
        if self.plain:
            return 1.0
        factors = self.plan.people.slowdown.get(kind)
        if factors is None:
            return 1.0
        held = sum(job.stream.arrivals.channel == kind for job in self.hand.values())
        return factors[min(max(held, 1), len(factors)) - 1]


class Told(enum.IntEnum):
    """What the world tells a router."""

    ARRIVED = 0  # a job
    LEFT = 1  # a job: the customer gave up
    FINISHED = 2  # a job
    ACCEPTED = 3  # a job's offer
    DECLINED = 4  # a job's offer
    PRESENCE = 5  # a person: `on_shift` or `here` changed
    TIME = 6  # the instant that `next_timer` named has come
    ANSWERED = 7  # a job: its agent answered, and it waits on the customer
    WROTE = 8  # a job: the customer answered


class Moved(enum.IntEnum):
    """What a router tells the world."""

    OFFER = 0  # a job to a person
    ASSIGN = 1  # a job to a person, who has it now
    TAKE_BACK = 2  # the offer or the job is no longer theirs
    SET_AWAY = 3  # a person, who let offers lapse
    WAKE = 4  # a job to the person who has had it, over the limit if need be


Move = tuple[Moved, "Job | None", "Person | None"]


class Router(Protocol):
    """Whoever decides who gets what."""

    decisions: int
    """Events so far that queued, offered or assigned something."""

    def tell(self, at: int, what: Told, thing: Job | Person | None) -> Sequence[Move]:
        """Something happened; what follows from it, in order."""

    def next_timer(self) -> int | None:
        """When to tell TIME, if nothing happens before; None: nothing is due."""
