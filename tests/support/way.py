"""One way in and out as the contract suite sees it: its outside, its adapter, its inbox.

The outside (a mail server's client, a mailbox, Telegram, a browser, a program, a folder) lives in `opened`; the adapter
in `running`, and may be stopped and begun anew over the same outside and the same inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from channels.email.send import SendSettings, SmtpSender
from router.app.mail import MailSender
from router.core.errors import StoreUnavailable
from router.core.message import Address, Message
from router.core.ports import Appended, InboxEntry
from router.shell.outbox import Sender
from router.shell.vault import Vault
from router.web.parts import wall_clock
from tests.fakes.scripted_smtp import ScriptedSmtp
from tests.fakes.scripted_smtp import listening as smtp_listening
from tests.support.shell_scene import ShellStore

PATIENCE_SECONDS = 60.0  # a guard against hanging
BYTES_MAX = 20_000  # of one message, where a way is told its limit
OVERSIZE = 400_000
HELP = "help@acme.example"
T = TypeVar("T")


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


class Kept:
    """An inbox with the store's rules.

    `gate`: appends wait for it; `down`: they fail; `lose`: stored, the answer lost, then down.
    """

    def __init__(self) -> None:
        self.entries: list[InboxEntry] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.down = self.lose = False
        self.asked = self.failed = 0
        self._known: dict[bytes, tuple[str, bytes]] = {}

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """Keep what is new."""
        return await self.stored(lambda: [self._one(one, conflict) for one in entries])

    async def stored(self, store: Callable[[], T]) -> T:
        """Store what comes in, as far as the store is well; gives what `store` does."""
        self.asked += 1
        await self.gate.wait()
        if self.down:
            self.failed += 1
            raise StoreUnavailable("down")
        answer = store()
        if self.lose:
            self.lose, self.down = False, True
            self.failed += 1
            raise StoreUnavailable("the answer was lost")
        return answer

    def _one(self, entry: InboxEntry, conflict: str) -> Appended:
        known = self._known.get(entry.key)
        if known is not None and known[1] == entry.body:
            return Appended(known[0], duplicate=True)
        if known is not None and conflict == "refuse":
            return Appended("", conflict=True)
        name = f"{wall_clock()}-{len(self.entries)}"
        self._known.setdefault(entry.key, (name, entry.body))
        self.entries.append(entry)
        return Appended(name, conflict=known is not None)


class Out:
    """A way out. `busy`: the next try is asked to wait, None where that cannot be; `gone`: nobody is reached there."""

    def __init__(
        self,
        sender: Sender,
        letter: Message,
        *,
        busy: Callable[[], object] | None,
        gone: Callable[[], object],
        delivered: Callable[[], int],
    ) -> None:
        self.sender, self.letter = sender, letter
        self.busy, self.gone, self.delivered = busy, gone, delivered


class Way:
    """One channel."""

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = Kept()
        self.tasks: dict[int, asyncio.Task[bool]] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The outside, while the block lasts."""
        yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The adapter, while the block lasts; it ends as abruptly as it may."""
        yield

    async def say(self, number: int, text: str) -> bool:
        """Hand a message in and wait for the answer: whether it says that it is stored. For those who push."""
        raise NotImplementedError

    async def hand_in(self, number: int, text: str = "") -> None:
        """Hand a message in; who pushes does not wait for the answer here."""
        self.tasks[number] = asyncio.create_task(self.say(number, text or f"This is number {number}."))
        await asyncio.sleep(0)

    def taken(self, number: int) -> bool:
        """Whether the outside was told by now that it is stored."""
        task = self.tasks[number]
        return task.done() and task.result()

    async def insist(self, number: int) -> None:
        """What the outside does that was told nothing, or no: it hands the same in again."""
        await asyncio.wait({self.tasks[number]})
        await self.hand_in(number)

    async def oversize(self) -> None:
        """Hand in what is too large, and wait until that is dealt with."""
        raise NotImplementedError

    def read(self, entry: InboxEntry) -> Message:
        """What the channel makes of an entry."""
        raise NotImplementedError

    @asynccontextmanager
    async def outgoing(self) -> AsyncIterator[Out]:
        """The way out: by mail, unless a channel has one of its own."""
        server = ScriptedSmtp()
        async with smtp_listening(server) as port:
            sender = SmtpSender(SendSettings(host="127.0.0.1", port=port, hostname="acme.example", encryption="none"))
            letter = Message(
                channel=self.name,
                from_=Address(address=HELP),
                to=(Address(address="ada@customer.example"),),
                subject="Re: it",
                sent_at="2026-11-20T10:00:00Z",
                text="Yes.",
                full_text="Yes.",
                message_id="1@acme.example",
            )
            yield Out(
                MailSender(sender, "acme", Vault(ShellStore())),
                letter,
                busy=lambda: server.answers.update(MAIL=["450 4.7.1 slow down", "250 OK"]),
                gone=lambda: server.answers.update(RCPT="550 5.1.1 no such user"),
                delivered=lambda: len(server.bodies),
            )
            await sender.close()
