"""What the chat's web side is made of, handed in by `router.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from router.core.ports import InboxEntry


class ChatEntries(Protocol):
    """How what a visitor does becomes an inbox entry: the parts of `channels.webchat` that the web needs.

    Each raises ValueError with a code for what it does not take: empty, too_long, bad_id, bad_email, too_large.
    """

    def address(self, visitor: str) -> str:
        """The visitor's address on the channel."""
        ...

    def said(self, visitor: str, client: str, text: str, name: str, proof: str = "") -> InboxEntry:
        """Words for the chat. `proof`: a signed link by which the visitor came."""
        ...

    def sent(self, visitor: str, client: str, filename: str, content_type: str, content: bytes) -> InboxEntry:
        """A file for the chat. Reads all of it: call it in a thread."""
        ...

    def left(self, visitor: str, client: str, email: str, text: str, name: str) -> InboxEntry:
        """A message that is answered by mail."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChatLimits:
    """How much one visitor, and one network address, may ask for. Each rate is a bucket that fills evenly."""

    text_characters: int = 4_000
    file_bytes: int = 10_000_000
    messages_per_minute: int = 20  # of one visitor
    address_messages_per_minute: int = 120
    files_per_hour: int = 20  # of one visitor
    forms_per_hour: int = 10  # of one address
    visitors_per_hour: int = 60  # new ones, of one address
    frames_per_minute: int = 240  # of one line: whatever a widget sends, typing included
    connections: int = 2_000
    address_connections: int = 40
    uploads: int = 8  # files on their way in at the same time: each is held in memory
    address_uploads: int = 3


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """How the chat presents itself. `origins`: other web sites that may show it, as `https://host[:port]`."""

    title: str = ""
    origins: frozenset[str] = frozenset()
    form: bool = False  # messages can be answered by mail
    languages: tuple[str, ...] = ("en",)
    history_items: int = 50  # at once
    hello_seconds: float = 10.0  # a line that has not said who it is by then is closed
    tick_seconds: float = 20.0  # a sign of life on each line
    upload_seconds: float = 120.0  # for the whole of a file
    silence_seconds: float = 70.0  # a line whose widget gave none is closed


@dataclass(kw_only=True)
class Chat:
    """Everything the chat needs. `identity`: the keyed hash of a visitor's address, as in the engine's state.

    Read anew at each use, so that an edited workspace is followed.
    """

    entries: ChatEntries
    identity: Callable[[str], str]
    settings: ChatSettings = field(default_factory=ChatSettings)
    limits: ChatLimits = field(default_factory=ChatLimits)

    def follow(self, other: Chat) -> None:
        """Go by `other` from now on; lines that are open stay open."""
        self.entries, self.settings, self.limits = other.entries, other.settings, other.limits
