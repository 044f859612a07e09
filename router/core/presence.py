"""Agents come and go: status, shifts, lapsed offers, and what becomes of their contacts.

When an agent is no longer available, offers return at their old place at once; open contacts stay with them, or return
after a time per kind (`hand_back`), which is a timer of each contact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import placing
from router.core.decisions import SetStatus
from router.core.values import Status

if TYPE_CHECKING:
    from router.core.board import Seat
    from router.core.events import StatusSet
    from router.core.state import Contact
    from router.core.work import Work


def set_status(work: Work, event: StatusSet) -> None:
    """An agent sets their own status; a supervisor may set another's."""
    target = event.target or event.agent
    if target not in work.workspace.agents:
        work.refuse("no-such-agent", target)
    elif target != event.agent and not work.supervises(event.agent):
        work.refuse("not-allowed", target)
    else:
        change_status(work, work.index.seats[target], event.status, "asked")


def change_status(work: Work, seat: Seat, status: Status, reason: str) -> None:
    """Set a status, and do to offers and contacts what follows from it."""
    state = seat.state
    if state.status is not status:
        state.status = status
        state.status_since = work.now
    if status is Status.AVAILABLE:
        state.lapses = 0
        state.idle_since = work.now
    work.be_present(seat)
    work.emit(SetStatus(agent=seat.agent.id, status=status, reason=reason))
    held = [work.state.contacts[name] for name in list(state.held)]
    for contact in held:
        work.touch(contact)  # whether it is handed back, and when, depends on the owner's status
    if status is not Status.AVAILABLE:
        for contact in held:
            if contact.offer is not None:
                placing.withdraw(work, contact, "away")
                placing.place(work, contact)
        placing.unstick(work, seat)


def turn_shift(work: Work, seat: Seat) -> None:
    """The agent's shift began or ended. Who works on after hours keeps their contacts, and offers made in time."""
    work.turn_shift(seat)
    if seat.absence:
        placing.unstick(work, seat)


def lapse(work: Work, contact: Contact) -> None:
    """Nobody answered an offer in time: others are asked first now; who lets several lapse in a row is set away."""
    offer = contact.offer
    assert offer is not None
    seat = work.index.seats[offer.agent]
    seat.state.lapses += 1
    contact.lapsed = sorted({*contact.lapsed, offer.agent})
    placing.withdraw(work, contact, "lapsed", "lapse")
    if seat.state.lapses >= work.workspace.away_after_lapses:
        change_status(work, seat, Status.AWAY, "lapses")
    placing.place(work, contact)


def hand_back(work: Work, contact: Contact) -> None:
    """The owner has been gone for too long: it returns to the queue, at its old place."""
    placing.release(work, contact, "away")
    placing.wait(work, contact)
    placing.place(work, contact)
