"""How Slack reaches us: slack-bolt over Socket Mode, or over HTTP with signed requests.

One middleware does all: it stands before everything of bolt's but the check of signatures, and answers once what came
is on disk. If that fails it raises, and Slack is told nothing: it sends events again, and shows a click as failed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from websockets.exceptions import WebSocketException

log = structlog.get_logger()

SOCKETS = 2  # so that one that Slack wants refreshed leaves no gap
WATCH_SECONDS = 0.5
BACK_OFF_SECONDS_MAX = 15.0
CONNECT_SECONDS_MAX = 15.0
TIMEOUT_SECONDS = 10

Take = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
quiet = logging.getLogger("slack_bolt.usherd")  # its warnings quote payloads
quiet.setLevel(logging.CRITICAL)


def web_client(token: str, api: str) -> AsyncWebClient:
    """Slack's client, told to repeat nothing by itself."""
    return AsyncWebClient(token=token, base_url=api, timeout=TIMEOUT_SECONDS, retry_handlers=[], logger=quiet)


def bolt(client: AsyncWebClient, take: Take, signing_secret: str = "") -> AsyncApp:
    """The app. `take` stores a payload, and gives what Slack is answered; it may raise."""

    async def first(req: AsyncBoltRequest, next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002
        body: Mapping[str, Any] = req.body
        if body.get("type") == "url_verification" or "ssl_check" in body:
            await next()  # bolt's own affair
            return None
        answer = await take(body)
        return BoltResponse(status=200, body=answer or "")

    return AsyncApp(
        client=client,
        signing_secret=signing_secret or None,
        request_verification_enabled=bool(signing_secret),
        before_authorize=first,
        logger=quiet,
    )


class Sockets:
    """Keeps sockets to Slack open, each watched: Slack's client would try one dead address for ever."""

    def __init__(self, app: AsyncApp, app_token: str, number: int = SOCKETS) -> None:
        self._app = app
        self._token = app_token
        self._number = number
        self._connected: dict[int, bool] = {}

    @property
    def connected(self) -> int:
        """How many are open."""
        return sum(self._connected.values())

    async def run(self) -> None:
        """Keep them open until cancelled."""
        async with asyncio.TaskGroup() as group:
            for place in range(self._number):
                group.create_task(self._keep(place))

    async def _keep(self, place: int) -> None:
        handler = AsyncSocketModeHandler(self._app, self._token, logger=quiet)
        client = handler.client
        client.default_auto_reconnect_enabled = client.auto_reconnect_enabled = False
        wait = WATCH_SECONDS
        try:
            while True:
                if await client.is_connected():
                    self._connected[place], wait = True, WATCH_SECONDS
                else:
                    self._connected[place] = False
                    client.wss_uri = None  # each address is good for one socket: ask for another
                    try:
                        async with asyncio.timeout(CONNECT_SECONDS_MAX):
                            await client.connect()  # type: ignore[no-untyped-call]  # as it is shipped
                        self._connected[place] = True
                        log.info("slack_connected", socket=place)
                    except (SlackClientError, aiohttp.ClientError, WebSocketException, OSError, TimeoutError) as error:
                        wait = min(wait * 2, BACK_OFF_SECONDS_MAX)
                        log.warning("slack_not_connected", socket=place, error=type(error).__name__, again_in=wait)
                await asyncio.sleep(wait)
        finally:
            self._connected[place] = False
            await client.close()  # type: ignore[no-untyped-call]  # as it is shipped
