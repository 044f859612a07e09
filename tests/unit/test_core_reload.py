"""Another workspace comes into force while contacts are open: nothing open is lost."""

from __future__ import annotations

from typing import Any

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState
from router.core.values import Priority, Relax, Rule, Sla, Status, Team, When
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SUE, T0, Scene, agent, desk, pushing


def test_new_agents_are_offline_until_they_say_so() -> None:
    """Nobody is given work before they are there."""
    scene = Scene(desk(ANA), away=("ana",))
    scene.reload(desk(ANA, BEN))
    assert {one.id: one.status for one in scene.engine.state.agents.values()} == {
        "ana": Status.OFFLINE, "ben": Status.OFFLINE,
    }  # fmt: skip
    assert scene.engine.state.version == "v2"


def test_what_a_removed_agent_had_returns_to_the_queue() -> None:
    """Owned, parked, asleep or only offered: others get it, and a supervisor hears of it."""
    busy = agent("ana", skills={"refunds": 2}, capacity={"email": 9})
    scene = Scene(desk(busy, agent("ben", skills={"refunds": 2}, capacity={"email": 9})), away=("ben",))
    for number in range(4):
        scene.mail(f"p{number}")
    for number in (1, 2, 3):
        scene.accept(f"c{number}")
    scene.reply("c2")
    scene.snooze("c3", HOUR)
    scene.status("ben", Status.AVAILABLE)
    scene.reload(desk(agent("ben", skills={"refunds": 2}, capacity={"email": 9})))
    assert scene.one(d.NotifySupervisors) == d.NotifySupervisors(reason="owner-removed", detail="ana: 4")
    assert scene.one(d.SetStatus).reason == "removed"
    assert scene.one(d.RescindOffer).reason == "workspace"
    assert sorted(one.contact for one in scene.last if isinstance(one, d.OfferTo)) == ["c1", "c2", "c3", "c4"]
    assert list(scene.engine.state.agents) == ["ben"]


def test_what_a_removed_agent_had_stands_in_its_line_once() -> None:
    """Where nobody can take it yet, one contact waits, not two."""
    other = agent("ben", skills={"refunds": 2}, capacity={"email": 9})
    scene = Scene(desk(ANA, other), away=("ben",))
    scene.mail("p1")
    scene.accept("c1")
    scene.reload(desk(other))
    line = scene.engine.index.profile_of(scene.contact("c1")).line
    assert (scene.contact("c1").state, line.waiting) == ("waiting", 1)


def test_an_agent_without_work_leaves_quietly() -> None:
    """No supervisor needs to hear of it."""
    scene = Scene(desk(ANA, BEN))
    scene.reload(desk(ANA))
    assert scene.none(d.NotifySupervisors)


def test_an_offer_to_who_lost_the_skill_is_rescinded() -> None:
    """Who is still able keeps theirs; what was accepted stays with its owner."""
    scene = Scene(desk(ANA, BEN))
    scene.mail("p1")
    owner = scene.one(d.OfferTo).agent
    scene.accept("c1")
    scene.mail("p2")
    offered = scene.one(d.OfferTo).agent
    less = {"ana": agent("ana"), "ben": agent("ben")}
    scene.reload(desk(less[offered], ANA if owner == "ana" else BEN))
    assert scene.one(d.RescindOffer).agent == offered
    assert scene.one(d.OfferTo).agent == owner
    assert scene.contact("c1").agent == owner


def test_what_waits_is_judged_by_the_new_rules() -> None:
    """A new rule, another team or priority: the contact moves, and is placed."""
    scene = Scene(desk(ANA, agent("bob", team="back", skills={"bags": 1})), away=("ana",))
    scene.mail("p1")
    rules = (Rule(when=When(topic="refund"), require=(("bags", 1),), team="back", priority=Priority.HIGH),)
    scene.reload(desk(ANA, agent("bob", team="back", skills={"bags": 1}), rules=rules))
    assert scene.one(d.ChangeRequirement).priority is Priority.HIGH
    assert scene.one(d.OfferTo).agent == "bob"


def test_a_dead_end_ends_when_somebody_can_do_it() -> None:
    """It leaves triage for the agent who has the skill now; a new dead end is told once."""
    rules = (Rule(when=When(topic="bags"), require=(("bags", 3),)),)
    teams = {"triage": Team(id="triage", members=("ben",))}
    scene = Scene(desk(ANA, BEN, rules=rules, teams=teams), away=("ben",))
    scene.mail("p1", "bags")
    assert scene.contact("c1").dead_end
    scene.reload(desk(agent("ana", skills={"bags": 3}), BEN, rules=rules, teams=teams))
    assert scene.one(d.OfferTo).agent == "ana"
    assert not scene.contact("c1").dead_end
    scene.reload(desk(ANA, BEN, rules=rules, teams=teams))
    assert scene.one(d.NotifySupervisors).reason == "dead-end"
    scene.reload(desk(ANA, agent("ben", skills={"bags": 1}), rules=rules, teams=teams))
    assert scene.none(d.NotifySupervisors)


