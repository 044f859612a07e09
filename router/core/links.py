"""One customer behind several addresses: links made by proof or by an agent, and undone again; what customers prefer.

An identity is linked only by a link that usherd signed and sent to another one, or by an agent who says why. A signed
link counts once. It never merges two customers who each have another address: a browser may be shared, and then an
agent decides. Undoing a link gives back what belongs to the identities it brought: each contact goes with whoever
opened it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import leaving
from router.core.chats import CONVERSATIONS
from router.core.decisions import LinkIdentities, NotifySupervisors, UnlinkIdentities
from router.core.state import Consent, Link, MessageRef, Preference
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.events import CustomerDescribed, IdentitiesLinked, LinkUndone, MessageReceived, TierSet
    from router.core.state import Contact
    from router.core.work import Work

PROOF_KEPT = 30 * 86_400_000  # longer than any signed link is good for


def hear(work: Work, event: MessageReceived) -> None:
    """What a message says of its writer: a proof of who else they are, their language, whether they may be written."""
    if event.sender and event.consent is not None:
        _consent(work, event.sender, event.channel, given=event.consent)
    if event.sender and event.prefers in work.workspace.languages:
        _prefer(work, event.sender, event.prefers)
    if event.sender and event.auto is None and (event.tier or event.sender in work.state.tiers_seen):
        work.state.tiers_seen.pop(event.sender, None)
        if event.tier:
            work.state.tiers_seen[event.sender] = event.tier
    if event.proves and event.proof and event.sender and event.sender != event.proves:
        _prove(work, event)


def set_tier(work: Work, event: TierSet) -> None:
    """A program says of which tier somebody is; it counts from their next contact on."""
    if event.tier and event.tier not in work.workspace.tiers:
        work.refuse("bad-tier")
        return
    for identity in event.identities:
        if event.tier:
            leaving.remember_said(work.state.tiers, identity, event.tier)
        else:
            work.state.tiers.pop(identity, None)


def tier_of(work: Work, customer: str, event: MessageReceived) -> str | None:
    """The tier of whoever writes: what a program said counts before the workspace, their own address before others."""
    own = _identities(work, customer)
    for known in (work.state.tiers, work.state.tiers_seen):
        if (tier := known.get(event.sender)) is not None:
            return tier
    others = [known[one] for known in (work.state.tiers, work.state.tiers_seen) for one in own if one in known]
    return next((one for one in others if one in work.workspace.tiers), None)


def go_on(work: Work, identity: str, *, thanks: bool) -> Contact | None:
    """The open contact in which somebody goes on from another channel, if they do; thanks may be said once it ended."""
    contact = work.state.contacts.get(work.state.going_on.get(identity, ""))
    if contact is not None and contact.state is not ContactState.RESOLVED and identity in contact.participants:
        return contact
    if not thanks:
        work.state.going_on.pop(identity, None)
    return None


def follow_channel(work: Work, contact: Contact, event: MessageReceived) -> None:
    """The customer wrote by another channel: answers go there from now on. What was said before keeps its own."""
    if (contact.channel, contact.account) == (event.channel, event.account):
        return
    for ref in contact.messages:
        if ref.sender in contact.participants and contact.kind in CONVERSATIONS:
            work.state.going_on[ref.sender] = contact.id  # they may come back to where they began
    _move(work, contact, event.channel, event.account)


def language_of(work: Work, customer: str) -> str | None:
    """The language that a customer wants to be answered in, by what was said of it last."""
    state = work.state
    said = [state.languages[one] for one in _identities(work, customer) if one in state.languages]
    return max(said, key=lambda one: one.at).value if said else None


def consents(work: Work, customer: str) -> bool | None:
    """Whether a customer may be written to by a machine, by their last word; None: they never said."""
    state = work.state
    said = [state.consents[one] for one in _identities(work, customer) if one in state.consents]
    return max(said, key=lambda one: (one.at, not one.given)).given if said else None


def by_agent(work: Work, event: IdentitiesLinked, contact: Contact) -> None:
    """An agent says that two contacts are of one customer; the reason stands in the thread as a note."""
    other = work.state.contacts.get(event.other)
    if other is None:
        work.refuse("no-such-contact", event.other)
    elif not all(_open_to(work, one, event.agent) for one in (contact, other)):
        work.refuse("not-yours", contact.agent or "")
    elif not contact.customer or not other.customer or contact.customer == other.customer:
        work.refuse("bad-state", contact.flag)
    else:
        _note(work, contact, event.agent, event.message)
        kept, gone = sorted((contact.customer, other.customer), key=_age)
        merge(work, kept, gone, how="agent", agent=event.agent)


def undo(work: Work, event: LinkUndone, contact: Contact) -> tuple[str, ...]:
    """It was somebody else after all; gives the customers who are two again, () if it was refused."""
    link = next((one for one in work.state.links.get(contact.customer, ()) if one.id == event.link), None)
    if not _open_to(work, contact, event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif link is None:
        work.refuse("no-such-link", event.link)
    else:
        _note(work, contact, event.agent, event.message)
        kept = contact.customer  # the contact may be the other's in a moment
        return kept, _part(work, kept, link)
    return ()


def describe(work: Work, event: CustomerDescribed, contact: Contact) -> None:
    """An agent notes what a customer wants: their language, whether they may be written to by a machine."""
    identity = opener(contact)
    if not _open_to(work, contact, event.agent):
        work.refuse("not-yours", contact.agent or "")
    elif not identity or contact.flag == leaving.ERASED:
        work.refuse("bad-state", contact.flag)
    elif event.language is not None and event.language not in work.workspace.languages:
        work.refuse("bad-language")
    else:
        if event.language is not None:
            _prefer(work, identity, event.language)
        if event.consent is not None:
            _consent(work, identity, contact.channel, given=event.consent)


def opener(contact: Contact) -> str:
    """The identity that a contact goes by: who wrote first or, where we did, to whom."""
    written = [ref for ref in contact.messages if ref.direction == "in" and ref.sender]
    # what was merged into it may be older than what opened it
    first = next((ref for ref in written if ref.at == contact.opened_at), written[0] if written else None)
    return (first.sender if first is not None else "") or next(iter(contact.participants), "")


def heard(contact: Contact) -> list[MessageRef]:
    """What people wrote in it whom an answer may reach: nobody who was somebody else after all."""
    return [
        ref
        for ref in contact.messages
        if ref.direction == "in"
        and ref.auto is None
        and (ref.sender in contact.participants or ref.sender not in contact.parted)
    ]


def merge(work: Work, kept: str, gone: str, *, how: str, agent: str = "", contact: str = "") -> None:
    """All that is of one customer becomes another's, and can be given back."""
    state, customers = work.state, work.index.customers
    moved = tuple(customers.identities.pop(gone, ()))
    contacts = [one for one in state.contacts.values() if one.customer == gone] if gone in customers.contacts else []
    _rename(work, moved, kept)
    for one in contacts:
        _give(work, one, kept)
    served = state.last_agent.pop(gone, None)
    if served is not None and kept not in state.last_agent:
        leaving.remember_agent(work, kept, served)
    _move_budgets(work, gone, kept)
    link = _new_link(work, gone, moved, how, agent)
    state.links[kept] = [*state.links.get(kept, ()), *state.links.pop(gone, ()), link]
    work.emit(
        LinkIdentities(
            customer=kept, link=link.id, identities=moved, contacts=tuple(one.id for one in contacts), contact=contact
        )
    )


