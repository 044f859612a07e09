"""The Bot API by python-telegram-bot: the only module that knows the library, and what its errors mean.

The library makes the token a part of every address, and its errors may quote that: only classes leave this module. Its
`BadRequest` and `TimedOut` are subclasses of `NetworkError`, so errors are told apart by their concrete class.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters, error
from telegram.constants import ChatAction
from telegram.request import HTTPXRequest

from channels.telegram.entries import Me
from channels.telegram.model import KINDS
from channels.telegram.send import Place
from channels.telegram.trouble import BadToken, Blocked, Busy, Doubtful, Elsewhere, Moved, Rejected, Unreachable
from router.core.errors import RouterError

os.environ.setdefault("PTB_TIMEDELTA", "true")  # spans as the library's next version has them; else each one warns

ANSWER_SECONDS = 20.0
UPLOAD_SECONDS = 120.0
FILE_SECONDS_MAX = 90.0
CONNECTIONS = 16
UPDATES_MAX = 100  # in one answer: Telegram's own limit
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class _Quiet(HTTPXRequest):
    """Parses answers without logging those that are no JSON: they hold what people wrote."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer. Raises TelegramError."""
        try:
            found: dict[str, Any] = json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            raise error.NetworkError("no JSON") from None
        return found


class _Updates(_Quiet):
    """Keeps updates as they came; the library is given none, so that no kind it cannot read stops the others."""

    taken: tuple[bytes, ...] = ()

    def parse_json_payload(self, payload: bytes) -> dict[str, Any]:  # type: ignore[override]  # called on an instance
        """The answer, its updates put aside."""
        answer = super().parse_json_payload(payload)
        result = answer.get("result")
        if not isinstance(result, list):
            return answer
        self.taken = tuple(json.dumps(one).encode() for one in result)
        return {**answer, "result": []}


class BotApi:
    """One bot. Every method raises what `trouble` lists and nothing else of the library's."""

    def __init__(self, token: str, url: str) -> None:
        """`url`: of the Bot API, https://api.telegram.org or a server of one's own. Nothing is opened yet."""
        self.bot = int(token.partition(":")[0])
        self._updates = _Updates(connection_pool_size=2, read_timeout=ANSWER_SECONDS)
        self._rest = _Quiet(
            connection_pool_size=CONNECTIONS,
            read_timeout=ANSWER_SECONDS,
            pool_timeout=ANSWER_SECONDS,
            media_write_timeout=UPLOAD_SECONDS,
        )
        self._bot = telegram.Bot(
            token,
            base_url=f"{url}/bot",
            base_file_url=f"{url}/file/bot",
            request=self._rest,
            get_updates_request=self._updates,
        )

    async def close(self) -> None:
        """End the connections."""
        await self._updates.shutdown()
        await self._rest.shutdown()

    async def me(self) -> Me:
        """Who the bot is."""
        async with _translated():
            found = await self._bot.get_me()
        return Me(id=found.id, username=(found.username or "").lower())

    # -- updates ---------------------------------------------------------------------------------------------------

    async def updates(self, offset: int | None, seconds: int) -> tuple[bytes, ...]:
        """Updates from `offset` on, those before it are confirmed; waits for some up to `seconds`."""
        self._updates.taken = ()
        async with _translated():
            await self._bot.get_updates(
                offset=offset,
                limit=UPDATES_MAX,
                timeout=seconds,
                allowed_updates=KINDS,
                read_timeout=ANSWER_SECONDS,  # the library adds `timeout` to it
            )
        return self._updates.taken

    async def set_webhook(self, url: str, secret: str) -> None:
        """Have updates brought to `url`, each with `secret` in its header. What waits is brought as well."""
        async with _translated():
            await self._bot.set_webhook(url, secret_token=secret, allowed_updates=KINDS)

    async def webhook(self) -> tuple[str, str]:
        """(where updates are brought to, what went wrong last); "" for nowhere and nothing."""
        async with _translated():
            found = await self._bot.get_webhook_info()
        return found.url, found.last_error_message or ""

    async def end_webhook(self) -> None:
        """From here on updates may be polled. None is dropped."""
        async with _translated():
            await self._bot.delete_webhook(drop_pending_updates=False)

    async def file(self, identifier: str) -> bytes:
        """The bytes of a file that a customer sent."""
        try:
            async with _translated(), asyncio.timeout(FILE_SECONDS_MAX):
                found = await self._bot.get_file(identifier)
                return bytes(await found.download_as_bytearray())
        except TimeoutError:
            raise Unreachable("the file took too long") from None

    # -- messages --------------------------------------------------------------------------------------------------

    async def heard(self, query: str, text: str) -> None:
        """Say to who pressed a button that it was heard."""
        async with _translated():
            await self._bot.answer_callback_query(query, text)

    async def say(self, place: Place, text: str, buttons: tuple[tuple[str, str], ...] = ()) -> None:
        """Send words as they are: nothing in them is markup, and no link in them is unfurled; buttons one a line."""
        rows = [[InlineKeyboardButton(label, callback_data=data)] for label, data in buttons]
        async with _translated():
            await self._bot.send_message(
                place.chat,
                text,
                reply_markup=InlineKeyboardMarkup(rows) if rows else None,
                message_thread_id=place.thread,
                reply_parameters=_reply(place),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )

    async def photo(self, place: Place, name: str, content: bytes, caption: str) -> None:
        """Send a picture that is shown at once."""
        async with _translated():
            await self._bot.send_photo(
                place.chat,
                content,
                caption=caption or None,
                filename=name,
                message_thread_id=place.thread,
                reply_parameters=_reply(place),
                read_timeout=UPLOAD_SECONDS,
            )

    async def document(self, place: Place, name: str, content: bytes, caption: str) -> None:
        """Send a file."""
        async with _translated():
            await self._bot.send_document(
                place.chat,
                content,
                caption=caption or None,
                filename=name,
                disable_content_type_detection=True,
                message_thread_id=place.thread,
                reply_parameters=_reply(place),
                read_timeout=UPLOAD_SECONDS,
            )

    async def types(self, place: Place) -> None:
        """Show for five seconds that somebody is typing."""
        async with _translated():
            await self._bot.send_chat_action(place.chat, ChatAction.TYPING, message_thread_id=place.thread)


def _reply(place: Place) -> ReplyParameters | None:
    if place.answers is None:
        return None
    return ReplyParameters(message_id=place.answers, allow_sending_without_reply=True)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Whatever the library raises inside, as ours."""
    try:
        yield
    except error.TelegramError as found:
        raise trouble_of(found) from None


def trouble_of(found: error.TelegramError) -> RouterError:
    """What an error of the library means, by its concrete class."""
    kind = type(found)
    if isinstance(found, error.RetryAfter):
        wait = found.retry_after
        return Busy(wait.total_seconds() if isinstance(wait, timedelta) else wait)
    if isinstance(found, error.ChatMigrated):
        return Moved(found.new_chat_id)
    if kind is error.Conflict:
        return Elsewhere(webhook="webhook" in found.message)
    if kind is error.Forbidden:
        return Blocked("403")
    if kind is error.BadRequest:
        return Rejected("400")
    if kind in {error.InvalidToken, error.EndPointNotFound}:
        return BadToken("Telegram does not know the bot's token")
    cause = found.__cause__
    if cause is None or isinstance(cause, _NOT_SENT):  # no cause: an answer that says it cannot be done now
        return Unreachable(type(cause).__name__ if cause is not None else "an answer that is none")
    return Doubtful(type(cause).__name__)
