"""Holders of a scarce skill are kept free while few of them are idle, where somebody else could take it."""

from __future__ import annotations

import msgspec

from router.core import decisions as d
from router.core.values import Rule, Status, Team, Topic, When, Workspace
from tests.support.engine_scene import HOUR, MINUTE, Scene, agent, desk, pushing

TOPICS = {"refund": Topic(id="refund", effort=8 * MINUTE), "rare": Topic(id="rare", effort=30 * MINUTE)}
RULES = (
    Rule(when=When(topic="refund"), require=(("refunds", 1),)),
    Rule(when=When(topic="rare"), require=(("rare", 1),)),
)
BOTH = {"refunds": 1, "rare": 1}


def people(general: int, rare: int, **more: object) -> Workspace:
    """Agents with room for one mail: general ones, and some who hold the rare skill too."""
    roster = [agent(f"g{number}", skills={"refunds": 1}, capacity={"email": 1}) for number in range(general)]
    roster += [agent(f"r{number}", skills=BOTH, capacity={"email": 1}) for number in range(rare)]
    return pushing(*roster, topics=TOPICS, rules=RULES, **more)


def owner(scene: Scene, name: str) -> str | None:
    """Who owns a contact."""
    return scene.contact(name).agent


def test_the_last_idle_holder_is_kept_for_what_only_they_can_do() -> None:
    """The third refund waits beside an idle holder, and the record says so; what is rare goes to them at once."""
    scene = Scene(people(1, 2, reserve={"rare": 1}))
    assert [owner(scene, scene.mail(f"p{number}")) for number in range(3)] == ["g0", "r0", None]
    explanation = scene.one(d.QueueContact).explanation
    assert explanation is not None
    assert (explanation.reserve, explanation.ruled_out) == (("rare",), (("at capacity", 2), ("kept for rare", 1)))
    assert owner(scene, scene.mail("p9", "rare")) == "r1"
    scene.resolve("c4", "r1")
    assert owner(scene, "c3") is None
    scene.resolve("c2", "r0")
    assert owner(scene, "c3") == "r0"  # two holders were idle
    assert scene.one(d.AssignTo).explanation.reserve == ()


def test_no_level_is_as_no_reserve() -> None:
    """A level of nought keeps nobody, nor does a skill that nobody holds."""
    scene = Scene(people(1, 2, reserve={"rare": 0, "none": 3}))
    assert [owner(scene, scene.mail(f"p{number}")) for number in range(3)] == ["g0", "r0", "r1"]
    assert scene.engine.state.reserves == {}


def test_nobody_waits_for_somebody_who_is_not_there() -> None:
    """When the last other agent goes, whoever waits is given to the holder who had been kept."""
    scene = Scene(people(1, 1, reserve={"rare": 1}))
    assert [owner(scene, scene.mail(f"p{number}")) for number in range(2)] == ["g0", None]
    scene.status("g0", Status.BUSY)
    assert owner(scene, "c2") == "r0"
    scene.mail("p3", "rare")
    assert owner(scene, "c3") is None


def test_what_others_declined_is_kept_from_nobody() -> None:
    """There is nobody else to wait for: at once if a holder is idle, else as soon as one is."""
    workspace = msgspec.structs.replace(people(1, 2, reserve={"rare": 2}), teams={"front": Team(id="front")})
    scene = Scene(workspace)
    scene.mail("p0", "rare")
    scene.accept("c1")
    assert scene.contact(scene.mail("p1")).offer.agent == "g0"  # type: ignore[union-attr]
    scene.decline("c2")
    assert scene.contact("c2").offer.agent == "r1"  # type: ignore[union-attr]
    scene.decline("c2")
    assert scene.contact("c2").offer is None
    scene.mail("p2")
    scene.accept("c3")
    scene.mail("p3")
    scene.resolve("c1", "r0")
    assert scene.contact("c2").offer.agent == "r0"  # type: ignore[union-attr]
    assert scene.contact("c4").offer is None


