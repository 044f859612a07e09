"""What is remembered of a contact's thread in an agent's conversation with the app; it outlives the process."""

from __future__ import annotations

import hashlib

import msgspec

from router.core.intake import ERASED
from router.core.state import Contact
from router.core.transitions import ContactState

PREFIX = "thread:"
LINE = "line:"
TEAM = "#team"  # in place of an agent: a line in the team's channel, no agent's conversation
NEWS_KEPT = 200
OFFERED, MINE, GONE, WIPED, RESOLVED = "offered", "assigned", "gone", "erased", "resolved"
CALLED = "called"  # a colleague called them in
Key = tuple[str, str]  # agent, contact


class Told(msgspec.Struct):
    """Something that stands in the thread: a notice of ours for these items, or (`own`) the agent's own message."""

    ts: str
    items: tuple[str, ...]
    digest: str = ""
    own: bool = False
    mark: str = ""  # the bot's reaction on the agent's own message


class Sending(msgspec.Struct):
    """A post under way: stored before it is sent, so that after a fault it is looked up and not sent blindly."""

    delivery: str
    items: tuple[str, ...] = ()


class Again(msgspec.Struct):
    """A post that could not be found and was made anew: a copy of it may turn up late, and is deleted then."""

    delivery: str
    at: int


class Thread(msgspec.Struct, kw_only=True):
    """One contact in one agent's conversation. `stage`: offered, erased, gone, or the state of a contact of theirs.

    `head`: the message on the card; `answers`: the one that a reply answers, by which the card says who gets it.
    `card`, `seen`: digests of what the card shows and of the state that was told.
    """

    agent: str
    contact: str
    channel: str = ""
    user: str = ""
    ts: str = ""
    head: str = ""
    answers: str = ""
    stage: str = ""
    offer: str = ""
    why: str = ""
    card: str = ""
    seen: str = ""
    told: list[Told] = []
    news: list[str] = []
    files: list[str] = []  # ids of the customer's files that were put there
    sending: Sending | None = None
    again: list[Again] = []

    @property
    def key(self) -> Key:
        """Whose and what."""
        return self.agent, self.contact

    @property
    def name(self) -> str:
        """Under which it is remembered."""
        return f"{PREFIX}{self.agent} {self.contact}" if self.agent != TEAM else f"{LINE}{self.contact}"

    def of_item(self, item: str) -> Told | None:
        """What tells of an item."""
        return next((one for one in self.told if item in one.items), None)

    def of_ts(self, ts: str) -> Told | None:
        """What stands at a place of the thread."""
        return next((one for one in self.told if one.ts == ts), None)


_THREAD = msgspec.json.Decoder(Thread)


def recalled(kept: dict[str, bytes]) -> dict[Key, Thread]:
    """All threads that were remembered."""
    found = [_THREAD.decode(raw) for name, raw in kept.items() if name.startswith(PREFIX)]
    return {thread.key: thread for thread in found}


def retry_of(item: str) -> str:
    """What says among a thread's news that an answer which was not delivered was sent again."""
    return f"retried {item}"


def stage_of(contact: Contact, agent: str) -> str:
    """Where a contact stands for an agent."""
    if contact.flag == ERASED:
        return WIPED
    if contact.joined is not None:
        return GONE
    if contact.offer is not None and contact.offer.agent == agent:
        return OFFERED
    if contact.agent == agent and contact.state is not ContactState.WAITING:
        return contact.state.value
    return CALLED if agent in contact.called else GONE


def taken_back(contact: Contact) -> frozenset[str]:
    """Messages of an erased customer in somebody else's contact: the engine knows their writer no more."""
    if contact.flag == "quarantined":  # it was not read yet
        return frozenset()
    return frozenset(ref.id for ref in contact.messages if ref.direction == "in" and ref.sender is None)


def fingerprint(contact: Contact, agent: str) -> str:
    """The same as long as nothing changed that this agent is told."""
    offer = contact.offer
    seen = (
        stage_of(contact, agent),
        offer.id if offer is not None else "",
        contact.priority,
        contact.due,
        contact.topics,
        contact.flag,
        contact.snoozed_until,
        contact.requirement,
        contact.called,
        contact.spam,
        [(ref.id, ref.delivery, ref.sender is None) for ref in contact.messages],
    )
    return digest(msgspec.json.encode(seen))


def digest(content: bytes) -> str:
    """A short name for a content."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()
