"""How customers were served: waits, answers, promises kept, effort and cost, load, satisfaction; folded from records.

A record is an event with its decisions. What is told of a contact counts for the span in which it was opened; how it
went on is followed to the end of what is read. A customer who comes back within a week was not helped the first time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from router.core import decisions as d
from router.core import events as e

if TYPE_CHECKING:
    from router.core.decisions import Decision
    from router.core.events import Event

AGAIN_MS = 7 * 86_400_000  # who opens another contact within that time has come back
GOOD = 4  # and better: a satisfied customer
HOUR = 3_600_000
PERCENT = 100


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts alike in something, `name`: topic or channel; "" is none. Waits in seconds, effort in minutes.

    Shares are 0 to 1, None where there is nothing to be a share of. `cost` is in the currency of the hourly rate.
    """

    name: str
    contacts: int
    resolved: int
    wait_p50: float | None
    wait_p95: float | None
    answer_p50: float | None
    answer_p95: float | None
    promised: int
    kept: float | None
    first_contact: float | None
    again: int
    effort_mean: float | None
    effort_total: float
    cost: float
    rated: int
    csat: float | None
    satisfied: float | None


class AgentLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent did."""

    agent: str
    contacts: int
    answers: int
    resolved: int
    declined: int
    lapsed: int
    effort_total: float
    rated: int
    csat: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `usherd report`. `scores`: answers from 1 to 5; `asked`: how many were asked."""

    since: int
    until: int
    hourly: float
    total: Line
    topics: tuple[Line, ...]
    channels: tuple[Line, ...]
    agents: tuple[AgentLine, ...]
    asked: int
    scores: tuple[int, int, int, int, int]


class _Story(msgspec.Struct):
    """One contact as the records tell it."""

    opened: int
    customer: str
    topic: str
    channel: str
    wait: int | None = None
    answer: int | None = None
    promised: int = 0
    broken: int = 0
    resolved: int | None = None
    reopened: bool = False
    again: bool = False
    effort: int = 0
    asked: bool = False
    score: int | None = None


