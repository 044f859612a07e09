"""What happens by itself: targets, escalation, relaxation, hand-back, shifts, forgetting; in slices."""

from __future__ import annotations

from router.core import decisions as d
from router.core import events as e
from router.core.alarms import SLICE_MAX
from router.core.transitions import ContactState
from router.core.values import Assign, Escalation, Priority, Relax, Rule, Sla, Status, Team, When
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SUE, T0, Scene, agent, desk, pushing

DAY = 24 * HOUR


def ruled(**more: object) -> tuple[Rule, ...]:
    """One rule, of refunds."""
    return (Rule(when=When(topic="refund"), require=(("refunds", 2),), **more),)  # type: ignore[arg-type]


def escalations(scene: Scene) -> list[str]:
    """What supervisors were told in the last record."""
    return [one.detail for one in scene.last if isinstance(one, d.NotifySupervisors)]


def test_targets_are_promised_answered_and_promised_again() -> None:
    """First response, then next response from the customer's answer; resolution pauses in between."""
    sla = Sla(first_response=HOUR, next_response=30 * MINUTE, resolution=4 * HOUR)
    scene = Scene(pushing(ANA, rules=ruled(sla=sla)))
    scene.mail("p1")
    contact = scene.contact("c1")
    assert (contact.due, contact.resolution_due) == (T0 + HOUR, T0 + 4 * HOUR)
    scene.wait(20 * MINUTE)
    scene.reply("c1")
    assert (contact.due, contact.resolution_used) == (None, 20 * MINUTE)
    scene.wait(10 * HOUR)
    scene.mail("p1", thread="c1")
    assert contact.response_due == scene.at + 30 * MINUTE
    assert contact.resolution_due == scene.at + 4 * HOUR - 20 * MINUTE
    first = contact.response_due
    scene.wait(MINUTE)
    scene.mail("p1", thread="c1")
    assert contact.response_due == first


def test_a_calendar_stops_the_clock_at_night() -> None:
    """Two hours promised an hour before closing are due an hour after opening."""
    hours = ((T0 - HOUR, T0 + HOUR), (T0 + 16 * HOUR, T0 + 24 * HOUR))
    scene = Scene(pushing(ANA, rules=ruled(sla=Sla(first_response=2 * HOUR, calendar="day")), calendars={"day": hours}))
    scene.mail("p1")
    assert scene.contact("c1").due == T0 + 17 * HOUR


def test_escalation_steps_come_in_order_of_their_share() -> None:
    """Widen at half, raise and tell at four fifths, another team at the whole of the target, told once more after."""
    steps = (
        Escalation(share=10_000, reassign="back"),
        Escalation(share=8_000, notify="supervisors", priority=Priority.URGENT),
        Escalation(share=5_000, widen=True),
        Escalation(share=15_000, notify="too late"),
    )
    rules = ruled(sla=Sla(first_response=100 * MINUTE), team="front", escalate=steps)
    scene = Scene(desk(ANA, agent("cat", team="side", skills={"refunds": 2}), agent("bob", team="back"), rules=rules),
                  away=("ana", "cat"))  # fmt: skip
    scene.mail("p1")
    assert scene.contact("c1").escalate_at == T0 + 50 * MINUTE
    scene.wait(50 * MINUTE)
    assert scene.contact("c1").team is None
    scene.wait(30 * MINUTE)
    assert escalations(scene) == ["supervisors"]
    assert scene.one(d.ChangeRequirement).priority is Priority.URGENT
    scene.wait(20 * MINUTE)
    assert scene.one(d.OfferTo).agent == "bob"
    scene.accept("c1")
    scene.wait(50 * MINUTE)
    assert escalations(scene) == ["too late"]
    assert scene.contact("c1").escalate_at is None


def test_widening_finds_somebody_at_once() -> None:
    """Half of the target is gone: whoever is able, of any team, is asked."""
    rules = ruled(sla=Sla(first_response=HOUR), team="front", escalate=(Escalation(share=5_000, widen=True),))
    scene = Scene(desk(ANA, agent("bob", team="back", skills={"refunds": 2}), rules=rules), away=("ana",))
    scene.mail("p1")
    scene.wait(30 * MINUTE)
    assert scene.one(d.OfferTo).agent == "bob"


