"""What the SMTP server must be told: where to listen, whom it takes mail for, and every limit it keeps."""

from __future__ import annotations

import contextlib
import unicodedata
from pathlib import Path

import msgspec

MEGABYTE = 1 << 20


class SmtpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one SMTP listener; sizes in bytes, times in seconds. Each limit bounds what one stranger can cost."""

    recipients: tuple[str, ...]  # the accounts: `help@acme.example` also takes `help+anything@acme.example`
    host: str = "127.0.0.1"
    port: int = 2525  # 0: any free one
    hostname: str = "localhost"  # said in the greeting
    certificate: Path | None = None  # PEM, the chain included; STARTTLS is offered once it is given
    private_key: Path | None = None  # None: in the certificate's file
    users: dict[str, str] = {}  # login → secret; AUTH is offered over TLS once there are any
    auth_required: bool = False
    tls_required: bool = False
    size_max: int = 25 * MEGABYTE  # of one mail
    held_max: int = 256 * MEGABYTE  # of all mails being received at one time
    connections_max: int = 500
    connections_per_address_max: int = 100  # a relay of our own sends all its mail from one
    recipients_max: int = 100  # of one transaction (RFC 5321, 4.5.3.1.8)
    refused_recipients_max: int = 20  # of one session: more is somebody guessing addresses
    failed_logins_max: int = 3  # of one session
    command_bytes_max: int = MEGABYTE  # between two mails
    command_seconds_max: float = 120.0
    data_seconds_max: float = 600.0
    session_seconds_max: float = 1800.0
    append_seconds_max: float = 60.0  # then 451; the peer waits ten minutes (RFC 5321, 4.5.3.2.6)
    drain_seconds_max: float = 10.0


class Accounts:
    """Finds the account an envelope recipient belongs to."""

    def __init__(self, recipients: tuple[str, ...]) -> None:
        self._accounts = {_levelled(address): address for address in recipients}

    def find(self, recipient: str) -> str | None:
        """Give the account as the workspace writes it, or None if the address is not ours.

        Upper and lower case, the two spellings of an international domain and anything between `+` and `@` make no
        difference.
        """
        address = _levelled(recipient)
        found = self._accounts.get(address)
        if found is None and "+" in address:
            local, _, domain = address.rpartition("@")
            found = self._accounts.get(f"{local.partition('+')[0]}@{domain}")
        return found


def _levelled(address: str) -> str:
    if address.isascii():
        return address.lower()
    local, at, domain = unicodedata.normalize("NFC", address).rpartition("@")
    with contextlib.suppress(UnicodeError):  # then no such domain exists, and it matches nothing
        domain = domain.encode("idna").decode("ascii")
    return f"{local}{at}{domain}".lower()
