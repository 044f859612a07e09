"""Merging contacts, calling a colleague in, spam, and people whose messages nobody wants."""

from __future__ import annotations

from typing import Any

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core import unwanted
from router.core.leaving import MESSAGES_MAX
from router.core.transitions import ContactState
from tests.support.engine_scene import ANA, BEN, HOUR, SUE, Scene, pushing


def two(**more: Any) -> Scene:
    """Ana owns c1 and c2, both of the customer p1; Ben and Sue are there."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben", "sue"))
    scene.mail("p1")
    scene.mail("p1", **more)
    return scene


def merge(scene: Scene, contact: str = "c2", into: str = "c1", agent: str = "ana") -> None:
    """Ana finds that both are about the same."""
    scene.apply(e.ContactsMerged(at=scene.at, agent=agent, contact=contact, into=into))


def call(scene: Scene, target: str = "ben", agent: str = "ana", contact: str = "c1", message: str = "") -> None:
    """Ana wants Ben's word."""
    scene.apply(e.ColleagueCalled(at=scene.at, agent=agent, contact=contact, target=target, message=message))


def spam(scene: Scene, agent: str = "ana", *, block: bool = False) -> None:
    """Ana has seen enough."""
    scene.apply(e.SpamMarked(at=scene.at, agent=agent, contact="c1", block=block))


def test_merging_brings_messages_together() -> None:
    """All that was written stands in the other contact, in order, and the one that was merged is closed."""
    scene = two()
    merge(scene)
    assert scene.one(d.JoinContacts) == d.JoinContacts(contact="c2", into="c1")
    assert scene.contact("c2").state is ContactState.RESOLVED
    assert scene.contact("c2").joined == "c1"
    assert [ref.direction for ref in scene.contact("c1").messages] == ["in", "in"]
    assert scene.contact("c1").agent == "ana"


def test_an_answer_owed_is_owed_since_then() -> None:
    """What waited for an answer brings its promise along, and wakes a contact that had been answered."""
    scene = two()
    scene.reply("c1")
    since = scene.contact("c2").response_from
    scene.wait(HOUR)
    merge(scene)
    assert scene.contact("c1").state is ContactState.ASSIGNED
    assert scene.contact("c1").response_from == since


def test_the_older_of_two_promises_stands() -> None:
    """Merging the older into the newer makes the newer as urgent as the older was."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.wait(HOUR)
    scene.mail("p1")
    first = scene.contact("c1").response_from
    merge(scene, "c1", "c2")
    assert scene.contact("c2").response_from == first


def test_what_was_answered_wakes_nothing() -> None:
    """Merging a contact that waits on its customer leaves the other as it is."""
    scene = two()
    scene.reply("c1")
    scene.reply("c2")
    merge(scene)
    assert scene.contact("c1").state is ContactState.WAITING_CUSTOMER


def test_what_waits_is_merged_into_ones_own() -> None:
    """An agent pulls in what nobody has, also while it is offered to somebody; not what a colleague has."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben",))
    for _ in range(3):
        scene.mail("p1")
    assert scene.contact("c3").state is ContactState.WAITING
    merge(scene, "c3")
    assert scene.contact("c3").joined == "c1"
    scene.take("c2", "sue")
    merge(scene)
    assert scene.refused() == "not-yours"
    merge(scene, agent="sue")
    assert scene.contact("c2").joined == "c1"


@pytest.mark.parametrize(
    ("contact", "into", "code"),
    [("c2", "c9", "no-such-contact"), ("c1", "c1", "bad-state"), ("c3", "c1", "not-one"), ("c4", "c1", "not-one")],
)
def test_not_everything_can_be_merged(contact: str, into: str, code: str) -> None:
    """Nothing crosses customers or channels, and a contact is not merged into itself or into nothing."""
    scene = two()
    scene.mail("p2")
    scene.chat("p1")
    merge(scene, contact, into)
    assert scene.refused() == code


