"""Placing contacts: offer, assign, queue, take back; and what an agent gets who becomes free.

A contact that arrives costs O(agents able to serve it), an agent who becomes free O(lines they can serve); when several
become free at once, one joint pass gives the most urgent contact to its best agent, and so on.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from router.core import clocks, explain, learning, matching, overflow, rules
from router.core.decisions import (
    AssignTo,
    ChangeRequirement,
    NotifySupervisors,
    OfferTo,
    QueueContact,
    ReleaseContact,
    RescindOffer,
)
from router.core.matching import Choice
from router.core.state import Offer
from router.core.transitions import ContactState, OfferState, next_offer_state
from router.core.values import Assign

if TYPE_CHECKING:
    from router.core.board import Line, Profile, Seat
    from router.core.decisions import Explanation
    from router.core.index import Index
    from router.core.rules import Outcome
    from router.core.state import Contact
    from router.core.work import Work

Head = tuple["matching.Urgency", "Contact", "Contact | None", "Line"]

NOBODY = Choice(0, [])
ASK_AGAIN = 300_000  # ms after which those who declined are asked again, when nobody else is left


def place(work: Work, contact: Contact) -> None:
    """See that a waiting contact gets to its best agent, once the event's other effects are known."""
    work.look[contact.id] = contact


def _look(work: Work, contact: Contact) -> None:
    """Give a waiting contact to its best agent; else it waits, and the record says why."""
    if contact.state is not ContactState.WAITING or try_place(work, contact):
        return
    profile = work.index.profile_of(contact)
    contact.decided_at = work.state.n
    # a record of a contact that waits for its own agent lists those who are free and passed over for that
    sticky = _sticky(contact)
    choice = NOBODY if sticky is None else matching.choose(work.index, profile, contact)
    explanation = explain.explain(profile, contact, choice, work.now, sticky=sticky)
    due = contact.order if contact.due is None else contact.due
    work.emit(QueueContact(contact=contact.id, due=due, explanation=explanation))
    work.touch(contact)


def try_place(work: Work, contact: Contact) -> bool:
    """Give a waiting contact to its best agent, if there is one; its own agent only, if it waits for that one."""
    profile = work.index.profile_of(contact)
    _stick(work, contact, profile)
    while True:
        choice = matching.choose(work.index, profile, contact)
        if contact.sticky_until is not None:
            own = profile.able_ids.get(contact.prefer_agent or "")
            choice = Choice(choice.free, [seat for seat in choice.best if seat is own])
        if not choice.best:
            return False
        seat = choice.best[0]
        edge = seat.state.shift_edge
        if edge is None or edge > work.now:
            sticky = contact.prefer_agent if seat.agent.id == contact.prefer_agent else None
            give(work, contact, seat, explain.explain(profile, contact, choice, work.now, sticky=sticky))
            return True
        work.turn_shift(seat)  # the timer of the shift's end is late: nobody is given work after hours


def give(work: Work, contact: Contact, seat: Seat, explanation: Explanation) -> None:
    """Offer a contact to an agent, or assign it at once where the agent's team is not asked."""
    team = work.workspace.teams.get(seat.agent.team)
    if work.workspace.shadow or (team is not None and team.assign is Assign.PUSH):
        assign(work, contact, seat.agent.id, explanation)
        return
    agent = seat.agent.id
    work.state.offers_made += 1
    patience = work.workspace.accept_within.get(contact.kind, work.workspace.accept_within_default)
    offer = Offer(id=f"o{work.state.offers_made}", agent=agent, at=work.now, until=work.now + patience)
    work.step(contact, "offer")
    contact.offer = offer
    contact.decided_at = contact.offered_at = work.state.n
    work.hold(contact, agent)
    work.credit(contact, agent)
    work.emit(OfferTo(contact=contact.id, agent=agent, offer=offer.id, until=offer.until, explanation=explanation))
    work.touch(contact)


def assign(work: Work, contact: Contact, agent: str, explanation: Explanation, *, step: str = "assign") -> None:
    """Make an agent the owner, at once."""
    work.step(contact, step)
    contact.agent = agent
    contact.declined = []
    contact.lapsed = []
    contact.ask_again_at = None
    contact.snoozed_until = None
    contact.passed = 0
    contact.missed = False
    contact.waiting_since = None
    contact.decided_at = work.state.n
    work.hold(contact, agent)
    if contact.credited_slot is None:
        work.credit(contact, agent)
    work.remember_agent(contact, agent)
    clocks.run_resolution(work.workspace, contact, work.now)
    work.emit(AssignTo(contact=contact.id, agent=agent, explanation=explanation))
    work.touch(contact)


