"""Offers: accepted, declined, lapsed, rescinded; one winner in every race, and no dead ends."""

from __future__ import annotations

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import (
    CONTACT,
    DELIVERY,
    ContactState,
    DeliveryState,
    NotAllowed,
    OfferState,
    next_contact_state,
    next_delivery_state,
    next_offer_state,
)
from router.core.values import Rule, Status, When
from tests.support.engine_scene import ANA, BEN, MINUTE, SECOND, SUE, Scene, agent, desk

CAZ = agent("caz", team="back", skills={"refunds": 5, "lang:en": 5})


def test_who_accepts_owns_it() -> None:
    """The offer is over, the contact assigned, and the record says why."""
    scene = Scene(desk(ANA))
    scene.mail()
    scene.accept("c1")
    assert scene.one(d.AssignTo).explanation.deciding == "accepted the offer"
    contact = scene.contact("c1")
    assert (contact.state, contact.agent, contact.offer, contact.waiting_since) == (
        ContactState.ASSIGNED, "ana", None, None,
    )  # fmt: skip


def test_an_offer_has_one_winner() -> None:
    """A second click, somebody else's click and a click on an old offer are refused, each with its reason."""
    scene = Scene(desk(ANA, BEN))
    scene.mail()
    offer = scene.contact("c1").offer
    assert offer is not None
    other = "ben" if offer.agent == "ana" else "ana"
    scene.accept("c1", other)
    assert scene.refused() == "offer-over"
    scene.accept("c1")
    scene.apply(e.OfferAccepted(at=scene.at, agent=offer.agent, contact="c1", offer=offer.id))
    assert scene.refused() == "already-yours"
    scene.apply(e.OfferDeclined(at=scene.at, agent=other, contact="c1", offer=offer.id))
    assert scene.last == (d.Refuse(code="taken", detail=offer.agent),)
    scene.apply(e.OfferAccepted(at=scene.at, agent="ana", contact="c9", offer="o1"))
    assert scene.refused() == "no-such-contact"
    scene.apply(e.OfferAccepted(at=scene.at, agent="eve", contact="c1", offer="o1"))
    assert scene.refused() == "no-such-agent"


def test_an_accept_is_good_until_the_offer_lapsed() -> None:
    """A click just after the deadline counts if the timer has not fired yet."""
    scene = Scene(desk(ANA))
    scene.mail()
    scene.at += 3 * MINUTE
    scene.accept("c1")
    assert scene.one(d.AssignTo).agent == "ana"


def test_who_declines_is_not_asked_again_while_others_are_left() -> None:
    """It goes to the next, and effort credited for the offer is taken back."""
    scene = Scene(desk(ANA, BEN))
    scene.mail()
    first = scene.one(d.OfferTo).agent
    scene.decline("c1")
    assert scene.one(d.RescindOffer).reason == "declined"
    assert scene.one(d.OfferTo).agent != first
    assert scene.engine.state.agents[first].credited == {}


def test_when_all_declined_any_team_may_and_a_supervisor_hears_of_it() -> None:
    """The team was asked for: others are asked next, without a dead end."""
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),), team="front"),)
    scene = Scene(desk(ANA, CAZ, rules=rules))
    scene.mail()
    scene.decline("c1")
    assert scene.one(d.NotifySupervisors).detail == "all declined"
    assert scene.one(d.OfferTo).agent == "caz"


def test_when_nobody_else_is_left_all_are_asked_again_after_a_while() -> None:
    """The contact keeps its place meanwhile."""
    scene = Scene(desk(ANA))
    scene.mail()
    due = scene.contact("c1").due
    scene.decline("c1")
    assert scene.one(d.QueueContact).due == due
    assert scene.one(d.QueueContact).explanation.ruled_out == (("declined", 1),)  # type: ignore[union-attr]
    scene.wait(5 * MINUTE - 1)
    assert scene.contact("c1").offer is None
    scene.wait(1)
    assert scene.contact("c1").offer is not None


def test_who_comes_free_is_not_offered_what_they_declined() -> None:
    """The line is looked through for the first contact they did not decline, and nothing in it is lost."""
    scene = Scene(desk(agent("ana", skills={"refunds": 2}, capacity={"email": 1})))
    scene.mail("p1")
    scene.mail("p2")
    scene.mail("p3")
    scene.decline("c1")
    assert scene.one(d.OfferTo).contact == "c2"
    scene.decline("c2")
    assert scene.one(d.OfferTo).contact == "c3"
    assert sorted(scene.engine.index.entries) == ["c1", "c2"]


def test_who_declined_and_went_away_since_is_ruled_out_once() -> None:
    """The record counts each agent for one reason: Ana declined, Ben is away."""
    scene = Scene(desk(agent("ana", skills={"refunds": 2}), agent("ben", skills={"refunds": 2})), away=("ben",))
    name = scene.mail()
    scene.status("ben", Status.BUSY)
    scene.decline(name)
    scene.status("ana", Status.AWAY)
    assert dict(scene.engine.explain(name).ruled_out) == {"declined": 1, "busy": 1}