def test_an_escalation_takes_from_an_owner_or_a_pending_offer() -> None:
    """Another team gets it, whoever has it; a step that names no team of the workspace does nothing."""
    steps = (Escalation(share=5_000, reassign="back"), Escalation(share=6_000, reassign="gone"))
    rules = ruled(sla=Sla(first_response=HOUR), escalate=steps)
    bob = agent("bob", team="back", skills={"refunds": 2})
    scene = Scene(desk(ANA, bob, rules=rules), away=("bob",))
    scene.mail("p1")
    scene.accept("c1")
    scene.wait(30 * MINUTE)
    assert scene.one(d.ReleaseContact).reason == "escalation"
    assert scene.contact("c1").team == "back"
    scene.wait(6 * MINUTE)
    assert scene.last == ()
    patient = Scene(desk(ANA, bob, rules=rules, accept_within={"email": HOUR}), away=("bob",))
    patient.mail("p1")
    patient.wait(30 * MINUTE)
    assert patient.one(d.RescindOffer).reason == "escalation"


def test_the_resolution_escalates_once_the_response_is_kept() -> None:
    """The clock that is running is the one that counts; paused time does not."""
    steps = (Escalation(share=5_000, notify="half"),)
    rules = ruled(sla=Sla(first_response=8 * HOUR, resolution=10 * HOUR), escalate=steps)
    scene = Scene(pushing(ANA, rules=rules))
    scene.mail("p1")
    scene.wait(2 * HOUR)
    scene.reply("c1")
    assert scene.contact("c1").escalate_at is None
    scene.wait(DAY)
    scene.apply(e.ContactWoken(at=scene.at, agent="ana", contact="c1"))
    scene.wait(3 * HOUR)
    assert escalations(scene) == ["half"]


def test_relaxation_runs_from_arrival() -> None:
    """Preferences drop, levels fall, the team widens; each as the contact's own time has come."""
    relax = (Relax(after=2 * MINUTE, drop="prefer"), Relax(after=10 * MINUTE, lower=1), Relax(after=HOUR, widen="team"))
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 4),), team="front"),)
    bob = agent("bob", team="back", skills={"refunds": 3})
    scene = Scene(desk(ANA, agent("low", skills={"refunds": 3}), bob, rules=rules, relax=relax), away=("ana", "low"))
    scene.mail("p1")
    scene.wait(2 * MINUTE)
    assert scene.contact("c1").relaxed == 1
    scene.wait(8 * MINUTE)
    assert scene.one(d.QueueContact).explanation.ruled_out == (("offline", 2), ("other team", 1))  # type: ignore[union-attr]
    scene.wait(50 * MINUTE)
    offer = scene.one(d.OfferTo)
    assert (offer.agent, offer.explanation.relaxation) == ("bob", 3)


def test_relaxation_does_not_take_from_triage_what_nobody_can_do() -> None:
    """A dead end stays with those who look after dead ends."""
    scene = Scene(
        desk(BEN, agent("tri"), rules=(Rule(when=When(topic="bags"), require=(("bags", 5),)),),
             teams={"triage": Team(id="triage", members=("tri",))}, relax=(Relax(after=MINUTE, widen="team"),)),
        away=("tri",),
    )  # fmt: skip
    scene.mail("p1", "bags")
    scene.wait(HOUR)
    assert scene.contact("c1").state is ContactState.WAITING
    assert scene.contact("c1").team == "triage"