def assign_by_hand(work: Work, contact: Contact, agent: str) -> None:
    """A person's assignment stands, whatever skills and capacity say; the record says that it was one."""
    assign(work, contact, agent, explain.by_hand(work.index.profile_of(contact)))


def withdraw(work: Work, contact: Contact, reason: str, how: str = "rescind") -> None:
    """End the pending offer; the contact waits again, at its old place. It is not placed yet."""
    offer = contact.offer
    assert offer is not None
    next_offer_state(OfferState.PENDING, how)
    work.take_back(contact, offer.agent)
    work.let_go(contact, offer.agent)
    contact.offer = None
    work.emit(RescindOffer(contact=contact.id, agent=offer.agent, offer=offer.id, reason=reason))
    wait(work, contact)


def release(work: Work, contact: Contact, reason: str) -> None:
    """The owner no longer has it. The contact's state is the caller's to change."""
    agent = contact.agent
    assert agent is not None
    work.let_go(contact, agent)
    learning.true_up(work, contact, agent)
    contact.agent = None
    work.emit(ReleaseContact(contact=contact.id, agent=agent, reason=reason))


def wait(work: Work, contact: Contact) -> None:
    """Put a contact back into its line, where it stood before."""
    work.step(contact, "requeue")
    contact.snoozed_until = None
    contact.waiting_since = work.now if contact.waiting_since is None else contact.waiting_since
    clocks.run_resolution(work.workspace, contact, work.now)
    contact.missed = contact.due is not None and work.now >= contact.due
    work.touch(contact)


def widen(work: Work, contact: Contact) -> bool:
    """Let any team serve it. Returns whether that changes anything."""
    if contact.team is None or contact.dead_end:
        return False  # what nobody has the skills for stays with triage
    contact.team, contact.team_set = None, False
    work.touch(contact)
    return True


def widen_again(work: Work, contact: Contact) -> None:
    """Rules named the team anew; a relaxation step that let any team serve it stays in force."""
    if contact.relaxed and any(step.widen for step in work.workspace.relax[: contact.relaxed]):
        widen(work, contact)


def classify(work: Work, contact: Contact) -> None:
    """Requirement, team, priority and promises by the rules; clocks are the caller's to renew.

    When nobody in the team asked for could ever serve it, any team may; when nobody at all could, triage gets it.
    """
    outcome = work.index.outcome(contact)
    contact.requirement = outcome.requirement
    contact.sla, contact.escalate = outcome.sla, outcome.escalate
    contact.relaxed = 0
    if not contact.priority_set:
        contact.priority = outcome.priority
    route(work, contact, outcome)


def route(work: Work, contact: Contact, outcome: Outcome) -> None:
    """Choose team and requirement so that somebody could serve it, if anybody can."""
    index = work.index
    contact.requirement = outcome.requirement
    contact.dead_end = False
    if contact.team_set and contact.team in work.workspace.teams:
        _suit(work, contact)
        return
    contact.team_set = False
    for team in (outcome.team, None):
        if index.profile(outcome.requirement, contact.kind, team).able:
            contact.team = team
            return
    contact.dead_end = True
    rest = rules.waived(outcome.requirement)
    if index.profile(rest, contact.kind, rules.TRIAGE).able:
        contact.requirement, contact.team = rest, rules.TRIAGE
    else:
        contact.team = outcome.team


def give_to_team(work: Work, contact: Contact, team: str) -> None:
    """A person or an escalation chose a team: that stands, even if nobody there has the skills."""
    contact.team, contact.team_set = team, True
    _suit(work, contact)


def _suit(work: Work, contact: Contact) -> None:
    """Where nobody in the team chosen has the skills, they become preferences."""
    if not work.index.profile(contact.requirement, contact.kind, contact.team).able:
        contact.requirement = rules.waived(contact.requirement)


def tell_dead_end(work: Work, contact: Contact) -> None:
    """A supervisor hears of a contact that nobody can serve as the rules require."""
    if contact.dead_end:
        detail = "given to triage" if contact.team == rules.TRIAGE else "nobody can serve it"
        work.emit(NotifySupervisors(reason="dead-end", contact=contact.id, detail=detail))


def announce(work: Work, contact: Contact) -> None:
    """Put a changed requirement or priority on record, and bring clocks and place in line in step."""
    clocks.renew(work.workspace, contact)
    work.emit(
        ChangeRequirement(
            contact=contact.id,
            requirement=contact.requirement,
            priority=contact.priority,
            due=contact.due,
            topics=tuple(topic for topic, _ in contact.topics),
        )
    )
    work.touch(contact)


