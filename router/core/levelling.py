"""Levelling (`even_out`): a mail that can wait is left to the one who did least, for a while, if the workspace says so.

`Workspace.even_out` says by kind for how long, from when the customer wrote. Until then only those may take it who, of
all who are able and here, whether free or not, miss the fewest preferred skills and are in the lowest band of
utilisation. The others stay free for what cannot wait. Nobody waits for somebody who is not here, and who served this
customer last may take it at once. It is looked at again at its time, when somebody comes, goes or becomes free, and
every five minutes; what somebody declined, or has missed its promise, waits for nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import ledger

if TYPE_CHECKING:
    from router.core.board import Line, Profile, Seat
    from router.core.index import Index
    from router.core.state import Contact
    from router.core.values import Workspace
    from router.core.work import Work

LEFT = "leaves it to who did less"


def until(workspace: Workspace, contact: Contact) -> int | None:
    """The instant from which anybody may take a contact; None: anybody may already, or at any time."""
    span = workspace.even_out.get(contact.kind)
    if not span or contact.evened or contact.missed or contact.declined or contact.sticky_until is not None:
        return None
    return contact.turn_at + contact.paused + span


def left(index: Index, profile: Profile, contact: Contact | None) -> dict[str, str]:
    """Able agents with room who leave a contact to those who did less, and why."""
    if contact is None or profile.by_idle or until(index.state.workspace, contact) is None:
        return {}
    least = _least(profile)
    bit = profile.line.bit
    return {
        seat.agent.id: LEFT
        for seat in profile.able
        if seat.room & bit and seat.agent.id != contact.prefer_agent and _burden(profile, seat) > least
    }


def leaves(index: Index, profile: Profile, line: Line, seat: Seat) -> bool:
    """Whether an agent with room leaves all of a line to others, but for what somebody declined."""
    if profile.kind not in index.state.workspace.even_out or profile.by_idle:
        return False
    head = index.head(line, seat.agent.id, missed=False)
    return (
        head is not None
        and not line.missed
        and head.prefer_agent != seat.agent.id
        and until(index.state.workspace, head) is not None
        and _burden(profile, seat) > _least(profile)
    )


def release(work: Work) -> None:
    """Somebody came or went, or a tick began: everybody with room looks again."""
    if work.workspace.even_out:
        for seat in work.index.seats.values():
            if seat.room:
                work.freed[seat.agent.id] = seat


def _least(profile: Profile) -> tuple[int, int]:
    return min((_burden(profile, seat) for seat in profile.able if not seat.absence), default=(0, 0))


def _burden(profile: Profile, seat: Seat) -> tuple[int, int]:
    """What ranks agents before anything else: preferred skills missing, then the band of utilisation."""
    return profile.shortfall.get(seat.agent.id, 0), seat.used // ledger.BAND
