"""The clocks of one contact: what is promised until when, and which of its timers comes next.

A response is promised from the moment the customer wrote until somebody answers; a resolution from the opening until it
is resolved, paused while the contact waits on the customer or sleeps. Each contact has one timer: its next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import levelling, sla
from router.core.transitions import ContactState
from router.core.values import WHOLE, Status

if TYPE_CHECKING:
    from router.core.state import Contact, State
    from router.core.values import Interval, Workspace

NO_PROMISE = 8 * 3_600_000  # contacts without a promise are sorted as if this were promised
GONE = (Status.AWAY, Status.OFFLINE)


def start_response(workspace: Workspace, contact: Contact, at: int) -> None:
    """The customer wrote: a response is owed from now on, unless one is owed already."""
    if contact.response_from is None:
        contact.response_from = at
        contact.escalated = 0
    renew(workspace, contact)


def stop_response(contact: Contact) -> None:
    """Somebody answered; `pause_resolution` is next and renews what is promised."""
    contact.response_from = None
    contact.responded = True
    contact.escalated = 0


def run_resolution(workspace: Workspace, contact: Contact, at: int) -> None:
    """The clock of the resolution runs from now on."""
    if contact.resolution_since is None:
        contact.resolution_since = at
        renew(workspace, contact)


def pause_resolution(workspace: Workspace, contact: Contact, at: int) -> None:
    """It stands still: the ball is with the customer, or the contact sleeps."""
    if contact.resolution_since is not None:
        hours = intervals(workspace, contact)
        contact.resolution_used += sla.elapsed(contact.resolution_since, at, hours)
        contact.resolution_since = None
    renew(workspace, contact)


def restart(workspace: Workspace, contact: Contact, at: int) -> None:
    """Opened, or reopened after it was resolved: all clocks begin anew; who was answered is owed a next response."""
    contact.resolution_used = 0
    contact.resolution_since = at
    contact.response_from = at
    contact.escalated = 0
    renew(workspace, contact)


def renew(workspace: Workspace, contact: Contact) -> None:
    """Compute from clocks, promises and priority: the due times, the key in the line, and the next escalation."""
    hours = intervals(workspace, contact)
    promised = contact.sla
    response = resolution = None
    target = promised.next_response if contact.responded else promised.first_response
    if target is not None and contact.response_from is not None:
        response = sla.due(contact.response_from, target, hours)
    if promised.resolution is not None and contact.resolution_since is not None:
        resolution = sla.due(contact.resolution_since, max(0, promised.resolution - contact.resolution_used), hours)
    contact.response_due, contact.resolution_due = response, resolution
    contact.due = due = (
        response if resolution is None or (response is not None and response < resolution) else resolution
    )
    base = contact.turn_at + NO_PROMISE if due is None else due
    contact.order = base - workspace.credits.get(contact.priority, 0)
    contact.escalate_at = _next_escalation(contact, hours) if contact.escalated < len(contact.escalate) else None


def _next_escalation(contact: Contact, hours: tuple[Interval, ...] | None) -> int | None:
    """The instant at which the next step's share of the response (or else the resolution) target has passed."""
    share = contact.escalate[contact.escalated].share
    if contact.response_due is not None and contact.response_from is not None:
        target = contact.sla.next_response if contact.responded else contact.sla.first_response
        return sla.due(contact.response_from, (target or 0) * share // WHOLE, hours)
    if contact.resolution_due is not None and contact.resolution_since is not None:
        wanted = (contact.sla.resolution or 0) * share // WHOLE - contact.resolution_used
        return sla.due(contact.resolution_since, max(0, wanted), hours)
    return None


def intervals(workspace: Workspace, contact: Contact) -> tuple[Interval, ...] | None:
    """The business hours of a contact's promises; None: around the clock."""
    name = contact.sla.calendar
    return None if name is None else workspace.calendars.get(name)


def next_timer(state: State, contact: Contact) -> int | None:
    """The instant at which something is to happen to a contact by itself; None: nothing will."""
    workspace = state.workspace
    instants: list[int | None] = []
    if contact.state is ContactState.WAITING:
        step = contact.relaxed
        instants = [
            None if contact.missed else contact.due,
            contact.sticky_until,
            contact.ask_again_at,
            contact.escalate_at,
            levelling.until(workspace, contact) if workspace.even_out else None,
            contact.turn_at + contact.paused + workspace.relax[step].after if step < len(workspace.relax) else None,
        ]
    elif contact.state is ContactState.OFFERED:
        instants = [contact.offer.until if contact.offer else None, contact.escalate_at]
    elif contact.state is ContactState.ASSIGNED:
        instants = [contact.escalate_at, hand_back_at(state, contact)]
    elif contact.state is ContactState.SNOOZED:
        instants = [contact.snoozed_until]
    elif contact.state is ContactState.RESOLVED:
        instants = [(contact.resolved_at or 0) + workspace.reopen_window]
    return min([at for at in instants if at is not None], default=None)


def hand_back_at(state: State, contact: Contact) -> int | None:
    """When a contact returns to the queue because its owner is gone; None: it stays, or the owner is here."""
    owner = state.agents.get(contact.agent or "")
    after = state.workspace.hand_back.get(contact.kind)
    if owner is None or after is None or owner.status not in GONE or state.workspace.shadow:
        return None
    return max(owner.status_since, contact.court_since) + after
