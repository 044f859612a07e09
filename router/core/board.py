"""What an index is made of: seats, the groups of those able to serve alike, the lines in which contacts wait.

A desk of many agents also keeps its ranks in arrays (int64, one a kind of contact), so that the best of many is found
without looking at each in turn; both ways give the same order, and a property test says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from router.core.state import AgentState, Contact
    from router.core.values import Agent, Requirement

    Ranks = npt.NDArray[np.int64]

SCAN_FROM = 128  # above so many able agents the arrays are scanned
FEW = 16
HELPS = 1_000  # counts as so many preferred skills missing: of a team that only helps out
NO_ROOM = (1 << 63) - 1  # stands in the arrays where a seat has no room; no rank is as great

BAND_BITS, SCARCITY_BITS, IDLE_BITS = 10, 12, 42  # of a rank, the greatest first: 64 in all, offset to fit int64
BAND_MAX, SCARCITY_MAX = (1 << BAND_BITS) - 1, (1 << SCARCITY_BITS) - 1

Entry = tuple[int, int, str, "Line", bool]  # order, seq, contact, line, missed


class Line:
    """Contacts waiting for the same agents: two heaps, in time and missed."""

    __slots__ = ("bit", "declined", "in_time", "kind", "missed", "profile", "waiting")

    def __init__(self, kind: str, bit: int, profile: Profile | None = None) -> None:
        self.kind = kind
        self.bit = bit
        self.profile = profile  # None: the line of one agent, of contacts that wait for them alone
        self.in_time: list[Entry] = []
        self.missed: list[Entry] = []
        self.waiting = 0
        self.declined: dict[str, Contact] = {}  # those that somebody declined: nobody is kept from them


class Group:
    """Who is able to serve contacts that must have the same, and why the others are not."""

    __slots__ = ("able", "able_ids", "absent", "helped", "numbers", "ruled_out", "told")

    def __init__(self, able: list[Seat], ruled_out: dict[str, int], scan_from: int, *, helped: bool) -> None:
        self.able = able  # by id
        self.helped = helped  # some are of a team that helps out
        self.able_ids = {seat.agent.id: seat for seat in able}
        self.ruled_out = ruled_out
        self.absent: dict[str, int] = {}  # why able agents are not here now: how many
        self.told: dict[int, tuple[tuple[str, int], ...]] = {}  # free -> what rules out the others
        self.numbers = np.array([seat.number for seat in able], dtype=np.int64) if len(able) > scan_from else None
        for seat in able:
            seat.groups.append(self)
            if seat.absence:
                self.absent[seat.absence] = self.absent.get(seat.absence, 0) + 1


class Profile:
    """Requirement, kind and team; who is able to serve it."""

    __slots__ = ("able", "able_ids", "by_idle", "group", "kind", "line", "must_names", "must_scarcity",
                 "requirement", "shortfall", "shortfalls", "team")  # fmt: skip

    able: list[Seat]  # by id
    able_ids: dict[str, Seat]

    def __init__(self, requirement: Requirement, kind: str, team: str | None, bit: int, group: Group) -> None:
        self.requirement = requirement
        self.kind = kind
        self.team = team
        self.line = Line(kind, bit, self)
        self.must_scarcity = 0
        self.must_names = tuple(skill for skill, _ in requirement.must)
        self.by_idle = False  # the team's strategy is longest-idle
        self.serve_by(group)

    def serve_by(self, group: Group) -> None:
        """Let these serve it from now on; with those of a team that helps out after all of its own."""
        self.group, self.able, self.able_ids = group, group.able, group.able_ids
        self.shortfall: dict[str, int] = {}  # agent -> preferred skills missing; empty if nothing is preferred
        self.shortfalls: Ranks | None = None  # the same by the group's numbers
        if not self.requirement.prefer and not group.helped:
            return
        for seat in self.able:
            skills = seat.agent.skills
            missing = sum(skills.get(name, 0) < level for name, level in self.requirement.prefer)
            helps = group.helped and self.team not in seat.teams
            self.shortfall[seat.agent.id] = missing + HELPS if helps else missing
        if group.numbers is not None:
            self.shortfalls = np.array(list(self.shortfall.values()), dtype=np.int64)


class Seat:
    """One agent with what matching asks of them, precomputed."""

    __slots__ = (
        "absence", "agent", "available", "effort", "groups", "lines", "load", "number", "parked", "parked_units",
        "planned", "rank", "room", "scarcity", "scarcity_order", "state", "sticky", "teams", "units", "used",
    )  # fmt: skip

    def __init__(self, agent: Agent, state: AgentState, teams: tuple[str, ...], number: int) -> None:
        self.agent = agent
        self.state = state
        self.teams = teams
        self.number = number  # in the order of ids
        self.load: dict[str, int] = {}  # by kind
        self.units = 0
        self.parked: dict[str, int] = {}  # by kind: owned, waiting on the customer or asleep
        self.parked_units = 0
        self.absence = ""  # "" or away | busy | offline | off shift
        self.room = 0  # a bit for each kind they could take one more of now
        self.effort = 0  # ms credited in the window
        self.available = 0  # ms of closed presence in the window
        self.used = 0  # utilisation, of 10,000
        self.planned = False  # `used` is what it will likely be when their shift ends
        self.scarcity = 0
        self.scarcity_order = 0  # its place among the scarcities of all seats
        self.rank = 0  # band, scarcity and idle_since in one integer: smaller first
        self.lines: list[Line] = []  # of all profiles they are able to serve, and their own
        self.sticky: dict[str, Line] = {}  # by kind: contacts that wait for them alone
        self.groups: list[Group] = []  # that they are one of


class Board:
    """The ranks of all seats in arrays, one a kind: NO_ROOM where a seat could not take one more of it."""

    def __init__(self, seats: int, *, by_idle: bool) -> None:
        self.seats = seats
        self.by_idle = by_idle  # some team ranks by longest idle
        self.even: list[Ranks] = []
        self.idle: list[Ranks] = []

    def add_kind(self) -> None:
        """A kind more; nobody has room for it yet."""
        for ranks in (self.even, self.idle):
            ranks.append(np.full(self.seats, NO_ROOM, dtype=np.int64))

    def put(self, seat: Seat) -> None:
        """Take over a seat's rank and room."""
        number, room, rank = seat.number, seat.room, seat.rank
        for kind, ranks in enumerate(self.even):
            ranks[number] = rank if room >> kind & 1 else NO_ROOM
        if self.by_idle:
            for kind, ranks in enumerate(self.idle):
                ranks[number] = seat.state.idle_since if room >> kind & 1 else NO_ROOM

    def ranks(self, profile: Profile, numbers: Ranks) -> Ranks:
        """Ranks for a profile of the seats of those numbers, in their order."""
        all_ranks = (self.idle if profile.by_idle else self.even)[profile.line.bit.bit_length() - 1]
        return all_ranks.copy() if len(numbers) == self.seats else all_ranks[numbers]


def least(values: Ranks, number: int) -> list[int]:
    """Places of the `number` smallest values but NO_ROOM, smallest first; of equals the first comes first.

    A few are found one by one, and taken out of `values` on the way.
    """
    if number > FEW:
        return [int(place) for place in np.argsort(values, kind="stable")[:number] if values[place] != NO_ROOM]
    found: list[int] = []
    while len(found) < min(number, len(values)):
        place = int(values.argmin())
        if values.item(place) == NO_ROOM:
            break
        found.append(place)
        values[place] = NO_ROOM
    return found


def packed(band: int, scarcity_order: int, idle_since: int) -> int:
    """A rank that fits int64: utilisation band, then scarcity, then idle since; smaller first."""
    left = min(band, BAND_MAX) << SCARCITY_BITS | scarcity_order
    return (left << IDLE_BITS | idle_since) - (1 << 63)