def test_priorities_and_teams_set_by_people_and_quarantined_contacts_stay() -> None:
    """Rules do not undo what a person decided, unless the team is gone."""
    scene = Scene(desk(ANA, BEN, SUE), away=("ana", "ben"))
    scene.mail("p1")
    scene.apply(e.PrioritySet(at=scene.at, agent="sue", contact="c1", priority=Priority.LOW))
    scene.transfer("c1", "sue", to_team="back")
    scene.apply(
        e.MessageQuarantined(at=scene.at, message="9-0", channel="email", kind="email", account="help", reason="x")
    )
    scene.reload(desk(ANA, BEN, SUE))
    assert (scene.contact("c1").priority, scene.contact("c1").team) == (Priority.LOW, "back")
    scene.reload(desk(ANA, BEN, SUE, teams={"front": Team(id="front")}))
    assert scene.contact("c1").team is None
    assert scene.contact("c2").flag == "quarantined"


def test_room_gained_is_filled_at_once() -> None:
    """A larger capacity takes from the queue in the same record, most urgent first."""
    scene = Scene(pushing(agent("ana", capacity={"email": 1})))
    for number in range(4):
        scene.mail(f"p{number}", None)
    scene.reload(pushing(agent("ana", capacity={"email": 3})))
    assert [one.contact for one in scene.last if isinstance(one, d.AssignTo)] == ["c2", "c3"]


def test_room_lost_is_lost_as_contacts_close() -> None:
    """Nothing is taken from an owner; nothing new comes before there is room."""
    scene = Scene(pushing(agent("ana", capacity={"email": 2})))
    for number in range(3):
        scene.mail(f"p{number}", None)
    scene.reload(pushing(agent("ana", capacity={"email": 1})))
    scene.resolve("c1")
    assert scene.contact("c3").state is ContactState.WAITING
    scene.resolve("c2")
    assert scene.contact("c3").agent == "ana"


def test_what_waits_on_its_customer_still_costs_its_place() -> None:
    """A reload counts what agents own and do not hold: Ana has room for one, and half of it is taken."""
    roster = pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 1}), parked_cost=5_000)
    scene = Scene(roster)
    name = scene.mail("p1")
    scene.reply(name)
    scene.reload(roster)
    assert scene.contact(scene.mail("p2")).agent is None
    scene.resolve(name)
    assert [one.agent for one in scene.engine.state.contacts.values()] == ["ana", "ana"]


def test_a_new_window_starts_the_ledgers_level() -> None:
    """Slots of another length mean nothing; presence goes on, of those who are there."""
    scene = Scene(pushing(ANA, BEN), away=("ben",))
    scene.mail("p1")
    scene.wait(HOUR)
    scene.reload(pushing(ANA, BEN, utilisation_window=4 * HOUR))
    assert scene.engine.state.agents["ana"].credited == {}
    assert scene.engine.state.agents["ana"].available_since == scene.at
    assert scene.engine.state.agents["ben"].available_since is None


def test_resolved_contacts_stay_closed_and_keep_their_window() -> None:
    """A reload does not touch what is done, but for how long it is kept."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.resolve("c1")
    scene.reload(pushing(ANA, reopen_window=MINUTE))
    assert scene.contact("c1").state is ContactState.RESOLVED
    scene.wait(MINUTE)
    assert scene.engine.state.contacts == {}


def two_waiting_for_ana(**more: Any) -> Scene:
    """Ana served p1 and is full; two more of p1's contacts wait for her alone, one of p2 for anybody."""
    ana = agent("ana", skills={"refunds": 2}, capacity={"email": 1})
    ben = agent("ben", skills={"refunds": 2}, capacity={"email": 1})
    scene = Scene(pushing(ana, ben, sticky_wait=10 * MINUTE, **more), away=("ben",))
    scene.mail("p1")
    scene.mail("p1")
    scene.mail("p1")
    scene.mail("p2")
    assert [scene.contact(name).sticky_until is not None for name in ("c2", "c3", "c4")] == [True, True, False]
    return scene


def test_what_waits_for_an_agent_gets_to_them_when_several_gain_room() -> None:
    """The joint pass keeps the preference, and gives the others to others."""
    scene = two_waiting_for_ana()
    room = {name: agent(name, skills={"refunds": 2}, capacity={"email": 2}) for name in ("ana", "ben")}
    scene.apply(e.StatusSet(at=scene.at, agent="ben", status=Status.BUSY))
    scene.reload(pushing(*room.values(), sticky_wait=10 * MINUTE))
    assert scene.contact("c2").agent == "ana"
    scene.status("ben", Status.AVAILABLE)
    assert [scene.contact(name).agent for name in ("c3", "c4")] == [None, "ben"]


