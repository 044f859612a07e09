"""The visitor's pass: what a widget keeps so that a visitor is the same visitor tomorrow.

`v1.<visitor>.<issued>.<mac>`: 128 random bits in hexadecimal digits, seconds since 1970, and an HMAC-SHA256 under a key
derived from the workspace's secret for this one purpose. It travels in the first frame of a line or in a header, never
in an address, which ends up in logs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

import msgspec

from router.web.signing import SECRET_BYTES_MIN

DAY_SECONDS = 86_400
PASS_DAYS_MAX = 400
RENEWED_AFTER_DAYS = 30
PASS_CHARACTERS_MAX = 200

_FORM = re.compile(r"v1\.([0-9a-f]{32})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")


class Pass(msgspec.Struct, frozen=True):
    """A pass that was checked. `stale`: it is time to give its holder a fresh one."""

    visitor: str
    stale: bool = False


class Passes:
    """Issues and checks passes. Times are milliseconds of UTC."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"the secret needs at least {SECRET_BYTES_MIN} bytes")
        self._key = hmac.digest(secret, b"usherd chat visitor", hashlib.sha256)

    def new_visitor(self) -> str:
        """An id nobody can guess."""
        return secrets.token_hex(16)

    def issue(self, visitor: str, now: int) -> str:
        """A pass for `visitor`, good for PASS_DAYS_MAX days."""
        said = f"v1.{visitor}.{now // 1000}"
        return f"{said}.{self._mac(said)}"

    def check(self, text: str, now: int) -> Pass | None:
        """Who holds it, or None when it is not ours, was changed, or is past its time."""
        found = _FORM.fullmatch(text) if len(text) <= PASS_CHARACTERS_MAX else None
        if found is None:
            return None
        visitor, issued, mac = found.groups()
        if not hmac.compare_digest(mac, self._mac(text.rpartition(".")[0])):
            return None
        age = now // 1000 - int(issued)
        if age > PASS_DAYS_MAX * DAY_SECONDS:
            return None
        return Pass(visitor, stale=age > RENEWED_AFTER_DAYS * DAY_SECONDS)

    def _mac(self, said: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, said.encode(), hashlib.sha256)).rstrip(b"=").decode()
