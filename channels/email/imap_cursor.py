"""How far a mailbox was read, which of its mails are wanted, and what its reader asks of the inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from channels.email.imap_answers import About
from channels.email.imap_settings import KEYWORD, ImapSettings

REMEMBERED_MS = 6 * 86_400_000  # so long the inbox certainly knows a mail again
DELETED = r"\deleted"
SEEN = r"\seen"


class Cursor(msgspec.Struct):
    """How far a mailbox was read. `uid`: all up to it are done, under this `validity`.

    `first`: the last that was there when we first came, or since UIDVALIDITY changed: nobody is sent a receipt for
    those. `again`: they may have been read under another UIDVALIDITY. `newest`: when the newest one read arrived, ms.
    """

    validity: int = 0
    uid: int = 0
    first: int = 0
    again: bool = False
    newest: int = 0


_CURSOR = msgspec.json.Decoder(Cursor)


def decode(raw: bytes) -> Cursor:
    """A cursor as it was kept."""
    return _CURSOR.decode(raw)


def is_wanted(about: About, cursor: Cursor, settings: ImapSettings, now: int) -> bool:
    """Whether a mail is to be taken in: it was not, and people have not dealt with it before we came."""
    if DELETED in about.flags or (settings.after == "flag" and KEYWORD in about.flags):
        return False
    if about.uid > cursor.first:
        return True
    if cursor.again:
        forgotten = 0 < about.arrived < min(now - REMEMBERED_MS, cursor.newest)
        return KEYWORD not in about.flags and not forgotten
    return settings.begin != "unseen" or SEEN not in about.flags


def groups_of(wanted: Sequence[About], settings: ImapSettings, *, alone_until: int) -> list[list[About]]:
    """What is fetched at once: not too many bytes; alone what is large, or up to a UID that broke a batch."""
    groups: list[list[About]] = []
    size = 0
    for about in wanted:
        alone = about.uid <= alone_until or about.size > settings.size_max
        if not groups or alone or size + about.size > settings.batch_bytes_max:
            groups.append([])
            size = 0
        groups[-1].append(about)
        size = settings.batch_bytes_max if alone else size + about.size
    return groups


class Cursors(Protocol):
    """Where cursors are kept. Both raise StoreUnavailable."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...


class Claim(Protocol):
    """The right to read a mailbox, which one node has."""

    @property
    def held(self) -> bool:
        """Whether it is certainly ours."""
        ...

    async def look(self) -> bool:
        """Take it if it is to be had. Raises StoreUnavailable."""
        ...

    async def keep(self) -> None:
        """Keep it; returns once another has it."""
        ...

    async def release(self) -> None:
        """Give it back. Raises StoreUnavailable."""
        ...


class Secret(Protocol):
    """What one signs in with. `token`: it is an OAuth2 token, no password."""

    token: bool

    async def reveal(self) -> str:
        """The secret, fresh. Raises MailboxRefused or MailboxLost."""
        ...

    def forget(self) -> None:
        """The server did not take it."""
        ...
