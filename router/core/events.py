"""What happened, in the past tense.

Everything the engine may not find out for itself comes in with the event: the time, generated ids, who wrote (as a
keyed hash), what a classifier said.

`at` is engine time in milliseconds and never runs backwards. `inbox` is the id of the inbox entry that the event
came from ("" for events that did not come through the inbox). An event holds no personal data.
"""

from __future__ import annotations

import msgspec

from router.core.agent_events import *  # noqa: F403  # what agents do is told with the rest: the other half of this module
from router.core.agent_events import AgentCommand
from router.core.event_base import EventBase
from router.core.values import Workspace

# -- the process ---------------------------------------------------------------------------------------------------


class LossAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """Records are gone, and an admin said to go on without them.

    `after`: number of the record whose state was gone on from. `seen`: the last record that is known to have stood;
    those in between are lost. `missing`: (first, last) of records up to `after` that are in the state and can no
    longer be read.
    """

    after: int
    seen: int
    missing: tuple[tuple[int, int], ...] = ()


class LeaderElected(EventBase, frozen=True, kw_only=True, tag=True):
    """A node began a new epoch; the first record of each epoch, the fence. `loss`: what was accepted to be gone."""

    epoch: int
    node: str
    loss: LossAccepted | None = None


class WorkspaceChanged(EventBase, frozen=True, kw_only=True, tag=True):
    """A workspace came into force. `version` is the hash of its content.

    `base`: the version that it replaces; if another is in force by then nothing changes. None: whatever is in force.
    """

    version: str
    workspace: Workspace
    base: str | None = None


class TimePassed(EventBase, frozen=True, kw_only=True, tag=True):
    """The clock reached `at`: due timers fire, at most a slice of them at once."""


class ClockJumped(EventBase, frozen=True, kw_only=True, tag=True):
    """The clock was set, or stood still, by more than a minute; `by_ms` is negative for one that was set back.

    `taken`: engine time stands behind the jump now. Otherwise the store's clock did not agree, and this is a note.
    """

    by_ms: int
    taken: bool = True


class CustomerErased(EventBase, frozen=True, kw_only=True, tag=True):
    """Everything of a customer is to go: named by their id, by a contact of theirs, or by keyed hashes of an address.

    `erasure`: the id of the entry that asked for it. `times`: how often they were erased by now, at least, as a list
    outside a journal that was restored from a backup knows.
    """

    erasure: str
    customer: str = ""
    contact: str = ""
    identities: tuple[str, ...] = ()
    times: int = 0


class ErasureDone(EventBase, frozen=True, kw_only=True, tag=True):
    """What the engine said is to be deleted is deleted. `problem`: why the store's file was not written anew, or ""."""

    erasure: str
    problem: str = ""


# -- messages ------------------------------------------------------------------------------------------------------


class MessageReceived(EventBase, frozen=True, kw_only=True, tag=True):
    """A customer's message, normalised and classified.

    `message`: its id (the first inbox id it had). `sender`: keyed hash of the writer's identity.
    `cc`: keyed hashes of others on the message, who may answer in the same contact.
    `thread`: the contact that a signed token or a Message-ID we issued points to, or None.
    `topics`: (topic, probability of 10,000), best first; keyword hits are in here.
    `auto`: None, or auto-reply | bounce | list | bulk | loop | spam.
    `about`: for a bounce, the outbound message it reports on; `undelivered`: it says that this never arrived, at the
    recipient of that place: 0 is whom it was written to, others had it in copy.
    `effort`: what it may take, () or (likely, low, high), of 10,000 of what contacts of its topic and kind take.
    `moods`: angry, urgent.
    `quiet`: nobody would read an automatic answer (no-reply, forged, one of our own addresses): none is given.
    `thanks`: it says thanks and nothing else, which reopens no contact.
    In shadow mode, and where messages can be edited, `external`: keyed hash of the message's own id; `answers`: of
    those it refers to, or words anew.
    `proves`: another identity that is the writer's too, as a link shows that we signed and sent there; `proof`: digest
    of that link. `prefers`: the language they want; `consent`: whether a machine may write to them. None: not said.
    `shared`: it stands in a thread that all who are there read and may write in, and `external` is the thread's: what
    comes there belongs together, whoever writes, and nothing else does.
    """

    message: str
    channel: str
    kind: str
    account: str
    sender: str
    cc: tuple[str, ...] = ()
    thread: str | None = None
    language: str | None = None
    topics: tuple[tuple[str, int], ...] = ()
    tier: str | None = None
    auto: str | None = None
    about: str | None = None
    undelivered: bool = False
    recipient: int = 0
    model: str = ""  # version of the classifier that said so
    conflict: bool = False  # same idempotency key as an earlier message, other content
    quiet: bool = False
    thanks: bool = False
    external: str = ""
    answers: tuple[str, ...] = ()
    proves: str = ""
    proof: str = ""
    prefers: str = ""
    consent: bool | None = None
    effort: tuple[int, ...] = ()
    moods: tuple[str, ...] = ()
    shared: bool = False


class AnswerSeen(EventBase, frozen=True, kw_only=True, tag=True):
    """In shadow mode: one of us wrote to a customer by other means. `agent`: who, or "" for one of our addresses."""

    message: str
    channel: str
    agent: str = ""
    external: str = ""
    answers: tuple[str, ...] = ()


class MessageDeferred(EventBase, frozen=True, kw_only=True, tag=True):
    """A message was not normalised in time; it comes back under its first id."""

    message: str


class MessageQuarantined(EventBase, frozen=True, kw_only=True, tag=True):
    """A message could not be understood. It is stored whole and opens a contact for triage."""

    message: str
    channel: str
    kind: str
    account: str
    reason: str
    sender: str = ""


class MessageReleased(EventBase, frozen=True, kw_only=True, tag=True):
    """A quarantined message was retried and understood; its contact goes on as an ordinary one."""

    message: str
    sender: str
    language: str | None = None
    topics: tuple[tuple[str, int], ...] = ()
    model: str = ""
    effort: tuple[int, ...] = ()
    moods: tuple[str, ...] = ()


class DeliveryReported(EventBase, frozen=True, kw_only=True, tag=True):
    """How an outbound message fares: sent | deferred | failed | unknown.

    `lost`: of its recipients in copy, by their place among all, those it will never reach.
    """

    message: str
    contact: str
    state: str
    lost: tuple[int, ...] = ()


class SatisfactionGiven(EventBase, frozen=True, kw_only=True, tag=True):
    """Somebody answered the question, 1 to 5. `sender`: who, where the channel says so; "": whoever has the link."""

    contact: str
    score: int
    sender: str = ""


class TierSet(EventBase, frozen=True, kw_only=True, tag=True):
    """A program says of which tier somebody is, by keyed hashes of their address; "": of none that it knows."""

    identities: tuple[str, ...]
    tier: str


class BlockLifted(EventBase, frozen=True, kw_only=True, tag=True):
    """Whoever is meant, by keyed hashes of their address, may open contacts again."""

    identities: tuple[str, ...]


class CommandRefused(EventBase, frozen=True, kw_only=True, tag=True):
    """A command, or another request of ours, of which no event could be made. `detail` holds nothing personal."""

    code: str
    detail: str = ""


Event = (
    LeaderElected
    | WorkspaceChanged
    | TimePassed
    | ClockJumped
    | MessageReceived
    | AnswerSeen
    | MessageDeferred
    | MessageQuarantined
    | MessageReleased
    | DeliveryReported
    | AgentCommand
    | SatisfactionGiven
    | TierSet
    | BlockLifted
    | CommandRefused
    | CustomerErased
    | ErasureDone
)
