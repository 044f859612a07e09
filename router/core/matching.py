"""Who gets a contact, and which contact an agent gets next.

Eligibility is hard: skills at their levels, capacity, presence, shift, not declined. Among the eligible: whoever served
this customer last, then those with the skills preferred, then least utilisation in bands of 1 %, then those whose other
skills are least scarce, then longest idle, then id. Among waiting contacts: a missed one that was passed over often
enough, then one that is due within a minute, then the missed, then the others, each by due time less wait credit.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from router.core import levelling, ramp, reserve
from router.core.board import NO_ROOM, least
from router.core.ledger import BAND

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from router.core.board import Board, Line, Profile, Ranks, Seat
    from router.core.index import Index
    from router.core.state import Contact

NEAR = 60_000  # ms: due so soon, a contact in time goes before one that has missed
PASSES_MAX = 3  # so often a missed contact may be passed over
SHOWN = 5  # candidates in a record
NOBODY_KEPT: dict[str, str] = {}

Ranked = tuple[int, int, int, str]  # preference of person, skills missing, rank, id: smaller first
Urgency = tuple[int, int, int]  # class, order, seq: smaller first


class Choice(NamedTuple):
    """Who could be given a contact now: how many, and the first few, best first."""

    free: int
    best: list[Seat]
    kept: dict[str, str] = NOBODY_KEPT  # agents who are kept free, and for which skill; or SPARED, or LEFT


def choose(index: Index, profile: Profile, contact: Contact | None, number: int = SHOWN) -> Choice:
    """The best of those who could be given a contact of a profile now. O(able), in arrays where they are many."""
    kept = reserve.kept(index, profile, contact)
    if index.state.workspace.even_out:
        kept = kept | levelling.left(index, profile, contact)
    if ramp.is_on(index) and (contact is None or contact.sticky_until is None):
        kept = kept | _spared(index, profile, contact)
    if index.board is not None and profile.group.numbers is not None:
        return scan(index.board, profile, profile.group.numbers, contact, number, kept)
    return look_at_each(profile, contact, number, kept)


def _spared(index: Index, profile: Profile, contact: Contact | None) -> dict[str, str]:
    """Who leaves a mail to those about to start. It is not taken before those that have been waiting in its line."""
    line = profile.line
    following = next_contact(index, (line,), line.bit, None)[0] if contact is not None else None
    behind = following is not None and following is not contact
    return {
        seat.agent.id: ramp.SPARED for seat in ramp.spared(index, profile, 1 if following is None else 0, behind=behind)
    }


def rank(profile: Profile, contact: Contact | None, seat: Seat) -> Ranked:
    """The key that ranks a seat for a contact of a profile."""
    name = seat.agent.id
    person = 1
    if contact is not None:
        person = 2 if name in contact.lapsed else 0 if name == contact.prefer_agent else 1
    return person, profile.shortfall.get(name, 0), seat.state.idle_since if profile.by_idle else seat.rank, name


def look_at_each(profile: Profile, contact: Contact | None, number: int, kept: dict[str, str] = NOBODY_KEPT) -> Choice:
    """Each able seat in turn."""
    bit = profile.line.bit
    free = [seat for seat in profile.able if seat.room & bit]
    if kept:
        free = [seat for seat in free if seat.agent.id not in kept]
    plain = not profile.shortfall and not profile.by_idle
    if contact is not None:
        plain = plain and not (contact.lapsed or contact.prefer_agent)
        if contact.declined:
            free = [seat for seat in free if seat.agent.id not in contact.declined]
    if plain:
        # `free` is by id and nsmallest is stable, so that ties end in the id
        return Choice(len(free), nsmallest(number, free, key=_rank_of), kept)
    return Choice(len(free), nsmallest(number, free, key=lambda seat: rank(profile, contact, seat)), kept)


def scan(
    board: Board,
    profile: Profile,
    numbers: Ranks,
    contact: Contact | None,
    number: int,
    kept: dict[str, str] = NOBODY_KEPT,
) -> Choice:
    """The same, where many are able: in arrays, but for those few of whom the contact says something."""
    values = board.ranks(profile, numbers)
    apart: list[Seat] = []
    for name in kept:
        values[int(numbers.searchsorted(profile.able_ids[name].number))] = NO_ROOM
    if contact is not None and (contact.declined or contact.lapsed or contact.prefer_agent is not None):
        apart = _set_apart(profile, values, numbers, contact, kept)
    free = int(np.count_nonzero(values != NO_ROOM))
    best: list[Seat] = []
    if free:
        for part in _by_shortfall(profile, values):
            best += [profile.able[place] for place in least(part, number - len(best))]
            if len(best) == number:
                break
    if apart:
        best = nsmallest(number, [*apart, *best], key=lambda seat: rank(profile, contact, seat))
    return Choice(free + len(apart), best, kept)


def _set_apart(profile: Profile, values: Ranks, numbers: Ranks, contact: Contact, kept: dict[str, str]) -> list[Seat]:
    """Take those out of the array whom the contact names; gives those of them who could have it."""
    apart: list[Seat] = []
    for name in dict.fromkeys((*contact.declined, *contact.lapsed, contact.prefer_agent or "")):
        seat = profile.able_ids.get(name)
        if seat is not None:
            values[int(numbers.searchsorted(seat.number))] = NO_ROOM
            if seat.room & profile.line.bit and name not in contact.declined and name not in kept:
                apart.append(seat)
    return apart


def _by_shortfall(profile: Profile, values: Ranks) -> Iterable[Ranks]:
    """The array once for each number of preferred skills missing, fewest first, without the others."""
    if profile.shortfalls is None:
        yield values
        return
    for missing in sorted(set(profile.shortfall.values())):
        part = values.copy()
        part[profile.shortfalls != missing] = NO_ROOM
        yield part


def key_of(profile: Profile, contact: Contact | None, seat: Seat, now: int) -> tuple[int, ...]:
    """The ranking key as it stands in the record."""
    name = seat.agent.id
    person = 1 if contact is None else 2 if name in contact.lapsed else 0 if name == contact.prefer_agent else 1
    missing = profile.shortfall[name] if profile.shortfall else 0
    idle = seat.state.idle_since - now
    if profile.by_idle:
        return person, missing, 0, 0, idle
    return person, missing, seat.used // BAND, other_scarcity(profile, seat), idle


def other_scarcity(profile: Profile, seat: Seat) -> int:
    """How scarce the skills are that the contact does not need.

    All able seats hold the needed ones, so that ranking by the scarcity of all skills gives the same order.
    """
    return seat.scarcity - profile.must_scarcity


def urgency(contact: Contact, now: int) -> Urgency:
    """The key that ranks waiting contacts for an agent who became free."""
    if contact.missed:
        group = 0 if contact.passed >= PASSES_MAX else 2
    else:
        group = 1 if contact.due is not None and contact.due - now <= NEAR else 3
    return group, contact.order, contact.seq


def next_contact(
    index: Index, lines: Iterable[Line], room: int, agent: str | None, skip: Container[str] = ()
) -> tuple[Contact | None, Contact | None]:
    """The contact to be served next from some lines, of kinds that `room` has a bit for. O(lines).

    The second one is the missed contact that is passed over for it, if any: whoever serves the first counts that.
    """
    now = index.state.at
    best: Contact | None = None
    best_key: Urgency | None = None
    missed: Contact | None = None
    missed_key: Urgency | None = None
    for line in lines:
        if not line.waiting or not room & line.bit:
            continue
        late = index.head(line, agent, missed=True, skip=skip) if line.missed else None
        if late is not None:
            key = urgency(late, now)
            if missed_key is None or key < missed_key:
                missed, missed_key = late, key
        early = index.head(line, agent, missed=False, skip=skip) if line.in_time else None
        if early is not None:
            key = urgency(early, now)
            if best_key is None or key < best_key:
                best, best_key = early, key
    if missed is None or missed_key is None:
        return best, None
    if best_key is not None and best_key < missed_key:
        return best, missed
    return missed, None


def _rank_of(seat: Seat) -> int:
    return seat.rank
