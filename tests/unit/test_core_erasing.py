"""Erasing a customer: what goes, what stays, and what may not come of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.erasing import key_name, pending
from router.core.state import Erasure
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


def asked(scene: Scene, **named: object) -> str:
    """Ask for it as it is done in fact, by an entry that stands behind what came before; gives its id."""
    scene.seq += 1
    name = f"{scene.at}-{scene.seq}"
    scene.apply(e.CustomerErased(at=scene.at, inbox=name, erasure=name, **named))  # type: ignore[arg-type]
    return name


def deferred(scene: Scene) -> str:
    """A message that takes long to read; gives its id."""
    scene.seq += 1
    name = f"{scene.at}-{scene.seq}"
    scene.apply(e.MessageDeferred(at=scene.at, inbox=name, message=name))
    return name


def quarantined(scene: Scene) -> str:
    """A message that could not be read; gives its id."""
    scene.seq += 1
    name = f"{scene.at}-{scene.seq}"
    scene.apply(
        e.MessageQuarantined(
            at=scene.at, inbox=name, message=name, channel="email", kind="email", account="", reason="deep",
            sender=f"quarantine-{name}",
        )
    )  # fmt: skip
    return name


def back(scene: Scene, message: str, sender: str = "p1", **more: Any) -> str:
    """It is read at last; gives the contact that has it now."""
    scene.seq += 1
    return scene.mail(sender, message=message, inbox=f"{scene.at}-{scene.seq}", **more)


def done(scene: Scene, *erasures: str) -> None:
    """These are carried out."""
    for name in erasures:
        scene.apply(e.ErasureDone(at=scene.at, erasure=name))


def test_what_came_before_an_erasure_and_is_read_after_it_goes_as_well() -> None:
    """It opens nothing, is listed, and is to be deleted: itself, and not the key of what its writer wrote since."""
    scene = Scene(pushing(ANA, auto_answers=AutoAnswers(kinds=("receipt",))))
    scene.mail("p1")
    late, others = deferred(scene), deferred(scene)
    first = asked(scene, customer="k1")
    done(scene, first)
    anew = scene.mail("p1")
    assert back(scene, late, language="en", prefers="en", consent=True) == ""
    state = scene.engine.state
    assert [type(made) for made in scene.last] == [d.FileAuto, d.EraseCustomer]
    made = scene.one(d.EraseCustomer)
    assert (made.contacts, made.keys, made.messages) == ((), (), (late,))
    assert (state.autos[late].auto, list(state.deferred), list(state.contacts)) == ("erased", [others], ["c1", anew])
    assert (state.languages, state.consents) == ({}, {})
    assert pending(state) == [made.erasure]
    done(scene, made.erasure)
    assert list(state.erasing) == [first, made.erasure]  # another is unread that came before the first
    assert back(scene, late) == ""
    assert scene.last == ()  # once is enough
    assert back(scene, others, "p2") == "c3"
    assert state.erasing == {}


def test_what_comes_after_an_erasure_is_somebody_new_however_long_it_takes_to_read() -> None:
    """Also while something is unread that came before."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    deferred(scene)
    first = asked(scene, customer="k1")
    late = deferred(scene)
    done(scene, first)
    assert back(scene, late) == "c2"
    assert scene.engine.state.erasing.keys() == {first}


def test_a_late_mail_of_somebody_else_names_nobody_who_was_erased_since() -> None:
    """Who was in copy is let in no more than if it had been read in time."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    late = deferred(scene)
    asked(scene, customer="k1")
    name = back(scene, late, "p2", cc=("p1", "p3"))
    assert scene.contact(name).participants == ["p2", "p3"]


def test_an_erasure_that_is_carried_out_is_remembered_in_order() -> None:
    """One that is done stays behind one that is not; what is kept of it is whom it meant."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.mail("p2")
    late = deferred(scene)
    one, two = asked(scene, customer="k1"), asked(scene, customer="k2")
    done(scene, two, two)
    state = scene.engine.state
    assert pending(state) == [one]
    assert state.erasing[two] == Erasure(at=scene.at, keys=("p2",), messages=(), done=True)
    back(scene, late, "p3")
    assert list(state.erasing) == [one, two]
    done(scene, one)
    assert state.erasing == {}


def test_what_could_not_be_read_before_an_erasure_goes_when_it_can() -> None:
    """Its contact is closed and empty, its bytes go, and nobody new is known."""
    scene = Scene(desk(ANA, teams={"triage": Team(id="triage", members=("ana",))}))
    scene.mail("p1")
    message, other = quarantined(scene), quarantined(scene)
    first = asked(scene, customer="k1")
    done(scene, first)
    later = quarantined(scene)
    scene.apply(e.MessageReleased(at=scene.at, inbox=f"{scene.at}-50", message=message, sender="p1"))
    made = scene.one(d.EraseCustomer)
    assert (made.contacts, made.keys, made.messages) == (("c2",), (), (message,))
    assert (scene.contact("c2").flag, scene.contact("c2").state) == ("erased", ContactState.RESOLVED)
    state = scene.engine.state
    assert state.quarantined.keys() == {other, later}
    assert state.identities.keys() == {f"quarantine-{other}", f"quarantine-{later}"}
    done(scene, made.erasure)
    scene.apply(e.MessageReleased(at=scene.at, inbox=f"{scene.at}-51", message=other, sender="p2"))
    assert (scene.contact("c3").flag, scene.contact("c3").participants) == ("", ["p2", f"quarantine-{other}"])
    assert first not in state.erasing
    scene.apply(e.MessageReleased(at=scene.at, inbox=f"{scene.at}-52", message=later, sender="p1"))
    assert (scene.contact("c4").flag, state.erasing) == ("", {})
