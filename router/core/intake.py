"""The journey of messages: which contact a message opens, joins or reopens.

Rules: a message is applied once; auto mail is attached where it belongs, and never opens, reopens or wakes anything;
a thread lets in only those who take part in it, and a stranger's message becomes a contact of its own, flagged, that
says what it claims; a thread that all who are there share is one contact, whoever writes; else, on chat and messaging,
a customer has one open contact a channel and account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core import clocks, leaving, links, placing, reserve, unwanted
from router.core.chats import CONVERSATIONS
from router.core.decisions import (
    AttachMessage,
    FileAuto,
    NotifySupervisors,
    OpenContact,
    ReopenContact,
    WakeContact,
)
from router.core.rules import TRIAGE
from router.core.state import Auto, Contact, MessageRef
from router.core.transitions import ContactState
from router.core.values import RISING, Requirement

if TYPE_CHECKING:
    from router.core.events import MessageDeferred, MessageQuarantined, MessageReceived, MessageReleased
    from router.core.work import Work

BOUNCE = "bounce"
MOOD = "mood"  # why an offer is withdrawn: what the customer wrote since asks for somebody else
ERASED = leaving.ERASED
QUARANTINED = "quarantined"  # a flag: nobody knows yet who wrote it


def receive(work: Work, event: MessageReceived) -> None:
    """A customer's message, or auto mail, finds its one place."""
    work.state.deferred.pop(event.message, None)
    if event.message in work.index.place:
        return  # applied before: a message is in one place only
    links.hear(work, event)
    if event.auto is None and unwanted.blocked(work.state, event.sender):
        event = msgspec.structs.replace(event, auto=unwanted.BLOCKED)
    claimed = resolve_joined(work, event.thread) or answered(work, event.answers)
    if claimed is not None and len(claimed.messages) >= leaving.MESSAGES_MAX:
        claimed = None
    if event.auto is not None:
        _file_auto(work, event, claimed)
        return
    if event.conflict:
        _open(work, event, flag="conflict", claims=claimed.id if claimed else None)
        return
    if claimed is None and event.kind in CONVERSATIONS and not event.shared:
        claimed = _conversation(work, event) or (_thanked(work, event) if event.thanks else None)
    if claimed is None:
        _open(work, event, follows=_closed_long_ago(work, event.thread))
    elif event.sender not in claimed.participants and not _may_come_in(claimed, event):
        _open(work, event, flag="unknown-sender", claims=claimed.id)
    elif claimed.state is ContactState.RESOLVED and event.thanks:
        claimed.participants = _named(*claimed.participants, event.sender)
        _attach(work, claimed, event)  # there is nothing to do about it
    elif claimed.state is ContactState.RESOLVED and not _can_reopen(work, claimed):
        _open(work, event, follows=claimed.id)
    else:
        _join(work, claimed, event)


def defer(work: Work, event: MessageDeferred) -> None:
    """A slow message steps aside; it comes back under its first id."""
    if event.message not in work.index.place:
        work.state.deferred[event.message] = work.now


def quarantine(work: Work, event: MessageQuarantined) -> None:
    """A message nobody could parse becomes a contact for triage, so that a person looks at it."""
    work.state.deferred.pop(event.message, None)
    if event.message in work.index.place:
        return
    if unwanted.blocked(work.state, event.sender):
        list_auto(work, Auto(message=event.message, channel=event.channel, auto=unwanted.BLOCKED, at=work.now))
        work.emit(FileAuto(message=event.message, auto=unwanted.BLOCKED))
        return
    contact = new_contact(
        work, sender=event.sender, channel=event.channel, kind=event.kind, account=event.account, flag=QUARANTINED
    )
    contact.sla = work.workspace.sla
    contact.team = TRIAGE if TRIAGE in work.workspace.teams else None
    work.state.quarantined[event.message] = contact.id
    work.emit(NotifySupervisors(reason="quarantined", contact=contact.id, detail=event.reason))
    _begin(work, contact, MessageRef(id=event.message, direction="in", at=work.now, sender=event.sender or None))