# -- inside ------------------------------------------------------------------------------------------------------------


def _prove(work: Work, event: MessageReceived) -> None:
    """The writer showed a link of ours that only another identity was sent."""
    state, customers = work.state, work.index.customers
    _forget_proofs(work)
    known = state.identities.get(event.proves)
    if known is None or event.proof in state.proofs:
        return
    state.proofs[event.proof] = work.now
    mine = state.identities.get(event.sender)
    if mine is not None and mine != known and len(customers.identities.get(mine, ())) > 1:
        work.emit(NotifySupervisors(reason="link-in-doubt", detail=f"{known} {mine}"))
        return
    continued = _newest_open(work, event.proves)
    if continued is not None and len(continued.participants) < leaving.PARTICIPANTS_MAX:
        continued.participants = sorted({*continued.participants, event.sender})
        state.going_on[event.sender] = continued.id
    name = continued.id if continued is not None else ""
    if mine is None:
        _rename(work, (event.sender,), known)
        link = _new_link(work, "", (event.sender,), "proof", "")
        state.links.setdefault(known, []).append(link)
        work.emit(LinkIdentities(customer=known, link=link.id, identities=(event.sender,), contacts=(), contact=name))
    elif mine != known:
        merge(work, known, mine, how="proof", contact=name)
    elif name:
        work.emit(LinkIdentities(customer=known, link="", identities=(event.sender,), contacts=(), contact=name))


def _newest_open(work: Work, identity: str) -> Contact | None:
    """The contact that somebody goes on with: their newest that is open and not in doubt."""
    customer = work.state.identities[identity]

    def goes(contact: Contact) -> bool:
        takes_part = contact.customer == customer and identity in contact.participants
        sound = contact.state is not ContactState.RESOLVED and not contact.flag
        return takes_part and sound and len(contact.messages) < leaving.MESSAGES_MAX

    return next((one for one in reversed(work.state.contacts.values()) if goes(one)), None)


