"""An SMTP server that answers each command as a test says, drops the line, or says nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Answer = str  # a reply, "drop" or "silence"

USUAL = {
    "greeting": "220 fake",
    "EHLO": "250-fake\r\n250-SIZE 1000000\r\n250 8BITMIME",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "body": "250 2.0.0 taken",
    "RSET": "250 OK",
    "QUIT": "221 Bye",
}


class ScriptedSmtp:
    """Answers by the first word of a command, or by the whole command where `answers` has it.

    A list is used up one by one, its last answer for ever. What was sent stands in `commands` and `bodies`.
    """

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {**USUAL, **answers}
        self.commands: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.open_most = 0
        self.hold = asyncio.Event()  # the reply to a body waits for it
        self.hold.set()

    def _answer(self, *names: str) -> Answer:
        for name in names:
            answer = self.answers.get(name)
            if isinstance(answer, list):
                return answer.pop(0) if len(answer) > 1 else answer[0]
            if answer is not None:
                return answer
        return "500 what?"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk on one connection until it ends."""
        self.connections += 1
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self._answer("greeting")
        while await self._say(writer, answer):
            if answer.startswith("354"):
                self.bodies.append(await reader.readuntil(b"\r\n.\r\n"))
                await self.hold.wait()
                answer = self._answer("body")
                continue
            command = (await reader.readuntil(b"\r\n")).decode().removesuffix("\r\n")
            self.commands.append(command)
            answer = self._answer(command, command.partition(" ")[0])
            if command == "QUIT":
                await self._say(writer, answer)
                return

    async def _say(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        if answer == "drop":
            return False
        if answer != "silence":
            writer.write(answer.encode() + b"\r\n")
            await writer.drain()
        # A server that means to end the session hangs up after 421.
        return not answer.startswith("421")


@asynccontextmanager
async def listening(server: ScriptedSmtp) -> AsyncIterator[int]:
    """Serve on a free port of the loopback and give the port."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 24)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await listener.wait_closed()
