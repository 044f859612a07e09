"""Understanding: who wrote and where it says it belongs, recorded without a name or an address."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from router.core.events import AnswerSeen, MessageQuarantined, MessageReceived, MessageReleased
from router.core.message import Address, Message
from router.shell.channel import Channel
from router.shell.identities import external_of, identity_of
from router.shell.understanding import PARTICIPANTS_MAX, Facts, Source, received, released, source_of
from router.shell.workers import Understood
from tests.support.shell_scene import match_thread, read_json

SECRET = b"s" * 32
CHANNEL = Channel(name="email", normalise=read_json, hostile=True, kind=lambda _: "email", thread=match_thread)
OWN = frozenset({"help@acme.example", "orders@acme.example"})
FACTS = Facts(secret=SECRET, own=OWN, tier_of=lambda address: "gold" if address.startswith("ada@") else None)
SOURCE = Source(inbox="5-0", message="5-0", channel="email", kind="email", account="help@acme.example")


def who(address: str) -> str:
    """The keyed hash of an address."""
    return identity_of(SECRET, "email", address)


def addresses(*names: str) -> tuple[Address, ...]:
    """Addresses as on a mail."""
    return tuple(Address(address=name) for name in names)


def event_of(source: Source = SOURCE, sender: str = "ada@x.example", **more: Any) -> MessageReceived:
    """The event of a message that was understood."""
    message = Message(channel="email", from_=Address(address=sender), **more)
    found = received(source, Understood(message=message), b"raw", CHANNEL, FACTS, 9).event
    assert isinstance(found, MessageReceived)
    return found


def test_our_own_addresses_are_no_participants() -> None:
    """Whoever else is on the mail may write in its contact; we, plain or with a signed tag, are not among them."""
    event = event_of(
        to=addresses("help@acme.example", "help+t_c1_mac@acme.example", "bob@x.example", "help@other.example"),
        cc=addresses("orders+x@acme.example", "cy@x.example", "ada@x.example", ""),
    )
    assert event.cc == tuple(sorted(map(who, ("bob@x.example", "cy@x.example", "help@other.example"))))
    assert event.sender == who("ada@x.example")


def test_a_mail_to_half_the_world_has_bounded_participants() -> None:
    """However many recipients a mail names, at most fifty are recorded, and always the same."""
    many = addresses(*(f"p{number}@x.example" for number in range(500)))
    event = event_of(to=many)
    assert len(event.cc) == PARTICIPANTS_MAX
    assert event_of(to=many[::-1]).cc == event.cc


def test_mails_of_nobody_do_not_meet() -> None:
    """Two mails that name no writer have two senders, neither of them that of an empty address."""
    senders = {event_of(msgspec.structs.replace(SOURCE, message=name), sender="").sender for name in ("5-0", "6-0")}
    assert len(senders) == 2
    assert who("") not in senders


def test_an_event_holds_no_address_and_no_word() -> None:
    """What goes into the journal names the writer and others by hashes only, and quotes nothing."""
    event = event_of(to=addresses("bob@x.example"), subject="private", text="words", full_text="words")
    encoded = msgspec.json.encode(event)
    for secret in (b"ada", b"bob", b"private", b"words", hashlib.sha256(b"ada@x.example").hexdigest().encode()):
        assert secret not in encoded


@pytest.mark.parametrize(
    ("fields", "auto"),
    [
        ({}, None),
        ({"auto": "auto-reply"}, "auto-reply"),
        ({"auto": "list", "spam": True}, "spam"),
        ({"auto": "bounce", "loop": True}, "loop"),
        ({"loop": True, "spam": True}, "spam"),
    ],
)
def test_a_verdict_of_spam_or_loop_comes_first(fields: dict[str, Any], auto: str | None) -> None:
    """A trusted filter's verdict and our own loop header keep a mail from anybody, whatever kind it is else."""
    assert event_of(**fields).auto == auto


