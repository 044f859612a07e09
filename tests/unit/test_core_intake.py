"""The journey of messages: each is in one place, threads let in who belongs, auto mail wakes nobody."""

from __future__ import annotations

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.state import Auto
from router.core.transitions import ContactState
from router.core.values import Priority, Rule, Status, Team, When, Workspace
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SUE, T0, Scene, agent, desk, pushing


def test_a_mail_opens_a_contact_and_is_offered() -> None:
    """A first mail opens one contact, offered to an able agent until a given instant."""
    scene = Scene(desk(ANA))
    assert scene.mail(language="en") == "c1"
    opened, offered = scene.last
    assert isinstance(opened, d.OpenContact)
    assert isinstance(offered, d.OfferTo)
    assert (opened.customer, opened.due, opened.topics) == ("k1", T0 + 8 * HOUR, ("refund",))
    assert (offered.agent, offered.until) == ("ana", T0 + 2 * MINUTE)
    assert scene.contact("c1").decided_at == scene.engine.state.n


def test_a_message_is_applied_once() -> None:
    """The same message a second time, or deferred after it was applied, changes nothing."""
    scene = Scene(desk(ANA))
    scene.mail(message="5-0")
    scene.mail(message="5-0")
    assert scene.last == ()
    scene.apply(e.MessageDeferred(at=scene.at, message="5-0"))
    assert scene.engine.state.deferred == {}
    assert len(scene.engine.state.contacts) == 1


def test_a_deferred_message_comes_back_under_its_first_id() -> None:
    """It is remembered until then, and stands in the contact where it was written."""
    scene = Scene(desk(ANA))
    scene.mail(message="1-0")
    scene.apply(e.MessageDeferred(at=scene.at, inbox="2-0", message="2-0"))
    assert scene.engine.state.deferred == {"2-0": T0}
    scene.mail(thread="c1", message="3-0")
    scene.mail(thread="c1", message="2-0", inbox="4-0")
    assert scene.engine.state.deferred == {}
    assert [ref.id for ref in scene.contact("c1").messages] == ["1-0", "2-0", "3-0"]
    assert scene.engine.state.inbox == "4-0"


def test_a_late_message_stands_behind_what_has_no_order() -> None:
    """An answer of ours whose id is no inbox id is never jumped over."""
    scene = Scene(pushing(ANA))
    scene.mail(message="5-0")
    scene.reply("c1")
    scene.mail(thread="c1", message="4-0")
    assert [ref.direction for ref in scene.contact("c1").messages] == ["in", "out", "in"]


def test_a_participant_joins_the_thread() -> None:
    """The customer and those they copied write in the same contact."""
    scene = Scene(desk(ANA))
    scene.mail("p1", cc=("p2",))
    assert scene.mail("p2", thread="c1", cc=("p3",)) == "c1"
    assert scene.mail("p3", thread="c1") == "c1"
    assert scene.contact("c1").participants == ["p1", "p2", "p3"]


def test_a_stranger_in_a_thread_opens_a_flagged_contact() -> None:
    """It says which contact it claimed; nothing of it is in that contact."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    assert scene.mail("p9", thread="c1") == "c2"
    opened = scene.one(d.OpenContact)
    assert (opened.flag, opened.claims) == ("unknown-sender", "c1")
    assert len(scene.contact("c1").messages) == 1


def test_a_thread_that_is_gone_opens_a_contact() -> None:
    """A token of a contact that left the state is no claim."""
    scene = Scene(desk(ANA))
    scene.mail("p1", thread="c77")
    assert scene.one(d.OpenContact).flag == ""


def test_a_conflicting_message_is_flagged_and_never_swallowed() -> None:
    """The same key with another body opens a contact of its own, even in a thread."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    assert scene.mail("p1", thread="c1", conflict=True) == "c2"
    assert scene.one(d.OpenContact).flag == "conflict"
    assert scene.mail("p1", conflict=True) == "c3"
    assert scene.contact("c3").claims is None


def test_two_first_chat_messages_are_one_contact() -> None:
    """200 ms apart, same customer, channel and account: the second joins; another account does not."""
    scene = Scene(desk(ANA))
    assert scene.chat("p1") == "c1"
    scene.at += 200
    assert scene.chat("p1") == "c1"
    assert scene.chat("p1", account="other") == "c2"
    assert scene.chat("p2") == "c3"


def test_two_mails_are_two_contacts() -> None:
    """Mail without a thread always opens a contact."""
    scene = Scene(desk(ANA))
    assert (scene.mail("p1"), scene.mail("p1")) == ("c1", "c2")


