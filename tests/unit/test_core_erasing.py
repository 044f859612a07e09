"""Erasing a customer: what goes, what stays, and what may not come of it."""

from __future__ import annotations

import msgspec
import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.erasing import key_name
from router.core.transitions import ContactState
from router.core.values import AutoAnswers, Team
from tests.support.engine_scene import ANA, BEN, HOUR, SUE, Scene, agent, desk, pushing


def erase(scene: Scene, **named: object) -> None:
    """Ask for it."""
    scene.seq += 1
    event = e.CustomerErased(at=scene.at, inbox=f"{scene.at}-{scene.seq}", erasure="e1", **named)  # type: ignore[arg-type]
    scene.apply(event)


def said(scene: Scene) -> str:
    """All that the state says."""
    return msgspec.json.encode(scene.engine.state).decode()


def test_everything_of_a_customer_is_named_for_deletion() -> None:
    """All their contacts, closed or not; their keys; all that was said there, by whomever."""
    scene = Scene(pushing(ANA, auto_answers=AutoAnswers(kinds=("receipt",))))
    scene.mail("p1", message="1-0")
    scene.reply("c1", resolve=True)
    scene.mail("p1", message="2-0")
    scene.mail("p2", message="3-0")
    erase(scene, contact="c2")
    made = scene.one(d.EraseCustomer)
    assert (made.contacts, made.keys) == (("c1", "c2"), ("p1",))
    assert set(made.messages) >= {"1-0", "2-0"}
    assert "3-0" not in made.messages
    assert len(made.messages) == sum(len(scene.contact(name).messages) for name in ("c1", "c2"))
    state = scene.engine.state
    assert [(one.state, one.flag) for one in state.contacts.values()] == [
        (ContactState.RESOLVED, "erased"), (ContactState.RESOLVED, "erased"), (ContactState.ASSIGNED, ""),
    ]  # fmt: skip
    assert state.identities == {"p2": "k2"}
    assert state.last_agent == {"k2": "ana"}
    assert "receipt k1" not in state.auto_answered
    assert state.erasing["e1"].messages == made.messages
    assert '"k1"' not in said(scene)


def test_it_is_over_once_somebody_says_so() -> None:
    """And stays over."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    erase(scene, customer="k1")
    for _ in range(2):
        scene.apply(e.ErasureDone(at=scene.at, erasure="e1"))
        assert scene.engine.state.erasing == {}


def test_what_was_theirs_elsewhere_goes_and_the_rest_stays() -> None:
    """In another customer's contact their messages lose their words; it goes on without them."""
    scene = Scene(pushing(ANA))
    scene.mail("p2", cc=("p1",), message="1-0")
    scene.mail("p1", thread="c1", message="2-0")
    erase(scene, identities=("p1",))
    assert scene.one(d.EraseCustomer).messages == ("2-0",)
    assert scene.contact("c1").participants == ["p2"]
    assert scene.contact("c1").state is ContactState.ASSIGNED
    scene.mail("p1", thread="c1")
    assert scene.contact("c2").flag == "unknown-sender"


def test_a_bounce_of_theirs_in_a_contact_of_somebody_else_goes_too() -> None:
    """A bounce is attached though its sender takes no part: erased, they are not named there either."""
    scene = Scene(pushing(ANA))
    name = scene.mail("p2", message="1-0")
    sent = scene.reply(name)
    assert scene.mail("p1", message="2-0", auto="bounce", about=sent) == name
    erase(scene, identities=("p1",))
    assert "2-0" in scene.one(d.EraseCustomer).messages
    assert '"sender":"p1"' not in said(scene)
    assert scene.contact(name).participants == ["p2"]


def test_an_address_that_nobody_knows_any_more_can_be_erased() -> None:
    """Its contacts have left; its keys have not."""
    scene = Scene(desk(ANA))
    erase(scene, identities=("p9",))
    assert scene.one(d.EraseCustomer).keys == ("p9",)


