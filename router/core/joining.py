"""Two contacts become one: what was written in the one stands in the other from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import clocks, intake, placing
from router.core.decisions import JoinContacts
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.state import Contact
    from router.core.work import Work


def let_in(work: Work, contact: Contact, into: Contact) -> None:
    """The messages of a flagged contact join the one it claimed; its sender may write there from now on."""
    _join_contacts(work, contact, into)
    intake.answer_customer(work, into)
    intake.feel(work, into, contact.moods)


def merge(work: Work, contact: Contact, into: Contact) -> None:
    """The messages of an open contact join another; an answer that was owed there is owed here, since then."""
    since = contact.response_from
    _join_contacts(work, contact, into)
    if since is not None:
        if into.state in {ContactState.WAITING_CUSTOMER, ContactState.SNOOZED}:
            intake.wake(work, into, "customer_wrote")
        if into.response_from is not None:
            into.response_from = min(into.response_from, since)
        clocks.start_response(work.workspace, into, since)
        work.touch(into)
    intake.feel(work, into, contact.moods)


def come_apart(work: Work, kept: str, gone: str) -> None:
    """Two customers were one by mistake: a contact of the one that was joined into the other's stands by itself again.

    What its own people wrote there is its own again. It is open if the other is: its answer would have gone to the
    wrong one. The latest comes first, so that of several each has what was written since it was opened.
    """
    parted = {kept, gone}
    for contact in [one for one in reversed(work.state.contacts.values()) if one.joined is not None]:
        into = work.state.contacts.get(contact.joined or "")
        if into is None or {contact.customer, into.customer} != parted:
            continue
        contact.joined = None
        _take_back(work, contact, into)
        if contact.messages and into.state is not ContactState.RESOLVED:
            intake.reopen(work, contact)


def _take_back(work: Work, contact: Contact, into: Contact) -> None:
    own = work.index.customers.identities.get(contact.customer, [])
    theirs = {ref.id: ref for ref in into.messages if ref.sender in own and ref.at >= contact.opened_at}
    into.messages = [ref for ref in into.messages if ref.id not in theirs]
    for ref in theirs.values():
        came = ref.channel or into.channel
        ref.channel = "" if came == contact.channel else came
        intake.insert(work, contact, ref)


def _join_contacts(work: Work, contact: Contact, into: Contact) -> None:
    if contact.offer is not None:
        placing.withdraw(work, contact, "joined")
    if contact.agent is not None:
        placing.release(work, contact, "transferred")
    work.step(contact, "resolve")
    contact.resolved_at = work.now
    contact.joined = into.id
    contact.waiting_since = contact.snoozed_until = None
    contact.called = []
    clocks.pause_resolution(work.workspace, contact, work.now)
    into.participants = sorted({*into.participants, *contact.participants})
    into.parted = sorted({*into.parted, *contact.parted})
    for ref in contact.messages:
        came = ref.channel or contact.channel
        ref.channel = "" if came == into.channel else came
        intake.insert(work, into, ref)
    contact.messages = []
    work.emit(JoinContacts(contact=contact.id, into=into.id))
    work.touch(contact)
