"""When agents come and go: shifts, breaks, absences, late mornings, all known before the run begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from router.core.values import Interval
from router.sim.distributions import Draws
from router.sim.scenario import DAY, MINUTE

if TYPE_CHECKING:
    from router.sim.reading import Scenario
    from router.sim.work import Person

BACK_AFTER = 5 * MINUTE  # who was set away for lapses notices after so long

Change = tuple[int, "Person", int, int, int]
"""(instant, who, more or fewer reasons to be gone, … to take nothing new, shift begins 1 or ends -1 or neither 0)."""


def comings_and_goings(scenario: Scenario, people: Iterable[Person], seed: int, beyond: int) -> list[Change]:
    """All changes until `beyond` ms after the end, in order of time; those at one instant as they come up."""
    until = scenario.end + beyond
    changes = [change for person in people for change in _of(person, scenario, seed, until)]
    changes.sort(key=lambda change: change[0])
    return changes


def _of(person: Person, scenario: Scenario, seed: int, until: int) -> Iterator[Change]:
    plan, behaviour = person.plan, person.plan.people
    begin = scenario.begin
    if plan.shifts is not None:
        yield from _shifts(person, plan.shifts, begin, until)
        if behaviour.late is not None:
            lateness = Draws(behaviour.late, seed, f"agent {plan.number} late")
            for opens, closes in plan.shifts:
                comes = min(opens + lateness.next(), closes)
                if opens < until and comes > max(begin, opens):
                    yield max(begin, opens - 1), person, 1, 0, 0
                    yield comes, person, -1, 0, 0
    for since, end in _daily(behaviour.breaks, begin, until):
        yield since, person, 0, 1, 0
        yield end, person, 0, -1, 0
    if behaviour.away is not None and behaviour.away.until > behaviour.away.since:
        yield begin + behaviour.away.since, person, 1, 0, 0
        yield begin + behaviour.away.until, person, -1, 0, 0
    if behaviour.absence is not None:
        every = Draws(behaviour.absence.every, seed, f"agent {plan.number} here")
        lasting = Draws(behaviour.absence.lasting, seed, f"agent {plan.number} gone")
        at = begin + max(1, every.next())
        while at < scenario.end:
            back = at + max(1, lasting.next())
            yield at, person, 1, 0, 0
            yield back, person, -1, 0, 0
            at = back + max(1, every.next())


def _shifts(person: Person, shifts: Iterable[Interval], begin: int, until: int) -> Iterator[Change]:
    open_now = any(opens <= begin < closes for opens, closes in shifts)
    yield begin, person, 0, 0, 1 if open_now else -1
    for opens, closes in shifts:
        if begin < opens < until:
            yield opens, person, 0, 0, 1
        if begin < closes < until:
            yield closes, person, 0, 0, -1


def _daily(hours: Iterable[tuple[int, int]], begin: int, until: int) -> Iterator[Interval]:
    """Hours of the day, each day, as far as they reach into the span."""
    midnight = (begin // DAY - 1) * DAY
    while midnight < until:
        for opens, closes in hours:
            since, end = midnight + opens * MINUTE, midnight + closes * MINUTE
            if end > begin:
                yield max(begin, since), end
        midnight += DAY
