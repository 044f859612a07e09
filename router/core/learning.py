"""Effort: what a contact can be expected to take, learned from what contacts took; and what agents really spent.

Handling time runs while a contact is in its owner's court and the owner is at work; an agent with three at once spends
a third of each minute on each. So each agent has a clock that runs at the pace of one contact's share, and a contact
needs only two readings of it.

What is expected is a mean over those handled, by topic and kind, drawn towards the workspace's own figure: as if that
had been seen `PRIOR` times. One counts for at most four times, and at least a quarter, of what was expected;
old ones fade once there are `MEMORY`. Where a model says what a contact's words make of that, it comes with the
contact, as a share of what is usual for its topic and kind, whatever topic it is given later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import ledger, rules
from router.core.state import Learned
from router.core.values import WHOLE, Status

if TYPE_CHECKING:
    from router.core.board import Seat
    from router.core.state import AgentState, Contact, State
    from router.core.work import Work

PRIOR = 8
MEMORY = 64
OUTLIER = 4
AT_WORK = (Status.AVAILABLE, Status.BUSY)


def expected(state: State, contact: Contact) -> int:
    """Handling time in ms to expect of a contact."""
    return usual(state, contact) * contact.likely[0] // WHOLE if contact.likely else usual(state, contact)


def usual(state: State, contact: Contact) -> int:
    """Handling time in ms of contacts of this topic and kind, whatever their words."""
    topic, prior = rules.effort_of(state.workspace, contact.topics)
    return blended(prior, state.efforts.get(f"{topic} {contact.kind}"))


def spread(state: State, contact: Contact) -> tuple[int, int] | None:
    """Handling time in ms that eight of ten contacts with such words take at least, and at most; None: not known."""
    if not contact.likely:
        return None
    of = usual(state, contact)
    return of * contact.likely[1] // WHOLE, of * contact.likely[2] // WHOLE


def blended(prior: int, learned: Learned | None) -> int:
    """The workspace's figure and what was learned, each by its weight."""
    if learned is None:
        return prior
    number = min(learned.count, MEMORY)
    return (PRIOR * prior + number * learned.mean) // (PRIOR + number)


def follow(agent: AgentState, now: int) -> None:
    """Bring the agent's clock up to now, before anything changes its pace."""
    if agent.attending and agent.working:
        agent.shared += (now - agent.shared_at) // agent.working
    agent.shared_at = now


def attend(work: Work, seat: Seat) -> None:
    """The agent's status or shift may have changed: their clock runs while they are at work."""
    agent = seat.state
    follow(agent, work.now)
    agent.attending = (agent.status in AT_WORK or work.workspace.shadow) and agent.on_shift


def begin(work: Work, contact: Contact, seat: Seat) -> None:
    """The contact is in its owner's court from now on."""
    follow(seat.state, work.now)
    seat.state.working += 1
    contact.share_mark = seat.state.shared


def end(work: Work, contact: Contact, seat: Seat) -> None:
    """It is no longer: what it took beyond what the agent was credited with is credited now."""
    if contact.share_mark is None:
        return
    agent = seat.state
    follow(agent, work.now)
    agent.working -= 1
    took = agent.shared - contact.share_mark
    contact.share_mark = None
    contact.spent += took
    contact.handled += took
    if contact.spent > contact.effort:
        ledger.credit(agent, work.workspace, work.now, contact.spent - contact.effort)
        seat.effort += contact.spent - contact.effort
        contact.effort = contact.spent


def true_up(work: Work, contact: Contact, seat: Seat) -> int:
    """The agent is done with it: credited is what it took, not what was expected. Gives what it took, in ms."""
    spent = contact.spent
    if contact.credited_slot is not None and contact.spent < contact.effort:
        uncredit(work, seat, contact.credited_slot, contact.effort - contact.spent)
    forget(contact)
    return spent


def uncredit(work: Work, seat: Seat, slot: int, effort: int) -> None:
    """Take a credit back from the ledger, and from the sum over the window if it still counts there."""
    taken = ledger.take_back(seat.state, slot, effort)
    if slot > ledger.slot_at(work.workspace, work.index.tick) - ledger.SLOTS:
        seat.effort -= taken


def forget(contact: Contact) -> None:
    """Nobody is credited with it any more."""
    contact.credited_slot = None
    contact.share_mark = None
    contact.effort = contact.spent = 0


def learn(work: Work, contact: Contact) -> None:
    """It is resolved: what it took teaches what to expect. In shadow mode nobody knows what it took."""
    if work.workspace.shadow or not contact.handled:
        return
    topic, prior = rules.effort_of(work.workspace, contact.topics)
    key = f"{topic} {contact.kind}"
    known = work.state.efforts.get(key)
    likely = blended(prior, known)
    took = min(max(contact.handled, likely // OUTLIER), likely * OUTLIER)
    if known is None:
        known = work.state.efforts[key] = Learned()
    known.count += 1
    known.mean += (took - known.mean) // min(known.count, MEMORY)
    contact.took = contact.took or contact.handled
    contact.handled = 0


def keep_known(work: Work) -> None:
    """A workspace came into force: what was learned of topics that it no longer has is forgotten."""
    state = work.state
    for key in list(state.efforts):
        topic = key.rpartition(" ")[0]
        if topic and topic not in state.workspace.topics:
            del state.efforts[key]
