"""When many become free at once, as many contacts are placed as can be, not only as many as one by one would give."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from router.core import decisions as d
from router.core.values import Assign, Rule, Status, Team, Topic, When
from tests.support.engine_scene import HOUR, MINUTE, T0, Scene, agent, desk

if TYPE_CHECKING:
    from router.core.values import Agent

DAY = ((T0 + HOUR, T0 + 9 * HOUR),)
ONE = {"email": 1}


def able(name: str, *skills: str, **more: Any) -> Agent:
    """Somebody who takes one mail at a time, and whose shift begins in an hour."""
    more.setdefault("calendar", "day")
    return agent(name, skills=dict.fromkeys(skills, 3), capacity=ONE, **more)


def night(*agents: Agent, skills: tuple[str, ...], asked: bool = False, **more: object) -> Scene:
    """A topic a skill; nobody is on shift yet, but all have said that they are available."""
    return Scene(
        desk(
            *agents,
            topics={skill: Topic(id=skill, effort=8 * MINUTE) for skill in skills},
            rules=tuple(Rule(when=When(topic=skill), require=((skill, 2),)) for skill in skills),
            calendars={"day": DAY},
            teams={"front": Team(id="front", assign=Assign.OFFER if asked else Assign.PUSH)},
            **more,
        )
    )


def holders(scene: Scene) -> dict[str, str]:
    """Who has what: agent -> contact."""
    return {name: next(iter(state.held)) for name, state in sorted(scene.engine.state.agents.items()) if state.held}


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("contacts", [24, 30, 40])
def test_a_shift_that_begins_fills_as_many_places_as_can_be(contacts: int, asked: bool) -> None:
    """Thirty with four skills of fifteen each, about as many mails: what a maximum matching gives, in any order."""
    for seed in range(6):
        chance = random.Random(seed)
        skills = tuple(f"s{number}" for number in range(15))
        agents = [able(f"a{number:02}", *chance.sample(skills, 4)) for number in range(30)]
        scene = night(*agents, skills=skills, asked=asked)
        wanted = [chance.choice(skills) for _ in range(contacts)]
        for number, skill in enumerate(wanted):
            scene.mail(f"p{number}", skill)
        scene.wait(HOUR)
        edges = np.array([[skill in one.skills for one in agents] for skill in wanted], dtype=np.int8)
        best = int((maximum_bipartite_matching(csr_matrix(edges)) >= 0).sum())
        given = [one for one in scene.last if isinstance(one, d.OfferTo | d.AssignTo)]
        assert len(given) == len({one.contact for one in given}) == len(holders(scene)) == best


def test_a_chain_moves_each_on_by_one_and_the_record_tells_the_outcome() -> None:
    """Ana can do all three, Ben two of them, Caz one: the mail that only Ana can do pushes the others on."""
    agents = (able("ana", "x", "y"), able("ben", "y", "z"), able("caz", "z", "u", "v"))
    scene = night(*agents, skills=("x", "y", "z", "u", "v"))
    for number, skill in enumerate(("y", "z", "x")):
        scene.mail(f"p{number}", skill)
        scene.at += 1
    scene.wait(HOUR)
    assert holders(scene) == {"ana": "c3", "ben": "c1", "caz": "c2"}
    told = {one.contact: one.agent for one in scene.last if isinstance(one, d.AssignTo)}
    assert told == {"c1": "ben", "c2": "caz", "c3": "ana"}
    assert sum(sum(state.credited.values()) for state in scene.engine.state.agents.values()) == 24 * MINUTE


def test_who_is_kept_for_a_scarce_skill_ends_no_chain() -> None:
    """Ben is kept free for what is rare: Ana keeps what he could have taken, and what only she can do waits."""
    agents = (able("ana", "x", "y"), able("ben", "x", "rare"))
    scene = night(*agents, skills=("x", "y", "rare"), reserve={"rare": 1})
    scene.mail("p1", "x")
    scene.at += 1
    scene.mail("p2", "y")
    scene.wait(HOUR)
    assert holders(scene) == {"ana": "c1"}


def test_who_has_room_by_a_chain_and_is_kept_free_then_stays_free() -> None:
    """The rare mail moves from Ana to Ben, and now she is the last idle holder: she is kept from what others can do."""
    busy = able("gus", "x", calendar=None)
    agents = (busy, able("ana", "x", "rare"), able("ben", "rare", "odd", "odder"))
    scene = night(*agents, skills=("x", "rare", "odd", "odder"), reserve={"rare": 1})
    scene.mail("p0", "x")
    scene.mail("p1", "rare")
    scene.at += 1
    scene.mail("p2", "x")
    scene.wait(HOUR)
    assert holders(scene) == {"ben": "c2", "gus": "c1"}


def test_what_somebody_declined_moves_nobody_twice() -> None:
    """A mail that Ana declined is not given to her by a chain, and stays with whoever gets it."""
    agents = (able("ana", "x", "y"), able("ben", "x", "y", "z"), able("eve", "y", calendar=None))
    scene = night(*agents, skills=("x", "y", "z"), asked=True)
    first = scene.mail("p0", "y")
    scene.decline(first, "eve")
    scene.status("eve", Status.AWAY)
    second, third = scene.mail("p1", "x"), scene.mail("p2", "z")
    scene.wait(HOUR)
    assert [scene.contact(name).offer is not None for name in (first, second, third)] == [True, True, False]
    assert scene.contact(first).declined == ["eve"]


def test_what_others_declined_may_be_placed_by_a_chain() -> None:
    """Eve declined it and is away: the younger mail moves from Ana to Ben, and Ana gets the one that is left."""
    agents = (able("ana", "x", "y"), able("ben", "x", "odd"), able("eve", "y", calendar=None))
    scene = night(*agents, skills=("x", "y", "odd"), asked=True)
    older = scene.mail("p1", "x")
    scene.at += 1
    name = scene.mail("p0", "y")
    scene.decline(name, "eve")
    scene.status("eve", Status.AWAY)
    scene.wait(HOUR)
    assert holders(scene) == {"ana": name, "ben": older}


def test_who_served_the_customer_last_keeps_them() -> None:
    """Ana knows the customer: no chain takes them from her, though what only she can do waits."""
    agents = (able("ana", "x", "y", calendar="long"), able("ben", "x", "odd"))
    scene = night(*agents, skills=("x", "y", "odd"), sticky_wait=0)
    scene.reload(
        desk(
            *agents,
            topics=scene.engine.state.workspace.topics,
            rules=scene.engine.state.workspace.rules,
            teams=scene.engine.state.workspace.teams,
            calendars={"day": DAY, "long": ((T0, T0 + MINUTE), *DAY)},
            sticky_wait=0,
        )
    )
    scene.resolve(scene.mail("p1", "x"))
    scene.wait(MINUTE)
    again, other = scene.mail("p1", "x"), scene.mail("p2", "y")
    scene.wait(HOUR)
    assert scene.contact(again).agent == "ana"
    assert scene.contact(other).agent is None
