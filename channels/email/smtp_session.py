# ruff: noqa: ARG002, N802 - names and signatures of commands are aiosmtpd's
"""One SMTP connection: aiosmtpd's protocol with the limits it lacks and a faster way through DATA.

aiosmtpd reads the commands; what is changed here, and why, stands at each method. Replies never carry an exception's
text, and nothing of a mail is logged.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope, syntax

from channels.email.smtp_data import DataCollector
from channels.email.smtp_hooks import STOPPING, Served, SessionHooks

_log = structlog.get_logger()
# aiosmtpd logs addresses at INFO, mails and whole command lines at DEBUG, and tracebacks of ours at ERROR.
logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)

COMMAND_SIZE_MAX = 2048  # bytes; RFC 5321 asks for 512, long international addresses and AUTH need more
READ_SIZE_MAX = 65_536  # bytes the reader holds of commands sent ahead before it pauses the peer
# How often a session may send each command. Mail servers reuse a connection for thousands of mails.
COMMAND_CALLS = {"*": 20, "MAIL": 100_000, "RCPT": 1_000_000, "DATA": 100_000, "RSET": 100_000, "NOOP": 100}
DISCARD_FACTOR = 2  # a mail over the limit is read on up to this multiple of it, so that its sender hears 552

TEMPORARY = "451 4.3.0 Local error, try again later"
_TIMEOUT = "421 4.4.2 Timeout"
_BUSY = "452 4.3.1 Too much mail at once, try again later"
_TOO_LARGE = "552 5.3.4 Message too large"
_PLAIN_PATH = re.compile(r"<([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255})>(?: +(.*))?\Z", re.ASCII)


class Owner(Served, Protocol):
    """What a session asks of the receiver it belongs to."""

    held: int  # bytes of all mails being received

    def opened(self, session: SmtpSession) -> str | None:
        """Count a new connection, or give the reply that refuses it."""
        ...

    def closed(self, session: SmtpSession) -> None:
        """Count a connection out."""
        ...

    async def accept(self, envelope: Envelope, peer: str, raw: bytes) -> str:
        """Make a mail durable and give the reply; raises nothing but CancelledError."""
        ...


class _Refused(asyncio.Protocol):
    """Ignores what a refused connection still sends."""


class _Reader(asyncio.StreamReader):
    """A stream reader that can hand over what it holds."""

    # asyncio's own, which its published types leave out
    _buffer: bytearray
    _maybe_resume_transport: Callable[[], None]

    def take(self) -> bytes:
        """Give all buffered bytes and let a paused peer go on."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._maybe_resume_transport()
        return data


