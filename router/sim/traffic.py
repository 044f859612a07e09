"""Who writes and when: the contacts of a scenario in order of time, the same for every policy.

Rates follow the hours of the day, surges and, where asked for, a factor of the day and one of each half hour that all
streams share; within them arrivals are Poisson. Nothing is kept: a run of millions costs no memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from heapq import merge
from itertools import pairwise

from router.sim.distributions import Draws, stream
from router.sim.reading import Scenario, Stream
from router.sim.scenario import DAY, MINUTE, Variation

HALF_HOUR = 30 * MINUTE
HOUR = 60 * MINUTE

Drawn = tuple[int, int, int, int | None, str]
"""(instant, number of the stream, effort in ms at speed 1, patience in ms or None, customer or "")."""


def contacts(scenario: Scenario, seed: int) -> Iterator[Drawn]:
    """All contacts of a scenario under a seed, in order of time; ties by the number of the stream."""
    if scenario.recorded is not None:
        return _replayed(scenario)
    factors = _Factors(scenario.config.variation, seed)
    return merge(*(_drawn(scenario, of, seed, factors) for of in scenario.streams))  # numbers differ: no tie goes on


def _replayed(scenario: Scenario) -> Iterator[Drawn]:
    assert scenario.recorded is not None
    numbers: dict[object, int] = {}
    for one in scenario.recorded:
        number = numbers.setdefault(one.traits, len(numbers))
        at = scenario.begin + one.at
        if at < scenario.end:
            yield at, number, one.effort, one.patience, one.customer or ""


def _drawn(scenario: Scenario, of: Stream, seed: int, factors: _Factors) -> Iterator[Drawn]:
    """One stream: its bursts between its Poisson arrivals."""
    line = of.arrivals
    name = f"stream {of.number}"
    efforts = Draws(line.effort, seed, f"{name} effort")
    patience = None if line.patience is None else Draws(line.patience, seed, f"{name} patience")
    customers = stream(seed, f"{name} customers")
    for at in merge(_poisson(scenario, of, seed, factors), _bursts(scenario, of)):
        customer = "" if line.customers is None else f"{of.number}.{customers.randrange(line.customers)}"
        yield at, of.number, efforts.next(), None if patience is None else patience.next(), customer


def _poisson(scenario: Scenario, of: Stream, seed: int, factors: _Factors) -> Iterator[int]:
    """Instants of a Poisson process whose rate is constant within pieces: unit exponentials, spent piece by piece."""
    if not any(of.arrivals.per_hour):
        return
    unit = stream(seed, f"stream {of.number} arrivals")
    left = unit.expovariate(1.0)
    for begin, end, rate in _pieces(scenario, of, factors):
        if rate <= 0:
            continue
        at = float(begin)
        while True:
            following = at + left / rate
            if following >= end:
                left -= (end - at) * rate
                break
            at = following
            yield int(at)
            left = unit.expovariate(1.0)


def _pieces(scenario: Scenario, of: Stream, factors: _Factors) -> Iterator[tuple[int, int, float]]:
    """(from, until, arrivals per ms) for stretches of constant rate, in order."""
    line = of.arrivals
    edges = {scenario.begin, scenario.end}
    for surge in line.surges:
        edges |= {scenario.begin + surge.at, scenario.begin + surge.at + surge.lasting}
    if factors.vary:
        edges.update(range(_next(scenario.begin, HALF_HOUR), scenario.end, HALF_HOUR))
    elif len(set(line.per_hour)) > 1:
        edges.update(range(_next(scenario.begin, HOUR), scenario.end, HOUR))
    ordered = sorted(edge for edge in edges if scenario.begin <= edge <= scenario.end)
    for begin, end in pairwise(ordered):
        rate = line.per_hour[begin // HOUR % 24 % len(line.per_hour)] / HOUR
        for surge in line.surges:
            if scenario.begin + surge.at <= begin < scenario.begin + surge.at + surge.lasting:
                rate *= surge.times
        yield begin, end, rate * factors.at(begin)


def _bursts(scenario: Scenario, of: Stream) -> Iterator[int]:
    instants = (
        scenario.begin + burst.at + burst.within * number // burst.count
        for burst in of.arrivals.bursts
        for number in range(burst.count)
    )
    return iter(sorted(at for at in instants if at < scenario.end))


def _next(at: int, step: int) -> int:
    return (at // step + 1) * step


class _Factors:
    """How much busier than usual a day, and a half hour of it, is: lognormal with mean 1, common to all streams.

    Half hours are correlated with the ones before them. Factors are drawn in order of time, once.
    """

    def __init__(self, variation: Variation, seed: int) -> None:
        self.vary = variation.day > 0 or variation.half_hour > 0
        self._day = math.sqrt(math.log1p(variation.day**2))
        self._half = math.sqrt(math.log1p(variation.half_hour**2))
        self._correlation = variation.correlation
        self._days = stream(seed, "days")
        self._halves = stream(seed, "half hours")
        self._drawn_days: list[float] = []
        self._drawn_halves: list[float] = []
        self._first: int | None = None
        self._state = self._halves.gauss(0.0, 1.0)

    def at(self, instant: int) -> float:
        """The factor of an instant; 1 where nothing varies."""
        if not self.vary:
            return 1.0
        if self._first is None:
            self._first = instant // DAY * DAY
        day = (instant - self._first) // DAY
        half = (instant - self._first) // HALF_HOUR
        while len(self._drawn_days) <= day:
            self._drawn_days.append(_lognormal(self._days.gauss(0.0, 1.0), self._day))
        while len(self._drawn_halves) <= half:
            self._drawn_halves.append(_lognormal(self._state, self._half))
            rest = math.sqrt(1 - self._correlation**2)
            self._state = self._correlation * self._state + rest * self._halves.gauss(0.0, 1.0)
        return self._drawn_days[day] * self._drawn_halves[half]


def _lognormal(z: float, sigma: float) -> float:
    return math.exp(sigma * z - sigma * sigma / 2)
