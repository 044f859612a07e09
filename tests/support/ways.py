"""Every way in and out, behind one face, so that one suite can hold all channels to the same."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import msgspec

from channels.email.settings import MailSettings
from channels.http import HttpMessage
from channels.http import entry as http_entry
from channels.http import normalise as http_normalise
from channels.telegram import normalise as telegram_normalise
from channels.telegram.api import BotApi
from channels.telegram.entries import Entries, Item
from channels.telegram.pace import Pace
from channels.telegram.receive import Receiver
from channels.telegram.send import Courier
from channels.webchat import Entries as ChatEntries
from channels.webchat import normalise as chat_normalise
from router.app.chat import ChatSender
from router.app.mail import normalise as mail_normalise
from router.app.telegram import TelegramSender
from router.core.message import Address, Message
from router.core.ports import InboxEntry
from router.shell.notes import CLAIM
from router.shell.vault import Vault
from router.web.app import create_app
from router.web.chat_parts import Chat, ChatLimits, ChatSettings
from router.web.parts import Intake, WebSettings, wall_clock
from tests.contract.test_telegram_channel import QUICK
from tests.fakes.chat_site import SECRET, ChatSite, identity
from tests.fakes.desk_parts import House
from tests.fakes.scripted_imap import ScriptedImap
from tests.fakes.scripted_imap import listening as imap_listening
from tests.fakes.telegram.server import FakeTelegram, Fault
from tests.fakes.telegram.world import BOT, TOKEN, Json
from tests.support.chat_workspace import Visitor
from tests.support.mailboxes import Documents, reading, settings
from tests.support.shell_scene import ShellStore
from tests.support.slack_way import SlackWay
from tests.support.smtp_peer import connected, receiving
from tests.support.way import BYTES_MAX, HELP, OVERSIZE, Out, Way, until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-channel.md"
EXAMPLE_LINES_MAX = 80


def mail(number: int, text: str, size: int = 0) -> bytes:
    """A mail whose words may be any."""
    body = base64.encodebytes((text + "\n" + "x" * size).encode()).replace(b"\n", b"\r\n")
    head = (
        f"From: Ada <ada@customer.example>\r\nTo: {HELP}\r\nSubject: Number {number}\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@customer.example>\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + body


class MailWay(Way):
    """SMTP."""

    name = "email"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A receiver on a free port."""
        async with receiving(self.inbox, size_max=BYTES_MAX) as (_, self.address):  # type: ignore[arg-type]
            yield

    async def say(self, number: int, text: str) -> bool:
        """Deliver one mail."""
        async with connected(self.address) as peer:
            return (await peer.mail(mail(number, text))).startswith("250")

    async def oversize(self) -> None:
        """A mail over the limit is refused for its size."""
        async with connected(self.address) as peer:
            assert (await peer.mail(mail(99, "", OVERSIZE))).startswith("552")

    def read(self, entry: InboxEntry) -> Message:
        """As the workers read it."""
        return mail_normalise(MailSettings(workspace="acme", own_addresses=(HELP,)), entry.raw, entry.meta)