def test_a_chat_after_the_last_was_resolved_is_a_new_contact() -> None:
    """A closed conversation is not joined."""
    scene = Scene(pushing(ANA))
    scene.chat("p1")
    scene.resolve("c1")
    assert scene.chat("p1") == "c2"
    scene.resolve("c2")
    scene.apply(e.ContactReopened(at=scene.at, agent="ana", contact="c1"))
    assert scene.chat("p1") == "c1"


def test_a_customers_answer_wakes_the_contact() -> None:
    """The owner has it again, at full cost, over the limit if need be."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 1})))
    scene.mail("p1")
    scene.reply("c1")
    assert scene.contact("c1").state is ContactState.WAITING_CUSTOMER
    scene.mail("p2")
    assert scene.contact("c2").agent == "ana"
    scene.mail("p1", thread="c1")
    assert scene.one(d.WakeContact).contact == "c1"
    assert scene.engine.state.agents["ana"].held == {"c2": 1, "c1": 1}
    assert scene.contact("c1").response_due == scene.at + 8 * HOUR


def test_an_answer_to_a_resolved_contact_reopens_it() -> None:
    """Within the window it goes to the agent who had it; after it, a new contact opens."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    owner = scene.contact("c1").agent
    assert owner is not None
    scene.resolve("c1", owner)
    scene.wait(HOUR)
    assert scene.mail("p1", thread="c1") == "c1"
    assert scene.one(d.ReopenContact).contact == "c1"
    assert scene.one(d.AssignTo).agent == owner
    scene.resolve("c1", owner)
    scene.at += 31 * 24 * HOUR
    assert scene.mail("p1", thread="c1") == "c2"


def test_a_reopened_contact_does_not_wait_for_somebody_who_is_gone() -> None:
    """The former owner is offline: somebody else gets it at once."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    owner = scene.contact("c1").agent
    assert owner is not None
    scene.resolve("c1", owner)
    scene.status(owner, Status.OFFLINE)
    scene.mail("p1", thread="c1")
    assert scene.one(d.AssignTo).agent != owner


@pytest.mark.parametrize("auto", ["bounce", "auto-reply", "list", "bulk", "loop", "spam"])
def test_auto_mail_that_belongs_nowhere_is_filed(auto: str) -> None:
    """It opens nothing and is listed."""
    scene = Scene(desk(ANA))
    assert scene.mail("p1", auto=auto) == ""
    assert scene.last == (d.FileAuto(message=scene.last[0].message, auto=auto),)  # type: ignore[union-attr]
    assert [one.auto for one in scene.engine.state.autos.values()] == [auto]
    assert scene.engine.state.contacts == {}


def test_auto_mail_of_a_participant_is_attached_and_wakes_nobody() -> None:
    """An out-of-office leaves a resolved contact resolved and a waiting one waiting."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.reply("c1")
    scene.mail("p1", thread="c1", auto="auto-reply")
    assert [type(one) for one in scene.last] == [d.AttachMessage]
    assert scene.contact("c1").state is ContactState.WAITING_CUSTOMER
    scene.resolve("c1")
    scene.mail("p1", thread="c1", auto="auto-reply")
    assert scene.contact("c1").state is ContactState.RESOLVED


def test_auto_mail_of_a_stranger_is_not_let_in() -> None:
    """A list post with somebody's token is filed."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    assert scene.mail("p9", thread="c1", auto="list") == ""


def test_a_bounce_is_attached_by_what_it_is_about() -> None:
    """It comes from a mailer, not from a participant, and still belongs."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    sent = scene.reply("c1")
    assert scene.mail("mailer", auto="bounce", about=sent) == "c1"
    assert scene.mail("mailer", auto="bounce", about="never-sent") == ""


def test_the_auto_list_forgets() -> None:
    """Filed mail is dropped once closed contacts of its age are."""
    scene = Scene(desk(ANA))
    scene.mail("p1", auto="list", message="1-0")
    scene.at += 31 * 24 * HOUR
    scene.mail("p1", auto="list", message="2-0")
    assert scene.engine.state.autos == {"2-0": Auto(message="2-0", channel="email", auto="list", at=scene.at)}


