"""Who gets a contact, and which contact an agent gets next.

Eligibility is hard: skills at their levels, capacity, presence, shift, not declined. Among the eligible: whoever served
this customer last, then those with the skills preferred, then least utilisation in bands of 5 %, then those whose other
skills are least scarce, then longest idle, then id. Among waiting contacts: a missed one that was passed over often
enough, then one that is due within a minute, then the missed, then the others, each by due time less wait credit.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from router.core.ledger import BAND

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from router.core.index import Index, Line, Profile, Seat
    from router.core.state import Contact

NEAR = 60_000  # ms: due so soon, a contact in time goes before one that has missed
PASSES_MAX = 3  # so often a missed contact may be passed over
SHOWN = 5  # candidates in a record

Ranked = tuple[int, int, int, str]  # preference of person, skills missing, Seat.rank, id: smaller first
Urgency = tuple[int, int, int]  # class, order, seq: smaller first


def rank(profile: Profile, contact: Contact | None, seat: Seat) -> Ranked:
    """The key that ranks a seat for a contact of a profile."""
    name = seat.agent.id
    person = 1
    if contact is not None:
        person = 2 if name in contact.lapsed else 0 if name == contact.prefer_agent else 1
    return person, profile.shortfall.get(name, 0), seat.rank, name


def eligible(profile: Profile, contact: Contact | None) -> list[Seat]:
    """Seats that could be given a contact of a profile now, by id. O(able)."""
    bit = profile.line.bit
    free = [seat for seat in profile.able if seat.room & bit]
    if contact is not None and contact.declined:
        return [seat for seat in free if seat.agent.id not in contact.declined]
    return free


def first(profile: Profile, contact: Contact | None, free: list[Seat], number: int = SHOWN) -> list[Seat]:
    """The best few of the eligible, best first."""
    plain = not profile.shortfall and (contact is None or not (contact.lapsed or contact.prefer_agent))
    if plain:
        # `free` is by id and nsmallest is stable, so that ties end in the id
        return nsmallest(number, free, key=_rank_of)
    return nsmallest(number, free, key=lambda seat: rank(profile, contact, seat))


def key_of(profile: Profile, contact: Contact | None, seat: Seat, now: int) -> tuple[int, ...]:
    """The ranking key as it stands in the record."""
    person, missing, _, _ = rank(profile, contact, seat)
    return person, missing, seat.used // BAND, other_scarcity(profile, seat), seat.state.idle_since - now


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
