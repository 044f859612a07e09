"""Customers who write in a channel of Slack, as the contract suite sees them.

Slack is told sooner than the inbox: what came is on disk as a deed of the desk's first, and is handed on from there,
which is done anew after a crash. Deeds and inbox lie in one store, so what ails the store ails both.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import msgspec

from channels.slack import customers
from channels.slack.api import Api
from channels.slack.arriving import PREFIX
from channels.slack.letters import Letters
from channels.slack.limits import Limits
from channels.slack.listening import web_client
from channels.slack.packing import unpack
from channels.slack.reading import Deed
from router.app.slack import SlackSender
from router.app.slack_channel import slack_channel
from router.core.errors import StoreUnavailable
from router.core.message import Address, Message
from router.core.ports import InboxEntry
from router.shell.vault import Vault
from router.sim.slack import Channel, Rules
from router.sim.slack import Message as Posted
from tests.support.shell_scene import ShellStore
from tests.support.slack_customers import Shop
from tests.support.slack_house import Memory, slack_outside
from tests.support.way import BYTES_MAX, OVERSIZE, Kept, Out, Way, until

# Slack does not give up as soon as in life: on a slow machine what a test waits for would never come.
PERSISTENT = Rules(ack=0.5, retries=(0.0, *(0.1,) * 1_000), tier_scale=20)

Told = tuple[str, dict[str, object], Channel | None]  # what a workspace tells the app


class Deeds(Memory):
    """What the desk remembers, in the store that the inbox is in.

    `begun`: what ails the store does so from then on, for where it fails sooner there is no desk and nobody listens.
    """

    def __init__(self, store: Kept) -> None:
        super().__init__()
        self._store = store
        self.begun = False

    async def add(self, name: str, value: bytes) -> bool:
        """As the port says."""
        return await self._store.stored(lambda: self.kept.setdefault(name, value) is value)

    def _check(self) -> None:
        if self.begun and self._store.down:
            raise StoreUnavailable("down")

    def holds(self, ts: str) -> bool:
        """Whether a message is on disk, and not handed on yet."""
        return any(msgspec.json.decode(self.kept[name], type=Deed).ts == ts for name in self.left(PREFIX))


class SlackWay(Way):
    """A desk that listens with slack-bolt; what is taken is acknowledged on its socket."""

    name = "slack"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deeds = Deeds(self.inbox)
        self.written: list[Posted] = []  # of number 1 and on
        self.held: list[Told] = []  # Slack's events of them
        self.sent: dict[int, dict[str, object]] = {}  # those that were sent
        self.times: Counter[int] = Counter()  # how often

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """A workspace with a channel of customers."""
        async with slack_outside(PERSISTENT) as self.house:
            self.house.memory = self.deeds
            self.house.house.inbox = self.inbox  # type: ignore[assignment]  # the same port
            self.shop = Shop(self.house)
            with patch.object(customers, "FILE_BYTES_MAX", BYTES_MAX):
                yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A desk on its sockets, killed at the end."""
        self.deeds.begun = False
        try:
            await self.house.start()
            self.deeds.begun = True
            yield
        finally:
            await self.house.stop()

    async def _writes(self, text: str) -> Posted:
        """The next message stands in the channel; Slack tells nobody yet."""
        space = self.house.slack.space
        with patch.object(space, "tell", lambda name, event, channel: self.held.append((name, event, channel))):
            message = await self.shop.cara.writes(text, channel=self.shop.channel)
        self.written.append(message)
        return message

    async def hand_in(self, number: int, text: str = "") -> None:
        """Slack sends an event, once more if it did before; until it is acknowledged. They were written in order."""
        while len(self.written) < number:
            each = len(self.written) + 1
            await self._writes(text if text and each == number else f"This is number {each}.")
        deliveries = self.house.slack.deliveries
        if number in self.sent:
            deliveries.repeat(self.sent[number])
        else:
            deliveries.tell(*self.held[number - 1])
            self.sent[number] = deliveries.sent[-1]
        self.times[number] += 1

    def taken(self, number: int) -> bool:
        """It was acknowledged each time that it was sent: so it is on disk.

        While the store is well it was handed on as well; what ails the store delays that, and excuses no
        acknowledgement.
        """
        event = self.sent[number]["event_id"]
        if self.house.slack.deliveries.acknowledged.count(str(event)) < self.times[number]:
            return False
        ts = self.written[number - 1].ts
        handed_on = any(unpack(entry.raw)[0].ts == ts for entry in self.inbox.entries)
        assert handed_on or self.deeds.holds(ts), "what was acknowledged is nowhere on disk"
        well = self.inbox.gate.is_set() and not self.inbox.down
        return not well or not self.deeds.left(PREFIX)

    async def insist(self, number: int) -> None:
        """It was not acknowledged, and is sent again."""

    async def oversize(self) -> None:
        """Of a file over the limit only the name is taken."""
        before = len(self.inbox.entries)
        await self.shop.cara.uploads("huge.bin", b"x" * OVERSIZE, text="See here.", channel=self.shop.channel)
        await until(lambda: len(self.inbox.entries) > before)
        message = self.read(self.inbox.entries[-1])
        assert (message.text, message.attachments) == ("See here.", ())
        assert any("huge.bin" in one for one in message.warnings)

    def read(self, entry: InboxEntry) -> Message:
        """As the leader reads it."""
        return slack_channel().normalise(entry.raw, entry.meta)

    @asynccontextmanager
    async def outgoing(self) -> AsyncIterator[Out]:
        """Answers in a customer's thread."""
        slack, channel, cara = self.house.slack, self.shop.channel, self.shop.cara
        question = await self._writes("Where is it?")
        letter = Message(
            channel="slack",
            from_=Address(address="", name="Ana Souza"),
            to=(Address(address=f"slack:{channel.id}/{question.ts}"),),
            text="Yes.",
            message_id="1@acme.example",
        )
        letters = Letters(Api(web_client(slack.bot_token, slack.api_url), Limits(time.monotonic)))
        yield Out(
            SlackSender(letters, Vault(ShellStore())),
            letter,
            busy=lambda: slack.faults.refuse("chat.postMessage", "ratelimited", retry_after=1),
            gone=lambda: slack.space.leave(channel, slack.bot),
            delivered=lambda: sum(one.user == slack.bot for one in cara.thread(question)),
        )
