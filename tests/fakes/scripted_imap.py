"""An IMAP server with one mailbox that answers as it should, but for the commands that a test has it answer badly."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CAPABILITIES = "IMAP4rev1 IDLE MOVE UIDPLUS SASL-IR AUTH=XOAUTH2"
SILENCE, DROP = b"<silence>", b"<drop>"

Odd = Callable[[str], bytes | None]  # tag → what is said instead; None: as usual


class ScriptedImap:
    """`mails`: UID → bytes. `odd`: by command (`greeting`, `IDLE`, `FETCH body`, …) what is said in its place.

    `commands`: what was asked, without tags. `pushes`: what is said to whoever idles.
    """

    def __init__(self, *mails: bytes) -> None:
        self.mails = dict(enumerate(mails, 1))
        self.odd: dict[str, Odd] = {}
        self.capabilities = CAPABILITIES
        self.commands: list[str] = []
        self.pushes: asyncio.Queue[bytes] = asyncio.Queue()
        self.connections = 0
        self.validity = 7
        self.certificate: ssl.SSLContext | None = None
        self.flags: dict[int, str] = {}
        self.sizes: dict[int, int] = {}  # what it says of a mail's size, where that is not so

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk on one connection until it ends."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            if await self._say(writer, self._oddly("greeting", "*") or b"* OK ready\r\n"):
                await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().removesuffix("\r\n")
            tag, _, command = line.partition(" ")
            self.commands.append(command)
            name = self._name(command)
            odd = self._oddly(name, tag)
            if odd is not None:
                if not await self._say(writer, odd):
                    return
                continue
            if name == "AUTHENTICATE" and len(command.split()) == 2:
                writer.write(b"+ \r\n")
                self.commands.append((await reader.readuntil(b"\r\n")).decode().strip())
            if name == "IDLE":
                await self._idle(tag, reader, writer)
                continue
            if not await self._say(writer, self._usual(name, command) + f"{tag} OK {name} done\r\n".encode()):
                return
            if name == "STARTTLS" and self.certificate is not None:
                await writer.start_tls(self.certificate)
            if name == "LOGOUT":
                return

    @staticmethod
    def _name(command: str) -> str:
        words = command.upper().removeprefix("UID ").split()
        if words[0] == "FETCH":
            return "FETCH body" if "BODY.PEEK[" in command.upper() else "FETCH about"
        return words[0]

    def _oddly(self, name: str, tag: str) -> bytes | None:
        return self.odd[name](tag) if name in self.odd else None

    async def _idle(self, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+ idling\r\n")
        pushing = asyncio.create_task(self._push(writer))
        try:
            self.commands.append((await reader.readuntil(b"\r\n")).decode().strip())
        finally:
            pushing.cancel()
        writer.write(f"{tag} OK idled\r\n".encode())

    async def _push(self, writer: asyncio.StreamWriter) -> None:
        while True:
            if not await self._say(writer, await self.pushes.get()):
                writer.transport.abort()

    def deliver(self, raw: bytes) -> None:
        """A new mail, told to whoever idles."""
        self.mails[max(self.mails, default=0) + 1] = raw
        self.pushes.put_nowait(f"* {len(self.mails)} EXISTS\r\n".encode())

    def _usual(self, name: str, command: str) -> bytes:
        match name:
            case "CAPABILITY":
                return f"* CAPABILITY {self.capabilities}\r\n".encode()
            case "SELECT" | "EXAMINE":
                following = max(self.mails, default=0) + 1
                return (
                    f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] ok\r\n"
                    f"* OK [UIDNEXT {following}] ok\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n"
                ).encode()
            case "SEARCH":
                return f"* SEARCH {' '.join(map(str, self.named(command)))}\r\n".encode()
            case "FETCH about":
                return b"".join(self._about(uid) for uid in self.named(command))
            case "FETCH body":
                return b"".join(self._body(uid, command) for uid in self.named(command))
            case "EXPUNGE" | "MOVE":
                for uid in self.named(command):
                    del self.mails[uid]
        return b""

    def _about(self, uid: int) -> bytes:
        size = self.sizes.get(uid, len(self.mails[uid]))
        flags = self.flags.get(uid, "")
        date = "20-Nov-2026 10:00:00 +0000"
        return (
            f'* {uid} FETCH (FLAGS (\\Recent {flags}) UID {uid} RFC822.SIZE {size} INTERNALDATE "{date}")\r\n'.encode()
        )

    def _body(self, uid: int, command: str) -> bytes:
        raw = self.mails[uid]
        if found := re.search(r"<(\d+)\.(\d+)>", command):
            raw = raw[int(found[1]) : int(found[1]) + int(found[2])]
        return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(raw), raw)

    def named(self, command: str) -> list[int]:
        """The UIDs that a command names; like a real server's, `n:*` always names the last mail."""
        named: set[int] = set()
        words = next(word for word in command.split() if word[0].isdigit())
        last = max(self.mails, default=0)
        for part in words.split(","):
            first, _, end = part.partition(":")
            stop = last if end == "*" else int(end or first)
            low, high = sorted((int(first), stop))
            named |= {uid for uid in self.mails if low <= uid <= high}
        return sorted(named)

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> bool:
        """Whether the talk goes on."""
        said, dropped, _ = answer.partition(DROP)
        writer.write(said.replace(SILENCE, b""))
        await writer.drain()
        return not dropped


@asynccontextmanager
async def listening(server: ScriptedImap, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of the loopback and give the port; `tls`: encrypted from the first byte."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await server.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            tasks.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
