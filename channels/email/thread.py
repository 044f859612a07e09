"""Which contact a mail answers: signed tokens in the addresses and Message-IDs we gave out.

A token is `t_<contact>_<mac>`, a Message-ID of ours `u.<contact>.<message>.<mac>@<domain>`; both say everything in
themselves, so that no index has to outlive the mails that quote them. The MAC is HMAC-SHA256 cut to 104 bits, in lower
case, because mail programs lower-case addresses. A subject is never looked at, and an empty id matches nothing.
The secret stays in the leader's process: a worker that parses hostile mail never has it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from router.core.message import Message

_MAC_BYTES = 13  # 104 bits: 21 characters of base32
_MAC_CHARS = 21
_ID = r"[a-z0-9][a-z0-9-]{0,62}"
_TOKEN = re.compile(rf"t_({_ID})_([a-z2-7]{{{_MAC_CHARS}}})")
_MESSAGE_ID = re.compile(rf"u\.({_ID})\.({_ID})\.([a-z2-7]{{{_MAC_CHARS}}})@[^\s@<>]{{1,255}}")
_IDENTIFIER = re.compile(_ID)
_LOCAL_PART_MAX = 64  # RFC 5321
_LOOKED_AT_MAX = 200  # addresses, and ids, of one mail


class ThreadMatch(msgspec.Struct, frozen=True, kw_only=True):
    """The contact a mail answers, the outbound message it names (if it names one), and what told us."""

    contact: str
    message: str | None = None
    how: str  # token | message-id


def _mac(secret: bytes, *words: str) -> str:
    if not secret:
        raise ValueError("an empty secret signs nothing")
    digest = hmac.new(secret, "\0".join(("usherd", *words)).encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:_MAC_BYTES]).decode("ascii").rstrip("=").lower()


def _checked(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"an id of lower-case letters, digits and dashes is needed, not {identifier!r}")
    return identifier


def token(secret: bytes, contact: str) -> str:
    """`t_<contact>_<mac>`: safe in an address, and of no use for another contact. ValueError for an odd id."""
    return f"t_{_checked(contact)}_{_mac(secret, 'contact', contact)}"


def reply_address(account: str, secret: bytes, contact: str) -> str:
    """`help+t_…@acme.example` for the account `help@acme.example`. ValueError if the local part gets too long."""
    local, at, domain = account.rpartition("@")
    tagged = f"{local}+{token(secret, contact)}"
    if not at or not local or len(tagged) > _LOCAL_PART_MAX:
        raise ValueError(f"no reply address can be made from {account!r}")
    return f"{tagged}@{domain}"


def new_message_id(secret: bytes, contact: str, message: str, domain: str) -> str:
    """`u.<contact>.<message>.<mac>@domain`, without angle brackets; the same for the same outbound message."""
    mac = _mac(secret, "message", _checked(contact), _checked(message))
    return f"u.{contact}.{message}.{mac}@{domain}"


def _of_token(secret: bytes, address: str, accounts: frozenset[str]) -> ThreadMatch | None:
    """Read `account+t_…@domain`, if the account is one of ours and the token is genuine."""
    local, _, domain = address.strip().lower().rpartition("@")
    name, plus, tag = local.partition("+")
    found = _TOKEN.fullmatch(tag) if plus else None
    if not found or (accounts and f"{name}@{domain}" not in accounts):
        return None
    contact, mac = found.groups()
    if not hmac.compare_digest(mac, _mac(secret, "contact", contact)):
        return None
    return ThreadMatch(contact=contact, how="token")


def _of_message_id(secret: bytes, message_id: str) -> ThreadMatch | None:
    found = _MESSAGE_ID.fullmatch(message_id.strip().strip("<>").lower())
    if not found:
        return None
    contact, message, mac = found.groups()
    if not hmac.compare_digest(mac, _mac(secret, "message", contact, message)):
        return None
    return ThreadMatch(contact=contact, message=message, how="message-id")


def _ids(message: Message) -> Iterator[str]:
    """The ids a mail refers to, the surest first: the bounced mail's, In-Reply-To, References from last to first."""
    if message.bounce and message.bounce.message_id:
        yield message.bounce.message_id
    if message.in_reply_to:
        yield message.in_reply_to
    yield from reversed(message.references)


def contact_of(secret: bytes, message: Message, accounts: Iterable[str] = ()) -> ThreadMatch | None:
    """The contact a mail answers, or None.

    `accounts`: our mailboxes, lower-case; a token counts only in one of their addresses (any, if none is given). The
    match says what the mail refers to, not that its sender may write there: the engine decides that. Linear.
    """
    ours = frozenset(accounts)
    addresses = [*message.delivered_to, *(one.address for one in message.to), *(one.address for one in message.cc)]
    named: str | None = None
    match: ThreadMatch | None = None
    for address in addresses[:_LOOKED_AT_MAX]:
        match = _of_token(secret, address, ours)
        if match:
            named = match.contact
            break
    for message_id in islice(_ids(message), _LOOKED_AT_MAX):
        found = _of_message_id(secret, message_id)
        if found and named in {None, found.contact}:
            return found if named is None else ThreadMatch(contact=named, message=found.message, how="token")
    return match
