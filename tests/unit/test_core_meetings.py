"""Where two of the engine's parts meet: joined contacts and links, moods, thanks; shared threads; a storm."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.links import heard
from router.core.transitions import ContactState
from router.core.values import Priority
from router.web.chat_view import VisitorView
from tests.support.engine_scene import ANA, BEN, HOUR, SUE, Scene, pushing
from tests.unit.test_core_colleagues import call, merge, spam
from tests.unit.test_core_intake import ANGRY
from tests.unit.test_core_links import link, undo
from tests.unit.test_core_shared_threads import writes


def let_in(scene: Scene, contact: str, agent: str = "sue") -> None:
    """A supervisor knows who it is."""
    scene.apply(e.SenderLetIn(at=scene.at, agent=agent, contact=contact))


def test_a_contact_is_not_let_into_itself() -> None:
    """Linked and merged into the flagged one that claims it, a contact is that one: there is nothing to let in."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("p1")
    assert scene.mail("p2", thread="c1") == "c2"
    link(scene, "c2", "c1")
    merge(scene, "c1", "c2", "sue")
    let_in(scene, "c2")
    assert scene.refused() == "bad-state"
    assert scene.mail("p1", thread="c1") == "c2"


@pytest.mark.parametrize("how", ["merged", "let in"])
def test_what_joins_brings_its_mood(how: str) -> None:
    """An angry message is angry in the contact it stands in from now on, where a rule asks for it."""
    scene = Scene(pushing(ANA, SUE, rules=(ANGRY,)), away=("sue",))
    scene.mail("p1")
    if how == "merged":
        scene.mail("p1", moods=("angry",))
        merge(scene, agent="sue")
    else:
        scene.mail("p2", thread="c1", moods=("angry",))
        let_in(scene, "c2")
    assert scene.contact("c1").moods == ("angry",)
    assert scene.contact("c1").priority is Priority.HIGH


def test_what_joins_brings_those_who_took_part_until_a_link_was_undone() -> None:
    """Their words stand in the other contact now, so that they are known there as they were."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    undo(scene, "c1")
    assert scene.contact("c1").parted == ["v"]
    scene.mail("m")
    scene.mail("m", thread="c1")
    merge(scene, "c1", "c2", "sue")
    assert scene.contact("c2").parted == ["v"]
    assert scene.contact("c2").participants == ["m"]


def test_a_contact_goes_with_whoever_opened_it_though_older_words_were_merged_into_it() -> None:
    """Undoing the link of two who were merged gives the newer contact to neither the wrong one nor a stranger."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("p1")
    scene.wait(HOUR)
    scene.mail("p2")
    link(scene, "c1", "c2")
    merge(scene, "c1", "c2", "sue")
    undo(scene, "c2")
    assert scene.contact("c2").customer == scene.engine.state.identities["p2"]
    assert scene.contact("c1").customer == scene.engine.state.identities["p1"]
    assert scene.contact("c2").participants == ["p2"]


def senders(scene: Scene, contact: str) -> list[str | None]:
    """Who wrote what stands in a contact, but for notes."""
    return [ref.sender for ref in scene.contact(contact).messages if ref.direction == "in"]


def test_what_was_merged_comes_apart_with_the_link() -> None:
    """Each has their own words again, what nobody answered is open, and no thread of the one leads to the other's."""
    scene = Scene(pushing(ANA, BEN, SUE))
    for sender in ("p1", "p2", "p2"):
        scene.mail(sender)
        scene.wait(1_000)
    link(scene, "c1", "c2")
    for contact in ("c2", "c3"):
        merge(scene, contact, "c1", "sue")
    assert scene.mail("p2", thread="c3") == "c1"
    assert senders(scene, "c1") == ["p1", "p2", "p2", "p2"]
    undo(scene, "c1")
    assert [one.contact for one in scene.last if isinstance(one, d.ReopenContact)] == ["c3", "c2"]
    assert [senders(scene, name) for name in ("c1", "c2", "c3")] == [["p1"], ["p2"], ["p2", "p2"]]
    assert [scene.contact(name).joined for name in ("c1", "c2", "c3")] == [None] * 3
    assert scene.mail("p2", thread="c2") == "c2"
    assert scene.contact("c2").flag == ""


def test_what_was_merged_and_answered_comes_apart_and_stays_closed() -> None:
    """The customer's next words in their thread open it again, as any that was resolved; other joined ones stay so."""
    scene = Scene(pushing(ANA, BEN, SUE))
    for sender in ("p1", "p2", "p2"):
        scene.mail(sender)
        scene.wait(1_000)
    merge(scene, "c3", "c2", "sue")
    link(scene, "c1", "c2")
    merge(scene, "c1", "c2", "sue")
    scene.resolve("c2", scene.contact("c2").agent or "")
    undo(scene, "c2")
    assert scene.none(d.ReopenContact)
    assert scene.contact("c3").joined == "c2"
    assert (scene.contact("c1").joined, scene.contact("c1").state) == (None, ContactState.RESOLVED)
    assert scene.mail("p1", thread="c1") == "c1"
    assert scene.contact("c1").state is not ContactState.RESOLVED


def test_who_was_let_in_before_a_link_is_nobody_there_after_it_was_undone() -> None:
    """Their contact is theirs again, and says as before whose thread it claims."""
    scene = Scene(pushing(ANA, BEN, SUE))
    scene.mail("p1")
    scene.mail("p2")
    assert scene.chat("p2", thread="c1") == "c3"
    let_in(scene, "c3")
    link(scene, "c1", "c2")
    undo(scene, "c1")
    assert (scene.contact("c3").joined, scene.contact("c3").flag) == (None, "unknown-sender")
    assert [ref.channel for ref in scene.contact("c3").messages] == [""]


