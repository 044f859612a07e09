"""Looking ahead (`look_ahead`): utilisation is compared as it will likely be when the agent's shift ends.

Whoever works into quiet hours ends the day with less than those who went home before; once they are gone, nobody can
make up for it. So the effort that is usual for the rest of the shift counts as if it were done, and the minutes too.
What is usual at which time of day is learned by team from the ledgers of its agents, each slot half a day later, so
that a day is not compared with itself; how much busier today is than usual comes from the last hours. Both are looked
at once a tick. On the first day nothing is usual yet: then, and for whoever has no calendar, utilisation so far counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import ledger
from router.core.state import Rhythm
from router.core.values import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.core.board import Seat
    from router.core.index import Index
    from router.core.state import AgentState
    from router.core.values import Workspace
    from router.core.work import Work

NOTHING = (0, 0)
DAY = 86_400_000
LATER = ledger.SLOTS // 2  # slots after which one is learned
RECENT = 6  # slots that tell how busy today is
LEVELS = (WHOLE // 2, 2 * WHOLE)  # a quarter of an hour of rush is no other kind of day


def follow(work: Work) -> None:
    """A tick begins: learn what is half a day old, and see how busy today is. O(agents)."""
    state, workspace, index = work.state, work.workspace, work.index
    if not workspace.look_ahead:
        return
    teams: dict[str, list[AgentState]] = {}
    for seat in index.seats.values():
        teams.setdefault(seat.agent.team, []).append(seat.state)
    state.rhythms = {team: state.rhythms.get(team) or Rhythm() for team in sorted(teams)}
    newest = ledger.slot_at(workspace, work.now // ledger.TICK)
    begun = range(max(ledger.slot_at(workspace, index.tick), newest - ledger.SLOTS) + 1, newest + 1)
    for team, rhythm in state.rhythms.items():
        for slot in begun:
            _learn(work, rhythm, teams[team], slot - LATER)
        rhythm.level = _level(work, rhythm, teams[team], newest)


def ahead(index: Index, seat: Seat) -> tuple[int, int] | None:
    """Time and usual effort, both in ms, from the tick to the end of an agent's shift; None: nobody can tell."""
    edge = seat.state.shift_edge
    if edge is None or not seat.state.on_shift or seat.state.available_since is None:
        return None
    key = seat.agent.team, edge
    if key not in index.ahead:
        index.ahead[key] = _until(index, *key)
    return index.ahead[key]


def _until(index: Index, team: str, edge: int) -> tuple[int, int] | None:
    workspace, rhythm = index.state.workspace, index.state.rhythms.get(team)
    if rhythm is None:
        return None
    length, begin = ledger.slot_length(workspace), index.tick * ledger.TICK
    end, effort, at = min(edge, begin + DAY // 2), 0, begin
    while at < end:
        slot = at // length
        until, phase = min(end, (slot + 1) * length), _phase(workspace, slot)
        if not rhythm.presence[phase]:
            return None
        effort += (until - at) * rhythm.effort[phase] // rhythm.presence[phase]
        at = until
    return max(0, end - begin), effort * rhythm.level // WHOLE


def _learn(work: Work, rhythm: Rhythm, agents: Iterable[AgentState], slot: int) -> None:
    """A day counts three quarters of the day after it."""
    effort, presence = _sums(work, agents, slot)
    if presence:
        phase = _phase(work.workspace, slot)
        rhythm.effort[phase] = rhythm.effort[phase] * 3 // 4 + effort
        rhythm.presence[phase] = rhythm.presence[phase] * 3 // 4 + presence


def _level(work: Work, rhythm: Rhythm, agents: Iterable[AgentState], newest: int) -> int:
    """Effort of the last hours over what is usual, of 10,000; 10,000 while there is too little to tell."""
    done = usual = 0
    for slot in range(newest - RECENT + 1, newest + 1):
        phase = _phase(work.workspace, slot)
        if rhythm.presence[phase]:
            effort, presence = _sums(work, agents, slot)
            done += effort
            usual += presence * rhythm.effort[phase] // rhythm.presence[phase]
    if usual < work.workspace.utilisation_floor:
        return WHOLE
    return max(LEVELS[0], min(LEVELS[1], done * WHOLE // usual))


def _sums(work: Work, agents: Iterable[AgentState], slot: int) -> tuple[int, int]:
    """Effort credited and presence in a slot, of some agents, in ms."""
    effort = presence = 0
    for agent in agents:
        effort += agent.credited.get(slot, 0)
        presence += ledger.present_in(agent, work.workspace, slot, work.now)
    return effort, presence


def _phase(workspace: Workspace, slot: int) -> int:
    """The time of day of a slot, as one of so many parts of a day."""
    return slot * ledger.slot_length(workspace) % DAY * ledger.SLOTS // DAY
