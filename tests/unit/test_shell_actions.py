"""Actions: each command of a desk becomes its event; what makes no sense is refused in plain words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.core import events as e
from router.core.message import Address, Message
from router.core.state import State
from router.core.values import Priority, Status
from router.shell.actions import EVENT_OF, TEXT_CHARACTERS_MAX, Actions
from router.shell.understanding import Prepared, Refused
from router.shell.vault import Vault
from tests.support.shell_scene import PlainStationery, ShellStore, Stage, until, written

OWN: dict[str, Any] = {"at": 7, "inbox": "5-0", "agent": "ana"}


async def prepared(command: dict[str, object], text: str = "", state: State | None = None) -> Prepared:
    """What a command of ana's comes to; without a state there are no contacts."""
    actions = Actions(Vault(ShellStore()), PlainStationery(), str.upper)
    meta = msgspec.json.encode({"agent": "ana", **command})
    raw = msgspec.json.encode({"text": text}) if text else b""
    return await actions.prepare("5-0", meta, raw, state or State(), 7)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({"action": "status", "status": "busy"}, e.StatusSet(**OWN, status=Status.BUSY, target="ana")),
        (
            {"action": "status", "status": "away", "target": "ben"},
            e.StatusSet(**OWN, status=Status.AWAY, target="ben"),
        ),
        ({"action": "accept", "contact": "c1", "offer": "o1"}, e.OfferAccepted(**OWN, contact="c1", offer="o1")),
        (
            {"action": "decline", "contact": "c1", "offer": "o1", "reason": "busy"},
            e.OfferDeclined(**OWN, contact="c1", offer="o1", reason="busy"),
        ),
        ({"action": "take", "contact": "c1"}, e.ContactTaken(**OWN, contact="c1")),
        (
            {"action": "transfer", "contact": "c1", "to_agent": "ben"},
            e.TransferAsked(**OWN, contact="c1", to_agent="ben"),
        ),
        ({"action": "transfer", "contact": "c1", "to_team": "t"}, e.TransferAsked(**OWN, contact="c1", to_team="t")),
        ({"action": "transfer", "contact": "c1"}, e.TransferAsked(**OWN, contact="c1")),
        ({"action": "snooze", "contact": "c1", "until": 99}, e.ContactSnoozed(**OWN, contact="c1", until=99)),
        ({"action": "wake", "contact": "c1"}, e.ContactWoken(**OWN, contact="c1")),
        ({"action": "resolve", "contact": "c1"}, e.ContactResolved(**OWN, contact="c1")),
        ({"action": "reopen", "contact": "c1"}, e.ContactReopened(**OWN, contact="c1")),
        (
            {"action": "retag", "contact": "c1", "topics": ["a", "b"]},
            e.ContactRetagged(**OWN, contact="c1", topics=("a", "b")),
        ),
        (
            {"action": "priority", "contact": "c1", "priority": "urgent"},
            e.PrioritySet(**OWN, contact="c1", priority=Priority.URGENT),
        ),
        ({"action": "let_in", "contact": "c1"}, e.SenderLetIn(**OWN, contact="c1")),
        ({"action": "merge", "contact": "c2", "into": "c1"}, e.ContactsMerged(**OWN, contact="c2", into="c1")),
        ({"action": "call", "contact": "c1", "target": "ben"}, e.ColleagueCalled(**OWN, contact="c1", target="ben")),
        ({"action": "leave", "contact": "c1"}, e.ColleagueLeft(**OWN, contact="c1")),
        ({"action": "spam", "contact": "c1", "block": True}, e.SpamMarked(**OWN, contact="c1", block=True)),
        ({"action": "unblock", "contact": "c1"}, e.SenderUnblocked(**OWN, contact="c1")),
        (
            {"action": "customer", "contact": "c1", "language": "es", "consent": False},
            e.CustomerDescribed(**OWN, contact="c1", language="es", consent=False),
        ),
        ({"action": "incident_end", "incident": "i1"}, e.IncidentEnded(**OWN, incident="i1")),
    ],
)
async def test_a_command_becomes_its_event(command: dict[str, object], expected: e.Event) -> None:
    """Each action without words becomes the event of its name, at the time and under the entry it came by."""
    found = await prepared(command)
    assert found.event == expected
    assert (found.finished, found.blobs) == (["5-0"], [])


WRITTEN = (
    ("note", e.NoteWritten),
    ("reply", e.ReplyWritten),
    ("transfer", e.TransferAsked),
    ("call", e.ColleagueCalled),
)


