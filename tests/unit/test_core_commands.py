"""What agents do: reply, note, transfer, snooze, resolve, reopen, retag, priority; and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState, DeliveryState
from router.core.values import Priority, Rule, Sla, Status, Topic, When
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SUE, T0, Scene, agent, desk, pushing

if TYPE_CHECKING:
    from collections.abc import Callable


def owned(*others: Any, **more: Any) -> Scene:
    """Ana owns c1."""
    scene = Scene(pushing(ANA, *others, **more), away=tuple(one.id for one in others))
    scene.mail("p1")
    assert scene.contact("c1").agent == "ana"
    return scene


def test_a_reply_goes_out_and_the_ball_with_it() -> None:
    """The response is kept, capacity is free, the owner stays."""
    scene = owned()
    sent = scene.reply("c1")
    assert scene.one(d.SendReply) == d.SendReply(contact="c1", message=sent, channel="email", waited=0, late=False)
    contact = scene.contact("c1")
    assert (contact.state, contact.agent, contact.responded, contact.due) == (
        ContactState.WAITING_CUSTOMER, "ana", True, None,
    )  # fmt: skip
    assert scene.engine.state.agents["ana"].parked == {"c1": 1}
    scene.reply("c1")
    assert scene.contact("c1").state is ContactState.WAITING_CUSTOMER


def test_a_reply_frees_capacity_for_what_waits() -> None:
    """The next contact is offered in the same record."""
    scene = Scene(pushing(agent("ana", capacity={"email": 1})))
    scene.mail("p1", topic=None)
    scene.mail("p2", topic=None)
    scene.reply("c1")
    assert scene.one(d.AssignTo).contact == "c2"


def test_send_and_resolve() -> None:
    """The answer goes out and the contact is closed, in one record."""
    scene = owned()
    scene.reply("c1", resolve=True)
    assert [type(one) for one in scene.last] == [d.SendReply, d.ReleaseContact, d.ResolveContact]
    assert scene.contact("c1").state is ContactState.RESOLVED


def test_only_the_owner_of_an_open_contact_replies() -> None:
    """Not a colleague, not a supervisor, not once it is closed."""
    scene = owned(BEN, SUE)
    scene.reply("c1", "ben")
    assert scene.last == (d.Refuse(code="not-yours", detail="ana"),)
    scene.reply("c1", "sue")
    assert scene.refused() == "not-yours"
    scene.resolve("c1")
    scene.reply("c1")
    assert scene.refused() == "not-open"


def test_a_reply_wakes_what_sleeps() -> None:
    """Who answers a snoozed contact has taken it up."""
    scene = owned()
    scene.snooze("c1", HOUR)
    scene.reply("c1")
    assert scene.one(d.WakeContact).contact == "c1"
    assert scene.contact("c1").snoozed_until is None


def test_a_note_stays_inside() -> None:
    """Anybody of the roster may leave one, even on a closed contact; nothing is sent."""
    scene = owned(BEN)
    scene.resolve("c1")
    scene.apply(e.NoteWritten(at=scene.at, agent="ben", contact="c1", message="n1"))
    assert scene.last == ()
    assert scene.contact("c1").messages[-1].direction == "note"


def test_delivery_is_noted_and_failure_brings_the_ball_back() -> None:
    """Late and double reports change nothing."""
    scene = owned()
    sent = scene.reply("c1")

    def report(state: str, message: str = sent) -> None:
        scene.apply(e.DeliveryReported(at=scene.at, message=message, contact="c1", state=state))

    report("deferred")
    assert scene.contact("c1").messages[-1].delivery is DeliveryState.DEFERRED
    report("sent")
    assert scene.contact("c1").messages[-1].delivery is DeliveryState.SENT
    report("deferred")
    assert scene.contact("c1").messages[-1].delivery is DeliveryState.SENT
    report("failed")
    assert scene.one(d.NotifySupervisors).reason == "delivery-failed"
    assert scene.contact("c1").state is ContactState.ASSIGNED
    report("failed", "unheard-of")
    report("failed", scene.contact("c1").messages[0].id)
    assert scene.last == ()


def test_a_failed_delivery_of_a_closed_contact_only_tells() -> None:
    """A supervisor hears of it; the contact stays closed."""
    scene = owned()
    sent = scene.reply("c1", resolve=True)
    scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="failed"))
    assert [type(one) for one in scene.last] == [d.NotifySupervisors]
    assert scene.contact("c1").state is ContactState.RESOLVED


def test_transfer_to_an_agent_stands_whatever_their_skills() -> None:
    """Manual action wins, and the record says so; a note may go with it."""
    scene = owned(agent("ned", capacity={}))
    scene.transfer("c1", to_agent="ned", message="n1")
    assert scene.one(d.ReleaseContact).agent == "ana"
    assert scene.one(d.AssignTo).explanation.manual
    assert scene.contact("c1").messages[-1].id == "n1"
    assert scene.contact("c1").agent == "ned"


def test_transfer_to_whoever_is_best_is_not_back_to_oneself() -> None:
    """Somebody else gets it; alone, one keeps one's peace for a while."""
    scene = owned(BEN)
    scene.status("ben", Status.AVAILABLE)
    scene.transfer("c1")
    assert scene.one(d.AssignTo).agent == "ben"
    alone = owned()
    alone.transfer("c1")
    assert alone.contact("c1").state is ContactState.WAITING
    assert alone.one(d.NotifySupervisors).detail == "all declined"


