"""Files that agents enclose with what they write: stored first, under the customer's key, then named by the message.

A file is two blobs, its bytes and a card that says what it is and for which contact; the id is random. The message
points at the bytes, so that they are neither copied nor decrypted in the leader's turn. A letter that opens a contact
has none yet: its files are for whom it goes to. What no message has named after UNUSED_MS is deleted.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec
import structlog

from router.core.errors import PermanentError
from router.core.links import opener
from router.core.message import Attachment, Message
from router.core.state import Contact, State
from router.desk.actions import FILES_BYTES_MAX, FILES_MAX
from router.shell.identities import SYSTEM
from router.shell.understanding import Refused
from router.shell.vault import Vault

log = structlog.get_logger()

ID_BYTES = 16
UNUSED_MS = 7 * 86_400_000  # a draft may lie over a weekend
LATE_MS = 2 * 86_400_000  # a sweep that comes later than that may miss a contact that a letter opened and that has left
LETTER = "to:"
LIST = "enclosures"  # the document that lists files whose time is not over: id -> (ms, contact)


class EnclosureStore(Protocol):
    """What enclosures ask of the store."""

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs; durable when it returns."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Delete blobs."""
        ...

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Put `after` in the place of `before`, None for no document; False if there is another by now."""
        ...


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is. `name` and `type` are made safe; `size` in bytes, `sha256` in hexadecimal digits."""

    contact: str
    name: str
    type: str
    size: int
    sha256: str


_CARD = msgspec.json.Decoder(Card)
_Listed: TypeAlias = dict[str, tuple[int, str]]
_LIST = msgspec.json.Decoder(dict[str, tuple[int, str]])


def file_blob(identifier: str) -> str:
    """The blob id of a file's bytes."""
    return f"file:{identifier}"


def card_blob(identifier: str) -> str:
    """The blob id of a file's card."""
    return f"card:{identifier}"


def letter_to(recipient: str) -> str:
    """What stands in a contact's place where there is none yet: whom a letter goes to."""
    return f"{LETTER}{recipient}"


def owner_of(contact: Contact) -> str:
    """The identity whose key locks what agents write to a contact: its customer's."""
    return opener(contact) or SYSTEM


async def enclosed(vault: Vault, contact: str, ids: tuple[str, ...]) -> tuple[Attachment, ...]:
    """The files that a message names, as its attachments. Raises Refused: too many, too large, gone, or of another."""
    if not ids:
        return ()
    if len(ids) > FILES_MAX or len(set(ids)) < len(ids):
        raise Refused("files-over", f"at most {FILES_MAX}")
    opened = await vault.open([card_blob(identifier) for identifier in ids])
    cards = {blob: _CARD.decode(raw) for blob, raw in opened.items()}
    found: list[Attachment] = []
    for part, identifier in enumerate(ids):
        card = cards.get(card_blob(identifier))
        if card is None or card.contact != contact:
            raise Refused("files-gone")
        found.append(
            Attachment(
                filename=card.name,
                content_type=card.type,
                size=card.size,
                sha256=card.sha256,
                part=part,
                blob=file_blob(identifier),
            )
        )
    if sum(one.size for one in found) > FILES_BYTES_MAX:
        raise Refused("files-over", f"at most {FILES_BYTES_MAX // 1_000_000} MB in all")
    return tuple(found)


async def content_of(vault: Vault, attachment: Attachment) -> bytes:
    """The bytes of an enclosed file. Raises PermanentError if it was erased."""
    found = (await vault.open([attachment.blob])).get(attachment.blob)
    if found is None:
        raise PermanentError("a file of this message is gone")
    return found


