"""What a supervisor watches and a wallboard shows: the queue by topic, promises at risk, agents, problems, today.

One walk over the open contacts each time it is asked for; 5,000 of them take some milliseconds.
"""

from __future__ import annotations

from collections import Counter

from router.core.rules import sort_topics
from router.core.state import Contact, Incident, State
from router.core.transitions import ContactState
from router.core.values import WHOLE, Requirement
from router.desk import roster, texts
from router.desk.figures import Figures
from router.desk.lead_views import AgentLoad, Board, IncidentRow, Overview, TopicQueue
from router.desk.ports import Directory, Source, Texts
from router.desk.summaries import heads, person_name, row, shown_topics

RISK_MS = 15 * 60_000  # a promise is at risk when it is due within this, or within a quarter of its time
RISKY_ROWS_MAX = 50
HOUR_MS = 3_600_000
OURS = (ContactState.WAITING, ContactState.OFFERED, ContactState.ASSIGNED)


def at_risk(contact: Contact, now: int) -> bool:
    """Whether its promise is broken or nearly due.

    "Nearly" is a quarter of an hour, or a quarter of what was promised: a chat that is to be answered within two
    minutes is not at risk from the start.
    """
    if contact.due is None:
        return False
    answer = contact.sla.next_response if contact.responded else contact.sla.first_response
    promised = answer if contact.due == contact.response_due else contact.sla.resolution
    return contact.due - now < min(RISK_MS, (promised or 4 * RISK_MS) // 4)


def risky(contacts: list[Contact], now: int) -> list[Contact]:
    """Contacts in our court whose promise is broken or nearly due, the soonest due first."""
    found = [one for one in contacts if one.state in OURS and at_risk(one, now)]
    return sorted(found, key=lambda one: (one.due or 0, one.id))


async def overview(source: Source, read: Texts, figures: Figures, problems: list[str], now: int) -> Overview:
    """All of it for a supervisor. `problems` are those of `usherd status`."""
    state, names = source.state, source.names
    contacts = figures.open()
    nearly = risky(contacts, now)
    view = board(source, figures, problems, now)
    agents = _agents(source, contacts)
    shown, n = nearly[:RISKY_ROWS_MAX], state.n
    told = {one.id: one.message for one in state.incidents.values() if one.message}
    messages = await heads(read, shown)
    said = await read.messages(list(told.values())) if told else {}
    return Overview(
        n=n,
        board=view,
        agents=agents,
        risky=tuple(row(one, messages, names) for one in shown),
        answers={name: said[message].text for name, message in told.items() if message in said},
    )


def board(source: Source, figures: Figures, problems: list[str], now: int) -> Board:
    """What may hang on a wall: numbers and topics, nothing of any customer or agent."""
    state = source.state
    contacts = figures.open()
    nearly = risky(contacts, now)
    waiting = [one for one in contacts if one.state is ContactState.WAITING]
    statuses = Counter(roster.status_of(state, agent).value for agent in state.workspace.agents)
    return Board(
        now=now,
        workspace=source.names.display().name,
        waiting=len(waiting),
        oldest=min((_since(one) for one in waiting), default=None),
        at_risk=len(nearly),
        late=sum((one.due or 0) < now for one in nearly),
        open=len(contacts),
        topics=_topics(state, waiting, now),
        statuses=dict(statuses),
        today=figures.today(),
        problems=tuple(problems),
        incidents=tuple(_incident(state, one, contacts) for one in state.incidents.values()),
    )


def _incident(state: State, incident: Incident, contacts: list[Contact]) -> IncidentRow:
    since = incident.began // HOUR_MS * HOUR_MS
    affected = [
        one
        for one in contacts
        if one.opened_at >= since
        and sort_topics(state.workspace, one.topics, certain=one.topics_set)[0] == incident.topic
    ]
    return IncidentRow(
        id=incident.id,
        topic=incident.topic,
        label=texts.label(incident.topic),
        began=incident.began,
        contacts=incident.contacts,
        usual=incident.usual / 100,
        affected=len(affected),
        told=bool(incident.message),
    )


def _since(contact: Contact) -> int:
    return contact.waiting_since or contact.opened_at


def _topics(state: State, waiting: list[Contact], now: int) -> tuple[TopicQueue, ...]:
    """By the best topic, the longest queue first; agents who could take at least one of a topic's contacts."""
    held: dict[str, list[Contact]] = {}
    for contact in waiting:
        topics = shown_topics(contact)
        held.setdefault(topics[0][0] if topics else "", []).append(contact)
    free: dict[tuple[Requirement, str], tuple[set[str], set[str]]] = {}
    found = []
    for topic, contacts in held.items():
        able: set[str] = set()
        room: set[str] = set()
        for profile in {(one.requirement, one.kind) for one in contacts}:
            if profile not in free:
                free[profile] = _who(state, *profile)
            able |= free[profile][0]
            room |= free[profile][1]
        found.append(
            TopicQueue(
                topic=topic,
                label=texts.label(topic) if topic else texts.NO_TOPIC,
                waiting=len(contacts),
                oldest=min(map(_since, contacts)),
                at_risk=sum(at_risk(one, now) for one in contacts),
                able=len(able),
                free=len(room),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.waiting, one.label)))


def _who(state: State, requirement: Requirement, kind: str) -> tuple[set[str], set[str]]:
    """Agents with the skills, and those of them who have room now."""
    able = [agent for agent in state.workspace.agents.values() if roster.able(agent, requirement)]
    return {one.id for one in able}, {one.id for one in able if roster.room(state, one, kind)}


def _agents(source: Source, contacts: list[Contact]) -> tuple[AgentLoad, ...]:
    state, names = source.state, source.names
    states: Counter[tuple[str | None, ContactState]] = Counter((one.agent, one.state) for one in contacts)
    offers = Counter(one.offer.agent for one in contacts if one.offer is not None)
    found = [_load(source, state, names, agent, states, offers) for agent in state.workspace.agents]
    order = {status: place for place, status in enumerate(("available", "busy", "away", "offline"))}
    return tuple(sorted(found, key=lambda one: (order[one.status], one.name.casefold(), one.id)))


def _load(
    source: Source,
    state: State,
    names: Directory,
    agent: str,
    states: Counter[tuple[str | None, ContactState]],
    offers: Counter[str],
) -> AgentLoad:
    known, desk = state.workspace.agents[agent], state.agents.get(agent)
    return AgentLoad(
        id=agent,
        name=person_name(names, agent),
        team=names.team(known.team),
        status=roster.status_of(state, agent).value,
        since=desk.status_since if desk is not None else 0,
        on_shift=desk.on_shift if desk is not None else True,
        capacity=roster.bars(state, known),
        utilisation=source.utilisation(agent) * 100 // WHOLE,
        offered=offers[agent],
        open=states[agent, ContactState.ASSIGNED],
        parked=states[agent, ContactState.WAITING_CUSTOMER] + states[agent, ContactState.SNOOZED],
    )
