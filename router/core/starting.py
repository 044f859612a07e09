"""An agent opens a contact of their own accord: it is theirs, and their first message goes out with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import commands, intake, placing
from router.core.decisions import SendReply
from router.core.state import MessageRef
from router.core.transitions import DeliveryState
from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.events import ContactStarted
    from router.core.work import Work


def start(work: Work, event: ContactStarted) -> None:
    """Open it, make the agent its owner, whatever skills and capacity say, and wait on the customer."""
    if event.contact in work.state.contacts or event.message in work.index.place:
        work.refuse("bad-state", event.contact)
        return
    unknown = [topic for topic in event.topics if topic not in work.workspace.topics]
    if unknown:
        work.refuse("bad-topic", unknown[0])
        return
    contact = intake.new_contact(
        work, sender=event.recipient, channel=event.channel, kind=event.kind, account=event.account, name=event.contact
    )
    contact.topics = tuple((topic, WHOLE) for topic in event.topics)
    contact.topics_set = bool(event.topics)
    placing.classify(work, contact)
    ref = MessageRef(id=event.message, direction="out", at=work.now, agent=event.agent, delivery=DeliveryState.PENDING)
    intake.enter(work, contact, ref)
    placing.assign_by_hand(work, contact, event.agent)
    work.emit(SendReply(contact=contact.id, message=event.message, channel=contact.channel))
    commands.wait_on_customer(work, contact, event.agent)
