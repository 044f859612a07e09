"""How full agents are, and who could take what: for bars, hand-over lists and the queue report."""

from __future__ import annotations

from collections import Counter

from router.core.state import AgentState, Contact, State
from router.core.values import Agent, Requirement, Status, Workspace
from router.desk import texts
from router.desk.ports import Directory, Source
from router.desk.summaries import person_name
from router.desk.views import Bar, Colleague, People, TeamRow, Topic


def held_by_kind(state: State, desk: AgentState | None) -> Counter[str]:
    """How many contacts of each kind are offered to the agent or in their court."""
    if desk is None:
        return Counter()
    return Counter(contact.kind for held in desk.held if (contact := state.contacts.get(held)) is not None)


def units_held(workspace: Workspace, held: Counter[str]) -> int:
    """The same in units, the common measure over kinds."""
    return sum(number * workspace.unit_costs.get(kind, 1) for kind, number in held.items())


def bars(state: State, agent: Agent) -> tuple[Bar, ...]:
    """One bar per kind the agent takes, and one for units where they have a limit."""
    held = held_by_kind(state, state.agents.get(agent.id))
    kinds = dict.fromkeys((*agent.capacity, *held))
    found = [
        Bar(kind=kind, label=texts.kind(kind), held=held[kind], limit=agent.capacity.get(kind, 0)) for kind in kinds
    ]
    if agent.units is not None:
        used = units_held(state.workspace, held)
        found.append(Bar(kind="units", label=texts.kind("units"), held=used, limit=agent.units))
    return tuple(found)


def able(agent: Agent, requirement: Requirement) -> bool:
    """Whether the agent has every skill the contact must have, at its level."""
    return all(agent.skills.get(skill, 0) >= level for skill, level in requirement.must)


def room(state: State, agent: Agent, kind: str) -> bool:
    """Whether the agent could take one more of this kind now: available, and below every limit."""
    desk = state.agents.get(agent.id)
    if desk is None or desk.status is not Status.AVAILABLE:
        return False
    held = held_by_kind(state, desk)
    if held[kind] >= agent.capacity.get(kind, 0):
        return False
    cost = state.workspace.unit_costs.get(kind, 1)
    return agent.units is None or units_held(state.workspace, held) + cost <= agent.units


def status_of(state: State, agent: str) -> Status:
    """The agent's status; offline for one who was never seen."""
    desk = state.agents.get(agent)
    return desk.status if desk is not None else Status.OFFLINE


def people(source: Source, contact: Contact, but: str) -> People:
    """Whom `contact` may be handed to, the fittest first, without the agent `but`; and all topics."""
    state, names = source.state, source.names
    agents = [
        Colleague(
            id=agent.id,
            name=person_name(names, agent.id),
            team=names.team(agent.team),
            status=status_of(state, agent.id).value,
            able=able(agent, contact.requirement),
            room=room(state, agent, contact.kind),
        )
        for agent in state.workspace.agents.values()
        if agent.id != but
    ]
    agents.sort(key=lambda one: (not one.able, not one.room, one.status != Status.AVAILABLE, one.name.casefold()))
    teams = tuple(_team(state, names, team.id, team.members) for team in state.workspace.teams.values())
    return People(agents=tuple(agents), teams=teams, topics=topics(state))


def topics(state: State) -> tuple[Topic, ...]:
    """All topics of the workspace."""
    return tuple(Topic(id=topic, label=texts.label(topic), p=0) for topic in state.workspace.topics)


def _team(state: State, names: Directory, team: str, members: tuple[str, ...]) -> TeamRow:
    available = sum(status_of(state, member) is Status.AVAILABLE for member in members)
    return TeamRow(id=team, name=names.team(team), members=len(members), available=available)
