"""The auditor's own idea of the rules: who may be given what. It shares no code with the engine's matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.events import Event
    from router.core.state import Contact, State
    from router.core.values import Agent, Requirement, Skills, Workspace


def by_person(event: Event, decision: d.OfferTo | d.AssignTo) -> bool:
    """A person's assignment, or the acceptance of an offer that was judged when it was made."""
    if isinstance(event, e.OfferAccepted) and isinstance(decision, d.AssignTo) and event.contact == decision.contact:
        return True
    return decision.explanation.manual


def on_shift(workspace: Workspace, agent: Agent, at: int) -> bool:
    """Whether an agent works at an instant, by the calendar; without one they always may."""
    hours = workspace.calendars.get(agent.calendar or "")
    return hours is None or any(start <= at < end for start, end in hours)


def holds(agent: Agent, must: Skills) -> bool:
    """Whether an agent has the skills at their levels."""
    return all(agent.skills.get(skill, 0) >= level for skill, level in must)


def must_have(contact: Contact, workspace: Workspace) -> Skills:
    """What a contact must have once the relaxation steps in force are counted."""
    lower = [step.lower for step in workspace.relax[: contact.relaxed] if step.lower]
    must: list[tuple[str, int]] = []
    for skill, level in contact.requirement.must:
        must.append((skill, level if skill.startswith("lang:") else max(min(level, 1), level - sum(lower))))
    return tuple(must)


def asks_enough(asked: Requirement, contact: Contact, workspace: Workspace) -> bool:
    """Whether an agent was asked for at least what the contact requires."""
    levels = dict(asked.must)
    return all(levels.get(skill, 0) >= level for skill, level in must_have(contact, workspace))


def in_team(workspace: Workspace, agent: Agent, team: str) -> bool:
    """Whether an agent is of a team, by their own word or the team's."""
    return agent.team == team or (team in workspace.teams and agent.id in workspace.teams[team].members)


def over_capacity(workspace: Workspace, agent: Agent, held: dict[str, str], kind: str) -> bool:
    """Whether an agent holds more than they can: of one kind, or in units."""
    kinds = list(held.values())
    if kinds.count(kind) > agent.capacity.get(kind, 0):
        return True
    units = sum(workspace.unit_costs.get(kind, 1) for kind in kinds)
    return agent.units is not None and units > agent.units


def alike(one: Contact, other: Contact) -> bool:
    """Same profile, target and priority, and no promise kept or paused yet."""

    def traits(contact: Contact) -> tuple[object, ...]:
        return (
            contact.requirement, contact.kind, contact.team, contact.priority, contact.sla, contact.relaxed,
            contact.responded, contact.resolution_used, contact.turn_at == contact.opened_at,
        )  # fmt: skip

    return traits(one) == traits(other)


def rightful_holder(contact: Contact) -> str | None:
    """Who should have a contact, by its state."""
    if contact.offer is not None:
        return contact.offer.agent
    return None if contact.state is ContactState.RESOLVED else contact.agent


def known_for_nothing(state: State) -> list[str]:
    """Customers whose identities are kept although no contact is theirs, and nobody is known to have served them."""
    kept = {contact.customer: 1 for contact in state.contacts.values()} | dict.fromkeys(state.last_agent, 1)
    return [customer for customer in state.identities.values() if customer not in kept]
