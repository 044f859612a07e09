"""The best evenness possible: against cases done by hand, and as a bound for whatever a policy did."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.sim.bound import bound_cv, variation, water_levels
from router.sim.running import run
from tests.support.simulations import scenario_of


def test_work_that_anybody_can_do_is_spread_by_weight() -> None:
    """One pour over all: each is as burdened as any other."""
    assert water_levels([(12.0, (0, 1, 2))], {0: 1.0, 1: 2.0, 2: 3.0}) == pytest.approx({0: 2.0, 1: 2.0, 2: 2.0})


def test_work_that_only_one_can_do_burdens_that_one() -> None:
    """The specialist carries what nobody else can; the others share the rest evenly."""
    levels = water_levels([(10.0, (0,)), (6.0, (0, 1, 2))], {0: 1.0, 1: 1.0, 2: 1.0})
    assert levels == pytest.approx({0: 10.0, 1: 3.0, 2: 3.0})


def test_a_chain_of_skills_evens_out() -> None:
    """Work moves along a chain of agents who overlap, as far as it goes and no farther."""
    levels = water_levels([(8.0, (0, 1)), (2.0, (1, 2)), (1.0, (3,))], {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0})
    assert levels == pytest.approx({0: 4.0, 1: 4.0, 2: 2.0, 3: 1.0}, rel=1e-5)


def test_who_can_do_none_of_it_stays_idle() -> None:
    """Where all work is for some, the others carry none of it, and it is not thought lighter for their being there."""
    assert water_levels([(4.0, (0, 1))], {0: 1.0, 1: 1.0, 2: 2.0}) == pytest.approx({0: 2.0, 1: 2.0, 2: 0.0})
    assert water_levels([(4.0, (0, 1)), (2.0, (1,))], dict.fromkeys(range(4), 1.0)) == pytest.approx(
        {0: 3.0, 1: 3.0, 2: 0.0, 3: 0.0}
    )


pours = st.lists(
    st.tuples(st.floats(0.1, 100.0), st.sets(st.integers(0, 4), min_size=1).map(lambda who: tuple(sorted(who)))),
    min_size=1,
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(pours, st.lists(st.floats(0.5, 4.0), min_size=5, max_size=5))
def test_levels_are_feasible_and_no_group_is_above_what_it_must_carry(
    some: list[tuple[float, tuple[int, ...]]], sizes: list[float]
) -> None:
    """All work is done; and the most burdened agents form a group whose own work alone makes that level."""
    weights = dict(enumerate(sizes))
    levels = water_levels(some, weights)
    assert sum(levels[agent] * weights[agent] for agent in weights) == pytest.approx(
        sum(work for work, _ in some), rel=1e-4
    )
    top = max(levels.values())
    crowd = {agent for agent, level in levels.items() if level > top * (1 - 1e-4)}
    own = sum(work for work, who in some if set(who) <= crowd)
    assert own == pytest.approx(top * sum(weights[agent] for agent in crowd), rel=1e-3)


@pytest.mark.parametrize("policy", ["usherd", "longest_idle", "random", "fewest_skills"])
def test_nobody_is_more_even_than_the_bound(tmp_path: Path, policy: str) -> None:
    """What a policy reached is never below the best possible, which is not 0 where a skill is scarce."""
    text = """
minutes: 900
agents:
  - {id: a, count: 4, skills: {x: 3}, capacity: {chat: 1}}
  - {id: b, skills: {x: 3, y: 3}, capacity: {chat: 1}, speed: 1.2}
  - {id: c, count: 2, skills: {x: 3}, capacity: {chat: 1}, available: [["04:00", "10:00"]]}
arrivals:
  - {topic: x, require: {x: 1}, per_hour: 60, effort: {exponential: {mean: 2m}}}
  - {topic: y, require: {y: 1}, per_hour: 25, effort: {exponential: {mean: 2m}}}
"""
    measured, _ = run(scenario_of(tmp_path, text), policy, 1)
    used = [
        person.done / measured.available[person.number]
        for person in measured.people
        if measured.available[person.number]
    ]
    bound, reached = bound_cv(measured), variation(used)
    assert bound is not None
    assert reached is not None
    assert 0.1 < bound <= reached + 1e-6
