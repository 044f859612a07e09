"""Automatic answers to messages that open a contact: receipt, out of hours, place in the queue.

They can never be one half of a loop: auto mail and whatever names nobody to answer get none; only a message that opens
a contact gets one; a customer gets each kind once in 24 hours; and more in an hour than the workspace allows, or a
storm of bounces, turn all off for a day, or until their settings change. The contact does not notice: no clock stops,
and nobody has responded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import incidents, links, sla, storm
from router.core.chats import CONVERSATIONS
from router.core.decisions import NotifySupervisors, SendAutoAnswer
from router.core.intake import stream_order
from router.core.state import MessageRef
from router.core.transitions import ContactState, DeliveryState

if TYPE_CHECKING:
    from router.core.events import MessageReceived
    from router.core.state import Contact, State
    from router.core.values import Interval
    from router.core.work import Work

RECEIPT = "receipt"
OUT_OF_HOURS = "out_of_hours"
QUEUE = "queue"
INCIDENT = "incident"

HOUR = 3_600_000
DAY = 24 * HOUR
AFTER = 1_000_000_000_000  # added to a message's sequence: its answer sorts behind it, and no inbox gets that far


def answer(work: Work, event: MessageReceived) -> None:
    """Answer the message if it opened a contact, once it is known who got that."""
    contact, state, now = work.opened, work.state, work.now
    settings = work.workspace.auto_answers
    if contact is None or work.workspace.shadow:
        return
    if event.quiet or contact.flag or not contact.customer or links.consents(work, contact.customer) is False:
        return
    decision = _choose(work, contact, event)
    forget(state, now)
    if decision is None or now < state.auto_answers_off_until or storm.rages(state, now):
        return
    if f"{decision.answer} {contact.customer}" in state.auto_answered:
        return
    if len(state.auto_answers_sent) >= settings.per_hour:
        state.auto_answers_off_until = now + DAY
        work.emit(NotifySupervisors(reason="auto-answers-off", detail=str(settings.per_hour)))
        return
    spend(work, decision.answer, contact.customer)
    state.auto_answers_sent.append(now)
    ref = MessageRef(id=decision.message, direction="out", at=now, auto=decision.answer, delivery=DeliveryState.PENDING)
    if decision.answer == INCIDENT and (told := incidents.current(work, incidents.topic_of(work, contact))) is not None:
        ref.says = told.message
    contact.messages.append(ref)
    work.index.place[decision.message] = contact.id
    work.emit(decision)


def spend(work: Work, name: str, customer: str) -> bool:
    """Whether a customer may be told that today; if so, it counts as told."""
    forget(work.state, work.now)
    budget = f"{name} {customer}"
    if budget in work.state.auto_answered:
        return False
    work.state.auto_answered[budget] = work.now
    return True


def answer_id(message: str) -> str:
    """The id of the automatic answer to a message: the same on every replay, and sorted behind it."""
    order = stream_order(message)
    return f"{message}-auto" if order is None else f"{order[0]}-{order[1] + AFTER}"


def opens_at(work: Work, contact: Contact) -> int | None:
    """When the next of those who could serve a contact comes on shift; None: one is on shift, or nobody ever is."""
    calendars: dict[str, tuple[Interval, ...]] = {}
    for seat in work.index.profile_of(contact).able:
        name = seat.agent.calendar
        if name is None or name not in work.workspace.calendars:
            return None
        calendars[name] = work.workspace.calendars[name]
    edges: list[int] = []
    for hours in calendars.values():
        is_open, edge = sla.open_at(work.now, hours)
        if is_open:
            return None
        if edge is not None:
            edges.append(edge)
    return min(edges, default=None)


def _choose(work: Work, contact: Contact, event: MessageReceived) -> SendAutoAnswer | None:
    """The one answer that says most, of those that are wanted: at night the hours, in a chat the queue."""
    kinds = work.workspace.auto_answers.kinds
    name = answer_id(event.message)
    incident = incidents.current(work, incidents.topic_of(work, contact))
    if incident is not None and incident.message:
        return SendAutoAnswer(
            contact=contact.id, message=name, channel=contact.channel, language=contact.language, answer=INCIDENT
        )
    opens = opens_at(work, contact) if OUT_OF_HOURS in kinds else None
    if opens is not None:
        return SendAutoAnswer(
            contact=contact.id,
            message=name,
            channel=contact.channel,
            language=contact.language,
            answer=OUT_OF_HOURS,
            opens_at=opens,
        )
    if contact.kind not in CONVERSATIONS:
        if RECEIPT not in kinds:
            return None
        return SendAutoAnswer(
            contact=contact.id, message=name, channel=contact.channel, language=contact.language, answer=RECEIPT
        )
    if QUEUE not in kinds or contact.state is not ContactState.WAITING:
        return None
    place = work.index.entries[contact.id][3].waiting
    return SendAutoAnswer(
        contact=contact.id,
        message=name,
        channel=contact.channel,
        language=contact.language,
        answer=QUEUE,
        place=place,
    )


def forget(state: State, now: int) -> None:
    """Drop what no longer counts: the oldest come first."""
    while state.auto_answered:
        oldest = next(iter(state.auto_answered))
        if state.auto_answered[oldest] + DAY > now:
            break
        del state.auto_answered[oldest]
    while state.auto_answers_sent and state.auto_answers_sent[0] + HOUR <= now:
        del state.auto_answers_sent[0]
