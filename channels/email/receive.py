"""Acknowledged after: all entries of the mail, one for each account it is for, are on disk.

A mail server for the workspace's own addresses, never a relay. The reply to DATA says what became of the mail: `250`
stored, `451` try again (the store failed or did not answer in time), `452` over the backlog limit, `421` stopping.
What is stored goes on being stored when the peer hangs up first; its second attempt is then known as a duplicate.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
import time
from collections import Counter
from collections.abc import Callable

import msgspec
import structlog
from aiosmtpd.smtp import Envelope

from channels.email.identity import Fingerprint, fingerprint, identity_of
from channels.email.smtp_hooks import STOPPING
from channels.email.smtp_session import TEMPORARY, SessionFactory, SmtpSession
from channels.email.smtp_settings import Accounts, SmtpSettings
from router.core.errors import AddressTaken, BacklogFull, ConfigError, Draining, StoreUnavailable
from router.core.ports import Appended, Inbox, InboxEntry

_log = structlog.get_logger()

HASH_IN_THREAD_SIZE = 262_144  # bytes; hashing this much takes the loop .5 ms
_FULL = "452 4.3.1 Too much waiting, try again later"
_TOO_MANY = "421 4.7.0 Too many connections, try again later"


class SmtpReceiver:
    """Receives mail and appends it to the inbox. The counters are plain numbers that only ever grow, but for `held`."""

    def __init__(
        self, settings: SmtpSettings, inbox: Inbox, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        """Take the inbox port and a clock in milliseconds of UTC for `received_at`. Nothing is opened yet."""
        self.settings = settings
        self.accounts = Accounts(settings.recipients)
        self.draining = False
        self.held = 0  # bytes of all mails being received now
        self.connections = 0
        self.connections_refused = 0
        self.mails = 0  # stored, duplicates included
        self.bytes = 0
        self.duplicates = 0
        self.recipients_refused = 0
        self.logins_refused = 0
        self.oversized = 0
        self.busy = 0  # turned away over the limit on mail held in memory
        self.deferred = 0  # answered 451, 452 or 421 because of the store
        self.timeouts = 0
        self.aborted = 0  # cut off for sending without end
        self.errors = 0  # unexpected exceptions; each is logged
        self._inbox = inbox
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._sessions: set[SmtpSession] = set()
        self._by_network: Counter[str] = Counter()
        self._appends: set[asyncio.Task[list[Appended]]] = set()

    async def start(self) -> tuple[str, int]:
        """Listen, and give the address and port that were bound. Raises AddressTaken, ConfigError."""
        loop = asyncio.get_running_loop()
        settings = self.settings
        factory = SessionFactory(self, _tls_context(settings))
        try:
            self._server = await loop.create_server(factory, settings.host, settings.port, backlog=1024)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise AddressTaken(
                f"cannot listen for mail on {where}: {os.strerror(error.errno) if error.errno else error}",
                hint="choose another address or port under channels.email.smtp.listen, or stop what uses it",
            ) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        _log.info("smtp_listening", host=host, port=port, tls=settings.certificate is not None)
        return host, port

    async def stop(self) -> None:
        """Refuse new mail with 421, let mails under way finish within `drain_seconds_max`, then close everything."""
        self.draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.drain_seconds_max
        for session in list(self._sessions):
            if not session.receiving:
                session.abort(STOPPING)
        # Asked again and again rather than waited for: it is about many sessions, and happens once.
        while loop.time() < deadline and (self._appends or any(s.receiving for s in self._sessions)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.abort(STOPPING)
        await asyncio.sleep(0)  # the loop tells each session that its connection is lost
        if self._appends:
            _log.warning("smtp_stopped_with_appends", appends=len(self._appends))
        self._server = None

    def take_mail_for(self, recipients: tuple[str, ...]) -> None:
        """Take mail for these addresses from now on, after the workspace has changed.

        A mail under way to an account that is gone is answered with 451; its next attempt hears 550.
        """
        self.accounts = Accounts(recipients)

    def opened(self, session: SmtpSession) -> str | None:
        """Count a new connection, or give the reply that refuses it."""
        network = network_of(session.address)
        refusal = None
        if self.draining:
            refusal = STOPPING
        elif (
            len(self._sessions) >= self.settings.connections_max
            or self._by_network[network] >= self.settings.connections_per_address_max
        ):
            refusal = _TOO_MANY
        if refusal is not None:
            self.connections_refused += 1
            return refusal
        self.connections += 1
        self._sessions.add(session)
        self._by_network[network] += 1
        return None

    def closed(self, session: SmtpSession) -> None:
        """Count a connection out."""
        if session in self._sessions:
            self._sessions.remove(session)
            network = network_of(session.address)
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def count(self, what: str) -> None:
        """Add one to the counter of this name."""
        setattr(self, what, getattr(self, what) + 1)

    async def accept(self, envelope: Envelope, peer: str, raw: bytes) -> str:
        """Make a mail durable in one append for all its accounts, and give the SMTP reply."""
        try:
            if len(raw) > HASH_IN_THREAD_SIZE:
                mail = await asyncio.to_thread(fingerprint, raw)
            else:
                mail = fingerprint(raw)
            entries = self._entries(envelope, peer, raw, mail)
            stored = await self._append(entries)
        except StoreUnavailable:
            reply = TEMPORARY
        except BacklogFull:
            reply = _FULL
        except Draining:
            reply = STOPPING
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer must keep the mail and try again
            self.errors += 1
            _log.error("smtp_accept_failed", error=type(error).__name__)
            reply = TEMPORARY
        else:
            self.mails += 1
            self.bytes += len(raw)
            self.duplicates += all(answer.duplicate for answer in stored)
            return f"250 2.0.0 OK {stored[0].id}"
        self.deferred += 1
        return reply

    def _entries(self, envelope: Envelope, peer: str, raw: bytes, mail: Fingerprint) -> list[InboxEntry]:
        """Make one entry for each account among the recipients."""
        recipients: dict[str, list[str]] = {}
        for recipient in envelope.rcpt_tos:
            account = self.accounts.find(recipient)
            assert account is not None  # RCPT let only those in
            recipients.setdefault(account, []).append(recipient)
        sender = envelope.mail_from or ""
        entries = []
        for account, addresses in recipients.items():
            key, body = identity_of(account, mail)
            meta = {
                "account": account,
                "envelope_from": "" if sender == "<>" else sender,
                "recipients": addresses,
                "peer": peer,
                "received_at": self._clock(),
            }
            entries.append(InboxEntry(source="email", key=key, body=body, meta=msgspec.json.encode(meta), raw=raw))
        return entries

    async def _append(self, entries: list[InboxEntry]) -> list[Appended]:
        """Append in a task of its own, which goes on when the peer hangs up and this coroutine is cancelled.

        Raises StoreUnavailable after `append_seconds_max`; the outcome is then unknown, and a re-send deduplicated.
        """
        task = asyncio.ensure_future(self._inbox.append(entries))
        self._appends.add(task)
        task.add_done_callback(self._appended)
        done, _ = await asyncio.wait({task}, timeout=self.settings.append_seconds_max)
        if not done:
            raise StoreUnavailable("the append did not end in time")
        return task.result()

    def _appended(self, task: asyncio.Task[list[Appended]]) -> None:
        self._appends.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, as its waiter may be gone with its connection


def network_of(address: str) -> str:
    """For the connection caps, give what one party holds: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        whole = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if whole.ipv4_mapped is not None:  # what a socket for both families calls an IPv4 peer
        return str(whole.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(whole), 64), strict=False))


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    """Load the certificate, if one is given. Raises ConfigError if it cannot be used."""
    if settings.certificate is None:
        if settings.users or settings.tls_required:
            raise ConfigError(
                "SMTP users or tls_required need a certificate: nobody may send a password in the clear",
                hint="give channels.email.smtp.certificate",
            )
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot load the SMTP certificate: {error.strerror or error}",
            file=str(settings.certificate),
            hint="a PEM file with the certificate, its chain and, unless private_key is given, the key",
        ) from error
    return context