def test_contacts_of_an_owner_who_is_gone_return_in_time() -> None:
    """Chats after two minutes, mail after four hours, kinds without a rule never; a return in time keeps all."""
    hand_back = {"chat": 2 * MINUTE, "email": 4 * HOUR}
    scene = Scene(pushing(ANA, hand_back=hand_back))
    scene.mail("p1")
    scene.chat("p2")
    scene.mail("p3", channel="telegram", kind="messaging")
    scene.status("ana", Status.AWAY)
    scene.wait(2 * MINUTE - 1)
    scene.status("ana", Status.AVAILABLE)
    scene.wait(HOUR)
    assert [scene.contact(name).agent for name in ("c1", "c2", "c3")] == ["ana", "ana", "ana"]
    scene.status("ana", Status.OFFLINE)
    scene.wait(2 * MINUTE)
    third = HOUR // 3  # of the hour in which ana had three in hand
    assert scene.one(d.ReleaseContact) == d.ReleaseContact(contact="c2", agent="ana", reason="away", effort=third)
    scene.wait(4 * HOUR)
    assert [scene.contact(name).agent for name in ("c1", "c2", "c3")] == [None, None, "ana"]


def test_an_answer_to_somebody_gone_returns_in_time() -> None:
    """The owner left while the ball was with the customer: the clock runs from the answer."""
    scene = Scene(pushing(ANA, BEN, hand_back={"email": HOUR}), away=("ben",))
    scene.mail("p1")
    scene.reply("c1")
    scene.status("ana", Status.OFFLINE)
    scene.wait(5 * HOUR)
    scene.status("ben", Status.AVAILABLE)
    scene.mail("p1", thread="c1")
    assert scene.contact("c1").agent == "ana"
    scene.wait(HOUR)
    assert scene.contact("c1").agent == "ben"


def test_shifts_begin_and_end_by_themselves() -> None:
    """Work waits for the shift; after it, contacts stay and nothing new comes."""
    hours = ((T0 + HOUR, T0 + 2 * HOUR), (T0 + DAY, T0 + DAY + HOUR))
    scene = Scene(pushing(agent("ana", calendar="day", capacity={"email": 3}), calendars={"day": hours}, sticky_wait=0))
    scene.mail("p1", None)
    scene.wait(HOUR)
    assert scene.one(d.AssignTo).contact == "c1"
    scene.wait(HOUR)
    assert not scene.engine.state.agents["ana"].on_shift
    scene.mail("p1", None)
    assert scene.one(d.QueueContact).explanation.ruled_out == (("off shift", 1),)  # type: ignore[union-attr]
    assert scene.contact("c1").agent == "ana"
    scene.wait(2 * DAY)
    assert scene.engine.next_timer() is None or scene.engine.state.agents["ana"].shift_edge is None
    assert sum(scene.engine.state.agents["ana"].presence.values()) == 2 * HOUR


def test_what_waits_for_an_agent_goes_on_when_their_shift_ends() -> None:
    """Nobody waits for somebody who went home."""
    hours = ((T0, T0 + 30_000),)
    ana = agent("ana", calendar="day", capacity={"email": 1}, skills={"refunds": 2})
    scene = Scene(pushing(ana, agent("ben", skills={"refunds": 2}), calendars={"day": hours}), away=("ben",))
    scene.mail("p1")
    scene.status("ben", Status.AVAILABLE)
    scene.mail("p1")
    assert scene.contact("c2").sticky_until is not None
    scene.wait(30_000)
    assert scene.contact("c2").agent == "ben"


def test_closed_contacts_leave_after_the_reopen_window() -> None:
    """With their messages; who served the customer last is remembered."""
    scene = Scene(pushing(ANA))
    scene.mail("p1", message="1-0")
    scene.resolve("c1")
    scene.wait(30 * DAY)
    assert scene.engine.state.contacts == {}
    assert "1-0" not in scene.engine.index.place
    assert scene.engine.state.last_agent == {"k1": "ana"}


def test_overdue_timers_fire_in_slices() -> None:
    """After an outage one event fires no more than a slice; the next timer then says at once."""
    scene = Scene(desk(SUE, rules=(), sla=Sla(first_response=MINUTE)))
    for number in range(SLICE_MAX + 10):
        scene.mail(f"p{number}", None)
    scene.at += HOUR
    scene.apply(e.TimePassed(at=scene.at))
    assert sum(contact.missed for contact in scene.engine.state.contacts.values()) == SLICE_MAX
    due = scene.engine.next_timer()
    assert due is not None
    assert due <= scene.engine.state.at
    scene.apply(e.TimePassed(at=scene.at))
    assert all(contact.missed for contact in scene.engine.state.contacts.values())
    assert scene.engine.next_timer() is None


