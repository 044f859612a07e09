"""The auditor finds what is wrong: each oracle is shown a stream or a state that breaks it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.decisions import Decision, Explanation
from router.core.invariants import Auditor, check_idle, check_state
from router.core.state import State
from router.core.transitions import ContactState
from router.core.values import Agent, Interval, Priority, Relax, Requirement, Status, Team, Workspace
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, T0, Scene, agent, desk, pushing

MUST = Requirement(must=(("refunds", 2),))


def look(requirement: Requirement = MUST, **more: Any) -> Explanation:
    """An explanation of a router's decision."""
    return Explanation(requirement=requirement, kind="email", able=1, **more)


def offer(contact: str = "c1", name: str = "ana", requirement: Requirement = MUST) -> d.OfferTo:
    """The router offers a contact."""
    return d.OfferTo(contact=contact, agent=name, offer="o9", until=T0, explanation=look(requirement))


def waiting(*agents: Any, **more: Any) -> Scene:
    """C1 waits, nobody is there."""
    scene = Scene(desk(*agents, **more), away=tuple(one.id for one in agents))
    scene.mail("p1")
    return scene


def told(scene: Scene, *decisions: Decision, event: e.Event | None = None) -> list[str]:
    """What the auditor says of forged decisions."""
    event = event or e.TimePassed(at=scene.at)
    return [f"{one.oracle} {one.detail}" for one in scene.auditor.observe(event, decisions, scene.engine.state)]


@pytest.mark.parametrize(
    ("who", "status", "more", "complaint"),
    [
        (ANA, Status.AWAY, {}, "who is away"),
        (agent("ana", skills={"refunds": 1}), Status.AVAILABLE, {}, "who lacks a skill"),
        (agent("ana", skills={"refunds": 2}, capacity={}), Status.AVAILABLE, {}, "who is over capacity"),
        (agent("ana", skills={"refunds": 2}, units=0), Status.AVAILABLE, {}, "who is over capacity"),
    ],
)
def test_what_the_router_gives_must_be_within_the_rules(
    who: Agent, status: Status, more: dict[str, Any], complaint: str
) -> None:
    """Presence, skill, capacity by kind and in units."""
    scene = waiting(who, agent("able", skills={"refunds": 2}), **more)
    scene.auditor.status["ana"] = status
    assert f"I3 c1 goes to ana, {complaint}" in told(scene, offer())


def test_shift_and_team_and_requirement_are_judged() -> None:
    """Off shift, of another team, or asked for less than is required."""
    night: tuple[Interval, ...] = ((T0 + HOUR, T0 + 2 * HOUR),)
    scene = waiting(agent("ana", skills={"refunds": 2}, calendar="night"), calendars={"night": night})
    scene.auditor.status["ana"] = Status.AVAILABLE
    scene.contact("c1").team = "back"
    found = told(scene, offer(requirement=Requirement()))
    assert [one.split("who ")[1] for one in found if "who " in one] == [
        "is off shift",
        "was asked for less than the contact requires",
        "is not in the team",
    ]


def test_relaxation_in_force_is_counted_in() -> None:
    """After the step that lowers, the lower level is right; a level below one never is asked."""
    scene = waiting(
        agent("ana", skills={"refunds": 1}), agent("x", skills={"refunds": 2}), relax=(Relax(after=1, lower=3),)
    )
    scene.auditor.status["ana"] = Status.AVAILABLE
    lowered = Requirement(must=(("refunds", 1),))
    assert any("less than" in one for one in told(scene, offer(requirement=lowered)))
    scene = waiting(
        agent("ana", skills={"refunds": 1}), agent("x", skills={"refunds": 2}), relax=(Relax(after=1, lower=3),)
    )
    scene.auditor.status["ana"] = Status.AVAILABLE
    scene.contact("c1").relaxed = 1
    assert not any("less than" in one for one in told(scene, offer(requirement=lowered)))


def test_somebody_unknown_cannot_be_given_anything() -> None:
    """An agent who is not in the workspace."""
    assert "I3 c1 goes to eve, who is not in the workspace" in told(waiting(ANA), offer(name="eve"))


