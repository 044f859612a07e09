"""All there is of one customer: what they wrote and were answered, on every channel, and what is noted of them.

Which messages those are is read from the journal, so that contacts that left the state long ago are in it as well. What
was erased, or is kept no longer, has no words any more and is named all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from router.core import decisions as d
from router.core import events as e
from router.core.message import Message
from router.core.state import State
from router.desk.reports import instant
from router.shell.records import Record
from router.shell.vault import Vault

LOT = 200
MESSAGES_MAX = 50_000  # of one export

Json = dict[str, Any]
Read = Callable[[Callable[[bytes], bool]], AsyncIterator[Record]]


class Item(msgspec.Struct, kw_only=True):
    """A message of an export. `direction`: in | out | note."""

    id: str
    contact: str
    direction: str
    at: int
    by: str = ""  # the agent
    auto: str = ""


class Gathered:
    """What the records say of some identities."""

    def __init__(self, identities: tuple[str, ...]) -> None:
        self.identities = dict.fromkeys(identities)
        self.contacts: dict[str, Json] = {}
        self.items: dict[str, Item] = {}
        self._marks = [one.encode() for one in identities]

    def wants(self, raw: bytes) -> bool:
        """Whether a record may be about them: it names one of them, or a contact of theirs."""
        return any(mark in raw for mark in self._marks)

    def take(self, record: Record) -> None:
        """One more record."""
        event = record.event
        theirs = getattr(event, "sender", "") in self.identities or getattr(event, "recipient", "") in self.identities
        for made in record.decisions:
            if isinstance(made, d.OpenContact) and theirs:
                self._opened(made, event)
            elif isinstance(made, d.AttachMessage | d.FileAuto) and theirs:
                contact = made.contact if isinstance(made, d.AttachMessage) else ""
                self._item(made.message, contact, "in", event.at, auto=getattr(event, "auto", None) or "")
            elif isinstance(made, d.SendAutoAnswer) and made.contact in self.contacts:
                self._item(made.message, made.contact, "out", event.at, auto=made.answer)
            elif isinstance(made, d.ResolveContact) and made.contact in self.contacts:
                self.contacts[made.contact]["resolved_at"] = instant(event.at)
            elif isinstance(made, d.RecordSatisfaction) and made.contact in self.contacts:
                self.contacts[made.contact]["score"] = made.score
        self._written(event)

    def _opened(self, made: d.OpenContact, event: e.Event) -> None:
        self.contacts[made.contact] = {
            "id": made.contact,
            "channel": getattr(event, "channel", ""),
            "opened_at": instant(event.at),
            "resolved_at": None,
            "topics": list(made.topics),
            "language": getattr(event, "language", None),
            "tier": getattr(event, "tier", None),
            "score": None,
        }
        self._marks.append(f'"{made.contact}"'.encode())
        if isinstance(event, e.ContactStarted):
            self._item(made.message, made.contact, "out", event.at, by=event.agent)
        else:
            self._item(made.message, made.contact, "in", event.at)

    def _written(self, event: e.Event) -> None:
        if getattr(event, "contact", "") not in self.contacts:
            return
        if isinstance(event, e.ReplyWritten):
            self._item(event.message, event.contact, "out", event.at, by=event.agent)
        elif isinstance(event, e.NoteWritten | e.TransferAsked | e.IdentitiesLinked | e.LinkUndone) and event.message:
            self._item(event.message, event.contact, "note", event.at, by=event.agent)

    def _item(self, message: str, contact: str, direction: str, at: int, *, by: str = "", auto: str = "") -> None:
        if len(self.items) < MESSAGES_MAX:
            self.items.setdefault(
                message, Item(id=message, contact=contact, direction=direction, at=at, by=by, auto=auto)
            )


async def export(state: State, identities: tuple[str, ...], read: Read, vault: Vault) -> Json:
    """The JSON of `usherd export`. Files are named by message and part, to be fetched one by one."""
    gathered = Gathered(identities)
    async for record in read(gathered.wants):
        gathered.take(record)
    items = list(gathered.items.values())
    listed: list[Json] = []
    addresses: dict[tuple[str, str], None] = {}
    for start in range(0, len(items), LOT):
        lot = items[start : start + LOT]
        opened = await vault.messages([one.id for one in lot])
        for one in lot:
            message = opened.get(one.id)
            listed.append(_message(one, message))
            if message is not None and one.direction == "in":
                addresses[message.from_.address, message.from_.name] = None
    customer = next((state.identities[one] for one in identities if one in state.identities), None)
    return {
        "customer": customer,
        "addresses": [{"address": address, "name": name} for address, name in addresses],
        "languages": [
            {"at": instant(said.at), "language": said.value}
            for one in identities
            if (said := state.languages.get(one)) is not None
        ],
        "consents": [
            {"at": instant(given.at), "given": given.given, "channel": given.channel}
            for one in identities
            if (given := state.consents.get(one)) is not None
        ],
        "tiers": [state.tiers[one] for one in identities if one in state.tiers],
        "links": [
            {"at": instant(one.at), "how": one.how, "agent": one.agent or None}
            for one in (state.links.get(customer, []) if customer else [])
        ],
        "contacts": list(gathered.contacts.values()),
        "messages": listed,
        "complete": len(items) < MESSAGES_MAX,
    }


def _message(one: Item, message: Message | None) -> Json:
    """A message as it is exported; without words where they are gone."""
    found: Json = {
        "id": one.id,
        "contact": one.contact or None,
        "direction": one.direction,
        "at": instant(one.at),
        "agent": one.by or None,
        "auto": one.auto or None,
        "gone": message is None,
    }
    if message is None:
        return found
    return found | {
        "channel": message.channel,
        "from": msgspec.to_builtins(message.from_),
        "to": [msgspec.to_builtins(to) for to in message.to],
        "cc": [msgspec.to_builtins(cc) for cc in message.cc],
        "subject": message.subject,
        "text": message.full_text or message.text,
        "html": message.html,
        "files": [
            {"part": file.part, "filename": file.filename, "content_type": file.content_type, "size": file.size}
            for file in message.attachments
        ],
    }
