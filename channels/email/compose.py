"""Turns an answer into the bytes of a mail: pure, the same input always gives the same bytes.

Everything is written so that no server on the way has a reason to change it: lines of at most 78 characters, bodies in
seven bits, identifiers in one piece. A line break in any value that goes into a header is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

import msgspec

from channels.email.compose_header import address_list, identifiers, parameter, plain, unstructured
from router.core.errors import PermanentError
from router.core.message import Address

LINE_MAX = 78  # characters (RFC 5322, 2.1.1)
REFERENCES_LAST = 10  # kept beside the first
LOOP_HEADER = "X-Usherd-Loop"

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}\Z")
_LINE_END = re.compile(r"\r\n|\r|\n")
_FROM_LINE = re.compile(rb"^From ", re.MULTILINE)  # some servers put `>` before it


class OutgoingAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file to send along. A media type that is none becomes `application/octet-stream`."""

    filename: str
    content_type: str
    content: bytes


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the engine decided it, with all that varies given: nothing is made up while composing."""

    workspace: str
    message_id: str  # without angle brackets; made and recorded before, the same on every try
    date: int  # ms of UTC
    from_: Address  # the desk's address, with the agent's or the desk's name
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    reply_to: Address | None = None  # the address with the contact's signed token
    subject: str = ""
    text: str = ""
    html: str = ""  # an alternative to the text, sanitised
    in_reply_to: str | None = None  # without angle brackets
    references: tuple[str, ...] = ()  # of the mail that is answered, first to last, without angle brackets
    auto: Literal["", "auto-replied", "auto-generated"] = ""  # a machine wrote it (RFC 3834)
    attachments: tuple[OutgoingAttachment, ...] = ()


def compose(mail: Outgoing) -> bytes:
    """Give the mail with CR LF line ends.

    The header has bytes over 127 only where an address has a local part that needs them: such a mail can only go to a
    server with SMTPUTF8. Raises PermanentError for a line break in a header value and for an address that is none.
    """
    if not mail.to:
        raise PermanentError("a mail needs a recipient")
    fields = [
        ("Date", format_datetime(datetime.fromtimestamp(mail.date / 1000, UTC))),
        ("From", address_list("From", (mail.from_,))),
        ("To", address_list("To", mail.to)),
        ("Cc", address_list("Cc", mail.cc)),
        ("Reply-To", address_list("Reply-To", (mail.reply_to,) if mail.reply_to else ())),
        ("Subject", unstructured("Subject", mail.subject)),
        ("Message-ID", _own_id(mail.message_id)),
        ("In-Reply-To", identifiers("In-Reply-To", (mail.in_reply_to,) if mail.in_reply_to else ())),
        ("References", identifiers("References", _shortened(mail))),
        ("Auto-Submitted", mail.auto),
        ("X-Auto-Response-Suppress", "All" if mail.auto else ""),
        (LOOP_HEADER, unstructured(LOOP_HEADER, mail.workspace)),
        ("MIME-Version", "1.0"),
    ]
    header = "".join(f"{name}: {value}\r\n" for name, value in fields if value or name == "Subject")
    return header.encode("utf-8", "replace") + _content(mail)


def _own_id(message_id: str) -> str:
    own = identifiers("Message-ID", (message_id,))
    if not own:
        raise PermanentError("the Message-ID is not usable")
    return own


def _shortened(mail: Outgoing) -> tuple[str, ...]:
    """The first reference, which starts the thread, and the last ten, the mail that is answered included."""
    chain = list(dict.fromkeys(mail.references))
    if mail.in_reply_to:
        chain = [reference for reference in chain if reference != mail.in_reply_to]
        chain.append(mail.in_reply_to)
    if len(chain) > REFERENCES_LAST + 1:
        chain = [chain[0], *chain[-REFERENCES_LAST:]]
    return tuple(chain)


def _content(mail: Outgoing) -> bytes:
    """The body with its own header: text, with HTML as its alternative, with attachments behind it."""
    body = _text_part("plain", mail.text)
    if mail.html:
        body = _multipart(mail, "alternative", [body, _text_part("html", mail.html)])
    if mail.attachments:
        body = _multipart(mail, "mixed", [body, *(_attachment_part(attachment) for attachment in mail.attachments)])
    return body


def _multipart(mail: Outgoing, kind: str, parts: list[bytes]) -> bytes:
    # `=_` occurs in no part: not in base64, not in quoted-printable, and text with it is never sent as it is.
    boundary = "=_" + hashlib.sha256(f"{kind}:{mail.message_id}".encode("utf-8", "replace")).hexdigest()[:32]
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    delimiter = b"--" + boundary.encode()
    return head + b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"


def _text_part(kind: str, text: str) -> bytes:
    text = _LINE_END.sub("\n", text)
    data = (text.rstrip("\n") + "\n").encode("utf-8", "replace")
    if _goes_unchanged(data):
        head = f"Content-Type: text/{kind}; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        return head.encode() + data.replace(b"\n", b"\r\n")
    quoted = _quoted_printable(data)
    encoded = _base64(data)
    encoding, body = ("base64", encoded) if len(encoded) < len(quoted) else ("quoted-printable", quoted)
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def _goes_unchanged(data: bytes) -> bool:
    """Whether no server has a reason to touch this text, and no boundary can occur in it."""
    if not data.isascii() or b"=_" in data or b"\x00" in data or _FROM_LINE.search(data):
        return False
    lines = data.split(b"\n")
    return all(len(line) <= LINE_MAX and line != b"." and not line.endswith((b" ", b"\t")) for line in lines)


def _quoted_printable(data: bytes) -> bytes:
    quoted = binascii.b2a_qp(data, istext=True)
    return _FROM_LINE.sub(b"=46rom ", quoted).replace(b"\n", b"\r\n")


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _attachment_part(attachment: OutgoingAttachment) -> bytes:
    media_type = attachment.content_type.partition(";")[0].strip().lower()
    # Parts of message/* and multipart/* may not be base64 (RFC 2045, 6.4); as files they are bytes like any other.
    if not _MEDIA_TYPE.match(media_type) or media_type.startswith(("message/", "multipart/")):
        media_type = "application/octet-stream"
    filename = parameter("filename", plain("filename", attachment.filename) or "attachment")
    head = (
        f"Content-Type: {media_type}\r\nContent-Disposition: attachment;{filename}\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + _base64(attachment.content)