class Enclosures:
    """Keeps files for replies that are being written, and forgets those that were never sent."""

    def __init__(
        self,
        store: EnclosureStore,
        vault: Vault,
        *,
        state: Callable[[], State],
        tidy: Callable[[str, str], tuple[str, str]],
        identify: Callable[[str], str],
    ) -> None:
        """`tidy` makes a name and a content type safe; `identify` gives the keyed hash of an e-mail address."""
        self._store = store
        self._vault = vault
        self._state = state
        self._tidy = tidy
        self._identify = identify
        self._listing = asyncio.Lock()

    async def keep(self, contact: str, name: str, content_type: str, content: bytes) -> str:
        """Store a file for a reply in this contact; its id, once it is on disk.

        Raises KeyError for an unknown contact, ValueError for an empty or too large file, StoreUnavailable.
        """
        return await self._keep(contact, owner_of(self._state().contacts[contact]), name, content_type, content)

    async def keep_for(self, address: str, name: str, content_type: str, content: bytes) -> str:
        """The same for a letter to an e-mail address, which opens a contact."""
        recipient = self._identify(address)
        return await self._keep(letter_to(recipient), recipient, name, content_type, content)

    async def _keep(self, contact: str, owner: str, name: str, content_type: str, content: bytes) -> str:
        if not 0 < len(content) <= FILES_BYTES_MAX:
            raise ValueError("a file is neither empty nor over the limit")
        key = self._vault.key_of(owner)
        digest = await asyncio.to_thread(hashlib.sha256, content)
        safe, kind = self._tidy(name, content_type)
        card = Card(contact=contact, name=safe, type=kind, size=len(content), sha256=digest.hexdigest())
        identifier = secrets.token_hex(ID_BYTES)
        await self._list(identifier, contact)  # first: what is stored and not listed would never be deleted
        await self._vault.prepare({owner})
        locked = [
            await self._vault.lock_blob(file_blob(identifier), owner, content),
            await self._vault.lock_blob(card_blob(identifier), owner, msgspec.json.encode(card)),
        ]
        await self._store.blobs_put(dict(locked))
        if self._vault.key_of(owner) != key:  # the customer was erased meanwhile: nothing is written to them any more
            await self._store.blobs_delete([file_blob(identifier), card_blob(identifier)])
            raise KeyError(contact)
        return identifier

    async def _list(self, identifier: str, contact: str) -> None:
        entry = (self._state().at, contact)
        await self._change(lambda listed: listed | {identifier: entry})

    async def _change(self, change: Callable[[_Listed], _Listed]) -> None:
        """Change the list as it stands in the moment of writing: other nodes change it too."""
        swapped = False
        while not swapped:
            listed, raw = await self._read()
            swapped = await self._store.doc_swap(LIST, raw, msgspec.json.encode(change(listed)))

    async def _read(self) -> tuple[_Listed, bytes | None]:
        raw = await self._store.doc_get(LIST)
        return (_LIST.decode(raw) if raw is not None else {}), raw

    async def sweep(self) -> int:
        """Delete files that no reply has named in time; gives how many. Raises StoreUnavailable."""
        async with self._listing:
            listed, _ = await self._read()
            limit = self._state().at - UNUSED_MS
            old = {identifier: contact for identifier, (at, contact) in listed.items() if at <= limit}
            if not old:
                return 0
            sent = {contact: await self._sent(contact) for contact in dict.fromkeys(old.values())}
            late = {one for one, (at, contact) in listed.items() if contact.startswith(LETTER) and at < limit - LATE_MS}
            useless = [one for one in old if one not in late and _is_useless(file_blob(one), sent[old[one]])]
            names = [name(identifier) for identifier in useless for name in (file_blob, card_blob)]
            await self._store.blobs_delete(names)
            await self._change(lambda listed: {one: entry for one, entry in listed.items() if one not in old})
        log.info("enclosures_swept", files=len(useless))
        return len(useless)

    async def _sent(self, contact: str) -> frozenset[str] | None:
        """Blobs that messages of a contact, or to whom a letter goes, point at; None where they are not at hand."""
        contacts = self._state().contacts
        if contact.startswith(LETTER):
            recipient = contact.removeprefix(LETTER)
            found = [one for one in contacts.values() if recipient in one.participants]
        else:
            one = contacts.get(contact)
            if one is None or one.joined is not None:
                return None
            found = [one]
        ids = [ref.id for one in found for ref in one.messages if ref.direction == "out"]
        messages: dict[str, Message] = await self._vault.messages(ids)
        return frozenset(one.blob for message in messages.values() for one in message.attachments)


def _is_useless(blob: str, sent: frozenset[str] | None) -> bool:
    """Whether it is certain that no reply has this file."""
    return sent is not None and blob not in sent
