"""What would have changed a decision; who could take what waits, and when likely."""

from __future__ import annotations

import msgspec
import pytest

from router.core import prospects
from router.core.engine import Engine, NoSuchContact
from router.core.state import State
from router.core.values import Agent, Overflow, Rule, Status, Team, Topic, When, Workspace
from tests.support.engine_scene import HOUR, MINUTE, T0, Scene, agent, desk, pushing

ONE = {"email": 1}
TOPICS = {"refund": Topic(id="refund", effort=8 * MINUTE)}


def told(scene: Scene, name: str) -> list[tuple[str, str]]:
    """Agent and change, nearest first."""
    return [(one.agent, one.why) for one in scene.engine.would_have(name)]


@pytest.mark.parametrize(
    ("other", "team", "why"),
    [
        (agent("ben", skills={"refunds": 1}), None, "had they level 2 in refunds"),
        (agent("ben", skills={"refunds": 2}, capacity={"chat": 1}), None, "had they capacity for email"),
        (agent("ben", "back", skills={"refunds": 2}), "front", "were they in the team front"),
        (agent("ben", skills={"refunds": 2}, calendar="night"), None, "were they on shift"),
    ],
)
def test_one_thing_that_stands_between_is_told(other: Agent, team: str | None, why: str) -> None:
    """A level, room for the kind, the team, the shift: had that been otherwise, Ben would have got it."""
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),), team=team),)
    calendars = {"night": ((T0 + HOUR, T0 + 2 * HOUR),)}
    ana = agent("ana", skills={"refunds": 2, "rare": 1})
    scene = Scene(pushing(ana, other, rules=rules, topics=TOPICS, calendars=calendars))
    name = scene.mail("p1")
    assert scene.contact(name).agent == "ana"
    assert told(scene, name) == [("ben", why)]


def test_whoever_would_not_have_been_first_all_the_same_is_not_told_of() -> None:
    """Ben lacks a level, but did far more than Ana; and whom two things rule out is not near."""
    busy = agent("ben", skills={"bags": 1, "refunds": 1}, capacity={"email": 9})
    far = agent("caz", skills={"refunds": 1}, capacity={})
    rules = (
        Rule(when=When(topic="refund"), require=(("refunds", 2),)),
        Rule(when=When(topic="bags"), require=(("bags", 1),)),
    )
    topics = {**TOPICS, "bags": Topic(id="bags", effort=HOUR)}
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}), busy, far, rules=rules, topics=topics))
    scene.mail("p0", "bags")
    assert told(scene, scene.mail("p1")) == []


def test_of_what_waits_each_obstacle_is_told_smallest_first() -> None:
    """Room, then a reserve, then presence; three at most."""
    roster = (
        agent("ana", skills={"refunds": 2}, capacity=ONE),
        agent("ben", skills={"refunds": 2, "rare": 1}, capacity=ONE),
        agent("caz", skills={"refunds": 2}, capacity=ONE),
        agent("dot", skills={"refunds": 1}, capacity=ONE),
    )
    scene = Scene(pushing(*roster, reserve={"rare": 1}, topics=TOPICS), away=("caz",))
    scene.mail("p0")
    name = scene.mail("p1")
    assert told(scene, name) == [
        ("dot", "had they level 2 in refunds"),
        ("ana", "had they room for one more email"),
        ("ben", "were they not kept free for rare"),
    ]
    scene.status("dot", Status.OFFLINE)
    assert told(scene, name)[2] == ("caz", "were they available")


def test_whoever_is_gone_is_told_of_only_if_nothing_else_stands_between() -> None:
    """Not who has no capacity for it besides, nor who holds as many as they can while they are away."""
    roster = (agent("ana", capacity={"email": 9}), agent("ben", capacity={}), agent("caz", capacity=ONE))
    scene = Scene(pushing(*roster, rules=()), away=("ben", "ana"))
    assert scene.contact(scene.mail("p0")).agent == "caz"
    scene.status("caz", Status.AWAY)
    assert told(scene, scene.mail("p1")) == [("ana", "were they available")]


def test_who_declined_could_have_had_it() -> None:
    """And a team that helps out counts as the contact's own."""
    teams = {"front": Team(id="front", overflow=Overflow(to="back", at=1, until=0)), "back": Team(id="back")}
    rules = (Rule(when=When(topic="refund"), team="front"),)
    scene = Scene(desk(agent("ana"), agent("bea", "back"), teams=teams, rules=rules), away=("bea",))
    name = scene.mail("p1")
    scene.decline(name)
    assert told(scene, name) == [("bea", "were they available"), ("ana", "had they not declined it")]