def test_a_contact_has_one_owner() -> None:
    """Given away twice, or taken from somebody who does not have it."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    assert "I3 c1 goes to ben while ana has it" in told(scene, offer(name="ben"))
    scene = waiting(ANA)
    dropped = d.ReleaseContact(contact="c1", agent="ana", reason="away")
    assert told(scene, dropped) == ["I3 c1 is taken from ana, who does not have it"]


def test_what_the_stream_says_must_be_what_the_state_says() -> None:
    """An agent holds something nobody gave them."""
    scene = waiting(ANA)
    scene.engine.state.agents["ana"].held["c1"] = 1
    assert told(scene) == ["I3 ana holds ['c1'], but was given []"]


def received(message: str, sender: str = "p1", **more: Any) -> e.MessageReceived:
    """A message."""
    return e.MessageReceived(
        at=T0, message=message, channel="email", kind="email", account="help", sender=sender, **more
    )


def test_every_message_is_in_exactly_one_place() -> None:
    """Lost, put twice, or made up."""
    scene = waiting(ANA)
    assert told(scene, event=received("9-0")) == ["I1 9-0 is nowhere"]
    filed = d.FileAuto(message="8-0", auto="list")
    assert told(scene, filed, event=received("8-0")) == []
    assert told(scene, filed, event=received("8-0")) == ["I1 8-0 is in the auto list already"]
    attached = d.AttachMessage(contact="c1", message="8-0")
    assert told(scene, attached) == [
        "I1 8-0 is in the auto list already", "I1 8-0 is attached without having been received",
    ]  # fmt: skip


def test_a_stranger_in_a_contact_is_noticed() -> None:
    """A message of somebody who takes no part; a bounce is nobody's."""
    scene = waiting(ANA)
    joined = d.AttachMessage(contact="c1", message="9-0")
    assert told(scene, joined, event=received("9-0", "p9")) == ["I7 9-0 of a stranger joined c1"]
    bounced = d.AttachMessage(contact="c1", message="9-1")
    assert told(scene, bounced, event=received("9-1", "mailer", auto="bounce")) == []


def queue_of_two(**more: Any) -> Scene:
    """C1 and, a minute later, C2 wait for Ana, who is full."""
    ana = agent("ana", skills={"refunds": 2}, capacity={"email": 1})
    scene = Scene(pushing(ana, sticky_wait=0, **more))
    scene.mail("p0")
    scene.mail("p1")
    scene.at += MINUTE
    scene.mail("p2")
    scene.auditor.held["ana"].clear()
    scene.engine.state.agents["ana"].held.clear()
    scene.auditor.holder.clear()
    return scene


def forge(scene: Scene, name: str) -> list[str]:
    """The router gives a contact to Ana."""
    scene.contact(name).state = ContactState.OFFERED
    scene.engine.state.agents["ana"].held[name] = 1
    return told(scene, offer(name))


def test_first_come_is_first_served() -> None:
    """The younger is chosen: noticed; the older: fine."""
    assert forge(queue_of_two(), "c3") == ["I6 ana gets c3 before c2, which is older"]
    assert forge(queue_of_two(), "c2") == []


def test_first_come_knows_its_exceptions() -> None:
    """Declined, waiting for its own agent, or missed and passed over by one due within the minute."""
    scene = queue_of_two()
    scene.contact("c2").declined = ["ana"]
    assert forge(scene, "c3") == []
    scene = queue_of_two()
    scene.contact("c2").sticky_until = T0
    assert forge(scene, "c3") == []
    scene = queue_of_two()
    scene.contact("c2").missed = True
    scene.contact("c3").due = scene.engine.state.at + 1
    assert forge(scene, "c3") == []
    scene = queue_of_two()
    scene.contact("c2").missed = True
    scene.contact("c2").passed = 4
    scene.contact("c3").due = scene.engine.state.at + 1
    assert forge(scene, "c3") == ["I6 ana gets c3 before c2, which is older"]


def test_a_person_may_choose_anything() -> None:
    """Assignments by hand are not judged, nor are acceptances: the offer was."""
    scene = waiting(agent("ana", capacity={}), agent("x", skills={"refunds": 2}))
    by_hand = d.AssignTo(contact="c1", agent="ana", explanation=look(manual=True))
    scene.engine.state.agents["ana"].held["c1"] = 1
    assert told(scene, by_hand) == []


def test_an_auditor_can_begin_at_a_snapshot() -> None:
    """It goes on from a state as if it had seen the stream."""
    scene = Scene(desk(agent("ana", skills={"refunds": 2}, capacity={"email": 2})))
    scene.mail("p1")
    scene.accept("c1")
    scene.mail("p2")
    scene.mail("p3")
    scene.mail("p4", auto="list", message="77-0")
    scene.auditor = Auditor()
    scene.auditor.begin(scene.engine.state)
    scene.resolve("c1")
    scene.mail("p1", thread="c1")
    scene.wait(HOUR)
    assert scene.auditor.messages["77-0"] == ""


def test_an_auditor_forgets_what_left_the_state() -> None:
    """Its memory is bounded by the state's."""
    scene = Scene(pushing(agent("ana", capacity={"email": 200})))
    scene.mail("p0", auto="list")
    for number in range(80):
        scene.mail(f"p{number}", None)
        scene.resolve(f"c{number + 1}")
    scene.wait(31 * 24 * HOUR)
    scene.mail("q", None)
    assert list(scene.auditor.allowed) == ["c81"]
    assert len(scene.auditor.messages) == 2