async def test_what_is_written_becomes_a_blob_beside_its_event() -> None:
    """Replies, notes and hand-over notes are blobs under the entry's id, locked with the customer's key."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        owner = stage.contacts[0].messages[0].sender
        for action, kind in WRITTEN:
            actions = Actions(stage.vault, PlainStationery(), str.upper)
            meta = msgspec.json.encode({"agent": "ana", "action": action, "contact": contact, "resolve": True})
            found = await actions.prepare("9-0", meta, b'{"text":"Hello"}', stage.leader.engine.state, 7)
            assert isinstance(found.event, kind)
            assert found.event.message == "9-0"
            [blob] = found.blobs
            assert (blob.blob, blob.identity) == ("message:9-0", owner)
            message = msgspec.json.decode(blob.plain, type=Message)
            assert (message.text, message.channel) == ("Hello", "email" if action == "reply" else "note")
            if isinstance(found.event, e.ReplyWritten):
                assert found.event.resolve


async def test_nobody_is_answered_who_was_somebody_else_after_all() -> None:
    """Once a link was undone, what they wrote in another's contact is no message of its customer's to answer."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        found = stage.contacts[0]
        found.parted, found.participants = found.participants, []
        answered = found.messages[0].id
        assert (await stage.act("ana", "reply", contact=contact, text="Hi")).code == "no-way-back"
        assert (await stage.act("ana", "reply", contact=contact, text="Hi", answers=answered)).code == "bad-request"


async def started(**personal: str) -> Prepared:
    """What comes of ana's wish to write to somebody first."""
    actions = Actions(Vault(ShellStore()), PlainStationery(), str.upper)
    meta = b'{"agent":"ana","action":"start","topics":["refund"]}'
    return await actions.prepare("5-0", meta, msgspec.json.encode(personal), State(), 7)


async def test_a_contact_is_opened_by_a_mail_that_carries_its_id() -> None:
    """The contact's id is made of the entry's, for the mail's signed names to carry it; the blob is its reader's."""
    found = await started(to=" Carla@Example.org", subject="Your\nbag", text="We found it.")
    assert found.event == e.ContactStarted(
        **OWN,
        contact="a5-0",
        message="5-0",
        channel="email",
        kind="email",
        account="",
        recipient="CARLA@EXAMPLE.ORG",
        topics=("refund",),
    )
    [blob] = found.blobs
    assert (blob.blob, blob.identity) == ("message:5-0", "CARLA@EXAMPLE.ORG")
    message = msgspec.json.decode(blob.plain, type=Message)
    assert message.to == (Address(address="carla@example.org"),)
    assert (message.subject, message.text, message.message_id) == (
        "Your bag",
        "We found it.",
        "u.a5-0.5-0@acme.example",
    )
    assert message.reply_to == (Address(address="help+a5-0@acme.example"),)
    assert found.finished == ["5-0"]


@pytest.mark.parametrize(
    ("personal", "code"),
    [
        ({"to": "carla@example.org", "subject": "Bag"}, "empty"),
        ({"to": "carla@example.org", "subject": "Bag", "text": " \n"}, "empty"),
        ({"to": "carla@example.org", "text": "Hello"}, "bad-request"),
        ({"to": "carla@example.org", "text": "Hello", "subject": "x" * 301}, "bad-request"),
        ({"to": "", "subject": "Bag", "text": "Hello"}, "bad-request"),
        ({"to": "carla", "subject": "Bag", "text": "Hello"}, "bad-request"),
        ({"to": "a@example.org, b@example.org", "subject": "Bag", "text": "Hello"}, "bad-request"),
        ({"to": "a@example.org\r\nBcc: b@example.org", "subject": "Bag", "text": "Hello"}, "bad-request"),
        ({"to": "x" * 250 + "@example.org", "subject": "Bag", "text": "Hello"}, "bad-request"),
    ],
)
async def test_a_contact_is_opened_to_one_address_with_a_subject_and_words(personal: dict[str, str], code: str) -> None:
    """Without words, a subject, or one plain address there is no mail to send."""
    with pytest.raises(Refused) as refused:
        await started(**personal)
    assert refused.value.code == code


