"""The demo's auditor: counts from the records what was received, who was asked, and what was wrong.

It knows the workspace and what the daemon journaled, and shares no code with the engine.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter, deque
from typing import Protocol

import msgspec

from router.app.daemon import Daemon
from router.core.decisions import AssignTo, Explanation, OfferTo, OpenContact, WakeContact
from router.core.events import MessageReceived, OfferAccepted
from router.core.intake import stream_order
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import WHOLE
from router.shell.clock import wall_ms
from router.shell.follower import Applied

NEWS_KEPT_MAX = 200
HELD = (ContactState.OFFERED, ContactState.ASSIGNED)


class Figures(msgspec.Struct, kw_only=True):
    """The keys of `usherd demo --json`; seconds from `250` or `stored` to the first offer."""

    received: int
    contacts: int
    auto: int
    quarantined: int
    lost: int
    assigned: int
    answered: int
    skill_violations: int
    capacity_violations: int
    assign_seconds_p50: float | None
    assign_seconds_p99: float | None
    utilisation_cv: float | None


class Senders(Protocol):
    """Whoever sends; `sent`: inbox ids that were acknowledged."""

    sent: dict[str, str]


class Audit:
    """A listener of the leader."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._senders: list[Senders] = []
        self._news = asyncio.Event()
        self._opened_at: dict[str, int] = {}
        self._first_asked: dict[str, float] = {}
        self._reached: dict[str, None] = {}  # contacts that somebody was given
        self._skill_violations = 0
        self._capacity_violations = 0
        self.news: deque[str] = deque(maxlen=NEWS_KEPT_MAX)  # contacts that somebody was given, the latest last
        self.why: dict[str, Explanation] = {}  # by contact: why its agent was chosen
        daemon.leader.listeners.append(self.committed)

    def watch(self, senders: Senders) -> None:
        """Whose messages must not be lost either."""
        self._senders.append(senders)

    def committed(self, applied: list[Applied]) -> None:
        """Judge a commit."""
        self._news.set()
        made = [(one.draft.event, decision) for one in applied for decision in one.draft.decisions]
        # What wakes up comes back to its agent over the limit if need be, but after what was given to them before that.
        asleep = Counter(decision.contact for _, decision in made if isinstance(decision, WakeContact))
        for event, decision in made:
            if isinstance(decision, OpenContact) and isinstance(event, MessageReceived):
                self._opened_at[decision.contact] = int(event.message.partition("-")[0])
            elif isinstance(decision, WakeContact):
                asleep[decision.contact] -= 1
            elif isinstance(decision, OfferTo | AssignTo):
                self._given(decision)
                if not isinstance(event, OfferAccepted):  # the offer said why, and was judged
                    self.why[decision.contact] = decision.explanation
                    self._judge(decision, set(+asleep))

    def _given(self, decision: OfferTo | AssignTo) -> None:
        contact = decision.contact
        self._reached[contact] = None
        if contact not in self._first_asked and contact in self._opened_at:
            self._first_asked[contact] = max(0, wall_ms() - self._opened_at[contact]) / 1_000
        self.news.append(contact)

    def _judge(self, decision: OfferTo | AssignTo, asleep: set[str]) -> None:
        """Whether the router may give it to them. `asleep`: contacts that woke up after it did, and before now."""
        contact, agent = decision.contact, decision.agent
        state = self._daemon.leader.engine.state
        found, member = state.contacts.get(contact), self._daemon.config.agents.get(agent)
        if found is None or member is None or decision.explanation.manual:
            return
        if not able(member.skills, found):
            self._skill_violations += 1
        holding = [
            one
            for one in state.contacts.values()
            if (one.offer is not None and one.offer.agent == agent)
            or (one.state in HELD and one.agent == agent and one.id not in asleep)
        ]
        of_kind = sum(1 for one in holding if one.kind == found.kind)
        over_kind = of_kind > member.kinds.get(found.kind, 0)
        over_units = member.units is not None and len(holding) > member.units
        if over_kind or over_units:
            self._capacity_violations += 1

    async def settled(self) -> None:
        """Wait until everything sent is in its place and every contact has reached somebody."""
        while not is_settled(self.figures()):
            self._news.clear()
            await self._news.wait()

    def verdict(self, *, over: bool) -> tuple[Figures, bool]:
        """What it came to, and whether nothing was lost or wrong and, if it is `over`, every contact reached somebody.

        Who ends it in the middle finds mail that is being read and contacts that wait: that is nobody's loss.
        """
        figures = self.figures(over=over)
        missed = not is_settled(figures) if over else figures.lost
        return figures, not (missed or figures.skill_violations or figures.capacity_violations)

    def lost_by_now(self) -> int:
        """What was acknowledged and is nowhere, but for what is still under way."""
        state = self._daemon.leader.engine.state
        placed = {ref.id for contact in state.contacts.values() for ref in contact.messages}
        read = stream_order(state.inbox) or (0, 0)
        missing = [name for name in self._unplaced(placed) if name not in state.deferred]
        return sum(1 for name in missing if (stream_order(name) or (0, 0)) <= read)

    def _unplaced(self, placed: set[str]) -> list[str]:
        """What was acknowledged, but for what stands in a contact or on the list of automatic mail."""
        autos = self._daemon.leader.engine.state.autos
        return [name for one in self._senders for name in one.sent if name not in placed and name not in autos]

    def figures(self, *, over: bool = True) -> Figures:
        """As of now. Unless it is `over`, what is still under way is not lost."""
        state = self._daemon.leader.engine.state
        placed = {ref.id for contact in state.contacts.values() for ref in contact.messages}
        autos = [name for name in state.autos if name not in placed]
        inbound = sum(1 for one in state.contacts.values() for ref in one.messages if ref.direction == "in")
        lost = len(self._unplaced(placed)) if over else self.lost_by_now()
        asked = sorted(self._first_asked.values())
        return Figures(
            received=inbound + len(autos) + lost,
            contacts=len(state.contacts),
            auto=len(autos),
            quarantined=len(state.quarantined),
            lost=lost,
            assigned=sum(1 for name in state.contacts if name in self._reached),
            answered=sum(1 for one in state.contacts.values() if any(ref.direction == "out" for ref in one.messages)),
            skill_violations=self._skill_violations,
            capacity_violations=self._capacity_violations,
            assign_seconds_p50=_quantile(asked, 0.5),
            assign_seconds_p99=_quantile(asked, 0.99),
            utilisation_cv=cv([self._daemon.live.utilisation(agent) / WHOLE for agent in state.agents]),
        )


def is_settled(figures: Figures) -> bool:
    """Whether nothing is missing and nobody was left out."""
    return figures.lost == 0 and figures.assigned == figures.contacts


def able(skills: dict[str, int], contact: Contact) -> bool:
    """Whether somebody with `skills` has all that the contact must have."""
    return all(skills.get(skill, 0) >= level for skill, level in contact.requirement.must)


def cv(values: list[float]) -> float | None:
    """Coefficient of variation: population deviation over mean; None where there is no mean."""
    mean = statistics.fmean(values) if values else 0.0
    return round(statistics.pstdev(values) / mean, 4) if mean else None


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