def test_transfer_to_a_team_stays_there_even_without_the_skill() -> None:
    """Nobody in that team has the skill: it becomes a wish. Rules do not move the contact back."""
    scene = owned(agent("bob", team="back"), agent("ben", skills={"refunds": 2}))
    scene.status("bob", Status.AVAILABLE)
    scene.status("ben", Status.AVAILABLE)
    scene.reload(desk(ANA, agent("bob", team="back"), agent("ben", skills={"refunds": 2})))
    scene.transfer("c1", to_team="back")
    assert scene.one(d.OfferTo).agent == "bob"
    assert scene.contact("c1").requirement.prefer == (("refunds", 2),)
    scene.apply(e.ContactRetagged(at=scene.at, agent="bob", contact="c1", topics=("refund",)))
    assert scene.contact("c1").team == "back"


def test_a_supervisor_hands_out_what_waits() -> None:
    """A pending offer is rescinded; ordinary agents may not move what is not theirs."""
    scene = Scene(desk(ANA, BEN, SUE))
    scene.mail()
    scene.transfer("c1", "ben", to_agent="ben")
    assert scene.refused() == "not-yours"
    scene.transfer("c1", "sue", to_agent="ben")
    assert scene.one(d.RescindOffer).reason == "transferred"
    assert scene.contact("c1").agent == "ben"


def test_a_contact_of_an_unowned_line_can_be_sent_to_the_best() -> None:
    """A supervisor may have the engine look again."""
    scene = Scene(desk(ANA, SUE))
    scene.mail()
    scene.transfer("c1", "sue")
    assert scene.one(d.OfferTo).agent == "ana"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ({"to_agent": "eve"}, "no-such-agent"),
        ({"to_agent": "ana"}, "already-yours"),
        ({"to_team": "nowhere"}, "no-such-team"),
    ],
)
def test_transfers_to_nowhere_are_refused(to: dict[str, str], code: str) -> None:
    """Nothing is changed by them."""
    scene = owned()
    scene.transfer("c1", **to)
    assert scene.refused() == code


def test_a_snoozed_contact_frees_its_place_and_comes_back() -> None:
    """At its time it is the owner's again, at full cost."""
    scene = owned()
    scene.snooze("c1", HOUR)
    assert scene.one(d.SnoozeContact).until == T0 + HOUR
    assert scene.engine.state.agents["ana"].held == {}
    scene.wait(HOUR)
    assert scene.engine.state.agents["ana"].held == {"c1": 1}
    scene.snooze("c1", HOUR)
    scene.snooze("c1", 2 * HOUR)
    assert scene.contact("c1").snoozed_until == scene.at + 2 * HOUR


