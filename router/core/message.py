"""A message in normal form: what every channel turns its raw input into.

The field names are those of `usherd message`; shapes and units stand beside them. A message holds
personal data, so it is only ever stored as an encrypted blob, never in the journal.
"""

from __future__ import annotations

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a message: `address` is lower-cased, as far as the channel's rules allow."""

    address: str
    name: str = ""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A part kept by reference: `part` is its index in a depth-first walk of the raw message."""

    filename: str
    content_type: str
    size: int  # bytes, decoded
    sha256: str
    inline: bool = False
    part: int = -1
    content_id: str = ""  # without angle brackets: what `cid:` in the HTML refers to
    blob: str = ""  # of a file that an agent enclosed: where its bytes are; "" for a part of the raw message


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail system reports of a mail we, or somebody in our name, sent."""

    kind: str = "failure"  # failure | delay | delivered | feedback (a complaint)
    recipients: tuple[str, ...] = ()  # lower-cased; the mail did not reach these
    statuses: tuple[str, ...] = ()  # enhanced status codes, 5.1.1, without repeats
    message_id: str | None = None  # of the mail that came back, without angle brackets


class Message(msgspec.Struct, kw_only=True):
    """One inbound or outbound item on a channel."""

    channel: str
    from_: Address = msgspec.field(name="from")
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    sent_at: str | None = None  # UTC, RFC 3339
    text: str = ""  # the new words only; the full text where a splitter found none
    quoted: str = ""
    full_text: str = ""
    html: str = ""  # sanitised
    attachments: tuple[Attachment, ...] = ()
    message_id: str | None = None  # without angle brackets
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    auto: str | None = None  # auto-reply | bounce | list | bulk | command (a button, such as /start) | deleted
    delivered_to: tuple[str, ...] = ()  # envelope recipients: where a signed token may stand
    warnings: tuple[str, ...] = ()
    bounce: Bounce | None = None  # with `auto` bounce only
    forwarded_by: Address | None = None  # who sent the mail in which `from` is the original writer
    authentication: dict[str, str] = {}  # method → result (spf, dkim, dmarc, arc), as our own mail server found
    spam: bool = False  # a trusted filter says so: not routed
    loop: bool = False  # it has been through this system before
    revises: str | None = None  # `message_id` of an earlier message that the customer has worded anew with this one
    proof: str = ""  # a signed link that came with it and was sent to another address: see router.shell.proofs
    asks: str = ""  # of the question after a contact: that contact's id
    rates: str = ""  # of a customer's answer to it: the contact's id and the score, `c12:5`
    prefers: str = ""  # the language in which the writer wants to be answered (ISO 639-1)
    consent: bool | None = None  # whether a machine may write to them, if they said so
    language: str = ""  # what the writer's program is set to (BCP 47): counts where the words do not tell