def test_a_bounce_says_which_message_it_is_about() -> None:
    """Only a bounce that carries our signed id reports on an outbound message; an answer to it does not."""
    bounce = event_of(sender="", auto="bounce", in_reply_to="c1/9-0")
    assert (bounce.thread, bounce.about) == ("c1", "9-0")
    answer = event_of(in_reply_to="c1/9-0")
    assert (answer.thread, answer.about) == ("c1", None)
    stranger = event_of(sender="", auto="bounce")
    assert (stranger.thread, stranger.about) == (None, None)


def test_what_is_known_of_the_sender_and_the_classifier_is_recorded() -> None:
    """Tier, language, topics and the model's version stand in the event, so that replay asks nobody."""
    message = Message(channel="email", from_=Address(address="ada@x.example"))
    understood = Understood(message=message, language="es", topics=(("refund", 9_000),), model="v7")
    event = received(SOURCE, understood, b"raw", CHANNEL, FACTS, 9).event
    assert isinstance(event, MessageReceived)
    assert (event.tier, event.language, event.topics, event.model) == ("gold", "es", (("refund", 9_000),), "v7")
    assert event_of(sender="bob@x.example").tier is None


def test_a_deferred_message_finishes_both_its_entries() -> None:
    """A message that came back by a note frees its own entry and the note's, and keeps its first id."""
    source = msgspec.structs.replace(SOURCE, inbox="8-0")
    prepared = received(source, Understood(problem="odd"), b"raw", CHANNEL, FACTS, 9)
    assert prepared.finished == ["5-0", "8-0"]
    assert isinstance(prepared.event, MessageQuarantined)
    assert (prepared.event.inbox, prepared.event.message) == ("8-0", "5-0")


def test_what_could_not_be_read_is_kept_whole_beside_an_explanation() -> None:
    """A quarantined message has its raw bytes as a blob and, for the desk, a message that says why."""
    prepared = received(SOURCE, Understood(problem="too deep"), b"\xff raw", CHANNEL, FACTS, 9)
    shown, raw = prepared.blobs
    assert (raw.blob, raw.plain) == ("raw:5-0", b"\xff raw")
    message = msgspec.json.decode(shown.plain, type=Message)
    assert message.warnings == ("too deep",)
    assert "too deep" in message.text
    assert shown.identity == raw.identity == "quarantine-5-0"


def test_a_retry_that_succeeds_releases_and_one_that_does_not_is_silent() -> None:
    """A quarantined message that is understood at last gets its writer and words; else there is no event."""
    message = Message(channel="email", from_=Address(address="ada@x.example"), text="hello")
    prepared = released(SOURCE, Understood(message=message, language="en"), FACTS, 9)
    assert isinstance(prepared.event, MessageReleased)
    assert prepared.event.sender == who("ada@x.example")
    assert [blob.blob for blob in prepared.blobs] == ["message:5-0"]
    nothing = released(SOURCE, Understood(problem="still"), FACTS, 9)
    assert (nothing.event, nothing.finished, nothing.blobs) == (None, ["5-0"], [])


def test_a_source_is_read_from_the_entrys_meta() -> None:
    """Account and kind come from the meta; meta that is no JSON object says nothing and raises nothing."""
    channel = msgspec.structs.replace(CHANNEL, kind=lambda meta: str(meta.get("kind", "email")))
    meta = b'{"account":"help@acme.example","kind":"chat"}'
    found = source_of(channel, inbox="5-0", message="4-0", meta=meta, conflict=True)
    assert (found.account, found.kind, found.conflict) == ("help@acme.example", "chat", True)
    assert (found.inbox, found.message) == ("5-0", "4-0")
    for bad in (b"", b"[]", b"\xff", b"{"):
        odd = source_of(channel, inbox="5-0", message="5-0", meta=bad, conflict=False)
        assert (odd.account, odd.kind) == ("", "email")


