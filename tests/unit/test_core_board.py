"""Ranks in arrays: the same order as looking at each able agent in turn."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core import board, matching
from router.core.engine import Engine
from router.core.ledger import credit
from router.core.state import AgentState, State
from router.core.values import Requirement, Status, Team, Workspace
from tests.support.engine_scene import T0, Scene, agent, desk

SKILLS = ("refunds", "bags", "billing")
MUST = Requirement(must=(("refunds", 1),))
PREFER = Requirement(must=(("refunds", 1),), prefer=(("bags", 2), ("billing", 3)))


def crowd(chance: random.Random, strategy: str) -> Engine:
    """A desk of thirty agents, some away, some full, many alike; all are looked at in arrays."""
    agents = {}
    states = {}
    workspace = Workspace(name="w", default_effort=60_000)
    for number in range(30):
        name = f"a{number:02}"
        skills = {skill: chance.randint(1, 4) for skill in SKILLS if chance.random() < 0.9}
        agents[name] = agent(name, skills=skills, capacity={"email": chance.randint(0, 2), "chat": 1})
        status = Status.AVAILABLE if chance.random() < 0.8 else Status.AWAY
        states[name] = AgentState(id=name, status=status, idle_since=T0 - chance.randint(0, 3), available_since=T0)
        for _ in range(chance.randint(0, 2)):
            credit(states[name], workspace, T0, 60_000 * chance.randint(1, 5))
    teams = {"front": Team(id="front", strategy=strategy)}
    workspace = Workspace(name="w", agents=agents, teams=teams, default_effort=60_000)
    return Engine(State(at=T0 + 1, workspace=workspace, agents=states), scan_from=0)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([MUST, PREFER, Requirement()]),
    st.sampled_from(["even", "longest-idle"]),
)
def test_both_ways_give_the_same_order(seed: int, requirement: Requirement, strategy: str) -> None:
    """Whoever declined, lapsed or is preferred, and whatever is preferred: the same agents in the same order."""
    chance = random.Random(seed)
    engine = crowd(chance, strategy)
    profile = engine.index.profile(requirement, "email", "front")
    scene = Scene(desk(agent("ana")))
    contact = scene.contact(scene.mail(topic="bags"))
    names = sorted(engine.state.agents)
    contact.declined = sorted(chance.sample(names, 3))
    contact.lapsed = sorted(chance.sample(names, 3))
    contact.prefer_agent = chance.choice([None, "nobody", *names])
    assert engine.index.board is not None
    assert profile.group.numbers is not None
    for asked in (None, contact):
        for number in (1, 5, 40):
            told = matching.scan(engine.index.board, profile, profile.group.numbers, asked, number)
            assert told == matching.look_at_each(profile, asked, number)


@given(st.lists(st.integers(0, 5) | st.just(board.NO_ROOM), max_size=30), st.integers(1, 20))
def test_the_least_are_found_first_come_first(values: list[int], number: int) -> None:
    """The smallest values come in order, of equals the first; what has no room never."""
    expected = sorted((value, place) for place, value in enumerate(values) if value != board.NO_ROOM)[:number]
    assert board.least(np.array(values, dtype=np.int64), number) == [place for _, place in expected]


def test_ranks_fit_and_keep_their_order() -> None:
    """From the least to the greatest, ranks grow and stay below what stands for no room."""
    ranks = [
        board.packed(band, order, idle)
        for band in (0, 1, board.BAND_MAX)
        for order in (0, board.SCARCITY_MAX)
        for idle in (0, T0, 2**board.IDLE_BITS - 1)
    ]
    assert ranks == sorted(set(ranks))
    assert ranks[0] == -(2**63)
    assert max(ranks[:-1]) < board.NO_ROOM
    assert board.packed(5_000, 0, 0) == board.packed(board.BAND_MAX, 0, 0)
