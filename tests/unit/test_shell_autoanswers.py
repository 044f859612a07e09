"""Automatic answers in words: language, placeholders, to whom, by which marks; stored with the decision."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from channels.email.compose import compose
from channels.email.send import SendResult, SmtpSender
from router.app.mail import MailSender, MailStationery, loop_mark, normaliser, outgoing
from router.core.decisions import SendAutoAnswer
from router.core.events import MessageReceived
from router.core.message import Address, Message
from router.core.state import State
from router.core.transitions import ContactState, DeliveryState
from router.core.values import AutoAnswers, Workspace
from router.shell.autoanswers import AutoAnswerer, Wording, switched_off, words
from router.shell.journal import Drafted
from router.shell.outbox import Outbox, Sent
from router.shell.replies import Written as AutoWritten
from router.shell.understanding import Prepared, Source, wants_no_answer
from router.shell.vault import Plain, Vault, message_blob
from skills.model import WorkspaceConfig
from tests.support.shell_scene import HELP, WORKSPACE, PlainStationery, ShellStore, Stage, until, written

RECEIPT = {"en": "We have it, reference {reference}.", "es": "Lo tenemos, referencia {reference}."}
WORDING = Wording(
    texts={
        "receipt": RECEIPT,
        "out_of_hours": {"en": "Back at {opens_at}; {reference}."},
        "queue": {"en": "Number {place}."},
    },
    language="en",
    zone="Europe/Madrid",
)


def decided(answer: str, **more: Any) -> SendAutoAnswer:
    """What the engine decided."""
    return SendAutoAnswer(contact="c7", message="5-1", channel="email", answer=answer, **more)


class TestWords:
    """Texts, filled in."""

    def test_the_customers_language_is_used_where_there_is_a_text(self) -> None:
        """Spanish for Spanish, the workspace's first language for all others and for none."""
        assert words(WORDING, decided("receipt"), "es") == "Lo tenemos, referencia c7."
        assert words(WORDING, decided("receipt"), "pt") == "We have it, reference c7."
        assert words(WORDING, decided("receipt"), None) == "We have it, reference c7."

    def test_times_are_those_of_the_workspaces_clock(self) -> None:
        """Eight o'clock UTC in November is nine in Madrid, in July ten."""
        winter, summer = 1_795_420_800_000, 1_783_065_600_000
        assert words(WORDING, decided("out_of_hours", opens_at=winter), "en").startswith(
            "Back at 2026-11-23 09:00 (Europe/Madrid);"
        )
        assert "2026-07-03 10:00" in words(WORDING, decided("out_of_hours", opens_at=summer), "en")

    def test_the_place_is_a_number(self) -> None:
        """A chat's place in the queue."""
        assert words(WORDING, decided("queue", place=3), "en") == "Number 3."

    def test_other_braces_stay(self) -> None:
        """What is no placeholder of ours is text."""
        odd = msgspec.structs.replace(WORDING, texts={"receipt": {"en": "{x} { {reference} {0}"}})
        assert words(odd, decided("receipt"), "en") == "{x} { c7 {0}"


class TestWhoIsAnswered:
    """Nobody who would not read it, nor anybody who did not write."""

    SOURCE = Source(inbox="5-0", message="5-0", channel="email", kind="email", account=HELP)

    def ask(self, address: str, channel: str = "email", **more: Any) -> bool:
        """Whether a message of this address wants no answer."""
        source = msgspec.structs.replace(self.SOURCE, channel=channel)
        message = Message(channel=channel, from_=Address(address=address), **more)
        return wants_no_answer(message, source, frozenset({HELP}))

    @pytest.mark.parametrize(
        "local",
        ["noreply", "no-reply", "No_Reply", "donotreply", "do-not-reply", "orders.noreply", "noreply+x17", "root",
         "no-responder", "nao-responda", "postmaster", "MAILER-DAEMON", "bounces", "bounce+ada=x", "owner-list",
         "list-request"],
    )  # fmt: skip
    def test_addresses_behind_which_nobody_reads(self, local: str) -> None:
        """No-reply addresses in some languages, mail systems and lists."""
        assert self.ask(f"{local}@shop.example")

    @pytest.mark.parametrize(
        "local", ["ada", "noa.reply", "rootes", "nora", "reply", "bouncer", "jo.owner", "requests"]
    )
    def test_people_are_answered(self, local: str) -> None:
        """Names that only look alike."""
        assert not self.ask(f"{local}@customer.example")

    def test_we_do_not_answer_ourselves_nor_nobody(self) -> None:
        """Our own addresses, with a tag or without; senders without an address."""
        assert self.ask(HELP)
        assert self.ask("help+t_c1_x@acme.example")
        assert self.ask("")
        assert self.ask("robot 7", "http")
        assert not self.ask("visitor-7", "webchat")

    def test_the_forged_are_not_answered(self) -> None:
        """Whoever did not write is not bothered."""
        assert self.ask("ada@customer.example", authentication={"dmarc": "fail"})
        assert self.ask("ada@customer.example", authentication={"spf": "fail", "dkim": "pass"})
        assert not self.ask("ada@customer.example", authentication={"spf": "pass", "dmarc": "none"})


