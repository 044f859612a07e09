"""The policies that usherd is measured against: other products' rules in the same world, with the same eligibility.

A contact that comes is given to the free and able agent whom the rule names, else it waits; an agent who becomes free
gets the first waiting contact they are able to serve: first come, or by priority, then first come; under `fqr` that of
the line furthest above its share. Where agents are asked first, those who declined a contact, or let it lapse, are
asked again only when nobody else is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import islice

from router.core.values import Assign
from router.sim.baseline_rules import IMMEDIATE, NATIVE, RULES, Rule, lots
from router.sim.baseline_seats import Book, Line, Seat
from router.sim.reading import Scenario
from router.sim.work import Job, Move, Moved, Person, Phase, Told


class Baseline:
    """One rule as a router of the simulation."""

    def __init__(self, name: str, scenario: Scenario, people: Sequence[Person], seed: int) -> None:
        self.decisions = 0
        self.rule: Rule = RULES[name.removesuffix(NATIVE)]
        self.trigger = self.rule.native if name.endswith(NATIVE) else IMMEDIATE
        self.book = Book(scenario, people, lots(seed))
        self._begin = scenario.begin
        self._teams = scenario.workspace_config.teams
        self._offers = scenario.workspace_config.offers
        self._lapses: list[tuple[int, int, int, Job]] = []  # when, number, which offer, job
        self._lapsed: dict[int, int] = {}  # seat -> in a row
        self._polled = scenario.begin
        self._moves: list[Move] = []

    def next_timer(self) -> int | None:
        """The next look at the queue, or the end of an offer."""
        poll = self._polled + self.trigger.every if self.trigger.every and self.book.waiting else None
        lapse = self._lapses[0][0] if self._lapses else None
        if poll is None or lapse is None:
            return lapse if poll is None else poll
        return min(poll, lapse)

    def tell(self, at: int, what: Told, thing: Job | Person | None) -> Sequence[Move]:
        """Something happened."""
        self._moves = []
        if isinstance(thing, Person):
            self._presence(at, thing)
        elif thing is None:
            self._time(at)
        elif what is Told.ARRIVED:
            self._arrive(at, thing)
        elif what is Told.ACCEPTED:
            assert thing.agent is not None
            self._lapsed[thing.agent.number] = 0
            self._moves.append((Moved.ASSIGN, thing, thing.agent))
            self.decisions += 1
        elif what is Told.DECLINED:
            self._refuse(at, thing)
        elif what in {Told.ANSWERED, Told.WROTE}:
            self._turn(at, thing, answered=what is Told.ANSWERED)
        else:
            self._gone(at, thing)
        return self._moves

    # -- what happens ----------------------------------------------------------------------------------------------

    def _arrive(self, at: int, job: Job) -> None:
        self.decisions += 1
        line = self.book.line_of[job.stream.number]
        line.arrived += 1
        if self.trigger.every:
            self._catch_up(at)
            self.book.queue(job)
        elif not self._try(at, job):
            self.book.queue(job)

    def _gone(self, at: int, job: Job) -> None:
        """Done, or given up."""
        self.book.unqueue(job)
        self.book.refused.pop(job.number, None)
        if job.agent is not None:
            seat = self.book.seat(job.agent)
            self.book.drop(seat, job, at)
            self._fill(at, seat)

    def _turn(self, at: int, job: Job, *, answered: bool) -> None:
        """It waits on the customer; or comes back to whoever has it, over the limit if need be, as everywhere."""
        assert job.agent is not None
        seat = self.book.seat(job.agent)
        if answered:
            self.book.park(seat, job, 1)
            self.book.drop(seat, job, at)
            self._fill(at, seat)
        else:
            self.book.park(seat, job, -1)
            self.book.hold(seat, job)
            self._moves.append((Moved.WAKE, job, job.agent))

    def _presence(self, at: int, person: Person) -> None:
        seat = self.book.seat(person)
        self.book.come(seat, at, here=person.on_shift and person.here)
        if seat.here:
            self._fill(at, seat)

    def _refuse(self, at: int, job: Job) -> None:
        """Declined or lapsed: the others first; all of them again when nobody is left."""
        assert job.agent is not None
        seat = self.book.seat(job.agent)
        self._moves.append((Moved.TAKE_BACK, job, None))
        refused = self.book.refused.setdefault(job.number, [])
        refused.append(seat.number)
        line = self.book.line_of[job.stream.number]
        if all(one.number in refused for one in line.able):
            del self.book.refused[job.number]
        self.book.drop(seat, job, at)
        if not self._try(at, job):
            self.book.queue(job)
        self._fill(at, seat)

    def _time(self, at: int) -> None:
        while self._lapses and self._lapses[0][0] <= at:
            _, _, offer, job = heappop(self._lapses)
            if job.offer == offer and job.phase is Phase.OFFERED:
                self._lapse(at, job)
        if self.trigger.every and at >= self._polled + self.trigger.every:
            self._catch_up(at)
            oldest = islice(sorted(self.book.waiting.values(), key=self.book.order), self.trigger.batch)
            for job in list(oldest):
                if self._try(at, job):
                    self.book.unqueue(job)

    def _lapse(self, at: int, job: Job) -> None:
        person = job.agent
        assert person is not None
        self._lapsed[person.number] = self._lapsed.get(person.number, 0) + 1
        if self._lapsed[person.number] >= self._offers.away_after_lapses:
            self._lapsed[person.number] = 0
            self._moves.append((Moved.SET_AWAY, None, person))
            self.book.come(self.book.seat(person), at, here=False)
        self._refuse(at, job)

    def _catch_up(self, at: int) -> None:
        """The poller runs all the time; looks that found nothing to do were not simulated."""
        self._polled = self._begin + (at - self._begin) // self.trigger.every * self.trigger.every

    # -- who gets what ---------------------------------------------------------------------------------------------

    def _try(self, at: int, job: Job) -> bool:
        """Give a job to the one the rule names, if anybody can take it."""
        book = self.book
        line = book.line_of[job.stream.number]
        cost = book.costs.get(line.kind, 1)
        refused = book.refused.get(job.number)
        best: Seat | None = None
        best_key: tuple[float, ...] = ()
        key_of = self.rule.key
        for seat in line.able:
            if not seat.fits(line.kind, cost) or (refused and seat.number in refused):
                continue
            key = key_of(seat, book)
            if best is None or key < best_key:
                best, best_key = seat, key
        if best is None:
            return False
        self._give(at, best, job)
        return True

    def _give(self, at: int, seat: Seat, job: Job) -> None:
        self.decisions += 1
        self.book.take(seat, job)
        person = seat.person
        team = self._teams.get(person.plan.agent.team or "everyone")
        if team is not None and team.assign is Assign.PUSH:
            self._moves.append((Moved.ASSIGN, job, person))
            return
        patience = self._offers.accept_within.get(job.stream.arrivals.channel, 120_000)
        heappush(self._lapses, (at + patience, job.number, job.offer + 1, job))
        self._moves.append((Moved.OFFER, job, person))

    def _fill(self, at: int, seat: Seat) -> None:
        """Waiting jobs for a seat that has room, unless the original would only look later."""
        if self.trigger is not IMMEDIATE:
            return
        while seat.here and self.book.waiting:
            job = self._next(seat)
            if job is None:
                return
            self.book.unqueue(job)
            self._give(at, seat, job)

    def _next(self, seat: Seat) -> Job | None:
        book = self.book
        best: Job | None = None
        best_key: tuple[float, ...] = ()
        for line in seat.lines:
            if not line.waiting or not seat.fits(line.kind, book.costs.get(line.kind, 1)):
                continue
            job = line.head(book, seat)
            if job is None:
                continue
            key: tuple[float, ...] = book.order(job)
            if self.rule.name == "fqr":
                key = (-self._surplus(line), *key)
            if best is None or key < best_key:
                best, best_key = job, key
        return best

    def _surplus(self, line: Line) -> float:
        """How far a line is above its share of all that wait; shares are those of the arrivals so far."""
        arrived = sum(one.arrived for one in self.book.lines)
        return line.waiting - len(self.book.waiting) * line.arrived / max(1, arrived)