def release(work: Work, event: MessageReleased) -> None:
    """A quarantined message was understood after all: its contact goes on as an ordinary one."""
    contact = work.state.contacts.get(work.state.quarantined.pop(event.message, ""))
    if contact is None or contact.flag != QUARANTINED:
        return
    contact.flag = ""
    contact.participants = _named(event.sender, *contact.participants)
    leaving.give_up(work, contact)
    contact.customer = customer_of(work, event.sender)
    work.index.customers.count(contact.customer, 1)
    for ref in contact.messages:
        if ref.id == event.message:
            ref.sender = event.sender
    contact.language, contact.topics = event.language, event.topics
    contact.likely, contact.moods = event.effort, _sorted(event.moods)
    work.index.chats.note(contact)
    placing.classify(work, contact)
    placing.replace(work, contact, "retagged")


def resolve_joined(work: Work, name: str | None) -> Contact | None:
    """The contact of that id, or the one it was joined into; None if the state no longer has it, or it was erased."""
    contact = work.state.contacts.get(name or "")
    while contact is not None and contact.joined is not None:
        contact = work.state.contacts.get(contact.joined)
    return None if contact is None or contact.flag == ERASED else contact


def answered(work: Work, answers: tuple[str, ...]) -> Contact | None:
    """The contact of the first known message among those that one refers to (shadow mode), or words anew."""
    for external in answers:
        contact = resolve_joined(work, work.index.place.get(work.state.externals.get(external, "")))
        if contact is not None:
            return contact
    return None


def know(work: Work, external: str, message: str) -> None:
    """Remember a message by its own id, if it has one. Who uses an id again cannot take it over."""
    if external:
        work.state.externals.setdefault(external, message)


def list_auto(work: Work, auto: Auto) -> None:
    """Put a message on the list of those that open no contact; they leave it when closed contacts do, or it is full."""
    autos = work.state.autos
    autos[auto.message] = auto
    work.index.place[auto.message] = ""
    # the oldest come first, the new one stays
    while (oldest := next(iter(autos.values()))).at + work.workspace.reopen_window < work.now or (
        len(autos) > leaving.AUTOS_MAX
    ):
        del autos[oldest.message], work.index.place[oldest.message]


def customer_of(work: Work, identity: str) -> str:
    """The customer an identity belongs to; a new one if it was never seen; "" for a sender nobody knows."""
    if not identity:
        return ""
    known = work.state.identities.get(identity)
    if known is None:
        work.state.customers_seen += 1
        known = work.state.identities[identity] = f"k{work.state.customers_seen}"
        work.index.customers.identities[known] = [identity]
    return known


# -- inside ------------------------------------------------------------------------------------------------------------


def _file_auto(work: Work, event: MessageReceived, claimed: Contact | None) -> None:
    """Attach auto mail where it belongs, else list it. Nothing is opened, reopened or woken."""
    home = claimed
    if home is None and event.about is not None:
        home = resolve_joined(work, work.index.place.get(event.about))
    room = home is not None and len(home.messages) < leaving.MESSAGES_MAX
    belongs = home is not None and room and (event.auto == BOUNCE or event.sender in home.participants)
    if home is not None and belongs:
        _attach(work, home, event)
        return
    list_auto(work, Auto(message=event.message, channel=event.channel, auto=event.auto or "", at=work.now))
    work.emit(FileAuto(message=event.message, auto=event.auto or ""))


def _conversation(work: Work, event: MessageReceived) -> Contact | None:
    """The newest open contact of theirs on this channel and account; another's, though linked, stays the other's."""
    customer = work.state.identities.get(event.sender, "")
    known = work.index.chats.open.get((customer, event.channel, event.account, event.kind), ())
    own = (one for name in reversed(known) if event.sender in (one := work.state.contacts[name]).participants)
    newest = next(own, None) or links.go_on(work, event.sender, thanks=event.thanks)
    return newest if newest is not None and len(newest.messages) < leaving.MESSAGES_MAX else None


