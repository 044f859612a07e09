"""Signed values that a browser carries: sign-in links and sessions.

`<payload>.<mac>`, both base64url without padding; the payload is JSON, the mac HMAC-SHA256 under a key derived from
the workspace's secret for this one purpose, so that a link is never taken for a session.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

SECRET_BYTES_MIN = 32
SIGNED_CHARACTERS_MAX = 1000


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Who may come in, until when (ms). `id` is random and names this ticket."""

    agent: str
    until: int
    id: str


class Signer:
    """Signs and checks tickets for one purpose."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"the secret needs at least {SECRET_BYTES_MIN} bytes")
        self._key = hmac.digest(secret, b"usherd " + purpose.encode(), hashlib.sha256)

    def sign(self, ticket: Ticket) -> str:
        """The ticket as text that fits a cookie or a link."""
        payload = _encode(msgspec.json.encode(ticket))
        return f"{payload}.{self._mac(payload)}"

    def check(self, signed: str, now: int) -> Ticket | None:
        """The ticket, or None when it is not ours, was changed, or is past its time."""
        if len(signed) > SIGNED_CHARACTERS_MAX or not signed.isascii():
            return None
        payload, _, mac = signed.partition(".")
        if not hmac.compare_digest(mac, self._mac(payload)):
            return None
        try:
            ticket = msgspec.json.decode(_decode(payload), type=Ticket)
        except (msgspec.DecodeError, binascii.Error):
            return None
        return ticket if now < ticket.until else None

    def _mac(self, payload: str) -> str:
        return _encode(hmac.digest(self._key, payload.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
