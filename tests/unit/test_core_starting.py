"""An agent opens a contact: it is theirs, its first message goes out, and the customer's answer comes back to it."""

from __future__ import annotations

import pytest

from router.core import decisions as d
from router.core.transitions import ContactState, DeliveryState
from router.core.values import Status
from tests.support.engine_scene import ANA, BEN, HOUR, Scene, agent, desk


def test_it_is_theirs_and_waits_on_the_customer() -> None:
    """Opening a contact opens, assigns and sends in one record, and takes no room while the customer thinks."""
    scene = Scene(desk(ANA))
    scene.start("a5-0", message="5-0", topics=("refund",))
    assert [type(one) for one in scene.last] == [d.OpenContact, d.AssignTo, d.SendReply]
    contact = scene.contact("a5-0")
    assert (contact.state, contact.agent, contact.due) == (ContactState.WAITING_CUSTOMER, "ana", None)
    assert (contact.topics, contact.topics_set) == ((("refund", 10_000),), True)
    assert (contact.messages[0].direction, contact.messages[0].delivery) == ("out", DeliveryState.PENDING)
    assert scene.one(d.AssignTo).explanation.manual
    assert scene.engine.state.agents["ana"].parked == {"a5-0": 1}
    assert scene.engine.state.agents["ana"].held == {}


def test_the_answer_comes_back_to_them() -> None:
    """The customer's answer joins the contact and is its agent's, with a response owed."""
    scene = Scene(desk(ANA, BEN))
    scene.start()
    assert scene.mail("p1", thread="a1") == "a1"
    contact = scene.contact("a1")
    assert (contact.state, contact.agent) == (ContactState.ASSIGNED, "ana")
    assert contact.due == scene.at + 8 * HOUR


def test_a_stranger_s_answer_is_not_let_in() -> None:
    """Somebody else who answers it opens a flagged contact of their own."""
    scene = Scene(desk(ANA))
    scene.start()
    other = scene.mail("p2", thread="a1")
    assert (other, scene.contact(other).flag, scene.contact(other).claims) == ("c2", "unknown-sender", "a1")


def test_a_known_customer_stays_one_customer() -> None:
    """Writing to somebody who wrote before stands in their history, and the agent is the one they know."""
    scene = Scene(desk(ANA, BEN), away=("ben",))
    first = scene.mail("p1")
    scene.start("a1", "ben")
    assert scene.contact("a1").customer == scene.contact(first).customer
    assert scene.engine.state.last_agent[scene.contact("a1").customer] == "ben"


def test_skills_and_capacity_do_not_stand_in_the_way() -> None:
    """A person's own doing stands: an agent without the skill, full or away, may open a contact."""
    scene = Scene(desk(agent("ana", capacity={})), away=("ana",))
    scene.start(topics=("refund",))
    assert scene.contact("a1").agent == "ana"
    scene.status("ana", Status.AVAILABLE)
    scene.start("a2")
    assert sorted(scene.engine.state.agents["ana"].parked) == ["a1", "a2"]


@pytest.mark.parametrize(
    ("more", "code"),
    [({"topics": ("nonsense",)}, "bad-topic"), ({"contact": "a0"}, "bad-state"), ({"message": "s0"}, "bad-state")],
)
def test_what_cannot_be_is_refused(more: dict[str, object], code: str) -> None:
    """An unknown topic, an id or a message that exists already change nothing."""
    scene = Scene(desk(ANA))
    scene.start("a0", message="s0")
    scene.start(**{"contact": "a1", **more})  # type: ignore[arg-type]
    assert scene.refused() == code
    assert list(scene.engine.state.contacts) == ["a0"]


def test_nobody_outside_the_roster_opens_any() -> None:
    """Whoever is not an agent is refused."""
    scene = Scene(desk(ANA))
    scene.start(name="mallory")
    assert scene.refused() == "no-such-agent"