class ImapWay(MailWay):
    """A mailbox that is read; what was taken in is flagged there."""

    name = "imap"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = ScriptedImap()
        self.documents = Documents()
        self.uids: dict[int, int] = {}
        self.said: dict[int, bytes] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """A mailbox on a server."""
        async with imap_listening(self.server) as self.port:
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A reader of the mailbox."""
        given = settings(self.port, after="flag", begin="all", size_max=BYTES_MAX, cut_bytes=BYTES_MAX)
        async with reading(given, self.inbox, self.documents):
            yield

    async def hand_in(self, number: int, text: str = "") -> None:
        """A mail comes into the mailbox."""
        self.said[number] = mail(number, text or f"This is number {number}.")
        self.server.deliver(self.said[number])
        self.uids[number] = max(self.server.mails)

    def taken(self, number: int) -> bool:
        """It is flagged."""
        stores = [one for one in self.server.commands if one.upper().startswith("UID STORE")]
        return any(self.uids[number] in self.server.named(one) for one in stores)

    async def insist(self, number: int) -> None:
        """It lies there, and is read again."""

    async def oversize(self) -> None:
        """Of a mail over the limit only the beginning is taken."""
        before = len(self.inbox.entries)
        self.server.deliver(mail(99, "", OVERSIZE))
        await until(lambda: len(self.inbox.entries) > before)


class TelegramWay(Way):
    """A bot that polls; what is taken is confirmed."""

    name = "telegram"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Telegram."""
        with FakeTelegram().running() as self.fake:
            self.ada = self.fake.world.person("Ada")
            self.updates: dict[int, Json] = {}
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A bot."""
        api = BotApi(TOKEN, self.fake.url)
        entries = Entries(bot=BOT, tidy=lambda name, kind: (name, kind), claim=CLAIM)
        receiver = Receiver(api, self.inbox, entries, self._greet, spans=QUICK)
        task = asyncio.create_task(receiver.poll())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await api.close()

    async def _greet(self, item: Item, word: str) -> None:
        raise AssertionError(f"nobody pressed Start: {item} {word}")

    async def hand_in(self, number: int, text: str = "") -> None:
        """Somebody writes to the bot; or Telegram brings the same again."""
        world = self.fake.world
        if number in self.updates:
            with world.lock:
                world.queue.append(self.updates[number])
        else:
            world.write(self.ada, text or f"This is number {number}.")
            self.updates[number] = world.told[-1]

    def taken(self, number: int) -> bool:
        """Telegram keeps it no more."""
        with self.fake.world.lock:
            return self.updates[number] not in self.fake.world.queue

    async def insist(self, number: int) -> None:
        """It was not confirmed, and is brought again."""

    async def oversize(self) -> None:
        """A file over Telegram's limit for bots is named as missing, and not fetched."""
        before = len(self.inbox.entries)
        self.fake.world.send(self.ada, **self.fake.world.paper("huge.bin", b"x", size=30_000_000))
        await until(lambda: len(self.inbox.entries) > before)

    def read(self, entry: InboxEntry) -> Message:
        """As the leader reads it."""
        return telegram_normalise(entry.raw, entry.meta)

    @asynccontextmanager
    async def outgoing(self) -> AsyncIterator[Out]:
        """Messages of the bot's."""
        world, api = self.fake.world, BotApi(TOKEN, self.fake.url)
        world.private(self.ada)
        busy = Fault(429, "Too Many Requests: retry after 1", {"retry_after": 1})
        letter = Message(
            channel="telegram",
            from_=Address(address=HELP),
            to=(Address(address=f"telegram:{self.ada['id']}"),),
            text="Yes.",
            message_id="1@acme.example",
        )
        yield Out(
            TelegramSender(Courier(api, Pace(asyncio.get_running_loop().time)), Vault(ShellStore())),
            letter,
            busy=lambda: self.fake.fail("sendMessage", busy),
            gone=lambda: world.blocked.add(self.ada["id"]),
            delivered=lambda: len(world.sent),
        )
        await api.close()


