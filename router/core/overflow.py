"""Teams help each other out: one way at a time, from a number of waiting contacts on until fewer wait.

Between the two numbers nothing changes, and a team that is helped never helps its helper: otherwise contacts would go
to and fro. The helping team's agents are asked after all of the team's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.decisions import TurnOverflow

if TYPE_CHECKING:
    from router.core.work import Work


def balance(work: Work) -> bool:
    """Begin and end overflows as the numbers of waiting contacts say; whether agents have to look again for that.

    Those of the helping team can take more; and when it ends, there may be nobody else left for whom they were kept.
    """
    turned = False
    waiting, active = work.index.team_waiting, work.state.overflowing
    for name in work.index.overflows:
        rule = work.workspace.teams[name].overflow
        assert rule is not None
        number = waiting.get(name, 0)
        ends = name in active and number <= rule.until
        begins = name not in active and number >= rule.at and active.get(rule.to) != name
        if ends or begins:
            turned = True
            _turn(work, name, rule.to if begins else None)
            work.emit(TurnOverflow(team=name, to=rule.to, active=begins))
            for seat in work.index.seats.values():
                if name in seat.teams or rule.to in seat.teams:
                    work.freed[seat.agent.id] = seat
    return turned


def _turn(work: Work, team: str, helper: str | None) -> None:
    """From now on the agents of `helper` may serve what waits for `team`; None: no longer."""
    if helper is None:
        del work.state.overflowing[team]
    else:
        work.state.overflowing[team] = helper
    for profile in work.index.profiles.values():
        if profile.team == team:
            for seat in profile.able:
                seat.lines.remove(profile.line)
            profile.serve_by(work.index.group(profile.requirement.must, profile.kind, team))
            for seat in profile.able:
                seat.lines.append(profile.line)


def keep_those_in_force(work: Work) -> None:
    """A workspace came into force: an overflow goes on only where it still names the same helper."""
    teams = work.workspace.teams
    for name, helper in list(work.state.overflowing.items()):
        rule = teams[name].overflow if name in teams else None
        if rule is None or rule.to != helper:
            del work.state.overflowing[name]
            work.emit(TurnOverflow(team=name, to=helper, active=False))
