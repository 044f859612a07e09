"""What leaves the state: closed contacts, customers nothing refers to, old auto mail; and what has a limit."""

from __future__ import annotations

import random
from typing import Any

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core import index as index_module
from router.core import leaving
from router.core import timers as timers_module
from router.core.engine import Engine
from router.core.values import Priority, Status
from tests.support.engine_scene import ANA, HOUR, MINUTE, SUE, Scene, agent, desk, pushing

DAY = 24 * HOUR
WINDOW = 30 * DAY


def one_closed(**more: Any) -> Scene:
    """A scene in which p1's mail was answered and closed."""
    scene = Scene(pushing(ANA, **more))
    scene.mail("p1", message="1-0")
    scene.reply("c1", resolve=True)
    return scene


def test_that_a_contact_left_is_a_decision() -> None:
    """Desks and the record hear of it."""
    scene = one_closed()
    scene.wait(WINDOW)
    assert scene.one(d.ForgetContact).contact == "c1"
    assert scene.engine.index.place == {}


def test_a_customer_whom_an_agent_served_is_known_after_their_contacts_left() -> None:
    """So they are given to the same agent again."""
    scene = one_closed()
    scene.wait(WINDOW)
    assert scene.engine.state.identities == {"p1": "k1"}
    scene.mail("p1")
    assert scene.contact("c2").customer == "k1"
    assert scene.contact("c2").prefer_agent == "ana"


def test_a_customer_whom_nobody_served_leaves_with_their_last_contact() -> None:
    """Spam that a supervisor closed leaves nothing behind."""
    scene = Scene(desk(ANA, SUE), away=("ana", "sue"))
    scene.mail("p1")
    scene.mail("p1")
    scene.resolve("c1", "sue")
    scene.at += HOUR
    scene.resolve("c2", "sue")
    scene.wait(WINDOW - HOUR)
    assert scene.engine.state.identities == {"p1": "k1"}
    scene.wait(HOUR)
    assert scene.engine.state.identities == {}
    assert scene.engine.index.customers.contacts == {}


def test_a_memory_that_goes_takes_the_customer_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they still have a contact."""
    monkeypatch.setattr(leaving, "LAST_AGENTS_MAX", 1)
    scene = Scene(pushing(agent("ana", capacity={"email": 9})))
    scene.mail("p1", None)
    scene.mail("p2", None)
    assert scene.engine.state.identities == {"p1": "k1", "p2": "k2"}
    scene.resolve("c1")
    scene.resolve("c2")
    scene.wait(WINDOW)
    assert scene.engine.state.identities == {"p2": "k2"}
    scene.mail("p3", None)
    assert scene.engine.state.identities == {"p3": "k3"}


def test_a_message_to_a_contact_that_left_opens_one_that_names_it() -> None:
    """Whether it is gone already, or only can no longer be reopened."""
    scene = one_closed()
    scene.wait(WINDOW)
    scene.mail("p1", thread="c1")
    assert (scene.contact("c2").flag, scene.contact("c2").follows) == ("", "c1")
    scene.reply("c2", resolve=True)
    scene.at += WINDOW
    scene.mail("p1", thread="c2")
    assert scene.contact("c3").follows == "c2"
    scene.mail("p1")
    assert scene.contact("c4").follows is None


def test_the_auto_list_has_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest make way."""
    monkeypatch.setattr(leaving, "AUTOS_MAX", 2)
    scene = Scene(desk(ANA))
    for number in range(4):
        scene.mail("p1", auto="list", message=f"{number}-0")
    assert list(scene.engine.state.autos) == ["2-0", "3-0"]
    assert list(scene.engine.index.place) == ["2-0", "3-0"]


def test_a_contact_takes_so_many_messages_and_the_next_opens_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread, in a chat, and for auto mail, which is then listed."""
    monkeypatch.setattr(leaving, "MESSAGES_MAX", 2)
    scene = Scene(pushing(agent("ana", capacity={"email": 9, "chat": 9})))
    assert [scene.mail("p1", thread="c1") for _ in range(3)] == ["c1", "c1", "c2"]
    assert scene.contact("c2").follows is None
    assert scene.mail("p1", thread="c1", auto="auto-reply") == ""
    assert scene.mail("mailer", auto="bounce", about=scene.contact("c1").messages[0].id) == ""
    assert [scene.chat("p2") for _ in range(3)] == ["c3", "c3", "c4"]


def test_a_contact_takes_so_many_participants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is named beyond that has no part in it."""
    monkeypatch.setattr(leaving, "PARTICIPANTS_MAX", 2)
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.mail("p1", thread="c1", cc=("p2",))
    scene.mail("p1", thread="c1", cc=("p3",))
    assert scene.contact("c1").participants == ["p1", "p2"]