def test_closed_and_full_contacts_are_not_merged() -> None:
    """What is resolved, or merged already, stays so; a contact takes only so many messages; a stranger merges none."""
    scene = two()
    scene.resolve("c2")
    merge(scene)
    assert scene.refused() == "not-open"
    merge(scene, "c1", "c2")
    assert scene.refused() == "not-open"
    scene = two()
    scene.contact("c1").messages *= MESSAGES_MAX
    event = e.ContactsMerged(at=scene.at, agent="ana", contact="c2", into="c1")
    assert scene.engine.apply(event) == (d.Refuse(code="bad-state", detail="assigned"),)
    scene = two()
    merge(scene)
    merge(scene)
    assert scene.refused() == "bad-state"


def test_a_called_colleague_is_on_the_contact_until_it_is_done() -> None:
    """Calling leaves a note and takes nobody's room; whoever was called may call others, and leave."""
    scene = two()
    call(scene, message="n1")
    assert scene.contact("c1").called == ["ben"]
    assert [ref.id for ref in scene.contact("c1").messages if ref.direction == "note"] == ["n1"]
    assert not scene.engine.state.agents["ben"].held
    call(scene, "sue", agent="ben")
    assert scene.contact("c1").called == ["ben", "sue"]
    scene.apply(e.ColleagueLeft(at=scene.at, agent="ben", contact="c1"))
    assert scene.contact("c1").called == ["sue"]
    scene.apply(e.ColleagueLeft(at=scene.at, agent="ben", contact="c1"))
    assert scene.refused() == "bad-state"
    scene.resolve("c1")
    assert scene.contact("c1").called == []
    call(scene)
    assert scene.refused() == "not-open"


@pytest.mark.parametrize(
    ("target", "agent", "code"),
    [("zoe", "ana", "no-such-agent"), ("ana", "ana", "already-there"), ("sue", "ben", "not-yours")],
)
def test_who_may_be_called_by_whom(target: str, agent: str, code: str) -> None:
    """Only agents, not the owner, and only by those who have the contact, were called in, or supervise."""
    scene = two()
    call(scene, target, agent)
    assert scene.refused() == code


def test_spam_is_closed_and_teaches_nothing() -> None:
    """Spam is closed without an answer, its handling is no lesson; reopened it is a contact like others."""
    scene = two()
    before = dict(scene.engine.state.efforts)
    scene.wait(HOUR)
    spam(scene)
    assert scene.contact("c1").state is ContactState.RESOLVED
    assert scene.contact("c1").spam
    assert scene.engine.state.efforts == before
    scene.apply(e.ContactReopened(at=scene.at, agent="ana", contact="c1"))
    assert not scene.contact("c1").spam


def test_only_who_may_close_it_calls_it_spam() -> None:
    """A colleague does not."""
    scene = two()
    spam(scene, "ben")
    assert scene.refused() == "not-yours"
    assert not scene.contact("c1").spam


def test_a_blocked_sender_opens_nothing() -> None:
    """What they write is listed and answers nothing, until they are let back in, or a year has passed."""
    scene = two()
    spam(scene, block=True)
    assert scene.mail("p1") == ""
    assert scene.one(d.FileAuto).auto == "blocked"
    scene.apply(e.SenderUnblocked(at=scene.at, agent="ben", contact="c1"))
    assert scene.refused() == "not-yours"
    scene.apply(e.SenderUnblocked(at=scene.at, agent="ana", contact="c1"))
    assert scene.mail("p1") == "c3"
    scene.apply(e.SenderUnblocked(at=scene.at, agent="ana", contact="c1"))
    assert scene.refused() == "bad-state"


