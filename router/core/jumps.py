"""The clock jumps ahead: a machine slept, its clock was set, or nobody led for a while.

What was promised in wall time stands: promises to customers, shifts, snoozes, the reopen window. What is counted in the
attention of people present is moved along, because nobody could have paid any: offers, the wait for the customer's
own agent, relaxation by waited time, asking again, handing back. Otherwise all offers would lapse at the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import incidents
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.events import ClockJumped
    from router.core.state import AgentState, Contact
    from router.core.work import Work


def jump(work: Work, event: ClockJumped) -> None:
    """Engine time is already behind the jump. One to the back changes nothing: engine time goes on without a step."""
    if not event.taken or event.by_ms <= 0:
        return
    incidents.leave_out(work, work.now - event.by_ms)
    for contact in work.state.contacts.values():
        if contact.state is not ContactState.RESOLVED:
            _move_contact(contact, event.by_ms, work.now)
    for agent in work.state.agents.values():
        _move_agent(agent, event.by_ms, work.now)
    for contact in work.state.contacts.values():
        work.touch(contact)  # its next timer; also when its owner alone was moved
    for seat in work.index.seats.values():
        work.index.refresh_rank(seat)


def _move_contact(contact: Contact, by: int, now: int) -> None:
    contact.paused += by
    contact.court_since = min(now, contact.court_since + by)
    if contact.sticky_until is not None:
        contact.sticky_until += by
    if contact.ask_again_at is not None:
        contact.ask_again_at += by
    if contact.offer is not None:
        contact.offer.at = min(now, contact.offer.at + by)
        contact.offer.until += by


def _move_agent(agent: AgentState, by: int, now: int) -> None:
    agent.status_since = min(now, agent.status_since + by)
    agent.shared_at = min(now, agent.shared_at + by)
    agent.idle_since = min(now, agent.idle_since + by)
    if agent.available_since is not None:
        agent.available_since = min(now, agent.available_since + by)
