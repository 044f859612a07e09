"""An answer of ours on its whole way: composed, sent to a real Postfix, delivered by LMTP, read by IMAP."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import NamedTuple

import msgspec
import pytest

from channels.email.compose import Outgoing, OutgoingAttachment, compose
from channels.email.identity import identity
from channels.email.send import SendSettings, SmtpSender
from router.app.mail import MailSender, MailStationery, email_channel, envelopes, mail_settings, normalise
from router.core.events import MessageReceived
from router.core.message import Address, Message
from router.core.ports import InboxEntry
from router.shell.replies import Written, reply
from router.shell.understanding import Facts, Source, received
from router.shell.vault import Vault
from router.shell.workers import Understood
from skills.model import WorkspaceConfig
from tests.support.mailservers import (
    NEEDS_DOVECOT,
    NEEDS_POSTFIX,
    PATIENCE,
    Dovecot,
    Postfix,
    dovecot,
    free_port,
    postfix,
)
from tests.support.shell_scene import ShellStore
from tests.support.smtp_peer import MAIL, MemoryInbox, receiving

pytestmark = pytest.mark.needs(*NEEDS_POSTFIX, *NEEDS_DOVECOT)

HELP = "help@acme.example"
SECRET = b"s" * 32


class Site(NamedTuple):
    """A Postfix that delivers customer.example to this Dovecot, and acme.example to this port."""

    mta: Postfix
    store: Dovecot
    port: int


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one pair of servers for all tests of this module."""
    port = free_port()
    with dovecot() as store:
        routes = {"customer.example": f"lmtp:inet:127.0.0.1:{store.lmtp}", "acme.example": f"smtp:[127.0.0.1]:{port}"}
        routes["gone.example"] = f"smtp:[127.0.0.1]:{port}"  # which takes no such recipient
        refusals = {"later@customer.example": "450 4.2.0 come later", "nobody@customer.example": "550 5.1.1 no such"}
        with postfix(routes, refusals=refusals) as mta:
            yield Site(mta, store, port)


def answer(**changes: object) -> Outgoing:
    """An answer with everything in it that servers like to break."""
    fields: dict[str, object] = {
        "workspace": "acme",
        "message_id": "u.c1.m1.4f2a9c@acme.example",
        "date": 1_763_632_800_000,
        "from_": Address(address=HELP, name="Gräfin Grace, Acme"),
        "to": (Address(address="ada@customer.example", name="Ada"),),
        "reply_to": Address(address="help+t_c1_4f2a9c@acme.example", name="Acme"),
        "subject": "Re: Gepäck – " + "sehr lang " * 30,
        "text": "From now on\n.\n..two dots\ntail \n\n日本語 " + "x" * 3000,
        "html": "<p>Grüße</p>",
        "in_reply_to": "q2@customer.example",
        "references": ("q1" + "x" * 300 + "@customer.example", "q2@customer.example"),
        "attachments": (
            OutgoingAttachment(filename="Beleg ü.bin", content_type="a/b", content=bytes(range(256)) * 99),
        ),
    }
    return Outgoing(**{**fields, **changes})  # type: ignore[arg-type]


def read(raw: bytes) -> EmailMessage:
    """Parse what arrived."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


async def test_an_answer_arrives_as_it_was_composed(site: Site) -> None:
    """After Postfix, LMTP and IMAP the composed bytes are unchanged behind the trace fields."""
    mail = answer()
    raw = compose(mail)
    sender = SmtpSender(SendSettings(port=site.mta.port))
    assert (await sender.send("help+t_c1_4f2a9c@acme.example", ["ada@customer.example"], raw)).state == "sent"
    await sender.close()
    (arrived,) = site.store.wait_for_mails("ada@customer.example", 1)
    assert arrived.endswith(raw)
    assert arrived.startswith(b"Return-Path: <help+t_c1_4f2a9c@acme.example>")
    message = read(arrived)
    assert message["Subject"] == mail.subject.strip()
    assert message["From"].addresses[0].display_name == "Gräfin Grace, Acme"
    assert message["References"].split() == [f"<{reference}>" for reference in mail.references]
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == mail.text + "\n"
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("Beleg ü.bin", bytes(range(256)) * 99)


async def test_an_answer_that_cannot_be_delivered_comes_back_to_its_contact(site: Site) -> None:
    """A mailbox that takes no international addresses makes Postfix send us a report, at the contact's own address."""
    mail = answer(to=(Address(address="josé@customer.example", name="José"),), html="", attachments=())
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        result = await sender.send("help+t_c1_4f2a9c@acme.example", ["josé@customer.example"], compose(mail))
        await sender.close()
        assert (result.state, result.refused) == ("sent", {})  # Postfix itself takes such addresses
        await until_stored(inbox, 1)
    meta = msgspec.json.decode(inbox.entries[0].meta)
    assert (meta["envelope_from"], meta["recipients"]) == ("", ["help+t_c1_4f2a9c@acme.example"])
    assert b"u.c1.m1.4f2a9c@acme.example" in inbox.entries[0].raw


