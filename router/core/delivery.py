"""How outbound messages fare, and what follows for their contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import intake
from router.core.decisions import NotifySupervisors
from router.core.transitions import ContactState, DeliveryState, next_delivery_state

if TYPE_CHECKING:
    from router.core.events import DeliveryReported
    from router.core.work import Work


def report(work: Work, event: DeliveryReported) -> None:
    """Note what became of a message. One that failed brings the ball back to the owner, and a supervisor hears of it.

    Reports that come late, twice, or of messages the state no longer has, change nothing.
    """
    contact = work.state.contacts.get(work.index.place.get(event.message, ""))
    if contact is None:
        return
    for ref in contact.messages:
        if ref.id == event.message and ref.delivery is not None:
            before = ref.delivery
            # a report implies that sending began: the outbox does not journal that by itself
            began = next_delivery_state(before, "send") or before
            after = next_delivery_state(before, event.state) or next_delivery_state(began, event.state)
            if after is None:
                return
            ref.delivery = after
            if after is DeliveryState.FAILED:
                work.emit(NotifySupervisors(reason="delivery-failed", contact=contact.id, detail=event.message))
                if contact.state is ContactState.WAITING_CUSTOMER:
                    intake.wake(work, contact, "undelivered")
