"""From an `HttpMessage` to an inbox entry, and from the entry to a `Message`."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import UTC

import msgspec
import nh3

from channels.http.model import HttpAddress, HttpMessage
from router.core.errors import PoisonError
from router.core.message import Address, Message
from router.core.ports import InboxEntry

_DIGEST_SIZE = 16
# Tags whose content is no text of the message.
_NOT_TEXT = {"script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math", "select"}
_LINE_END = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6]|/blockquote|/pre)\b[^<>]*>")
_ANY_TAG = re.compile(r"<[^<>]*>")
_BLANK_LINES = re.compile(r"\n{3,}")


def entry(account: str, message: HttpMessage, idempotency_key: str) -> InboxEntry:
    """Make the inbox entry of a message.

    `account` is that of the sender's token, and part of the key: senders with other accounts cannot take each other's
    keys. Spelling the same message another way (order of keys, blanks, defaults) makes no difference to its body.
    """
    raw = message.model_dump_json(by_alias=True, exclude_defaults=True).encode()
    scope = account.encode("utf-8", "surrogatepass")
    key = hashlib.sha256(b"http:%d:%s:" % (len(scope), scope) + idempotency_key.encode("utf-8", "surrogatepass"))
    meta: dict[str, object] = {
        "account": message.account or account,
        "channel": message.channel,
        "kind": message.kind,
    }
    for name in ("language", "thread", "customer", "topics", "quiet"):
        if value := getattr(message, name):
            meta[name] = value
    return InboxEntry(
        source="http",
        key=key.digest()[:_DIGEST_SIZE],
        body=hashlib.sha256(raw).digest()[:_DIGEST_SIZE],
        meta=msgspec.json.encode(meta),
        raw=raw,
    )


def normalise(raw: bytes, meta: bytes) -> Message:  # noqa: ARG001 - the shape of every channel's `normalise`
    """Read an entry's JSON as a message. Raises PoisonError if it is none, which `entry` never made."""
    try:
        given = HttpMessage.model_validate_json(raw)
    except ValueError as error:
        raise PoisonError("it is no message of POST /v1/messages") from error
    clean = nh3.clean(given.html, clean_content_tags=_NOT_TEXT) if given.html else ""
    text = given.text if given.text.strip() else _text_of(clean)
    sent_at = given.sent_at.astimezone(UTC) if given.sent_at is not None else None
    return Message(
        channel=given.channel,
        from_=_address(given.from_),
        to=tuple(_address(address) for address in given.to),
        cc=tuple(_address(address) for address in given.cc),
        subject=given.subject,
        sent_at=sent_at.strftime("%Y-%m-%dT%H:%M:%SZ") if sent_at is not None else None,
        text=text,
        full_text=text,
        html=clean,
        message_id=given.message_id or None,
        in_reply_to=given.in_reply_to or None,
        language=given.language,
        prefers=given.prefers,
        consent=given.consent,
    )


def _address(given: HttpAddress) -> Address:
    return Address(address=given.address, name=given.name)


def _text_of(clean: str) -> str:
    """The words of cleaned HTML, a line for each block."""
    text = _ANY_TAG.sub("", _LINE_END.sub("\n", clean))
    return _BLANK_LINES.sub("\n\n", html.unescape(text)).strip()
