"""What the web is made of, handed in by `router.app`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import pydantic
from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from router.core.ports import Inbox, InboxEntry
from router.core.state import State
from router.desk.ports import Commands, Customers, Enclosures, Erasing, Operations, Rehearsing, Source, Texts
from router.web.chat_parts import Chat
from router.web.elsewhere import Passing


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token at rest: never the token, only its SHA-256. `scope`: messages | read | admin."""

    id: str
    digest: str  # SHA-256 of the token, hex; a token has 256 bits, so it needs no slow hash
    scope: str
    created_at: int
    account: str = "http"  # the account that its messages come in by


class Credentials(Protocol):
    """Where tokens live, and what remembers that a sign-in link was used. Shared by all nodes of a workspace."""

    async def tokens(self) -> list[TokenRecord]:
        """All tokens. Called on each request with a bearer token: may be cached for some seconds."""
        ...

    async def add_token(self, record: TokenRecord) -> None:
        """Keep a token; durable when it returns."""
        ...

    async def spend(self, link: str, until: int) -> bool:
        """True for the first caller with this link id, False for any later one; forgotten after `until` (ms)."""
        ...

    async def end(self, session: str, until: int) -> None:
        """Nobody comes in with this session id any more; durable when it returns, forgotten after `until` (ms)."""
        ...

    async def ended(self, session: str) -> bool:
        """Whether a session was ended. Called on each request of a desk: what another node did may be seconds old."""
        ...


@dataclass(frozen=True, kw_only=True)
class Intake:
    """How `POST /v1/messages` becomes an inbox entry: the parts of `channels.http` that the web needs.

    `entry(account, message, idempotency_key)` may raise ValueError with a plain sentence for the sender.
    """

    model: type[pydantic.BaseModel]
    entry: Callable[[str, Any, str], InboxEntry]


class Mails(Protocol):
    """How `POST /v1/mails` becomes an inbox entry: the same as if the mail had come by SMTP."""

    def accounts(self) -> tuple[str, ...]:
        """Addresses that mail may come to."""
        ...

    def find(self, address: str) -> str | None:
        """The account that an address is, or is a plus address of; None: mail to it is not ours."""
        ...

    def entry(self, account: str, raw: bytes, received_at: int) -> InboxEntry:
        """The entry of a mail as received. Takes 2 ms a megabyte: call it in a thread."""
        ...


class Topics(Protocol):
    """The topic models that are kept, and which of them is in force."""

    async def versions(self) -> dict[str, object]:
        """The JSON of `usherd topics versions`."""
        ...

    async def go_back(self, model: str) -> dict[str, object]:
        """Put an earlier one in force, "" for the one before; the versions as they are then. Raises KeyError."""
        ...

    async def learn(self, *, again: bool = False) -> dict[str, object]:
        """Train a new one now."""
        ...

    async def unsure(self) -> dict[str, object]:
        """The model in force, and what contacts say whose topic is unsure."""
        ...


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Limits and spans, each with its unit last."""

    public_url: str = ""  # where browsers reach us, for sign-in links; "" = the address of the request
    uploads_max: int = 8  # files of agents on their way in at the same time: each is held in memory
    upload_seconds: float = 120.0  # for the whole of a file
    session_seconds: int = 12 * 3600
    link_seconds: int = 600
    body_bytes_max: int = 35_000_000  # a 25 MB file in base64
    hold_seconds: float = 10.0  # a reply can be taken back for so long
    act_seconds: float = 15.0  # then the desk is told that the answer takes longer
    retry_after_seconds: int = 5
    push_seconds: float = 0.1  # at most one push per desk in this time
    queue_seconds: float = 1.0  # the length of the queue is told at most once in this time
    tick_seconds: float = 20.0  # a sign of life on each open desk
    session_look_seconds: float = 5.0  # how often an open desk's line sees whether its session was ended


def wall_clock() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class WebParts:
    """Everything `create_app` needs.

    `secret`: at least 32 bytes, the workspace's; signs sessions and links. `local_token`: the admin token of the file
    in the data directory ("" = none). `ready` and `stopping` are asked on each request.
    """

    source: Source
    texts: Texts
    commands: Commands
    operations: Operations
    inbox: Inbox
    credentials: Credentials
    secret: bytes
    intake: Intake | None = None
    mails: Mails | None = None
    erasing: Erasing | None = None
    customers: Customers | None = None
    topics: Topics | None = None
    enclosures: Enclosures | None = None  # None: agents send no files
    chat: Chat | None = None
    pages: tuple[APIRouter, ...] = ()  # of whoever runs the daemon inside something else, such as the demo
    local_token: str = ""
    settings: WebSettings = field(default_factory=WebSettings)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    ready: Callable[[], bool] = lambda: True
    stopping: Callable[[], bool] = lambda: False
    clock: Callable[[], int] = wall_clock
    passing: Passing | None = None  # to the other nodes; None: there never are any
    types: Callable[[str, str, State], None] | None = None  # told of a contact in which an agent writes to the customer
    rehearsed: Callable[[str], Awaitable[bool]] | None = None  # whether `usherd whatif` looked at a version
    rehearsing: Rehearsing | None = None  # a change of the workspace that waits; None: none ever does