async def test_more_can_be_said_before_the_customer_answers() -> None:
    """What an agent adds to a contact they opened goes to the same person, in the same thread."""
    stage = Stage()
    async with stage.leading():
        words = {"to": "carla@example.org", "subject": "Your bag", "text": "We found it."}
        outcome = await stage.act("ana", "start", **words)
        assert outcome.ok, outcome
        again = await stage.act("ana", "reply", contact=outcome.contact, text="It is green.")
        assert again.ok, again
        contact = stage.leader.engine.state.contacts[outcome.contact]
        first, second = (await stage.vault.messages([ref.id for ref in contact.messages])).values()
        assert second.to == first.to == (Address(address="carla@example.org"),)
        assert second.in_reply_to == first.message_id
        assert second.subject == "Re: Your bag"


async def test_every_action_that_exists_is_shown_here() -> None:
    """No action is left out of these tests."""
    shown = {"reply", "note", "start", "link", "unlink", "incident"} | {
        case[0]["action"]
        for case in test_a_command_becomes_its_event.pytestmark[0].args[1]  # type: ignore[attr-defined]
    }
    assert shown == set(EVENT_OF)


@pytest.mark.parametrize(
    ("command", "text", "code"),
    [
        ({"action": "dance"}, "", "bad-request"),
        ({"action": ""}, "", "bad-request"),
        ({}, "", "bad-request"),
        ({"action": "status"}, "", "bad-request"),
        ({"action": "status", "status": "asleep"}, "", "bad-request"),
        ({"action": "status", "status": 5}, "", "bad-request"),
        ({"action": "priority", "contact": "c1", "priority": "now"}, "", "bad-request"),
        ({"action": "snooze", "contact": "c1", "until": "tomorrow"}, "", "bad-request"),
        ({"action": "retag", "contact": "c1", "topics": "a"}, "", "bad-request"),
        ({"action": "take", "contact": ["c1"]}, "", "bad-request"),
        ({"action": "reply", "contact": "c1"}, "", "empty"),
        ({"action": "note", "contact": "c1"}, "", "empty"),
        ({"action": "reply", "contact": "c1"}, "Hello", "no-such-contact"),
        ({"action": "note", "contact": "c1"}, "Hello", "no-such-contact"),
        ({"action": "reply", "contact": "c1"}, "x" * (TEXT_CHARACTERS_MAX + 1), "too-long"),
    ],
)
async def test_what_makes_no_sense_is_refused_plainly(command: dict[str, object], text: str, code: str) -> None:
    """An action or a value that does not exist is refused with a code and a sentence, and becomes no event."""
    with pytest.raises(Refused) as caught:
        await prepared(command, text)
    assert caught.value.code == code
    assert caught.value.detail
    assert "Traceback" not in caught.value.detail


async def test_the_recipients_of_a_reply_are_frozen_when_it_is_written() -> None:
    """What the customer writes afterwards, from another address, changes nothing about a reply already written."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding(written("one", cc=(Address(address="bob@customer.example"),)))
        assert (await stage.act("ana", "reply", contact=contact, text="Hi", cc=["bob@customer.example"])).ok
        reply = stage.contacts[0].messages[-1].id
        await stage.receive(
            written(
                "two", sender="bob@customer.example", in_reply_to=contact, reply_to=(Address(address="x@y.example"),)
            )
        )
        await until(lambda: len(stage.contacts[0].messages) == 3)
        message = (await stage.vault.messages([reply]))[reply]
        assert [one.address for one in (*message.to, *message.cc)] == ["ada@customer.example", "bob@customer.example"]


async def test_a_copy_to_a_stranger_is_refused() -> None:
    """An agent cannot send a reply to an address that was not on the customer's message."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        outcome = await stage.act("ana", "reply", contact=contact, text="Hi", cc=["eve@evil.example"])
        assert (outcome.ok, outcome.code) == (False, "not-allowed")


async def test_a_quarantined_message_cannot_be_answered() -> None:
    """Where nobody knows who wrote there is no way back, and the agent is told so."""
    stage = Stage()
    async with stage.leading():
        await stage.act("ana", "status", status="available")
        message = await stage.receive(b"no json")
        contact = await until(lambda: stage.contact_of(message))
        assert (await stage.act("ana", "take", contact=contact.id)).ok
        outcome = await stage.act("ana", "reply", contact=contact.id, text="Hi")
        assert (outcome.ok, outcome.code) == (False, "no-way-back")


