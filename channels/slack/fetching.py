"""Files that people put into messages, fetched from Slack."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from channels.slack.api import Api, Doubt, Refusal
from channels.slack.reading import SlackFile, file_of

log = structlog.get_logger()

SECONDS_MAX = 60
AGAIN_SECONDS = 2.0
OK, BROKEN, TOO_MANY = 200, 500, 429


class CannotFetch(Exception):
    """However often it is tried: `why` is a word of ours or Slack's. `too_large`: it has more bytes than were asked."""

    def __init__(self, why: str, *, too_large: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.too_large = too_large


class Fetching:
    """Fetches files. The bot's token goes to where the Web API is and to Slack's own hosts alone."""

    def __init__(self, *, token: str, address: str, api: Api) -> None:
        """`address`: where the Web API is."""
        self._token = token
        self._own = urlsplit(address)
        self._api = api

    async def known(self, one: SlackFile) -> SlackFile:
        """What a file is. From a channel that others share Slack tells no more than its id, and has to be asked.

        Raises CannotFetch, Wait.
        """
        if one.url:
            return one
        try:
            answer = await self._api.call("files.info", {"file": one.id}, urgent=True, patience=2.0)
        except Refusal as refusal:
            raise CannotFetch(refusal.code) from None
        told: Any = answer.get("file")
        return file_of(told) if isinstance(told, dict) else one

    async def content(self, one: SlackFile, limit: int) -> bytes:
        """The bytes of a file, at most `limit`. Raises CannotFetch; Doubt if another try may do."""
        if not self._ours(one.url):
            raise CannotFetch("it is not kept by Slack")
        headers = {"Authorization": f"Bearer {self._token}"}
        timeout = aiohttp.ClientTimeout(total=SECONDS_MAX)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(one.url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status == TOO_MANY or answer.status >= BROKEN:
                    log.warning("slack_file_not_fetched", status=answer.status)
                    raise Doubt(AGAIN_SECONDS)
                if answer.status != OK:  # a page to sign in, or gone
                    raise CannotFetch(str(answer.status))
                found = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    found += chunk
                    if len(found) > limit:
                        raise CannotFetch("too large", too_large=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("slack_file_not_fetched", error=type(error).__name__)
            raise Doubt(AGAIN_SECONDS) from None
        return bytes(found)

    def _ours(self, url: str) -> bool:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if (parts.scheme, parts.netloc) == (self._own.scheme, self._own.netloc):
            return True
        return parts.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))
