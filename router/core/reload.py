"""A workspace comes into force while contacts are open: atomic, and nothing open is lost.

Promises stand as they were made. What waits or is offered is judged by the new rules; what an agent owns stays with
them; what a removed agent owned returns to the queue, at its old place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import learning, overflow, placing, reserve, sla
from router.core.decisions import NotifySupervisors, ReleaseContact, RescindOffer, SetStatus
from router.core.ledger import open_presence
from router.core.state import AgentState
from router.core.transitions import ContactState
from router.core.values import Status

if TYPE_CHECKING:
    from router.core.events import WorkspaceChanged
    from router.core.state import Contact
    from router.core.values import Workspace
    from router.core.work import Work


def change_workspace(work: Work, event: WorkspaceChanged) -> None:
    """Put a workspace in force, if what it was made from still is."""
    state = work.state
    if event.base is not None and event.base != state.version:
        work.refuse("stale-base", state.version)
        return
    former = state.workspace
    state.version = event.version
    work.workspace = state.workspace = event.workspace
    if former.auto_answers != event.workspace.auto_answers:
        # somebody has looked at them
        state.auto_answers_off_until = state.bounce_storm_until = state.bounces_heeded_from = 0
    homeless = _remove_agents(work)
    for name, agent in sorted(event.workspace.agents.items()):
        if name not in state.agents:
            state.agents[name] = AgentState(id=name, status_since=work.now, idle_since=work.now)
        if former.utilisation_window != event.workspace.utilisation_window:
            _reset_ledger(state.agents[name], work.now)
        hours = None if agent.calendar is None else event.workspace.calendars.get(agent.calendar)
        shift = (True, None) if hours is None else sla.open_at(work.now, hours)
        state.agents[name].on_shift, state.agents[name].shift_edge = shift
        state.agents[name].shift_began = None
    _forget_owners(work, homeless)
    overflow.keep_those_in_force(work)
    learning.keep_known(work)
    kept = _timers(former) == _timers(event.workspace)
    work.index.reload(keep_timers=kept)
    for seat in work.index.seats.values():
        work.be_present(seat)
    reserve.renew(work)
    for contact in homeless:
        placing.wait(work, contact)
    for contact in state.contacts.values():
        if contact.state in {ContactState.WAITING, ContactState.OFFERED}:
            _judge(work, contact, same_timers=kept)
        elif not kept:
            work.touch(contact)
    for contact in homeless:
        placing.place(work, contact)


def _remove_agents(work: Work) -> list[Contact]:
    """Agents who are not in the new workspace; returns the contacts that they owned or were offered."""
    state = work.state
    homeless: list[Contact] = []
    for name in [name for name in state.agents if name not in state.workspace.agents]:
        gone = state.agents.pop(name)
        owned = [state.contacts[held] for held in (*gone.held, *gone.parked)]
        if owned:
            detail = f"{name}: {len(owned)}"
            work.emit(NotifySupervisors(reason="owner-removed", detail=detail))
        homeless += owned
        work.emit(SetStatus(agent=name, status=Status.OFFLINE, reason="removed"))
    return homeless


def _forget_owners(work: Work, homeless: list[Contact]) -> None:
    for contact in homeless:
        if contact.offer is not None:
            offer = contact.offer
            contact.offer = None
            work.emit(RescindOffer(contact=contact.id, agent=offer.agent, offer=offer.id, reason="workspace"))
        else:
            assert contact.agent is not None
            work.emit(ReleaseContact(contact=contact.id, agent=contact.agent, reason="removed"))
            contact.agent = None
        learning.forget(contact)


def _reset_ledger(agent: AgentState, at: int) -> None:
    """The window has another length, so that old slots mean nothing: everybody starts level."""
    agent.presence.clear()
    agent.credited.clear()
    if agent.available_since is not None:
        agent.available_since = None
        open_presence(agent, at)


def _timers(workspace: Workspace) -> tuple[object, ...]:
    """What the next timer of a contact depends on, besides the contact and its owner."""
    return workspace.relax, workspace.hand_back, workspace.reopen_window, workspace.shadow, workspace.even_out


def _judge(work: Work, contact: Contact, *, same_timers: bool) -> None:
    """Judge a contact that nobody owns by the new rules; an offer stands if its agent is still able.

    There may be a hundred thousand of them: what stays as it was is only entered into its line again.
    """
    requirement, team, priority = contact.requirement, contact.team, contact.priority
    was_dead_end = contact.dead_end
    if contact.flag != "quarantined":
        outcome = work.index.outcome(contact)
        if not contact.priority_set:
            contact.priority = outcome.priority
        placing.route(work, contact, outcome)
        placing.widen_again(work, contact)
    changed = contact.team != team or contact.priority is not priority or contact.requirement != requirement
    if changed:
        placing.announce(work, contact)
        if not was_dead_end:
            placing.tell_dead_end(work, contact)
    if contact.sticky_until is not None:
        contact.sticky_until = None  # the agent it waits for may be gone, or able no more: look again
        placing.place(work, contact)
        changed = True
    if contact.offer is None and same_timers and not changed:
        work.index.line_up(contact, work.index.entries.get(contact.id))
        return
    work.touch(contact)
    if contact.offer is not None and contact.offer.agent not in work.index.profile_of(contact).able_ids:
        placing.withdraw(work, contact, "workspace")
        placing.place(work, contact)
