"""What agents do: a command from a desk becomes an event.

A command is JSON: `{"agent", "action", …}` in the entry's meta and, for what is personal (`text`), in its raw
part. A command that makes no sense becomes no event but a refusal, said to whoever waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from router.core import links
from router.core.errors import PermanentError
from router.core.events import ContactStarted, Event
from router.core.message import Message
from router.core.state import Contact, State
from router.desk.addresses import address_of
from router.shell.enclosures import enclosed, letter_to, owner_of
from router.shell.identities import SYSTEM
from router.shell.replies import NoWayBack, Stationery, Written, as_answered, internal, opening, reply
from router.shell.understanding import Prepared, Refused
from router.shell.vault import Plain, Vault, message_blob

TEXT_CHARACTERS_MAX = 100_000
SUBJECT_CHARACTERS_MAX = 300
SNOOZE_MS_MAX = 5 * 365 * 86_400_000  # who means never resolves; and an instant must fit the calendars of others
HISTORY_MESSAGES_MAX = 12  # of a contact, looked at for the References of a reply

EVENT_OF = {
    "start": "ContactStarted",
    "status": "StatusSet",
    "accept": "OfferAccepted",
    "decline": "OfferDeclined",
    "take": "ContactTaken",
    "reply": "ReplyWritten",
    "note": "NoteWritten",
    "transfer": "TransferAsked",
    "snooze": "ContactSnoozed",
    "wake": "ContactWoken",
    "resolve": "ContactResolved",
    "reopen": "ContactReopened",
    "retag": "ContactRetagged",
    "priority": "PrioritySet",
    "let_in": "SenderLetIn",
    "link": "IdentitiesLinked",
    "unlink": "LinkUndone",
    "customer": "CustomerDescribed",
    "merge": "ContactsMerged",
    "call": "ColleagueCalled",
    "leave": "ColleagueLeft",
    "spam": "SpamMarked",
    "unblock": "SenderUnblocked",
    "incident": "IncidentAnswered",
    "incident_end": "IncidentEnded",
}
NOTED = ("note", "transfer", "call", "link", "unlink")  # what is written with them stays inside
EXPLAINED = ("reply", "note", "link", "unlink", "incident")  # nothing without words


TRIED = "tried"  # by somebody who is no agent: nothing but a record of it
_WORD = re.compile(r"[A-Za-z0-9:_. -]{1,80}")


class Command(msgspec.Struct, kw_only=True):
    """An agent's action, as the desks send it. Which fields count depends on `action`."""

    agent: str
    action: str
    contact: str = ""
    offer: str = ""
    reason: str = ""  # of a decline: one of the desk's list, never free text; of what was tried: what it was
    status: str = ""
    target: str = ""
    to_agent: str | None = None
    to_team: str | None = None
    until: int = 0
    topics: tuple[str, ...] = ()
    priority: str = ""
    resolve: bool = False
    into: str = ""
    block: bool = False
    answers: str = ""  # the customer's message that a reply answers, and so who gets it; "": their last
    cc: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # enclosed with a reply or a letter, by ids
    incident: str = ""
    tell: bool = False  # also to those who have asked already
    other: str = ""  # a contact of the same customer, as the agent says
    link: str = ""  # that the agent undoes
    language: str | None = None  # that the customer wants
    consent: bool | None = None  # whether a machine may write to them


class Spoken(msgspec.Struct, kw_only=True):
    """The personal part of a command. `to` and `subject`: of a contact that the agent opens."""

    text: str = ""
    to: str = ""
    subject: str = ""


def _no_invitation(_: str, __: str | None, ___: int) -> str:
    """Nowhere else to go on."""
    return ""


_COMMAND = msgspec.json.Decoder(Command)
_SPOKEN = msgspec.json.Decoder(Spoken)


def read(meta: bytes, raw: bytes) -> tuple[Command, Spoken]:
    """The command in an entry. Raises Refused."""
    try:
        return _COMMAND.decode(meta), _SPOKEN.decode(raw) if raw else Spoken()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-request", _field(error)) from error


