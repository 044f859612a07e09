"""What a mail system's report does to the reply it is about."""

from __future__ import annotations

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState, DeliveryState
from tests.support.engine_scene import ANA, Scene, pushing


def answered() -> tuple[Scene, str]:
    """Ana has answered c1, and the customer's server has taken it; gives the reply's id."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    sent = scene.reply("c1")
    scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="sent"))
    return scene, sent


def test_a_bounce_fails_the_reply_and_brings_the_ball_back() -> None:
    """The report is attached, the reply has failed, the contact is open again, and a supervisor hears of it."""
    scene, sent = answered()
    assert scene.mail("daemon", auto="bounce", about=sent, undelivered=True, thread="c1") == "c1"
    contact = scene.contact("c1")
    assert contact.state is ContactState.ASSIGNED
    assert [ref.delivery for ref in contact.messages] == [None, DeliveryState.FAILED, None]
    assert scene.one(d.NotifySupervisors).reason == "delivery-failed"


def test_a_notice_of_delay_fails_nothing() -> None:
    """A report that does not say so leaves the reply as sent."""
    scene, sent = answered()
    scene.mail("daemon", auto="bounce", about=sent, thread="c1")
    contact = scene.contact("c1")
    assert contact.state is ContactState.WAITING_CUSTOMER
    assert contact.messages[1].delivery is DeliveryState.SENT


def test_a_bounce_from_somebody_in_copy_leaves_the_reply_delivered() -> None:
    """Who never got it is noted by their place; the customer has it, and nobody is troubled."""
    scene, sent = answered()
    scene.mail("daemon", auto="bounce", about=sent, undelivered=True, recipient=2, thread="c1")
    contact = scene.contact("c1")
    assert (contact.messages[1].delivery, contact.messages[1].lost) == (DeliveryState.SENT, (2,))
    assert contact.state is ContactState.WAITING_CUSTOMER
    assert scene.none(d.NotifySupervisors)


def test_the_same_bounce_twice_counts_once() -> None:
    """A report that was applied before changes nothing more."""
    scene, sent = answered()
    scene.mail("daemon", auto="bounce", about=sent, undelivered=True, thread="c1", message="7-7")
    scene.mail("daemon", auto="bounce", about=sent, undelivered=True, thread="c1", message="7-7", inbox="")
    assert scene.last == ()


def test_a_bounce_that_overtakes_the_report_of_sending_stands() -> None:
    """`sent` that is told only after the bounce does not make the reply delivered."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    sent = scene.reply("c1")
    scene.mail("daemon", auto="bounce", about=sent, undelivered=True, thread="c1")
    scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="sent"))
    assert scene.contact("c1").messages[1].delivery is DeliveryState.FAILED


def test_what_fails_while_the_agent_has_it_anyway_is_only_told() -> None:
    """The customer wrote again meanwhile: the contact stays where it is, and a supervisor hears of the failure."""
    scene, sent = answered()
    scene.mail("p1", thread="c1")
    scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="failed"))
    assert scene.one(d.NotifySupervisors).reason == "delivery-failed"
    assert scene.contact("c1").state is ContactState.ASSIGNED
