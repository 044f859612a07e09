"""Readers of mailboxes on a small stage: what they keep is in memory, they are quick to try again, none is alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from channels.email.imap import MailboxReader
from channels.email.imap_cursor import Cursor
from channels.email.imap_settings import ImapSettings
from router.app.mailboxes import Password
from router.core.errors import StoreUnavailable
from router.core.ports import Inbox
from tests.support.mailservers import PASSWORD
from tests.support.smtp_peer import MemoryInbox

PATIENCE_SECONDS = 60.0  # a guard against hanging
HELP = "help@acme.example"


def mail(name: str, size: int = 0) -> bytes:
    """A customer's mail unlike all others; `size`: at least so many bytes."""
    head = (
        f"From: Ada <ada@customer.example>\r\nTo: {HELP}\r\nSubject: {name}\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{name}@customer.example>\r\n\r\n"
    ).encode()
    line = b"x" * 70 + b"\r\n"
    return head + f"This is {name}.\r\n".encode() + line * (-(-max(0, size - len(head)) // len(line)))


class Documents(dict[str, bytes]):
    """Implements `Cursors`; `failures`: so many writes are refused."""

    failures = 0

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        return self.get(name)

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("down")
        self[name] = value

    def cursor(self, settings: ImapSettings) -> Cursor:
        """How far that mailbox was read."""
        return msgspec.json.decode(self[f"imap:{settings.key}"], type=Cursor)


class Ours:
    """Implements `Claim` where there is one node."""

    held = True

    async def look(self) -> bool:
        """It is ours."""
        return True

    async def keep(self) -> None:
        """Nobody else wants it."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Nobody waits for it."""


def settings(port: int, user: str = HELP, **more: object) -> ImapSettings:
    """A mailbox on this machine, read with little patience."""
    given: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": "none",
        "user": user,
        "account": HELP,
        "retry_seconds": (0.02, 0.2),
        "refused_seconds": (0.02, 0.2),
        **more,
    }
    return ImapSettings(**given)  # type: ignore[arg-type]


@asynccontextmanager
async def reading(
    given: ImapSettings,
    inbox: Inbox | None = None,
    documents: Documents | None = None,
    *,
    password: str = PASSWORD,
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[MailboxReader]:
    """Read a mailbox until the block ends."""
    more: dict[str, Any] = {} if clock is None else {"clock": clock}
    found = documents if documents is not None else Documents()
    reader = MailboxReader(given, inbox or MemoryInbox(), found, Ours(), Password(password), **more)
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()


async def until(true: Callable[[], object], reader: MailboxReader | None = None) -> None:
    """Wait until something is so; says how the reader is if it never comes about."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                await asyncio.sleep(0.01)
    except TimeoutError:
        state = "" if reader is None else f"{reader.state}: {reader.trouble} {reader.notice}"
        raise AssertionError(f"it did not come about ({state})") from None


async def listening(reader: MailboxReader) -> None:
    """Wait until all is read and the reader waits for news."""
    await until(lambda: reader.state == "listening", reader)


def subjects(inbox: MemoryInbox) -> list[str]:
    """The subjects of what is in an inbox, in order."""
    return [subject_of(entry.raw) for entry in inbox.entries]


def subject_of(raw: bytes) -> str:
    """The subject of a mail of `mail`; "" of any other."""
    return raw.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
