"""The evenness that was possible: nobody could have spread the same work more evenly, knowing it all beforehand.

Work is poured, in any fractions, over the agents able to do it who were still to be on shift when it came; the most
burdened get as little as can be, then the next, and so on (lexicographic min-max). That is the lexicographically
optimal base of a polymatroid (Fujishige 1980): found by maximum flows, parting the problem at each minimum cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from router.sim.baseline_seats import able_ids

if TYPE_CHECKING:
    from router.sim.measuring import Measured

WHOLE = 1_000_000_000  # all work, in the integers of the flow
SLACK = 1e-6  # of all work: rounding

Pour = tuple[float, tuple[int, ...]]
"""Work, and who could do it."""


def bound_cv(measured: Measured) -> float | None:
    """The coefficient of variation of utilisation at best, over agents with minutes available. None without work."""
    scenario = measured.scenario
    numbers = {plan.id: plan.number for plan in scenario.plans}
    able = [[numbers[id_] for id_ in able_ids(scenario, stream)] for stream in scenario.streams]
    last = {person.number: _last_of(measured, person.number) for person in measured.people}
    weights = {
        person.number: measured.available[person.number] * person.plan.people.speed
        for person in measured.people
        if measured.available[person.number] > 0
    }
    pours: dict[tuple[int, ...], float] = {}
    for (stream, hours), work in measured.done.items():
        who = tuple(number for number in able[stream] if number in weights and last[number] >= hours)
        if who and work > 0:
            pours[who] = pours.get(who, 0.0) + work
    levels = water_levels([(work, who) for who, work in sorted(pours.items())], weights)
    return variation([levels[number] for number in sorted(levels)])


def _last_of(measured: Measured, number: int) -> int:
    """Which of the ends of shifts is a person's last; work that came in step `n` can be done by those from `n` on."""
    return measured.last_hours.index(measured.last[number])


def variation(values: Sequence[float]) -> float | None:
    """Population standard deviation over mean; None of nothing."""
    if not values or sum(values) <= 0:
        return None
    return float(np.std(values) / np.mean(values))


def water_levels(pours: Sequence[Pour], weights: Mapping[int, float]) -> dict[int, float]:
    """Work over weight for each agent, when `pours` are spread lexicographically best. At most O(agents) flows."""
    levels = dict.fromkeys(weights, 0.0)
    parts: list[tuple[list[Pour], list[int]]] = [(list(pours), sorted(weights))]
    while parts:
        some, agents = parts.pop()
        total = sum(work for work, _ in some)
        weight = sum(weights[agent] for agent in agents)
        if not some or not agents or total <= 0:
            continue
        level = total / weight
        over = _overloaded(some, agents, weights, level)
        tight = [some[place] for place in over]
        crowd = sorted({agent for _, who in tight for agent in who})
        if not over or len(crowd) == len(agents):
            levels.update(dict.fromkeys(agents, level))
            continue
        rest = set(agents) - set(crowd)
        chosen = set(over)
        parts.append((tight, crowd))
        parts.append((_without(some, chosen, rest), sorted(rest)))
    return levels


def _without(some: Sequence[Pour], chosen: set[int], rest: set[int]) -> list[Pour]:
    """What is left, for those who are left."""
    return [
        (work, tuple(agent for agent in who if agent in rest))
        for place, (work, who) in enumerate(some)
        if place not in chosen
    ]


def _overloaded(some: Sequence[Pour], agents: Sequence[int], weights: Mapping[int, float], level: float) -> list[int]:
    """The pours that do not fit when nobody may be above `level`: the source's side of a minimum cut; [] if all fit."""
    total = sum(work for work, _ in some)
    node = {agent: len(some) + 1 + place for place, agent in enumerate(agents)}
    sink = len(some) + len(agents) + 1
    rows: list[int] = []
    columns: list[int] = []
    sizes: list[int] = []
    for place, (work, who) in enumerate(some, 1):
        rows.append(0)
        columns.append(place)
        sizes.append(round(work / total * WHOLE))
        for agent in who:
            rows.append(place)
            columns.append(node[agent])
            sizes.append(WHOLE)
    wanted = sum(size for row, size in zip(rows, sizes, strict=True) if row == 0)
    for agent in agents:
        rows.append(node[agent])
        columns.append(sink)
        sizes.append(round(weights[agent] * level / total * WHOLE))
    graph = csr_matrix((np.array(sizes, dtype=np.int32), (rows, columns)), shape=(sink + 1, sink + 1))
    found = maximum_flow(graph, 0, sink)
    if found.flow_value >= wanted - max(SLACK * WHOLE, len(some) + len(agents)):
        return []
    residual = graph - found.flow
    residual.data = (residual.data > 0).astype(np.int8)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, 0, return_predecessors=False)
    return [int(place) - 1 for place in reached if 1 <= place <= len(some)]