async def test_auto_mail_is_not_what_a_reply_answers() -> None:
    """A reply goes to the customer's last own message, not to an auto-reply that came after it."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding(written("one"))
        await stage.receive(
            written("away", auto="auto-reply", in_reply_to=contact, reply_to=(Address(address="robot@x.example"),))
        )
        await until(lambda: len(stage.contacts[0].messages) == 2)
        assert (await stage.act("ana", "reply", contact=contact, text="Hi")).ok
        reply = stage.contacts[0].messages[-1].id
        message = (await stage.vault.messages([reply]))[reply]
        assert [one.address for one in message.to] == ["ada@customer.example"]
        assert message.in_reply_to == "one@customer.example"


@pytest.mark.parametrize(
    ("agent", "reason", "detail"),
    [
        ("slack:U012AB3CD", "command take", "slack:U012AB3CD command take"),
        ("slack:carla@example.org", "say", "an id that is none"),
        ("slack:U012AB3CD", "<b>", "an id that is none"),
    ],
)
async def test_what_a_stranger_tried_is_refused_and_recorded(agent: str, reason: str, detail: str) -> None:
    """The record says who and what in opaque ids and words of ours; anything else stays out of the journal."""
    actions = Actions(Vault(ShellStore()), PlainStationery(), str.upper)
    meta = msgspec.json.encode({"agent": agent, "action": "tried", "reason": reason})
    with pytest.raises(Refused) as caught:
        await actions.prepare("5-0", meta, b"", State(), 7)
    assert (caught.value.code, caught.value.detail) == ("not-on-roster", detail)


async def test_why_two_are_one_is_a_note_beside_its_event() -> None:
    """A link and its undoing say why, in a note that is locked with the customer's key; never without words."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        owner = stage.contacts[0].messages[0].sender
        actions = Actions(stage.vault, PlainStationery(), str.upper)
        state = stage.leader.engine.state
        for fields, kind in (
            ({"action": "link", "other": "c2"}, e.IdentitiesLinked),
            ({"action": "unlink", "link": "l1"}, e.LinkUndone),
        ):
            meta = msgspec.json.encode({"agent": "ana", "contact": contact, **fields})
            found = await actions.prepare("9-0", meta, b'{"text":"They said so."}', state, 7)
            assert isinstance(found.event, kind)
            assert found.event.message == "9-0"
            assert [(blob.blob, blob.identity) for blob in found.blobs] == [("message:9-0", owner)]
            with pytest.raises(Refused, match="nothing written"):
                await actions.prepare("9-0", meta, b"", state, 7)


async def test_what_is_told_in_an_incident_is_nobodys() -> None:
    """Its words are kept under a key that no erasing deletes."""
    actions = Actions(Vault(ShellStore()), PlainStationery(), str.upper)
    meta = b'{"agent":"ana","action":"incident","incident":"i1","tell":true}'
    found = await actions.prepare("5-0", meta, b'{"text":"We are on it."}', State(), 7)
    assert found.event == e.IncidentAnswered(**OWN, incident="i1", message="5-0", tell=True)
    assert [(blob.blob, blob.identity) for blob in found.blobs] == [("message:5-0", "system")]
    with pytest.raises(Refused, match="nothing written"):
        await actions.prepare("5-0", meta, b"", State(), 7)


async def test_an_invitation_goes_to_the_one_reader_of_a_letter() -> None:
    """It stands below the words and above the signature, for the identity that the letter is sent to."""
    stage = Stage()
    asked: list[tuple[str, str | None]] = []

    def invite(identity: str, language: str | None, _: int) -> str:
        asked.append((identity, language))
        return "Go on: https://chat"

    async with stage.leading():
        contact = await stage.holding()
        actions = Actions(stage.vault, PlainStationery(), str.upper, invite)
        meta = msgspec.json.encode({"agent": "ana", "action": "reply", "contact": contact})
        found = await actions.prepare("9-0", meta, b'{"text":"Hello"}', stage.leader.engine.state, 7)
        message = msgspec.json.decode(found.blobs[0].plain, type=Message)
        assert (message.text, message.full_text) == ("Hello", "Hello\n\nGo on: https://chat")
        assert asked == [(message.to[0].address.upper(), stage.contacts[0].language)]


async def test_an_answer_goes_by_the_channel_of_what_it_answers() -> None:
    """Not by the one that the customer has changed to since the agent looked."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        state = stage.leader.engine.state
        first = state.contacts[contact].messages[0]
        first.channel, state.contacts[contact].channel = "email", "webchat"
        actions = Actions(stage.vault, PlainStationery(), str.upper)
        for answers, channel in ((first.id, "email"), ("", "")):
            meta = msgspec.json.encode({"agent": "ana", "action": "reply", "contact": contact, "answers": answers})
            found = await actions.prepare("9-0", meta, b'{"text":"Hello"}', state, 7)
            assert isinstance(found.event, e.ReplyWritten)
            assert found.event.channel == channel
