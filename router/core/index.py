"""What the engine derives from its state to be fast: seats of agents, lines of waiting contacts, timers.

Nothing here is truth: an index built anew from a copied state behaves identically. Rules:
contacts alike in requirement, kind and team share a *profile*; a profile knows the seats able to serve it, once; a
*line* has two heaps, in time and missed, under keys that do not change with time; entries that no longer hold stay in
the heap and are skipped when they come to its top.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from router.core import clocks, foresight, ledger, ramp, sifting
from router.core.board import SCAN_FROM, SCARCITY_MAX, Board, Group, Line, Profile, Seat, packed
from router.core.chats import Chats
from router.core.leaving import Customers
from router.core.rules import Facts, Outcome, apply_rules, relaxed, sort_topics
from router.core.timers import CONTACT, INCIDENT, RAMP, SHIFT, Timers
from router.core.transitions import ContactState
from router.core.values import WHOLE, Requirement, Skills, Status

if TYPE_CHECKING:
    from collections.abc import Container

    from router.core.board import Entry
    from router.core.state import Contact, State

PROFILES_MAX = 4_096  # above that, profiles nobody waits in are forgotten
OUTCOMES_MAX = 10_000
STALE_MAX = 1_000  # entries of a line that no longer hold, besides as many as hold
LONGEST_IDLE = "longest-idle"  # the strategy of a team that ranks by that alone

GroupKey = tuple[Skills, str, str | None, str | None]  # must, kind, team, the team that helps it out


class Index:
    """Everything derived from a state."""

    def __init__(self, state: State, scan_from: int = SCAN_FROM) -> None:
        self.state = state
        self.scan_from = scan_from
        self.tick = state.at // ledger.TICK
        self.timers = Timers()
        self.entries: dict[str, Entry] = {}
        self.ahead: dict[tuple[str, int], tuple[int, int] | None] = {}  # by team and end of shift; until the next tick
        self.place: dict[str, str] = {}  # message -> contact, "" for the auto list
        self.chats = Chats(state)
        self.profiles_max = PROFILES_MAX
        self.customers = Customers(state)
        self.reload()
        for contact in state.contacts.values():
            self.sync(contact)
            for ref in contact.messages:
                self.place[ref.id] = contact.id
            self.chats.note(contact)
        for message in state.autos:
            self.place[message] = ""

    # -- the workspace ---------------------------------------------------------------------------------------------

    def reload(self, *, keep_timers: bool = False) -> None:
        """Build seats anew from the workspace; lines are empty until each contact is synced, and timers if not kept."""
        workspace = self.state.workspace
        self.timers.clear(but=CONTACT if keep_timers else None)
        self.entries.clear()
        self.ahead.clear()
        self.starters: tuple[int, dict[str, Seat]] | None = None  # of a minute; None: to be looked for
        self.team_waiting: dict[str, int] = {}
        self.outcomes: dict[tuple[object, ...], Outcome] = {}
        self.profiles: dict[tuple[Requirement, str, str | None], Profile] = {}
        self.groups: dict[GroupKey, Group] = {}
        self.kind_bits: dict[str, int] = {}
        self.kinds: list[tuple[str, int, int]] = []  # kind, bit, units that one takes
        self.parked_count = bool(workspace.parked_cost) or workspace.wake_margin is not None
        self.overflows = tuple(sorted(name for name, team in workspace.teams.items() if team.overflow is not None))
        teams: dict[str, list[str]] = {}
        for team in workspace.teams.values():
            for member in team.members:
                teams.setdefault(member, []).append(team.id)
        self.seats = {
            name: Seat(agent, self.state.agents[name], (agent.team, *teams.get(name, ())), number)
            for number, (name, agent) in enumerate(sorted(workspace.agents.items()))
        }
        by_idle = any(team.strategy == LONGEST_IDLE for team in workspace.teams.values())
        self.board = Board(len(self.seats), by_idle=by_idle) if len(self.seats) > self.scan_from else None
        self.holders: dict[str, list[Seat]] = {}
        self.skilled: dict[tuple[str, int], list[Seat]] = {}
        for seat in self.seats.values():
            for skill in seat.agent.skills:
                self.holders.setdefault(skill, []).append(seat)
        self.scarcity_of = {skill: len(self.seats) * 100 // len(held) for skill, held in self.holders.items()}
        for seat in self.seats.values():
            seat.scarcity = sum(self.scarcity_of[skill] for skill in seat.agent.skills)
        self._order_scarcities()
        for seat in self.seats.values():
            for contact_id in seat.state.held:
                self.load(seat, self.state.contacts[contact_id], 1)
            for contact_id in seat.state.parked:
                self.park(seat, self.state.contacts[contact_id], 1)
            self.refresh(seat)
            self.refresh_rank(seat)
            self.arm_shift(seat)
        for incident in self.state.incidents.values():
            self.timers.arm(INCIDENT, incident.id, 0, incident.look_at)

    def _order_scarcities(self) -> None:
        """Give each seat its place among the scarcities of all, so that a rank needs few bits for it."""
        values = sorted({seat.scarcity for seat in self.seats.values()})
        coarse = max(1, -(-len(values) // (SCARCITY_MAX + 1)))
        places = {value: place // coarse for place, value in enumerate(values)}
        for seat in self.seats.values():
            seat.scarcity_order = places[seat.scarcity]

    def bit(self, kind: str) -> int:
        """The bit that stands for a kind in `Seat.room`; a kind seen for the first time is added to all seats."""
        bit = self.kind_bits.get(kind)
        if bit is None:
            bit = self.kind_bits[kind] = 1 << len(self.kind_bits)
            self.kinds.append((kind, bit, self.cost(kind)))
            if self.board is not None:
                self.board.add_kind()
            for seat in self.seats.values():
                self.refresh_room(seat)
        return bit

    def cost(self, kind: str) -> int:
        """Units that one contact of a kind takes."""
        return self.state.workspace.unit_costs.get(kind, 1)

    def outcome(self, contact: Contact) -> Outcome:
        """What the rules say of a contact, remembered by what they look at."""
        best, others = sort_topics(self.state.workspace, contact.topics, certain=contact.topics_set)
        key = (
            contact.channel, contact.kind, contact.account, contact.language, contact.tier, best, others, contact.moods
        )  # fmt: skip
        found = self.outcomes.get(key)
        if found is None:
            if len(self.outcomes) >= OUTCOMES_MAX:
                self.outcomes.clear()
            facts = Facts(
                channel=contact.channel, kind=contact.kind, account=contact.account, language=contact.language,
                tier=contact.tier, best=best, others=others, moods=contact.moods,
            )  # fmt: skip
            found = self.outcomes[key] = apply_rules(self.state.workspace, facts)
        return found

    # -- profiles --------------------------------------------------------------------------------------------------

    def profile(self, requirement: Requirement, kind: str, team: str | None) -> Profile:
        """The profile of contacts alike in requirement, kind and team; built when first asked for: O(agents)."""
        key = (requirement, kind, team)
        found = self.profiles.get(key)
        if found is not None:
            return found
        if len(self.profiles) >= self.profiles_max:
            self._forget_profiles()
        profile = Profile(requirement, kind, team, self.bit(kind), self.group(requirement.must, kind, team))
        asked = self.state.workspace.teams.get(team or "")
        profile.by_idle = asked is not None and asked.strategy == LONGEST_IDLE
        profile.must_scarcity = sum(self.scarcity_of.get(skill, 0) for skill, _ in requirement.must)
        for seat in profile.able:
            seat.lines.append(profile.line)
        self.profiles[key] = profile
        return profile

    def profile_of(self, contact: Contact) -> Profile:
        """The profile a contact is in now, relaxation included."""
        requirement = contact.requirement
        if contact.relaxed:
            requirement = relaxed(self.state.workspace, requirement, contact.relaxed)
        found = self.profiles.get((requirement, contact.kind, contact.team))
        return self.profile(requirement, contact.kind, contact.team) if found is None else found

    def group(self, must: Skills, kind: str, team: str | None) -> Group:
        """Seats that could ever serve, by id, and how many others each reason rules out."""
        helper = self.state.overflowing.get(team or "")
        key = (must, kind, team, helper)
        found = self.groups.get(key)
        if found is None:
            able, ruled_out = sifting.sift(self, must, kind, team, helper)
            found = self.groups[key] = Group(able, ruled_out, self.scan_from, helped=helper is not None)
        return found

    def _forget_profiles(self) -> None:
        """Drop the profiles that nobody waits in: what they say can be derived again."""
        self.profiles = {key: profile for key, profile in self.profiles.items() if profile.line.waiting}
        self.groups = {
            (requirement.must, kind, team, self.state.overflowing.get(team or "")): profile.group
            for (requirement, kind, team), profile in self.profiles.items()
        }
        self.profiles_max = max(PROFILES_MAX, 2 * len(self.profiles))
        for seat in self.seats.values():
            seat.lines = list(seat.sticky.values())
            seat.groups.clear()
        for profile in self.profiles.values():
            for seat in profile.able:
                seat.lines.append(profile.line)
        for group in self.groups.values():
            for seat in group.able:
                seat.groups.append(group)

    # -- seats -----------------------------------------------------------------------------------------------------

    def load(self, seat: Seat, contact: Contact, change: int) -> None:
        """Count a contact (change 1) or no longer (-1) against the seat's capacity."""
        seat.load[contact.kind] = seat.load.get(contact.kind, 0) + change
        seat.units += change * self.cost(contact.kind)

    def park(self, seat: Seat, contact: Contact, change: int) -> None:
        """Count a contact that the agent owns while it waits on the customer or sleeps; or no longer."""
        seat.parked[contact.kind] = seat.parked.get(contact.kind, 0) + change
        seat.parked_units += change * self.cost(contact.kind)

    def refresh(self, seat: Seat) -> None:
        """Recompute what depends on the agent's state, but for what they took on: absence, room and rank."""
        status = seat.state.status
        here = status is Status.AVAILABLE or self.state.workspace.shadow
        absence = status.value if not here else "" if seat.state.on_shift else "off shift"
        if absence != seat.absence:
            for group in seat.groups:
                group.told.clear()
                counts = group.absent
                if seat.absence:
                    counts[seat.absence] -= 1
                if absence:
                    counts[absence] = counts.get(absence, 0) + 1
            seat.absence = absence
        self._set_room(seat)
        self._set_rank(seat)

    def refresh_room(self, seat: Seat) -> None:
        """Which kinds the seat could take one more of now."""
        self._set_room(seat)
        if self.board is not None:
            self.board.put(seat)

    def _set_room(self, seat: Seat) -> None:
        seat.room = 0 if seat.absence else self.room_if_here(seat)

    def room_if_here(self, seat: Seat) -> int:
        """Which kinds the agent could take one more of, by what they hold, whether or not they are here."""
        room = 0
        limit, capacity, load = seat.agent.units, seat.agent.capacity, seat.load
        for kind, bit, cost in self.kinds:
            if load.get(kind, 0) < capacity.get(kind, 0) and (limit is None or seat.units + cost <= limit):
                room |= bit
        return self._but_for_wake_ups(seat, room) if self.parked_count and seat.parked and room else room

    def _but_for_wake_ups(self, seat: Seat, room: int) -> int:
        """What the agent owns and does not hold costs a part of its place, and may come back all at once."""
        workspace, agent = self.state.workspace, seat.agent
        part, margin = workspace.parked_cost, workspace.wake_margin
        for kind, bit, cost in self.kinds:
            sums = [(seat.load.get(kind, 0) + 1, seat.parked.get(kind, 0), agent.capacity.get(kind, 0))]
            if agent.units is not None:
                sums.append((seat.units + cost, seat.parked_units, agent.units))
            for held, parked, limit in sums:
                full = held * WHOLE + parked * part > limit * WHOLE
                if full or (margin is not None and held + parked > limit + margin):
                    room &= ~bit
        return room

    def refresh_rank(self, seat: Seat) -> None:
        """What the agent took on, or how long they are there, changed."""
        seat.effort, seat.available = ledger.totals(seat.state, self.state.workspace, self.tick)
        self._set_rank(seat)

    def _set_rank(self, seat: Seat) -> None:
        """Utilisation band, scarcity, idle since: in one integer, so that a scan compares plain numbers."""
        workspace = self.state.workspace
        ahead = foresight.ahead(self, seat) if workspace.look_ahead else None
        seat.planned = ahead is not None
        seat.used = ledger.ratio(
            seat.agent, seat.state, workspace, self.tick, seat.effort, seat.available, ahead or foresight.NOTHING
        )
        seat.rank = packed(seat.used // ledger.BAND, seat.scarcity_order, seat.state.idle_since)
        if self.board is not None:
            self.board.put(seat)

    def is_behind(self) -> bool:
        """Whether a new tick has begun."""
        return self.state.at // ledger.TICK != self.tick

    def advance(self) -> None:
        """Follow the clock: ranks change by themselves only from one tick to the next, sums from slot to slot."""
        tick = self.state.at // ledger.TICK
        workspace = self.state.workspace
        same_slot = ledger.slot_at(workspace, tick) == ledger.slot_at(workspace, self.tick)
        self.tick = tick
        self.ahead.clear()
        for seat in self.seats.values():
            if same_slot:
                self._set_rank(seat)
            else:
                self.refresh_rank(seat)

    def arm_shift(self, seat: Seat) -> None:
        """Set the timers of the agent's next shift edge, and of the end of waiting for them."""
        self.timers.arm(SHIFT, seat.agent.id, 0, seat.state.shift_edge)
        self.timers.arm(RAMP, seat.agent.id, 0, ramp.until(seat.state, self.state.workspace.ramp))

    def sticky_line(self, seat: Seat, kind: str) -> Line:
        """Where contacts wait that wait for this agent alone."""
        line = seat.sticky.get(kind)
        if line is None:
            line = seat.sticky[kind] = Line(kind, self.bit(kind))
            seat.lines.append(line)
        return line

    # -- contacts --------------------------------------------------------------------------------------------------

    def sync(self, contact: Contact) -> None:
        """Bring lines and timers in step with a contact that may have changed."""
        held = self.entries.get(contact.id)
        if contact.state is ContactState.WAITING:
            self.line_up(contact, held)
        elif held is not None:
            self._leave(contact.id)
        self.timers.arm(CONTACT, contact.id, contact.seq, clocks.next_timer(self.state, contact))

    def line_up(self, contact: Contact, held: Entry | None) -> None:
        """Enter a waiting contact into its line, if it does not stand in its place there (`held`) already."""
        seat = self.seats.get(contact.prefer_agent or "") if contact.sticky_until is not None else None
        line = self.profile_of(contact).line if seat is None else self.sticky_line(seat, contact.kind)
        if held is None or held[3] is not line or held[0] != contact.order or held[4] != contact.missed:
            if held is not None:
                self._leave(contact.id)
            entry: Entry = (contact.order, contact.seq, contact.id, line, contact.missed)
            self.entries[contact.id] = entry
            heappush(line.missed if contact.missed else line.in_time, entry)
            line.waiting += 1
            if contact.declined:
                line.declined[contact.id] = contact
            if line.profile is not None and line.profile.team is not None:
                team = line.profile.team
                self.team_waiting[team] = self.team_waiting.get(team, 0) + 1
            if len(line.in_time) + len(line.missed) > 2 * line.waiting + STALE_MAX:
                self._tidy(line)

    def head(self, line: Line, agent: str | None, *, missed: bool, skip: Container[str] = ()) -> Contact | None:
        """The contact to be served first of one heap, passing over those `agent` declined, or to skip. O(those)."""
        heap = line.missed if missed else line.in_time
        aside: list[Entry] = []
        found: Contact | None = None
        while heap:
            entry = heap[0]
            if self.entries.get(entry[2]) is not entry:
                heappop(heap)
                continue
            contact = self.state.contacts[entry[2]]
            if agent not in contact.declined and contact.id not in skip:
                found = contact
                break
            aside.append(heappop(heap))
        for entry in aside:
            heappush(heap, entry)
        return found

    def _tidy(self, line: Line) -> None:
        """Drop what no longer holds, now that it is most of a line: what nobody takes never comes to the top."""
        for heap in (line.in_time, line.missed):
            heap[:] = [entry for entry in heap if self.entries.get(entry[2]) is entry]
            heapify(heap)

    def _leave(self, contact: str) -> None:
        line = self.entries.pop(contact)[3]
        line.waiting -= 1
        line.declined.pop(contact, None)
        if line.profile is not None and line.profile.team is not None:
            self.team_waiting[line.profile.team] -= 1