def test_an_answer_wakes_what_sleeps() -> None:
    """The customer wrote: sleep is over."""
    scene = owned()
    scene.snooze("c1", HOUR)
    scene.mail("p1", thread="c1")
    assert scene.contact("c1").state is ContactState.ASSIGNED


def test_what_sleeps_without_an_owner_wakes_into_the_queue() -> None:
    """A supervisor put aside what waited or was out on offer."""
    scene = Scene(desk(ANA, SUE))
    scene.mail()
    scene.snooze("c1", HOUR, "sue")
    assert scene.one(d.RescindOffer).agent == "ana"
    scene.wait(HOUR)
    assert scene.one(d.OfferTo).agent == "ana"


def test_snoozing_into_the_past_is_refused() -> None:
    """Until must be later than now."""
    scene = owned()
    scene.snooze("c1", 0)
    assert scene.refused() == "bad-time"


def test_taking_up_again_before_the_time() -> None:
    """The owner or a supervisor may; only what sleeps or waits on the customer."""
    scene = owned(BEN, SUE)

    def wake(name: str) -> None:
        scene.apply(e.ContactWoken(at=scene.at, agent=name, contact="c1"))

    wake("ana")
    assert scene.refused() == "bad-state"
    scene.reply("c1")
    wake("ben")
    assert scene.refused() == "not-yours"
    wake("sue")
    assert scene.contact("c1").state is ContactState.ASSIGNED


def test_resolve_and_reopen() -> None:
    """The owner reopens what they closed; somebody else may not; what is open cannot be."""
    scene = owned(BEN)

    def reopen(name: str) -> None:
        scene.apply(e.ContactReopened(at=scene.at, agent=name, contact="c1"))

    reopen("ana")
    assert scene.refused() == "bad-state"
    scene.resolve("c1")
    scene.resolve("c1")
    assert scene.refused() == "not-open"
    reopen("ben")
    assert scene.refused() == "not-yours"
    reopen("ana")
    assert scene.one(d.AssignTo).agent == "ana"


def test_a_supervisor_resolves_what_is_out_on_offer() -> None:
    """The offer is rescinded and nobody has it."""
    scene = Scene(desk(ANA, SUE))
    scene.mail()
    scene.resolve("c1", "sue")
    assert scene.one(d.RescindOffer).reason == "resolved"
    assert scene.engine.state.agents["ana"].held == {}


TWO = (
    Rule(when=When(topic="refund"), require=(("refunds", 2),)),
    Rule(when=When(topic="bags"), require=(("bags", 1),), priority=Priority.HIGH, sla=Sla(first_response=MINUTE)),
)


def test_a_retag_moves_an_offer_to_who_is_able() -> None:
    """The agent asked has not the skill for what it is about: the offer goes to somebody who has."""
    scene = Scene(desk(ANA, agent("bob", skills={"bags": 1}), rules=TWO))
    scene.mail()
    scene.apply(e.ContactRetagged(at=scene.at, agent="ana", contact="c1", topics=("bags",)))
    assert scene.one(d.ChangeRequirement).requirement.must == (("bags", 1),)
    assert scene.one(d.RescindOffer).reason == "retagged"
    assert scene.one(d.OfferTo).agent == "bob"
    contact = scene.contact("c1")
    assert (contact.priority, contact.due, contact.topics_set) == (Priority.HIGH, T0 + MINUTE, True)


def test_a_retag_leaves_an_offer_whose_agent_is_able_and_an_owner_alone() -> None:
    """Whoever has it keeps it."""
    both = agent("ana", skills={"refunds": 2, "bags": 1})
    scene = Scene(desk(both, rules=TWO))
    scene.mail()

    def retag(topic: str) -> None:
        scene.apply(e.ContactRetagged(at=scene.at, agent="ana", contact="c1", topics=(topic,)))

    retag("bags")
    assert scene.none(d.RescindOffer)
    scene.accept("c1")
    retag("refund")
    assert scene.contact("c1").agent == "ana"
    retag("pets")
    assert scene.refused() == "bad-topic"