def test_a_quarantined_message_is_a_contact_for_triage() -> None:
    """It is flagged, a supervisor hears of it, and the triage team is offered it."""
    scene = Scene(desk(ANA, BEN, teams={"triage": Team(id="triage", members=("ben",))}))
    event = e.MessageQuarantined(
        at=scene.at, message="1-0", channel="email", kind="email", account="help", reason="too deep"
    )
    scene.apply(event)
    assert (scene.one(d.OpenContact).flag, scene.one(d.OfferTo).agent) == ("quarantined", "ben")
    assert scene.one(d.NotifySupervisors).reason == "quarantined"
    assert scene.apply(event) == ()


def test_a_quarantined_message_without_triage_goes_to_anybody() -> None:
    """A workspace without a triage team leaves no dead end."""
    scene = Scene(desk(ANA))
    scene.apply(
        e.MessageQuarantined(
            at=scene.at, message="1-0", channel="email", kind="email", account="help", reason="x", sender="p1"
        )
    )
    assert scene.one(d.OfferTo).agent == "ana"


def test_a_quarantined_message_that_is_understood_goes_on_as_an_ordinary_contact() -> None:
    """The flag goes, the requirement comes, and who is not able is not asked any more."""
    scene = Scene(desk(ANA, agent("tri"), teams={"triage": Team(id="triage", members=("tri",))}))
    scene.apply(
        e.MessageQuarantined(at=scene.at, message="1-0", channel="email", kind="email", account="help", reason="x")
    )
    released = e.MessageReleased(at=scene.at, message="1-0", sender="p1", topics=(("refund", 9_000),))
    scene.apply(released)
    assert scene.one(d.RescindOffer).agent == "tri"
    assert scene.one(d.OfferTo).agent == "ana"
    contact = scene.contact("c1")
    assert (contact.flag, contact.customer, contact.participants) == ("", "k1", ["p1"])
    assert scene.apply(released) == ()
    assert scene.mail("p1", thread="c1") == "c1"


def test_a_stranger_who_is_let_in_writes_in_the_contact_they_claimed() -> None:
    """All messages move, in order; the flagged contact is closed; the sender may write from now on."""
    scene = Scene(pushing(ANA, SUE, BEN))
    scene.mail("p1", message="1-0")
    scene.reply("c1", scene.contact("c1").agent or "")
    scene.mail("p9", thread="c1", message="2-0")
    scene.apply(e.SenderLetIn(at=scene.at, agent="sue", contact="c2"))
    assert scene.one(d.JoinContacts) == d.JoinContacts(contact="c2", into="c1")
    assert scene.contact("c1").state is ContactState.ASSIGNED
    assert scene.contact("c2").state is ContactState.RESOLVED
    assert [ref.id for ref in scene.contact("c1").messages] == ["1-0", "r2", "2-0"]
    assert scene.mail("p9", thread="c1") == "c1"
    assert scene.mail("p9", thread="c2") == "c1"


def test_letting_in_reopens_a_resolved_contact_and_ends_a_pending_offer() -> None:
    """A flagged contact that is out on offer joins as well; the one it claimed opens again."""
    scene = Scene(desk(ANA, SUE))
    scene.mail("p1")
    scene.accept("c1")
    scene.resolve("c1")
    scene.mail("p9", thread="c1")
    scene.apply(e.SenderLetIn(at=scene.at, agent="ana", contact="c2"))
    assert [type(one) for one in scene.last] == [d.RescindOffer, d.JoinContacts, d.ReopenContact, d.OfferTo]


def test_letting_in_is_refused_where_it_makes_no_sense() -> None:
    """Not by anybody, not twice, not without a claim, and not into what is gone."""
    scene = Scene(desk(ANA, BEN, SUE))
    scene.mail("p1")
    scene.accept("c1")
    scene.mail("p9", thread="c1")

    def let_in(contact: str, who: str = "sue") -> None:
        scene.apply(e.SenderLetIn(at=scene.at, agent=who, contact=contact))

    let_in("c1")
    assert scene.refused() == "bad-state"
    let_in("c2", "ben")
    assert scene.refused() == "not-yours"
    scene.resolve("c2", "sue")
    let_in("c2")
    assert scene.refused() == "not-open"
    scene.mail("p8", thread="c1")
    scene.resolve("c1", scene.contact("c1").agent or "")
    scene.wait(30 * 24 * HOUR)
    let_in("c3")
    assert scene.refused() == "no-such-contact"


def test_what_nobody_can_serve_goes_to_triage_and_a_supervisor_hears_of_it() -> None:
    """No dead ends: every must becomes a wish there."""
    rules = (Rule(when=When(topic="bags"), require=(("bags", 3),)),)
    scene = Scene(desk(ANA, BEN, rules=rules, teams={"triage": Team(id="triage", members=("ben",))}))
    scene.mail(topic="bags")
    assert scene.one(d.NotifySupervisors).reason == "dead-end"
    assert scene.one(d.OfferTo).agent == "ben"
    assert scene.contact("c1").requirement.prefer == (("bags", 3),)