def test_a_block_is_lifted_without_any_contact() -> None:
    """By who they are alone; whoever else is blocked stays so, and who is not is none the wiser."""
    scene = Scene(pushing(ANA))
    for name in ("p1", "p2"):
        scene.apply(e.SpamMarked(at=scene.at, agent="ana", contact=scene.mail(name), block=True))
    scene.apply(e.BlockLifted(at=scene.at, identities=("p1", "nobody")))
    assert list(scene.engine.state.blocked) == ["p2"]
    assert (scene.mail("p1"), scene.mail("p2")) == ("c3", "")


def test_a_block_ends_after_a_year() -> None:
    """Nobody is blocked for ever."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    spam(scene, block=True)
    scene.at += unwanted.BLOCKED_MS
    assert scene.mail("p1") != ""


def test_whoever_was_in_copy_is_not_blocked() -> None:
    """A block is for who wrote, not for who was written to."""
    scene = Scene(pushing(ANA))
    scene.mail("p1", cc=("p2",))
    spam(scene, block=True)
    assert list(scene.engine.state.blocked) == ["p1"]
    assert scene.mail("p2") == "c2"


def test_blocks_are_bounded_and_go_with_an_erased_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first; of who is erased nothing stays, the block neither."""
    monkeypatch.setattr(unwanted, "BLOCKED_MAX", 1)
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.mail("p2")
    scene.apply(e.SpamMarked(at=scene.at, agent="ana", contact="c1", block=True))
    scene.apply(e.SpamMarked(at=scene.at, agent="ana", contact="c2", block=True))
    assert list(scene.engine.state.blocked) == ["p2"]
    scene.apply(e.CustomerErased(at=scene.at, erasure="x1", contact="c2"))
    assert scene.engine.state.blocked == {}


def test_thanks_after_the_end_reopen_nothing() -> None:
    """They are attached, and the contact stays closed; anything else opens it again."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.resolve("c1")
    assert scene.mail("p1", thread="c1", thanks=True) == "c1"
    assert scene.contact("c1").state is ContactState.RESOLVED
    assert scene.mail("p1", thread="c1") == "c1"
    assert scene.contact("c1").state is ContactState.ASSIGNED
    scene.reply("c1")
    scene.mail("p1", thread="c1", thanks=True)
    assert scene.contact("c1").state is ContactState.ASSIGNED


def test_thanks_in_a_chat_that_ended_open_no_other() -> None:
    """They stand in the one that ended last; another's chat, or one that left long ago, is not meant."""
    scene = Scene(pushing(ANA))
    scene.chat("p1")
    scene.resolve("c1")
    scene.chat("p1")
    scene.resolve("c2")
    assert scene.chat("p1", thanks=True) == "c2"
    assert scene.contact("c2").state is ContactState.RESOLVED
    assert scene.chat("p2", thanks=True) == "c3"
    assert scene.chat("p1") == "c4"
    scene.resolve("c4")
    scene.apply(e.ContactReopened(at=scene.at, agent="ana", contact="c4"))
    assert scene.chat("p1", thanks=True) == "c4"
    scene.resolve("c4")
    scene.wait(scene.engine.state.workspace.reopen_window + HOUR)
    assert scene.engine.index.chats.ended == {}
    assert scene.chat("p1", thanks=True) == "c5"


def test_thanks_of_an_erased_customer_are_a_new_ones() -> None:
    """Nothing of an erased customer's conversations is found again, nor one that was merged or is full."""
    scene = Scene(pushing(ANA))
    scene.chat("p1")
    scene.resolve("c1")
    scene.apply(e.CustomerErased(at=scene.at, erasure="x1", contact="c1"))
    assert scene.engine.index.chats.ended == {}
    assert scene.chat("p1", thanks=True) == "c2"
    scene.resolve("c2")
    scene.contact("c2").joined = "c1"
    event = e.MessageReceived(
        at=scene.at, message="9-9", channel="webchat", kind="chat", account="help", sender="p1", thanks=True
    )
    scene.engine.apply(event)
    assert scene.engine.index.place["9-9"] == "c3"
