"""How outbound messages fare, and what follows for their contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import clocks, intake, storm
from router.core.decisions import AttachMessage, NotifySupervisors
from router.core.transitions import ContactState, DeliveryState, next_delivery_state

if TYPE_CHECKING:
    from router.core.events import DeliveryReported, MessageReceived
    from router.core.state import Contact, MessageRef
    from router.core.work import Work


def report(work: Work, event: DeliveryReported) -> None:
    """Note what became of a message. One that failed brings the ball back to the owner, and a supervisor hears of it.

    Reports that come late, twice, or of messages the state no longer has, change nothing.
    """
    _miss(work, event.message, event.lost)
    _note(work, event.message, event.state)


def bounced(work: Work, event: MessageReceived) -> None:
    """A mail system says that a message of ours, which it had taken, never arrived: that message has failed.

    Where it did not reach somebody in copy, that is noted, and the customer has it all the same. It counts only with
    this event's attaching the report: a report told twice does not fail what was sent again since.
    """
    if not event.undelivered or event.about is None:
        return
    if not any(isinstance(made, AttachMessage) and made.message == event.message for made in work.out):
        return
    if event.recipient:
        _miss(work, event.about, (event.recipient,))
    else:
        _note(work, event.about, DeliveryState.FAILED)


def _of(work: Work, message: str) -> tuple[Contact, MessageRef, DeliveryState] | None:
    """A message of ours and the contact it stands in; None where the state no longer has it."""
    contact = work.state.contacts.get(work.index.place.get(message, ""))
    found = (ref for ref in contact.messages if ref.id == message) if contact is not None else iter(())
    return next(((contact, ref, ref.delivery) for ref in found if contact and ref.delivery is not None), None)


def _miss(work: Work, message: str, lost: tuple[int, ...]) -> None:
    known = _of(work, message)
    if known is not None:
        known[1].lost = tuple(sorted({*known[1].lost, *lost}))


def _note(work: Work, message: str, state: str) -> None:
    known = _of(work, message)
    if known is None:
        return
    contact, ref, before = known
    # a report implies that sending began: the outbox does not journal that by itself. One that comes after the bounce,
    # which may overtake it, does not say that it was sent again.
    began = before if before is DeliveryState.FAILED else next_delivery_state(before, "send") or before
    after = next_delivery_state(before, state) or next_delivery_state(began, state)
    if after is None:
        return
    ref.delivery = after
    # nobody waits for an auto-answer, and what was erased on its way out is nobody's loss
    if after is DeliveryState.FAILED and ref.auto is None and contact.flag != intake.ERASED:
        if not storm.rages(work.state, work.now):
            work.emit(NotifySupervisors(reason="delivery-failed", contact=contact.id, detail=message))
        if contact.state is ContactState.WAITING_CUSTOMER:
            intake.wake(work, contact, "undelivered")
            clocks.start_response(work.workspace, contact, work.now)  # what did not arrive was no answer
            work.touch(contact)
