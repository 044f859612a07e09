"""Which contact a mail answers: signed tokens in the addresses and Message-IDs we gave out.

A token is `t_<contact>_<mac>`, a Message-ID of ours `u.<contact>.<message>.<mac>@<domain>`; both say everything in
themselves, so that no index has to outlive the mails that quote them. The sender in the envelope of a mail is
`b_<contact>_<message>_<recipient>_<mac>` (VERP), so that a bounce says by its address alone of whom it speaks.
The MAC is HMAC-SHA256 cut to 104 bits, in lower case, because mail programs lower-case addresses. A subject is never
looked at, and an empty id matches nothing.
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
_SHORT = r"[a-z0-9][a-z0-9.-]{0,62}"
_BOUNCE = re.compile(rf"b_({_SHORT})_({_SHORT})_([0-9]{{1,4}})_([a-z2-7]{{{_MAC_CHARS}}})")
_NUMBERED = re.compile(r"([a-z]?)([1-9][0-9]{8,16})-(0|[1-9][0-9]{0,15})")
_SHORTENED = re.compile(r"([0a-z])([0-9a-z]{1,12})\.([0-9a-z]{1,12})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MESSAGE_ID = re.compile(rf"u\.({_ID})\.({_ID})\.([a-z2-7]{{{_MAC_CHARS}}})@[^\s@<>]{{1,255}}")
_IDENTIFIER = re.compile(_ID)
_LOCAL_PART_MAX = 64  # RFC 5321
_LOOKED_AT_MAX = 200  # addresses, and ids, of one mail


class ThreadMatch(msgspec.Struct, frozen=True, kw_only=True):
    """The contact a mail answers, the outbound message it names (if it names one), and what told us."""

    contact: str
    message: str | None = None
    how: str  # token | message-id | envelope
    recipient: int = 0  # of that message, by their place: whom a bounce speaks of


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


def envelope_sender(account: str, secret: bytes, message_id: str, recipient: int) -> str:
    """`help+b_…@acme.example`: who a mail with this Message-ID of ours comes from, on its way to this recipient.

    ValueError if it is no Message-ID of ours, or the local part gets too long.
    """
    match = _of_message_id(secret, message_id)
    local, at, domain = account.rpartition("@")
    if match is None or match.message is None:
        raise ValueError("not a Message-ID of ours")
    mac = _mac(secret, "envelope", match.contact, match.message, str(recipient))
    tagged = f"{local}+b_{_short(match.contact)}_{_short(match.message)}_{recipient}_{mac}"
    if not at or not local or len(tagged) > _LOCAL_PART_MAX:
        raise ValueError(f"no envelope can be made from {account!r}")
    return f"{tagged}@{domain}"


def _short(identifier: str) -> str:
    """An id with the store's times in it, `1795420800000-3`, to the base of 36: a local part has 64 characters only."""
    found = _NUMBERED.fullmatch(identifier)
    return f"{found[1] or '0'}{_base36(int(found[2]))}.{_base36(int(found[3]))}" if found else identifier


def _long(short: str) -> str:
    found = _SHORTENED.fullmatch(short)
    return f"{found[1].strip('0')}{int(found[2], 36)}-{int(found[3], 36)}" if found else short


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"


def new_message_id(secret: bytes, contact: str, message: str, domain: str) -> str:
    """`u.<contact>.<message>.<mac>@domain`, without angle brackets; the same for the same outbound message."""
    mac = _mac(secret, "message", _checked(contact), _checked(message))
    return f"u.{contact}.{message}.{mac}@{domain}"


def _of_token(secret: bytes, address: str, accounts: frozenset[str]) -> ThreadMatch | None:
    """Read `account+t_…@domain` or `+b_…`, if the account is one of ours and the token is genuine."""
    local, _, domain = address.strip().lower().rpartition("@")
    name, plus, tag = local.partition("+")
    if not plus or (accounts and f"{name}@{domain}" not in accounts):
        return None
    envelope = _BOUNCE.fullmatch(tag)
    if envelope:
        return _of_envelope(secret, envelope)
    found = _TOKEN.fullmatch(tag)
    if not found:
        return None
    contact, mac = found.groups()
    if not hmac.compare_digest(mac, _mac(secret, "contact", contact)):
        return None
    return ThreadMatch(contact=contact, how="token")


def _of_envelope(secret: bytes, found: re.Match[str]) -> ThreadMatch | None:
    contact, message, recipient, mac = _long(found[1]), _long(found[2]), found[3], found[4]
    if not hmac.compare_digest(mac, _mac(secret, "envelope", contact, message, recipient)):
        return None
    return ThreadMatch(contact=contact, message=message, how="envelope", recipient=int(recipient))


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
            if match.message is not None:
                return match
            named = match.contact
            break
    for message_id in islice(_ids(message), _LOOKED_AT_MAX):
        found = _of_message_id(secret, message_id)
        if found and named in {None, found.contact}:
            return found if named is None else ThreadMatch(contact=named, message=found.message, how="token")
    return match