def test_in_shadow_mode_a_full_contact_notes_no_further_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed instead; an id that two messages share stays with the first."""
    monkeypatch.setattr(leaving, "MESSAGES_MAX", 1)
    scene = Scene(pushing(ANA, shadow=True))
    scene.mail("p1", external="x", message="1-0")
    scene.mail("p2", external="x", message="2-0")
    scene.apply(e.AnswerSeen(at=scene.at, message="3-0", channel="email", agent="ana", answers=("x",)))
    assert list(scene.engine.state.autos) == ["3-0"]
    scene.resolve("c2")
    scene.wait(WINDOW)
    assert scene.engine.state.externals == {"x": "1-0"}
    scene.resolve("c1")
    scene.wait(WINDOW)
    assert scene.engine.state.externals == {}


def test_heaps_do_not_keep_what_was_put_off_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers and places in line that no longer hold are dropped once they are most of a heap."""
    monkeypatch.setattr(index_module, "STALE_MAX", 4)
    monkeypatch.setattr(timers_module, "STALE_MAX", 4)
    scene = Scene(desk(ANA, SUE), away=("ana", "sue"))
    scene.mail("p1")
    line = scene.engine.index.entries["c1"][3]
    for number in range(40):
        for priority in (Priority.URGENT, Priority.LOW):
            scene.apply(e.PrioritySet(at=scene.at, agent="sue", contact="c1", priority=priority))
        scene.snooze("c1", (number + 1) * HOUR, "sue")
        scene.apply(e.ContactWoken(at=scene.at, agent="sue", contact="c1"))
    assert len(line.in_time) <= 2 * 1 + 4 + 1
    assert len(scene.engine.index.timers) <= 2 * 3 + 4 + 1
    assert scene.engine.index.head(line, "ana", missed=False) is scene.contact("c1")


def size(engine: Engine) -> dict[str, int]:
    """How much of everything there is."""
    state, index = engine.state, engine.index
    found = {name: len(getattr(state, name)) for name in ("contacts", "identities", "last_agent", "autos", "externals")}
    found |= {"place": len(index.place), "timers": len(index.timers), "customers": len(index.customers.contacts)}
    found["messages"] = sum(len(contact.messages) for contact in state.contacts.values())
    return found


def test_the_state_is_bounded_under_long_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of strangers, machines and regulars: the second half adds nothing to what the first half needed."""
    monkeypatch.setattr(leaving, "LAST_AGENTS_MAX", 40)
    monkeypatch.setattr(leaving, "AUTOS_MAX", 30)
    monkeypatch.setattr(index_module, "STALE_MAX", 50)
    monkeypatch.setattr(timers_module, "STALE_MAX", 50)
    chance = random.Random(5)
    scene = Scene(pushing(agent("ana", capacity={"email": 200, "chat": 200}), SUE, reopen_window=3 * DAY))
    sizes: list[dict[str, int]] = []
    for step in range(1_500):
        sender = f"regular{chance.randrange(9)}" if chance.random() < 0.3 else f"once{step}"
        kind = chance.choice(["mail", "chat", "auto"])
        if kind == "auto":
            scene.mail(sender, auto="list")
        else:
            contact = (scene.mail if kind == "mail" else scene.chat)(sender)
            if scene.contact(contact).agent == "ana":
                scene.reply(contact)
            scene.resolve(contact, "sue")
        scene.wait(chance.randrange(6 * HOUR))
        if chance.random() < 0.05:
            scene.status("ana", chance.choice([Status.AVAILABLE, Status.OFFLINE]))
        sizes.append(size(scene.engine))
    half = len(sizes) // 2
    for name in sizes[0]:
        first = max(one[name] for one in sizes[:half])
        assert max(one[name] for one in sizes[half:]) <= first * 1.3 + 20, name
    scene.status("ana", Status.AVAILABLE)
    scene.wait(10 * DAY + MINUTE)
    assert scene.engine.state.contacts == {}


def test_what_is_said_of_addresses_has_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said longest ago makes way; what is said again was said now."""
    monkeypatch.setattr(leaving, "SAID_MAX", 2)
    scene = Scene(pushing(ANA, languages=("en", "es"), tiers={"gold": Priority.HIGH}))
    for sender in ("p1", "p2", "p1", "p3"):
        scene.mail(sender, prefers="es")
        scene.apply(e.TierSet(at=scene.at, identities=(sender,), tier="gold"))
    assert list(scene.engine.state.languages) == ["p1", "p3"]
    assert list(scene.engine.state.tiers) == ["p1", "p3"]


def test_refusals_outlive_agreements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever refused is forgotten last, and only if others refused since; a hundredth goes at once."""
    monkeypatch.setattr(leaving, "SAID_MAX", 100)
    scene = Scene(pushing(ANA))
    scene.mail("no", consent=False)
    for number in range(100):
        scene.mail(f"yes-{number}", consent=True)
    consents = scene.engine.state.consents
    assert list(consents) == ["no", *(f"yes-{number}" for number in range(2, 100))]
    scene.mail("no", consent=True)
    assert list(consents)[-1] == "no"
    for number in range(150):
        scene.mail(f"no-{number}", consent=False)
    assert not any(said.given for said in consents.values())
    assert list(consents)[-1] == "no-149"
    assert len(consents) <= 100
