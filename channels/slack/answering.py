"""What is said to one person alone: refusals and confirmations, never channel noise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from channels.slack import blocks
from channels.slack.api import Api, Refusal, Wait
from channels.slack.blocks import Json
from channels.slack.card import Post
from channels.slack.reading import Deed

log = structlog.get_logger()

SECONDS_MAX = 10
OK = 200


class Answering:
    """Answers deeds: over the address that came with one, which no limit counts, else as an ephemeral message."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def say(
        self, deed: Deed, text: str, *, channel: str = "", thread: str = "", button: Json | None = None
    ) -> None:
        """Tell whoever did it, as well as it can be: what was done stands whether they hear of it or not."""
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        body["blocks"] = [blocks.section(text, button)]
        if deed.answer_to and await self._respond(deed.answer_to, body):
            return
        where = deed.channel or channel
        if not where:
            return
        arguments = {
            "channel": where,
            "user": deed.user,
            "text": text,
            "blocks": body["blocks"],
            "thread_ts": deed.thread or thread or None,
        }
        with suppress(Refusal, Wait):
            await self._api.call("chat.postEphemeral", arguments, urgent=True, patience=2.0)

    async def replace(self, deed: Deed, post: Post) -> bool:
        """Change the message that was clicked; False if that cannot be done this way."""
        if not deed.answer_to:
            return False
        body = {"replace_original": True, "text": post.text, "blocks": list(post.blocks)}
        return await self._respond(deed.answer_to, body)

    async def echo(self, deed: Deed) -> None:
        """Put the emoji that did something beside the one it was done with: it counted."""
        arguments = {"channel": deed.channel, "timestamp": deed.ts, "name": deed.action.partition("::")[0]}
        with suppress(Refusal, Wait):
            await self._api.call("reactions.add", arguments)

    async def close(self, deed: Deed, text: str) -> None:
        """Put a sentence in the place of what was clicked, which only they see."""
        body: dict[str, Any] = {"replace_original": True, "text": text, "blocks": [blocks.section(text)]}
        if not deed.answer_to or not await self._respond(deed.answer_to, body):
            await self.say(deed, text)

    async def show(self, view: str, content: dict[str, Any]) -> None:
        """Change a window that is open; one that was closed meanwhile is nobody's."""
        with suppress(Refusal, Wait):
            await self._api.call("views.update", {"view_id": view, "view": content}, urgent=True, patience=1.0)

    async def _respond(self, url: str, body: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                client = AsyncWebhookClient(url, timeout=SECONDS_MAX, retry_handlers=[])
                return (await client.send_dict(body)).status_code == OK
        except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("slack_response_url_failed", error=type(error).__name__)
            return False

    async def open(self, deed: Deed, view: dict[str, Any]) -> str:
        """Open a window for whoever clicked; gives its id. What is too late is dropped, for they will click again."""
        arguments = {"trigger_id": deed.trigger, "view": view}
        try:
            answer = await self._api.call("views.open", arguments, urgent=True, patience=1.0)
        except Wait as wait:
            log.warning("slack_window_not_opened", seconds=wait.seconds)
            return ""
        return str((answer.get("view") or {}).get("id") or "")


def listed(texts: Sequence[str]) -> str:
    """Paragraphs as one text."""
    return blocks.within("\n".join(text for text in texts if text), blocks.SECTION_MAX)
