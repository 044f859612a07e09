"""One connection to an IMAP server, on aioimaplib, made so that nothing the server does or omits can hold us up.

What aioimaplib does (2.0.3), and what is done about it:
- It awaits for ever where the connection dies or the server falls silent: every wait is one for the answer, for the
  loss of the connection, and for a time in which nothing was heard.
- It recurses once a line and gives up at about 970 lines in one chunk: it is fed in portions of `LINES_MAX`.
- It looks through all lines of a FETCH after each, which takes seconds where they are thousands: not here.
- A command that is given up leaves it waiting: after any failure the connection is thrown away.
- It keeps literals of any length: what an answer may hold is bounded by what was announced.
- It knows no STARTTLS, and not how a refused XOAUTH2 ends.
- At DEBUG it logs all that it receives: its logger says nothing below WARNING.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import socket
import ssl
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from aioimaplib import AioImapException
from aioimaplib.aioimaplib import (
    SELECTED,
    Command,
    FetchCommand,
    IMAP4ClientProtocol,
    IncompleteRead,
)

from channels.email.imap_answers import quoted
from channels.email.imap_settings import MEGABYTE, ImapSettings
from router.core.errors import PermanentError, TransientError

logging.getLogger("aioimaplib").setLevel(logging.WARNING)

LINES_MAX = 64  # of one portion
ROOM = 4 * MEGABYTE  # bytes that an answer may have which holds no mail
_SAID_CHARACTERS_MAX = 200
_FETCH = re.compile(rb"\d+ FETCH \(")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')

Lines = list[bytes | bytearray]


class MailboxLost(TransientError):
    """The connection is gone, or not worth keeping: connect anew."""

    code = "mailbox_lost"


class CommandRefused(TransientError):
    """The server said NO or BAD; the connection is as good as before."""

    code = "mailbox_command_refused"


class MailboxRefused(PermanentError):
    """The server does not let us in, or has no such mailbox. `hint`: what whoever runs it can do."""

    code = "mailbox_refused"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _Protocol(IMAP4ClientProtocol):  # type: ignore[misc] # the library ships no types
    """aioimaplib's, fed in small portions and with a limit on what an answer may hold."""

    incomplete_line: bytes
    current_command: Any

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: asyncio.Future[str]) -> None:
        super().__init__(loop, self._gone)
        self.heard_at = time.monotonic()
        self.room = ROOM
        self.replies: list[str] = []  # to the server's next questions in AUTHENTICATE
        self._lost = lost

    def _gone(self, error: Exception | None) -> None:
        self.fail("the server hung up" if error is None else f"the connection broke ({type(error).__name__})")

    def fail(self, reason: str) -> None:
        """Give the connection up; whoever waits for something hears why."""
        if not self._lost.done():
            self._lost.set_result(reason)
        if self.transport is not None:
            self.transport.abort()

    async def welcome(self, command: bytes) -> None:
        """Take the greeting, and ask what the server can do."""
        try:
            await super().welcome(command)
        except Exception:  # noqa: BLE001 (nobody waits for this task)
            self.fail(f"it does not greet us: {_said(command)}")

    def data_received(self, d: bytes) -> None:
        """Take what came; whatever it does to aioimaplib ends this connection and nothing else."""
        if self._lost.done():
            return
        self.heard_at = time.monotonic()
        self.room -= len(d)
        if self.room < 0:
            self.fail("the server sent more than it had announced")
            return
        try:
            for portion in self._portions(d):
                self._take(portion)
        except Exception as error:  # noqa: BLE001 (whatever a stranger's bytes do)
            self.fail(f"the server's answer cannot be read ({type(error).__name__})")

    def _take(self, portion: bytes) -> None:
        try:
            self._handle_responses(self.incomplete_line + portion, self._handle_line, self.current_command)
            self.incomplete_line = b""
            self.current_command = None
        except IncompleteRead as incomplete:
            self.current_command = incomplete.cmd
            self.incomplete_line = incomplete.data

    def _portions(self, data: bytes) -> Iterator[bytes]:
        """Some lines at a time; of a literal all there is, for its lines are not looked at."""
        start = 0
        while start < len(data):
            command, stop = self.current_command, start
            if command is not None and command.wait_literal_data():
                stop += command._expected_size - len(command._resp_literal_data)  # noqa: SLF001 (nothing else says it)
            else:
                for _ in range(LINES_MAX):
                    stop = data.find(b"\n", stop) + 1 or len(data)
            yield data[start:stop]
            start = stop

    def _continuation(self, line: bytes) -> None:
        if self.pending_sync_command is not None and self.pending_sync_command.name == "AUTHENTICATE":
            reply = self.replies.pop(0) if self.replies else ""
            self.transport.write(reply.encode("ascii") + b"\r\n")  # not by `send`: it is a secret
        else:
            super()._continuation(line)


