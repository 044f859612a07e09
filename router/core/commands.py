"""What agents do to contacts. Each command either happens whole or is refused with a code; races have one winner.

Manual action wins: whoever takes a contact, or is given one by name, gets it whatever skills and capacity say, and the
record says that a person decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import asking, clocks, explain, intake, joining, learning, leaving, placing, unwanted
from router.core.decisions import ReleaseContact, ResolveContact, SendReply, SnoozeContact
from router.core.state import MessageRef
from router.core.transitions import ContactState, DeliveryState
from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.events import (
        ColleagueCalled,
        ColleagueLeft,
        ContactReopened,
        ContactResolved,
        ContactRetagged,
        ContactsMerged,
        ContactSnoozed,
        ContactTaken,
        ContactWoken,
        NoteWritten,
        OfferAccepted,
        OfferDeclined,
        PrioritySet,
        ReplyWritten,
        SenderLetIn,
        SenderUnblocked,
        SpamMarked,
        TransferAsked,
    )
    from router.core.state import Contact
    from router.core.work import Work

UNOWNED = (ContactState.WAITING, ContactState.OFFERED)


def accept(work: Work, event: OfferAccepted, contact: Contact) -> None:
    """The agent takes what was offered to them."""
    offer = contact.offer
    if offer is None or offer.id != event.offer or offer.agent != event.agent:
        _refuse_offer(work, contact, event.agent)
        return
    contact.offer = None
    work.index.seats[event.agent].state.lapses = 0
    explanation = explain.accepted(work.index.profile_of(contact))
    placing.assign(work, contact, event.agent, explanation, step="accept")


def decline(work: Work, event: OfferDeclined, contact: Contact) -> None:
    """The agent does not want it; others are asked, and this agent no more until nobody else is left."""
    offer = contact.offer
    if offer is None or offer.id != event.offer or offer.agent != event.agent:
        _refuse_offer(work, contact, event.agent)
        return
    work.index.seats[event.agent].state.lapses = 0
    contact.declined = sorted({*contact.declined, event.agent})
    placing.withdraw(work, contact, "declined", "decline")
    placing.place(work, contact)


def take(work: Work, event: ContactTaken, contact: Contact) -> None:
    """Claim from the queue or from another's pending offer; a supervisor may take from an owner."""
    if contact.agent == event.agent and contact.state not in UNOWNED and contact.state is not ContactState.RESOLVED:
        work.refuse("already-yours")
    elif contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
    elif contact.agent is not None and not work.supervises(event.agent):
        work.refuse("taken", contact.agent)
    else:
        _free(work, contact, "taken")
        placing.assign_by_hand(work, contact, event.agent)


def reply(work: Work, event: ReplyWritten, contact: Contact) -> None:
    """An answer goes to the customer, and the ball with it."""
    if not _owned(work, contact, event.agent):
        return
    if contact.state is ContactState.SNOOZED:
        intake.wake(work, contact, "customer_wrote")
    channel = event.channel or contact.channel
    ref = MessageRef(id=event.message, direction="out", at=work.now, agent=event.agent, delivery=DeliveryState.PENDING)
    ref.channel = "" if channel == contact.channel else channel
    contact.messages.append(ref)
    work.index.place[event.message] = contact.id
    owed, due = contact.response_from, contact.response_due
    waited = None if owed is None else max(0, work.now - owed)
    late = None if owed is None or due is None else work.now > due
    work.emit(SendReply(contact=contact.id, message=event.message, channel=channel, waited=waited, late=late))
    if not event.resolve:
        wait_on_customer(work, contact, event.agent)
        return
    work.step(contact, "reply")
    clocks.stop_response(contact)
    close(work, contact)
    asking.ask(work, event, contact)


def wait_on_customer(work: Work, contact: Contact, agent: str) -> None:
    """Something was sent: the ball is with the customer, and the agent who keeps the contact has room again."""
    work.step(contact, "reply")
    clocks.stop_response(contact)
    clocks.pause_resolution(work.workspace, contact, work.now)
    work.let_go(contact, agent, park=True)
    work.touch(contact)


def note(work: Work, event: NoteWritten, contact: Contact) -> None:
    """Said among colleagues: attached to the contact, whatever its state, unless it was erased."""
    if contact.flag == intake.ERASED:
        work.refuse("not-open")
        return
    contact.messages.append(MessageRef(id=event.message, direction="note", at=work.now, agent=event.agent))
    work.index.place[event.message] = contact.id


