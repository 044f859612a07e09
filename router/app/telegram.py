"""Telegram tied to the shell and the web: who polls, how entries are read, how answers and *typing* leave.

The library behind `channels.telegram.api` takes a second to load: only a workspace with this channel pays for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, Request, Response

from channels.telegram import TELEGRAM, normalise
from channels.telegram.entries import Entries, Item
from channels.telegram.pace import Pace
from channels.telegram.receive import Receiver
from channels.telegram.send import Courier, File, Letter, Place, place_of, retry_after
from channels.telegram.texts import GREETINGS
from channels.telegram.trouble import Busy, Unreachable
from router.app import chat
from router.core import links
from router.core.errors import PermanentError, RouterError, StoreUnavailable, TransientError
from router.core.message import Message
from router.core.ports import Inbox
from router.core.state import State
from router.core.transitions import DeliveryState
from router.desk.satisfaction import words_of
from router.shell.channel import Channel
from router.shell.enclosures import content_of
from router.shell.lease import LOOK_SECONDS, Lease, LeaseStore
from router.shell.notes import CLAIM
from router.shell.outbox import Sender, Sent
from router.shell.vault import Vault
from skills.channel_model import TelegramChannel
from skills.language import spoken
from skills.model import WorkspaceConfig

if TYPE_CHECKING:
    from channels.telegram.api import BotApi

log = structlog.get_logger()

PATH = "/telegram/updates"
HEADER = "x-telegram-bot-api-secret-token"
UPDATE_BYTES_MAX = 1_000_000
WEBHOOK_LOOK_SECONDS = 60.0
WEBHOOK_RETRY_SECONDS = 2.0
GREETING_TRIES_MAX = 3
FAILED_SECONDS = 1.0
TYPING_SECONDS = 4.0  # a sign of it lasts five


def telegram_channel() -> Channel:
    """Telegram as the shell knows it: small JSON of Telegram's, whose files were made safe at the door."""
    return Channel(
        name=TELEGRAM,
        normalise=normalise,
        hostile=False,
        kind=lambda _: "messaging",
        thread=lambda _: None,
        editable=True,
    )


def hook_secret(config: TelegramChannel, secret: bytes) -> str:
    """What Telegram must say with each update that it brings: the workspace's own, or one made of ours."""
    if config.secret is not None:
        return config.secret.reveal()
    return hmac.digest(secret, b"usherd telegram" + config.token.reveal().encode(), hashlib.sha256).hex()