class _Fetch(FetchCommand):  # type: ignore[misc] # the library ships no types
    """aioimaplib's, which joins all lines of the answer after each to see whether brackets are open: 2,000 took 3 s."""

    open_brackets = 0

    def append_to_resp(self, line: bytes, result: str = "Pending") -> None:
        """Take a line; what stands in a literal or in quotes opens nothing."""
        if isinstance(line, bytes):
            bare = _QUOTED.sub(b"", line)
            before = 0 if _FETCH.match(line) else self.open_brackets
            self.open_brackets = before + bare.count(b"(") - bare.count(b")")
        super().append_to_resp(line, result)

    def wait_data(self) -> bool:
        """Whether the answer goes on."""
        return self.open_brackets != 0


class Wire:
    """A connection, and commands on it. After MailboxLost it must be closed and replaced."""

    def __init__(self, settings: ImapSettings) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._settings = settings
        self._protocol = _Protocol(loop, self.lost)

    @property
    def capabilities(self) -> set[str]:
        """What the server can do, in capitals."""
        return {name.upper() for name in self._protocol.capabilities}

    # -- coming in ----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect, and encrypt as the settings say. Raises MailboxLost, MailboxRefused."""
        settings = self._settings
        context = None
        if settings.tls != "none":  # in a thread: it reads every root certificate, 50 ms
            context = await asyncio.to_thread(ssl.create_default_context)
        first = context if settings.tls == "always" else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.connect_seconds_max):
                transport, _ = await loop.create_connection(
                    lambda: self._protocol, settings.host, settings.port, ssl=first
                )
        except TimeoutError:
            raise MailboxLost(f"it did not answer within {settings.connect_seconds_max:.0f} s") from None
        except (OSError, UnicodeError) as error:
            raise unreached(error) from None
        _keep_alive(transport)
        await self._run("the greeting", self._protocol.wait("AUTH|NONAUTH"), settings.connect_seconds_max)
        if settings.tls == "starttls" and context is not None:
            await self._encrypt(context)

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        if "STARTTLS" not in self.capabilities:
            raise MailboxRefused("it offers no encryption (STARTTLS)", "set `tls: always`, with port 993")
        await self.command("STARTTLS")
        protocol = self._protocol
        upgrade = asyncio.get_running_loop().start_tls(
            protocol.transport, protocol, context, server_hostname=self._settings.host
        )
        try:
            async with asyncio.timeout(self._settings.connect_seconds_max):
                protocol.transport = await upgrade
        except TimeoutError:
            raise MailboxLost("the encryption did not come about in time") from None
        except OSError as error:
            raise unreached(error) from None
        protocol.capabilities = set()  # what was said in the clear may have been said by anybody
        await self._run("CAPABILITY", protocol.capability())

    async def sign_in(self, secret: str, *, token: bool) -> None:
        """Sign in with a password or an OAuth2 token. Raises MailboxRefused, MailboxLost."""
        user = self._settings.user
        if not token and "LOGINDISABLED" in self.capabilities:
            raise MailboxRefused("it takes no password unencrypted", "set `tls: starttls` or `always`")
        work = self._authenticate(user, secret) if token else self._login(user, secret)
        answer = await self._run("the sign-in", work)
        if answer.result != "OK":
            hint = "check `oauth2`: is the token for this user, and for IMAP?" if token else ""
            raise MailboxRefused(
                f"it does not let `{user}` in", hint or "check `user` and `password`; some want one made for programs"
            )
        await self._run("CAPABILITY", self._protocol.capability())  # more is offered to who is signed in

    async def _login(self, user: str, secret: str) -> Any:  # noqa: ANN401 (the library's)
        return await self._protocol.login(quoted(user), secret)

    async def _authenticate(self, user: str, token: str) -> Any:  # noqa: ANN401 (the library's)
        """XOAUTH2. A server that refuses asks once more first, and wants an empty line."""
        protocol = self._protocol
        said = base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode()).decode("ascii")
        at_once = "SASL-IR" in self.capabilities
        protocol.replies = [] if at_once else [said]
        command = Command("AUTHENTICATE", protocol.new_tag(), "XOAUTH2", *([said] if at_once else []))
        async with protocol.state_condition:
            answer = await protocol.execute(command, scrub=said)
            if answer.result == "OK":
                protocol.state = "AUTH"
            return answer

    # -- commands -----------------------------------------------------------------------------------------------------

    async def command(self, name: str, *args: str, prefix: str = "", room: int = ROOM, answers_as: str = "") -> Lines:
        """Ask, and give the lines of the answer. Raises CommandRefused, MailboxLost."""
        protocol = self._protocol
        tag = protocol.new_tag()
        made = (
            _Fetch(tag, *args, prefix=prefix)
            if name == "FETCH"
            else Command(name, tag, *args, prefix=prefix, untagged_resp_name=answers_as or None)
        )
        protocol.room = room
        seconds = self._settings.answer_seconds_max + max(0, room - ROOM) / self._settings.bytes_per_second_min
        answer = await self._run(name, protocol.execute(made), seconds)
        protocol.room = ROOM
        if answer.result != "OK":
            raise CommandRefused(f"{name}: {_said(answer.lines[-1] if answer.lines else b'')}")
        if name in {"SELECT", "EXAMINE"}:
            protocol.state = SELECTED
        return list(answer.lines)

    async def idle(self, seconds: float) -> None:
        """IDLE until the server has news, or for so long. Raises MailboxLost, CommandRefused."""
        protocol = self._protocol
        while not protocol.idle_queue.empty():
            protocol.idle_queue.get_nowait()
        protocol.room = ROOM
        idling = asyncio.ensure_future(protocol.idle())
        try:
            begun = asyncio.ensure_future(protocol.wait_for_idle_response())
            try:
                await self._wait("IDLE", {idling, begun}, self._settings.answer_seconds_max)
            finally:
                begun.cancel()
            if not idling.done():
                pushed = asyncio.ensure_future(protocol.idle_queue.get())
                try:
                    await asyncio.wait({pushed, idling, self.lost}, timeout=seconds, return_when="FIRST_COMPLETED")
                finally:
                    pushed.cancel()
                if self.lost.done():
                    raise MailboxLost(self.lost.result())
                protocol.idle_done()
            answer = await self._run("IDLE", idling)
        finally:
            idling.cancel()
        if answer.result != "OK":
            raise CommandRefused(f"IDLE: {_said(answer.lines[-1] if answer.lines else b'')}")

    async def _run(self, what: str, work: Coroutine[Any, Any, Any] | asyncio.Future[Any], seconds: float = 0) -> Any:  # noqa: ANN401
        """The result of some work of aioimaplib's. Raises MailboxLost, and then nothing more can be asked."""
        task = asyncio.ensure_future(work)
        try:
            await self._wait(what, {task}, seconds or self._settings.answer_seconds_max)
            return task.result()
        except (AioImapException, OSError, ValueError) as error:
            reason = f"{what}: {type(error).__name__}"
            self._protocol.fail(reason)
            raise MailboxLost(reason) from None
        finally:
            task.cancel()

    async def _wait(self, what: str, tasks: set[asyncio.Future[Any]], seconds: float) -> None:
        """Return once one is done. Raises MailboxLost if the connection goes, is silent, or takes longer than that."""
        begun = time.monotonic()
        while not any(task.done() for task in tasks):
            now = time.monotonic()
            heard_at = max(begun, self._protocol.heard_at)
            left = min(begun + seconds, heard_at + self._settings.answer_seconds_max) - now
            if left <= 0:
                self._protocol.fail(f"{what} was not answered in time")
            else:
                await asyncio.wait({*tasks, self.lost}, timeout=left, return_when="FIRST_COMPLETED")
            if self.lost.done() and not any(task.done() for task in tasks):
                raise MailboxLost(self.lost.result())

    async def close(self) -> None:
        """Say goodbye where anybody listens, and hang up."""
        protocol = self._protocol
        idling = protocol.has_pending_idle_command()
        if idling and not self.lost.done():
            protocol.idle_done()
        busy = bool(protocol.pending_async_commands) or (protocol.pending_sync_command is not None and not idling)
        if protocol.transport is not None and not busy and not self.lost.done():
            with contextlib.suppress(MailboxLost, CommandRefused, TimeoutError):
                async with asyncio.timeout(self._settings.goodbye_seconds_max):
                    await self.command("LOGOUT")
        protocol.fail("closed")
        for task in protocol.tasks:
            task.cancel()
        await asyncio.sleep(0)  # the loop closes the socket, and ends what waited for the greeting


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the system notice within two minutes that the other side is gone, though nothing is said for minutes."""
    line: socket.socket | None = transport.get_extra_info("socket")
    if line is None:
        return
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
            if (option := getattr(socket, name, None)) is not None:
                line.setsockopt(socket.IPPROTO_TCP, option, value)


def unreached(error: Exception) -> MailboxLost | MailboxRefused:
    """What kept us from a connection, in plain words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailboxRefused(
            f"it shows a certificate that cannot be trusted: {error.verify_message}",
            "name the host as in its certificate, or have the certificate mended",
        )
    if isinstance(error, ssl.SSLError):
        hint = "port 993 is for `tls: always`, 143 for `starttls`"
        return MailboxRefused("it speaks no TLS, or another than ours", hint)
    if isinstance(error, socket.gaierror | UnicodeError):
        return MailboxLost("its name is not known")
    if isinstance(error, ConnectionRefusedError):
        return MailboxLost("it refuses connections: nothing listens there")
    return MailboxLost(f"it cannot be reached ({type(error).__name__})")


def _said(line: bytes | bytearray) -> str:
    """What a server says, as much of it as one can read."""
    text = bytes(line).decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:_SAID_CHARACTERS_MAX]