class ChatWay(Way):
    """The widget's line."""

    name = "webchat"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.held = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A chat on a free port."""
        house = House(now=wall_clock())
        house.clock = wall_clock
        limits = ChatLimits(text_characters=4_000, messages_per_minute=12)
        entries = ChatEntries(text_characters_max=limits.text_characters, file_bytes_max=1_000)
        chat = Chat(entries=entries, identity=identity, settings=ChatSettings(title="Acme"), limits=limits)
        site = ChatSite(house=house, parts=house.parts(inbox=self.inbox, secret=SECRET, chat=chat))
        await site.start()
        self.url = site.url
        try:
            yield
        finally:
            await site.stop()

    async def say(self, number: int, text: str) -> bool:
        """A visitor says something."""
        return str((await self.answer_to(number, text))["type"]) == "stored"

    async def answer_to(self, number: int, text: str) -> dict[str, Any]:
        """What the widget is told."""
        client = f"client-{number:04}"
        async with Visitor(self.url, held=self.held) as visitor:
            self.held = visitor.held
            await visitor.say(type="say", client=client, text=text)
            while True:
                frame = await visitor.next()
                if frame.get("client") == client and frame["type"] in {"stored", "refused"}:
                    return frame

    async def oversize(self) -> None:
        """Words over the limit are refused for good."""
        told = await self.answer_to(99, "x" * 5_000)
        assert (told["type"], told["code"], told["retry"]) == ("refused", "too_long", None)

    def read(self, entry: InboxEntry) -> Message:
        """As the leader reads it."""
        return chat_normalise(entry.raw, entry.meta)

    @asynccontextmanager
    async def outgoing(self) -> AsyncIterator[Out]:
        """An answer is there for the visitor once it is journaled: nothing can be asked to wait."""
        to = Address(address="visitor:" + "0" * 32)
        out = Out(
            ChatSender(),
            Message(channel="webchat", from_=Address(address=HELP), to=(to,), text="Yes."),
            busy=None,
            gone=lambda: None,
            delivered=lambda: 1,
        )
        out.gone = lambda: setattr(out, "letter", msgspec.structs.replace(out.letter, to=(Address(address=HELP),)))
        yield out


class HttpWay(Way):
    """`POST /v1/messages`; answers leave by mail."""

    name = "http"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The API, and a token of a program's that outlives it."""
        intake = Intake(model=HttpMessage, entry=http_entry)
        parts = House().parts(
            inbox=self.inbox, intake=intake, local_token="a-token", settings=WebSettings(body_bytes_max=BYTES_MAX)
        )
        transport = httpx.ASGITransport(app=create_app(parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as self.web:
            yield

    async def _post(self, number: int, text: str) -> int:
        headers = {"Authorization": "Bearer a-token", "Idempotency-Key": f"key-{number}"}
        body = {"from": {"address": "ada@customer.example"}, "text": text}
        return (await self.web.post("/v1/messages", json=body, headers=headers)).status_code

    async def say(self, number: int, text: str) -> bool:
        """A program hands a message in."""
        return await self._post(number, text) == 202

    async def oversize(self) -> None:
        """A body over the limit is refused."""
        assert await self._post(99, "x" * OVERSIZE) == 413

    def read(self, entry: InboxEntry) -> Message:
        """As the leader reads it."""
        return http_normalise(entry.raw, entry.meta)


def example() -> ModuleType:
    """The adapter on the how-to page, as a module."""
    [source] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert source.count("\n") < EXAMPLE_LINES_MAX
    spec = importlib.util.spec_from_loader("example_channel", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    exec(compile(source, str(PAGE), "exec"), module.__dict__)  # noqa: S102  # our own page
    return module


class ExampleWay(Way):
    """The adapter of docs/how-to/add-a-channel.md."""

    name = "example"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The gateway's folders."""
        self.module: Any = example()
        (self.folder / "in").mkdir()
        (self.folder / "out" / "4930").mkdir(parents=True)
        yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The adapter on them."""
        task = asyncio.create_task(self.module.receive(self.folder, self.inbox))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled(), task.exception()

    def _path(self, number: int) -> Path:
        return self.folder / "in" / f"{number:04}.txt"

    async def hand_in(self, number: int, text: str = "") -> None:
        """The gateway puts a file there, at once."""
        draft = self.folder / "draft"
        draft.write_bytes(f"4930\n{text or f'This is number {number}.'}".encode())
        draft.rename(self._path(number))

    def taken(self, number: int) -> bool:
        """Its file is gone."""
        return not self._path(number).exists()

    async def insist(self, number: int) -> None:
        """It lies there, and is found again."""

    async def oversize(self) -> None:
        """A file over the limit is cut."""
        await self.hand_in(99, "x" * OVERSIZE)
        await until(lambda: self.taken(99))

    def read(self, entry: InboxEntry) -> Message:
        """As the leader would read it."""
        read: Message = self.module.normalise(entry.raw, entry.meta)
        return read

    @asynccontextmanager
    async def outgoing(self) -> AsyncIterator[Out]:
        """Files for the gateway."""
        out, pause = self.folder / "out" / "4930", self.folder / "out" / "PAUSE"
        sender = self.module.Sender(self.folder)
        letter = Message(
            channel="fax",
            from_=Address(address=HELP),
            to=(Address(address="fax:4930"),),
            text="Yes.",
            message_id="1@acme.example",
        )

        def busy() -> None:
            pause.touch()
            asyncio.get_running_loop().call_later(0.2, pause.unlink)

        yield Out(sender, letter, busy=busy, gone=out.rmdir, delivered=lambda: len(list(out.glob("*.txt"))))


WAYS: dict[str, type[Way]] = {
    one.name: one for one in (MailWay, ImapWay, TelegramWay, ChatWay, HttpWay, SlackWay, ExampleWay)
}