class Postman:
    """Takes everything."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def send(self, message: Message) -> Sent:
        """Sent."""
        self.taken.append(message)
        return Sent(state=DeliveryState.SENT)

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Never asked."""
        raise AssertionError(attempts, waited_ms)


class Answering:
    """A node that answers by itself."""

    def __init__(self, wording: Callable[[], Wording] = lambda: WORDING) -> None:
        workspace = msgspec.structs.replace(WORKSPACE, auto_answers=AutoAnswers(kinds=("receipt",)))
        self.stage = Stage(workspace=workspace)
        self.stage.leader.compose = AutoAnswerer(wording, PlainStationery()).blobs
        self.postman = Postman()
        self.outbox = Outbox(
            store=self.stage.store,
            vault=self.stage.vault,
            leader=self.stage.leader,
            senders={"email": self.postman},
            tell=self.stage.reader.tell,
            now=lambda: 1_000_000,
        )
        self.stage.leader.listeners.append(self.outbox.committed)


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """Leading; the outbox is run by those who want it."""
    node = Answering()
    async with node.stage.leading():
        yield node


async def sent(node: Answering, raw: bytes) -> Message:
    """The one answer to a message."""
    running = asyncio.create_task(node.outbox.run())
    try:
        await node.stage.receive(raw)
        await until(lambda: node.postman.taken)
        await until(lambda: node.stage.contacts[0].messages[-1].delivery is DeliveryState.SENT)
    finally:
        running.cancel()
        await asyncio.wait([running])
    [message] = node.postman.taken
    return message


async def test_a_receipt_goes_to_the_writer_alone_and_changes_nothing(answering: Answering) -> None:
    """Not to Reply-To, not to those in copy; it threads like a reply, and the contact still owes one."""
    raw = written(
        "refund",
        subject="Money",
        reply_to=(Address(address="else@other.example"),),
        cc=(Address(address="boss@customer.example"),),
    )
    message = await sent(answering, raw)
    [contact] = answering.stage.contacts
    opening, answer = contact.messages
    assert ([one.address for one in message.to], message.cc, message.auto) == (
        ["ada@customer.example"],
        (),
        "auto-reply",
    )
    assert (message.subject, message.text) == ("Re: Money", f"We have it, reference {contact.id}.")
    assert message.in_reply_to == "refund@customer.example"
    assert message.message_id == f"u.{contact.id}.{answer.id}@acme.example"
    assert [one.address for one in message.reply_to] == [f"help+{contact.id}@acme.example"]
    assert (contact.state, contact.responded, contact.response_from) == (ContactState.WAITING, False, opening.at)
    assert answering.outbox.lag == 0


class Letterhead(PlainStationery):
    """Says whom a letter is for, and in which language."""

    def letter(self, written: AutoWritten, channel: str, to: Address, subject: str) -> tuple[str, str]:
        """One line, and the words."""
        return f"{written.language} {to.name}\n{written.text}", ""


@pytest.mark.parametrize(
    ("channel", "writer", "to"),
    [
        ("email", Address(address="ada@customer.example", name="Ada"), "ada@customer.example"),
        ("slack", Address(address="slack:U1", name="Ada"), "slack:C1/1.2"),
        ("telegram", Address(address="telegram:7", name="Ada"), "telegram:-9/4"),
    ],
)
def test_a_machine_answers_the_writer_of_a_mail_and_elsewhere_where_it_was_written(
    channel: str, writer: Address, to: str
) -> None:
    """Nobody else is named in a mail, and a thread is the only place in which its writer can be answered."""
    place = Address(address=to, name="Ada") if channel != "email" else Address(address="b@other.example", name="Bob")
    said = Message(channel=channel, from_=writer, reply_to=(place,), text="Help")
    event = MessageReceived(
        at=5, inbox="5-0", message="5-0", channel=channel, kind=channel, account=HELP, sender="a", language="en"
    )
    prepared = Prepared(event=event, blobs=[Plain(message_blob("5-0"), "a", msgspec.json.encode(said))])
    decisions = (decided("receipt", language="es"),)
    draft = Drafted(n=1, event=event, decisions=decisions, config="", inbox="5-0")
    [blob] = AutoAnswerer(lambda: WORDING, Letterhead()).blobs(prepared, draft)
    answer = msgspec.json.decode(blob.plain, type=Message)
    assert [one.address for one in answer.to] == [to]
    assert answer.full_text == "es Ada\nLo tenemos, referencia c7."


async def test_the_words_are_stored_with_the_decision_under_the_customers_key(answering: Answering) -> None:
    """Before anything is sent the text can be read; erasing the customer erases it too."""
    await answering.stage.receive(written("refund"))
    contact = await until(lambda: next(iter(answering.stage.contacts), None))
    answer = contact.messages[1].id
    assert (await answering.stage.vault.messages([answer]))[answer].text == f"We have it, reference {contact.id}."
    [event] = answering.stage.store.events(MessageReceived)
    assert isinstance(event, MessageReceived)
    sealed = (await answering.stage.store.blobs_get([f"message:{answer}"]))[f"message:{answer}"]
    assert sealed[2 : 2 + sealed[1]].decode() == event.sender


