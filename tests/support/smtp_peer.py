"""An SMTP client that sends exactly the bytes it is told, and an inbox that keeps all in memory or fails as told."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from channels.email.receive import SmtpReceiver
from channels.email.smtp_settings import SmtpSettings
from router.core.ports import Appended, InboxEntry

PATIENCE = 15.0  # seconds before a reply that does not come is a failure

MAIL = (
    b"From: Ada <ada@customer.example>\r\nTo: help@acme.example\r\nSubject: My bag\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@customer.example>\r\n\r\nIt is gone.\r\n"
)

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on the standard library's event loop and on the one we use; sockets differ between them."""

    @functools.wraps(test)
    def run(*args: Any, loop: str, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(test(*args, **kwargs))

    signature = inspect.signature(test)
    parameter = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    shown = signature.replace(parameters=[*signature.parameters.values(), parameter])
    run.__signature__ = shown  # type: ignore[attr-defined]
    both: Callable[..., None] = pytest.mark.parametrize("loop", LOOPS)(run)
    return both


class MemoryInbox:
    """Deduplicates as the real one does. `before` runs first in each append, and may wait or raise."""

    def __init__(self) -> None:
        self.entries: list[InboxEntry] = []
        self.calls: list[list[InboxEntry]] = []
        self.before: Callable[[], Awaitable[None]] | None = None
        self._known: dict[bytes, tuple[str, bytes]] = {}

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """Keep the entries whose keys are new."""
        if self.before is not None:
            await self.before()
        self.calls.append(entries)
        answers = []
        for entry in entries:
            known = self._known.get(entry.key)
            if known is not None and known[1] == entry.body:
                answers.append(Appended(known[0], duplicate=True))
                continue
            id_ = f"1-{len(self.entries)}"
            self._known.setdefault(entry.key, (id_, entry.body))
            self.entries.append(entry)
            answers.append(Appended(id_, conflict=known is not None))
        return answers


class Peer:
    """One connection to an SMTP server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """Read one whole reply, its lines joined by line feeds; empty when the server has closed."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    async def ask(self, command: str) -> str:
        """Send one command and read its reply."""
        self.send(command.encode() + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str, sender: str = "ada@customer.example") -> str:
        """Do all up to DATA, and give the reply to that."""
        await self.ask(f"MAIL FROM:<{sender}>")
        for recipient in recipients or ("help@acme.example",):
            await self.ask(f"RCPT TO:<{recipient}>")
        return await self.ask("DATA")

    async def mail(self, raw: bytes = MAIL, *recipients: str) -> str:
        """Send one mail, dots stuffed, and give the final reply."""
        assert (await self.begin(*recipients)).startswith("354")
        self.send((b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        return await self.reply()

    async def closed(self) -> bool:
        """Wait until the server has closed, whatever else it says."""
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(self.reader.read(), PATIENCE)
        return True

    async def begin_tls(self, context: ssl.SSLContext, *, injected: bytes = b"") -> None:
        """Ask for STARTTLS, with bytes in the clear right behind it, shake hands and say EHLO again."""
        self.send(b"STARTTLS\r\n" + injected)
        assert (await self.reply()).startswith("220 ")
        await asyncio.wait_for(self.writer.start_tls(context, server_hostname="mail.acme.example"), PATIENCE)
        assert (await self.ask("EHLO customer.example")).startswith("250-")

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(address: tuple[str, int], *, greet: bool = True) -> AsyncIterator[Peer]:
    """Connect, read the greeting and say EHLO."""
    peer = Peer(*await asyncio.open_connection(*address))
    try:
        if greet:
            assert (await peer.reply()).startswith("220 ")
            assert (await peer.ask("EHLO customer.example")).startswith("250-")
        yield peer
    finally:
        await peer.close()


@asynccontextmanager
async def receiving(inbox: MemoryInbox, **settings: object) -> AsyncIterator[tuple[SmtpReceiver, tuple[str, int]]]:
    """Run a receiver for help@ and orders@acme.example on a free port."""
    given = {"recipients": ("help@acme.example", "orders@acme.example"), "port": 0, **settings}
    receiver = SmtpReceiver(SmtpSettings(**given), inbox, clock=lambda: 1_700_000_000_000)  # type: ignore[arg-type]
    address = await receiver.start()
    try:
        yield receiver, address
    finally:
        await receiver.stop()
