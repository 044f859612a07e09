"""Placing contacts: offer, assign, take back, route. What comes of it in the end is settled by `settling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import clocks, explain, matching, rules
from router.core.decisions import (
    AssignTo,
    ChangeRequirement,
    NotifySupervisors,
    OfferTo,
    ReleaseContact,
    RescindOffer,
)
from router.core.state import Offer
from router.core.transitions import ContactState, OfferState, next_offer_state
from router.core.values import Assign

if TYPE_CHECKING:
    from router.core.board import Profile, Seat
    from router.core.decisions import Explanation
    from router.core.rules import Outcome
    from router.core.state import Contact
    from router.core.work import Work


def place(work: Work, contact: Contact) -> None:
    """See that a waiting contact gets to its best agent, once the event's other effects are known."""
    work.look[contact.id] = contact


def try_place(work: Work, contact: Contact) -> bool:
    """Give a waiting contact to its best agent, if there is one; its own agent only, if it waits for that one."""
    profile = work.index.profile_of(contact)
    _stick(work, contact, profile)
    while True:
        choice = matching.choose(work.index, profile, contact)
        if contact.sticky_until is not None:
            own = profile.able_ids.get(contact.prefer_agent or "")
            choice = choice._replace(best=[seat for seat in choice.best if seat is own])
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
    work.credit(contact, agent)
    work.hold(contact, agent)
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
    contact.called = [one for one in contact.called if one != agent]
    contact.missed = contact.evened = False
    contact.waiting_since = None
    contact.decided_at = work.state.n
    if contact.credited_slot is None:
        work.credit(contact, agent)
    work.hold(contact, agent)
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
    spent = work.let_go(contact, agent, done=True)
    contact.agent = None
    work.emit(ReleaseContact(contact=contact.id, agent=agent, reason=reason, effort=spent))


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


def sticky(contact: Contact) -> str | None:
    """The one agent that a contact waits for, if it does."""
    return contact.prefer_agent if contact.sticky_until is not None else None