def test_what_waits_for_a_removed_agent_waits_for_them_no_longer() -> None:
    """Whoever is free gets it in the same record."""
    scene = two_waiting_for_ana()
    scene.apply(e.StatusSet(at=scene.at, agent="ben", status=Status.AVAILABLE))
    scene.reload(pushing(agent("ben", skills={"refunds": 2}, capacity={"email": 9}), sticky_wait=10 * MINUTE))
    assert [scene.contact(name).agent for name in ("c1", "c2", "c3", "c4")] == ["ben"] * 4


def test_what_any_team_may_serve_since_it_waited_long_stays_so() -> None:
    """A relaxation step in force is not undone by new rules that name the team again."""
    rules = (Rule(when=When(topic="bags"), team="back"),)
    workspace = desk(ANA, agent("bea", "back"), rules=rules, relax=(Relax(after=MINUTE, widen="team"),))
    scene = Scene(workspace, away=("ana", "bea"))
    name = scene.mail(topic="bags")
    assert scene.contact(name).team == "back"
    scene.wait(2 * MINUTE)
    assert scene.contact(name).team is None
    scene.reload(msgspec.structs.replace(workspace, sla=Sla(first_response=HOUR)))
    assert scene.contact(name).team is None
    scene.status("ana", Status.AVAILABLE)
    assert scene.one(d.OfferTo).agent == "ana"


def test_timers_stand_or_are_set_anew() -> None:
    """A reload that changes no span leaves each timer; one that shortens the first relaxation brings it forward."""
    workspace = desk(ANA, relax=(Relax(after=HOUR, drop="prefer"),))
    scene = Scene(workspace, away=("ana",))
    scene.mail()
    before = scene.engine.next_timer()
    scene.reload(msgspec.structs.replace(workspace, grace=1))
    assert scene.engine.next_timer() == before == T0 + HOUR
    scene.reload(msgspec.structs.replace(workspace, relax=(Relax(after=MINUTE, drop="prefer"),)))
    assert scene.engine.next_timer() == T0 + MINUTE


def test_a_topic_and_a_skill_that_are_gone_leave_nothing_waiting_for_them() -> None:
    """Owned stays owned, offered is judged anew, waiting goes to whoever can do what is required now."""
    scene = Scene(desk(agent("ana", skills={"refunds": 4}, capacity={"email": 1}), agent("ben")))
    owned = scene.mail("p1")
    scene.accept(owned)
    waiting = scene.mail("p2")
    assert scene.contact(waiting).offer is None
    scene.reload(desk(agent("ana", skills={"bags": 1}, capacity={"email": 1}), agent("ben"), topics={}, rules=()))
    assert scene.contact(owned).agent == "ana"
    assert scene.contact(waiting).requirement.must == ()
    offer = scene.contact(waiting).offer
    assert offer is not None
    assert offer.agent == "ben"
    scene.accept(waiting)
    scene.reply(owned, "ana", resolve=True)
    scene.reply(waiting, "ben", resolve=True)
    assert {contact.state for contact in scene.engine.state.contacts.values()} == {ContactState.RESOLVED}


def test_a_proposal_counts_only_while_its_base_is_in_force() -> None:
    """Of two changes made from the same workspace the first is taken; the second is refused and changes nothing."""
    scene = Scene(desk(ANA))
    base = scene.engine.state.version
    scene.apply(e.WorkspaceChanged(at=T0, inbox="5-0", version="first", workspace=desk(ANA, BEN), base=base))
    assert scene.engine.state.version == "first"
    scene.apply(e.WorkspaceChanged(at=T0, inbox="6-0", version="second", workspace=desk(BEN), base=base))
    assert (scene.refused(), scene.engine.state.version) == ("stale-base", "first")
    assert sorted(scene.engine.state.agents) == ["ana", "ben"]


def test_what_no_event_could_be_made_of_is_refused_and_nothing_else() -> None:
    """A refused command changes nothing but the place in the inbox, and says its code to whoever waits."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    before = msgspec.json.encode(scene.engine.state.contacts)
    scene.apply(e.CommandRefused(at=T0, inbox="9000000000000-1", code="bad-request", detail="its fields"))
    assert scene.last == (d.Refuse(code="bad-request", detail="its fields"),)
    assert msgspec.json.encode(scene.engine.state.contacts) == before
    assert scene.engine.state.inbox == "9000000000000-1"
