"""What a visitor may see: their own words, the answers addressed to them, and how it stands. Nothing else.

Three locks, each enough by itself: only contacts in which this visitor takes part are looked at; of what
came in, only what this very visitor wrote; of what went out, only what was addressed to this visitor when it was
written. Notes are never read.
"""

from __future__ import annotations

import msgspec

from router.core.state import Contact, MessageRef, State
from router.core.transitions import ContactState, DeliveryState
from router.core.values import Status
from router.desk.index import DeskIndex
from router.desk.ports import Directory, Source, Texts
from router.web.chat_parts import Chat

CHANNEL = "webchat"
ASKS = "csat"
KIND = "chat"
# An answer is the visitor's to see once the outbox has sent it; one in doubt is in the journal all the same.
AVAILABLE = (DeliveryState.SENT, DeliveryState.UNKNOWN)
SETTLED = (*AVAILABLE, DeliveryState.FAILED)


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an item, to be fetched from /chat/files/ITEM/PART."""

    part: int
    name: str
    size: int


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the conversation. `mine`: the visitor wrote it, under the widget's own id `client`."""

    id: str
    at: int
    mine: bool = False
    who: str = ""  # an agent's first name
    text: str = ""
    client: str = ""
    files: tuple[File, ...] = ()
    asks: bool = False  # five answers stand below it
    score: int = 0  # the one that was given


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the visitor. `state`: none | waiting | open | closed; `who` answers; `online`: somebody is."""

    state: str = "none"
    who: str = ""
    online: bool = False


Order = tuple[int, int]


def order(name: str) -> Order:
    """Where an id of the inbox stands in time; (0, 0) for anything else."""
    ms, _, seq = name.partition("-")
    plain = len(name) <= 40 and name.isascii() and ms.isdecimal() and seq.isdecimal()  # noqa: PLR2004  # two 64-bit numbers
    return (int(ms), int(seq)) if plain else (0, 0)


def is_available(ref: MessageRef) -> bool:
    """Whether the visitor may see it now."""
    return ref.direction == "in" or ref.delivery in AVAILABLE


def first_name(names: Directory, agent: str | None) -> str:
    """An agent as visitors know them; "" for nobody."""
    person = names.person(agent) if agent else None
    words = person.name.split() if person is not None else []
    return words[0] if words else ""


class VisitorView:
    """Reads conversations of visitors from the live state."""

    def __init__(self, source: Source, texts: Texts, index: DeskIndex, chat: Chat) -> None:
        self._source = source
        self._texts = texts
        self._index = index
        self._chat = chat

    def contacts(self, identity: str) -> list[Contact]:
        """The contacts that this visitor takes part in, oldest first: what began elsewhere may go on in the chat."""
        customer = self._source.state.identities.get(identity, "")
        found = self._index.of_customer(customer) if customer else []
        return [one for one in reversed(found) if identity in one.participants and one.joined is None]

    def refs(self, identity: str) -> list[MessageRef]:
        """What may be shown of them now or once it is sent, in order."""
        refs = [ref for contact in self.contacts(identity) for ref in contact.messages if _theirs(ref, identity)]
        return sorted(refs, key=lambda ref: order(ref.id))

    async def items(self, visitor: str, refs: list[MessageRef]) -> list[Item]:
        """The items of `refs`, those that can be shown. Raises TransientError."""
        shown = [ref for ref in refs if is_available(ref)]
        messages = await self._texts.messages([ref.id for ref in shown]) if shown else {}
        address = self._chat.entries.address(visitor)
        items = []
        for ref in shown:
            message = messages.get(ref.id)
            if message is None or message.channel != CHANNEL:
                continue  # erased
            mine = ref.direction == "in"
            if not mine and [one.address for one in message.to] != [address]:
                continue
            files = tuple(File(part=one.part, name=one.filename, size=one.size) for one in message.attachments)
            items.append(
                Item(
                    id=ref.id,
                    at=ref.at,
                    mine=mine,
                    who="" if mine else first_name(self._source.names, ref.agent),
                    text=message.text,
                    client=(message.message_id or "") if mine else "",
                    files=files,
                    asks=bool(message.asks),
                    score=self._score(message.asks),
                )
            )
        return items

    def _score(self, contact: str) -> int:
        found = self._source.state.contacts.get(contact)
        return (found.score or 0) if found is not None else 0

    def asked(self, identity: str, item: str) -> str | None:
        """Which contact of the visitor's an item asks about, if it does."""
        for contact in self.contacts(identity):
            if any(ref.id == item and ref.auto == ASKS and is_available(ref) for ref in contact.messages):
                return contact.id
        return None

    async def has(self, visitor: str, identity: str, message: str) -> bool:
        """Whether the visitor may fetch a file of this message. Raises TransientError."""
        return bool(await self.items(visitor, [ref for ref in self.refs(identity) if ref.id == message]))

    def standing(self, identity: str) -> Standing:
        """How it stands with the visitor's latest chat."""
        online = self.online()
        contacts = self.contacts(identity)
        if not contacts:
            return Standing(online=online)
        contact = contacts[-1]
        if contact.state is ContactState.RESOLVED:
            return Standing(state="closed", online=online)
        if contact.state in {ContactState.WAITING, ContactState.OFFERED}:
            return Standing(state="waiting", online=online)
        return Standing(state="open", who=first_name(self._source.names, contact.agent), online=online)

    def online(self) -> bool:
        """Whether anybody who takes chats is available now."""
        return is_online(self._source.state)


def is_online(state: State) -> bool:
    """Whether anybody who takes chats is available now."""
    return any(
        seat.status is Status.AVAILABLE and seat.on_shift and _takes_chats(state, name)
        for name, seat in state.agents.items()
    )


def _takes_chats(state: State, agent: str) -> bool:
    member = state.workspace.agents.get(agent)
    return member is not None and member.capacity.get(KIND, 0) > 0


def _theirs(ref: MessageRef, identity: str) -> bool:
    if ref.direction == "in":
        return ref.sender == identity and ref.auto is None
    return ref.direction == "out"
