"""The world around a router, in virtual time: customers arrive and give up, agents come, go, answer and work.

One heap of events; instants are integers in milliseconds. What a router moves is done at once. A job is worked on while
its agent is here; with several in hand it takes longer, as the scenario says (`slowdown`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from router.sim.auditor import Auditor
from router.sim.distributions import chance
from router.sim.measuring import Measured
from router.sim.people import BACK_AFTER, comings_and_goings
from router.sim.reading import Scenario
from router.sim.scenario import DAY
from router.sim.traffic import Drawn, contacts
from router.sim.work import Job, Moved, Person, Phase, Router, Told

ACCEPTING, DECLINING, RETURNING, RETRYING, RETRY_WHEN, ANSWERING, ANSWER_WHEN, TURN = range(8)  # purposes of chance
DRAIN = DAY  # after the last arrival, at most so long

Event = tuple[int, int, Callable[..., None], object, int]


class World:
    """One run of one scenario under one router and seed."""

    def __init__(self, scenario: Scenario, router_of: Callable[[tuple[Person, ...]], Router], seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.now = scenario.begin
        self.people = tuple(Person(plan) for plan in scenario.plans)
        self.router = router_of(self.people)
        self.measured = Measured(scenario, self.people)
        self.auditor = Auditor(scenario)
        self._heap: list[Event] = []
        self._pushed = 0
        self._numbers = 0
        self._open: dict[str, int] = {}  # customers with an open contact, so that no two join
        self._coming = _Coming(contacts(scenario, seed))
        self.unfinished: dict[int, Job] = {}
        self._waiting = 0

    # -- time ------------------------------------------------------------------------------------------------------

    def run(self, progress: Callable[[int], None] | None = None) -> Measured:
        """Run to the end, and until what then waits is served; `progress` is told how many contacts have come."""
        for at, person, absences, breaks, shift in comings_and_goings(self.scenario, self.people, self.seed, DRAIN):
            if at <= self.scenario.begin:
                self._change_presence(person, absences, breaks, shift)
            else:
                self._push(at, self._presence, (person, absences, breaks, shift), 0)
        for person in self.people:
            self.measured.presence(person, self.now)
            self._tell(Told.PRESENCE, person)
        until = self.scenario.end + DRAIN
        while self.step(until):
            if progress is not None and not self._numbers % 1_000:
                progress(self._numbers)
        for person in self.people:
            self._count(person)
        for job in self.unfinished.values():
            self.measured.closed(job, self.now)
        self.measured.close(self.router.decisions, self.auditor)
        return self.measured

    def step(self, until: int) -> bool:
        """Do what comes next. Returns whether there was anything before the end."""
        event = self._heap[0][0] if self._heap else until
        if self._coming.at is None and not self.unfinished and event > self.scenario.end:
            return False
        timer = self.router.next_timer()
        timer = until if timer is None else timer
        coming = until if self._coming.at is None else self._coming.at
        first = min(timer, event, coming)
        self.now = max(self.now, first)
        if first >= until:
            return False
        if event == first:
            _, _, do, thing, number = heappop(self._heap)
            do(thing, number)
        elif timer == first:
            self._tell(Told.TIME, None)
        else:
            self._arrive(*self._coming.take())
        return True

    def _push(self, at: int, do: Callable[..., None], thing: object, number: int) -> None:
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, do, thing, number))

    def _tell(self, what: Told, thing: Job | Person | None) -> None:
        for moved, job, person in self.router.tell(self.now, what, thing):
            if moved is Moved.ASSIGN:
                assert job is not None
                assert person is not None
                self._assign(job, person)
            elif moved is Moved.OFFER:
                assert job is not None
                assert person is not None
                self._offer(job, person)
            elif moved is Moved.WAKE:
                assert job is not None
                assert person is not None
                self._wake(job, person)
            elif moved is Moved.TAKE_BACK:
                assert job is not None
                self._take_back(job)
            else:
                assert person is not None
                self._set_away(person)

    # -- customers -------------------------------------------------------------------------------------------------

    def _arrive(self, at: int, stream: int, effort: int, patience: int | None, customer: str) -> None:
        if customer and self._open.get(customer):
            customer = ""  # a second message would join their open contact; here each is a contact of its own
        self._numbers += 1
        job = Job(self._numbers, at, self.scenario.streams[stream], effort, patience, customer)
        if customer:
            self._open[customer] = 1
        self.unfinished[job.number] = job
        self._queue(1)
        self._tell(Told.ARRIVED, job)
        if job.started is None and patience is not None:
            self._push(at + patience, self._give_up, job, 0)

    def _give_up(self, job: Job, _: int) -> None:
        if job.phase > Phase.WORKED or job.started is not None:
            return
        self.auditor.dropped(job)
        if job.phase is Phase.WORKED and job.agent is not None:  # it waits for somebody who is gone
            self._count(job.agent)
            del job.agent.hand[job.number]
        self._queue(-1)
        self._close(job, Phase.LEFT)
        self._tell(Told.LEFT, job)
        retry = job.stream.arrivals.retry
        if retry is not None and chance(self.seed, RETRYING, job.number) < retry.share:
            after = retry.after.at(chance(self.seed, RETRY_WHEN, job.number))
            self._push(self.now + after, self._come_again, job, 0)

    def _come_again(self, job: Job, _: int) -> None:
        if self.now < self.scenario.end:
            self._arrive(self.now, job.stream.number, job.effort, job.patience, job.customer)

    def _close(self, job: Job, phase: Phase) -> None:
        job.phase = phase
        del self.unfinished[job.number]
        if job.customer:
            self._open.pop(job.customer, None)
        self.measured.closed(job, self.now)

    def _queue(self, change: int) -> None:
        self._waiting += change
        self.measured.queue(self.now, self._waiting)

    # -- offers ----------------------------------------------------------------------------------------------------

    def _offer(self, job: Job, person: Person) -> None:
        self.auditor.given(job, person, self.now)
        job.phase, job.agent = Phase.OFFERED, person
        job.attempts += 1
        job.offer += 1
        self._think(job, person)

    def _think(self, job: Job, person: Person) -> None:
        """They see an offer, and answer it after a while or not at all."""
        people = person.plan.people
        lot = chance(self.seed, DECLINING, job.number, job.attempts)
        if people.decline <= lot < people.decline + people.lapse:
            return
        delay = 0
        if people.accept is not None:
            delay = people.accept.at(chance(self.seed, ACCEPTING, job.number, job.attempts))
        self._push(self.now + delay, self._decline if lot < people.decline else self._accept, job, job.offer)

    def _accept(self, job: Job, offer: int) -> None:
        self._answer(job, offer, Told.ACCEPTED)

    def _decline(self, job: Job, offer: int) -> None:
        self._answer(job, offer, Told.DECLINED)

    def _answer(self, job: Job, offer: int, answer: Told) -> None:
        if job.phase is not Phase.OFFERED or job.offer != offer or job.agent is None:
            return
        if job.agent.absences:  # gone: they see it when they are back, unless it has lapsed by then
            job.agent.unanswered[job.number] = job
        else:
            self._tell(answer, job)

    def _set_away(self, person: Person) -> None:
        """Set away for lapses: they notice after a while, and are available again."""
        person.gone += 1
        self._change_presence(person, 0, 1, 0)
        after = person.plan.people.back_after
        delay = BACK_AFTER if after is None else after.at(chance(self.seed, RETURNING, person.number, person.gone))
        self._push(self.now + delay, self._presence, (person, 0, -1, 0), 0)

    # -- work ------------------------------------------------------------------------------------------------------

    def _assign(self, job: Job, person: Person) -> None:
        if job.phase is not Phase.OFFERED:
            self.auditor.given(job, person, self.now)
        self._take_in_hand(job, person)

    def _take_in_hand(self, job: Job, person: Person) -> None:
        job.phase, job.agent = Phase.WORKED, person
        self._count(person)
        if not person.plain:
            self._rest_all(person)
        person.hand[job.number] = job
        if not person.absences:
            if person.plain:
                self._work(job)
            else:
                self._work_all(person)

    def _work(self, job: Job) -> None:
        """Begin, or go on."""
        person = job.agent
        assert person is not None
        if job.started is None:
            job.started = self.now
            self._queue(-1)
        job.since = self.now
        duration = job.left / person.plan.people.speed * person.stretch(job.stream.arrivals.channel)
        job.done_at = self.now + round(duration)
        self._push(job.done_at, self._finish, job, job.done_at)

    def _rest(self, job: Job) -> None:
        """Stop for now."""
        person = job.agent
        if job.since is None or person is None:
            return
        pace = person.plan.people.speed / person.stretch(job.stream.arrivals.channel)
        job.left = max(0.0, job.left - (self.now - job.since) * pace)
        job.since = job.done_at = None

    def _count(self, person: Person) -> None:
        """What they hold, or whether they are here, is about to change: count what they did until now."""
        if person.hand and not person.absences:
            self.measured.worked(person, person.counted, self.now)
        person.counted = self.now

    def _work_all(self, person: Person) -> None:
        for job in person.hand.values():
            self._work(job)

    def _rest_all(self, person: Person) -> None:
        for job in person.hand.values():
            self._rest(job)

    def _finish(self, job: Job, done_at: int) -> None:
        if job.done_at != done_at or job.phase is not Phase.WORKED:
            return
        person = job.agent
        assert person is not None
        self._drop(job, person)
        self.auditor.dropped(job)
        turns = job.stream.arrivals.turns
        if turns is None or chance(self.seed, ANSWERING, job.number, job.turn) >= turns.share:
            self._close(job, Phase.DONE)
            self._tell(Told.FINISHED, job)
            return
        job.phase = Phase.WAITING_CUSTOMER
        self.auditor.parked(job, person)
        after = turns.after.at(chance(self.seed, ANSWER_WHEN, job.number, job.turn))
        job.turn += 1
        self._push(self.now + after, self._write, job, job.turn)
        self._tell(Told.ANSWERED, job)

    def _write(self, job: Job, turn: int) -> None:
        """The customer answers, and there is more to do."""
        turns = job.stream.arrivals.turns
        assert turns is not None
        effort = turns.effort or job.stream.arrivals.effort
        job.left = float(effort.at(chance(self.seed, TURN, job.number, turn)))
        self.measured.turn(job)
        self._tell(Told.WROTE, job)

    def _wake(self, job: Job, person: Person) -> None:
        """It is back in the hands of whoever has it."""
        self.auditor.woken(job, person)
        self._take_in_hand(job, person)

    def _take_back(self, job: Job) -> None:
        """The offer is over, or the job is no longer theirs: what is done of it stays done."""
        self.auditor.dropped(job)
        if job.phase is Phase.WORKED and job.agent is not None:
            self._drop(job, job.agent)
        job.phase, job.agent = Phase.WAITING, None

    def _drop(self, job: Job, person: Person) -> None:
        """Out of their hands; what else they hold goes on, faster perhaps."""
        self._count(person)
        if person.plain:
            self._rest(job)
            del person.hand[job.number]
            return
        self._rest_all(person)
        del person.hand[job.number]
        if not person.absences:
            self._work_all(person)

    # -- presence --------------------------------------------------------------------------------------------------

    def _presence(self, change: tuple[Person, int, int, int], _: int) -> None:
        person = change[0]
        self._change_presence(*change)
        self._tell(Told.PRESENCE, person)

    def _change_presence(self, person: Person, absences: int, breaks: int, shift: int) -> None:
        was = person.absences
        self._count(person)
        person.absences += absences
        person.breaks += breaks
        if shift:
            person.on_shift = shift > 0
        if not was and person.absences:
            self._rest_all(person)
        elif was and not person.absences:
            self._work_all(person)
            self._come_back(person)
        self.measured.presence(person, self.now)

    def _come_back(self, person: Person) -> None:
        """What they were offered and could not answer is still there, if nobody took it back."""
        for job in person.unanswered.values():
            if job.phase is Phase.OFFERED and job.agent is person:
                self._think(job, person)
        person.unanswered.clear()


class _Coming:
    """The contacts to come, with a look at the first."""

    def __init__(self, drawn: Iterator[Drawn]) -> None:
        self._drawn = drawn
        self._first = next(drawn, None)
        self.at = None if self._first is None else self._first[0]  # when the next one comes; None: there is none

    def take(self) -> Drawn:
        """The next one."""
        first = self._first
        assert first is not None
        self._first = following = next(self._drawn, None)
        self.at = None if following is None else following[0]
        return first