class Actions:
    """Turns commands into events, with the blobs of what was written."""

    def __init__(
        self,
        vault: Vault,
        stationery: Stationery,
        identify: Callable[[str], str],
        invite: Callable[[str, str | None, int], str] = _no_invitation,
    ) -> None:
        """`identify` gives the keyed hash of an e-mail address.

        `invite`: what stands under a letter to an identity, in a language, at an instant, to go on elsewhere; or "".
        """
        self._vault = vault
        self._stationery = stationery
        self._identify = identify
        self._invite = invite

    async def prepare(self, inbox: str, meta: bytes, raw: bytes, state: State, at: int) -> Prepared:
        """The event of one command. Raises Refused."""
        command, spoken = read(meta, raw)
        if command.action == TRIED:
            raise Refused("not-on-roster", _tried(command))
        if len(spoken.text) > TEXT_CHARACTERS_MAX:
            raise Refused("too-long", f"a message may have {TEXT_CHARACTERS_MAX:,} characters")
        prepared = Prepared(event=None, finished=[inbox])
        says = bool(spoken.text) or (command.action == "reply" and bool(command.files))
        if command.action in {"reply", *NOTED} and says:
            prepared.blobs = [await self._written(inbox, command, spoken.text, state, at)]
        elif command.action == "incident" and says:
            said = internal(agent=command.agent, text=spoken.text)
            prepared.blobs = [Plain(message_blob(inbox), SYSTEM, msgspec.json.encode(said))]
        elif command.action in EXPLAINED or (command.action == "start" and not spoken.text.strip()):
            raise Refused("empty", "there is nothing written")
        elif command.action == "start":
            return await self._start(inbox, command, spoken, prepared, at)
        channel = _channel_of(state, command) if command.action == "reply" else ""
        prepared.event = event_of(inbox, command, at, written=bool(prepared.blobs), channel=channel)
        return prepared

    async def _start(self, inbox: str, command: Command, spoken: Spoken, prepared: Prepared, at: int) -> Prepared:
        """A contact that the agent opens. Its id is made of the entry's: the signed addresses carry it."""
        to = address_of(spoken.to)
        if to is None:
            raise Refused("bad-request", "an e-mail address to write to")
        if not spoken.subject.strip() or len(spoken.subject) > SUBJECT_CHARACTERS_MAX:
            raise Refused("bad-request", f"a subject of at most {SUBJECT_CHARACTERS_MAX} characters")
        contact, recipient = f"a{inbox}", self._identify(to)
        written = Written(contact=contact, account="", message=inbox, agent=command.agent, at=at, text=spoken.text)
        message = opening(written, to=to, subject=spoken.subject, stationery=self._stationery)
        message.attachments = await enclosed(self._vault, letter_to(recipient), command.files)
        prepared.blobs = [Plain(message_blob(inbox), recipient, msgspec.json.encode(message))]
        prepared.event = ContactStarted(
            at=at,
            inbox=inbox,
            agent=command.agent,
            contact=contact,
            message=inbox,
            channel="email",
            kind="email",
            account="",  # the first of ours, for as long as it goes on
            recipient=recipient,
            topics=command.topics,
        )
        return prepared

    async def _written(self, inbox: str, command: Command, text: str, state: State, at: int) -> Plain:
        contact = state.contacts.get(command.contact)
        if contact is None:
            raise Refused("no-such-contact", command.contact)
        if command.action == "reply":
            message = await self._reply(inbox, command, text, contact, at)
            message.attachments = await enclosed(self._vault, contact.id, command.files)
        else:
            message = internal(agent=command.agent, text=text)
        return Plain(message_blob(inbox), owner_of(contact), msgspec.json.encode(message))

    async def _reply(self, inbox: str, command: Command, text: str, contact: Contact, at: int) -> Message:
        recent = contact.messages[-HISTORY_MESSAGES_MAX:]
        inbound = [ref.id for ref in links.heard(contact)]
        if command.answers and command.answers not in inbound:
            raise Refused("bad-request", "a message of this contact to answer")
        answers = command.answers or (inbound[-1] if inbound else "")
        opened = await self._vault.messages([*(ref.id for ref in recent), *([answers] if answers else [])])
        last = opened.get(answers) if answers else _ours(contact, opened)
        if last is None:
            raise Refused("no-way-back", "there is no message of the customer's to answer")
        known = (opened[ref.id].message_id for ref in recent if ref.direction != "note" and ref.id in opened)
        to = next((one.address for one in (*last.reply_to, last.from_) if one.address), "")
        by_mail = "@" in to
        closing = self._invite(self._identify(to), contact.language, at) if by_mail and not command.cc else ""
        try:
            return reply(
                Written(
                    contact=contact.id,
                    account=contact.account,
                    message=inbox,
                    agent=command.agent,
                    at=at,
                    text=text,
                    cc=command.cc,
                    closing=closing,
                    language=contact.language or "",
                ),
                last=last,
                earlier=tuple(one for one in known if one and ("@" in one) is by_mail),  # other channels have other ids
                stationery=self._stationery,
            )
        except NoWayBack as error:
            raise Refused(error.code) from error
        except PermanentError as error:
            raise Refused("not-allowed") from error


def _tried(command: Command) -> str:
    """Who tried what, in opaque ids and words of ours."""
    words = f"{command.agent} {command.reason}"
    return words if _WORD.fullmatch(words) else "an id that is none"


def _ours(contact: Contact, opened: Mapping[str, Message]) -> Message | None:
    """What a message is added to that an agent writes before the customer has written any."""
    sent = (opened[ref.id] for ref in reversed(contact.messages) if ref.direction == "out" and ref.id in opened)
    last = next(sent, None)
    return None if last is None else as_answered(last)


def _channel_of(state: State, command: Command) -> str:
    """By which channel the message came that a reply answers; "": by the one that the customer uses now."""
    contact = state.contacts.get(command.contact)
    refs = contact.messages if contact is not None and command.answers else []
    return next((ref.channel for ref in refs if ref.id == command.answers), "")


def event_of(inbox: str, command: Command, at: int, *, written: bool, channel: str = "") -> Event:
    """The event of a command. Raises Refused for an action or a value that does not exist."""
    kind = EVENT_OF.get(command.action)
    if kind is None:
        raise Refused("bad-request", "an action that there is")
    if command.until > at + SNOOZE_MS_MAX:
        raise Refused("bad-time", "")
    fields = msgspec.to_builtins(command)
    own = {"type": kind, "at": at, "inbox": inbox, "message": inbox if written else "", "channel": channel}
    own["topics"] = tuple(dict.fromkeys(command.topics))  # each once, however often a page names it
    if not command.target:
        own["target"] = command.agent
    try:
        event: Event = msgspec.convert({**fields, **own}, Event)
    except msgspec.ValidationError as error:
        raise Refused("bad-request", _field(error)) from error
    return event


def _field(error: Exception) -> str:
    """Which field was wrong; never what stood in it, for that is somebody's words."""
    found = re.search(r"`\$\.(\w+)", str(error))
    return f"the field {found[1]}" if found is not None and found[1] in Command.__struct_fields__ else "its fields"
