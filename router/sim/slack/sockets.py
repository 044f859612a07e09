"""Socket Mode: tickets for one use, several sockets at once, envelopes that are to be acknowledged in three seconds."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from router.sim.slack.model import Json
from router.sim.slack.rules import Rules
from router.sim.slack.shapes import APP

HOST = "127.0.0.1"
ACCEPTING = frozenset({"interactive", "slash_commands"})  # their acknowledgement may say something


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a delivery: acknowledged in time, with what body; or not, and why."""

    acked: bool
    body: Any = None
    problem: str = ""
    retry: bool = True  # the app did not ask to be spared further tries
    errors: dict[str, str] | None = None  # of a view that was not taken


class Sockets:
    """The sockets of the app. Events go to any of them, by a chance that can be repeated."""

    def __init__(self, rules: Rules, now: Callable[[], float]) -> None:
        self._rules = rules
        self._now = now
        self._server: Server | None = None
        self._port = 0
        self._tickets: dict[str, float] = {}
        self._open: list[ServerConnection] = []
        self._waiting: dict[str, tuple[ServerConnection, asyncio.Future[Answer]]] = {}
        self._chance = random.Random(1)
        self.greeted = 0  # sockets that were ever open
        self.changed: Callable[[], None] = lambda: None

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await serve(
            self._serve, HOST, self._port, process_request=self._admit, ping_interval=20, max_size=1 << 20
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut all sockets and listen no more."""
        self.drop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def address(self) -> str:
        """The address of a new socket, for one use within half a minute."""
        ticket = secrets.token_hex(16)
        self._tickets[ticket] = self._now() + self._rules.ticket
        return f"ws://{HOST}:{self._port}/link/?ticket={ticket}&app_id={APP}"

    def drop(self) -> None:
        """Cut all sockets without a word."""
        for socket in list(self._open):
            socket.transport.abort()

    async def disconnect(self, reason: str) -> None:
        """Ask the app to leave all sockets, as Slack does before it closes them itself."""
        for socket in list(self._open):
            await _say(socket, {"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})
            if reason != "warning":
                self._open.remove(socket)
                await socket.close()

    async def send(self, kind: str, payload: Json, *, attempt: int = 0, reason: str = "") -> Answer:
        """Hand an envelope to one socket and wait until it is acknowledged, or for three seconds."""
        if not self._open:
            return Answer(acked=False, problem="no_connection")
        socket = self._chance.choice(self._open)
        name = str(uuid.uuid4())
        envelope: Json = {"envelope_id": name, "type": kind, "payload": payload}
        envelope["accepts_response_payload"] = kind in ACCEPTING
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[name] = (socket, answer)
        try:
            await _say(socket, envelope)
            return await asyncio.wait_for(answer, self._rules.ack)
        except TimeoutError:
            return Answer(acked=False, problem="timeout")
        finally:
            self._waiting.pop(name, None)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        ticket = parse_qs(urlsplit(request.path).query).get("ticket", [""])[0]
        good_until = self._tickets.pop(ticket, None)
        if good_until is None or good_until < self._now():
            return connection.respond(HTTPStatus.FORBIDDEN, "no such ticket\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        if len(self._open) >= self._rules.sockets_max:
            await _say(socket, {"type": "disconnect", "reason": "too_many_websockets", "debug_info": {"host": "fake"}})
            return
        # Said before the socket is among the open ones: an app that has not been greeted does not listen yet.
        await _say(socket, self._hello())
        self._open.append(socket)
        self.greeted += 1
        self.changed()
        try:
            async for text in socket:
                self._acknowledge(text)
        except ConnectionClosed:
            pass
        finally:
            if socket in self._open:
                self._open.remove(socket)
            for owner, answer in list(self._waiting.values()):
                if owner is socket and not answer.done():
                    answer.set_result(Answer(acked=False, problem="connection_failed"))
            self.changed()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open) + 1,
            "connection_info": {"app_id": APP},
            "debug_info": {
                "host": "fake",
                "started": "2026-01-01 00:00:00.000",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
        }

    def _acknowledge(self, text: str | bytes) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        waiting = self._waiting.get(str(said.get("envelope_id"))) if isinstance(said, dict) else None
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(Answer(acked=True, body=said.get("payload")))


async def _say(socket: ServerConnection, what: Json) -> None:
    try:
        await socket.send(json.dumps(what))
    except ConnectionClosed:
        return