class Tally:
    """Takes records in their order; `report` says what they came to."""

    def __init__(self, since: int, until: int) -> None:
        self._since, self._until = since, until
        self._stories: dict[str, _Story] = {}
        self._ended: dict[str, tuple[int, str]] = {}  # customer -> when their last contact was resolved, and which
        self._counts: Counter[tuple[str, str]] = Counter()  # (agent, what)
        self._scores: dict[str, list[int]] = {}

    def take(self, event: Event, decisions: Iterable[Decision]) -> None:
        """One more record."""
        at = event.at
        for made in decisions:
            if isinstance(made, d.OpenContact):
                self._opened(made, at, getattr(event, "channel", ""))
            elif isinstance(made, d.LinkIdentities | d.UnlinkIdentities):
                self._belong(made)
            elif (story := self._stories.get(getattr(made, "contact", ""))) is not None:
                self._follow(story, made, at)
            self._count(made, at)
        if isinstance(event, e.ReplyWritten) and any(isinstance(made, d.SendReply) for made in decisions):
            self._add(event.agent, "answers", at)

    def _opened(self, made: d.OpenContact, at: int, channel: str) -> None:
        before = self._ended.get(made.customer)
        if before is not None and at - before[0] <= AGAIN_MS:
            earlier = self._stories.get(before[1])
            if earlier is not None:
                earlier.again = True
        if self._since <= at < self._until:  # all others only tell who came back
            topic = made.topics[0] if made.topics else ""
            self._stories[made.contact] = _Story(at, made.customer, topic, channel)

    def _belong(self, made: d.LinkIdentities | d.UnlinkIdentities) -> None:
        for name in made.contacts:
            if name in self._stories:
                self._stories[name].customer = made.customer

    def _follow(self, story: _Story, made: Decision, at: int) -> None:
        match made:
            case d.AssignTo():
                story.wait = at - story.opened if story.wait is None else story.wait
            case d.SendReply():
                story.answer = made.waited if story.answer is None else story.answer
                self._promise(story, late=made.late)
            case d.ReleaseContact():
                story.effort += made.effort
            case d.ChangeRequirement():
                story.topic = made.topics[0] if made.topics else ""
            case d.ResolveContact():
                story.resolved = at
                self._promise(story, late=made.late)
                self._ended[story.customer] = (at, made.contact)
            case d.ReopenContact():
                story.resolved, story.reopened = None, True
            case d.SendAutoAnswer():
                story.asked = story.asked or made.answer == "csat"
            case d.RecordSatisfaction():
                story.score = made.score
            case _:
                pass

    def _promise(self, story: _Story, *, late: bool | None) -> None:
        if late is not None:
            story.promised += 1
            story.broken += late

    def _count(self, made: Decision, at: int) -> None:
        match made:
            case d.AssignTo():
                self._add(made.agent, "contacts", at)
            case d.ReleaseContact():
                self._add(made.agent, "effort", at, made.effort)
                self._add(made.agent, "resolved", at, int(made.reason == "resolved"))
            case d.RescindOffer(reason="declined" | "lapsed"):
                self._add(made.agent, made.reason, at)
            case d.RecordSatisfaction() if made.agent and self._since <= at < self._until:
                self._scores.setdefault(made.agent, []).append(made.score)
            case _:
                pass

    def _add(self, agent: str, what: str, at: int, number: int = 1) -> None:
        if self._since <= at < self._until:
            self._counts[agent, what] += number

    def report(self, hourly: float) -> Report:
        """What it came to. `hourly`: what an hour of work costs."""
        told = list(self._stories.values())
        scores = Counter(one.score for one in told if one.score is not None)
        agents = sorted({agent for agent, _ in self._counts} | self._scores.keys())
        return Report(
            since=self._since,
            until=self._until,
            hourly=hourly,
            total=_line("", told, hourly),
            topics=_lines({one.topic for one in told}, "topic", told, hourly),
            channels=_lines({one.channel for one in told}, "channel", told, hourly),
            agents=tuple(self._agent(agent) for agent in agents),
            asked=sum(one.asked for one in told),
            scores=(scores[1], scores[2], scores[3], scores[4], scores[5]),
        )

    def _agent(self, agent: str) -> AgentLine:
        count, scores = self._counts, self._scores.get(agent, [])
        return AgentLine(
            agent=agent,
            contacts=count[agent, "contacts"],
            answers=count[agent, "answers"],
            resolved=count[agent, "resolved"],
            declined=count[agent, "declined"],
            lapsed=count[agent, "lapsed"],
            effort_total=round(count[agent, "effort"] / 60_000, 1),
            rated=len(scores),
            csat=_mean(scores),
        )


def _lines(names: set[str], field: str, told: list[_Story], hourly: float) -> tuple[Line, ...]:
    """One line for each name, the most contacts first."""
    found = [_line(name, [one for one in told if getattr(one, field) == name], hourly) for name in names]
    return tuple(sorted(found, key=lambda one: (-one.contacts, one.name)))


def _line(name: str, told: list[_Story], hourly: float) -> Line:
    waits = [one.wait for one in told if one.wait is not None]
    answers = [one.answer for one in told if one.answer is not None]
    done = [one for one in told if one.resolved is not None]
    scores = [one.score for one in told if one.score is not None]
    promised, broken = sum(one.promised for one in told), sum(one.broken for one in told)
    effort = sum(one.effort for one in told)
    return Line(
        name=name,
        contacts=len(told),
        resolved=len(done),
        wait_p50=_seconds(waits, 50),
        wait_p95=_seconds(waits, 95),
        answer_p50=_seconds(answers, 50),
        answer_p95=_seconds(answers, 95),
        promised=promised,
        kept=_share(promised - broken, promised),
        first_contact=_share(sum(not one.reopened and not one.again for one in done), len(done)),
        again=sum(one.again for one in told),
        effort_mean=round(effort / len(done) / 60_000, 1) if done else None,
        effort_total=round(effort / 60_000, 1),
        cost=round(effort / HOUR * hourly, 2),
        rated=len(scores),
        csat=_mean(scores),
        satisfied=_share(sum(score >= GOOD for score in scores), len(scores)),
    )


def _seconds(spans: list[int], percent: int) -> float | None:
    """The percentile by nearest rank; the median between two."""
    if not spans:
        return None
    ordered = sorted(spans)
    rank = max(1, -(-len(ordered) * percent // PERCENT))
    found = median(ordered) if percent == PERCENT // 2 else ordered[rank - 1]
    return round(found / 1_000, 1)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(scores: list[int]) -> float | None:
    return round(sum(scores) / len(scores), 2) if scores else None