def test_a_retag_of_what_waits_places_it_anew() -> None:
    """A supervisor retags a waiting contact: who is free and able gets it."""
    scene = Scene(desk(agent("bob", skills={"bags": 1}), SUE, rules=TWO))
    scene.mail("p1")
    scene.apply(e.ContactRetagged(at=scene.at, agent="sue", contact="c1", topics=("bags",)))
    assert scene.one(d.OfferTo).agent == "bob"
    scene.apply(e.ContactRetagged(at=scene.at, agent="nobody", contact="c1", topics=("bags",)))
    assert scene.refused() == "no-such-agent"


def test_a_priority_set_by_a_person_stays() -> None:
    """It changes the place in line, and neither rules nor a retag change it back."""
    scene = Scene(desk(ANA, SUE, rules=TWO), away=("ana",))
    scene.mail("p1")
    scene.apply(e.PrioritySet(at=scene.at, agent="sue", contact="c1", priority=Priority.URGENT))
    assert scene.one(d.ChangeRequirement).priority is Priority.URGENT
    assert scene.contact("c1").order == T0 + 8 * HOUR - 10 * MINUTE
    scene.apply(e.ContactRetagged(at=scene.at, agent="sue", contact="c1", topics=("bags",)))
    assert scene.contact("c1").priority is Priority.URGENT


@pytest.mark.parametrize(
    "command",
    [
        lambda at: e.PrioritySet(at=at, agent="ben", contact="c1", priority=Priority.LOW),
        lambda at: e.ContactRetagged(at=at, agent="ben", contact="c1", topics=("refund",)),
        lambda at: e.ContactSnoozed(at=at, agent="ben", contact="c1", until=at + 1),
        lambda at: e.ContactResolved(at=at, agent="ben", contact="c1"),
        lambda at: e.TransferAsked(at=at, agent="ben", contact="c1"),
    ],
)
def test_what_is_not_theirs_agents_leave_alone(command: Callable[[int], e.Event]) -> None:
    """A colleague's contact is refused, and nothing changes but the record's number."""
    scene = owned(BEN)
    scene.apply(command(scene.at))
    assert scene.last == (d.Refuse(code="not-yours", detail="ana"),)


def test_status_is_ones_own_to_set_or_a_supervisors() -> None:
    """Nobody else's, and of nobody who is not there."""
    scene = Scene(desk(ANA, BEN, SUE))
    scene.status("ben", Status.AWAY, by="ana")
    assert scene.refused() == "not-allowed"
    scene.status("eve", Status.AWAY, by="sue")
    assert scene.refused() == "no-such-agent"
    scene.status("ben", Status.AWAY, by="sue")
    assert scene.one(d.SetStatus) == d.SetStatus(agent="ben", status=Status.AWAY, reason="asked")
    since = scene.engine.state.agents["ben"].status_since
    scene.at += HOUR
    scene.status("ben", Status.AWAY)
    assert scene.engine.state.agents["ben"].status_since == since


def test_effort_is_credited_once() -> None:
    """What was credited with the offer is not credited again when it is accepted; reopened, it is work again."""
    topics = {"refund": Topic(id="refund", effort=8 * MINUTE)}
    scene = Scene(desk(ANA, topics=topics))
    scene.mail()
    scene.accept("c1")
    assert sum(scene.engine.state.agents["ana"].credited.values()) == 8 * MINUTE
    scene.wait(8 * MINUTE)
    scene.resolve("c1")
    scene.mail("p1", thread="c1")
    assert sum(scene.engine.state.agents["ana"].credited.values()) == 16 * MINUTE


def test_a_bounce_that_says_undelivered_fails_the_message_it_is_about() -> None:
    """The ball is back with the owner; a mere delay notice changes nothing."""
    scene = owned()
    sent = scene.reply("c1")
    scene.mail("mailer", auto="bounce", about=sent)
    assert scene.contact("c1").state is ContactState.WAITING_CUSTOMER
    scene.mail("mailer", auto="bounce", about=sent, undelivered=True)
    assert scene.one(d.NotifySupervisors).reason == "delivery-failed"
    assert scene.contact("c1").state is ContactState.ASSIGNED