async def until_stored(inbox: MemoryInbox, count: int) -> None:
    """Wait until the inbox has this many entries, while the receiver in this loop goes on."""
    async with asyncio.timeout(PATIENCE):
        while len(inbox.entries) < count:
            await asyncio.sleep(0.02)


async def test_the_same_mail_by_smtp_and_by_imap_is_one(site: Site) -> None:
    """A mail that reaches us by SMTP and a mailbox we poll has one identity, whatever the servers added."""
    raws = [
        MAIL,
        MAIL.replace(b"<1@", b"<2@").replace(
            b"Subject: My bag", b"Subject: " + b"My long subject, " * 20 + b"\r\n folded"
        ),
        compose(answer(message_id="3@customer.example")),
        MAIL.replace(b"<1@", b"<4@") + b"\r\n\r\n.dot\r\n\r\n\r\n",
        MAIL.replace(b"<1@", b"<5@") + "Grüße\r\n".encode(),
        MAIL.replace(b"<1@", b"<6@") + b"bare\nline\nends\r\n",
    ]
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        for raw in raws:
            result = await sender.send("ada@customer.example", [HELP, "copy@customer.example"], raw)
            assert result.state == "sent"
        await sender.close()
        await until_stored(inbox, len(raws))
    fetched = site.store.wait_for_mails("copy@customer.example", len(raws))
    assert {entry.key for entry in inbox.entries} == {identity(HELP, raw)[0] for raw in fetched}
    assert len({entry.key for entry in inbox.entries}) == len(raws)


# ---- with envelopes of their own, as the outbox sends ------------------------------------------------------------


def workspace() -> WorkspaceConfig:
    """A workspace whose mails have a look."""
    letters = {"en": {"reply_above": "-- Please reply above this line --", "footer": "Your reference is {reference}"}}
    email = {"smtp": {"recipients": [HELP]}, "letters": letters}
    return WorkspaceConfig.model_validate({"workspace": "acme", "channels": {"email": email}})


def letter(message: str, *copies: str, to: str = "ada@customer.example") -> Message:
    """An agent's answer in contact c7, as it is when it is written."""
    setup = workspace()
    last = Message(
        channel="email",
        from_=Address(address=to, name="Ada"),
        cc=tuple(Address(address=one) for one in copies),
        subject="My bag",
        message_id="q1@customer.example",
    )
    written = Written(
        contact="c7",
        account=HELP,
        message=message,
        agent="ana",
        at=1_795_420_800_000,
        text="It is on its way.\n\nAnything else?",
        cc=copies,
    )
    return reply(written, last=last, earlier=(), stationery=MailStationery(lambda: setup, SECRET))


@asynccontextmanager
async def posting(port: int) -> AsyncIterator[MailSender]:
    """The outbox's sender, by way of the server at a port."""
    setup = workspace()
    wire = SmtpSender(SendSettings(port=port))
    try:
        yield MailSender(wire, "acme", Vault(ShellStore()), envelope=envelopes(lambda: setup, SECRET))
    finally:
        await wire.close()


async def arrived(inbox: MemoryInbox, words: bytes) -> InboxEntry:
    """The entry of the mail that has these words in it, once it is stored."""
    async with asyncio.timeout(PATIENCE):
        while not (found := [entry for entry in inbox.entries if words in entry.raw]):
            await asyncio.sleep(0.02)
    return found[0]


def understood(entry: InboxEntry) -> MessageReceived:
    """What is recorded of a mail that came in."""
    setup = workspace()
    found = Understood(message=normalise(mail_settings(setup), entry.raw, entry.meta))
    source = Source(inbox="9-0", message="9-0", channel="email", kind="email", account=HELP)
    facts = Facts(secret=SECRET, own=frozenset({HELP}), tier_of=lambda _: None)
    event = received(source, found, entry.raw, email_channel(setup, SECRET), facts, 1).event
    assert isinstance(event, MessageReceived)
    return event


