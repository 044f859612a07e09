"""Customers' files in Slack: put into the thread when the agent asks for them, and only there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from channels.slack import texts
from channels.slack.api import Api, Doubt
from channels.slack.mrkdwn import clean
from channels.slack.reading import Deed
from channels.slack.threads import Thread
from router.core.message import Message
from router.desk.model import Desk, NotVisible
from router.desk.ports import Texts

log = structlog.get_logger()

SECONDS_MAX = 60
AGAIN_SECONDS = 2.0
OK = 200
NAME_MAX = 200


class Sharing:
    """Uploads. `remember` keeps a deed with what was uploaded, so that a second try uploads nothing twice.

    `note` remembers which files a thread has: they go when the customer is erased.
    """

    def __init__(
        self,
        *,
        api: Api,
        desk: Desk,
        read: Texts,
        remember: Callable[[Deed], Awaitable[None]],
        note: Callable[[Thread, tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._api = api
        self._desk = desk
        self._read = read
        self._remember = remember
        self._note = note

    async def share(self, agent: str, deed: Deed, thread: Thread) -> str:
        """Put a message's files into the thread; what to say if that cannot be done.

        Raises NotVisible, NotOnRoster; Wait, Refusal, TransientError.
        """
        name = deed.value.get("message", "")
        if all(ref.id != name for ref in self._desk.visible(agent, thread.contact).messages):
            raise NotVisible
        message = (await self._read.messages([name])).get(name)
        if message is None or not message.attachments:
            return texts.FILES_GONE
        if not deed.kept:
            deed.kept = tuple([await self._uploaded(name, message, place) for place in range(len(message.attachments))])
            await self._remember(deed)
        await self._note(thread, deed.kept)  # before they stand there
        titles = [file_name(one.filename) for one in message.attachments]
        await show(self._api, (thread.channel, thread.ts), tuple(zip(deed.kept, titles, strict=True)))
        return ""

    async def _uploaded(self, name: str, message: Message, place: int) -> str:
        """The id of one file that Slack has now. Raises Wait, Refusal; KeyError if its bytes are gone."""
        title, _, content = await self._read.attachment(name, message.attachments[place].part)
        return await upload(self._api, title, content)


async def upload(api: Api, name: str, content: bytes) -> str:
    """The id of a file that Slack has now, and shows nobody yet. Raises Wait, Refusal."""
    asked = {"filename": file_name(name), "length": len(content)}
    given = await api.call("files.getUploadURLExternal", asked, urgent=True, patience=2.0)
    timeout = aiohttp.ClientTimeout(total=SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(given["upload_url"], data=content, allow_redirects=False) as answer,
        ):
            if answer.status != OK:
                log.warning("slack_file_not_uploaded", status=answer.status)
                raise Doubt(AGAIN_SECONDS)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("slack_file_not_uploaded", error=type(error).__name__)
        raise Doubt(AGAIN_SECONDS) from None
    return str(given["file_id"])


async def show(api: Api, where: tuple[str, str], files: tuple[tuple[str, str], ...]) -> None:
    """Put uploaded files, by id and title, into a (channel, thread). Raises Wait, Refusal."""
    listed = [{"id": file, "title": title} for file, title in files]
    place = {"channel_id": where[0], "thread_ts": where[1]}
    await api.call("files.completeUploadExternal", {"files": listed, **place}, urgent=True, patience=3.0)


def file_name(given: str) -> str:
    """A file's name on one line, as it is shown and saved; never a path."""
    return " ".join(clean(given).replace("\\", "/").rpartition("/")[2].split())[-NAME_MAX:] or "file"