def transfer(work: Work, event: TransferAsked, contact: Contact) -> None:
    """To an agent by name, to a team, or to whoever is best but the one who hands it over."""
    if not _may_move(work, contact, event.agent):
        return
    if event.to_agent is not None and event.to_agent not in work.workspace.agents:
        work.refuse("no-such-agent", event.to_agent)
        return
    if event.to_agent is not None and event.to_agent == contact.agent:
        work.refuse("already-yours", event.to_agent)
        return
    if event.to_team is not None and event.to_team not in work.workspace.teams:
        work.refuse("no-such-team", event.to_team)
        return
    if event.message:
        contact.messages.append(MessageRef(id=event.message, direction="note", at=work.now, agent=event.agent))
        work.index.place[event.message] = contact.id
    former = contact.agent
    _free(work, contact, "transferred")
    if event.to_agent is not None:
        placing.assign_by_hand(work, contact, event.to_agent)
        return
    if event.to_team is not None:
        placing.give_to_team(work, contact, event.to_team)
        placing.announce(work, contact)
    contact.prefer_agent = None
    if former is not None:
        contact.declined = sorted({*contact.declined, former})
    _queue(work, contact)


def snooze(work: Work, event: ContactSnoozed, contact: Contact) -> None:
    """Put it aside until an instant; the owner keeps it, their capacity is free."""
    if not _may_move(work, contact, event.agent):
        return
    if event.until <= work.now:
        work.refuse("bad-time")
        return
    if contact.offer is not None:
        placing.withdraw(work, contact, "taken")
    work.step(contact, "snooze")
    contact.snoozed_until = event.until
    contact.waiting_since = None
    clocks.pause_resolution(work.workspace, contact, work.now)
    if contact.agent is not None:
        work.let_go(contact, contact.agent, park=True)
        work.emit(ReleaseContact(contact=contact.id, agent=contact.agent, reason="snoozed"))
    work.emit(SnoozeContact(contact=contact.id, until=event.until))
    work.touch(contact)


def wake(work: Work, event: ContactWoken, contact: Contact) -> None:
    """Take it up again before its time."""
    if contact.agent != event.agent and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif contact.state not in {ContactState.SNOOZED, ContactState.WAITING_CUSTOMER}:
        work.refuse("bad-state", contact.state.value)
    else:
        intake.wake(work, contact, "customer_wrote")


def resolve(work: Work, event: ContactResolved, contact: Contact) -> None:
    """Done."""
    if _may_move(work, contact, event.agent):
        close(work, contact)
        asking.ask(work, event, contact)


def reopen(work: Work, event: ContactReopened, contact: Contact) -> None:
    """Not done after all; it prefers the agent who had it."""
    if contact.agent != event.agent and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif contact.state is not ContactState.RESOLVED or contact.joined is not None or contact.flag == intake.ERASED:
        work.refuse("bad-state", contact.state.value)
    else:
        intake.reopen(work, contact)


def retag(work: Work, event: ContactRetagged, contact: Contact) -> None:
    """The agent says what it is about. Whoever owns it keeps it; an offer out stands only if the agent is able."""
    offered = contact.offer is not None and contact.offer.agent == event.agent
    unknown = [topic for topic in event.topics if topic not in work.workspace.topics]
    if not offered and not _may_move(work, contact, event.agent):
        return
    if unknown:
        work.refuse("bad-topic", unknown[0])
        return
    contact.topics = tuple((topic, WHOLE) for topic in event.topics)
    contact.topics_set = True
    placing.classify(work, contact)
    placing.replace(work, contact, "retagged")


def set_priority(work: Work, event: PrioritySet, contact: Contact) -> None:
    """A person sets the priority; rules no longer change it."""
    if not _may_move(work, contact, event.agent):
        return
    contact.priority = event.priority
    contact.priority_set = True
    placing.announce(work, contact)


def let_in(work: Work, event: SenderLetIn, contact: Contact) -> None:
    """A flagged contact's sender may write in the contact they claimed."""
    into = intake.resolve_joined(work, contact.claims)
    if contact.joined is not None or contact.claims is None or into is contact:
        work.refuse("bad-state", contact.flag)
    elif into is None:
        work.refuse("no-such-contact", contact.claims)
    elif event.agent not in {contact.agent, into.agent} and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
    else:
        joining.let_in(work, contact, into)


