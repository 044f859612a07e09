"""Rows: a contact in one line, from the state and the texts of its first and last message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from router.core.message import Address, Message
from router.core.state import Contact, MessageRef
from router.core.transitions import ContactState
from router.desk import texts
from router.desk.ports import Directory, Texts
from router.desk.views import Row

SNIPPET_CHARACTERS_MAX = 160


def ends(contact: Contact) -> tuple[MessageRef | None, MessageRef | None]:
    """The customer's first message, and the last that a person wrote and that is no note."""
    first = next((ref for ref in contact.messages if ref.direction == "in"), None)
    last = next((ref for ref in reversed(contact.messages) if _written(ref)), None)
    return first or last, last


def _written(ref: MessageRef) -> bool:
    return ref.direction == "in" or (ref.direction == "out" and ref.auto is None)


def last_at(contact: Contact) -> int:
    """When something was last said in it."""
    return contact.messages[-1].at if contact.messages else contact.opened_at


async def heads(read: Texts, contacts: Iterable[Contact]) -> Mapping[str, Message]:
    """The messages that rows of these contacts need, by id, read at once."""
    wanted: dict[str, None] = {}
    for contact in contacts:
        for ref in ends(contact):
            if ref is not None:
                wanted[ref.id] = None
    return await read.messages(list(wanted)) if wanted else {}


def customer_of(contact: Contact, messages: Mapping[str, Message]) -> Address | None:
    """The customer as the first message names them: who wrote it or, when it is ours, whom it went to."""
    first, _ = ends(contact)
    opening = messages.get(first.id) if first else None
    if opening is None or first is None:
        return None
    if first.direction == "in":
        return opening.from_
    return opening.to[0] if opening.to else None


def named(address: Address) -> str:
    """The name somebody gave themselves, else their address."""
    return address.name.strip() or address.address


def person_name(names: Directory, agent: str | None) -> str:
    """An agent's name; their id when the roster no longer knows them; "" for nobody."""
    if not agent:
        return ""
    person = names.person(agent)
    return person.name if person else agent


def snippet(message: Message) -> str:
    """The first words on one line."""
    words = " ".join((message.text or message.full_text).split())
    return words if len(words) <= SNIPPET_CHARACTERS_MAX else words[: SNIPPET_CHARACTERS_MAX - 1].rstrip() + "…"


def row(contact: Contact, messages: Mapping[str, Message], names: Directory) -> Row:
    """One contact in one line. `messages` are those of `heads`."""
    first, last = ends(contact)
    opening = messages.get(first.id) if first else None
    customer = customer_of(contact, messages)
    latest = messages.get(last.id) if last else None
    holder = contact.agent or (contact.offer.agent if contact.offer else None)
    return Row(
        id=contact.id,
        state=contact.state.value,
        channel=contact.channel,
        kind=contact.kind,
        who=named(customer) if customer else texts.UNKNOWN_CUSTOMER,
        subject=(opening.subject.strip() if opening else "") or texts.NO_SUBJECT,
        snippet=snippet(latest) if latest else "",
        topics=tuple(texts.label(topic) for topic, _ in shown_topics(contact)),
        language=texts.language(contact.language) if contact.language else "",
        priority=contact.priority.value,
        due=contact.due,
        opened_at=contact.opened_at,
        last_at=last_at(contact),
        snoozed_until=contact.snoozed_until,
        flag=contact.flag,
        moods=contact.moods,
        by=person_name(names, holder),
        new=contact.state is ContactState.ASSIGNED and last is not None and last.direction == "in",
    )


def shown_topics(contact: Contact) -> tuple[tuple[str, int], ...]:
    """The topics worth a label: those a person set, else the best and any other at least half as probable."""
    if contact.topics_set or not contact.topics:
        return contact.topics
    best = contact.topics[0][1]
    return tuple((topic, p) for topic, p in contact.topics[:3] if p * 2 >= best)
