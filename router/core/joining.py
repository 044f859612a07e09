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
