"""Holders of scarce skills kept free: they are not given contacts that others could take while few of them are idle.

How many is said by the workspace, or found out (`auto`) from demand and supply, every five minutes:

    a = handling time asked of the skill in eight hours / that time, rounded up: so many are busy with it on average
    level = the whole root of a, but at most a quarter of the holders who are there

and only for skills that at most a quarter of the agents hold, against contacts that at least four times as many could
take: where half of them hold a skill, those who do not are too few to take what the others leave. Nobody is made to
wait for somebody else who is not there, or who declined.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from router.core import learning, ledger

if TYPE_CHECKING:
    from router.core.board import Profile, Seat
    from router.core.index import Index
    from router.core.state import Contact
    from router.core.work import Work

SLOT = 1_800_000  # demand is counted in half hours; eight hours of them are as many slots as the ledger has
SCARCE = 4  # a skill is scarce where at most one in so many holds it


def ask(work: Work, contact: Contact) -> None:
    """Somebody asks for the skills of a contact."""
    if not work.workspace.reserve_auto:
        return
    slot = work.now // SLOT
    for skill, _ in contact.requirement.must:
        if is_scarce(work.index, skill):
            asked = work.state.demand.setdefault(skill, {})
            asked[slot] = asked.get(slot, 0) + learning.expected(work.state, contact)
            ledger.drop_old(asked, slot)


def is_scarce(index: Index, skill: str) -> bool:
    """Whether few agents hold a skill, and more than one does."""
    return 1 < len(index.holders.get(skill, ())) <= len(index.seats) // SCARCE


def renew(work: Work) -> None:
    """Say anew how many idle holders of which skill are kept; where it is fewer than before, they look for work."""
    state, workspace = work.state, work.workspace
    levels = dict(workspace.reserve)
    if workspace.reserve_auto:
        levels = {skill: _level(work, skill, asked) for skill, asked in sorted(state.demand.items())}
    levels = {skill: level for skill, level in levels.items() if level and skill in work.index.holders}
    if levels != state.reserves:
        former, state.reserves = state.reserves, levels
        release(work, former)


def _level(work: Work, skill: str, asked: dict[int, int]) -> int:
    oldest = work.now // SLOT - ledger.SLOTS + 1
    recent = [slot for slot in asked if slot >= oldest]
    if not recent or not is_scarce(work.index, skill):
        return 0
    span = max(work.now - recent[0] * SLOT, work.workspace.utilisation_floor)
    busy = -(-sum(asked[slot] for slot in recent) // span)
    here = sum(1 for seat in work.index.holders[skill] if not seat.absence)
    return min(isqrt(busy), here // 4)


def release(work: Work, skills: dict[str, int]) -> None:
    """Holders of these skills who have room look for work: there may be a reason less to keep them."""
    for skill in skills:
        for seat in work.index.holders.get(skill, ()):
            if seat.room:
                work.freed[seat.agent.id] = seat


def widen_freed(work: Work) -> None:
    """One holder more is idle: then the others may not be kept any more."""
    reserves = work.state.reserves
    for seat in list(work.freed.values()):
        release(work, {skill: 1 for skill in reserves if skill in seat.agent.skills})


def kept(index: Index, profile: Profile, contact: Contact | None) -> dict[str, str]:
    """Able agents who are kept free, and for which skill; those who declined it, or wait for their own, aside."""
    reserves = index.state.reserves
    if not reserves or (contact is not None and (contact.declined or contact.sticky_until is not None)):
        return {}
    found: dict[str, str] = {}
    for skill, level in reserves.items():
        if skill not in profile.must_names:
            for seat in _few_idle(index, profile, skill, level):
                found.setdefault(seat.agent.id, skill)
    here = len(profile.able) - sum(profile.group.absent.values())
    return found if found and here > len(found) else {}


def keeps(index: Index, profile: Profile, seat: Seat) -> bool:
    """Whether an agent with room is kept from the contacts of a profile, but for those that somebody declined."""
    reserves = index.state.reserves
    return any(skill in seat.agent.skills for skill in reserves) and seat.agent.id in kept(index, profile, None)


def _few_idle(index: Index, profile: Profile, skill: str, level: int) -> list[Seat]:
    """The idle holders who are able, if no more than `level` holders are idle; else nobody."""
    holders = index.holders[skill]
    if index.state.workspace.reserve_auto and SCARCE * len(holders) > len(profile.able):
        return []
    bit = profile.line.bit
    idle: list[Seat] = []
    for seat in holders:
        if seat.room & bit:
            idle.append(seat)
            if len(idle) > level:
                return []
    return [seat for seat in idle if seat.agent.id in profile.able_ids]
