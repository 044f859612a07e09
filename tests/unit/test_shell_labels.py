"""Labels: what people said of contacts' topics, kept in documents of the store."""

from __future__ import annotations

from typing import Any

import pytest

from router.app.hearing import Hearing
from router.core.errors import StoreUnavailable
from router.core.state import Contact, MessageRef, State
from router.core.transitions import ContactState
from router.core.values import WHOLE, Priority, Requirement, Topic, Workspace
from router.shell import labels
from router.shell.labels import HEAD, Label, Labels, Took, label_of, took_of
from tests.support.shell_scene import ShellStore

WORKSPACE = Workspace(
    name="w",
    topics={name: Topic(id=name, effort=1) for name in ("refund", "bags")},
    topic_threshold=8_000,
    topic_also=3_000,
)
FIRST = MessageRef(id="1-0", direction="in", at=1, sender="ada")
ANSWER = MessageRef(id="2-0", direction="out", at=2, agent="ana")
SURE = (("refund", 9_000), ("bags", 4_000))


def contact(**more: Any) -> Contact:
    """A resolved contact that Ana answered, about a refund as the classifier thinks."""
    given: dict[str, Any] = {
        "id": "c1", "customer": "k1", "participants": ["ada"], "channel": "email", "kind": "email", "account": "",
        "state": ContactState.RESOLVED, "opened_at": 1, "waiting_since": None, "requirement": Requirement(),
        "topics": SURE, "messages": [FIRST, ANSWER], "agent": "ana",
    }  # fmt: skip
    return Contact(**given | more)


@pytest.mark.parametrize(
    ("more", "topics", "outright"),
    [
        ({}, ("refund", "bags"), False),
        ({"topics": (("bags", WHOLE),), "topics_set": True}, ("bags",), True),
        ({"topics": (), "topics_set": True, "state": ContactState.ASSIGNED}, (), True),
    ],
)
def test_a_contact_teaches_what_was_said_of_it(more: dict[str, Any], topics: tuple[str, ...], outright: bool) -> None:
    """A person's word counts at once; a sure guess counts when its contact was answered and resolved under it."""
    assert label_of(WORKSPACE, contact(**more)) == Label("c1", "1-0", topics, outright)


@pytest.mark.parametrize(
    "more",
    [
        {"state": ContactState.ASSIGNED},
        {"messages": [FIRST]},
        {"messages": []},
        {"topics": (("refund", 7_999),)},
        {"topics": (("gone", 9_999),)},
        {"topics_set": True, "messages": [ANSWER, FIRST]},
        {"topics_set": True, "flag": "quarantined"},
        {"topics_set": True, "messages": [MessageRef(id="1-0", direction="in", at=1, auto="bounce")]},
    ],
)
def test_other_contacts_teach_nothing(more: dict[str, Any]) -> None:
    """Unanswered, unsure, begun by us, unreadable or automatic: no example."""
    assert label_of(WORKSPACE, contact(**more)) is None


def said(number: int, *topics: str, contact: str = "") -> Label:
    """Something said of a contact."""
    return Label(contact or f"c{number}", f"{number}-0", topics, outright=True)


async def test_labels_are_kept_and_the_last_one_of_a_contact_counts() -> None:
    """Another node reads what one has written; what was known before a later word is still known as it was."""
    store = ShellStore()
    one, other = Labels(store, Label, HEAD), Labels(store, Label, HEAD)
    await one.read()
    assert await one.add([said(1, "refund"), said(2, "bags")]) == 2
    assert await one.add([said(1, "refund")]) == 0
    assert await one.add([said(3, "bags", contact="c1")]) == 1
    await other.read()
    assert other.count == 3
    assert other.latest("c1") == said(3, "bags", contact="c1")
    assert {label.message: label for label in other.up_to(3)} == {
        "2-0": said(2, "bags"),
        "3-0": said(3, "bags", contact="c1"),
    }
    assert other.up_to(2) == [said(1, "refund"), said(2, "bags")]
    assert other.up_to(0) == []


async def test_the_oldest_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more labels than are kept whole documents of the oldest go, the count goes on, and a reader agrees."""
    monkeypatch.setattr(labels, "CHUNK", 4)
    monkeypatch.setattr(labels, "LABELS_MAX", 8)
    store = ShellStore()
    kept = Labels(store, Label, HEAD)
    await kept.read()
    for number in range(1, 15):
        await kept.add([said(number, "refund")])
    again = Labels(store, Label, HEAD)
    await again.read()
    for one in (kept, again):
        assert one.count == 14
        assert [label.contact for label in one.up_to(14)] == [f"c{number}" for number in range(9, 15)]
        assert one.up_to(9) == [said(9, "refund")]
        assert one.latest("c8") is None
    assert sorted(name for name in store.documents if name.startswith("labels:")) == ["labels:2", "labels:3"]


async def test_what_the_store_did_not_take_can_be_said_again() -> None:
    """While the store is down nothing is forgotten: the same labels are added when it is back."""
    store = ShellStore()
    kept = Labels(store, Label, HEAD)
    await kept.read()
    store.down = True
    with pytest.raises(StoreUnavailable):
        await kept.add([said(1, "refund")])
    store.down = False
    assert await kept.add([said(1, "refund")]) == 1
    assert kept.count == 1


@pytest.mark.parametrize(
    ("more", "raised"),
    [
        ({}, False),
        ({"priority": Priority.HIGH, "priority_set": True}, True),
        ({"priority": Priority.URGENT}, None),
        ({"priority": Priority.LOW, "priority_set": True}, False),
    ],
)
def test_a_handled_contact_teaches_what_it_took(more: dict[str, Any], raised: bool | None) -> None:
    """How long, of which topic and kind, and whether somebody raised it: nothing of that where it was high anyway."""
    assert took_of(WORKSPACE, contact(took=60_000, **more)) == Took("c1", "1-0", "refund email", 60_000, raised)


@pytest.mark.parametrize("more", [{}, {"took": 1, "messages": [ANSWER]}, {"took": 1, "flag": "erased"}])
def test_what_was_not_handled_teaches_no_effort(more: dict[str, Any]) -> None:
    """Nobody worked on it, we began it, or its customer was erased: no example."""
    assert took_of(WORKSPACE, contact(**more)) is None


async def test_a_crash_swallows_neither_kind_of_label() -> None:
    """What contacts say and no label does is found again by whoever leads next, and kept once."""
    store = ShellStore()
    state = State(workspace=WORKSPACE, contacts={"c1": contact(took=60_000)})
    for _ in range(2):
        hearing = Hearing(store)
        await hearing.begin(state)
        await hearing.note(state)
        assert (hearing.labels.count, hearing.handled.count) == (1, 1)
