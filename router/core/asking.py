"""What a machine writes on behalf of people: a question once a contact is resolved, one answer in an incident.

The question is asked once of a contact and once a day of a customer, who wrote and was answered by a person. Nobody is
written to who has refused messages of a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import autoanswers, incidents, intake, leaving, links, storm
from router.core.decisions import RecordSatisfaction, SendAutoAnswer
from router.core.state import MessageRef
from router.core.transitions import DeliveryState

if TYPE_CHECKING:
    from router.core.events import ContactResolved, IncidentAnswered, ReplyWritten, SatisfactionGiven
    from router.core.state import Contact
    from router.core.work import Work

CSAT = "csat"
AFTER = 2_000_000_000_000  # added to the sequence of what an agent sent: see autoanswers.AFTER
APART = 100_000  # so many contacts may be told with one answer
IF_AGREED = "if-agreed"
SCORE_MIN, SCORE_MAX = 1, 5


def ask(work: Work, event: ContactResolved | ReplyWritten, contact: Contact) -> None:
    """Ask, if it is to be asked."""
    if not work.workspace.csat or work.workspace.shadow or contact.asked or contact.quiet or contact.flag:
        return
    heard = any(ref.direction == "in" and ref.auto is None for ref in contact.messages)
    answered = any(ref.direction == "out" and ref.auto is None for ref in contact.messages)
    agreed = links.consents(work, contact.customer)
    if not heard or not answered or agreed is False or (work.workspace.csat == IF_AGREED and not agreed):
        return
    if storm.rages(work.state, work.now) or not autoanswers.spend(work, CSAT, contact.customer):
        return
    contact.asked = True
    name = autoanswers.answer_id(event.inbox or contact.id)
    send(work, contact, CSAT, name)


def tell(work: Work, event: IncidentAnswered) -> None:
    """What is told to whoever asks next about an incident and, if they are to hear of it, to whoever has asked."""
    incident = work.state.incidents.get(event.incident)
    if not work.supervises(event.agent):
        work.refuse("not-allowed")
        return
    if incident is None:
        work.refuse("no-such-incident", event.incident)
        return
    incident.message, incident.agent = event.message, event.agent
    ms, seq = intake.stream_order(event.inbox) or (work.now, 0)
    for place, contact in enumerate(incidents.affected(work, incident)[:APART] if event.tell else ()):
        if not contact.flag and not contact.quiet and may_tell(work, autoanswers.INCIDENT, contact):
            send(work, contact, autoanswers.INCIDENT, f"{ms}-{AFTER + seq * APART + place}", event.message)


def may_tell(work: Work, answer: str, contact: Contact) -> bool:
    """Whether a machine may write this to a contact's customer today; if so, it counts as written."""
    if not contact.customer or links.consents(work, contact.customer) is False:
        return False
    return autoanswers.spend(work, answer, contact.customer)


def send(work: Work, contact: Contact, answer: str, name: str, says: str = "") -> None:
    """Something that a machine writes into a contact, by the channel that its customer uses."""
    contact.messages.append(
        MessageRef(id=name, direction="out", at=work.now, auto=answer, says=says, delivery=DeliveryState.PENDING)
    )
    work.index.place[name] = contact.id
    work.emit(
        SendAutoAnswer(
            contact=contact.id, message=name, channel=contact.channel, answer=answer, language=contact.language
        )
    )


def answered(work: Work, event: SatisfactionGiven) -> None:
    """What they say, once."""
    contact = work.state.contacts.get(event.contact)
    if contact is None or not contact.asked or contact.flag == leaving.ERASED:
        work.refuse("no-such-contact", event.contact)
    elif event.sender and event.sender not in contact.participants:
        work.refuse("not-yours")
    elif contact.score is not None:
        work.refuse("rated")
    elif not SCORE_MIN <= event.score <= SCORE_MAX:
        work.refuse("bad-state")
    else:
        contact.score = event.score
        work.emit(RecordSatisfaction(contact=contact.id, score=event.score, agent=contact.agent or ""))
