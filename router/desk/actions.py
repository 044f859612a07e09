"""What an agent can do, and what each action must say; one door for all desks.

The engine decides whether an action is allowed. Here it is only made sure that it is well formed, and its outcome is
turned into one plain sentence.
"""

from __future__ import annotations

import msgspec

from router.core.state import State
from router.core.values import Priority, Status
from router.desk import rights, texts
from router.desk.addresses import address_of
from router.desk.ports import Commands, Directory, Outcome
from router.desk.views import Answer

TEXT_CHARACTERS_MAX = 100_000
SUBJECT_CHARACTERS_MAX = 300
COPIES_MAX = 100
KEY_CHARACTERS_MAX = 100
FILES_MAX = 10  # of one reply
FILES_BYTES_MAX = 18_000_000  # of one reply in all: in base64 just under the 25 MB that most mail servers take


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """What comes with an action; the names are those of the events in `router.core.events`."""


class StatusFields(Fields, frozen=True, kw_only=True):
    """`status`; `target`: another agent, for supervisors; "" for oneself."""

    status: Status
    target: str = ""


class ContactFields(Fields, frozen=True, kw_only=True):
    """take, wake, resolve, reopen, let_in, leave, unblock."""

    contact: str


class OfferFields(Fields, frozen=True, kw_only=True):
    """accept."""

    contact: str
    offer: str


class DeclineFields(Fields, frozen=True, kw_only=True):
    """decline, with one of `texts.DECLINE_REASONS`: it is journaled, and the journal holds no free text."""

    contact: str
    offer: str
    reason: str = "other"


class ReplyFields(Fields, frozen=True, kw_only=True):
    """reply: goes to those who were shown for the message `answers` ("" = the customer's last)."""

    contact: str
    text: str
    resolve: bool = False
    answers: str = ""
    cc: tuple[str, ...] = ()  # addresses of the message's copy line who get it too
    files: tuple[str, ...] = ()  # ids of files that were stored for it; with them the text may be empty


class StartFields(Fields, frozen=True, kw_only=True):
    """start: a contact that the agent opens, by mail; `topics` by ids, or none."""

    to: str
    subject: str
    text: str
    topics: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # ids of files that were stored for this address


class NoteFields(Fields, frozen=True, kw_only=True):
    """note."""

    contact: str
    text: str


class TransferFields(Fields, frozen=True, kw_only=True):
    """transfer: to an agent, a team, or (both None) whoever is best; `text` is the hand-over note, or ""."""

    contact: str
    to_agent: str | None = None
    to_team: str | None = None
    text: str = ""


class SnoozeFields(Fields, frozen=True, kw_only=True):
    """snooze, until an instant in ms."""

    contact: str
    until: int


class RetagFields(Fields, frozen=True, kw_only=True):
    """retag, by ids of topics."""

    contact: str
    topics: tuple[str, ...]


class PriorityFields(Fields, frozen=True, kw_only=True):
    """priority."""

    contact: str
    priority: Priority


class LinkFields(Fields, frozen=True, kw_only=True):
    """link: the customer of `other`, a contact, is this one's; `text` says why."""

    contact: str
    other: str
    text: str


class UnlinkFields(Fields, frozen=True, kw_only=True):
    """unlink: that was wrong; `text` says why."""

    contact: str
    link: str
    text: str


class IncidentFields(Fields, frozen=True, kw_only=True):
    """incident: what is told to whoever asks next of it; `tell`: and to those who have asked already."""

    incident: str
    text: str
    tell: bool = False


class IncidentEndFields(Fields, frozen=True, kw_only=True):
    """incident_end."""

    incident: str


class CustomerFields(Fields, frozen=True, kw_only=True):
    """customer: what they want, as they told the agent; None: not said."""

    contact: str
    language: str | None = None
    consent: bool | None = None


class MergeFields(Fields, frozen=True, kw_only=True):
    """merge: what was written in `contact` belongs to `into` from now on."""

    contact: str
    into: str


class CallFields(Fields, frozen=True, kw_only=True):
    """call: a colleague, `target`, is to look at it; `text` is a note for them, or ""."""

    contact: str
    target: str
    text: str = ""


class SpamFields(Fields, frozen=True, kw_only=True):
    """spam; `block`: its sender opens no contact any more."""

    contact: str
    block: bool = False