def merge(work: Work, event: ContactsMerged, contact: Contact) -> None:
    """The messages of an open contact go into another of the same customer's, which stays its owner's.

    Only within one customer and one channel: else somebody would read what was written to another, or be answered
    where they never wrote.
    """
    into = intake.resolve_joined(work, event.into)
    unreadable = "quarantined" in {contact.flag, into.flag if into is not None else ""}
    if into is None:
        work.refuse("no-such-contact", event.into)
    elif contact.joined is not None or into is contact or unreadable:
        work.refuse("bad-state", contact.state.value)
    elif (contact.customer, contact.channel) != (into.customer, into.channel) or not contact.customer:
        work.refuse("not-one")
    elif contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
    elif contact.agent not in {None, event.agent} and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif len(contact.messages) + len(into.messages) > leaving.MESSAGES_MAX:
        work.refuse("bad-state", into.state.value)
    elif _may_move(work, into, event.agent):
        joining.merge(work, contact, into)


def call(work: Work, event: ColleagueCalled, contact: Contact) -> None:
    """A colleague looks on and writes notes, until it is resolved or they leave; nothing of their room is taken."""
    offered = contact.offer.agent if contact.offer is not None else None
    part = {contact.agent, offered, *contact.called}
    if event.target not in work.workspace.agents:
        work.refuse("no-such-agent", event.target)
    elif contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
    elif event.agent not in part and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif event.target == contact.agent:
        work.refuse("already-there", event.target)
    else:
        if event.message:
            contact.messages.append(MessageRef(id=event.message, direction="note", at=work.now, agent=event.agent))
            work.index.place[event.message] = contact.id
        contact.called = sorted({*contact.called, event.target})


def leave(work: Work, event: ColleagueLeft, contact: Contact) -> None:
    """Whoever was called in looks on no more."""
    if event.agent in contact.called:
        contact.called.remove(event.agent)
    else:
        work.refuse("bad-state", contact.state.value)


def mark_spam(work: Work, event: SpamMarked, contact: Contact) -> None:
    """Close it as spam: nothing is learned from it, and its sender, if so said, opens nothing any more."""
    if _may_move(work, contact, event.agent):
        contact.spam = True
        if event.block:
            unwanted.block(work.state, contact)
        close(work, contact)


def unblock(work: Work, event: SenderUnblocked, contact: Contact) -> None:
    """Its sender may write to us again; what they wrote meanwhile stays on the list."""
    if contact.agent != event.agent and not work.supervises(event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif not unwanted.unblock(work.state, contact):
        work.refuse("bad-state", contact.state.value)


# -- inside ------------------------------------------------------------------------------------------------------------


def _refuse_offer(work: Work, contact: Contact, agent: str) -> None:
    """Say who was first, or that the offer is over."""
    if contact.agent == agent and contact.state is not ContactState.RESOLVED:
        work.refuse("already-yours")
    elif contact.agent is not None:
        work.refuse("taken", contact.agent)
    else:
        work.refuse("offer-over")


def _owned(work: Work, contact: Contact, agent: str) -> bool:
    """Whether an agent owns an open contact; refuses if not."""
    if contact.agent != agent:
        work.refuse("not-yours", contact.agent or "")
        return False
    if contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
        return False
    return True


def _may_move(work: Work, contact: Contact, agent: str) -> bool:
    """Whether an agent may act on an open contact: its owner and supervisors may; refuses if not."""
    if contact.agent != agent and not work.supervises(agent):
        work.refuse("not-yours", contact.agent or "")
        return False
    if contact.state is ContactState.RESOLVED:
        work.refuse("not-open")
        return False
    return True


def _free(work: Work, contact: Contact, reason: str) -> None:
    """Take it from whoever is offered it or owns it."""
    if contact.offer is not None:
        placing.withdraw(work, contact, reason)
    if contact.agent is not None:
        placing.release(work, contact, reason)


def _queue(work: Work, contact: Contact) -> None:
    """Back into the line and to the best agent."""
    placing.wait(work, contact)
    placing.place(work, contact)


def close(work: Work, contact: Contact) -> None:
    """It is resolved, whoever has it."""
    owner = contact.agent
    late = None if contact.resolution_due is None else work.now > contact.resolution_due
    if contact.offer is not None:
        placing.withdraw(work, contact, "resolved")
    work.step(contact, "resolve")
    contact.resolved_at = work.now
    contact.waiting_since = None
    contact.snoozed_until = None
    contact.response_from = None
    contact.called = []
    clocks.pause_resolution(work.workspace, contact, work.now)
    if owner is not None:
        spent = work.let_go(contact, owner, done=True)
        if not contact.spam:
            learning.learn(work, contact)
        work.emit(ReleaseContact(contact=contact.id, agent=owner, reason="resolved", effort=spent))
    work.emit(ResolveContact(contact=contact.id, late=late))
    work.touch(contact)
