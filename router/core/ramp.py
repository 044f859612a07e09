"""Backlog fairness: who comes first in the morning gets a share of the night's mail, not all that fits.

While agents whose shift has just begun, or is about to, are not there yet, each agent who is there holds at most

    (mails waiting in the line + mails held by those there who serve it) / (those there + those about to start),

rounded up; the rest waits for the others. It ends for each of them when they come, say that they are busy or away, or
`Workspace.ramp` after their shift began; then everybody with room looks again, in one joint pass. Chats never wait for
anybody's shift. Whether a shift is near is judged by the whole minute, so that it changes between minutes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.values import Status

if TYPE_CHECKING:
    from router.core.board import Profile, Seat
    from router.core.index import Index
    from router.core.state import AgentState
    from router.core.work import Work

KIND = "email"
MINUTE = 60_000
SPARED = "leaves some to those about to start"


def starters(index: Index) -> dict[str, Seat]:
    """Agents who are not there and are about to start, or should have by now; looked for once a minute."""
    minute = index.state.at // MINUTE
    if index.starters is None or index.starters[0] != minute:
        found = {seat.agent.id: seat for seat in index.seats.values() if _about_to_start(index, seat, minute * MINUTE)}
        index.starters = (minute, found)
    return index.starters[1]


def _about_to_start(index: Index, seat: Seat, at: int) -> bool:
    workspace, state = index.state.workspace, seat.state
    if not workspace.ramp or not seat.absence or seat.agent.calendar not in workspace.calendars:
        return False
    if not state.on_shift:
        return state.shift_edge is not None and state.shift_edge - at <= workspace.ramp
    return state.status is Status.OFFLINE and state.shift_began is not None and at < state.shift_began + workspace.ramp


def is_on(index: Index) -> bool:
    """Whether anybody is waited for."""
    return bool(index.state.workspace.ramp) and bool(starters(index))


def until(state: AgentState, ramp: int) -> int | None:
    """The instant from which the others no longer wait for an agent whose shift has begun; None: they do not."""
    if not ramp or state.shift_began is None or not state.on_shift or state.status is not Status.OFFLINE:
        return None
    return -(-(state.shift_began + ramp) // MINUTE) * MINUTE


def limit(index: Index, profile: Profile, coming: int) -> int | None:
    """How many mails each of those there may hold now; None: as many as they can. `coming`: not in the line yet."""
    if profile.kind != KIND or not index.state.workspace.ramp:
        return None
    expected = sum(1 for name in starters(index) if name in profile.able_ids)
    if not expected:
        return None
    here = [seat for seat in profile.able if not seat.absence]
    held = sum(seat.load.get(KIND, 0) for seat in here)
    return -(-(profile.line.waiting + coming + held) // (len(here) + expected))


def spared(index: Index, profile: Profile, coming: int = 0, *, behind: bool = False) -> list[Seat]:
    """Those who could take one more and leave it to others; all of them, if it stands behind another."""
    most = limit(index, profile, coming)
    if most is None:
        return []
    bit = profile.line.bit
    return [seat for seat in profile.able if seat.room & bit and (behind or seat.load.get(KIND, 0) >= most)]


def over(work: Work, seat: Seat) -> None:
    """An agent did not come in time: nobody waits for them any more."""
    seat.state.shift_began = None
    release(work)


def release(work: Work) -> None:
    """Everybody with room looks again."""
    work.index.starters = None
    for seat in work.index.seats.values():
        if seat.room:
            work.freed[seat.agent.id] = seat
