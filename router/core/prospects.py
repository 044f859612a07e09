"""What would have changed a decision, and who could take what waits, and when likely. Read only; asked by people.

The smallest change comes first: of each agent who did not get the contact, the one thing that stands between, if it is
only one. An agent whom two things rule out is not near, and is not told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core import ledger, levelling, matching, reserve
from router.core.board import packed
from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.board import Profile, Seat
    from router.core.index import Index
    from router.core.state import Contact

TOLD = 3
COULD = 5
OUTRANKED = 6  # as great a change as that; obstacles are smaller ones
MINUTE = 60_000
FAR = 1 << 62  # later than any instant


class WouldHave(msgspec.Struct, frozen=True, kw_only=True):
    """One agent, and the change that would have given them the contact.

    `change`: skill | room | presence | team | declined | reserve | customer | utilisation | scarcity | idle; `why`
    completes "Ben, …".
    """

    agent: str
    change: str
    why: str


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """One agent who has the skills, and when they will likely have room; None: nobody can say."""

    agent: str
    at: int | None
    why: str


class Prospects(msgspec.Struct, frozen=True, kw_only=True):
    """Of a contact that waits: how many are served before it, who could take it, and when it likely gets somebody."""

    ahead: int
    could: tuple[Prospect, ...]
    likely_at: int | None


def would_have(index: Index, contact: Contact, *, before: bool = False) -> tuple[WouldHave, ...]:
    """The nearest agents who did not get it, each with the smallest single change that would have made it theirs.

    As things stand now; or `before` the decision, where the index is of an engine that has not taken it yet.
    """
    profile = index.profile_of(contact)
    winner = index.seats.get((contact.offer.agent if contact.offer else contact.agent) or "")
    beat = None if winner is None else _rank_then(index, profile, contact, winner, before=before)
    kept = reserve.kept(index, profile, contact)
    left = levelling.left(index, profile, contact) if winner is None else {}
    found: list[tuple[int, matching.Ranked, WouldHave]] = []
    for seat in index.seats.values():
        if seat is winner:
            continue
        obstacles = _obstacles(index, profile, contact, seat, kept)
        if seat.agent.id in left:
            why = "had they done less than the others who are here"
            obstacles.append((3, WouldHave(agent=seat.agent.id, change="utilisation", why=why)))
        ranked = matching.rank(profile, contact, seat)
        if len(obstacles) == 1 and (beat is None or ranked < beat):
            cost, change = obstacles[0]
            found.append((cost, ranked, change))
        elif not obstacles and winner is not None and before:
            found.append((OUTRANKED, ranked, _outranked(profile, contact, seat, winner)))
    found.sort(key=lambda one: one[:2])
    return tuple(change for _, _, change in found[:TOLD])


def _rank_then(index: Index, profile: Profile, contact: Contact, winner: Seat, *, before: bool) -> matching.Ranked:
    """The rank of who got it; afterwards as if they had not, and had been idle for longer than anybody."""
    ranked = matching.rank(profile, contact, winner)
    if before or profile.by_idle:
        return ranked
    effort = winner.effort - contact.effort if contact.credited_slot is not None else winner.effort
    used = ledger.ratio(winner.agent, winner.state, index.state.workspace, index.tick, max(0, effort), winner.available)
    return ranked[0], ranked[1], packed(used // ledger.BAND, winner.scarcity_order, 0), ranked[3]


def _obstacles(
    index: Index, profile: Profile, contact: Contact, seat: Seat, kept: dict[str, str]
) -> list[tuple[int, WouldHave]]:
    """What stands between an agent and a contact, each with how great a change it takes to be rid of it."""
    name, kind, skills = seat.agent.id, profile.kind, seat.agent.skills
    found: list[tuple[int, WouldHave]] = []

    def add(cost: int, change: str, why: str) -> None:
        found.append((cost, WouldHave(agent=name, change=change, why=why)))

    for skill, level in profile.requirement.must:
        if skills.get(skill, 0) < level:
            add(level - skills.get(skill, 0), "skill", f"had they level {level} in {skill}")
    helper = index.state.overflowing.get(profile.team or "")
    if profile.team is not None and profile.team not in seat.teams and helper not in seat.teams:
        add(5, "team", f"were they in the team {profile.team}")
    if seat.agent.capacity.get(kind, 0) < 1:
        add(4, "room", f"had they capacity for {kind}")
    elif not index.room_if_here(seat) & profile.line.bit:
        add(2, "room", f"had they room for one more {kind}")
    if seat.absence:
        add(4, "presence", "were they on shift" if seat.absence == "off shift" else "were they available")
    elif name in kept:
        add(3, "reserve", f"were they not kept free for {kept[name]}")
    if name in contact.declined:
        add(5, "declined", "had they not declined it")
    return found


def _outranked(profile: Profile, contact: Contact, seat: Seat, winner: Seat) -> WouldHave:
    """Somebody who could have had it: what told them from who got it."""
    person, missing, band, scarcity, _ = matching.key_of(profile, contact, seat, 0)
    other = matching.key_of(profile, contact, winner, 0)
    if person != other[0]:
        return WouldHave(agent=seat.agent.id, change="customer", why="had they served this customer last")
    if missing != other[1]:
        return WouldHave(agent=seat.agent.id, change="skill", why="had they what is preferred")
    if band != other[2]:
        return WouldHave(
            agent=seat.agent.id,
            change="utilisation",
            why=f"had they less than {band * ledger.BAND * 100 // WHOLE} % utilisation",
        )
    if scarcity != other[3]:
        return WouldHave(agent=seat.agent.id, change="scarcity", why="were their other skills less scarce")
    return WouldHave(agent=seat.agent.id, change="idle", why="had they been idle for longer")


def prospects(index: Index, contact: Contact) -> Prospects:
    """Who could take a contact that waits, soonest first, and when it likely gets somebody. O(its line)."""
    profile = index.profile_of(contact)
    entry = index.entries.get(contact.id)
    ahead = 0
    if entry is not None:
        line = entry[3]
        for waiting in (*line.in_time, *line.missed):
            before = (not waiting[4], *waiting[:2]) < (not entry[4], *entry[:2])
            ahead += before and index.entries.get(waiting[2]) is waiting
    could = [_prospect(index, profile, seat) for seat in profile.able if seat.agent.id not in contact.declined]
    could.sort(key=lambda one: (FAR if one.at is None else one.at, one.agent))
    known = [one.at for one in could if one.at is not None]
    likely = known[min(ahead, len(known) - 1)] if known else None
    return Prospects(ahead=ahead, could=tuple(could[:COULD]), likely_at=likely)


def _prospect(index: Index, profile: Profile, seat: Seat) -> Prospect:
    """When an able agent will likely have room: from what they hold, and what such contacts take."""
    now, name = index.state.at, seat.agent.id
    if seat.absence == "off shift" and seat.state.shift_edge is not None:
        return Prospect(agent=name, at=seat.state.shift_edge, why="their shift begins then")
    if seat.absence:
        return Prospect(agent=name, at=None, why=f"is {seat.absence}")
    if seat.room & profile.line.bit:
        return Prospect(agent=name, at=now, why="has room")
    left = [_left(index, seat, held) for held in seat.state.held if index.state.contacts[held].offer is None]
    soonest = min(left, default=0)
    return Prospect(agent=name, at=now + soonest, why="is likely done with one by then")


def _left(index: Index, seat: Seat, name: str) -> int:
    """What a contact in an agent's court still takes, in ms from now: the rest of what is expected, beside others."""
    contact = index.state.contacts[name]
    since = index.state.at - seat.state.shared_at
    here = seat.state.shared + (since // max(1, seat.state.working) if seat.state.attending else 0)
    spent = contact.spent + (here - contact.share_mark if contact.share_mark is not None else 0)
    return max(MINUTE, contact.effort - spent) * max(1, seat.state.working)
