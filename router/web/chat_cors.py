"""Lets the widget on a listed site fetch and send files: the answers that a browser asks for before it reads ours."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = ("/chat/files/", "/chat/links/")
ASKED_AGAIN_SECONDS = 600


class ChatCors:
    """ASGI middleware for the paths of files. Origins that are not listed get no answer they could read."""

    def __init__(self, app: ASGIApp, origins: Callable[[], frozenset[str]]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what a browser asks beforehand; pass on the rest, with the header that lets the widget read it."""
        origin = Headers(scope=scope).get("origin", "") if scope["type"] == "http" else ""
        path = f"{scope.get('path', '')}/"
        listed = origin.lower() in self._origins() and path.startswith(PATHS)
        if not listed:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": _preflight(origin).raw})
            await send({"type": "http.response.body", "body": b""})
            return

        async def readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = "Retry-After"
                headers.add_vary_header("Origin")
            await send(message)

        await self._app(scope, receive, readable)


def _preflight(origin: str) -> MutableHeaders:
    return MutableHeaders(
        {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, x-chat-client, x-chat-name",
            "Access-Control-Max-Age": str(ASKED_AGAIN_SECONDS),
            "Vary": "Origin",
        }
    )
