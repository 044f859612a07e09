"""The auditor's own idea of the rules: who may be given what. It shares no code with the engine's matching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState
from router.core.values import WHOLE, Status

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


def may_serve_team(workspace: Workspace, agent: Agent, team: str, helper: str | None) -> bool:
    """Whether an agent is of a team, or of the one that helps it out now."""
    return in_team(workspace, agent, team) or (helper is not None and in_team(workspace, agent, helper))


def _is_here(state: State, agent: Agent) -> bool:
    """Whether an agent could be given work now, if they had room."""
    present = state.workspace.shadow or state.agents[agent.id].status is Status.AVAILABLE
    return present and on_shift(state.workspace, agent, state.at)


def _able(state: State, contact: Contact) -> list[Agent]:
    """Who could ever serve a contact."""
    workspace, wanted = state.workspace, must_have(contact, state.workspace)
    helper = state.overflowing.get(contact.team or "")
    return [
        agent
        for agent in workspace.agents.values()
        if holds(agent, wanted) and agent.capacity.get(contact.kind, 0) > 0
        and (agent.units is None or agent.units >= workspace.unit_costs.get(contact.kind, 1))
        and (contact.team is None or may_serve_team(workspace, agent, contact.team, helper))
    ]  # fmt: skip


def excused(state: State, contact: Contact, name: str) -> bool:
    """Whether a contact may wait beside an agent who could take it: for a reserve, or for others with less work.

    Who has less is not judged here, only that nothing waits for that longer than the workspace says.
    """
    span = state.workspace.even_out.get(contact.kind, 0)
    evened = state.at < contact.turn_at + contact.paused + span and not (contact.missed or contact.declined)
    return evened or is_kept(state, contact, name) or is_spared(state, contact, name)


def is_kept(state: State, contact: Contact, name: str) -> bool:
    """Whether an agent is kept free of a contact that others, who are here, could take: for a scarce skill."""
    workspace = state.workspace
    if contact.declined:
        return False

    def idle(agent: Agent) -> bool:
        held = [state.contacts[held].kind for held in state.agents[agent.id].held]
        return _is_here(state, agent) and not overfull(state, agent, [*held, contact.kind], contact.kind)

    able = _able(state, contact)
    kept: dict[str, str] = {}
    for skill, level in state.reserves.items():
        holders = [agent for agent in workspace.agents.values() if skill in agent.skills]
        free = [agent.id for agent in holders if idle(agent)]
        relative = workspace.reserve_auto and 4 * len(holders) > len(able)
        if skill not in dict(contact.requirement.must) and len(free) <= level and not relative:
            kept.update((agent.id, skill) for agent in able if agent.id in free)
    return name in kept and any(_is_here(state, agent) and agent.id not in kept for agent in able)


def is_spared(state: State, contact: Contact, name: str) -> bool:
    """Whether an agent leaves a mail to those whose shift begins: they hold their share already."""
    workspace, minute = state.workspace, state.at - state.at % 60_000
    able = _able(state, contact)

    def awaited(agent: Agent) -> bool:
        known = state.agents[agent.id]
        if agent.calendar not in workspace.calendars or _is_here(state, agent):
            return False
        if not known.on_shift:
            return known.shift_edge is not None and known.shift_edge - minute <= workspace.ramp
        began = known.shift_began
        return known.status is Status.OFFLINE and began is not None and minute < began + workspace.ramp

    def line(one: Contact) -> tuple[object, ...]:
        dropped = any(step.drop for step in workspace.relax[: one.relaxed])
        return must_have(one, workspace), () if dropped else one.requirement.prefer, one.kind, one.team

    def mails(agent: Agent) -> int:
        return sum(state.contacts[held].kind == "email" for held in state.agents[agent.id].held)

    late = [agent for agent in able if awaited(agent)]
    if not workspace.ramp or contact.kind != "email" or not late:
        return False
    here = [agent for agent in able if _is_here(state, agent)]
    waiting = [one for one in state.contacts.values() if one.state is ContactState.WAITING and one.sticky_until is None]
    alike_ones = sum(line(one) == line(contact) for one in waiting)
    share = -(-(alike_ones + sum(mails(agent) for agent in here)) // (len(here) + len(late)))
    return mails(workspace.agents[name]) >= share


def may_help(workspace: Workspace, team: str, helper: str, helpers: dict[str, str | None]) -> bool:
    """Whether a team may help another out, `helpers` saying who helps whom already: never its own helper."""
    rule = workspace.teams[team].overflow if team in workspace.teams else None
    return rule is not None and rule.to == helper and helpers.get(helper) != team


def overfull(state: State, agent: Agent, held: list[str], kind: str) -> bool:
    """Whether an agent with contacts of these kinds holds too much: of one kind, in units, or for wake-ups."""
    workspace = state.workspace
    parked = [state.contacts[name].kind for name in state.agents[agent.id].parked]

    def over(now: int, asleep: int, limit: int) -> bool:
        margin = workspace.wake_margin
        too_many = margin is not None and asleep > 0 and now + asleep > limit + margin
        return too_many or (now - limit) * WHOLE + asleep * workspace.parked_cost > 0

    if over(held.count(kind), parked.count(kind), agent.capacity.get(kind, 0)):
        return True
    units, asleep = (sum(workspace.unit_costs.get(one, 1) for one in kinds) for kinds in (held, parked))
    return agent.units is not None and over(units, asleep, agent.units)


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


def writers_of(event: e.MessageReceived | e.MessageQuarantined | e.ContactStarted) -> tuple[str, ...]:
    """Who may write in the contact that an event opens."""
    if isinstance(event, e.ContactStarted):
        return (event.recipient,)
    return (event.sender, *event.cc) if isinstance(event, e.MessageReceived) else (event.sender,)


class Known(Protocol):
    """What an auditor knows of who may write where, and which signed links were used."""

    allowed: dict[str, dict[str, int]]
    proofs: dict[str, int]


def links_wrong(event: Event, decision: d.LinkIdentities | d.UnlinkIdentities, known: Known, state: State) -> list[str]:
    """What is wrong with a link, and who may write where from now on.

    Only a proof that came with the message, once, links, or an agent does; and whoever is parted takes no part any more
    in what stays.
    """
    if isinstance(decision, d.UnlinkIdentities):
        for contact in state.contacts.values():
            if contact.customer == decision.kept:
                for identity in decision.identities:
                    known.allowed[contact.id].pop(identity, None)
        return []
    wrong = [
        f"{name} is not its customer's"
        for name in decision.contacts
        if state.contacts[name].customer != decision.customer
    ]
    if not isinstance(event, e.MessageReceived):
        return wrong if isinstance(event, e.IdentitiesLinked) else [*wrong, "a link without a proof or an agent"]
    if event.sender not in decision.identities or not event.proof or event.proof in known.proofs:
        wrong.append("a signed link counts twice, or for somebody who did not show it")
    known.proofs[event.proof] = 1
    if decision.contact:
        if event.proves not in known.allowed[decision.contact]:
            wrong.append(f"{decision.contact} is gone on with by somebody who took no part in it")
        known.allowed[decision.contact][event.sender] = 1
    return wrong


def has_reason(event: Event, decision: d.SendAutoAnswer, contact: Contact, state: State) -> bool:
    """Whether a machine may write: the customer opened a contact, it was resolved, or a supervisor had it told."""
    if decision.answer == "csat":
        ended = isinstance(event, e.ContactResolved | e.ReplyWritten) and event.contact == contact.id
        return ended and contact.state is ContactState.RESOLVED and not contact.quiet
    if isinstance(event, e.IncidentAnswered):
        return decision.answer == "incident" and event.incident in state.incidents and not contact.quiet
    person = isinstance(event, e.MessageReceived) and event.auto is None and not event.quiet
    return person and contact.messages[0].id == getattr(event, "message", "")


def against_rules(
    decision: d.OfferTo | d.AssignTo, state: State, status: Status | None, kinds: list[str], helper: str | None
) -> list[str]:
    """In words, what the router may not have given an agent for. `kinds`: of all that they hold now."""
    workspace, contact = state.workspace, state.contacts[decision.contact]
    agent = workspace.agents.get(decision.agent)
    if agent is None:
        return ["is not in the workspace"]
    wrong: list[str] = []
    if status is not Status.AVAILABLE and not workspace.shadow:
        wrong.append(f"is {status}")
    if not on_shift(workspace, agent, state.at):
        wrong.append("is off shift")
    if not holds(agent, decision.explanation.requirement.must):
        wrong.append("lacks a skill")
    if not asks_enough(decision.explanation.requirement, contact, workspace):
        wrong.append("was asked for less than the contact requires")
    if contact.team is not None and not may_serve_team(workspace, agent, contact.team, helper):
        wrong.append("is not in the team")
    if overfull(state, agent, kinds, contact.kind):
        wrong.append("is over capacity")
    return wrong
