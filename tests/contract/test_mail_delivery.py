"""An answer of ours on its whole way: composed, sent to a real Postfix, delivered by LMTP, read by IMAP."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple

import msgspec
import pytest

from channels.email.compose import Outgoing, OutgoingAttachment, compose
from channels.email.identity import identity
from channels.email.send import SendSettings, SmtpSender
from router.core.message import Address
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
from tests.support.smtp_peer import MAIL, MemoryInbox, receiving

pytestmark = pytest.mark.needs(*NEEDS_POSTFIX, *NEEDS_DOVECOT)

HELP = "help@acme.example"


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
        with postfix(routes) as mta:
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