@pytest.mark.parametrize(
    ("named", "code"),
    [({"contact": "c9"}, "no-such-contact"), ({"customer": "k9"}, "no-such-customer"), ({}, "no-such-customer")],
)
def test_nobody_is_erased_by_mistake(named: dict[str, str], code: str) -> None:
    """A name that means nobody is refused."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    erase(scene, **named)
    assert scene.refused() == code


def test_who_is_erased_and_writes_again_is_somebody_new() -> None:
    """A contact, a customer and a key of their own; the old thread and the old chat lead nowhere."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    scene.chat("p1")
    erase(scene, customer="k1")
    assert scene.mail("p1", thread="c1") == "c3"
    assert scene.chat("p1") == "c4"
    third = scene.contact("c3")
    assert (third.customer, third.flag, third.follows, third.claims) == ("k2", "", None, None)
    erase(scene, customer="k2")
    assert scene.one(d.EraseCustomer).keys == ("p1.1",)
    assert key_name("p1", scene.engine.state.erased["p1"]) == "p1.2"
    erase(scene, contact="c1")
    assert scene.refused() == "no-such-customer"


def test_an_erased_contact_takes_nothing_more() -> None:
    """No note, no reopening, nobody let in, no bounce; a report about what was on its way disturbs nobody."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("p1", message="1-0")
    sent = scene.reply("c1")
    scene.mail("p9", thread="c1")
    erase(scene, contact="c1")
    scene.apply(e.NoteWritten(at=scene.at, agent="sue", contact="c1", message="n1"))
    assert scene.refused() == "not-open"
    scene.apply(e.ContactReopened(at=scene.at, agent="sue", contact="c1"))
    assert scene.refused() == "bad-state"
    scene.apply(e.SenderLetIn(at=scene.at, agent="sue", contact="c2"))
    assert scene.refused() == "no-such-contact"
    assert scene.mail("mailer", auto="bounce", about=sent, undelivered=True) == ""
    scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="failed"))
    assert scene.last == ()
    assert scene.mail("p1", message="1-0") == "c1"
    assert scene.last == ()


def test_what_waits_and_what_is_offered_is_taken_back() -> None:
    """Nobody is left with an offer of what is gone, and the next in line is served."""
    scene = Scene(desk(agent("ana", skills={"refunds": 4}, capacity={"email": 1})))
    scene.mail("p1")
    scene.mail("p2")
    erase(scene, contact="c1")
    assert scene.one(d.RescindOffer).contact == "c1"
    assert scene.one(d.OfferTo).contact == "c2"


def test_a_message_in_quarantine_can_be_erased() -> None:
    """It is no longer listed, and retrying it leads nowhere."""
    scene = Scene(desk(ANA, teams={"triage": Team(id="triage", members=("ana",))}))
    scene.apply(
        e.MessageQuarantined(
            at=scene.at,
            message="1-0",
            channel="email",
            kind="email",
            account="",
            reason="deep",
            sender="quarantine-1-0",
        )
    )
    erase(scene, contact="c1")
    assert scene.one(d.EraseCustomer).keys == ("quarantine-1-0",)
    assert scene.engine.state.quarantined == {}
    scene.apply(e.MessageReleased(at=scene.at, message="1-0", sender="p1"))
    assert scene.last == ()


def test_in_shadow_mode_the_hashes_of_their_mails_go_too() -> None:
    """So nothing finds its way into what was erased."""
    scene = Scene(pushing(ANA, shadow=True))
    scene.mail("p1", external="x1", message="1-0")
    scene.mail("p2", external="x1", message="2-0")
    scene.mail("p1", external="x2", message="3-0")
    erase(scene, customer="k2")
    assert scene.engine.state.externals == {"x1": "1-0", "x2": "3-0"}
    erase(scene, customer="k1")
    assert scene.engine.state.externals == {}


def test_an_erased_contact_leaves_like_any_other() -> None:
    """After the reopen window."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    erase(scene, customer="k1")
    scene.wait(30 * 24 * HOUR)
    assert scene.engine.state.contacts == {}