def test_what_an_import_is_certain_of_comes_first_and_nobody_is_told() -> None:
    """Topics stated in the meta hold for certain, before those that were found; `quiet` keeps receipts away."""
    meta = b'{"topics":["lost-pet","refund"],"quiet":true}'
    source = source_of(CHANNEL, inbox="5-0", message="5-0", meta=meta, conflict=False)
    message = Message(channel="email", from_=Address(address="ada@x.example"))
    understood = Understood(message=message, topics=(("refund", 9_000), ("bags", 700)))
    event = received(source, understood, b"raw", CHANNEL, FACTS, 9).event
    assert isinstance(event, MessageReceived)
    assert event.topics == (("lost-pet", 10_000), ("refund", 10_000), ("bags", 700))
    assert (event.quiet, event_of().quiet) == (True, False)
    odd = source_of(CHANNEL, inbox="5-0", message="5-0", meta=b'{"topics":"refund","quiet":"no"}', conflict=False)
    assert (odd.topics, odd.quiet) == ((), False)


# -- shadow mode -------------------------------------------------------------------------------------------------------

SHADOW = msgspec.structs.replace(FACTS, shadow=True, staff={"ana@acme.example": "ana"})


def test_what_is_worded_anew_is_claimed_by_what_it_revises() -> None:
    """Where messages can be edited each is remembered by a hash of its id, and an edit names the one it words anew."""
    editable = msgspec.structs.replace(CHANNEL, editable=True)

    def event(channel: Channel, **more: Any) -> MessageReceived:
        message = Message(channel="email", from_=Address(address="ada@x.example"), message_id="m1", **more)
        found = received(SOURCE, Understood(message=message), b"raw", channel, FACTS, 9).event
        assert isinstance(found, MessageReceived)
        return found

    first, edit = event(editable), event(editable, revises="m1", in_reply_to="other")
    assert first.external == external_of(SECRET, "m1")
    assert (first.answers, edit.answers) == ((), (first.external,))
    assert event(CHANNEL).external == ""


def look_on(sender: str, facts: Facts = SHADOW, **more: Any) -> MessageReceived | AnswerSeen:
    """The event of a message while usherd only looks on."""
    message = Message(channel="email", from_=Address(address=sender), **more)
    found = received(SOURCE, Understood(message=message), b"raw", CHANNEL, facts, 9).event
    assert isinstance(found, MessageReceived | AnswerSeen)
    return found


def test_a_colleagues_mail_is_people_s_answer_in_shadow_mode_only() -> None:
    """From an agent's address it names the agent, from one of ours nobody; live it is a customer's."""
    agents = look_on("ANA@acme.example")
    ours = look_on("help+x@acme.example")
    assert isinstance(agents, AnswerSeen)
    assert isinstance(ours, AnswerSeen)
    assert (agents.agent, ours.agent) == ("ana", "")
    live = look_on(
        "ana@acme.example", msgspec.structs.replace(SHADOW, shadow=False), message_id="m@x", in_reply_to="n@x"
    )
    assert isinstance(live, MessageReceived)
    assert (live.external, live.answers) == ("", ())


def test_a_colleagues_machine_is_no_answer() -> None:
    """Their vacation notice is auto mail like any other."""
    found = look_on("ana@acme.example", auto="auto-reply")
    assert isinstance(found, MessageReceived)
    assert found.auto == "auto-reply"


def test_what_a_mail_answers_is_recorded_as_hashes_nearest_first() -> None:
    """In-Reply-To, then References from the last to the first, each once and at most twenty."""
    first = look_on("ada@x.example", message_id="one@x")
    answer = look_on("ana@acme.example", message_id="two@acme", in_reply_to="one@x", references=("zero@x", "one@x"))
    zero = look_on("ada@x.example", message_id=" zero@x ")
    assert answer.answers == (first.external, zero.external)
    assert len(first.external) == 32
    assert b"one@x" not in msgspec.json.encode(answer)
    many = look_on("ana@acme.example", references=tuple(f"{number}@x" for number in range(100)))
    assert len(many.answers) == 20
    assert many.external == ""
