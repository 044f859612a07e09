"""What baselines keep count of: seats of agents, lines of waiting jobs, pools of agents who are alike."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from router.core.values import WHOLE, Priority
from skills.model import TRIAGE
from skills.requirements import able

if TYPE_CHECKING:
    from random import Random

    from router.sim.reading import Scenario, Stream
    from router.sim.work import Job, Person
    from skills.model import WakeUpsConfig

RISING = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT)
Order = tuple[int, int]  # rank of the priority (0: first come), number: smaller first


class Line:
    """Jobs that wait for the same agents."""

    __slots__ = ("able", "arrived", "heap", "kind", "waiting")

    def __init__(self, kind: str, able_seats: list[Seat]) -> None:
        self.kind = kind
        self.able = able_seats
        self.heap: list[tuple[Order, Job]] = []
        self.waiting = 0
        self.arrived = 0

    def head(self, book: Book, seat: Seat | None = None) -> Job | None:
        """The first of them that `seat` has not declined."""
        aside = []
        found: Job | None = None
        while self.heap:
            entry = self.heap[0]
            job = entry[1]
            if book.waiting.get(job.number) is not job:
                heappop(self.heap)
                continue
            if seat is None or seat.number not in book.refused.get(job.number, ()):
                found = job
                break
            aside.append(heappop(self.heap))
        for entry in aside:
            heappush(self.heap, entry)
        return found


class Pool:
    """Agents with the same skills."""

    __slots__ = ("free", "seats")

    def __init__(self) -> None:
        self.seats: list[Seat] = []
        self.free = 0


class Seat:
    """One agent as a baseline sees them."""

    __slots__ = (
        "asleep", "asleep_units", "capacity", "effort_left", "held", "here", "idle_since", "idle_turn", "lines",
        "number", "number_held", "person", "pool", "routed_turn", "served_turn", "skills_held", "spare_all", "taken",
        "units", "used", "wakes", "weight",
    )  # fmt: skip

    def __init__(self, person: Person, number: int, wakes: WakeUpsConfig) -> None:
        agent = person.plan.agent
        self.person = person
        self.wakes = wakes
        self.asleep: dict[str, int] = {}  # by kind: theirs, and waiting on the customer
        self.asleep_units = 0
        self.number = number
        self.capacity = agent.kinds
        self.units = agent.units
        self.spare_all = sum(agent.kinds.values()) if agent.units is None else agent.units
        self.skills_held = len(agent.skills)
        self.weight = max(1, round(10 * agent.share / 10_000))  # contacts of a block: ten for a full day
        self.pool = 0
        self.lines: list[Line] = []
        self.here = False
        self.held: dict[str, int] = {}
        self.used = 0  # units
        self.number_held = 0
        self.idle_since = 0
        self.idle_turn = 0  # orders what happened at one instant
        self.served_turn = 0
        self.routed_turn = 0
        self.taken = 0
        self.effort_left = 0.0

    @property
    def spare(self) -> int:
        """Room over all kinds."""
        return self.spare_all - self.used

    def fits(self, kind: str, cost: int) -> bool:
        """Whether they can take one more of a kind now."""
        held, limit, units = self.held.get(kind, 0), self.capacity.get(kind, 0), self.units
        if not self.here or held >= limit or (units is not None and self.used + cost > units):
            return False
        if not self.asleep:
            return True
        return self._leaves_room(held + 1, self.asleep.get(kind, 0), limit) and (
            units is None or self._leaves_room(self.used + cost, self.asleep_units, units)
        )

    def _leaves_room(self, held: int, asleep: int, limit: int) -> bool:
        """Whether what may come back from customers fits too, as far as the workspace asks for that."""
        margin = self.wakes.margin
        bounded = margin is None or held + asleep <= limit + margin
        return bounded and held * WHOLE + asleep * self.wakes.cost <= limit * WHOLE


class Book:
    """All seats and lines of one run."""

    def __init__(self, scenario: Scenario, people: Sequence[Person], lots: Random) -> None:
        wakes = scenario.workspace_config.wake_ups
        self.seats = [Seat(person, number, wakes) for number, person in enumerate(people)]
        self.lots = lots
        self.costs = scenario.workspace_config.unit_costs
        self.by_priority = scenario.config.baseline_order == "priority"
        self.expected = {name: topic.effort for name, topic in scenario.workspace_config.topics.items()}
        self.waiting: dict[int, Job] = {}
        self.refused: dict[int, list[int]] = {}  # job -> seats that declined it, or let it lapse
        self.free = 0  # seats with nothing in hand
        self.block_at = 0
        self.block_used = 0
        self.lines: list[Line] = []
        self.turn = 0
        self._pool_seats()
        self._line_streams(scenario)

    def _pool_seats(self) -> None:
        self.pools: list[Pool] = []
        known: dict[object, int] = {}
        for seat in self.seats:
            traits = tuple(sorted(seat.person.plan.agent.skills.items()))
            seat.pool = known.setdefault(traits, len(known))
            if seat.pool == len(self.pools):
                self.pools.append(Pool())
            self.pools[seat.pool].seats.append(seat)

    def _line_streams(self, scenario: Scenario) -> None:
        by_id = {seat.person.id: seat for seat in self.seats}
        known: dict[object, Line] = {}
        self.line_of: list[Line] = []
        for stream in scenario.streams:
            ids = tuple(able_ids(scenario, stream))
            key = (ids, stream.arrivals.channel)
            if key not in known:
                line = Line(stream.arrivals.channel, [by_id[id_] for id_ in ids])
                known[key] = line
                self.lines.append(line)
                for seat in line.able:
                    seat.lines.append(line)
            self.line_of.append(known[key])

    # -- contacts --------------------------------------------------------------------------------------------------

    def order(self, job: Job) -> Order:
        """The place of a job in line."""
        rank = -RISING.index(Priority(job.stream.priority)) if self.by_priority else 0
        return rank, job.number

    def queue(self, job: Job) -> None:
        """It waits."""
        line = self.line_of[job.stream.number]
        self.waiting[job.number] = job
        line.waiting += 1
        heappush(line.heap, (self.order(job), job))

    def unqueue(self, job: Job) -> None:
        """It waits no longer."""
        if self.waiting.pop(job.number, None) is not None:
            self.line_of[job.stream.number].waiting -= 1

    # -- seats -----------------------------------------------------------------------------------------------------

    def seat(self, person: Person) -> Seat:
        """The seat of a person."""
        return self.seats[person.number]

    def take(self, seat: Seat, job: Job) -> None:
        """A job is given to a seat."""
        self.hold(seat, job)
        self.turn += 1
        seat.served_turn = seat.routed_turn = self.turn
        seat.taken += 1
        self._count_block(seat)

    def hold(self, seat: Seat, job: Job) -> None:
        """A job is in hand."""
        kind = job.stream.arrivals.channel
        if not seat.number_held:
            self._free(seat, -1)
        seat.held[kind] = seat.held.get(kind, 0) + 1
        seat.used += self.costs.get(kind, 1)
        seat.number_held += 1
        seat.effort_left += self.expected.get(job.stream.arrivals.topic, 0)

    def drop(self, seat: Seat, job: Job, now: int) -> None:
        """A seat has a job no longer."""
        kind = job.stream.arrivals.channel
        seat.held[kind] -= 1
        seat.used -= self.costs.get(kind, 1)
        seat.number_held -= 1
        seat.effort_left -= self.expected.get(job.stream.arrivals.topic, 0)
        self.turn += 1
        seat.idle_since, seat.idle_turn = now, self.turn
        if not seat.number_held:
            self._free(seat, 1)

    def park(self, seat: Seat, job: Job, change: int) -> None:
        """A job of a seat waits on its customer, or no longer."""
        kind = job.stream.arrivals.channel
        seat.asleep[kind] = seat.asleep.get(kind, 0) + change
        seat.asleep_units += change * self.costs.get(kind, 1)

    def come(self, seat: Seat, now: int, *, here: bool) -> None:
        """A seat can be given work from now on, or no longer."""
        if seat.here == here:
            return
        if not seat.number_held:
            if here:
                seat.here = True
                self._free(seat, 1)
            else:
                self._free(seat, -1)
        seat.here = here
        if here:
            self.turn += 1
            seat.idle_since, seat.idle_turn = now, self.turn

    def _free(self, seat: Seat, change: int) -> None:
        if seat.here:
            self.free += change
            self.pools[seat.pool].free += change

    def _count_block(self, seat: Seat) -> None:
        """A block is used up by its agent; whoever is not free when it is their turn loses the rest of theirs."""
        if seat.number != self.block_at:
            self.block_at, self.block_used = seat.number, 0
        self.block_used += 1
        if self.block_used >= seat.weight:
            self.block_at, self.block_used = (seat.number + 1) % len(self.seats), 0


def able_ids(scenario: Scenario, stream: Stream) -> list[str]:
    """Who can serve a stream: in the team its rules name; else anybody with the skills; else triage, or anybody."""
    wanted = stream.demand
    found = _able(scenario, wanted.must, wanted.team, stream) or _able(scenario, wanted.must, None, stream)
    if not found and TRIAGE in scenario.workspace_config.teams:
        found = _able(scenario, {}, TRIAGE, stream)
    return found


def _able(scenario: Scenario, must: dict[str, int], team: str | None, stream: Stream) -> list[str]:
    config, kind = scenario.workspace_config, stream.arrivals.channel
    cost = config.unit_costs.get(kind, 1)
    names = able(config, must, team, kind)
    return [name for name in names if (units := config.agents[name].units) is None or units >= cost]