def test_a_state_with_a_message_in_two_places_is_unsound() -> None:
    """I1, over the whole state."""
    scene = waiting(ANA)
    scene.contact("c1").messages *= 2
    assert [one.detail for one in check_state(scene.engine.state)] == ["a message is in two places"]


def test_a_state_in_which_the_wrong_agent_has_a_contact_is_unsound() -> None:
    """Nobody, somebody else, or the right one in the wrong list."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    state = scene.engine.state
    owner = scene.contact("c1").agent or ""

    def details() -> list[str]:
        return [one.detail for one in check_state(state)]

    state.agents[owner].parked, state.agents[owner].held = state.agents[owner].held, {}
    assert details() == ["c1 is assigned but counted otherwise"]
    state.agents[owner].parked = {}
    assert details() == [f"c1 is assigned, {owner} should have it, None has"]


def test_a_state_with_a_strangers_message_is_unsound() -> None:
    """I7, over the whole state."""
    scene = waiting(ANA)
    scene.contact("c1").participants = ["p2"]
    assert [one.oracle for one in check_state(scene.engine.state)] == ["I7"]


def idle_state(workspace: Workspace) -> State:
    """C1 waits although Ana is there."""
    scene = Scene(workspace, away=("ana",))
    scene.mail("p1")
    state = msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State)
    state.agents["ana"].status = Status.AVAILABLE
    return state


def test_nobody_waits_beside_somebody_free() -> None:
    """I5: noticed, unless the team, the shift, the agent's word, skill or another contact stands against it."""
    state = idle_state(desk(ANA, teams={"front": Team(id="front")}))
    assert [one.detail for one in check_idle(state)] == ["c1 waits while ana is free"]
    state.contacts["c1"].team = "back"
    assert check_idle(state) == []
    state.contacts["c1"].team = None
    state.contacts["c1"].declined = ["ana"]
    assert check_idle(state) == []
    state.contacts["c1"].declined = []
    state.contacts["c1"].requirement = Requirement(must=(("bags", 1),))
    assert check_idle(state) == []
    state.contacts["c1"].requirement = Requirement(must=(("lang:en", 5),))
    assert len(check_idle(state)) == 1
    state.contacts["c1"].sticky_until = state.at
    assert check_idle(state) == []
    full = idle_state(desk(agent("ana", skills={"refunds": 2}, units=0)))
    assert check_idle(full) == []


def test_a_contact_out_of_nothing_is_noticed() -> None:
    """Only a message opens a contact."""
    scene = waiting(ANA)
    opened = d.OpenContact(
        contact="c9", message="9-0", customer="k9", requirement=MUST, priority=Priority.NORMAL, due=None
    )
    assert told(scene, opened) == ["I1 c9 is opened without a message having been received"]


def test_what_leaves_the_state_must_be_closed_and_who_is_kept_must_be_known_for_something() -> None:
    """A contact that waits, or has an owner, cannot be forgotten; a customer without any cannot be remembered."""
    scene = waiting(ANA)
    assert told(scene, d.ForgetContact(contact="c1")) == ["I1 c1 leaves the state and is not closed"]
    scene.engine.state.identities["p7"] = "k7"
    assert [one.detail for one in check_state(scene.engine.state)] == ["k7 is known, and nothing refers to them"]


def test_teams_help_only_as_the_workspace_says() -> None:
    """An overflow that no rule names, or towards one's own helper, is told of."""
    scene = waiting(ANA, agent("bea", "back"))
    wrong = told(scene, d.TurnOverflow(team="front", to="back", active=True))
    assert wrong == ["I3 back helps front against the rules"]


def test_wake_ups_need_room_too() -> None:
    """Who owns one that waits on its customer, and may go over the limit by none, has no room for a second."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 1}), wake_margin=0))
    scene.reply(scene.mail("p1"))
    scene.mail("p2")
    assert "I3 c2 goes to ana, who is over capacity" in told(scene, offer("c2"))


def test_a_reserve_excuses_only_what_it_is_for() -> None:
    """I5: a contact may wait beside a kept holder, but not when somebody declined it, or nobody else is here."""
    both = agent("ben", skills={"refunds": 2, "rare": 1}, capacity={"email": 1})
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 1}), both, reserve={"rare": 1}))
    scene.mail("p1")
    scene.mail("p2")
    assert check_idle(scene.engine.state) == []
    waiting_one = scene.contact("c2")
    waiting_one.declined = ["ana"]
    assert [one.oracle for one in check_idle(scene.engine.state)] == ["I5"]
    waiting_one.declined = []
    waiting_one.requirement = Requirement(must=(("rare", 1),))
    assert [one.oracle for one in check_idle(scene.engine.state)] == ["I5"]
    waiting_one.requirement = MUST
    scene.engine.state.agents["ana"].status = Status.AWAY
    assert [one.oracle for one in check_idle(scene.engine.state)] == ["I5"]
