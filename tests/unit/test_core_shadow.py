"""Shadow mode: decides as if everybody on shift were there, sends nothing, notes what people answer."""

from __future__ import annotations

from typing import Any

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.invariants import check_idle
from router.core.transitions import ContactState
from router.core.values import AutoAnswers, Sla, Status, Workspace
from router.desk import shadow as reports
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, T0, Scene, agent, desk


def looking_on(*agents: Any, **more: Any) -> Scene:
    """A scene in shadow mode; nobody has said that they are available."""
    workspace = shadowed(*agents, **more)
    return Scene(workspace, away=tuple(workspace.agents))


def shadowed(*agents: Any, **more: Any) -> Workspace:
    """A workspace in shadow mode."""
    return desk(*(agents or (ANA, BEN)), **{"shadow": True, **more})


def seen(scene: Scene, answers: str, by: str = "ben", **more: Any) -> str:
    """Somebody answers by other means; gives the message's id."""
    scene.seq += 1
    name = f"{scene.at}-{scene.seq}"
    more.setdefault("external", f"<{name}>")
    scene.apply(
        e.AnswerSeen(at=scene.at, inbox=name, message=name, channel="email", agent=by, answers=(answers,), **more)
    )
    return name


def test_who_is_on_shift_counts_as_available_and_gets_it_unasked() -> None:
    """Offline, but in their hours: given at once. Out of their hours: not."""
    day = ((T0, T0 + HOUR),)
    scene = looking_on(agent("ana", skills={"refunds": 4}, calendar="day"), calendars={"day": day})
    scene.mail("p1")
    assert scene.one(d.AssignTo).agent == "ana"
    assert check_idle(scene.engine.state) == []
    scene.wait(HOUR)
    scene.mail("p2")
    assert scene.one(d.QueueContact).contact == "c2"


def test_nothing_is_sent() -> None:
    """A reply is refused, and nothing is answered by itself."""
    scene = looking_on(auto_answers=AutoAnswers(kinds=("receipt",)))
    contact = scene.mail("p1")
    assert scene.none(d.SendAutoAnswer)
    scene.reply(contact, scene.contact(contact).agent or "")
    assert scene.refused() == "shadow"
    assert len(scene.contact(contact).messages) == 1


def test_what_people_answer_closes_the_contact_beside_what_usherd_chose() -> None:
    """The choice stands with the answer, room is free again, and who answered is who knows the customer."""
    scene = looking_on()
    contact = scene.mail("p1", external="<one>")
    chosen = scene.contact(contact).agent
    scene.wait(20 * MINUTE)
    name = seen(scene, "<one>", "ben")
    found = scene.contact(contact)
    assert found.state is ContactState.RESOLVED
    ref = found.messages[-1]
    assert (ref.id, ref.direction, ref.agent, ref.chosen, ref.seen, ref.delivery) == (
        name,
        "out",
        "ben",
        chosen,
        True,
        None,
    )
    assert found.responded
    assert scene.engine.state.agents[chosen or ""].held == {}
    assert scene.engine.state.last_agent[found.customer] == "ben"


def test_the_customers_next_mail_finds_the_contact_by_what_it_answers() -> None:
    """It opens the contact again, and goes to the one who answered; a stranger with the same reference is flagged."""
    scene = looking_on()
    contact = scene.mail("p1", external="<one>")
    seen(scene, "<one>", "ben", external="<two>")
    assert scene.mail("p1", external="<three>", answers=("<nothing>", "<two>")) == contact
    assert not scene.none(d.ReopenContact)
    other = scene.mail("p9", external="<four>", answers=("<two>",))
    assert other != contact
    assert (scene.contact(other).flag, scene.contact(other).claims) == ("unknown-sender", contact)


def test_a_second_answer_is_only_noted() -> None:
    """The contact is closed already; told twice it is noted once."""
    scene = looking_on()
    contact = scene.mail("p1", external="<one>")
    seen(scene, "<one>")
    name = seen(scene, "<one>", "ana")
    assert not scene.none(d.AttachMessage)
    assert scene.none(d.ResolveContact)
    scene.apply(e.AnswerSeen(at=scene.at, message=name, channel="email", agent="ana", answers=("<one>",)))
    assert scene.last == ()
    assert len(scene.contact(contact).messages) == 3


