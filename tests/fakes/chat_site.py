"""The chat's web side on a free port, over a `House`: what visitors send is applied at once, answers when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from channels.webchat import Entries, address_of, extract, normalise
from router.core import events
from router.core.message import Address, Message
from router.core.ports import Appended, InboxEntry
from router.core.state import Contact
from router.shell.identities import identity_of
from router.web.chat_feed import ChatFeed
from router.web.chat_parts import Chat, ChatLimits, ChatSettings
from router.web.elsewhere import Passing
from router.web.parts import wall_clock
from tests.fakes.desk_parts import House
from tests.fakes.desk_site import Site

SECRET = b"s" * 32
SHOP = "https://shop.example"


def identity(visitor: str) -> str:
    """The keyed hash that the engine knows a visitor by."""
    return identity_of(SECRET, "webchat", address_of(visitor))


class ChatInbox:
    """Deduplicates, keeps, and has the engine apply what it kept. `error`, when set, is raised instead."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.entries: list[InboxEntry] = []
        self.error: Exception | None = None
        self.known: dict[bytes, tuple[str, bytes]] = {}
        self.gate = asyncio.Event()  # an append waits for it
        self.gate.set()

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [self._one(entry) for entry in entries]

    def _one(self, entry: InboxEntry) -> Appended:
        known = self.known.get(entry.key)
        if known is not None:
            return Appended(known[0], duplicate=known[1] == entry.body, conflict=known[1] != entry.body)
        name = f"{wall_clock()}-{len(self.entries)}"
        self.entries.append(entry)
        self.known[entry.key] = (name, entry.body)
        self._apply(entry, name)
        return Appended(name)

    def _apply(self, entry: InboxEntry, name: str) -> None:
        house, message = self.house, normalise(entry.raw, entry.meta)
        meta: dict[str, Any] = msgspec.json.decode(entry.meta)
        house.written[name] = message
        for one in message.attachments:
            house.files[name, one.part] = extract(entry.raw, one.part)
        house.apply(
            events.MessageReceived(
                at=house.clock(),
                inbox=name,
                message=name,
                channel="webchat" if entry.source == "webchat" else "email",
                kind=meta["kind"],
                account=meta["account"],
                sender=identity_of(SECRET, "webchat", message.from_.address),
            )
        )


class ChatSite(Site):
    """A running chat: `url` is where it is."""

    inbox: ChatInbox

    @property
    def feed(self) -> ChatFeed:
        """The open chats of the running app."""
        assert self.app is not None
        feed: ChatFeed = self.app.state.chat.feed
        return feed

    @property
    def contact(self) -> Contact:
        """The latest one."""
        return list(self.house.state.contacts.values())[-1]

    def answer(self, text: str, *, contact: Contact | None = None, sent: bool = True, note: bool = False) -> str:
        """Ana writes in a contact, which she holds from then on; the id of what she wrote."""
        house, one = self.house, contact or self.contact
        if one.agent is None:
            house.apply(events.ContactTaken(at=house.clock(), agent="ana", contact=one.id))
        name = f"{wall_clock()}-{900 + len(house.written)}"
        last = next(ref for ref in reversed(one.messages) if ref.direction == "in")
        to = Address(address="") if note else house.written[last.id].from_
        channel = "note" if note else "webchat"
        house.written[name] = Message(channel=channel, from_=Address(address="a@acme.example"), to=(to,), text=text)
        kind = events.NoteWritten if note else events.ReplyWritten
        house.apply(kind(at=house.clock(), inbox=name, agent="ana", contact=one.id, message=name))
        if sent and not note:
            self.report(name, "sent")
        return name

    def report(self, message: str, state: str) -> None:
        """The outbox says how an answer fares."""
        place = next(
            one for one in self.house.state.contacts.values() if any(ref.id == message for ref in one.messages)
        )
        self.house.apply(events.DeliveryReported(at=self.house.clock(), message=message, contact=place.id, state=state))


@asynccontextmanager
async def chatting(
    limits: ChatLimits | None = None, *, passing: Passing | None = None, **settings: Any
) -> AsyncIterator[ChatSite]:
    """A chat on the wall clock; its form is on, and `SHOP` may show it. `passing`: to other nodes."""
    house = House(now=wall_clock())
    house.clock = wall_clock
    inbox = ChatInbox(house)
    given = limits or ChatLimits()
    entries = Entries(
        text_characters_max=given.text_characters,
        file_bytes_max=given.file_bytes,
        form_account="help@acme.example",
        own=frozenset({"help@acme.example"}),
    )
    chosen = ChatSettings(**{"title": "Acme Air", "origins": frozenset({SHOP}), "form": True, **settings})
    chat = Chat(entries=entries, identity=identity, settings=chosen, limits=given)
    site = ChatSite(house=house, parts=house.parts(inbox=inbox, secret=SECRET, chat=chat, passing=passing))
    site.inbox = inbox
    await site.start()
    try:
        yield site
    finally:
        await site.stop()