def test_what_not_even_triage_can_serve_waits_and_a_supervisor_hears_of_it() -> None:
    """Without a triage team it keeps its requirement and its place; anybody may take it by hand."""
    rules = (Rule(when=When(topic="bags"), require=(("bags", 3),), team="front"),)
    scene = Scene(desk(ANA, rules=rules))
    scene.mail(topic="bags")
    assert scene.one(d.NotifySupervisors).detail == "nobody can serve it"
    assert scene.one(d.QueueContact).contact == "c1"
    scene.take("c1")
    assert scene.one(d.AssignTo).explanation.manual


def test_where_the_team_asked_for_cannot_any_team_may() -> None:
    """A rule names a team in which nobody has the skill: somebody elsewhere gets it."""
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),), team="back"),)
    scene = Scene(desk(ANA, agent("ben", team="back"), rules=rules))
    scene.mail()
    assert scene.one(d.OfferTo).agent == "ana"
    assert scene.contact("c1").team is None


def test_senders_without_a_name_are_never_the_same() -> None:
    """Mail without a From: no customer, no thread, no conversation, no memory in common."""
    scene = Scene(pushing(ANA, BEN))
    assert scene.mail("") == "c1"
    assert scene.mail("", thread="c1") == "c2"
    assert scene.contact("c2").flag == "unknown-sender"
    assert (scene.chat(""), scene.chat("")) == ("c3", "c4")
    assert (scene.contact("c1").customer, scene.contact("c1").participants) == ("", [])
    assert scene.engine.state.last_agent == {}


def test_a_quarantined_contact_may_have_other_messages_by_then() -> None:
    """Only the message that was understood gets its sender."""
    scene = Scene(desk(ANA))
    scene.apply(
        e.MessageQuarantined(
            at=scene.at, message="1-0", channel="email", kind="email", account="help", reason="x", sender="p1"
        )
    )
    scene.mail("p1", thread="c1", message="2-0")
    scene.apply(e.MessageReleased(at=scene.at, message="1-0", sender="p2", topics=()))
    assert [ref.sender for ref in scene.contact("c1").messages] == ["p2", "p1"]


ANGRY = Rule(when=When(mood="angry"), require=(("calming", 2),), priority=Priority.HIGH)


def angry_desk() -> Workspace:
    """Ana does refunds; Ben can calm people as well."""
    refunds = Rule(when=When(topic="refund"), require=(("refunds", 2),))
    return desk(
        agent("ana", skills={"refunds": 3}),
        agent("ben", skills={"refunds": 2, "calming": 3, "lang:en": 1, "other": 1}),
        rules=(refunds, ANGRY),
    )


def offered(scene: Scene, contact: str) -> str:
    """Whom a contact is offered to."""
    offer = scene.contact(contact).offer
    return offer.agent if offer is not None else ""


def test_a_mood_that_shows_later_counts_from_then_on() -> None:
    """A calm mail is offered to Ana; the next sounds angry: the offer is withdrawn, and Ben is asked, with priority."""
    scene = Scene(angry_desk())
    contact = scene.mail("p1")
    assert offered(scene, contact) == "ana"
    scene.mail("p1", thread=contact, moods=("angry",))
    assert offered(scene, contact) == "ben"
    assert scene.contact(contact).priority is Priority.HIGH
    assert scene.contact(contact).moods == ("angry",)
    scene.mail("p1", thread=contact, moods=("angry",))
    assert not [one for one in scene.last if isinstance(one, d.ChangeRequirement)]  # nothing new in that


def test_a_mood_lowers_no_priority() -> None:
    """What a person, or an escalation, made urgent stays urgent, though the rule for the mood says high."""
    scene = Scene(angry_desk())
    contact = scene.mail("p1")
    scene.contact(contact).priority = Priority.URGENT
    scene.mail("p1", thread=contact, moods=("angry",))
    assert scene.contact(contact).priority is Priority.URGENT


def test_a_mood_that_no_rule_asks_for_changes_nothing() -> None:
    """It is remembered, and the offer stands."""
    scene = Scene(angry_desk())
    contact = scene.mail("p1")
    scene.mail("p1", thread=contact, moods=("urgent",))
    assert offered(scene, contact) == "ana"
    assert scene.contact(contact).moods == ("urgent",)