def test_of_declined_ones_the_most_urgent_is_next() -> None:
    """A holder who becomes free takes the older of two that others declined, unless their own work is older still."""
    workspace = msgspec.structs.replace(people(1, 1, reserve={"rare": 1}), teams={"front": Team(id="front")})
    scene = Scene(workspace, away=("r0",))
    for number in range(2):
        name = scene.mail(f"p{number}")
        scene.decline(name)
        scene.at += MINUTE
    scene.mail("p2", "rare")
    scene.status("r0", Status.AVAILABLE)
    assert scene.contact("c1").offer is not None
    scene.accept("c1")
    scene.reply("c1", "r0", resolve=True)
    assert scene.contact("c2").offer is not None


def test_auto_finds_the_level_from_demand_and_supply() -> None:
    """Two hours of rare work in one: two are busy with it, root 1, a quarter of five is 1; of three it is 0."""
    scene = Scene(people(15, 5, reserve_auto=True))
    for number in range(4):
        scene.mail(f"p{number}", "rare")
    assert scene.engine.state.reserves == {}
    scene.wait(HOUR)
    scene.mail("p8", "rare")
    assert scene.engine.state.reserves == {"rare": 1}
    scene.status("r4", Status.AWAY)
    scene.status("r3", Status.AWAY)
    scene.wait(HOUR)
    scene.mail("p9")
    assert scene.engine.state.reserves == {}
    scene.wait(9 * HOUR)
    scene.mail("p10")
    assert scene.engine.state.reserves == {}


def test_auto_keeps_nobody_where_the_skill_is_no_scarcer_than_what_is_asked_for() -> None:
    """Holders are kept only from contacts that at least four times as many could take, where a quarter hold it."""
    scene = Scene(people(2, 5, reserve_auto=True))
    scene.mail("p1", "rare")
    scene.wait(HOUR)
    scene.mail("p2", "rare")
    assert scene.engine.state.reserves == {}  # five of seven hold it
    bags = (*RULES, Rule(when=When(topic="bags"), require=(("bags", 1),)))
    roster = [agent(f"b{number}", skills={"bags": 1, "rare": 1}, capacity={"email": 1}) for number in range(5)]
    roster += [agent(f"c{number}", skills={"bags": 1}, capacity={"email": 1}) for number in range(3)]
    roster += [agent(f"d{number}", skills={}, capacity={"email": 1}) for number in range(14)]
    topics = {**TOPICS, "bags": Topic(id="bags", effort=MINUTE)}
    scene = Scene(pushing(*roster, topics=topics, rules=bags, reserve_auto=True))
    scene.mail("p0", "rare")
    scene.wait(HOUR)
    names = [scene.mail(f"p{number}", "bags") for number in range(1, 8)]
    assert scene.engine.state.reserves == {"rare": 1}
    assert None not in [owner(scene, name) for name in names]


def test_reserves_change_with_the_workspace() -> None:
    """A reload that takes the reserve away gives those who wait to those who were kept."""
    scene = Scene(people(1, 1, reserve={"rare": 1}))
    assert [owner(scene, scene.mail(f"p{number}")) for number in range(2)] == ["g0", None]
    scene.reload(people(1, 1))
    assert owner(scene, "c2") == "r0"


def test_many_able_agents_are_kept_as_few_are() -> None:
    """With 140 general agents, who are looked at in arrays, the one idle holder is kept as well."""
    scene = Scene(people(140, 1, reserve={"rare": 1}))
    got = [owner(scene, scene.mail(f"p{number}")) for number in range(141)]
    assert got.count(None) == 1
    assert "r0" not in got


def test_a_kept_agent_is_told_of_in_the_desk_too() -> None:
    """Asked why it waits, the engine names the reserve."""
    scene = Scene(desk(agent("g0", skills={"refunds": 1}, capacity={"email": 1}),
                       agent("r0", skills=BOTH, capacity={"email": 1}), topics=TOPICS, rules=RULES,
                       reserve={"rare": 1}))  # fmt: skip
    scene.mail("p0")
    assert scene.engine.explain(scene.mail("p1")).reserve == ("rare",)
