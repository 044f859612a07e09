"""Files that agents put into a thread: fetched from Slack, stored, and named in the reply that carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import structlog

from channels.slack import texts
from channels.slack.api import Wait
from channels.slack.ports import Files
from channels.slack.reading import Deed, SlackFile
from router.desk.actions import FILES_BYTES_MAX, FILES_MAX

log = structlog.get_logger()

SECONDS_MAX = 60
AGAIN_SECONDS = 5.0
OK, BROKEN, TOO_MANY = 200, 500, 429


class CannotEnclose(Exception):
    """Its words are for the agent: nothing was sent."""


class Enclosing:
    """Fetches and stores. `remember` keeps a deed whose files are stored, so that a second try sends the same."""

    def __init__(self, *, token: str, api: str, files: Files, remember: Callable[[Deed], Awaitable[None]]) -> None:
        """`api`: where the Web API is; the bot's token goes there and to Slack's own hosts alone."""
        self._token = token
        self._own = urlsplit(api)
        self._files = files
        self._remember = remember

    async def kept(self, deed: Deed, contact: str) -> tuple[str, ...]:
        """Ids of the message's files. Raises CannotEnclose; Wait, TransientError: try again."""
        if not deed.files or deed.kept:
            return deed.kept
        total = sum(one.size for one in deed.files)
        if len(deed.files) > FILES_MAX or total > FILES_BYTES_MAX:
            raise CannotEnclose(texts.FILE_TOO_LARGE.format(limit=texts.size(FILES_BYTES_MAX)))
        found: list[str] = []
        left = FILES_BYTES_MAX
        for one in deed.files:
            content = await self._fetched(one, left)
            left -= len(content)
            try:
                found.append(await self._files.keep(contact, one.name, one.type, content))
            except (KeyError, ValueError):
                raise CannotEnclose(texts.FILE_UNREADABLE) from None
        deed.kept = tuple(found)
        await self._remember(deed)
        return deed.kept

    def _ours(self, url: str) -> bool:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if (parts.scheme, parts.netloc) == (self._own.scheme, self._own.netloc):
            return True
        return parts.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))

    async def _fetched(self, one: SlackFile, limit: int) -> bytes:
        if not self._ours(one.url):
            raise CannotEnclose(texts.FILE_UNREADABLE)
        headers = {"Authorization": f"Bearer {self._token}"}
        timeout = aiohttp.ClientTimeout(total=SECONDS_MAX)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(one.url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status == TOO_MANY or answer.status >= BROKEN:
                    raise Wait(AGAIN_SECONDS)
                if answer.status != OK:  # a page to sign in, or gone
                    raise CannotEnclose(texts.FILE_UNREADABLE)
                content = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    content += chunk
                    if len(content) > limit:
                        raise CannotEnclose(texts.FILE_TOO_LARGE.format(limit=texts.size(FILES_BYTES_MAX)))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("slack_file_not_fetched", error=type(error).__name__)
            raise Wait(AGAIN_SECONDS) from None
        return bytes(content)
