"""Files that agents put into a thread: fetched from Slack, stored, and named in the reply that carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from channels.slack import texts
from channels.slack.fetching import CannotFetch, Fetching
from channels.slack.ports import Files
from channels.slack.reading import Deed, SlackFile
from router.desk.actions import FILES_BYTES_MAX, FILES_MAX


class CannotEnclose(Exception):
    """Its words are for the agent: nothing was sent."""


class Enclosing:
    """Fetches and stores. `remember` keeps a deed whose files are stored, so that a second try sends the same."""

    def __init__(self, *, fetching: Fetching, files: Files, remember: Callable[[Deed], Awaitable[None]]) -> None:
        self._fetching = fetching
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

    async def _fetched(self, one: SlackFile, limit: int) -> bytes:
        try:
            return await self._fetching.content(await self._fetching.known(one), limit)
        except CannotFetch as error:
            large = texts.FILE_TOO_LARGE.format(limit=texts.size(FILES_BYTES_MAX))
            raise CannotEnclose(large if error.too_large else texts.FILE_UNREADABLE) from None
