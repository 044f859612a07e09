"""What the process knows of a channel: how its inbox entries become messages, and how answers go out.

`router.app` fills these in; nothing in the shell imports a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from router.core.message import Message


class ThreadMatch(msgspec.Struct, frozen=True):
    """The contact a message belongs to, proven by our own signature; `message`: the one it answers, if known.

    `recipient`: of that message, by their place, whom a bounce speaks of.
    """

    contact: str
    message: str | None = None
    recipient: int = 0


class Normalise(Protocol):
    """Turn raw input into a message. Must be a module's function, since worker processes call it.

    `meta` is the entry's JSON. Raises PoisonError.
    """

    def __call__(self, raw: bytes, meta: bytes) -> Message:
        """The message in normal form."""
        ...


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel. `hostile`: its input is parsed in worker processes with limits."""

    name: str
    normalise: Normalise
    hostile: bool
    kind: Callable[[dict[str, object]], str]  # of an entry's meta
    thread: Callable[[Message], ThreadMatch | None]
    editable: bool = False  # what was written may be worded anew: messages are remembered by their own ids
    place: Callable[[Message], str] | None = None  # the thread it stands in, where all who are there share one