def test_who_is_linked_keeps_their_own_chat() -> None:
    """Two browsers of one customer are two conversations: neither is a stranger in the other's, however often."""
    scene = Scene(pushing(ANA, SUE))
    scene.chat("b1")
    scene.chat("b2")
    link(scene, "c1", "c2")
    assert scene.chat("b1") == "c1"
    assert scene.chat("b2") == "c2"
    scene.resolve("c1", "sue")
    assert scene.chat("b1", thanks=True) == "c1"
    assert scene.chat("b1") == "c3"
    assert scene.contact("c3").flag == ""


def test_thanks_by_a_colleague_in_a_shared_thread() -> None:
    """Whoever says thanks there takes part, as with any other words, and nothing is reopened."""
    scene = Scene(pushing(ANA))
    writes(scene, "p1", "t1")
    scene.resolve("c1")
    assert writes(scene, "p2", "t1", thanks=True) == "c1"
    assert scene.contact("c1").state is ContactState.RESOLVED
    assert scene.contact("c1").participants == ["p1", "p2"]


def test_thanks_where_somebody_went_on_from_another_channel() -> None:
    """They stand in the contact that was gone on with, and open no other; what asks for more does."""
    scene = Scene(pushing(ANA))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    scene.resolve("c1")
    assert scene.chat("v", thanks=True) == "c1"
    assert scene.contact("c1").state is ContactState.RESOLVED
    assert scene.chat("v") == "c2"


def test_what_is_only_filed_keeps_its_own_channel() -> None:
    """An auto-reply by mail, in a contact that went on in a chat, is no chat message."""
    scene = Scene(pushing(ANA))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    assert scene.mail("m", thread="c1", auto="auto-reply") == "c1"
    assert [ref.channel or scene.contact("c1").channel for ref in scene.contact("c1").messages] == [
        "email", "webchat", "email",
    ]  # fmt: skip


def test_what_is_let_in_keeps_its_own_channel() -> None:
    """A stranger's mail, let into a contact that went on in a chat, is no chat message."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    assert scene.mail("p9", thread="c1") == "c2"
    let_in(scene, "c2")
    assert [ref.channel or scene.contact("c1").channel for ref in scene.contact("c1").messages] == [
        "email", "webchat", "email",
    ]  # fmt: skip


def test_nobody_is_asked_in_a_storm_of_bounces() -> None:
    """While answers come back by the hundred, machines ask nobody how it was either."""
    scene = Scene(pushing(ANA, csat="unless-refused"))
    scene.mail("p1")
    scene.engine.state.bounce_storm_until = scene.at + HOUR
    scene.reply("c1", resolve=True)
    assert scene.none(d.SendAutoAnswer)
    assert not scene.contact("c1").asked


def test_nobody_looks_on_where_nothing_is_left() -> None:
    """A contact that was let in has no colleague called in any more."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben", "sue"))
    scene.mail("p1")
    scene.mail("p2", thread="c1")
    call(scene, contact="c2", agent="sue")
    let_in(scene, "c2")
    assert scene.contact("c2").called == []


def test_who_becomes_the_owner_is_no_longer_called_in() -> None:
    """A colleague who takes a contact over does not look on beside themselves."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben", "sue"))
    scene.mail("p1")
    call(scene)
    scene.transfer("c1", to_agent="ben")
    assert scene.contact("c1").called == []


def test_what_a_blocked_sender_wrote_opens_nothing_though_nobody_can_read_it() -> None:
    """It is kept on the list of what is blocked, as all that they write."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    spam(scene, block=True)
    scene.apply(
        e.MessageQuarantined(
            at=scene.at, message="9-1", channel="email", kind="email", account="help", reason="bad", sender="p1"
        )
    )
    assert scene.engine.state.autos["9-1"].auto == "blocked"
    assert scene.none(d.OpenContact)


def test_what_was_merged_asleep_sleeps_no_more() -> None:
    """The contact that was joined has no instant left at which it is to wake."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("p1")
    scene.mail("p1")
    scene.snooze("c2", HOUR)
    merge(scene)
    assert scene.contact("c2").snoozed_until is None


def test_going_back_to_the_first_channel() -> None:
    """Telegram, then the chat by a link, then Telegram again: it is one contact all the way."""
    scene = Scene(pushing(ANA))
    there = {"channel": "telegram", "kind": "messaging", "account": "bot"}
    scene.mail("t", **there)
    assert scene.chat("v", proves="t", proof="x1") == "c1"
    assert scene.mail("t", **there) == "c1"
    assert scene.chat("v") == "c1"


def test_answers_go_back_to_where_those_wrote_who_are_left() -> None:
    """Mail that went on in a chat of somebody else, as it turned out, is answered by mail, and nobody in the chat."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    undo(scene, "c1")
    assert [ref.sender for ref in heard(scene.contact("c1"))] == ["m"]
    scene.reply("c1")
    assert scene.one(d.SendReply).channel == "email"
    assert [ref.channel for ref in scene.contact("c1").messages if ref.sender == "v"] == ["webchat"]


def test_a_visitor_whose_contacts_were_merged_is_told_of_the_one_that_goes_on() -> None:
    """The newer one is closed since its words stand in the other: the conversation is not over for all that."""
    scene = Scene(pushing(ANA, SUE))
    scene.mail("p1")
    scene.mail("p1")
    merge(scene)
    state = scene.engine.state
    source = Mock(state=state)
    source.names.person.return_value = None
    index = Mock(of_customer=Mock(return_value=[state.contacts["c2"], state.contacts["c1"]]))
    assert VisitorView(source, Mock(), index, Mock()).standing("p1").state == "open"