class Bot:
    """The bot of one workspace on this node: its doors, its way out, and what keeps them shut."""

    def __init__(
        self, config: Callable[[], WorkspaceConfig], given: TelegramChannel, secret: bytes, inbox: Inbox, vault: Vault
    ) -> None:
        """`given`: the channel's settings as they were at the start."""
        from channels.telegram.api import BotApi  # noqa: PLC0415  # a second of every other start

        self.api: BotApi = BotApi(given.token.reveal(), given.api)
        self._config = config
        self._given = given
        self._vault = vault
        self._secret = hook_secret(given, secret)
        self._pace = Pace(asyncio.get_running_loop().time)
        self._typed: dict[Place, float] = {}
        self._acts: set[asyncio.Task[None]] = set()
        self._hook_problem = ""
        entries = Entries(bot=self.api.bot, tidy=chat.tidy, claim=CLAIM)
        self.receiver = Receiver(self.api, inbox, entries, self._greet, file_bytes_max=given.file_size)
        self.sender = TelegramSender(Courier(self.api, self._pace), vault)

    async def close(self) -> None:
        """End what is under way."""
        for task in tuple(self._acts):
            task.cancel()
        await asyncio.gather(*self._acts, return_exceptions=True)
        await self.api.close()

    @property
    def name(self) -> str:
        """What the bot is called on Telegram, without the @; "" until Telegram has said so."""
        return self.receiver.name

    def problems(self) -> list[str]:
        """What keeps messages out, in plain words."""
        return [problem for problem in (self.receiver.problem, self._hook_problem) if problem]

    # -- in --------------------------------------------------------------------------------------------------------

    async def run(self, store: LeaseStore, node: str) -> None:
        """Poll, or keep the webhook set, whenever this node holds the bot's lease; until cancelled."""
        lease = Lease(store, f"{TELEGRAM}-{self.api.bot}", node)
        try:
            while True:
                held = False
                with suppress(StoreUnavailable):
                    held = await lease.look()
                if held:
                    await self._while_held(lease)
                else:
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            with suppress(StoreUnavailable):
                await lease.release()

    async def _while_held(self, lease: Lease) -> None:
        work = self.receiver.poll() if self._given.mode == "polling" else self._keep_webhook()
        working = asyncio.create_task(work, name="telegram")
        keeping = asyncio.create_task(lease.keep(doubtful=lambda: void(working.cancel())))
        log.info("telegram_begun", mode=self._given.mode)
        try:
            await asyncio.wait([working, keeping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, keeping):
                task.cancel()
            ends = await asyncio.gather(working, keeping, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):  # a mistake of ours must not end the channel, nor spin
                log.error("telegram_failed", error=type(end).__name__, exc_info=end)
                await asyncio.sleep(FAILED_SECONDS)

    async def _keep_webhook(self) -> None:
        """Tell Telegram where we are, and look now and then whether it still knows and can reach us.

        It is told once in any case: it shows the address that it knows, and not the secret, which may be another now.
        """
        url = f"{(self._config().web.url or '').rstrip('/')}{PATH}"
        told = False
        while True:
            wait = WEBHOOK_LOOK_SECONDS
            try:
                known, trouble = await self.api.webhook()
                if known != url or not told:
                    await self.api.set_webhook(url, self._secret)
                    told = True
                self._hook_problem = "Telegram cannot bring messages: see web.url" if trouble and known == url else ""
            except RouterError as error:
                self._hook_problem = f"Telegram's webhook could not be set ({error.code})"
                log.warning("telegram_webhook_not_set", code=error.code)
                wait = WEBHOOK_RETRY_SECONDS
            await asyncio.sleep(wait)

    def routes(self) -> APIRouter:
        """Where Telegram brings updates: `200` when one is on disk, `503` when Telegram is to keep it for now."""
        routes = APIRouter(include_in_schema=False)

        @routes.post(PATH)
        async def take(request: Request) -> Response:
            said = request.headers.get(HEADER, "")
            if self._given.mode != "webhook" or not hmac.compare_digest(said.encode(), self._secret.encode()):
                return Response(status_code=404)
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > UPDATE_BYTES_MAX:
                    return Response(status_code=413)
            try:
                await self.receiver.brought(bytes(body))
            except RouterError as error:
                log.warning("telegram_not_taken", code=error.code)
                return Response(status_code=503)
            return Response(status_code=200)

        return routes

    # -- out -------------------------------------------------------------------------------------------------------

    async def _greet(self, item: Item, word: str) -> None:
        """Say hello to who pressed *Start*, in the language of their link, else of their app; it is not told again.

        Who pressed a button under the question after a contact is thanked.
        """
        posted, config = item.posted, self._config()
        button = item.update.callback_query if item.update is not None else None
        if button is not None:
            language = spoken(button.from_.language_code, config.languages) or config.languages[0]
            self._do(self._thank(button.id, words_of(language)[1].thanks))
        if posted is None or config.mode == "shadow":
            return
        code = posted.from_.language_code if posted.from_ is not None else ""
        languages = config.languages
        language = spoken(word, languages) or spoken(code, languages) or languages[0]
        own = config.channels.telegram.greeting if config.channels.telegram is not None else {}
        text = own.get(language) or own.get(languages[0]) or GREETINGS.get(language) or GREETINGS["en"]
        self._do(self._say(Place(chat=posted.chat.id), text))

    async def _thank(self, query: str, text: str) -> None:
        with suppress(RouterError):  # their answer is stored, whether or not they are told so
            await self.api.heard(query, text)

    async def _say(self, place: Place, text: str) -> None:
        for _ in range(GREETING_TRIES_MAX):
            try:
                async with self._pace.turn(place.chat):
                    await self.api.say(place, text)
            except Busy as busy:
                self._pace.hold(busy.seconds)
            except Unreachable:
                await asyncio.sleep(1)
            except RouterError:  # blocked, or perhaps said: it is not worth a second one
                return
            else:
                return

    def types(self, contact: str, agent: str, state: State) -> None:
        """An agent writes an answer in a contact: the customer is shown so. It is told nobody again, nor kept."""
        found = state.contacts.get(contact)
        mine = found is not None and found.channel == TELEGRAM and found.agent == agent
        if found is not None and mine and not state.workspace.shadow:
            inbound = [ref.id for ref in links.heard(found)]
            if inbound:
                self._do(self._show_typing(inbound[-1]))

    async def _show_typing(self, message: str) -> None:
        with suppress(TransientError, PermanentError):
            last = (await self._vault.messages([message])).get(message)
            to = None if last is None else place_of((*last.reply_to, last.from_)[0].address, None)
            now = asyncio.get_running_loop().time()
            if to is None or self._pace.held or self._typed.get(to, 0.0) > now:
                return
            self._typed = {place: until for place, until in self._typed.items() if until > now}
            self._typed[to] = now + TYPING_SECONDS
            await self.api.types(to)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)


def bot_of(
    config: Callable[[], WorkspaceConfig], secret: bytes, inbox: Inbox, vault: Vault, leave: AsyncExitStack
) -> Bot | None:
    """The workspace's bot, closed when `leave` is; None if it has none."""
    given = config().channels.telegram
    if given is None:
        return None
    bot = Bot(config, given, secret, inbox, vault)
    leave.push_async_callback(bot.close)
    return bot


def sender_of(bot: Bot | None) -> dict[str, Sender]:
    """The way out, by channel."""
    return {} if bot is None else {TELEGRAM: bot.sender}


def routes_of(bot: Bot | None) -> tuple[APIRouter, ...]:
    """Where Telegram calls."""
    return () if bot is None else (bot.routes(),)


class TelegramSender:
    """Implements the outbox's `Sender` by the Bot API."""

    def __init__(self, courier: Courier, vault: Vault) -> None:
        self._courier = courier
        self._vault = vault

    async def send(self, message: Message) -> Sent:
        """Try once. The place is that of the message, frozen when it was written."""
        place = place_of(message.to[0].address, message.in_reply_to) if message.to else None
        if place is None or len(message.to) > 1:
            return Sent(state=DeliveryState.FAILED, detail="it is not addressed to somebody on Telegram")
        contents = [await content_of(self._vault, one) for one in message.attachments]
        files = tuple(
            File(name=one.filename, type=one.content_type, content=content)
            for one, content in zip(message.attachments, contents, strict=True)
        )
        answers = words_of(message.language)[1].answers if message.asks else ()
        buttons = tuple((answer, f"rate:{message.asks}:{score}") for score, answer in enumerate(answers, 1))
        letter = Letter(
            key=message.message_id or "", place=place, text=message.text, files=files, buttons=buttons[::-1]
        )
        result = await self._courier.send(letter)
        state = DeliveryState(result.state)
        return Sent(state=state, code=result.code, detail=result.text, wait_ms=result.wait_ms)

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Two seconds to five minutes, for a day."""
        return retry_after(attempts, waited_ms)


def void(_: object) -> None:
    """Nothing to give back."""