async def test_an_answer_that_cannot_be_composed_fails_and_holds_nothing_up() -> None:
    """Texts that are gone by then: the contact is there, the answer is marked as failed, nothing is sent."""
    node = Answering(lambda: Wording(texts={}, language="en", zone="UTC"))
    async with node.stage.leading():
        running = asyncio.create_task(node.outbox.run())
        await node.stage.receive(written("refund"))
        contact = await until(lambda: next(iter(node.stage.contacts), None))
        await until(lambda: contact.messages[1].delivery is DeliveryState.FAILED)
        running.cancel()
        await asyncio.wait([running])
    assert node.postman.taken == []


# -- by mail -----------------------------------------------------------------------------------------------------------


def automatic() -> Message:
    """An automatic answer on its way out."""
    return Message(
        channel="email",
        from_=Address(address=HELP, name="Acme"),
        to=(Address(address="ada@customer.example"),),
        reply_to=(Address(address="help+t_c1_x@acme.example"),),
        subject="Re: Money",
        text="We have it.",
        sent_at="2026-11-22T10:00:00Z",
        message_id="u.c1.5-1.x@acme.example",
        auto="auto-reply",
    )


def test_an_automatic_answer_says_so() -> None:
    """Auto-Submitted is what keeps other machines from answering; a person's reply says nothing of the kind."""
    raw = email.message_from_bytes(compose(outgoing(automatic(), "acme")))
    assert raw["Auto-Submitted"] == "auto-replied"
    assert raw["X-Auto-Response-Suppress"] == "All"
    person = msgspec.structs.replace(automatic(), auto=None)
    assert email.message_from_bytes(compose(outgoing(person, "acme")))["Auto-Submitted"] is None


class Wire(SmtpSender):
    """Notes the envelope sender."""

    def __init__(self) -> None:
        self.senders: list[str] = []

    async def send(self, envelope_from: str, recipients: object, raw: bytes) -> SendResult:
        """Sent."""
        self.senders.append(envelope_from)
        return SendResult(state="sent", code=250)


async def test_an_automatic_answer_leaves_with_the_null_sender() -> None:
    """A bounce of it would go nowhere; a person's reply leaves with the contact's address."""
    wire = Wire()
    sender = MailSender(wire, "acme", Vault(ShellStore()))
    await sender.send(automatic())
    await sender.send(msgspec.structs.replace(automatic(), auto=None))
    assert wire.senders == ["", "help+t_c1_x@acme.example"]


@pytest.mark.parametrize(("send", "name"), [({"name": "Acme"}, "Acme"), ({}, "")])
def test_nobody_signs_an_automatic_answer(send: dict[str, str], name: str) -> None:
    """It comes from the desk, with the desk's name or none."""
    channels = {"email": {"smtp": {"recipients": [HELP]}, "send": {"host": "h", **send}}}
    config = WorkspaceConfig.model_validate({"workspace": "acme", "channels": channels})
    stationery = MailStationery(lambda: config, b"s" * 32)
    assert stationery.sender(HELP, "") == Address(address=HELP, name=name)
    machine = AutoWritten(contact="c7", account=HELP, message="5-1", agent="", at=0, text="We have it.")
    assert stationery.letter(machine, "email", Address(address="ada@customer.example"), "") == ("We have it.", "")


def test_status_tells_of_a_storm_and_of_too_many_answers() -> None:
    """Each with its limit and its end on the workspace's clock; neither once it is over."""
    quiet = Workspace(name="acme", auto_answers=AutoAnswers(bounces_per_hour=7))
    state = State(workspace=quiet, bounce_storm_until=1_795_420_800_000, auto_answers_off_until=1_795_420_800_001)
    storm, many = switched_off(state, 1_795_420_799_999, "Europe/Madrid")
    assert storm.startswith("a storm of bounces: more than 7 mails came back in an hour")
    assert "until 2026-11-23 09:00 (Europe/Madrid)" in storm
    assert many.startswith("automatic answers are off until 2026-11-23 09:00")
    assert len(switched_off(state, 1_795_420_800_000, "UTC")) == 1
    assert switched_off(state, 1_795_420_800_001, "UTC") == []


def test_two_workspaces_of_one_name_do_not_silence_each_other() -> None:
    """Mail that comes back is known by a mark only its own workspace can make; another's of the same name is mail."""
    channels = {"email": {"smtp": {"recipients": [HELP]}}}
    config = WorkspaceConfig.model_validate({"workspace": "acme", "channels": channels})
    ours, theirs = (loop_mark(secret * 32, "acme") for secret in (b"s", b"t"))
    sent = compose(outgoing(msgspec.structs.replace(automatic(), auto=None), ours))
    meta = b'{"account": "help@acme.example"}'
    assert normaliser(config, ours)(sent, meta).loop
    assert not normaliser(config, theirs)(sent, meta).loop
