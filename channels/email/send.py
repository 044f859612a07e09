"""Hands composed mails to a mail server and says exactly what became of each.

`sent`: the server has taken it. `deferred`: try again later. `failed`: it never will; a person must see it.
`unknown`: everything was written but the final reply never came, so the server may or may not have it. What is sent
again then must be the same bytes with the same Message-ID, once. No text, address or secret is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import aiosmtplib
import msgspec
import structlog

from router.core.errors import ConfigError

_log = structlog.get_logger()

MINUTE = 60_000  # ms
RETRY_FIRST = MINUTE
RETRY_LONGEST = 240 * MINUTE
RETRY_TOTAL = 2 * 24 * 60 * MINUTE

_CONTROLS_OR_BRACKETS = re.compile("[\x00-\x20\x7f<>\ud800-\udfff]")
_QUOTED_LOCAL = re.compile('"(?:[^"\\\\\x00-\x1f\x7f\ud800-\udfff]|\\\\[ -~])+"\\Z')
_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")
_GO_AHEAD = 354
_CLOSING = 421
_OK = range(200, 300)
_TEMPORARY = range(400, 500)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SendSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes our mail; times in seconds, those that wait for a reply as RFC 5321, 4.5.3.2 has them."""

    host: str = "127.0.0.1"
    port: int = 587
    hostname: str = "localhost"  # said in EHLO
    # `offered`: STARTTLS where the server has it, its certificate unchecked; `starttls` and `tls`: checked, or no mail.
    encryption: Literal["none", "offered", "starttls", "tls"] = "offered"
    authorities: Path | None = None  # PEM, instead of the system's
    username: str | None = None
    password: str = ""
    connections_max: int = 4
    mails_per_connection_max: int = 100
    connect_seconds_max: float = 30.0
    reply_seconds_max: float = 300.0
    data_seconds_max: float = 600.0
    idle_seconds_max: float = 30.0  # that a connection is kept for the next mail


class SendResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mail. `code` and `text` are the reply that decided; code 0: there was none.

    `refused` has the reply to each recipient that was not taken, `"550 5.1.1 …"`, also when the others were.
    """

    state: Literal["sent", "deferred", "failed", "unknown"]
    code: int = 0
    text: str = ""
    refused: dict[str, str] = {}


def retry_after(attempt: int) -> int | None:
    """Give how many ms to wait after the `attempt`-th failure (from 1), or None after two days: it has failed.

    One minute, doubled up to four hours.
    """
    waited = 0
    delay = 0
    for number in range(1, attempt + 1):
        # Past the eighth doubling the limit holds, and an attempt in the millions must not build a huge number.
        delay = min(RETRY_FIRST << min(number - 1, 16), RETRY_LONGEST)
        waited += delay
        if waited > RETRY_TOTAL:
            return None
    return delay


class _Connection:
    """A connection and what it was used for."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.mails = 0
        self.written = False  # the current mail has been handed over, so that its fate is the server's
        self.idle_since = 0.0