def test_a_colleagues_other_mail_opens_nothing() -> None:
    """It is on the auto list."""
    scene = looking_on()
    name = seen(scene, "<unknown>")
    assert scene.one(d.FileAuto).auto == "staff"
    assert scene.engine.state.contacts == {}
    assert scene.engine.state.autos[name].auto == "staff"


def test_an_answer_from_nobody_in_particular_counts_too() -> None:
    """Our own address, or somebody who has left: the contact is closed, nobody is remembered."""
    scene = looking_on()
    contact = scene.mail("p1", external="<one>")
    seen(scene, "<one>", "")
    assert scene.contact(contact).state is ContactState.RESOLVED
    assert scene.contact(contact).messages[-1].agent is None


def test_what_waits_can_be_answered_by_people() -> None:
    """Usherd found nobody; somebody answered."""
    scene = looking_on(agent("ana", skills={"refunds": 4}, capacity={}))
    contact = scene.mail("p1", external="<one>")
    assert scene.contact(contact).state is ContactState.WAITING
    seen(scene, "<one>", "ana")
    assert scene.contact(contact).state is ContactState.RESOLVED
    assert scene.contact(contact).messages[-1].chosen is None


def test_ids_are_forgotten_with_their_contact_and_cannot_be_taken_over() -> None:
    """The first message of an id keeps it; when its contact leaves the state, so does the id."""
    scene = looking_on()
    first = scene.mail("p1", external="<one>")
    scene.mail("p2", external="<one>")
    seen(scene, "<one>")
    assert scene.contact(first).state is ContactState.RESOLVED
    scene.wait(scene.engine.state.workspace.reopen_window)
    assert first not in scene.engine.state.contacts
    assert scene.engine.state.externals == {}


def test_going_live_makes_status_count_again() -> None:
    """Whoever has not said that they are there gets nothing; contacts that they were given go back in time."""
    scene = looking_on(ANA, hand_back={"email": HOUR})
    contact = scene.mail("p1")
    scene.wait(2 * HOUR)
    assert scene.contact(contact).agent == "ana"
    scene.reload(desk(ANA, hand_back={"email": HOUR}))
    scene.wait(MINUTE)
    assert scene.contact(contact).state is ContactState.WAITING
    scene.mail("p2")
    assert scene.none(d.OfferTo)
    scene.status("ana", Status.AVAILABLE)
    assert not scene.none(d.OfferTo)


def test_a_copied_state_goes_on_alike() -> None:
    """An engine rebuilt from a state in shadow mode decides as the one that had it."""
    scene = looking_on()
    scene.mail("p1", external="<one>")
    other = Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=type(scene.engine.state)))
    event = e.AnswerSeen(at=scene.at, message="9-9", channel="email", agent="ana", answers=("<one>",))
    assert other.apply(event) == scene.apply(event)
    assert other.state_hash() == scene.engine.state_hash()


def test_the_report_puts_usherds_choices_beside_peoples() -> None:
    """Per topic and in all: how many, who, how often the same, how fast and whether in time."""
    promised = Sla(first_response=30 * MINUTE)
    scene = looking_on(agent("ana", skills={"refunds": 4}, capacity={"email": 9}), BEN, sla=promised)
    for number in range(3):
        scene.mail(f"p{number}", external=f"<{number}>", topic="refund" if number else None)
    scene.wait(20 * MINUTE)
    chosen = scene.contact("c2").agent
    seen(scene, "<1>", chosen or "")
    scene.wait(20 * MINUTE)
    seen(scene, "<2>", "ben" if scene.contact("c3").agent == "ana" else "ana")
    found: Any = reports.report(scene.engine.state)
    assert (found["mode"], found["contacts"], found["answered"]) == ("shadow", 3, 2)
    assert (found["compared"], found["agreed"], found["agreement"]) == (2, 1, 0.5)
    assert (found["promised"], found["in_time"], found["answer_seconds_p50"]) == (2, 1, 30 * 60)
    assert [(one["topic"], one["contacts"], one["answered"]) for one in found["topics"]] == [
        ("refund", 2, 2),
        (None, 1, 0),
    ]
    assert {"chosen": chosen, "answered": chosen, "contacts": 1} in found["pairs"]


def test_the_report_of_nothing_is_empty() -> None:
    """No contact: no share, no median."""
    found = reports.report(looking_on().engine.state)
    assert (found["contacts"], found["agreement"], found["answer_seconds_p50"], found["topics"]) == (0, None, None, [])