class SmtpSession(SMTP):
    """One connection, from greeting to close. Made by `SessionFactory`, never directly."""

    line_length_limit = READ_SIZE_MAX  # aiosmtpd's 1,001 bytes turn mails away that every other server takes

    def __init__(self, owner: Owner, hooks: SessionHooks, tls: ssl.SSLContext | None) -> None:
        settings = owner.settings
        super().__init__(
            hooks,
            data_size_limit=settings.size_max,
            enable_SMTPUTF8=True,
            hostname=settings.hostname,
            ident="ESMTP usherd",
            tls_context=tls,
            require_starttls=tls is not None and settings.tls_required,
            timeout=settings.command_seconds_max,
            auth_required=settings.auth_required,
            auth_require_tls=True,
            authenticator=hooks.authenticate,
            command_call_limit=COMMAND_CALLS,
            loop=asyncio.get_running_loop(),
        )
        self._begin(owner)

    def _begin(self, owner: Owner) -> None:
        self._owner = owner
        self.address = ""
        # aiosmtpd keeps this one table for all sessions and lets each EHLO raise it.
        self.command_size_limits = defaultdict(lambda: COMMAND_SIZE_MAX)
        self._collector: DataCollector | None = None
        self._complete: asyncio.Future[None] | None = None
        self._held = 0
        self._command_bytes = 0
        self._refused_recipients = 0
        self._failed_logins = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._admitted = False
        self._overdue = False  # the session's time is over: it ends with the mail under way
        self._too_busy = False  # the mail under way is discarded for lack of memory, not for its size
        self.accepting = False  # a complete mail is being made durable

    @property
    def receiving(self) -> bool:
        """Whether a mail is under way that a stop must let finish."""
        return self._collector is not None or self.accepting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse over the caps, else begin; called again by aiosmtpd once TLS is up."""
        if self._admitted:
            super().connection_made(transport)
            return
        transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "local"
        refusal = self._owner.opened(self)
        if refusal is not None:
            transport.set_protocol(_Refused())
            transport.write(refusal.encode() + b"\r\n")
            transport.close()
            return
        self._admitted = True
        self._deadline = self.loop.call_later(self._owner.settings.session_seconds_max, self._session_over)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Give back what this session held."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._collector = None
        self._hold(0)
        self._owner.closed(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Count every byte, and take those of a mail past the line reader, which has no bound."""
        collector = self._collector
        if collector is None:
            self._command_bytes += len(data)
            if self._command_bytes > self._owner.settings.command_bytes_max:
                self._owner.count("aborted")
                self.abort()
                return
            super().data_received(data)
            return
        rest = collector.feed(data)
        self._hold(collector.held)
        if rest is None:
            if self._owner.held > self._owner.settings.held_max and not collector.overflowed:
                collector.discard()
                self._hold(collector.held)
                self._too_busy = True
            if collector.seen > DISCARD_FACTOR * self._owner.settings.size_max + COMMAND_SIZE_MAX:
                self._owner.count("aborted")
                self.abort(_TOO_LARGE)
            return
        self._collector = None
        self._command_bytes = 0
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
        if rest:
            self.data_received(rest)

    def _hold(self, held: int) -> None:
        self._owner.held += held - self._held
        self._held = held

    def _timeout_cb(self) -> None:
        """Say why before closing; while a mail is being stored nobody is slow but us."""
        if self.accepting:
            self._reset_timeout()
            return
        self._owner.count("timeouts")
        self.abort(_TIMEOUT)

    def _session_over(self) -> None:
        """End a session that keeps itself busy, but not in the middle of a mail, which has a time limit of its own."""
        self._overdue = True
        if not self.receiving:
            self._owner.count("timeouts")
            self.abort(_TIMEOUT)

    def abort(self, reply: str = "421 4.7.0 Too much data") -> None:
        """Reply and close at once, whatever is under way."""
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is not None and not transport.is_closing():
            transport.write(reply.encode() + b"\r\n")
            transport.close()

    def refuse_recipient(self) -> str:
        """Reply to an address that is not ours; end the session of somebody who guesses on and on."""
        self._refused_recipients += 1
        if self._refused_recipients > self._owner.settings.refused_recipients_max:
            self.loop.call_soon(self.abort, "421 4.7.0 Too many unknown recipients")
        return "550 5.1.1 No such recipient here"

    def refuse_login(self) -> str:
        """Reply to a wrong login; end the session of somebody who guesses on and on."""
        self._failed_logins += 1
        if self._failed_logins >= self._owner.settings.failed_logins_max:
            return "421 4.7.0 Too many wrong logins"
        return "535 5.7.8 Authentication credentials invalid"

    async def push(self, status: Any) -> None:  # noqa: ANN401 - str or bytes, as aiosmtpd has it
        """Send a reply; 421 means that we close, whoever said it."""
        await super().push(status)
        if str(status).startswith("421"):
            assert self.transport is not None
            self.transport.close()

    async def handle_exception(self, error: Exception) -> str:
        """Ask the peer to retry: aiosmtpd says 500 with the exception's text, so that mail bounces for good."""
        self._owner.count("errors")
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
        _log.error("smtp_session_failed", error=type(error).__name__, at=at)
        return TEMPORARY

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read a path; plain ones by one pattern, as the standard library's grammar costs more than all the rest."""
        plain = _PLAIN_PATH.match(arg)
        if plain is not None:
            return plain.group(1), plain.group(2) or ""
        if arg.startswith("<>"):
            return "<>", arg[2:].strip()
        try:
            address, rest = super()._getaddr(arg)
        except Exception:  # noqa: BLE001 - hostile input makes that grammar raise nearly anything
            return None, None
        if address is not None:
            address = address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return address, rest

    @syntax("VRFY <address>")
    async def smtp_VRFY(self, arg: str | None) -> None:
        """Tell nobody which addresses exist, and repeat nothing of what was asked."""
        await self.push("252 2.1.5 Cannot verify, send some mail")

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:
        """Receive one mail and answer for it. aiosmtpd's own splits it into lines, without a bound on their pieces."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        settings = self._owner.settings
        if self._owner.draining or self._owner.held > settings.held_max:
            await self.push(STOPPING if self._owner.draining else _BUSY)
            return
        self._reset_timeout(settings.data_seconds_max)
        collector = DataCollector(settings.size_max)
        self._too_busy = False
        self._complete = self.loop.create_future()
        reader = self._reader
        assert isinstance(reader, _Reader)
        early = reader.take()  # some clients do not wait for 354
        self._collector = collector
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        if early:
            self.data_received(early)
        await self._complete
        await self._answer(collector)

    async def _answer(self, collector: DataCollector) -> None:
        """Reply to the mail that was collected."""
        assert self.envelope is not None
        envelope = self.envelope
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        if collector.overflowed:
            self._hold(0)
            self._owner.count("busy" if self._too_busy else "oversized")
            reply = _BUSY if self._too_busy else _TOO_LARGE
        else:
            self.accepting = True
            try:
                reply = await self._owner.accept(envelope, self.address, collector.take())
            finally:
                self.accepting = False
                self._hold(0)
        self._reset_timeout()
        await self.push(reply)
        if self._owner.draining or self._overdue:
            self.abort(STOPPING if self._owner.draining else _TIMEOUT)


class SessionFactory:
    """Makes sessions cheaply.

    aiosmtpd's constructor looks through all attributes by reflection, which costs more than receiving a mail. It runs
    once, for a model whose settings each new session copies.
    """

    def __init__(self, owner: Owner, tls: ssl.SSLContext | None) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        model = SmtpSession(owner, SessionHooks(owner), tls)
        self._settings = dict(model.__dict__)
        self._commands = {name: method.__name__ for name, method in model._smtp_methods.items()}  # noqa: SLF001
        self._mechanisms = {
            name: (type(entry), entry.method.__name__)
            for name, entry in model._auth_methods.items()  # noqa: SLF001
        }

    def __call__(self) -> SmtpSession:
        """Make the protocol of one new connection."""
        session = SmtpSession.__new__(SmtpSession)
        session.__dict__.update(self._settings)
        reader = _Reader(limit=READ_SIZE_MAX, loop=self._loop)
        asyncio.StreamReaderProtocol.__init__(
            session,
            reader,
            client_connected_cb=session._cb_client_connected,  # noqa: SLF001
            loop=self._loop,
        )
        session._smtp_methods = {name: getattr(session, method) for name, method in self._commands.items()}  # noqa: SLF001
        session._auth_methods = {  # noqa: SLF001
            name: kind(getattr(session, method), is_builtin=True) for name, (kind, method) in self._mechanisms.items()
        }
        session._begin(self._owner)  # noqa: SLF001
        return session