ACTIONS: dict[str, type[Fields]] = {
    "status": StatusFields,
    "accept": OfferFields,
    "decline": DeclineFields,
    "take": ContactFields,
    "start": StartFields,
    "reply": ReplyFields,
    "note": NoteFields,
    "transfer": TransferFields,
    "snooze": SnoozeFields,
    "wake": ContactFields,
    "resolve": ContactFields,
    "reopen": ContactFields,
    "retag": RetagFields,
    "priority": PriorityFields,
    "let_in": ContactFields,
    "link": LinkFields,
    "unlink": UnlinkFields,
    "customer": CustomerFields,
    "merge": MergeFields,
    "call": CallFields,
    "leave": ContactFields,
    "spam": SpamFields,
    "unblock": ContactFields,
    "incident": IncidentFields,
    "incident_end": IncidentEndFields,
}

Spoken = (
    ReplyFields | NoteFields | TransferFields | StartFields | LinkFields | UnlinkFields | CallFields | IncidentFields
)


async def act(
    commands: Commands, names: Directory, state: State, agent: str, action: str, fields: object, key: str
) -> Answer:
    """Do `action` as `agent` and say in one sentence what became of it. The same `key` again changes nothing more.

    `fields` is decoded JSON. Raises TransientError when it could not be stored: the caller may try again with `key`.
    """
    if rights.on_roster(state, agent) is None:
        return _refused("not-allowed", "", names)
    kind = ACTIONS.get(action)
    if kind is None:
        return _refused("no-such-action", "", names)
    if not 0 < len(key) <= KEY_CHARACTERS_MAX:
        return _refused("bad-field", f"a key of 1 to {KEY_CHARACTERS_MAX} characters", names)
    try:
        known = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        return _refused("bad-field", str(error), names)
    problem = _problem(known)
    if problem:
        return _refused("bad-field", problem, names)
    contact = state.contacts.get(known.contact) if isinstance(known, NoteFields) else None
    if contact is not None and not rights.may_see(state, agent, contact):
        return _refused("not-yours", contact.agent or "", names, contact.id)  # the engine lets anybody note
    outcome = await commands.act(agent, action, msgspec.to_builtins(known), f"{agent}:{key}")
    return answer(outcome, action, names)


def answer(outcome: Outcome, action: str, names: Directory) -> Answer:
    """The outcome with its sentence."""
    if not outcome.ok:
        return _refused(outcome.code, outcome.detail, names, outcome.contact)
    return Answer(ok=True, code=outcome.code, message=texts.done(action), contact=outcome.contact, entry=outcome.entry)


def _refused(code: str, detail: str, names: Directory, contact: str = "") -> Answer:
    def person(agent: str) -> str | None:
        found = names.person(agent)
        return found.name if found else None

    return Answer(ok=False, code=code, message=texts.refusal(code, detail, person), contact=contact)


def _problem(fields: Fields) -> str:
    """What no type can say: an empty or endless text, two receivers of one transfer."""
    text = fields.text if isinstance(fields, Spoken) else None
    if text is not None:
        enclosing = isinstance(fields, ReplyFields) and bool(fields.files)
        if not text.strip() and not enclosing and not isinstance(fields, TransferFields | CallFields):
            return "a text"
        if len(text) > TEXT_CHARACTERS_MAX:
            return f"at most {TEXT_CHARACTERS_MAX} characters"
        if "\0" in text:
            return "a text without null characters"
    if isinstance(fields, ReplyFields) and len(fields.cc) > COPIES_MAX:
        return f"at most {COPIES_MAX} people in copy"
    if isinstance(fields, StartFields):
        if address_of(fields.to) is None:
            return "an e-mail address to write to"
        if not fields.subject.strip() or len(fields.subject) > SUBJECT_CHARACTERS_MAX:
            return f"a subject of at most {SUBJECT_CHARACTERS_MAX} characters"
    if isinstance(fields, DeclineFields) and fields.reason not in texts.DECLINE_REASONS:
        return f"a reason: one of {', '.join(texts.DECLINE_REASONS)}"
    if isinstance(fields, TransferFields) and fields.to_agent and fields.to_team:
        return "one receiver, not two"
    return ""