def as_it_was(before: Engine, scene: Scene, name: str) -> list[tuple[str, str]]:
    """The same, asked of an engine that stands before the decision."""
    found = prospects.would_have(before.index, scene.contact(name), before=True)
    return [(one.agent, one.change) for one in found]


def copy(scene: Scene) -> Engine:
    """An engine of its own at this point."""
    return Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State))


@pytest.mark.parametrize("strategy", ["even", "longest-idle"])
def test_before_the_decision_those_who_were_outranked_are_told_of_too(strategy: str) -> None:
    """Each with what told them from who got it: the customer, preferred skills, effort, other skills, idleness."""
    both = {"refunds": 2, "nice": 1}
    roster = (
        agent("ana", skills=both, capacity={"email": 9}),
        agent("ben", skills=both, capacity={"email": 9}),
        agent("caz", skills={**both, "rare": 1}, capacity={"email": 9}),
        agent("dot", skills={"refunds": 2}, capacity={"email": 9}),
    )
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),), prefer=(("nice", 1),), team="front"),)
    workspace = pushing(*roster, rules=rules, topics=TOPICS)
    workspace = msgspec.structs.replace(
        workspace, teams={"front": msgspec.structs.replace(workspace.teams["front"], strategy=strategy)}
    )
    scene = Scene(workspace)
    scene.at += MINUTE
    before = copy(scene)
    name = scene.mail("p1")
    even = strategy == "even"
    assert scene.contact(name).agent == "ana"
    assert as_it_was(before, scene, name) == [
        ("ben", "idle"), ("caz", "scarcity" if even else "idle"), ("dot", "skill"),
    ]  # fmt: skip
    assert told(scene, name) == []
    scene.at += MINUTE
    before = copy(scene)
    second = scene.mail("p2")
    assert scene.contact(second).agent == "ben"
    assert as_it_was(before, scene, second)[-1] == ("dot", "skill")
    assert ("ana", "utilisation" if even else "idle") in as_it_was(before, scene, second)
    scene.resolve(name, "ana")
    before = copy(scene)
    third = scene.mail("p1")
    assert scene.contact(third).agent == "ana"
    assert {change for _, change in as_it_was(before, scene, third)} == {"customer"}


def crowd(**more: int) -> Workspace:
    """Ana here, Ben on shift in an hour, Caz away."""
    skills = {"refunds": 2}
    return pushing(
        agent("ana", skills=skills, capacity={"email": 2}), agent("ben", skills=skills, calendar="late"),
        agent("caz", skills=skills), topics=TOPICS, calendars={"late": ((T0 + HOUR, T0 + 9 * HOUR),)}, **more,
    )  # fmt: skip


def test_who_could_take_it_and_when_likely() -> None:
    """Ana when the first of her two is likely done, Ben when his shift begins, of Caz nobody knows."""
    scene = Scene(crowd(), away=("caz",))
    scene.mail("p0")
    scene.mail("p1")
    scene.wait(6 * MINUTE)
    first, second = scene.mail("p2"), scene.mail("p3")
    found = scene.engine.prospects(first)
    assert (found.ahead, found.likely_at) == (0, scene.at + 10 * MINUTE)  # five of eight are left, beside another
    assert [(one.agent, one.at) for one in found.could] == [
        ("ana", scene.at + 10 * MINUTE), ("ben", T0 + HOUR), ("caz", None),
    ]  # fmt: skip
    later = scene.engine.prospects(second)
    assert (later.ahead, later.likely_at) == (1, T0 + HOUR)
    assert scene.engine.prospects("c1").ahead == 0


def test_nobody_can_say_when_nobody_is_there() -> None:
    """All are away: no instant is told; who has room but is asked for nothing has it now."""
    scene = Scene(crowd(sticky_wait=HOUR), away=("ana", "caz", "ben"))
    name = scene.mail("p0")
    scene.status("ben", Status.AWAY)
    found = scene.engine.prospects(name)
    assert [(one.agent, one.why) for one in found.could][-1] == ("caz", "is offline")
    assert found.likely_at is None
    scene.status("ana", Status.AVAILABLE)
    scene.mail("p0")
    waiting = scene.mail("p0")  # it waits for Ana alone, who is full
    assert scene.contact(waiting).sticky_until is not None
    scene.status("caz", Status.AVAILABLE)
    assert ("caz", scene.at, "has room") in [
        (one.agent, one.at, one.why) for one in scene.engine.prospects(waiting).could
    ]
    with pytest.raises(NoSuchContact):
        scene.engine.prospects("c99")
