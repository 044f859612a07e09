"""A workspace with a chat, and a visitor who talks to its daemon as a widget does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

WORKSPACE = """
workspace: acme-air
languages: [en, es]
agents:
  ana: {{name: Ana Souza, skills: {{lang:en: 5, lang:es: 5}}, capacity: {{email: 20, chat: 20}}}}
teams: {{triage: {{members: [ana]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order, quiero mi dinero], keywords: [refund, reembolso]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage, mi maleta no ha llegado], keywords: [suitcase, maleta]}}
offers: {{accept_within: {{email: 10m, chat: 10m}}}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: {send_port}, tls: none}}
  webchat:
    title: Acme Air
    origins: ["{origin}"]
    limits: {{{limits}}}
web: {{listen: "127.0.0.1:{port}"}}
"""


def write_workspace(
    folder: Path, *, send_port: int = 9, port: int = 0, limits: str = "", origin: str = "https://acme.example"
) -> Path:
    """One agent who takes chats and mail. `limits`: keys of webchat.limits, as YAML; `origin`: who may show it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = WORKSPACE.format(send_port=send_port, port=port, limits=limits, origin=origin)
    (folder / "workspace.yaml").write_text(text)
    return folder


class Visitor:
    """One open line. Frames that were not asked for yet are kept, in order, in `frames`."""

    def __init__(self, url: str, *, held: str = "", after: str = "", origin: str | None = None) -> None:
        self.url = url
        self.held = held  # the pass
        self.after = after
        self.welcome: dict[str, Any] = {}
        self.frames: list[dict[str, Any]] = []
        self._origin = origin or url
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        """Connect, say hello, be welcomed."""
        self._socket = await connect(f"ws{self.url[4:]}/chat/live", origin=Origin(self._origin), compression=None)
        await self.say(type="hello", **{"pass": self.held}, after=self.after)
        self.welcome = await self.frame("welcome")
        self.held = self.welcome["pass"] or self.held
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        assert self._socket is not None
        await self._socket.close()

    async def say(self, **frame: object) -> None:
        """Send one frame."""
        assert self._socket is not None
        await self._socket.send(json.dumps(frame))

    async def frame(self, kind: str, **wanted: object) -> dict[str, Any]:
        """The next frame of this kind with these values; others are kept."""
        for number, one in enumerate(self.frames):
            if _is(one, kind, wanted):
                return self.frames.pop(number)
        assert self._socket is not None
        async with asyncio.timeout(60):
            while True:
                got: dict[str, Any] = json.loads(await self._socket.recv())
                if _is(got, kind, wanted):
                    return got
                self.frames.append(got)

    async def next(self) -> dict[str, Any]:
        """The next frame, whatever it is."""
        assert self._socket is not None
        async with asyncio.timeout(60):
            got: dict[str, Any] = json.loads(await self._socket.recv())
            return got

    async def closed(self) -> int:
        """The code with which the server closes."""
        assert self._socket is not None
        async with asyncio.timeout(60):
            await self._socket.wait_closed()
        return self._socket.close_code or 0

    async def write(self, client: str, text: str, name: str = "") -> str:
        """Say something in the chat; the id under which it is stored."""
        await self.say(type="say", client=client, text=text, name=name)
        return str((await self.frame("stored", client=client))["id"])

    async def item(self, text: str) -> dict[str, Any]:
        """The item with this text, once it comes. The cursor is remembered."""
        while True:
            got = await self.frame("items")
            self.after = got["cursor"] or self.after
            for one in got["items"]:
                if one.get("text") == text:
                    found: dict[str, Any] = one
                    return found


def _is(frame: dict[str, Any], kind: str, wanted: dict[str, object]) -> bool:
    return frame["type"] == kind and all(frame.get(name) == value for name, value in wanted.items())
