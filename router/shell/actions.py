"""What agents do: a command from a desk becomes an event.

A command is JSON: `{"agent", "action", …}` in the entry's meta and, for what is personal (`text`), in its raw
part. A command that makes no sense becomes no event but a refusal, said to whoever waits for it.
"""

from __future__ import annotations

import msgspec

from router.core.errors import PermanentError
from router.core.events import Event
from router.core.message import Message
from router.core.state import Contact, State
from router.shell.identities import SYSTEM
from router.shell.replies import NoWayBack, Stationery, Written, internal, reply
from router.shell.understanding import Plain, Prepared, Refused
from router.shell.vault import Vault, message_blob

TEXT_CHARACTERS_MAX = 100_000
HISTORY_MESSAGES_MAX = 12  # of a contact, looked at for the References of a reply

EVENT_OF = {
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
}


class Command(msgspec.Struct, kw_only=True):
    """An agent's action, as the desks send it. Which fields count depends on `action`."""

    agent: str
    action: str
    contact: str = ""
    offer: str = ""
    reason: str = ""  # of a decline: one of the desk's list, never free text
    status: str = ""
    target: str = ""
    to_agent: str | None = None
    to_team: str | None = None
    until: int = 0
    topics: tuple[str, ...] = ()
    priority: str = ""
    resolve: bool = False
    answers: str = ""  # the customer's message that a reply answers, and so who gets it; "": their last
    cc: tuple[str, ...] = ()


class Spoken(msgspec.Struct, kw_only=True):
    """The personal part of a command."""

    text: str = ""


_COMMAND = msgspec.json.Decoder(Command)
_SPOKEN = msgspec.json.Decoder(Spoken)


def read(meta: bytes, raw: bytes) -> tuple[Command, Spoken]:
    """The command in an entry. Raises Refused."""
    try:
        return _COMMAND.decode(meta), _SPOKEN.decode(raw) if raw else Spoken()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused("bad-request", str(error)) from error


class Actions:
    """Turns commands into events, with the blobs of what was written."""

    def __init__(self, vault: Vault, stationery: Stationery) -> None:
        self._vault = vault
        self._stationery = stationery

    async def prepare(self, inbox: str, meta: bytes, raw: bytes, key: bytes, state: State, at: int) -> Prepared:
        """The event of one command. Raises Refused."""
        command, spoken = read(meta, raw)
        if len(spoken.text) > TEXT_CHARACTERS_MAX:
            raise Refused("too-long", f"a message may have {TEXT_CHARACTERS_MAX:,} characters")
        prepared = Prepared(event=None, finished=[inbox], key=key)
        if command.action in {"reply", "note", "transfer"} and spoken.text:
            prepared.blobs = [await self._written(inbox, command, spoken.text, state, at)]
        elif command.action in {"reply", "note"}:
            raise Refused("empty", "there is nothing written")
        prepared.event = event_of(inbox, command, at, written=bool(prepared.blobs))
        return prepared

    async def _written(self, inbox: str, command: Command, text: str, state: State, at: int) -> Plain:
        contact = state.contacts.get(command.contact)
        if contact is None:
            raise Refused("no-such-contact", command.contact)
        if command.action == "reply":
            message = await self._reply(inbox, command, text, contact, at)
        else:
            message = internal(agent=command.agent, text=text)
        owner = next((ref.sender for ref in contact.messages if ref.sender), None) or SYSTEM
        return Plain(message_blob(inbox), owner, msgspec.json.encode(message))

    async def _reply(self, inbox: str, command: Command, text: str, contact: Contact, at: int) -> Message:
        recent = contact.messages[-HISTORY_MESSAGES_MAX:]
        inbound = [ref.id for ref in contact.messages if ref.direction == "in" and ref.auto is None]
        if command.answers and command.answers not in inbound:
            raise Refused("bad-request", "a message of this contact to answer")
        answers = command.answers or (inbound[-1] if inbound else "")
        opened = await self._vault.messages([*(ref.id for ref in recent), *([answers] if answers else [])])
        last = opened.get(answers)
        if last is None:
            raise Refused("no-way-back", "there is no message of the customer's to answer")
        known = (opened[ref.id].message_id for ref in recent if ref.direction != "note" and ref.id in opened)
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
                ),
                last=last,
                earlier=tuple(identifier for identifier in known if identifier),
                stationery=self._stationery,
            )
        except NoWayBack as error:
            raise Refused(error.code, str(error)) from error
        except PermanentError as error:
            raise Refused("not-allowed", str(error)) from error


def event_of(inbox: str, command: Command, at: int, *, written: bool) -> Event:
    """The event of a command. Raises Refused for an action or a value that does not exist."""
    kind = EVENT_OF.get(command.action)
    if kind is None:
        raise Refused("bad-request", f"there is no action {command.action!r}")
    fields = msgspec.to_builtins(command)
    own = {"type": kind, "at": at, "inbox": inbox, "message": inbox if written else ""}
    if not command.target:
        own["target"] = command.agent
    try:
        event: Event = msgspec.convert({**fields, **own}, Event)
    except msgspec.ValidationError as error:
        raise Refused("bad-request", str(error)) from error
    return event
