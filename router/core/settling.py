"""What one event comes to in the end: contacts are placed, and agents who can take more are filled, until nothing fits.

A contact that arrives costs O(agents able to serve it), an agent who becomes free O(lines they can serve); when several
become free at once, one joint pass gives the most urgent contact to its best agent, and so on.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from router.core import explain, levelling, matching, overflow, placing, ramp, rearranging, reserve
from router.core.decisions import NotifySupervisors, QueueContact
from router.core.matching import Choice
from router.core.ramp import SPARED
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.board import Line, Profile, Seat
    from router.core.index import Index
    from router.core.state import Contact
    from router.core.work import Work

Head = tuple["matching.Urgency", "Contact", "Contact | None", "Line"]

ASK_AGAIN = 300_000  # ms after which those who declined are asked again, when nobody else is left


def settle(work: Work) -> None:
    """Place and fill until nothing fits; and again where a team has to help another out now."""
    _settle(work)
    while (work.index.overflows and overflow.balance(work)) or work.freed:
        _settle(work)


def _settle(work: Work) -> None:
    """Place what is to be placed and give work to those who can take more, until nothing fits.

    One contact, or one agent, is a look of its own; more of either are one joint pass, so that no contact gets to an
    agent before one that is more urgent and has been waiting for that agent.
    """
    if work.state.reserves:
        reserve.widen_freed(work)
    look = [contact for contact in work.look.values() if contact.state is ContactState.WAITING]
    freed = [work.freed[name] for name in sorted(work.freed) if work.freed[name].room] if work.freed else []
    work.look.clear()
    work.freed.clear()
    for contact in look:
        _fit(work, contact)
    if len(look) + len(freed) > 1:
        _joint_pass(work, look, freed)
    for seat in freed:
        _fill(work, seat)
    if len(look) > 1:
        look.sort(key=lambda contact: matching.urgency(contact, work.now))
    for contact in look:
        _look(work, contact)


def _look(work: Work, contact: Contact) -> None:
    """Give a waiting contact to its best agent; else it waits, and the record says why."""
    if contact.state is not ContactState.WAITING or placing.try_place(work, contact):
        return
    profile = work.index.profile_of(contact)
    contact.decided_at = work.state.n
    # a record of a contact that waits for its own agent lists those who are free and passed over for that
    sticky = placing.sticky(contact)
    if sticky is not None:
        choice = matching.choose(work.index, profile, contact)
    else:
        shared = work.workspace.even_out or ramp.is_on(work.index)
        kept = matching.choose(work.index, profile, contact).kept if shared else {}
        choice = Choice(0, [], kept or reserve.kept(work.index, profile, contact))
    explanation = explain.explain(profile, contact, choice, work.now, sticky=sticky)
    due = contact.order if contact.due is None else contact.due
    work.emit(QueueContact(contact=contact.id, due=due, explanation=explanation))
    work.touch(contact)
    if SPARED in choice.kept.values():  # there is one more to share: the first in its line may be given now
        for seat in profile.able:
            if seat.room:
                work.freed[seat.agent.id] = seat


def _fill(work: Work, seat: Seat) -> None:
    """Contacts for one agent, most urgent first."""
    index = work.index
    while seat.room:
        contact, passed = _next_for(work, seat)
        if contact is None:
            return
        edge = seat.state.shift_edge
        if edge is not None and edge <= work.now:
            work.turn_shift(seat)
            continue
        if passed is not None:
            passed.passed += 1
        profile = index.profile_of(contact)
        sticky = contact.prefer_agent if contact.prefer_agent == seat.agent.id else None
        choice = Choice(1, [seat])
        if sticky is not None or work.state.reserves or ramp.is_on(index):
            choice = matching.choose(index, profile, contact)._replace(best=[seat])
        placing.give(work, contact, seat, explain.explain(profile, contact, choice, work.now, sticky=sticky))


def _next_for(work: Work, seat: Seat) -> tuple[Contact | None, Contact | None]:
    """The contact that an agent gets next, and the missed one that is passed over for it, if any."""
    name, index = seat.agent.id, work.index
    waited_for = ramp.is_on(index)
    evened = bool(work.workspace.even_out)
    if not waited_for and not evened and not any(skill in seat.agent.skills for skill in work.state.reserves):
        return matching.next_contact(index, seat.lines, seat.room, name)
    lines: list[Line] = []
    apart: list[Contact] = []
    for line in seat.lines:
        profile = line.profile
        if line.waiting and profile is not None and waited_for and seat in ramp.spared(index, profile):
            continue
        if line.waiting and profile is not None and _left_to_others(index, profile, line, seat):
            apart += [one for one in line.declined.values() if one.declined and name not in one.declined]
        else:
            lines.append(line)
    found, passed = matching.next_contact(index, lines, seat.room, name)
    for contact in apart:
        if found is None or matching.urgency(contact, work.now) < matching.urgency(found, work.now):
            found, passed = contact, None
    return found, passed


def _left_to_others(index: Index, profile: Profile, line: Line, seat: Seat) -> bool:
    """Whether an agent with room takes nothing of a line but what somebody declined."""
    return reserve.keeps(index, profile, seat) or levelling.leaves(index, profile, line, seat)


def _joint_pass(work: Work, look: list[Contact], freed: list[Seat]) -> None:
    """The most urgent contact to its best agent, again and again, over all lines that something happened to."""
    index = work.index
    lines: dict[Line, None] = {}  # in the order in which they came up
    for seat in freed:
        for line in seat.lines:
            if line.waiting and seat.room & line.bit:
                lines[line] = None
    for contact in look:
        work.touch(contact)
        lines[index.entries[contact.id][3]] = None
    heads: list[Head] = []
    blocked: dict[str, int] = {}
    given = rearranging.Given()
    for line in lines:
        _push_head(index, heads, line, blocked)
    while heads:
        _, contact, passed, line = heappop(heads)
        plain = given.plain(contact)
        if not placing.try_place(work, contact):
            # it was declined by those who are free, or waits for its own agent: the next one may be luckier
            blocked[contact.id] = 1
            if contact.declined or index.entries[contact.id][3] is not line:
                _push_head(index, heads, line, blocked)
            continue  # else nobody is free for any contact of this line
        if passed is not None:
            passed.passed += 1
        if plain:
            given.note(contact)
        _push_head(index, heads, line, blocked)
    rearranging.rearrange(work, lines, given, lambda line: _first(index, line, {})[0])


def _first(index: Index, line: Line, blocked: dict[str, int]) -> tuple[Contact | None, Contact | None]:
    """Of one line the contact to be served first, and the missed one that is passed over for it."""
    return matching.next_contact(index, (line,), line.bit, None, blocked)


def _push_head(index: Index, heads: list[Head], line: Line, blocked: dict[str, int]) -> None:
    contact, passed = _first(index, line, blocked)
    if contact is not None:
        # urgencies end in the contact's number, so that nothing after them is ever compared
        heappush(heads, (matching.urgency(contact, index.state.at), contact, passed, line))


def _fit(work: Work, contact: Contact) -> None:
    """No dead ends: when all who could serve it declined, widen; when nobody else is left, tell a supervisor."""
    if not contact.declined or contact.ask_again_at is not None:
        return
    if not _all_declined(work, contact):
        return
    widened = placing.widen(work, contact)
    work.emit(NotifySupervisors(reason="dead-end", contact=contact.id, detail="all declined"))
    if not widened or _all_declined(work, contact):
        contact.ask_again_at = work.now + ASK_AGAIN
        work.touch(contact)


def _all_declined(work: Work, contact: Contact) -> bool:
    able = work.index.profile_of(contact).able_ids
    return all(name in contact.declined for name in able)
