"""What supervisors ask: the queue, the agents, the contacts. The JSON keys are stable (DESIGN.md, "Commands")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from router.core.message import Message
from router.core.state import Contact, MessageRef, State
from router.core.transitions import ContactState
from router.core.values import WHOLE, Requirement
from router.desk import roster
from router.desk.ports import Source, Texts
from router.desk.summaries import ends

Json = dict[str, object]
MESSAGES_PER_READ = 500


def instant(ms: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, or None."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def requirement_json(requirement: Requirement) -> Json:
    """`{"must": {skill: level}, "prefer": {…}}`."""
    return {"must": dict(requirement.must), "prefer": dict(requirement.prefer)}


def queue(state: State, waiting: list[Contact], now: int) -> Json:
    """The JSON of `usherd queue`: who waits, by profile, the longest queue first. `now` in ms."""
    profiles: dict[tuple[Requirement, str], list[Contact]] = {}
    for contact in waiting:
        profiles.setdefault((contact.requirement, contact.kind), []).append(contact)
    found = [_profile(state, requirement, kind, held, now) for (requirement, kind), held in profiles.items()]
    found.sort(key=lambda one: (-one[0], one[1]))
    return {"waiting": len(waiting), "profiles": [profile for *_, profile in found]}


def _profile(state: State, requirement: Requirement, kind: str, held: list[Contact], now: int) -> tuple[int, str, Json]:
    oldest = min(contact.waiting_since or contact.opened_at for contact in held)
    able = [agent for agent in state.workspace.agents.values() if roster.able(agent, requirement)]
    free = sum(roster.room(state, agent, kind) for agent in able)
    profile: Json = {
        "requirement": requirement_json(requirement),
        "kind": kind,
        "waiting": len(held),
        "oldest_seconds": max(0, now - oldest) // 1000,
        "able": len(able),
        "free": free,
    }
    return len(held), f"{kind} {requirement.must}", profile


def agents(source: Source) -> Json:
    """The JSON of `usherd agents`, by id. `held` counts what is offered or in the agent's court."""
    state = source.state
    found = []
    for agent in sorted(state.workspace.agents.values(), key=lambda one: one.id):
        held = roster.held_by_kind(state, state.agents.get(agent.id))
        capacity: Json = dict(agent.capacity)
        if agent.units is not None:
            capacity["units"] = agent.units
        found.append(
            {
                "id": agent.id,
                "status": roster.status_of(state, agent.id).value,
                "held": held.total(),
                "units": roster.units_held(state.workspace, held),
                "capacity": capacity,
                "utilisation": source.utilisation(agent.id) / WHOLE,
                "skills": dict(sorted(agent.skills.items())),
            }
        )
    return {"agents": found}


async def contacts(source: Source, read: Texts, chosen: Callable[[Contact], bool]) -> Json:
    """The JSON of `usherd contacts`: those that `chosen` wants, oldest first."""
    listed = sorted(filter(chosen, source.state.contacts.values()), key=lambda one: (one.opened_at, one.id))
    ids = dict.fromkeys(ref.id for contact in listed for ref in contact.messages)
    messages = await _read(read, ids)
    return {"contacts": [_contact(contact, messages) for contact in listed]}


def wanted(*, resolved: bool, agent: str | None) -> Callable[[Contact], bool]:
    """A choice for `contacts`: with resolved ones or not, of one agent (held or offered) or of all."""

    def chosen(contact: Contact) -> bool:
        if not resolved and contact.state is ContactState.RESOLVED:
            return False
        holder = contact.offer.agent if contact.offer is not None else contact.agent
        return agent is None or agent == holder

    return chosen


async def autos(source: Source, read: Texts) -> Json:
    """The JSON of `usherd contacts --auto`: stored messages that opened no contact, oldest first."""
    listed = sorted(source.state.autos.values(), key=lambda one: (one.at, one.message))
    messages = await _read(read, [one.message for one in listed])
    found = []
    for one in listed:
        message = messages.get(one.message)
        found.append(
            {
                "id": one.message,
                "channel": one.channel,
                "auto": one.auto,
                "at": instant(one.at),
                "from": message.from_.address if message else None,
                "subject": message.subject if message else None,
                "external_id": message.message_id if message else None,
            }
        )
    return {"auto": found}


async def _read(read: Texts, ids: Iterable[str]) -> dict[str, Message]:
    """All of them, in reads of a bounded size."""
    listed = list(ids)
    found: dict[str, Message] = {}
    for start in range(0, len(listed), MESSAGES_PER_READ):
        found |= await read.messages(listed[start : start + MESSAGES_PER_READ])
    return found


def _contact(contact: Contact, messages: Mapping[str, Message]) -> Json:
    first, _ = ends(contact)
    opening = messages.get(first.id) if first else None
    return {
        "id": contact.id,
        "state": contact.state.value,
        "channel": contact.channel,
        "kind": contact.kind,
        "customer": contact.customer,
        "subject": opening.subject if opening else None,
        "topics": [{"topic": topic, "p": p / WHOLE} for topic, p in contact.topics],
        "moods": list(contact.moods),
        "requirement": requirement_json(contact.requirement),
        "priority": contact.priority.value,
        "agent": contact.agent,
        "flag": contact.flag or None,
        "opened_at": instant(contact.opened_at),
        "due_at": instant(contact.due),
        "messages": [_message(ref, messages.get(ref.id)) for ref in contact.messages],
    }


def _message(ref: MessageRef, message: Message | None) -> Json:
    return {
        "id": ref.id,
        "direction": ref.direction,
        "external_id": message.message_id if message else None,
        "at": instant(ref.at),
        "delivery": ref.delivery.value if ref.delivery is not None else None,
    }
