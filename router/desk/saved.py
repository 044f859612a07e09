"""Saved replies for one contact: filled in where it can be, those that fit it first."""

from __future__ import annotations

import re
from collections.abc import Mapping

from router.core.message import Message
from router.core.state import Contact
from router.desk import texts
from router.desk.ports import Directory, Saved
from router.desk.summaries import person_name, row, shown_topics
from router.desk.views import SavedReply

PLACEHOLDERS = ("customer", "agent", "reference")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def saved_replies(
    contact: Contact, messages: Mapping[str, Message], agent: str, names: Directory
) -> tuple[SavedReply, ...]:
    """All of the workspace's, filled in for `contact` as `agent` answers it; `messages` are those of `heads`.

    What cannot be filled in stays in braces and is listed, so that the desk can ask for it before it is sent.
    """
    who = row(contact, messages, names).who
    known = {
        "customer": "" if who == texts.UNKNOWN_CUSTOMER or "@" in who else who,
        "agent": person_name(names, agent),
        "reference": contact.id,
    }
    topics = {topic for topic, _ in shown_topics(contact)}
    found = [(_rank(one, topics, contact.language), one) for one in names.saved()]
    found.sort(key=lambda pair: (pair[0], texts.label(pair[1].name).casefold()))
    return tuple(_filled(one, known, fits=rank < 0) for rank, one in found)


def unfilled(text: str) -> str:
    """The first placeholder that nobody has filled in, as it stands there; "" if there is none."""
    return next((found[0] for found in _PLACEHOLDER.finditer(text) if found[1] in PLACEHOLDERS), "")


def _rank(saved: Saved, topics: set[str], language: str | None) -> int:
    """Smaller is fitter: of its topic and language, of one of them, for all alike, of others."""
    rank = 0
    if saved.topics:
        rank += -2 if topics.intersection(saved.topics) else 3
    if saved.language:
        rank += -1 if saved.language == language else 2
    return rank


def _filled(saved: Saved, known: Mapping[str, str], *, fits: bool) -> SavedReply:
    text = _PLACEHOLDER.sub(lambda found: known.get(found[1]) or found[0], saved.text)  # once: a name may hold braces
    left = tuple(name for name, value in known.items() if not value and f"{{{name}}}" in saved.text)
    return SavedReply(name=saved.name, label=texts.label(saved.name), text=text, fits=fits, open=left)
