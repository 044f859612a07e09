"""Incidents: far more is written of a topic than usual for that hour of the day.

The usual is the mean of the same hour on the seven days before, as far as they were counted; on the first day nothing
is usual, and nothing raises an incident. An incident is over after the first whole hour that would raise none. An hour
in half of which or more nobody led says neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.decisions import EndIncident, NotifySupervisors, RaiseIncident
from router.core.rules import sort_topics
from router.core.state import Incident
from router.core.timers import INCIDENT
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.events import IncidentEnded
    from router.core.state import Contact
    from router.core.work import Work

HOUR = 3_600_000
DAY_HOURS = 24
DAYS = 7
KEPT_HOURS = (DAYS + 1) * DAY_HOURS


def topic_of(work: Work, contact: Contact) -> str:
    """What a contact is about for certain, or ""."""
    return sort_topics(work.workspace, contact.topics, certain=contact.topics_set)[0] or ""


def count(work: Work) -> None:
    """A customer may have opened a contact: is that one too many?"""
    state, contact = work.state, work.opened
    if contact is None:
        return
    if not work.workspace.incidents.contacts:
        state.rates, state.rates_since = {}, None  # hours that nobody counted would look like calm ones
        return
    topic = topic_of(work, contact)
    if not topic:
        return
    hour = work.now // HOUR
    if state.rates_since is None:
        state.rates_since = hour + 1
    hours = state.rates.setdefault(topic, {})
    hours[hour] = hours.get(hour, 0) + 1
    while (oldest := next(iter(hours))) <= hour - KEPT_HOURS:
        del hours[oldest]
    incident = current(work, topic)
    if incident is not None:
        incident.contacts += 1
        return
    usual = _usual(work, topic, hour)
    if usual is not None and _too_many(work, topic, hour):
        _raise(work, topic, hours[hour], usual)


def current(work: Work, topic: str) -> Incident | None:
    """The incident of a topic that is not over."""
    return next((one for one in work.state.incidents.values() if one.topic == topic), None)


def look(work: Work, name: str) -> None:
    """An hour is over: does it go on?"""
    incident = work.state.incidents[name]
    hour = incident.look_at // HOUR - 1
    if not work.workspace.incidents.contacts or incident.topic not in work.workspace.topics:
        _end(work, incident, "off")
    elif hour in work.state.unattended or _too_many(work, incident.topic, hour):
        incident.look_at = (work.now // HOUR + 1) * HOUR
        work.index.timers.arm(INCIDENT, incident.id, 0, incident.look_at)
    else:
        _end(work, incident, "over")


def leave_out(work: Work, since: int) -> None:
    """Nobody led from an instant until now: what was written then came later, or was not counted."""
    state, last = work.state, work.now // HOUR
    first = max(since // HOUR, last - KEPT_HOURS)
    known = [hour for hour in state.unattended if hour > last - KEPT_HOURS]
    missed = [
        hour
        for hour in range(first, last + 1)
        if min(work.now, (hour + 1) * HOUR) - max(since, hour * HOUR) >= HOUR // 2
    ]
    state.unattended = sorted(dict.fromkeys([*known, *missed]))


def end(work: Work, event: IncidentEnded) -> None:
    """A supervisor says that it is over."""
    incident = work.state.incidents.get(event.incident)
    if not work.supervises(event.agent):
        work.refuse("not-allowed")
    elif incident is None:
        work.refuse("no-such-incident", event.incident)
    else:
        _end(work, incident, "agent")


def affected(work: Work, incident: Incident) -> list[Contact]:
    """Open contacts of its topic that came in the hour in which it began, or since."""
    since = incident.began // HOUR * HOUR
    return [
        one
        for one in work.state.contacts.values()
        if one.opened_at >= since and one.state is not ContactState.RESOLVED and topic_of(work, one) == incident.topic
    ]


# -- inside ------------------------------------------------------------------------------------------------------------


def _usual(work: Work, topic: str, hour: int) -> tuple[int, int] | None:
    """Contacts in that hour of the days before, and of how many days; None where none was counted."""
    since, unattended = work.state.rates_since, work.state.unattended
    hours = work.state.rates.get(topic, {})
    days = [hour - DAY_HOURS * day for day in range(1, DAYS + 1)]
    known = [one for one in days if since is not None and one >= since and one not in unattended]
    return (sum(hours.get(one, 0) for one in known), len(known)) if known else None


def _too_many(work: Work, topic: str, hour: int) -> bool:
    limits, usual = work.workspace.incidents, _usual(work, topic, hour)
    number = work.state.rates.get(topic, {}).get(hour, 0)
    return usual is not None and number >= limits.contacts and number * usual[1] > limits.times * usual[0]


def _raise(work: Work, topic: str, number: int, usual: tuple[int, int]) -> None:
    state = work.state
    state.incidents_raised += 1
    incident = Incident(
        id=f"i{state.incidents_raised}",
        topic=topic,
        began=work.now,
        contacts=number,
        usual=usual[0] * 100 // usual[1],
        look_at=(work.now // HOUR + 2) * HOUR,
    )
    state.incidents[incident.id] = incident
    work.index.timers.arm(INCIDENT, incident.id, 0, incident.look_at)
    work.emit(RaiseIncident(incident=incident.id, topic=topic, count=number, usual=incident.usual))
    work.emit(NotifySupervisors(reason="incident", detail=topic))


def _end(work: Work, incident: Incident, reason: str) -> None:
    del work.state.incidents[incident.id]
    work.index.timers.arm(INCIDENT, incident.id, 0, None)
    work.emit(EndIncident(incident=incident.id, topic=incident.topic, reason=reason))
