"""What people said of contacts' topics: labelled examples for the classifier, kept for good, without a word of them.

A label names the contact's first message; its text stays where it was, under its customer's key, so that who is erased
is not learned from any more. Said outright: topics were confirmed, changed, added, or none of them was right. Not
objected to: the agent answered and resolved it under a topic that the classifier was sure of.

The labels are small documents of the store, written by whoever leads, after the commit. What a crash kept from being
written is found in the contacts themselves when a node begins to lead.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from router.core.rules import sort_topics
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import Workspace

CHUNK = 500  # labels of one document
LABELS_MAX = 50_000  # the oldest leave: what customers write about changes
HEAD = "labels"
OPENS_NOTHING = ("quarantined", "erased", "conflict")  # flags of contacts that teach nothing


class Documents(Protocol):
    """What is asked of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...

    async def doc_delete(self, name: str) -> bool:
        """Forget one."""
        ...


class Label(msgspec.Struct, frozen=True, array_like=True):
    """`message`: whose text it is; no `topics`: none of ours; `outright`: a person said so."""

    contact: str
    message: str
    topics: tuple[str, ...]
    outright: bool


class _Head(msgspec.Struct, frozen=True):
    """Numbers of the first and the last document."""

    first: int = 0
    last: int = 0


_CHUNK = msgspec.json.Decoder(list[Label])


def label_of(workspace: Workspace, contact: Contact) -> Label | None:
    """What a contact teaches as it stands now; None: nothing."""
    first = contact.messages[0] if contact.messages else None
    if first is None or first.direction != "in" or first.auto is not None or contact.flag in OPENS_NOTHING:
        return None
    if contact.topics_set:
        return Label(contact.id, first.id, tuple(topic for topic, _ in contact.topics), outright=True)
    answered = any(ref.direction == "out" and ref.agent is not None for ref in contact.messages)
    if contact.state is not ContactState.RESOLVED or not answered:
        return None
    best, others = sort_topics(workspace, contact.topics)
    return None if best is None else Label(contact.id, first.id, (best, *others), outright=False)


class Labels:
    """All labels in the order in which they were said. Of one contact the last one counts."""

    def __init__(self, store: Documents) -> None:
        self._store = store
        self._head = _Head()
        self._said: list[Label] = []  # those of the documents from `_head.first` on
        self._latest: dict[str, Label] = {}

    @property
    def count(self) -> int:
        """How many were ever said: the place in their order that a model has learned up to."""
        return self._head.first * CHUNK + len(self._said)

    def latest(self, contact: str) -> Label | None:
        """What was said of a contact last."""
        return self._latest.get(contact)

    def up_to(self, count: int) -> list[Label]:
        """Those that counted when so many had been said, as far as they are still kept."""
        said = {label.contact: label for label in self._said[: max(0, count - self._head.first * CHUNK)]}
        return list(said.values())

    async def read(self) -> None:
        """Have what is kept. Raises StoreUnavailable."""
        raw = await self._store.doc_get(HEAD)
        head = msgspec.json.decode(raw, type=_Head) if raw is not None else _Head()
        said: list[Label] = []
        for number in range(head.first, head.last + 1):
            chunk = await self._store.doc_get(_name(number))
            said += _CHUNK.decode(chunk) if chunk is not None else []
        self._head, self._said = head, said
        self._latest = {label.contact: label for label in said}

    async def add(self, labels: list[Label]) -> int:
        """Keep what is new of these; gives how many that was. Raises StoreUnavailable: then add them again."""
        new = [label for label in labels if self._latest.get(label.contact) != label]
        if not new:
            return 0
        said = self._said + new
        first, last = self._head.first, self._head.first + (len(said) - 1) // CHUNK
        for number in range(self._head.last, last + 1):
            start = (number - first) * CHUNK
            await self._store.doc_put(_name(number), msgspec.json.encode(said[start : start + CHUNK]))
        dropped = max(0, last - first + 1 - LABELS_MAX // CHUNK)
        head = _Head(first + dropped, last)
        if head != self._head:
            await self._store.doc_put(HEAD, msgspec.json.encode(head))
        for number in range(first, head.first):
            await self._store.doc_delete(_name(number))
        gone, self._said = said[: dropped * CHUNK], said[dropped * CHUNK :]
        self._head = head
        self._latest.update({label.contact: label for label in new})
        for label in gone:
            if self._latest.get(label.contact) == label:
                del self._latest[label.contact]
        return len(new)


def _name(number: int) -> str:
    return f"labels:{number}"
