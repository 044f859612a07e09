"""What agents do, in the past tense: each came through the inbox as a command."""

from __future__ import annotations

from router.core.event_base import EventBase
from router.core.values import Priority, Status


class AgentEvent(EventBase, frozen=True, kw_only=True, tag=True):
    """`agent` did it; the engine refuses what the agent may not do."""

    agent: str


class ContactStarted(AgentEvent, frozen=True, kw_only=True, tag=True):
    """An agent writes to a customer first. `contact`: the id it gets, which its signed addresses carry already.

    `recipient`: keyed hash of whom it goes to; `message`: what was written, a blob; `topics`: what it is about, or ().
    """

    contact: str
    message: str
    channel: str
    kind: str
    account: str
    recipient: str
    topics: tuple[str, ...] = ()


class StatusSet(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Available, busy, away, offline; `target` is the agent it is for (a supervisor may set another's)."""

    status: Status
    target: str = ""


class OfferAccepted(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str
    offer: str


class OfferDeclined(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str
    offer: str
    reason: str = ""


class ContactTaken(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Claimed from the queue, or by a supervisor from anybody."""

    contact: str


class ReplyWritten(AgentEvent, frozen=True, kw_only=True, tag=True):
    """An answer to the customer; its text and frozen recipients are a blob under `message`."""

    contact: str
    message: str
    resolve: bool = False  # "send and resolve"
    channel: str = ""  # that the message it answers came by; "": the contact's


class NoteWritten(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Said among colleagues; never leaves."""

    contact: str
    message: str


class TransferAsked(AgentEvent, frozen=True, kw_only=True, tag=True):
    """To an agent, to a team, or (both None) to whoever is best. `message`: the hand-over note, or ""."""

    contact: str
    to_agent: str | None = None
    to_team: str | None = None
    message: str = ""


class ContactSnoozed(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str
    until: int


class ContactWoken(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str


class ContactResolved(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str


class ContactReopened(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str


class ContactRetagged(AgentEvent, frozen=True, kw_only=True, tag=True):
    """The agent says what it is about; the requirement follows from the rules."""

    contact: str
    topics: tuple[str, ...]


class PrioritySet(AgentEvent, frozen=True, kw_only=True, tag=True):
    contact: str
    priority: Priority


class SenderLetIn(AgentEvent, frozen=True, kw_only=True, tag=True):
    """The messages of a flagged contact belong to the contact they claimed: join it there."""

    contact: str


class IdentitiesLinked(AgentEvent, frozen=True, kw_only=True, tag=True):
    """The customers of two contacts are one. `message`: why, a note."""

    contact: str
    other: str
    message: str


class LinkUndone(AgentEvent, frozen=True, kw_only=True, tag=True):
    """A link of the contact's customer was wrong. `message`: why, a note."""

    contact: str
    link: str
    message: str


class IncidentAnswered(AgentEvent, frozen=True, kw_only=True, tag=True):
    """What is told to whoever asks next; `tell`: and to those who have asked already. `message`: its words, a blob."""

    incident: str
    message: str
    tell: bool = False


class IncidentEnded(AgentEvent, frozen=True, kw_only=True, tag=True):
    """It is over, whatever the figures say."""

    incident: str


class CustomerDescribed(AgentEvent, frozen=True, kw_only=True, tag=True):
    """What the contact's customer wants, as they told an agent; None: not said."""

    contact: str
    language: str | None = None
    consent: bool | None = None


class ContactsMerged(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Two open contacts of one customer are about the same: the messages of `contact` belong to `into` from now on."""

    contact: str
    into: str


class ColleagueCalled(AgentEvent, frozen=True, kw_only=True, tag=True):
    """`target` is to look at a contact and say what they think; it stays its owner's. `message`: a note, or ""."""

    contact: str
    target: str
    message: str = ""


class ColleagueLeft(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Whoever was called in has said their part."""

    contact: str


class SpamMarked(AgentEvent, frozen=True, kw_only=True, tag=True):
    """It is spam: closed, unanswered. `block`: what its sender writes from now on is listed, and opens nothing."""

    contact: str
    block: bool = False


class SenderUnblocked(AgentEvent, frozen=True, kw_only=True, tag=True):
    """Whoever wrote in this contact may open contacts again."""

    contact: str


ContactCommand = (
    OfferAccepted
    | OfferDeclined
    | ContactTaken
    | ReplyWritten
    | NoteWritten
    | TransferAsked
    | ContactSnoozed
    | ContactWoken
    | ContactResolved
    | ContactReopened
    | ContactRetagged
    | PrioritySet
    | SenderLetIn
    | IdentitiesLinked
    | LinkUndone
    | CustomerDescribed
    | ContactsMerged
    | ColleagueCalled
    | ColleagueLeft
    | SpamMarked
    | SenderUnblocked
)

AgentCommand = StatusSet | ContactStarted | IncidentAnswered | IncidentEnded | ContactCommand
