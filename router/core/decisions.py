"""What the engine decided, in the imperative. Decisions are recorded beside the event that caused them."""

from __future__ import annotations

import msgspec

from router.core.values import Priority, Requirement, Status


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One agent who could be chosen, with the key that ranks them (smaller first) and why, in words."""

    agent: str
    rank: int
    # (0 last served this customer, 1 anybody, 2 let an offer of it lapse; preferred skills missing; utilisation in
    # bands of 1 %; scarcity of other skills; -idle ms): integers, ties end in id
    key: tuple[int, ...]
    why: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why this agent, at this moment; or why nobody yet."""

    requirement: Requirement
    kind: str
    able: int  # agents with the skills, in the team asked for
    ruled_out: tuple[tuple[str, int], ...] = ()  # (reason, number), most first
    candidates: tuple[Candidate, ...] = ()  # the five first
    deciding: str = ""  # the key that decided between first and second
    relaxation: int = 0  # steps in force
    sticky: str | None = None
    reserve: tuple[str, ...] = ()
    manual: bool = False


class DecisionBase(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class OpenContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    """A message opened a contact.

    `flag`: "" | unknown-sender | quarantined | conflict; `claims`: the contact it said it belongs to.
    """

    contact: str
    message: str
    customer: str
    requirement: Requirement
    priority: Priority
    due: int | None
    topics: tuple[str, ...] = ()
    flag: str = ""
    claims: str | None = None


class AttachMessage(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str
    message: str


class ReopenContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str


class FileAuto(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Stored and listed; no contact, never offered, never answered."""

    message: str
    auto: str


class QueueContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    """It waits, under `due`; `explanation` says why nobody could take it now."""

    contact: str
    due: int
    explanation: Explanation | None = None


class OfferTo(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str
    agent: str
    offer: str
    until: int
    explanation: Explanation


class AssignTo(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str
    agent: str
    explanation: Explanation


class RescindOffer(DecisionBase, frozen=True, kw_only=True, tag=True):
    """The offer is over.

    `reason`: lapsed | declined | taken | transferred | retagged | away | resolved | workspace |
    escalation | joined.
    """

    contact: str
    agent: str
    offer: str
    reason: str


class ReleaseContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    """The owner no longer holds it. `effort`: ms that they spent on it, where they are done with it.

    `reason`: transferred | snoozed | resolved | away | removed | taken |
    escalation.
    """

    contact: str
    agent: str
    reason: str
    effort: int = 0


class ChangeRequirement(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str
    requirement: Requirement
    priority: Priority
    due: int | None
    topics: tuple[str, ...] = ()


class SendReply(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Hand `message` to the outbox: the customer gets it on that channel.

    `waited`: ms for which an answer had been owed; `late`: whether that broke a promise. None: none was owed, or made.
    """

    contact: str
    message: str
    channel: str
    waited: int | None = None
    late: bool | None = None


class SendAutoAnswer(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Hand an automatic answer, `message`, to the outbox. The contact stays as it is: a response is still owed.

    `answer`: receipt | out_of_hours | queue | incident | csat. `opens_at`: when somebody is on shift next; `place`: in
    the queue, from 1.
    """

    contact: str
    message: str
    channel: str
    answer: str
    language: str | None = None  # the customer's
    opens_at: int | None = None
    place: int = 0


class SetStatus(DecisionBase, frozen=True, kw_only=True, tag=True):
    """`reason`: asked | lapses | removed."""

    agent: str
    status: Status
    reason: str


class ResolveContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    """It is done. `late`: whether that broke a promise; None: none was made."""

    contact: str
    late: bool | None = None


class SnoozeContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str
    until: int


class WakeContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    contact: str


class NotifySupervisors(DecisionBase, frozen=True, kw_only=True, tag=True):
    """A person should look.

    `reason`: dead-end | escalation | delivery-failed | quarantined | owner-removed | auto-answers-off | bounce-storm |
    link-in-doubt | incident.
    """

    reason: str
    contact: str = ""
    detail: str = ""


class TurnOverflow(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Team `to` helps `team` out from now on; or no longer."""

    team: str
    to: str
    active: bool


class JoinContacts(DecisionBase, frozen=True, kw_only=True, tag=True):
    """All messages of `contact` now belong to `into`; `contact` is closed."""

    contact: str
    into: str


class ForgetContact(DecisionBase, frozen=True, kw_only=True, tag=True):
    """A closed contact leaves the state: it can no longer be reopened."""

    contact: str


class EraseCustomer(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Delete these keys, and what these messages said; these contacts show no more that there ever was a customer."""

    erasure: str
    contacts: tuple[str, ...]
    keys: tuple[str, ...]
    messages: tuple[str, ...]


class LinkIdentities(DecisionBase, frozen=True, kw_only=True, tag=True):
    """These identities are the customer's; so are these contacts. `contact`: in which they go on writing, or ""."""

    customer: str
    link: str
    identities: tuple[str, ...]
    contacts: tuple[str, ...]
    contact: str = ""


class UnlinkIdentities(DecisionBase, frozen=True, kw_only=True, tag=True):
    """These identities and contacts are `customer`'s, and no longer those of `kept`."""

    customer: str
    kept: str
    link: str
    identities: tuple[str, ...]
    contacts: tuple[str, ...]


class RecordSatisfaction(DecisionBase, frozen=True, kw_only=True, tag=True):
    """What a customer said of a contact, and who had it."""

    contact: str
    score: int
    agent: str


class RaiseIncident(DecisionBase, frozen=True, kw_only=True, tag=True):
    """Far more is written of a topic than usual. `usual`: contacts in such an hour, of 100."""

    incident: str
    topic: str
    count: int
    usual: int


class EndIncident(DecisionBase, frozen=True, kw_only=True, tag=True):
    """`reason`: over | agent | off."""

    incident: str
    topic: str
    reason: str


class Refuse(DecisionBase, frozen=True, kw_only=True, tag=True):
    """A command changed nothing. `code` is stable; `detail` names who was first, what is allowed, ….

    Codes: no-such-contact | no-such-agent | no-such-team | not-yours | not-open | offer-over | already-yours | taken |
    not-allowed | bad-state | bad-topic | bad-time | shadow | no-such-customer | no-such-link | bad-language |
    bad-tier | no-such-incident | rated | stale-base; those of CommandRefused.
    """

    code: str
    detail: str = ""


Decision = (
    OpenContact
    | AttachMessage
    | ReopenContact
    | FileAuto
    | QueueContact
    | OfferTo
    | AssignTo
    | RescindOffer
    | ReleaseContact
    | ChangeRequirement
    | SendReply
    | SendAutoAnswer
    | SetStatus
    | ResolveContact
    | SnoozeContact
    | WakeContact
    | NotifySupervisors
    | TurnOverflow
    | JoinContacts
    | Refuse
    | ForgetContact
    | EraseCustomer
    | RecordSatisfaction
    | RaiseIncident
    | EndIncident
    | LinkIdentities
    | UnlinkIdentities
)
