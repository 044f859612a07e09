"""Signed links that show who somebody is: sent to one address, shown at another, good once and for a week.

A link is 40 bytes in base64url: the identity it was sent to, when it ends, a random number, and a MAC under a key of
its own. That it counts once is the engine's to see to, by the link's digest. 54 characters fit Telegram's `/start`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

import msgspec

DAYS_GOOD = 7
CHARACTERS = 54
_FORM = re.compile(r"[A-Za-z0-9_-]{54}")
_IDENTITY, _UNTIL, _ONCE, _MAC = 16, 4, 4, 16


class Proof(msgspec.Struct, frozen=True):
    """A link that was checked: the identity it was sent to, and by what it is known to have been used."""

    identity: str
    digest: str


def issue(secret: bytes, identity: str, now: int) -> str:
    """A link for whoever reads what is sent to `identity` (32 hexadecimal digits). `now` in ms."""
    until = now // 1000 + DAYS_GOOD * 86_400
    said = bytes.fromhex(identity) + until.to_bytes(_UNTIL) + secrets.token_bytes(_ONCE)
    return base64.urlsafe_b64encode(said + _mac(secret, said)).rstrip(b"=").decode()


def check(secret: bytes, text: str, now: int) -> Proof | None:
    """What a link shows, or None when it is not ours, was changed, or is past its time."""
    if not _FORM.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text + "==")
    said, mac = raw[:-_MAC], raw[-_MAC:]
    if not hmac.compare_digest(mac, _mac(secret, said)):
        return None
    until = int.from_bytes(said[_IDENTITY : _IDENTITY + _UNTIL])
    return Proof(said[:_IDENTITY].hex(), mac.hex()) if now // 1000 < until else None


def _mac(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(hmac.digest(secret, b"usherd proof", hashlib.sha256), said, hashlib.sha256)[:_MAC]
