"""Threads that all who are there share, such as those of a channel in Slack: one contact each, whoever writes."""

from __future__ import annotations

from typing import Any

import pytest

from router.core import decisions as d
from router.core import leaving
from router.core.transitions import ContactState
from tests.support.engine_scene import ANA, Scene, desk, pushing

DAY = 86_400_000


def writes(scene: Scene, sender: str, thread: str, **more: Any) -> str:
    """Somebody writes in a thread of a channel; gives the contact."""
    where = {"channel": "slack", "kind": "messaging", "account": "slack/C1"} | more
    return scene.mail(sender, shared=True, external=thread, answers=(thread,), **where)


def test_a_thread_is_one_contact_whoever_writes() -> None:
    """A colleague of the customer's joins, and takes part from then on; what begins a thread begins a contact."""
    scene = Scene(desk(ANA))
    assert writes(scene, "p1", "t1") == "c1"
    assert writes(scene, "p2", "t1") == "c1"
    assert writes(scene, "p1", "t2") == "c2"
    assert writes(scene, "p1", "t1") == "c1"
    assert scene.contact("c1").participants == ["p1", "p2"]
    assert [contact.flag for contact in scene.engine.state.contacts.values()] == ["", ""]


@pytest.mark.parametrize("other", [{"account": "slack/C2"}, {"channel": "telegram"}])
def test_a_thread_of_another_channel_is_not_let_in(other: dict[str, str]) -> None:
    """Nothing crosses channels: whoever names a thread of another one is a stranger there."""
    scene = Scene(desk(ANA))
    assert writes(scene, "p1", "t1") == "c1"
    assert writes(scene, "p2", "t1", **other) == "c2"
    opened = scene.one(d.OpenContact)
    assert (opened.flag, opened.claims) == ("unknown-sender", "c1")
    assert writes(scene, "p1", "t1") == "c1"


def test_a_thread_goes_on_with_its_newest_contact() -> None:
    """Once its contact is closed for good another begins, and all that comes there joins that one."""
    scene = Scene(pushing(ANA))
    assert writes(scene, "p1", "t1") == "c1"
    scene.resolve("c1")
    assert writes(scene, "p2", "t1") == "c1"
    assert scene.contact("c1").state is not ContactState.RESOLVED
    scene.resolve("c1")
    scene.at += scene.engine.state.workspace.reopen_window + 1
    assert writes(scene, "p2", "t1") == "c2"
    assert writes(scene, "p1", "t1") == "c2"
    assert writes(scene, "p2", "t1", conflict=True) == "c3"
    assert writes(scene, "p3", "t1") == "c2"


def test_a_thread_in_which_too_many_take_part_lets_in_nobody_else() -> None:
    """The state stays bounded; who comes after that is a contact of their own, flagged."""
    scene = Scene(desk(ANA))
    assert writes(scene, "p", "t1") == "c1"
    for number in range(leaving.PARTICIPANTS_MAX - 1):
        assert writes(scene, f"p{number}", "t1") == "c1"
    assert writes(scene, "late", "t1") == "c2"
    assert scene.contact("c2").claims == "c1"