def shifted(*names: str, hours: tuple[tuple[int, int], ...], **more: object) -> Scene:
    """Agents of one shift, who take one mail each."""
    agents = (agent(name, calendar="day", capacity={"email": 1}, skills={"refunds": 2}) for name in names)
    return Scene(pushing(*agents, calendars={"day": hours}, **more))


def test_a_joint_pass_keeps_what_waits_for_one_agent_for_that_agent() -> None:
    """Two come free at once: the contact that waits for the first is not given to the second."""
    start = T0 + 20 * MINUTE
    rules = (
        Rule(when=When(topic="refund"), sla=Sla(first_response=40 * MINUTE),
             escalate=(Escalation(share=5_000, reassign="back"),)),
    )  # fmt: skip
    ana = agent("ana", capacity={"email": 1, "chat": 1})
    ben = agent("ben", capacity={"email": 1}, calendar="day")
    teams = {"front": Team(id="front", assign=Assign.PUSH), "back": Team(id="back")}
    scene = Scene(
        desk(ana, ben, rules=rules, teams=teams, calendars={"day": ((start, start + HOUR),)}, sticky_wait=HOUR)
    )
    scene.mail("p1", "refund")
    scene.mail("p1", "bags")
    scene.mail("p2", "bags")
    assert (scene.chat("p3", "bags"), scene.chat("p4", "bags")) == ("c4", "c5")
    scene.wait(20 * MINUTE)
    assert [scene.contact(f"c{number}").agent for number in range(1, 6)] == [None, "ana", "ben", "ana", None]


def test_the_first_in_line_that_nobody_free_may_have_does_not_hold_up_the_rest() -> None:
    """It was declined by those who come: they get the next one."""
    agents = [agent(name, calendar="day", skills={"refunds": 2}, capacity={"email": 1}) for name in ("ana", "ben")]
    hours = ((T0, T0 + HOUR), (T0 + 2 * HOUR, T0 + 3 * HOUR))
    scene = Scene(desk(*agents, agent("zoe", skills={"refunds": 2}), calendars={"day": hours}, sticky_wait=0),
                  away=("zoe",))  # fmt: skip
    scene.mail("p1")
    scene.decline("c1")
    scene.decline("c1")
    scene.wait(HOUR)
    scene.mail("p2", "refund")
    scene.wait(HOUR)
    assert scene.contact("c1").state is ContactState.WAITING
    assert scene.contact("c2").offer is not None


def test_the_guard_holds_in_a_joint_pass_too() -> None:
    """Several begin at once: one due within the minute goes before the missed, and that is counted."""
    sla = Sla(first_response=10 * MINUTE)
    hours = ((T0 + 20 * MINUTE - 30_000, T0 + 9 * HOUR),)
    scene = shifted("ana", "ben", hours=hours, sticky_wait=0, rules=(Rule(when=When(topic="refund"), sla=sla),))
    scene.mail("p0", "refund")
    scene.wait(10 * MINUTE)
    for number in range(2):
        scene.mail(f"p{number + 1}", "refund")
    scene.wait(10 * MINUTE - 30_000)
    assert scene.contact("c1").passed == 2
    assert scene.contact("c1").state is ContactState.WAITING
    holder = scene.contact("c2").agent
    assert holder is not None
    scene.resolve("c2", holder)
    assert scene.contact("c1").agent == holder


def test_of_two_missed_in_different_lines_the_older_is_next() -> None:
    """Whichever line is looked at first."""
    scene = Scene(pushing(agent("ana", capacity={"email": 1}, skills={"refunds": 2, "bags": 1}), sticky_wait=0,
                          sla=Sla(first_response=MINUTE),
                          rules=(Rule(when=When(topic="refund"), require=(("refunds", 2),), prefer=(("bags", 2),)),
                                 Rule(when=When(topic="bags"), require=(("refunds", 2),)))))  # fmt: skip
    scene.mail("p0", None)
    for number, topic in enumerate(("refund", "bags", None)):
        scene.mail(f"p{number + 1}", topic)
        scene.at += 1
    scene.wait(HOUR)
    for name in ("c1", "c2", "c3"):
        scene.resolve(name)
    assert scene.contact("c4").agent == "ana"