async def test_recipients_who_are_deferred_and_refused_keep_nobody_from_getting_it(site: Site) -> None:
    """Postfix takes the customer's, defers one copy and refuses another: each has its state, and one mail arrives."""
    async with posting(site.mta.port) as sender:
        one = letter("1795420800001-0", "later@customer.example", "nobody@customer.example", to="eve@customer.example")
        sent = await sender.send(one)
        again = await sender.send(msgspec.structs.replace(one, delivered_to=("later@customer.example",)))
    assert [state.value for _, state in sent.each] == ["sent", "deferred", "failed"]
    assert [(place, state.value) for place, state in again.each] == [(1, "deferred")]
    (arrived,) = site.store.wait_for_mails("eve@customer.example", 1)
    assert arrived.startswith(b"Return-Path: <help+b_c7_")


async def test_a_bounce_is_told_by_its_envelope(site: Site) -> None:
    """What Postfix could not bring to the second of two recipients comes back as a report on that one."""
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port), posting(site.mta.port) as sender:
        sent = await sender.send(letter("1795420800002-0", "carl@gone.example", to="fay@customer.example"))
        assert [state.value for _, state in sent.each] == ["sent", "sent"]
        event = understood(await arrived(inbox, b"u.c7.1795420800002-0."))
    assert (event.auto, event.undelivered, event.thread) == ("bounce", True, "c7")
    assert (event.about, event.recipient) == ("1795420800002-0", 1)


async def test_a_mail_whose_final_reply_was_lost_is_sent_once_more_with_the_same_id(site: Site) -> None:
    """Postfix has it, and the line breaks before it could say so: that is *unknown*; both copies are the same mail."""
    one = letter("1795420800003-0", to="gil@customer.example")
    async with cut_before_the_last_reply(site.mta.port) as port, posting(port) as sender:
        assert (await sender.send(one)).state.value == "unknown"
    async with posting(site.mta.port) as sender:
        assert (await sender.send(one)).state.value == "sent"
    both = [read(raw) for raw in site.store.wait_for_mails("gil@customer.example", 2)]
    assert {mail["Message-ID"] for mail in both} == {f"<{one.message_id}>"}


@asynccontextmanager
async def cut_before_the_last_reply(server: int) -> AsyncIterator[int]:
    """A line to a mail server that breaks when the server has answered the end of DATA, and before we hear it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server)
        data = False

        async def up() -> None:
            while chunk := await reader.read(65_536):
                back.write(chunk)
                await back.drain()

        asked = asyncio.create_task(up())
        while line := await there.readline():
            if data:
                break  # the reply to the mail itself
            data = line.startswith(b"354")
            writer.write(line)
            await writer.drain()
        asked.cancel()
        writer.close()
        back.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as line:
        yield line.sockets[0].getsockname()[1]


async def test_an_answer_from_a_real_mailbox_comes_back_to_its_contact(site: Site) -> None:
    """The customer reads our mail by IMAP and answers it; the answer finds its contact, and is all that is new."""
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port), posting(site.mta.port) as sender:
        assert (await sender.send(letter("1795420800004-0", to="hal@customer.example"))).state.value == "sent"
        (raw,) = await asyncio.to_thread(site.store.wait_for_mails, "hal@customer.example", 1)
        ours = read(raw)
        body = ours.get_body(("plain",))
        assert body is not None
        answer = EmailMessage()
        answer["From"], answer["To"], answer["Subject"] = "hal@customer.example", ours["Reply-To"], ours["Subject"]
        answer["Message-ID"], answer["In-Reply-To"] = "<q2@customer.example>", ours["Message-ID"]
        answer["Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
        answer.set_content("Thank you, that is all.\n\n" + body.get_content())
        client = SmtpSender(SendSettings(port=site.mta.port))
        address = ours["Reply-To"].addresses[0].addr_spec
        result = await client.send("hal@customer.example", [address], answer.as_bytes(policy=email.policy.SMTP))
        assert result.state == "sent"
        await client.close()
        entry = await arrived(inbox, b"<q2@customer.example>")
    event = understood(entry)
    assert (event.auto, event.thread) == (None, "c7")
    found = normalise(mail_settings(workspace()), entry.raw, entry.meta)
    assert found.text == "Thank you, that is all."
