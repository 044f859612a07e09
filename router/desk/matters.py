"""What a supervisor is to hear of, folded: one matter for all contacts that have the same trouble, never one each.

A matter says how bad it is and how many contacts it is about, and nothing that a customer wrote: it is told where many
read it, and stays there. What was told of one decides whether it is told again (`next_step`), so that a bad hour is a
handful of messages and not thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from router.core.state import Contact, Incident, State
from router.core.transitions import ContactState, DeliveryState
from router.desk import texts
from router.desk.lead_views import Matter
from router.desk.overview import OURS, risky
from router.desk.summaries import shown_topics
from router.desk.views import View

SOON, NOW = 1, 2  # how bad: it will be, it is
NAMED_MAX = 5
AGAIN_MS = 300_000  # between two messages about one matter that only grew
CALM_MS = 900_000  # a matter that comes back within this is the same one
GROWN_MIN = 5
PROMISES, NOBODY, QUARANTINE, UNDELIVERED, ESCALATED, INCIDENTS, PROBLEMS = (
    "promises", "nobody", "quarantine", "undelivered", "escalated", "incidents", "problems",
)  # fmt: skip


class Told(View, frozen=True, kw_only=True):
    """What was told of a matter last: when (`at`), and how bad and large it was. `over`: since when it is, or None."""

    level: int
    size: int
    at: int
    over: int | None = None


def matters(state: State, contacts: list[Contact], problems: Iterable[str], now: int) -> tuple[Matter, ...]:
    """All that is wrong. `contacts` are those not resolved; `problems` those of `usherd status`."""
    if state.workspace.shadow:
        return ()
    waiting = [one for one in contacts if one.state is ContactState.WAITING]
    stuck = [one for one in waiting if one.dead_end or one.ask_again_at is not None]
    unread = [one for one in contacts if one.flag == "quarantined"]
    found = [
        _promises(risky(contacts, now), now),
        _about(NOBODY, NOW, stuck, texts.MATTER_NOBODY),
        _about(QUARANTINE, SOON, unread, texts.MATTER_QUARANTINE),
        _undelivered(contacts),
        _about(ESCALATED, SOON, [one for one in contacts if _told_of(one)], texts.MATTER_ESCALATED),
        _incidents(list(state.incidents.values())),
        _problems(tuple(dict.fromkeys(problems))),
    ]
    return tuple(one for one in found if one is not None)


def next_step(matter: Matter | None, told: Told | None, now: int) -> str:
    """What is to be done about one: tell (a message of its own, which people hear of), show, end, forget, or "".

    `show` only changes what was told before: nobody is disturbed by it.
    """
    if matter is None:
        if told is None or told.over is None:
            return "end" if told is not None else ""
        return "forget" if now >= told.over + CALM_MS else ""
    if told is None:
        return "tell"
    grown = matter.size >= 2 * told.size and matter.size - told.size >= GROWN_MIN and now >= told.at + AGAIN_MS
    return "tell" if matter.level > told.level or grown else "show"


def _about(code: str, level: int, contacts: list[Contact], text: tuple[str, str]) -> Matter | None:
    if not contacts:
        return None
    ordered = sorted(contacts, key=lambda one: (one.due is None, one.due or 0, one.opened_at, one.id))
    topics = Counter(shown[0][0] if (shown := shown_topics(one)) else "" for one in ordered)
    named = [f"{texts.label(topic) if topic else texts.NO_TOPIC} {number}" for topic, number in topics.most_common(8)]
    return Matter(
        code=code,
        level=level,
        size=len(ordered),
        text=texts.counted(text, len(ordered)),
        details=(", ".join(named),),
        contacts=tuple(one.id for one in ordered[:NAMED_MAX]),
        due=ordered[0].due,
    )


def _promises(contacts: list[Contact], now: int) -> Matter | None:
    late = sum((one.due or 0) < now for one in contacts)
    found = _about(PROMISES, NOW if late else SOON, contacts, texts.MATTER_RISK)
    if found is None or not late:
        return found
    soon = len(contacts) - late
    broken = texts.counted(texts.MATTER_BROKEN, late)
    text = f"{broken} {texts.counted(texts.MATTER_MORE_RISK, soon)}" if soon else broken
    return msgspec.structs.replace(found, text=text)


def _undelivered(contacts: list[Contact]) -> Matter | None:
    """Answers that did not arrive, or do not get away."""
    last = [(one, _delivery(one)) for one in contacts]
    failed = [one for one, delivery in last if delivery is DeliveryState.FAILED]
    held_up = [one for one, delivery in last if delivery in {DeliveryState.DEFERRED, DeliveryState.UNKNOWN}]
    found = _about(UNDELIVERED, NOW if failed else SOON, failed + held_up, texts.MATTER_HELD_UP)
    return found if found is None or not failed else _with_failed(found, len(failed), len(held_up))


def _with_failed(matter: Matter, failed: int, held_up: int) -> Matter:
    text = texts.counted(texts.MATTER_FAILED, failed)
    more = f" {texts.counted(texts.MATTER_HELD_UP, held_up)}" if held_up else ""
    return msgspec.structs.replace(matter, text=text + more)


def _delivery(contact: Contact) -> DeliveryState | None:
    """How the last answer of an agent's fares."""
    sent = (ref.delivery for ref in reversed(contact.messages) if ref.delivery is not None and ref.auto is None)
    return next(sent, None)


def _told_of(contact: Contact) -> bool:
    """Whether a step that tells supervisors was taken, and the contact is still ours to answer."""
    return contact.state in OURS and any(step.notify is not None for step in contact.escalate[: contact.escalated])


def _incidents(incidents: list[Incident]) -> Matter | None:
    """What customers keep writing about. It is as large as the contacts of it: when they double it is told again."""
    if not incidents:
        return None
    lines = tuple(
        texts.INCIDENT_LINE.format(topic=texts.label(one.topic), contacts=one.contacts, usual=f"{one.usual / 100:g}")
        for one in incidents[:NAMED_MAX]
    )
    size = sum(one.contacts for one in incidents)
    text = texts.counted(texts.MATTER_INCIDENT, len(incidents))
    return Matter(code=INCIDENTS, level=NOW, size=size, text=text, details=lines)


def _problems(problems: tuple[str, ...]) -> Matter | None:
    if not problems:
        return None
    text = texts.counted(texts.MATTER_PROBLEMS, len(problems))
    return Matter(code=PROBLEMS, level=NOW, size=len(problems), text=text, details=problems[:NAMED_MAX])
