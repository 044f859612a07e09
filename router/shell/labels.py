"""What people said of contacts' topics: labelled examples for the classifier, kept for good, without a word of them.

A label names the contact's first message; its text stays where it was, under its customer's key, so that who is erased
is not learned from any more. Said outright: topics were confirmed, changed, added, or none of them was right. Not
objected to: the agent answered and resolved it under a topic that the classifier was sure of.

What contacts took to handle is kept in the same way, and whether somebody had to raise their priority.

The labels are small documents of the store, written by whoever leads, after the commit. What a crash kept from being
written is found in the contacts themselves when a node begins to lead.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import msgspec

from router.core.rules import effort_of, sort_topics
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import Priority, Workspace

CHUNK = 500  # labels of one document
LABELS_MAX = 50_000  # the oldest leave: what customers write about changes
HEAD, HEAD_HANDLED = "labels", "handled"
HIGH = (Priority.HIGH, Priority.URGENT)
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


class Took(msgspec.Struct, frozen=True, array_like=True):
    """`ms` of handling until it was resolved; `usual`: its topic, "" for none, and kind.

    `raised`: somebody had to raise its priority; None: it was high without them.
    """

    contact: str
    message: str
    usual: str
    ms: int
    raised: bool | None


class _Head(msgspec.Struct, frozen=True):
    """Numbers of the first and the last document."""

    first: int = 0
    last: int = 0


L = TypeVar("L", Label, Took)


def opening_of(contact: Contact) -> str | None:
    """The message that teaches, of a contact that does."""
    first = contact.messages[0] if contact.messages else None
    if first is None or first.direction != "in" or first.auto is not None or contact.flag in OPENS_NOTHING:
        return None
    return first.id


def took_of(workspace: Workspace, contact: Contact) -> Took | None:
    """What a contact teaches of effort and urgency, once it was resolved; None: nothing."""
    message = opening_of(contact)
    if message is None or not contact.took:
        return None
    topic, _ = effort_of(workspace, contact.topics)
    high = contact.priority in HIGH
    raised = high if contact.priority_set or not high else None
    return Took(contact.id, message, f"{topic} {contact.kind}", contact.took, raised)


def label_of(workspace: Workspace, contact: Contact) -> Label | None:
    """What a contact teaches as it stands now; None: nothing."""
    message = opening_of(contact)
    if message is None:
        return None
    if contact.topics_set:
        return Label(contact.id, message, tuple(topic for topic, _ in contact.topics), outright=True)
    answered = any(ref.direction == "out" and ref.agent is not None for ref in contact.messages)
    if contact.state is not ContactState.RESOLVED or not answered:
        return None
    best, others = sort_topics(workspace, contact.topics)
    return None if best is None else Label(contact.id, message, (best, *others), outright=False)


class Labels(Generic[L]):
    """All labels of a kind in the order in which they were said. Of one contact the last one counts."""

    def __init__(self, store: Documents, kind: type[L], head: str) -> None:
        self._store = store
        self._name = head
        self._chunk = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # a type at run time
        self._head = _Head()
        self._said: list[L] = []  # those of the documents from `_head.first` on
        self._latest: dict[str, L] = {}

    @property
    def count(self) -> int:
        """How many were ever said: the place in their order that a model has learned up to."""
        return self._head.first * CHUNK + len(self._said)

    def latest(self, contact: str) -> L | None:
        """What was said of a contact last."""
        return self._latest.get(contact)

    def up_to(self, count: int) -> list[L]:
        """Those that counted when so many had been said, as far as they are still kept."""
        said = {label.contact: label for label in self._said[: max(0, count - self._head.first * CHUNK)]}
        return list(said.values())

    async def read(self) -> None:
        """Have what is kept. Raises StoreUnavailable."""
        raw = await self._store.doc_get(self._name)
        head = msgspec.json.decode(raw, type=_Head) if raw is not None else _Head()
        said: list[L] = []
        for number in range(head.first, head.last + 1):
            chunk = await self._store.doc_get(self._document(number))
            said += self._chunk.decode(chunk) if chunk is not None else []
        self._head, self._said = head, said
        self._latest = {label.contact: label for label in said}

    async def add(self, labels: list[L]) -> int:
        """Keep what is new of these; gives how many that was. Raises StoreUnavailable: then add them again."""
        new = [label for label in labels if self._latest.get(label.contact) != label]
        if not new:
            return 0
        said = self._said + new
        first, last = self._head.first, self._head.first + (len(said) - 1) // CHUNK
        for number in range(self._head.last, last + 1):
            start = (number - first) * CHUNK
            await self._store.doc_put(self._document(number), msgspec.json.encode(said[start : start + CHUNK]))
        dropped = max(0, last - first + 1 - LABELS_MAX // CHUNK)
        head = _Head(first + dropped, last)
        if head != self._head:
            await self._store.doc_put(self._name, msgspec.json.encode(head))
        for number in range(first, head.first):
            await self._store.doc_delete(self._document(number))
        gone, self._said = said[: dropped * CHUNK], said[dropped * CHUNK :]
        self._head = head
        self._latest.update({label.contact: label for label in new})
        for label in gone:
            if self._latest.get(label.contact) == label:
                del self._latest[label.contact]
        return len(new)

    def _document(self, number: int) -> str:
        return f"{self._name}:{number}"
