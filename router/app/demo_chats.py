"""The demo's visitors: they write in the web chat over the daemon's own line, as a widget does, and answer its agents.

A message counts as sent once the daemon has said `stored`, not before. What a simulated agent answers stands in the
sample beside the words it answers; nobody answers a chat from outside it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from channels.webchat import address_of
from router.app.daemon import Daemon

log = structlog.get_logger()

AT_ONCE_MAX = 4  # visitors in a demo without end
ANSWER_SECONDS_MAX = 180.0  # then a visitor gives up
BETWEEN_SECONDS = (4.0, 12.0)  # from one visitor to the next in the same place
LATE_SHARE = 0.4  # of a timed demo: nobody comes later
PASS_PARTS = 4


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the visitor says, and what is answered; `{agent}` is the first name of whoever answers."""

    says: str
    answer: str


class Conversation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One visitor's chat. `topic`: what its first words are about."""

    name: str
    language: str
    topic: str
    turns: tuple[Turn, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated agent says to a message; with the last one the chat is resolved."""

    text: str
    last: bool


def read_conversations(path: Path) -> list[Conversation]:
    """The sample's conversations. Raises msgspec.ValidationError where they are not in shape."""
    return msgspec.yaml.decode(path.read_bytes(), type=list[Conversation])


class Line:
    """One visitor's open chat. Use it as a context: it connects and says hello, and hangs up."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None
        self._heard: set[str] = set()  # what agents said
        self._unread = False
        self.address = ""

    async def __aenter__(self) -> Self:
        """Be welcomed as a new visitor. Raises OSError, TimeoutError, WebSocketException."""
        self._socket = await connect(
            f"ws{self._url.removeprefix('http')}/chat/live", origin=Origin(self._url), proxy=None, compression=None
        )
        await self._say(type="hello", **{"pass": ""}, after="")
        welcome = await self._frame(lambda one: one["type"] == "welcome")
        parts = str(welcome["pass"]).split(".", PASS_PARTS - 1)
        self.address = address_of(parts[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        if self._socket is not None:
            await self._socket.close()

    async def write(self, client: str, text: str, name: str) -> str:
        """Say something; the id under which it is stored. Raises ValueError with the code of a refusal for good."""
        while True:
            await self._say(type="say", client=client, text=text, name=name)
            told = await self._frame(lambda one: one["type"] in {"stored", "refused"} and one["client"] == client)
            if told["type"] == "stored":
                return str(told["id"])
            if told["retry"] is None:
                raise ValueError(told["code"])
            await asyncio.sleep(told["retry"])

    async def answer(self) -> None:
        """Wait until an agent has said something new. Raises TimeoutError when a visitor would give up."""
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while not self._unread:
                await self._frame(lambda one: one["type"] == "items")
        self._unread = False

    async def typing(self, seconds: float) -> None:
        """Let the agent see that the visitor writes, for the while."""
        await self._say(type="typing")
        await asyncio.sleep(seconds)

    async def _say(self, **frame: object) -> None:
        if self._socket is not None:
            await self._socket.send(msgspec.json.encode(frame).decode())

    async def _frame(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next frame that is wanted. Of the others only what agents said is remembered."""
        if self._socket is None:
            raise RuntimeError("the line is not open")
        while True:
            frame: dict[str, Any] = msgspec.json.decode(await self._socket.recv())
            if frame["type"] == "tick":
                await self._say(type="pong")
            if frame["type"] == "items":
                spoken = {one["id"] for one in frame["items"] if one.get("who")}
                self._unread = self._unread or not spoken <= self._heard
                self._heard |= spoken
            if wanted(frame):
                return frame


class Visitors:
    """Play the sample's conversations; what was acknowledged is remembered, and who they are."""

    def __init__(
        self, daemon: Daemon, conversations: list[Conversation], chance: random.Random, *, typing: float
    ) -> None:
        self.sent: dict[str, str] = {}  # inbox id as acknowledged -> whose it is
        self.broken = 0  # conversations that ended before their end
        self.addresses: set[str] = set()
        self._answers: dict[str, Answer] = {}  # by the client id of the message that it answers
        self._daemon = daemon
        self._conversations = conversations
        self._chance = chance
        self._typing = typing  # seconds that a visitor takes to write, about

    def answer_to(self, client: str) -> Answer | None:
        """What is to be said to the message with this client id; None for one that is not of the sample."""
        return self._answers.get(client)

    async def come_all(self, seconds: float) -> None:
        """Every conversation once, begun within the first part of so many seconds; returns when all are over."""
        pause = seconds * LATE_SHARE / max(1, len(self._conversations))
        async with asyncio.TaskGroup() as group:
            for number, conversation in enumerate(self._conversations):
                group.create_task(self._after(number * pause, conversation))

    async def come_and_go(self) -> None:
        """A few at a time, until cancelled."""
        waiting: asyncio.Queue[Conversation] = asyncio.Queue()

        async def place(number: int) -> None:
            await asyncio.sleep(number * BETWEEN_SECONDS[0])
            while True:
                if waiting.empty():
                    for one in self._chance.sample(self._conversations, len(self._conversations)):
                        waiting.put_nowait(one)
                await self.play(waiting.get_nowait())
                await asyncio.sleep(self._chance.uniform(*BETWEEN_SECONDS))

        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE_MAX):
                group.create_task(place(number))

    async def _after(self, seconds: float, conversation: Conversation) -> None:
        await asyncio.sleep(seconds)
        await self.play(conversation)

    async def play(self, conversation: Conversation) -> None:
        """One visitor: says, waits for the answer, answers it, and leaves with the last one."""
        try:
            async with Line(self._daemon.url) as line:
                self.addresses.add(line.address)
                await self._talk(line, conversation)
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            self.broken += 1
            log.warning("demo_chat_broken", visitor=conversation.name, error=type(error).__name__)

    async def _talk(self, line: Line, conversation: Conversation) -> None:
        for number, turn in enumerate(conversation.turns, 1):
            client = secrets.token_urlsafe(15)
            self._answers[client] = Answer(text=turn.answer, last=number == len(conversation.turns))
            try:
                await line.typing(self._typing * self._chance.uniform(0.5, 1.5))
                self.sent[await line.write(client, turn.says, conversation.name)] = conversation.name
                await line.answer()
            finally:
                self._forget_later(client)

    def _forget_later(self, client: str) -> None:
        """Answered or not, the visitor has gone on; an agent who is slow may still look it up for a while."""
        asyncio.get_running_loop().call_later(2 * ANSWER_SECONDS_MAX, self._answers.pop, client, None)
