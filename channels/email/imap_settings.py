"""What the reader of a mailbox must be told: where it is, who signs in, what becomes of what was read, every limit."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

MEGABYTE = 1 << 20
KEYWORD = "$usherd"  # what `flag` marks; never \Seen: whether people have read a mail is for them to say


class ImapSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One mailbox; sizes in bytes, times in seconds. The secret is no part of it: it is asked for when signing in."""

    host: str
    port: int = 993
    tls: Literal["always", "starttls", "none"] = "always"
    user: str
    mailbox: str = "INBOX"
    account: str
    after: Literal["leave", "flag", "move"] = "leave"
    move_to: str = ""
    begin: Literal["unseen", "all", "new"] = "unseen"
    read_only: bool = False  # shadow mode: opened by EXAMINE, nothing in it is ever changed
    size_max: int = 25 * MEGABYTE  # of a larger mail only the beginning is taken in
    cut_bytes: int = MEGABYTE // 4  # so much of it
    batch_max: int = 100  # mails; aioimaplib recurses once a line, and gave up at about 970
    batch_bytes_max: int = 4 * MEGABYTE  # of the mails of one batch, unless one alone is larger: one call of the store
    connect_seconds_max: float = 30.0
    answer_seconds_max: float = 60.0  # nothing heard for so long while we wait for an answer: the connection is dead
    bytes_per_second_min: int = 20_000  # a server that drips is given up
    append_seconds_max: float = 60.0
    idle_seconds: tuple[float, float] = (300.0, 540.0)  # IDLE is renewed after a time between these
    poll_seconds: float = 30.0  # of servers that know no IDLE
    retry_seconds: tuple[float, float] = (1.0, 60.0)  # after a loss: the first pause and the longest
    refused_seconds: tuple[float, float] = (30.0, 900.0)  # where the server refuses us: accounts get locked
    attempts_max: int = 5  # to fetch one mail; then a contact says that it lies there
    goodbye_seconds_max: float = 2.0

    @property
    def key(self) -> str:
        """The mailbox's name in the store: the same on each node, and after a change of anything else."""
        parts = (self.host.lower(), self.user, self.mailbox)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]

    @property
    def label(self) -> str:
        """How people tell it from others."""
        return f"{self.mailbox} of {self.user} at {self.host}"
