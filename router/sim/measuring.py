"""What one run leaves behind, in arrays: millions of contacts fit into memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.core import sla
from router.core.values import WHOLE
from router.sim.work import Phase

if TYPE_CHECKING:
    from router.sim.auditor import Auditor
    from router.sim.reading import Scenario, Stream
    from router.sim.work import Job, Person

QUEUE_STEPS = 600  # points of the plot of the queue
NO_PROMISE, KEPT, BROKEN = 0, 1, 2


class Measured:
    """Waits, outcomes, work done and hours, of contacts and time within the span measured."""

    def __init__(self, scenario: Scenario, people: Sequence[Person]) -> None:
        self.scenario = scenario
        self.people = people
        self.begin = scenario.measured_from
        self.end = scenario.end
        self.stream = array("l")
        self.wait = array("q")  # ms in queue: until work began, the customer left, or the run ended
        self.served = array("b")
        self.left = array("b")
        self.in_target = array("b")
        self.promise = array("b")
        self.available = [0] * len(people)  # ms in which each could be given work, in the end scaled by `share`
        self.done: dict[tuple[int, int], float] = {}  # (stream, hours left) -> work done, in ms at speed 1
        self.turns = 0  # answers of customers to answers
        self.decisions = 0
        self.skill_violations = 0
        self.capacity_violations = 0
        self.first_violation = ""
        self.step = max(1, (scenario.end - scenario.begin) // QUEUE_STEPS)
        self.queued = array("l", [0]) * (QUEUE_STEPS + 1)  # the longest queue of each step
        self.last = [_last(person, scenario) for person in people]  # the last instant each is on shift
        self.last_hours = sorted(set(self.last))
        self._since: list[int | None] = [None] * len(people)
        self._length = 0
        self._here = 0  # the step at which the length was noted

    # -- contacts --------------------------------------------------------------------------------------------------

    def closed(self, job: Job, now: int) -> None:
        """A contact is over, or the run is."""
        if not self.begin <= job.at < self.end:
            return
        wait = (now if job.started is None else job.started) - job.at
        served = job.started is not None
        stream = job.stream
        self.stream.append(stream.number)
        self.wait.append(wait)
        self.served.append(served)
        self.left.append(job.phase is Phase.LEFT)
        due = self._due(stream, job.at)
        if due is None:
            self.promise.append(NO_PROMISE)
        else:
            self.promise.append(KEPT if served and job.at + wait <= due else BROKEN)
        if due is not None and stream.promised:
            self.in_target.append(served and job.at + wait <= due)
        else:
            self.in_target.append(served and (stream.target is None or wait <= stream.target))

    def _due(self, stream: Stream, at: int) -> int | None:
        if stream.due is None or stream.due.first_response is None:
            return None
        hours = self.scenario.workspace.calendars.get(stream.due.calendar or "")
        return sla.due(at, stream.due.first_response, hours)

    def turn(self, job: Job) -> None:
        """A customer answered, and so there is more to do."""
        self.turns += self.begin <= job.at < self.end

    def worked(self, person: Person, since: int, until: int) -> None:
        """`person` worked on what they have in hand: the time is split over it, as the engine's ledger does."""
        overlap = min(until, self.end) - max(since, self.begin)
        if overlap <= 0:
            return
        person.done += overlap
        part = overlap / len(person.hand) * person.plan.people.speed
        for job in person.hand.values():
            key = (job.stream.number, bisect_right(self.last_hours, job.at))
            self.done[key] = self.done.get(key, 0.0) + part

    # -- time ------------------------------------------------------------------------------------------------------

    def queue(self, now: int, waiting: int) -> None:
        """So many wait from now on."""
        here = min((now - self.scenario.begin) // self.step, QUEUE_STEPS)
        for step in range(self._here + 1, here + 1):
            self.queued[step] = max(self.queued[step], self._length)
        self.queued[here] = max(self.queued[here], waiting)
        self._here, self._length = here, waiting

    def presence(self, person: Person, now: int) -> None:
        """Whether a person can be given work may have changed."""
        can = person.on_shift and person.here
        since = self._since[person.number]
        if can and since is None:
            self._since[person.number] = now
        elif not can and since is not None:
            self._count(person, since, now)
            self._since[person.number] = None

    def _count(self, person: Person, since: int, until: int) -> None:
        self.available[person.number] += max(0, min(until, self.end) - max(since, self.begin))

    def close(self, decisions: int, auditor: Auditor) -> None:
        """The run is over."""
        for person in self.people:
            since = self._since[person.number]
            if since is not None:
                self._count(person, since, self.end)
            self.available[person.number] = self.available[person.number] * person.plan.agent.share // WHOLE
        self.decisions = decisions
        self.skill_violations, self.capacity_violations = auditor.skills, auditor.capacity
        self.first_violation = auditor.first


def _last(person: Person, scenario: Scenario) -> int:
    """The last instant of the span at which a person is on shift."""
    shifts = person.plan.shifts
    if shifts is None:
        return scenario.end
    return max((min(end, scenario.end) for start, end in shifts if start < scenario.end), default=0)