class SmtpSender:
    """Sends mails over a few connections, each used again for the next mail."""

    def __init__(self, settings: SendSettings) -> None:
        """Open nothing yet. Raises ConfigError if a password would go over a network in the clear."""
        if settings.username is not None and settings.encryption == "none" and settings.host not in _LOOPBACK:
            raise ConfigError(
                "the mail server's password would be sent in the clear",
                hint="set channels.email.send.encryption to starttls or tls",
            )
        self.settings = settings
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(settings.connections_max)

    async def send(self, envelope_from: str, recipients: Sequence[str], raw: bytes) -> SendResult:
        """Send one composed mail in one transaction. Raises nothing but CancelledError.

        Cancelling it leaves the outcome unknown. At most `connections_max` mails are on their way at one time.
        """
        if not recipients:
            return SendResult(state="failed", text="no recipients")
        for address in (*recipients, *([envelope_from] if envelope_from else [])):
            if not _usable(address):
                return SendResult(state="failed", text="malformed address", refused={address: "malformed address"})
        async with self._room:
            result = await self._send_fresh_or_kept(envelope_from, recipients, raw)
        _log.info(
            "mail_sent" if result.state == "sent" else "mail_not_sent",
            state=result.state,
            code=result.code,
            recipients=len(recipients),
            refused=len(result.refused),
            size=len(raw),
        )
        return result

    async def close(self) -> None:
        """End the connections that are kept."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await _quit(connection)

    async def _send_fresh_or_kept(self, sender: str, recipients: Sequence[str], raw: bytes) -> SendResult:
        """A kept connection may have been closed by the server meanwhile: then nothing was sent, and a new one is."""
        kept = self._take_kept()
        if kept is not None:
            result = await self._transact(kept, sender, recipients, raw)
            if result is not None:
                return result
        try:
            fresh = await self._connect()
        except aiosmtplib.SMTPResponseException as error:
            # Refused at the greeting, by EHLO or a wrong password: somebody must change something on one of the
            # sides, and until then every mail waits.
            return SendResult(state="deferred", code=error.code, text=error.message)
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return SendResult(state="deferred", text=_said(error))
        result = await self._transact(fresh, sender, recipients, raw)
        return result or SendResult(state="deferred", text="connection lost")

    def _take_kept(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            fit = now - connection.idle_since < self.settings.idle_seconds_max
            if fit and connection.client.is_connected:
                return connection
            connection.client.close()
        return None

    async def _connect(self) -> _Connection:
        settings = self.settings
        # Unchecked encryption keeps nobody from asking for the password, so with one the certificate is checked.
        checked = settings.encryption in {"starttls", "tls"} or settings.username is not None
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=settings.hostname,
            timeout=settings.connect_seconds_max,
            use_tls=settings.encryption == "tls",
            start_tls={"none": False, "tls": False, "starttls": True, "offered": True if settings.username else None}[
                settings.encryption
            ],
            validate_certs=checked,
            cert_bundle=str(settings.authorities) if settings.authorities else None,
            username=settings.username,
            password=settings.password if settings.username is not None else None,
        )
        await client.connect()
        try:
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except BaseException:
            client.close()
            raise
        return _Connection(client)

    async def _transact(
        self, connection: _Connection, sender: str, recipients: Sequence[str], raw: bytes
    ) -> SendResult | None:
        """Send one mail; None: a kept connection was found dead before the server had been given the mail."""
        client = connection.client
        connection.written = False
        try:
            result = await self._dialogue(connection, sender, recipients, raw)
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            if connection.written:
                return SendResult(state="unknown", text=_said(error))
            return None if connection.mails else SendResult(state="deferred", text=_said(error))
        except BaseException:
            client.close()
            raise
        if result.code == _CLOSING:
            client.close()
            if connection.mails and not connection.written:
                return None
        await self._keep(connection)
        return result

    async def _dialogue(
        self, connection: _Connection, sender: str, recipients: Sequence[str], raw: bytes
    ) -> SendResult:
        """One transaction, from MAIL to the final reply."""
        client = connection.client
        sender = _on_wire(sender)
        wire = {recipient: _on_wire(recipient) for recipient in recipients}
        options = _options(client, (sender, *wire.values()), raw)
        if options is None:
            return SendResult(state="failed", text="the mail server takes no international addresses")
        patience = self.settings.reply_seconds_max
        reply = await client.execute_command(f"MAIL FROM:<{sender}>{options}".encode(), timeout=patience)
        if reply.code not in _OK:
            return SendResult(state=_state(reply.code), code=reply.code, text=reply.message)
        refused: dict[str, aiosmtplib.SMTPResponse] = {}
        for recipient, address in wire.items():
            reply = await client.execute_command(f"RCPT TO:<{address}>".encode(), timeout=patience)
            if reply.code == _CLOSING:
                return SendResult(state="deferred", code=reply.code, text=reply.message)
            if reply.code not in _OK:
                refused[recipient] = reply
        said = {recipient: f"{reply.code} {reply.message}" for recipient, reply in refused.items()}
        if len(refused) == len(wire):
            # One that may be taken later is worth another try of all.
            decisive = min(refused.values(), key=lambda reply: reply.code not in _TEMPORARY)
            return SendResult(state=_state(decisive.code), code=decisive.code, text=decisive.message, refused=said)
        reply = await client.execute_command(b"DATA", timeout=patience)
        if reply.code == _GO_AHEAD:
            protocol = client.protocol
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("connection lost")
            protocol.write(_stuffed(raw))
            connection.written = True
            reply = await protocol.read_response(timeout=self.settings.data_seconds_max)
        return SendResult(state=_state(reply.code), code=reply.code, text=reply.message, refused=said)

    async def _keep(self, connection: _Connection) -> None:
        """Make a connection ready for the next mail, or end it."""
        client = connection.client
        connection.mails += 1
        if not client.is_connected:
            return
        if connection.mails >= self.settings.mails_per_connection_max:
            await _quit(connection)
            return
        if not connection.written:  # a transaction that got to its end needs no reset
            try:
                await client.rset(timeout=self.settings.connect_seconds_max)
            except (aiosmtplib.SMTPException, OSError):
                client.close()
                return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)


def _options(client: aiosmtplib.SMTP, addresses: Sequence[str], raw: bytes) -> str | None:
    """The parameters of MAIL, each with a blank before it; None if the server cannot take this mail at all."""
    options = f" SIZE={len(raw)}" if client.supports_extension("size") else ""
    header = raw[: raw.find(b"\r\n\r\n") + 1 or len(raw)]
    if not (header.isascii() and all(address.isascii() for address in addresses)):
        if not client.supports_extension("smtputf8"):
            return None
        options += " SMTPUTF8"
    if not raw.isascii() and client.supports_extension("8bitmime"):
        options += " BODY=8BITMIME"
    return options


def _on_wire(address: str) -> str:
    """An address with its domain in ASCII, so that few mails need a server with SMTPUTF8."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        with contextlib.suppress(UnicodeError):
            return f"{local}@{unicodedata.normalize('NFC', domain).encode('idna').decode()}"
    return address


def _usable(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    if not local or not domain or _CONTROLS_OR_BRACKETS.search(domain):
        return False
    return bool(_QUOTED_LOCAL.match(local)) or not _CONTROLS_OR_BRACKETS.search(local)


def _stuffed(raw: bytes) -> bytes:
    """The mail as it goes over the wire: CR LF line ends only, dots doubled, the end mark behind it."""
    text = b"\r\n" + _BARE_LINE_END.sub(b"\r\n", raw)
    if not text.endswith(b"\r\n"):
        text += b"\r\n"
    return text.replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


def _state(code: int) -> Literal["sent", "deferred", "failed"]:
    if code in _OK:
        return "sent"
    # A reply that is none of SMTP's is a broken server, which somebody will mend.
    return "failed" if code in range(500, 600) or code == 0 else "deferred"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


async def _quit(connection: _Connection) -> None:
    try:
        await connection.client.quit(timeout=5.0)
    except (aiosmtplib.SMTPException, OSError):
        connection.client.close()
