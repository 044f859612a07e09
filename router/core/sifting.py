"""Who could ever serve contacts that must have certain skills, and what all others lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.core.board import Seat
    from router.core.index import Index
    from router.core.values import Skills


def sift(
    index: Index, must: Skills, kind: str, team: str | None, helper: str | None
) -> tuple[list[Seat], dict[str, int]]:
    """Seats that could serve, by id, and in words what the others lack, each the first thing only."""
    left = list(index.seats.values())
    ruled_out: dict[str, int] = {}

    def keep(seats: list[Seat], reason: str) -> list[Seat]:
        if len(seats) < len(left):
            ruled_out[reason] = len(left) - len(seats)
        return seats

    if team is not None:
        left = keep([seat for seat in left if team in seat.teams or helper in seat.teams], "other team")
    for skill, level in must:
        left = keep(_with(index, left, skill, level), f"skill {skill} below {level}")
    cost = index.cost(kind)
    return keep(
        [
            seat
            for seat in left
            if seat.agent.capacity.get(kind, 0) > 0 and (seat.agent.units is None or seat.agent.units >= cost)
        ],
        f"no capacity for {kind}",
    ), ruled_out


def _with(index: Index, seats: list[Seat], skill: str, level: int) -> list[Seat]:
    """Those of some seats, by id, with a skill at a level: nobody changes that list.

    Of all seats it is found once; after a reload many profiles ask for the same language before anything else.
    """
    if level <= 0:  # where nobody is said to speak a language, everybody may be written in it
        return seats
    if len(seats) < len(index.seats):
        return [seat for seat in seats if seat.agent.skills.get(skill, 0) >= level]
    found = index.skilled.get((skill, level))
    if found is None:
        found = [seat for seat in index.holders.get(skill, ()) if seat.agent.skills[skill] >= level]
        index.skilled[skill, level] = found
    return found
