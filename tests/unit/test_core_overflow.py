"""A team helps another out: from a number of waiting contacts on, until fewer wait, one way at a time."""

from __future__ import annotations

import msgspec

from router.core import decisions as d
from router.core.values import Assign, Overflow, Rule, Status, Team, When, Workspace
from tests.support.engine_scene import HOUR, T0, Scene, agent, desk

RULES = (Rule(when=When(topic="refund"), team="front"), Rule(when=When(topic="bags"), team="back"))


def two_teams(front: Overflow | None, back: Overflow | None = None) -> Workspace:
    """Ana in front, Bea at the back, each with room for two mails; Zoe with none elsewhere."""
    teams = {
        "front": Team(id="front", assign=Assign.PUSH, overflow=front),
        "back": Team(id="back", assign=Assign.PUSH, overflow=back),
    }
    return desk(
        agent("ana", "front"), agent("bea", "back"), agent("zoe", "side", capacity={}), rules=RULES, teams=teams
    )


def owners(scene: Scene) -> list[str | None]:
    """Who owns each contact, in the order of opening."""
    return [contact.agent for contact in scene.engine.state.contacts.values()]


def test_the_other_team_helps_from_a_number_on_until_fewer_wait() -> None:
    """Two waiting change nothing, the third brings Bea in for all she can take; she stops when one is left."""
    scene = Scene(two_teams(Overflow(to="back", at=3, until=1)))
    for number in range(4):
        scene.mail(f"p{number}")
    assert owners(scene) == ["ana", "ana", None, None]
    assert scene.engine.state.overflowing == {}
    scene.mail("p4")
    assert owners(scene) == ["ana", "ana", "bea", "bea", None]
    told = [(one.to, one.team, one.active) for one in scene.last if isinstance(one, d.TurnOverflow)]
    assert told == [("back", "front", True), ("back", "front", False)]
    assert scene.engine.state.overflowing == {}


def test_between_the_two_numbers_nothing_changes() -> None:
    """While it lasts, each of her free places goes to the other team's contacts; her own team's agents come first."""
    scene = Scene(two_teams(Overflow(to="back", at=3, until=1)), away=("bea",))
    for number in range(6):
        scene.mail(f"p{number}")
    assert scene.engine.state.overflowing == {"front": "back"}
    scene.resolve("c1", "ana")
    assert owners(scene) == ["ana", "ana", "ana", None, None, None]
    scene.status("bea", Status.AVAILABLE)
    assert owners(scene) == ["ana", "ana", "ana", "bea", "bea", None]
    assert scene.engine.state.overflowing == {}
    assert not any(seat.lines.count(line) > 1 for seat in scene.engine.index.seats.values() for line in seat.lines)


def test_own_agents_come_before_those_who_help() -> None:
    """Of two whose shift begins at once, the one of the team gets it first, whatever else speaks for the other."""
    teams = {
        "front": Team(id="front", assign=Assign.PUSH, overflow=Overflow(to="back", at=1, until=0)),
        "back": Team(id="back", assign=Assign.PUSH),
    }
    rules = (Rule(when=When(topic="refund"), team="front", prefer=(("bags", 1),)),)
    day = ((T0 + HOUR, T0 + 9 * HOUR),)
    roster = (agent("abe", "back", calendar="day"), agent("ana", "front", calendar="day"))
    scene = Scene(desk(*roster, rules=rules, teams=teams, calendars={"day": day}))
    for number in range(5):
        scene.mail(f"p{number}")
    scene.wait(HOUR)
    assert owners(scene) == ["ana", "ana", "abe", "abe", None]
    first = next(one.explanation for one in scene.last if isinstance(one, d.AssignTo))
    assert first.deciding == "own team before one that helps out"
    assert [one.why.partition(",")[0] for one in first.candidates] == [
        "lacks 1 preferred skill", "of a team that helps out",
    ]  # fmt: skip
    assert scene.engine.state.overflowing == {"front": "back"}


def test_two_teams_never_help_each_other_at_once() -> None:
    """Who is helped does not help back, or contacts would go to and fro."""
    mutual = two_teams(Overflow(to="back", at=1, until=0), Overflow(to="front", at=1, until=0))
    scene = Scene(mutual, away=("ana", "bea"))
    scene.mail("p1", "bags")
    assert scene.engine.state.overflowing == {"back": "front"}
    scene.mail("p2", "refund")
    assert scene.engine.state.overflowing == {"back": "front"}
    scene.status("bea", Status.AVAILABLE)
    told = [(one.to, one.team, one.active) for one in scene.last if isinstance(one, d.TurnOverflow)]
    assert told == [("front", "back", False), ("back", "front", True), ("back", "front", False)]
    assert owners(scene) == ["bea", "bea"]


def test_new_rules_end_an_overflow_that_they_no_longer_name() -> None:
    """A workspace without it, or with another helper, ends it; one that still has it goes on with it."""
    before = two_teams(Overflow(to="back", at=1, until=0))
    scene = Scene(before, away=("ana", "bea"))
    scene.mail("p1")
    scene.reload(msgspec.structs.replace(before, grace=1))
    assert scene.engine.state.overflowing == {"front": "back"}
    scene.status("bea", Status.AWAY)
    scene.reload(two_teams(None))
    assert scene.engine.state.overflowing == {}
    scene.status("bea", Status.AVAILABLE)
    assert owners(scene) == [None]