def _may_come_in(contact: Contact, event: MessageReceived) -> bool:
    """Whether somebody who writes in a shared thread takes part in its contact from now on."""
    same = (contact.channel, contact.account) == (event.channel, event.account)
    return event.shared and same and len(contact.participants) < leaving.PARTICIPANTS_MAX


def _thanked(work: Work, event: MessageReceived) -> Contact | None:
    """The conversation that ended last and in which its customer may say thanks."""
    customer = work.state.identities.get(event.sender, "")
    known = work.index.chats.ended.get((customer, event.channel, event.account, event.kind), ())
    for name in (*reversed(known), work.state.going_on.get(event.sender, "")):
        found = work.state.contacts.get(name)
        if found is None or event.sender not in found.participants:
            continue
        if found.customer == customer and found.joined is None and found.flag == "":
            return found if _can_reopen(work, found) and len(found.messages) < leaving.MESSAGES_MAX else None
    return None


def _can_reopen(work: Work, contact: Contact) -> bool:
    return work.now < (contact.resolved_at or 0) + work.workspace.reopen_window


def _closed_long_ago(work: Work, thread: str | None) -> str | None:
    """A contact of ours that the state no longer has: it can be named, and nothing else."""
    return None if thread in work.state.contacts else thread


def _open(
    work: Work, event: MessageReceived, *, flag: str = "", claims: str | None = None, follows: str | None = None
) -> None:
    contact = new_contact(
        work, sender=event.sender, channel=event.channel, kind=event.kind, account=event.account, flag=flag
    )
    contact.claims, contact.follows = claims, follows
    if event.cc:
        contact.participants = _named(event.sender, *event.cc)
    contact.language = links.language_of(work, contact.customer) or event.language
    contact.tier, contact.topics = links.tier_of(work, contact.customer, event), event.topics
    contact.likely, contact.moods = event.effort, _sorted(event.moods)
    placing.classify(work, contact)
    contact.prefer_agent = work.state.last_agent.get(contact.customer)
    contact.quiet = event.quiet
    work.opened = contact
    if event.shared and not flag:  # the thread goes on with this one, not with one that is full or closed for good
        work.state.externals.pop(event.external, None)
    ref = MessageRef(id=event.message, direction="in", at=work.now, sender=event.sender, external=event.external)
    _begin(work, contact, ref)


def new_contact(
    work: Work, *, sender: str, channel: str, kind: str, account: str, flag: str = "", name: str = ""
) -> Contact:
    """A contact that waits, of nobody yet; `name`: its id, if it has one already. It is not in the state yet."""
    work.state.contacts_opened += 1
    number = work.state.contacts_opened
    return Contact(
        id=name or f"c{number}",
        seq=number,
        customer=customer_of(work, sender),
        participants=[sender] if sender else [],
        channel=channel,
        kind=kind,
        account=account,
        state=ContactState.WAITING,
        opened_at=work.now,
        waiting_since=work.now,
        turn_at=work.now,
        requirement=Requirement(),
        flag=flag,
    )


def _begin(work: Work, contact: Contact, ref: MessageRef) -> None:
    """Enter a new contact into the state, start its clocks, and place it."""
    enter(work, contact, ref)
    placing.tell_dead_end(work, contact)
    placing.place(work, contact)


def enter(work: Work, contact: Contact, ref: MessageRef) -> None:
    """Enter a new contact into the state with its first message, and start its clocks."""
    work.state.contacts[contact.id] = contact
    work.index.customers.count(contact.customer, 1)
    insert(work, contact, ref)
    clocks.restart(work.workspace, contact, work.now)
    reserve.ask(work, contact)
    work.index.chats.note(contact)
    work.emit(
        OpenContact(
            contact=contact.id,
            message=ref.id,
            customer=contact.customer,
            requirement=contact.requirement,
            priority=contact.priority,
            due=contact.due,
            topics=tuple(topic for topic, _ in contact.topics),
            flag=contact.flag,
            claims=contact.claims,
        )
    )


