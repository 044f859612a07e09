"""An app with no framework: it opens sockets, writes down what comes, and acknowledges as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from router.sim.slack import FakeSlack

Json = dict[str, Any]


class RawApp:
    """Its sockets and what came over them."""

    def __init__(self, slack: FakeSlack, http: httpx.AsyncClient) -> None:
        self.slack = slack
        self.http = http
        self.hellos: list[Json] = []
        self.envelopes: list[Json] = []
        self.goodbyes: list[str] = []
        # What an envelope is acknowledged with; None: not at all.
        self.answer: Callable[[Json], Json | None] = lambda envelope: {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[ClientConnection] = []

    async def call(self, method: str, *, token: str | None = None, **args: Any) -> Json:
        """Call a method with JSON; gives the answer, `status` and `retry_after` added."""
        bearer = self.slack.bot_token if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        response = await self.http.post(self.slack.api_url + method, json=args, headers=headers)
        after = response.headers.get("Retry-After")
        return {**response.json(), "status": response.status_code, **({"retry_after": int(after)} if after else {})}

    async def opens(self) -> ClientConnection:
        """Open one more socket."""
        opened = await self.call("apps.connections.open", token=self.slack.app_token)
        socket = await connect(opened["url"])
        self._sockets.append(socket)
        self.hellos.append(json.loads(await socket.recv()))
        self._tasks.append(asyncio.create_task(self._listen(socket)))
        return socket

    async def closes(self) -> None:
        """Close them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self._sockets:
            await socket.close()

    def of(self, kind: str) -> list[Json]:
        """The payloads that came in envelopes of this type."""
        return [one["payload"] for one in self.envelopes if one["type"] == kind]

    def events(self, kind: str) -> list[Json]:
        """The events of this type."""
        return [one["event"] for one in self.of("events_api") if one["event"]["type"] == kind]

    async def _listen(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                said = json.loads(text)
                if said["type"] == "disconnect":
                    self.goodbyes.append(said["reason"])
                    continue
                self.envelopes.append(said)
                answer = self.answer(said)
                if answer is not None:
                    await socket.send(json.dumps({"envelope_id": said["envelope_id"], **answer}))


@asynccontextmanager
async def raw_app(slack: FakeSlack, *, sockets: int = 1) -> AsyncIterator[RawApp]:
    """An app with so many sockets open."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        app = RawApp(slack, http)
        for _ in range(sockets):
            await app.opens()
        try:
            yield app
        finally:
            await app.closes()


def section(text: str, **more: Any) -> Json:
    """A section of mrkdwn."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action: str, text: str = "Press", **more: Any) -> Json:
    """A button."""
    return {"type": "button", "action_id": action, "text": plain(text), **more}


def plain(text: str) -> Json:
    """A plain text."""
    return {"type": "plain_text", "text": text}


def option(value: str, text: str = "") -> Json:
    """An option of a menu."""
    return {"text": plain(text or value), "value": value}


def modal(*blocks: Json, **more: Any) -> Json:
    """A modal that can be submitted."""
    return {"type": "modal", "title": plain("Window"), "submit": plain("Send"), "blocks": list(blocks), **more}


def field(block: str, element: Json, **more: Any) -> Json:
    """An input block."""
    return {"type": "input", "block_id": block, "label": plain(block), "element": element, **more}