def test_a_lapsed_offer_goes_to_others_first() -> None:
    """Who let it lapse is asked again only after everybody else."""
    scene = Scene(desk(ANA, BEN))
    scene.mail()
    first = scene.one(d.OfferTo).agent
    scene.wait(2 * MINUTE)
    assert scene.contact("c1").lapsed == [first]
    second = scene.contact("c1").offer
    assert second is not None
    assert second.agent != first
    scene.decline("c1")
    assert scene.one(d.OfferTo).agent == first
    assert scene.one(d.OfferTo).explanation.candidates[0].why.startswith("let an offer of it lapse")


def test_several_lapses_in_a_row_set_an_agent_away() -> None:
    """Two are too many; an answer in between starts the count anew."""
    scene = Scene(desk(ANA))
    scene.mail()
    scene.wait(2 * MINUTE)
    assert scene.engine.state.agents["ana"].lapses == 1
    scene.accept("c1")
    assert scene.engine.state.agents["ana"].lapses == 0
    scene.mail("p2")
    scene.wait(4 * MINUTE)
    assert scene.one(d.SetStatus).reason == "lapses"
    assert scene.contact("c2").state is ContactState.WAITING
    scene.status("ana", Status.AVAILABLE)
    assert scene.one(d.OfferTo).contact == "c2"
    assert scene.engine.state.agents["ana"].lapses == 0


def test_who_is_set_away_loses_their_other_offers_too() -> None:
    """They return at their old place."""
    scene = Scene(desk(ANA, away_after_lapses=1))
    scene.mail("p1")
    scene.at += SECOND
    scene.mail("p2")
    scene.wait(2 * MINUTE - SECOND)
    assert [one.reason for one in scene.last if isinstance(one, d.RescindOffer)] == ["lapsed", "away"]
    assert sorted(scene.engine.index.entries) == ["c1", "c2"]


def test_who_leaves_gives_back_what_they_were_offered() -> None:
    """Others get it at once; what was accepted stays."""
    scene = Scene(desk(ANA, BEN))
    scene.mail("p1")
    first = scene.one(d.OfferTo).agent
    scene.accept("c1")
    scene.mail("p2")
    other = scene.one(d.OfferTo).agent
    scene.status(other, Status.BUSY)
    assert scene.one(d.OfferTo).agent == first
    scene.status(first, Status.OFFLINE)
    assert scene.contact("c1").agent == first


def test_a_claim_wins_over_a_pending_offer() -> None:
    """The offer is rescinded, and the agent asked may accept no more."""
    scene = Scene(desk(ANA, BEN))
    scene.mail()
    offer = scene.contact("c1").offer
    assert offer is not None
    other = "ben" if offer.agent == "ana" else "ana"
    scene.take("c1", other)
    assert scene.one(d.RescindOffer).reason == "taken"
    assert scene.one(d.AssignTo).explanation.manual
    scene.apply(e.OfferAccepted(at=scene.at, agent=offer.agent, contact="c1", offer=offer.id))
    assert scene.last == (d.Refuse(code="taken", detail=other),)


def test_claims_have_one_winner_but_a_supervisor_may_take_anything() -> None:
    """Not twice, not from a colleague, not what is closed."""
    scene = Scene(desk(ANA, BEN, SUE))
    scene.mail()
    scene.take("c1", "ana")
    scene.take("c1", "ana")
    assert scene.refused() == "already-yours"
    scene.take("c1", "ben")
    assert scene.last == (d.Refuse(code="taken", detail="ana"),)
    scene.take("c1", "sue")
    assert scene.one(d.ReleaseContact).reason == "taken"
    scene.resolve("c1", "sue")
    scene.take("c1", "ana")
    assert scene.refused() == "not-open"


@pytest.mark.parametrize("state", list(ContactState))
def test_the_table_is_the_lifecycle(state: ContactState) -> None:
    """What the table has leads where it says; all else is refused."""
    for step in ("offer", "accept", "assign", "reply", "customer_wrote", "undelivered", "snooze", "requeue", "resolve"):
        if step in CONTACT[state]:
            assert next_contact_state(state, step) is CONTACT[state][step]
        else:
            with pytest.raises(NotAllowed, match=step):
                next_contact_state(state, step)


def test_an_offer_ends_once() -> None:
    """A pending offer ends in one of four ways, and an ended one in none."""
    assert next_offer_state(OfferState.PENDING, "lapse") is OfferState.LAPSED
    with pytest.raises(NotAllowed, match="accept"):
        next_offer_state(OfferState.DECLINED, "accept")


def test_deliveries_follow_their_table() -> None:
    """A step that the table lacks is no step."""
    assert next_delivery_state(DeliveryState.PENDING, "send") is DeliveryState.SENDING
    assert next_delivery_state(DeliveryState.SENT, "deferred") is None
    assert all(isinstance(to, DeliveryState) for steps in DELIVERY.values() for to in steps.values())
