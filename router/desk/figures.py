"""What must be counted without walking all contacts: which are open, and what was done today.

Derived from the state and kept up by the source's news. A day is one of the workspace's time zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from statistics import median_low
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.lead_views import Today
from router.desk.ports import Changed, Source
from router.desk.shadow import promise
from router.desk.views import Done


def day_of(now: int, timezone: str) -> tuple[int, int]:
    """[start, end) in ms of the calendar day in `timezone` that the instant `now` falls on."""
    zone = ZoneInfo(timezone)
    here = datetime.fromtimestamp(now / 1000, zone)
    start = here.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=1)).replace(tzinfo=zone)  # by the wall: a day may have 23 hours, or 25
    return round(start.astimezone(UTC).timestamp() * 1000), round(end.astimezone(UTC).timestamp() * 1000)


class First(NamedTuple):
    """A contact's first answer: whose, after how many ms, and whether in the time that was promised, if one was."""

    agent: str
    ms: int
    in_time: bool | None


class Figures:
    """Open contacts and today's counts of one process. `clock` gives ms since 1970 UTC."""

    def __init__(self, source: Source, clock: Callable[[], int]) -> None:
        self._source = source
        self._clock = clock
        self._open: dict[str, None] = {}
        self._day = (0, 0)
        self._opened: dict[str, None] = {}
        self._resolved: dict[str, str] = {}  # contact -> who had it, "" for nobody
        self._answers: dict[str, Counter[str]] = {}  # contact -> by agent
        self._firsts: dict[str, First] = {}
        self._rebuild()
        self._end = source.subscribe(self._changed)

    def close(self) -> None:
        """Stop following the source."""
        self._end()

    def open(self) -> list[Contact]:
        """All contacts that are not resolved, in no order."""
        contacts = self._source.state.contacts
        found = (contacts.get(contact) for contact in self._open)
        return [one for one in found if one is not None and one.state is not ContactState.RESOLVED]

    def today(self) -> Today:
        """How many contacts were opened and resolved, and how many answers written, since midnight."""
        self._turn()
        answers = sum(one.total() for one in self._answers.values())
        promised = [one.in_time for one in self._firsts.values() if one.in_time is not None]
        known = (self._source.state.contacts.get(contact) for contact in self._resolved)
        scores = [one.score for one in known if one is not None and one.score is not None]
        return Today(
            opened=len(self._opened),
            resolved=len(self._resolved),
            answers=answers,
            promised=len(promised),
            in_time=sum(promised),
            rated=len(scores),
            csat=round(sum(scores) / len(scores), 2) if scores else None,
        )

    def done(self, members: Iterable[str]) -> dict[str, Done]:
        """What each of these did since midnight."""
        self._turn()
        answers: Counter[str] = Counter()
        for counted in self._answers.values():
            answers.update(counted)
        resolved = Counter(self._resolved.values())
        firsts: dict[str, list[int]] = {}
        for one in self._firsts.values():
            firsts.setdefault(one.agent, []).append(one.ms // 1_000)
        return {
            agent: Done(
                answers=answers[agent],
                resolved=resolved[agent],
                first_seconds=median_low(firsts[agent]) if agent in firsts else None,
            )
            for agent in members
        }

    def _turn(self) -> None:
        if not self._day[0] <= self._clock() < self._day[1]:
            self._rebuild()

    def _changed(self, changed: Changed) -> None:
        if changed.everything:
            self._rebuild()
            return
        for contact in changed.contacts:
            self._follow(contact)

    def _rebuild(self) -> None:
        self._day = day_of(self._clock(), self._source.names.display().timezone)
        for held in self._all():
            held.clear()
        for contact in self._source.state.contacts:
            self._follow(contact)

    def _follow(self, contact: str) -> None:
        for held in self._all():
            held.pop(contact, None)
        one = self._source.state.contacts.get(contact)
        if one is None or one.joined is not None:
            return
        if one.state is not ContactState.RESOLVED:
            self._open[contact] = None
        start = self._day[0]
        if one.opened_at >= start:
            self._opened[contact] = None
        if one.state is ContactState.RESOLVED and (one.resolved_at or 0) >= start:
            self._resolved[contact] = one.agent or ""
        answers: Counter[str] = Counter()
        for ref in reversed(one.messages):
            if ref.at < start:
                break
            if ref.direction == "out" and ref.agent is not None:
                answers[ref.agent] += 1
        if not answers:
            return
        self._answers[contact] = answers
        first = next(ref for ref in one.messages if ref.direction == "out" and ref.agent is not None)
        asked = any(ref.direction == "in" and ref.at <= first.at for ref in one.messages)
        if first.at >= start and asked and first.agent is not None:
            due = promise(self._source.state, one)
            in_time = None if due is None else first.at <= due
            self._firsts[contact] = First(first.agent, first.at - one.opened_at, in_time)

    def _all(self) -> tuple[dict[str, Any], ...]:
        return self._open, self._opened, self._resolved, self._answers, self._firsts


def middle(listed: Iterable[Done]) -> Done | None:
    """The median of each figure over those who did anything; None if nobody did."""
    active = [one for one in listed if one.answers or one.resolved]
    if not active:
        return None
    firsts = [one.first_seconds for one in active if one.first_seconds is not None]
    return Done(
        answers=median_low([one.answers for one in active]),
        resolved=median_low([one.resolved for one in active]),
        first_seconds=median_low(firsts) if firsts else None,
    )