def _named(*identities: str) -> list[str]:
    """Identities, sorted, each once; no name is nobody's, so that two nameless senders are never the same."""
    return sorted({identity for identity in identities if identity})


def _attach(work: Work, contact: Contact, event: MessageReceived) -> None:
    ref = MessageRef(
        id=event.message,
        direction="in",
        at=work.now,
        sender=event.sender,
        auto=event.auto,
        external=event.external,
        channel="" if event.channel == contact.channel else event.channel,
    )
    insert(work, contact, ref)
    work.emit(AttachMessage(contact=contact.id, message=event.message))


def insert(work: Work, contact: Contact, ref: MessageRef) -> None:
    """Messages of a contact sort by inbox id, so that one that came back late stands where it was written."""
    work.index.place[ref.id] = contact.id
    know(work, ref.external, ref.id)
    here = len(contact.messages)
    order = stream_order(ref.id) if here else None
    while order is not None and here > 0:
        before = stream_order(contact.messages[here - 1].id)
        if before is None or before <= order:
            break
        here -= 1
    contact.messages.insert(here, ref)


def stream_order(name: str) -> tuple[int, int] | None:
    """The order of an inbox id `ms-seq`; None for ids of another form."""
    ms, dash, seq = name.partition("-")
    return (int(ms), int(seq)) if dash and ms.isdecimal() and seq.isdecimal() else None


def _join(work: Work, contact: Contact, event: MessageReceived) -> None:
    """A participant wrote again."""
    if len(contact.participants) < leaving.PARTICIPANTS_MAX:
        contact.participants = _named(*contact.participants, event.sender, *event.cc)
    links.follow_channel(work, contact, event)
    _attach(work, contact, event)
    answer_customer(work, contact)
    feel(work, contact, event.moods)


def feel(work: Work, contact: Contact, moods: tuple[str, ...]) -> None:
    """A mood that shows only now counts as if it had from the first, where a rule asks for it. No priority falls."""
    before, contact.moods = contact.moods, _sorted((*contact.moods, *moods))
    asked = {rule.when.mood for rule in work.workspace.rules}
    if any(mood in asked for mood in contact.moods if mood not in before):
        priority = contact.priority
        placing.classify(work, contact)
        contact.priority = max(priority, contact.priority, key=RISING.index)
        placing.replace(work, contact, MOOD)


def _sorted(moods: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(moods)))


def answer_customer(work: Work, contact: Contact) -> None:
    """The customer wrote in a contact: the ball is in our court."""
    if contact.state is ContactState.RESOLVED:
        reopen(work, contact)
        return
    if contact.state in {ContactState.WAITING_CUSTOMER, ContactState.SNOOZED}:
        wake(work, contact, "customer_wrote")
    clocks.start_response(work.workspace, contact, work.now)
    work.touch(contact)


def reopen(work: Work, contact: Contact) -> None:
    """A resolved contact is open again; it prefers the agent who had it."""
    contact.prefer_agent = contact.agent or work.state.last_agent.get(contact.customer)
    contact.agent = None
    contact.resolved_at = None
    contact.spam = False
    contact.turn_at, contact.paused = work.now, 0
    contact.relaxed = 0
    clocks.restart(work.workspace, contact, work.now)
    placing.wait(work, contact)
    work.emit(ReopenContact(contact=contact.id))
    placing.place(work, contact)


def wake(work: Work, contact: Contact, step: str) -> None:
    """A parked contact returns to its owner at full cost, over the limit if need be; without one, to the queue."""
    contact.snoozed_until = None
    contact.turn_at, contact.paused = work.now, 0
    contact.relaxed = 0
    work.emit(WakeContact(contact=contact.id))
    if contact.agent is None:
        placing.wait(work, contact)
        placing.place(work, contact)
        return
    work.step(contact, step if contact.state is ContactState.WAITING_CUSTOMER else "assign")
    work.hold(contact, contact.agent)
    clocks.run_resolution(work.workspace, contact, work.now)
    work.touch(contact)
