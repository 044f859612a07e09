"""What the inside asks of the outside. Each port is declared once, small, and implemented at the edge."""

from __future__ import annotations

from typing import Protocol

import msgspec


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One input to be made durable before it is acknowledged.

    `key` (16 bytes) says when two inputs are the same; `body` (16 bytes) is the digest of what they say, so
    that the same key with another body is noticed. `source` names who must normalise it: `email`, `http`,
    `webchat`, …, `command` (an agent's action) or `internal`. `meta` is small JSON; `raw` the bytes as received.
    """

    source: str
    key: bytes
    body: bytes
    meta: bytes
    raw: bytes = b""


class Appended(msgspec.Struct, frozen=True):
    """The answer to one entry: its inbox id, and how it relates to what was already there.

    `duplicate`: the same key and body had been stored before, under `id`; nothing was added.
    `conflict`: the key was known with another body; the entry was added only if the caller asked for that.
    """

    id: str
    duplicate: bool = False
    conflict: bool = False


class Inbox(Protocol):
    """Where channels put what they received. When `append` returns, the entries are on disk."""

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """Store all entries or none.

        `conflict`: what to do with a known key and another body — `keep` it as a new flagged entry, or `refuse` it.
        Raises StoreUnavailable (unknown outcome: the sender must retry), BacklogFull or Draining (nothing stored).
        """
        ...
