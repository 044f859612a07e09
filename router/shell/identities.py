"""Who wrote, without saying who: keyed hashes of addresses, and the keys that encrypt what they wrote."""

from __future__ import annotations

import hashlib
import hmac

SYSTEM = "system"  # the key of what belongs to nobody


def identity_of(secret: bytes, channel: str, address: str) -> str:
    """The keyed hash (32 hexadecimal digits) of one address on one channel.

    An address with an @ is the same identity on every channel that is given it by a trusted source, so that a web
    form and a mail of one person meet.
    """
    space = "mail" if "@" in address else channel
    text = f"{space}\0{address.strip().lower()}".encode("utf-8", "surrogateescape")
    return hmac.new(secret, b"identity\0" + text, hashlib.sha256).hexdigest()[:32]


def external_of(secret: bytes, message_id: str) -> str:
    """The keyed hash (32 hexadecimal digits) of a message's own id, such as a Message-ID without angle brackets."""
    text = message_id.strip().encode("utf-8", "surrogateescape")
    return hmac.new(secret, b"message-id\0" + text, hashlib.sha256).hexdigest()[:32]
