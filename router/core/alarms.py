"""What happens by itself: timers fire, in slices, so that a mass of overdue ones never holds up arrivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import clocks, incidents, intake, leaving, levelling, placing, presence, ramp
from router.core.decisions import NotifySupervisors
from router.core.timers import INCIDENT, RAMP, SHIFT
from router.core.transitions import ContactState
from router.core.values import RISING

if TYPE_CHECKING:
    from router.core.state import Contact
    from router.core.values import Escalation
    from router.core.work import Work

SLICE_MAX = 256  # timers fired by one event


def fire_due(work: Work) -> None:
    """Fire the timers that are due, at most a slice of them."""
    for _ in range(SLICE_MAX):
        at = work.index.timers.first()
        if at is None or at > work.now:
            return
        group, name = work.index.timers.pop()
        if group == SHIFT:
            presence.turn_shift(work, work.index.seats[name])
        elif group == RAMP:
            ramp.over(work, work.index.seats[name])
        elif group == INCIDENT:
            incidents.look(work, name)
        else:
            contact = work.state.contacts[name]
            _fire(work, contact)
            if name in work.state.contacts:
                work.touch(contact)


def _fire(work: Work, contact: Contact) -> None:
    """Do the one thing of a contact that is due; the next is a timer of its own."""
    now = work.now
    if contact.state is ContactState.RESOLVED:
        leaving.leave(work, contact)
    elif contact.state is ContactState.SNOOZED:
        intake.wake(work, contact, "customer_wrote")
    elif contact.escalate_at is not None and contact.escalate_at <= now:
        _escalate(work, contact)
    elif contact.state is ContactState.OFFERED:
        presence.lapse(work, contact)
    elif contact.state is ContactState.ASSIGNED:
        presence.hand_back(work, contact)
    else:
        _fire_waiting(work, contact)


def _fire_waiting(work: Work, contact: Contact) -> None:
    """Something is due while it waits: all of it at once, then one look for an agent."""
    now = work.now
    workspace = work.workspace
    left_until = levelling.until(workspace, contact)
    if contact.due is not None and contact.due <= now:
        contact.missed = True
    look = False
    if left_until is not None and (contact.missed or left_until <= now):
        contact.evened = look = True
    if contact.sticky_until is not None and contact.sticky_until <= now:
        contact.sticky_until = None
        contact.prefer_agent = None
        look = True
    if contact.ask_again_at is not None and contact.ask_again_at <= now:
        contact.ask_again_at = None
        contact.declined = []
        look = True
    while contact.relaxed < len(workspace.relax):
        step = workspace.relax[contact.relaxed]
        if contact.turn_at + contact.paused + step.after > now:
            break
        contact.relaxed += 1
        if step.widen is not None:
            placing.widen(work, contact)
        look = True
    work.touch(contact)
    if look:
        placing.place(work, contact)


def _escalate(work: Work, contact: Contact) -> None:
    """The next step as a promise nears: tell, raise, widen, give to another team."""
    step: Escalation = contact.escalate[contact.escalated]
    contact.escalated += 1
    if step.notify is not None:
        work.emit(NotifySupervisors(reason="escalation", contact=contact.id, detail=step.notify))
    raised = step.priority is not None and RISING.index(step.priority) > RISING.index(contact.priority)
    if step.priority is not None and raised:
        contact.priority = step.priority
    clocks.renew(work.workspace, contact)
    moved = step.widen and placing.widen(work, contact)
    if step.reassign is not None and step.reassign in work.workspace.teams and contact.team != step.reassign:
        _take_for(work, contact)
        placing.give_to_team(work, contact, step.reassign)
        moved = True
    if raised or moved:
        placing.announce(work, contact)
    if moved and contact.state is ContactState.WAITING:
        contact.sticky_until = None
        placing.place(work, contact)


def _take_for(work: Work, contact: Contact) -> None:
    """Another team gets it: whoever has it now gives it back."""
    if contact.offer is not None:
        placing.withdraw(work, contact, "escalation")
    if contact.agent is not None:
        placing.release(work, contact, "escalation")
        placing.wait(work, contact)
