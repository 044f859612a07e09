"""Shadow mode: usherd decides beside people who work as they always did, and nothing leaves.

Agents on shift count as available, contacts are given without asking, and what people answer by their own means is
noted beside what usherd would have done. A contact is closed by the answer of whoever it was; when the customer writes
again it is open again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import clocks, commands, intake, leaving
from router.core.decisions import AttachMessage, FileAuto
from router.core.state import Auto, MessageRef
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.events import AnswerSeen
    from router.core.work import Work

STAFF = "staff"  # on the auto list: of one of us, and no answer to anything that is known


def answer_seen(work: Work, event: AnswerSeen) -> None:
    """One of us answered a customer by other means: noted in the contact, which is done with that."""
    work.state.deferred.pop(event.message, None)
    if event.message in work.index.place:
        return
    contact = intake.answered(work, event.answers)
    if contact is None or len(contact.messages) >= leaving.MESSAGES_MAX:
        intake.list_auto(work, Auto(message=event.message, channel=event.channel, auto=STAFF, at=work.now))
        work.emit(FileAuto(message=event.message, auto=STAFF))
        return
    agent = event.agent if event.agent in work.workspace.agents else None
    contact.messages.append(
        MessageRef(
            id=event.message,
            direction="out",
            at=work.now,
            agent=agent,
            seen=True,
            chosen=contact.agent,
            external=event.external,
        )
    )
    work.index.place[event.message] = contact.id
    intake.know(work, event.external, event.message)
    work.emit(AttachMessage(contact=contact.id, message=event.message))
    if contact.state is ContactState.RESOLVED:
        return
    clocks.stop_response(contact)
    commands.close(work, contact)
    if agent is not None:
        work.remember_agent(contact, agent)