def replace(work: Work, contact: Contact, reason: str) -> None:
    """What a contact requires changed: say so, and see that whoever is offered it is still able."""
    announce(work, contact)
    tell_dead_end(work, contact)
    if contact.offer is not None and contact.offer.agent not in work.index.profile_of(contact).able_ids:
        withdraw(work, contact, reason)
    if contact.state is ContactState.WAITING:
        contact.sticky_until = None
        contact.missed = contact.due is not None and work.now >= contact.due
        place(work, contact)


def unstick(work: Work, seat: Seat) -> None:
    """Contacts that wait for this agent alone wait no longer: the agent is gone."""
    for kind in sorted(seat.sticky):
        line = seat.sticky[kind]
        for late in (True, False):
            while (contact := work.index.head(line, None, missed=late)) is not None:
                contact.sticky_until = None
                contact.prefer_agent = None
                work.touch(contact)
                place(work, contact)


def settle(work: Work) -> None:
    """Place and fill until nothing fits; and again where a team has to help another out now."""
    _settle(work)
    while overflow.balance(work):
        _settle(work)


def _settle(work: Work) -> None:
    """Place what is to be placed and give work to those who can take more, until nothing fits.

    One contact, or one agent, is a look of its own; more of either are one joint pass, so that no contact gets to an
    agent before one that is more urgent and has been waiting for that agent.
    """
    look = [contact for contact in work.look.values() if contact.state is ContactState.WAITING]
    freed = [work.freed[name] for name in sorted(work.freed) if work.freed[name].room]
    work.look.clear()
    work.freed.clear()
    for contact in look:
        _fit(work, contact)
    if len(look) + len(freed) > 1:
        _joint_pass(work, look, freed)
    for seat in freed:
        _fill(work, seat)
    for contact in sorted(look, key=lambda contact: matching.urgency(contact, work.now)):
        _look(work, contact)


def _fill(work: Work, seat: Seat) -> None:
    """Contacts for one agent, most urgent first."""
    index = work.index
    while seat.room:
        contact, passed = matching.next_contact(index, seat.lines, seat.room, seat.agent.id)
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
        choice = Choice(1 if sticky is None else matching.choose(index, profile, contact).free, [seat])
        give(work, contact, seat, explain.explain(profile, contact, choice, work.now, sticky=sticky))


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
    for line in lines:
        _push_head(index, heads, line, blocked)
    while heads:
        _, contact, passed, line = heappop(heads)
        if not try_place(work, contact):
            # it was declined by those who are free, or waits for its own agent: the next one may be luckier
            blocked[contact.id] = 1
            if contact.declined or index.entries[contact.id][3] is not line:
                _push_head(index, heads, line, blocked)
            continue  # else nobody is free for any contact of this line
        if passed is not None:
            passed.passed += 1
        _push_head(index, heads, line, blocked)


def _push_head(index: Index, heads: list[Head], line: Line, blocked: dict[str, int]) -> None:
    contact, passed = matching.next_contact(index, (line,), line.bit, None, blocked)
    if contact is not None:
        # urgencies end in the contact's number, so that nothing after them is ever compared
        heappush(heads, (matching.urgency(contact, index.state.at), contact, passed, line))


def _fit(work: Work, contact: Contact) -> None:
    """No dead ends: when all who could serve it declined, widen; when nobody else is left, tell a supervisor."""
    if not contact.declined or contact.ask_again_at is not None:
        return
    if not _all_declined(work, contact):
        return
    widened = widen(work, contact)
    work.emit(NotifySupervisors(reason="dead-end", contact=contact.id, detail="all declined"))
    if not widened or _all_declined(work, contact):
        contact.ask_again_at = work.now + ASK_AGAIN
        work.touch(contact)


def _all_declined(work: Work, contact: Contact) -> bool:
    able = work.index.profile_of(contact).able_ids
    return all(name in contact.declined for name in able)


def _waits_for_its_agent(work: Work, contact: Contact, profile: Profile) -> bool:
    """Whether the one who last served this customer is here, able and full, and the clock of that has not run out."""
    name = contact.prefer_agent
    if name is None or name in contact.declined or name in contact.lapsed:
        return False
    seat = profile.able_ids.get(name)
    if seat is None or seat.absence or seat.room & profile.line.bit:
        return False
    return work.now < contact.turn_at + contact.paused + work.workspace.sticky_wait


def _stick(work: Work, contact: Contact, profile: Profile) -> None:
    """Let it wait for its agent alone, if it should."""
    if contact.sticky_until is None and _waits_for_its_agent(work, contact, profile):
        contact.sticky_until = contact.turn_at + contact.paused + work.workspace.sticky_wait
        work.touch(contact)


def _sticky(contact: Contact) -> str | None:
    return contact.prefer_agent if contact.sticky_until is not None else None