def test_a_resolution_is_paused_in_business_time() -> None:
    """What the customer takes to answer does not count, nor does the night; what is left is counted from opening on."""
    hours = ((T0, T0 + 8 * HOUR), (T0 + DAY, T0 + DAY + 8 * HOUR), (T0 + 2 * DAY, T0 + 2 * DAY + 8 * HOUR))
    sla = Sla(resolution=10 * HOUR, calendar="day")
    scene = Scene(pushing(ANA, rules=ruled(sla=sla), calendars={"day": hours}))
    scene.mail("p1")
    assert scene.contact("c1").resolution_due == T0 + DAY + 2 * HOUR
    scene.wait(7 * HOUR)
    scene.reply("c1")
    scene.wait(DAY - 8 * HOUR)
    scene.mail("p1", thread="c1")
    assert scene.contact("c1").resolution_used == 7 * HOUR
    assert scene.contact("c1").resolution_due == T0 + DAY + 3 * HOUR


def test_a_snoozed_contact_does_not_age_but_still_owes_its_answer() -> None:
    """The resolution stands still; the response that is owed is due when it was."""
    scene = Scene(pushing(ANA, rules=ruled(sla=Sla(first_response=4 * HOUR, resolution=8 * HOUR))))
    scene.mail("p1")
    scene.wait(HOUR)
    scene.snooze("c1", 2 * HOUR)
    assert (scene.contact("c1").resolution_due, scene.contact("c1").response_due) == (None, T0 + 4 * HOUR)
    scene.wait(2 * HOUR)
    assert scene.contact("c1").resolution_due == T0 + 10 * HOUR


def test_an_answer_that_did_not_arrive_is_none() -> None:
    """A reply that failed brings the ball back with a response owed from then on."""
    scene = Scene(pushing(ANA, rules=ruled(sla=Sla(first_response=HOUR, next_response=HOUR))))
    scene.mail("p1")
    reply = scene.reply("c1")
    scene.wait(2 * HOUR)
    scene.apply(e.DeliveryReported(at=scene.at, message=reply, contact="c1", state="failed"))
    assert scene.contact("c1").state is ContactState.ASSIGNED
    assert scene.contact("c1").due == T0 + 3 * HOUR


def test_an_escalation_never_lowers_a_priority() -> None:
    """A supervisor said urgent: a step that says high changes nothing; one that says it to a normal one does."""
    rules = ruled(sla=Sla(first_response=HOUR), escalate=(Escalation(share=5_000, priority=Priority.HIGH),))
    scene = Scene(desk(ANA, SUE, rules=rules), away=("ana",))
    scene.mail("p1")
    scene.mail("p2")
    scene.apply(e.PrioritySet(at=scene.at, agent="sue", contact="c1", priority=Priority.URGENT))
    scene.wait(30 * MINUTE)
    assert [scene.contact(name).priority for name in ("c1", "c2")] == [Priority.URGENT, Priority.HIGH]


def test_a_tier_is_promised_what_its_rule_says_and_begins_with_its_priority() -> None:
    """A gold customer's contact is due sooner, and is served before older ones."""
    rules = (*ruled(sla=Sla(first_response=8 * HOUR)), Rule(when=When(tier="gold"), sla=Sla(first_response=HOUR)))
    scene = Scene(desk(ANA, rules=rules, tiers={"gold": Priority.HIGH}), away=("ana",))
    scene.mail("p1")
    scene.mail("p2", tier="gold")
    gold = scene.contact("c2")
    assert (gold.priority, gold.due) == (Priority.HIGH, T0 + HOUR)
    assert gold.order < scene.contact("c1").order
    scene.status("ana", Status.AVAILABLE)
    assert [one.contact for one in scene.last if isinstance(one, d.OfferTo)] == ["c2", "c1"]
