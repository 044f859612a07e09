"""What is told at the end: of a shift to its agent, of a day and of a week to supervisors."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from router.core.state import AgentState, Contact
from router.core.transitions import ContactState
from router.core.values import Status
from router.desk.figures import day_of
from router.desk.lead_views import Board
from router.desk.model import Desk
from router.desk.overview import board
from router.desk.summaries import person_name
from router.desk.views import Done, View


class Shift(View, frozen=True, kw_only=True):
    """An agent's own. `next_due`: the first promise of what they keep; `unanswered`: the customer had the last word."""

    today: Done
    team: Done | None
    unanswered: int
    waiting_customer: int
    snoozed: int
    next_due: int | None


class Worker(View, frozen=True, kw_only=True):
    """What one of them did."""

    name: str
    done: Done


class Tally(msgspec.Struct, kw_only=True):
    """Of one day, or of several; what is kept of a day until its week is told."""

    opened: int = 0
    resolved: int = 0
    answers: int = 0
    promised: int = 0
    in_time: int = 0

    def add(self, other: Tally) -> None:
        """Count another day in."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Day(View, frozen=True, kw_only=True):
    """A workspace's: what was done today, what is left, and by whom."""

    tally: Tally
    board: Board
    workers: tuple[Worker, ...]  # who did anything, most answers first


def shift(desk: Desk, agent: str) -> Shift:
    """What the agent did, and what stays with them. Read after `settled`."""
    state = desk.source.state
    seat = state.agents.get(agent)
    held = [state.contacts[one] for one in (*seat.held, *seat.parked)] if seat is not None else []
    own = [one for one in held if one.agent == agent]
    today, team = desk.today(agent)
    counted = {kind: sum(one.state is kind for one in own) for kind in ContactState}
    return Shift(
        today=today,
        team=team,
        unanswered=counted[ContactState.ASSIGNED],
        waiting_customer=counted[ContactState.WAITING_CUSTOMER],
        snoozed=counted[ContactState.SNOOZED],
        next_due=_next_due(own),
    )


def _next_due(contacts: Iterable[Contact]) -> int | None:
    return min((one.due for one in contacts if one.due is not None), default=None)


def is_over(seat: AgentState, now: int, timezone: str) -> bool:
    """Whether an agent's day is over: off shift until another day or, without a calendar, gone.

    A break in the middle of a day is no end.
    """
    if seat.on_shift:
        return seat.shift_edge is None and seat.status is Status.OFFLINE
    return seat.shift_edge is None or seat.shift_edge >= day_of(now, timezone)[1]


def tally(desk: Desk) -> Tally:
    """Of today so far."""
    today = desk.figures.today()
    return Tally(
        opened=today.opened,
        resolved=today.resolved,
        answers=today.answers,
        promised=today.promised,
        in_time=today.in_time,
    )


def day(desk: Desk, problems: list[str], now: int) -> Day:
    """The workspace's day. Read after `settled`."""
    state, names = desk.source.state, desk.source.names
    done = desk.figures.done(state.workspace.agents)
    active = [(agent, one) for agent, one in done.items() if one.answers or one.resolved]
    active.sort(key=lambda pair: (-pair[1].answers, -pair[1].resolved, pair[0]))
    workers = tuple(Worker(name=person_name(names, agent), done=one) for agent, one in active)
    return Day(tally=tally(desk), board=board(desk.source, desk.figures, problems, now), workers=workers)