def _part(work: Work, kept: str, link: Link) -> str:
    """Give back what a link brought; gives whose it is."""
    state = work.state
    moved = tuple(one for one in work.index.customers.identities.get(kept, ()) if one in link.identities)
    gone = link.gone
    if not gone:
        state.customers_seen += 1
        gone = f"k{state.customers_seen}"
    work.index.customers.identities[kept] = [
        one for one in work.index.customers.identities.get(kept, ()) if one not in moved
    ]
    _rename(work, moved, gone)
    contacts: list[str] = []
    served = None
    for one in [one for one in state.contacts.values() if one.customer == kept]:
        others: Sequence[str] = moved
        if opener(one) in moved:
            others = _identities(work, kept)
            _give(work, one, gone)
            contacts.append(one.id)
            served = one.agent or served
        one.parted = sorted({*one.parted, *(identity for identity in one.participants if identity in others)})
        one.participants = [identity for identity in one.participants if identity not in others]
        left = heard(one)
        if left and left[-1].channel not in {"", one.channel}:  # it had gone on where only they were
            _move(work, one, left[-1].channel, "")
    if served is not None:
        leaving.remember_agent(work, gone, served)
    for identity in moved:
        state.going_on.pop(identity, None)
    rest = [one for one in state.links.pop(kept) if one.id != link.id]
    theirs = [one for one in rest if set(one.identities) <= set(link.identities)]
    for customer, links in ((kept, [one for one in rest if one not in theirs]), (gone, theirs)):
        if links:
            state.links[customer] = links
    work.emit(UnlinkIdentities(customer=gone, kept=kept, link=link.id, identities=moved, contacts=tuple(contacts)))
    for customer in (gone, kept):
        leaving.forget_customer(work, customer)
    return gone


def _rename(work: Work, identities: tuple[str, ...], customer: str) -> None:
    """These are that customer's now: last in the order of the state, as they are in the index."""
    for identity in identities:
        work.state.identities.pop(identity, None)
        work.state.identities[identity] = customer
    work.index.customers.identities.setdefault(customer, []).extend(identities)


def _move(work: Work, contact: Contact, channel: str, account: str) -> None:
    """Answers go by another channel from now on; what was said before keeps its own."""
    for ref in contact.messages:
        ref.channel = ref.channel or contact.channel
    work.index.chats.forget(contact)
    contact.channel, contact.account = channel, account
    work.index.chats.note(contact)


def _give(work: Work, contact: Contact, customer: str) -> None:
    work.index.chats.forget(contact)
    work.index.customers.count(contact.customer, -1)
    contact.customer = customer
    work.index.customers.count(customer, 1)
    work.index.chats.note(contact)


def _move_budgets(work: Work, gone: str, kept: str) -> None:
    """What one of them was told by itself today, the other was told."""
    told = work.state.auto_answered
    for budget in [one for one in told if one.partition(" ")[2] == gone]:
        at, name = told.pop(budget), f"{budget.partition(' ')[0]} {kept}"
        told[name] = max(at, told.pop(name, at))
    work.state.auto_answered = dict(sorted(told.items(), key=lambda one: one[1]))


def _new_link(work: Work, gone: str, identities: tuple[str, ...], how: str, agent: str) -> Link:
    work.state.links_made += 1
    return Link(id=f"l{work.state.links_made}", at=work.now, gone=gone, identities=identities, how=how, agent=agent)


def _note(work: Work, contact: Contact, agent: str, message: str) -> None:
    contact.messages.append(MessageRef(id=message, direction="note", at=work.now, agent=agent))
    work.index.place[message] = contact.id


def _open_to(work: Work, contact: Contact, agent: str) -> bool:
    """Whether an agent may say whose a contact is: it is theirs, or they lead."""
    return contact.agent == agent or work.supervises(agent)


def _identities(work: Work, customer: str) -> list[str]:
    return work.index.customers.identities.get(customer, [])


def _prefer(work: Work, identity: str, language: str) -> None:
    leaving.remember_said(work.state.languages, identity, Preference(at=work.now, value=language))


def _consent(work: Work, identity: str, channel: str, *, given: bool) -> None:
    leaving.remember_consent(work.state.consents, identity, Consent(at=work.now, given=given, channel=channel))


def _forget_proofs(work: Work) -> None:
    proofs = work.state.proofs
    while proofs and proofs[oldest := next(iter(proofs))] + PROOF_KEPT < work.now:
        del proofs[oldest]


def _age(customer: str) -> tuple[int, str]:
    """Customers are numbered in the order in which they were first seen."""
    return int(customer[1:]) if customer[1:].isdecimal() else 0, customer
