"""What a workspace consists of: people, channels, messages, files, views. `shapes` writes them as JSON."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from router.sim.slack.kit import ELEMENTS

Json = dict[str, Any]
TEAM = "T0FAKE001"


@dataclass(slots=True)
class User:
    """A member of the workspace, or of another one that shares a channel with it."""

    id: str
    name: str
    real_name: str
    email: str
    team: str = TEAM
    tz: str = "Europe/Berlin"
    locale: str = "en-US"
    is_bot: bool = False
    deleted: bool = False
    presence: str = "active"
    status_text: str = ""
    status_emoji: str = ""
    status_expiration: int = 0
    updated: int = 0


@dataclass(slots=True)
class File:
    """A file; `data` is None until it has been uploaded."""

    id: str
    name: str
    title: str
    user: str
    created: int
    size: int
    data: bytes | None = None
    shared: bool = False
    channels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    """A message; an ephemeral one only `only_for` sees, and no history has it."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    by_app: bool = False
    username: str | None = None  # what the app calls itself in this one message
    edited: tuple[str, str] | None = None  # who, ts
    reactions: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    metadata: Json | None = None
    client_msg_id: str | None = None
    unfurl: bool = False
    only_for: str | None = None
    broadcast: bool = False

    @property
    def said(self) -> str:
        """All text that a reader sees in it, in order, a line each."""
        return "\n".join(visible_text(self.blocks)) if self.blocks else self.text

    @property
    def elements(self) -> list[Json]:
        """What can be clicked or chosen in it, each with its `block_id`."""
        return list(interactive(self.blocks or []))

    @property
    def buttons(self) -> list[str]:
        """The action_ids of what can be clicked or chosen in it."""
        return [str(element["action_id"]) for element in self.elements]

    def seen(self) -> Message:
        """A copy: what a person saw, to click on after it has changed."""
        return copy.deepcopy(self)


@dataclass(slots=True)
class Channel:
    """A channel, public (`channel`) or private (`group`), or a person's conversation with the app (`im`)."""

    id: str
    name: str
    kind: Literal["channel", "group", "im"]
    creator: str
    created: int
    members: list[str] = field(default_factory=list)
    topic: str = ""
    archived: bool = False
    shared_with: tuple[str, ...] = ()  # other teams
    messages: dict[str, Message] = field(default_factory=dict)  # by ts, in order
    heads: set[str] = field(default_factory=set)  # the messages that were ever replied to

    def threads(self, ts: str) -> list[Message]:
        """A message and its replies, in order."""
        if ts not in self.heads:
            return [self.messages[ts]] if ts in self.messages else []
        return [one for one in self.messages.values() if ts in {one.ts, one.thread_ts}]


@dataclass(slots=True)
class View:
    """A modal or an App Home as it was sent, with what a person has entered so far."""

    id: str
    user: str
    sent: Json
    hash: str
    root: str
    previous: str | None = None
    entered: dict[str, dict[str, Json]] = field(default_factory=dict)  # block_id → action_id → value

    @property
    def blocks(self) -> list[Json]:
        """Its blocks."""
        blocks: list[Json] = self.sent["blocks"]
        return blocks

    @property
    def said(self) -> str:
        """All text that a reader sees in it, a line each."""
        title = [self.sent["title"]["text"]] if self.sent.get("title") else []
        return "\n".join([*title, *visible_text(self.blocks)])

    @property
    def elements(self) -> list[Json]:
        """What can be clicked, chosen or filled in, each with its `block_id`."""
        return list(interactive(self.blocks))

    @property
    def buttons(self) -> list[str]:
        """Their action_ids."""
        return [str(element["action_id"]) for element in self.elements]


def visible_text(blocks: Sequence[Json] | None) -> Iterator[str]:
    """Every text that blocks show, in reading order."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, list):
            for one in value:
                yield from walk(one)
        elif isinstance(value, dict):
            if isinstance(value.get("text"), str):
                yield value["text"]
            for key, one in value.items():
                if key not in {"confirm", "state"} and isinstance(one, dict | list):
                    yield from walk(one)

    yield from walk(list(blocks or ()))


def interactive(blocks: Sequence[Json]) -> Iterator[Json]:
    """Every element with an `action_id`, together with the `block_id` it stands in."""
    for block in blocks:
        within = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
        for element in within:
            if isinstance(element, dict) and element.get("action_id"):
                yield {**element, "block_id": block.get("block_id", "")}


def filled(blocks: Sequence[Json]) -> list[Json]:
    """A copy in which each block and element has the id that Slack gives to those that come without."""
    given: list[Json] = copy.deepcopy(list(blocks))
    for number, block in enumerate(given):
        block.setdefault("block_id", short_id(f"{number}{block}"))
        inside = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
        for place, element in enumerate(inside):
            if isinstance(element, dict) and element.get("type") in ACTIVE:
                element.setdefault("action_id", short_id(f"{number}.{place}{element}"))
    return given


ACTIVE = frozenset(name for name, keys in ELEMENTS.items() if "action_id" in keys)


def short_id(seed: str) -> str:
    """An id like those Slack gives to blocks: five letters and digits."""
    return hashlib.sha256(seed.encode()).hexdigest()[:5]


class Ids:
    """Names things in the order in which they are made, so that a test can be repeated."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._count = 0
        self._last = 0

    def next(self, letter: str) -> str:
        """A new id, such as U00000007."""
        self._count += 1
        return f"{letter}{self._count:08d}"

    def ts(self) -> str:
        """A timestamp as Slack writes it, later than every one before."""
        self._last = max(int(self._now() * 1_000_000), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"


def is_ts(value: object) -> bool:
    """Whether this is a message's timestamp."""
    return isinstance(value, str) and re.fullmatch(r"\d{9,11}\.\d{6}", value) is not None
