"""What must be counted without walking all contacts: which are open, and what was done today.

Derived from the state and kept up by the source's news. A day is one of the workspace's time zone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.ports import Changed, Source
from router.desk.views import Today


def day_of(now: int, timezone: str) -> tuple[int, int]:
    """[start, end) in ms of the calendar day in `timezone` that the instant `now` falls on."""
    zone = ZoneInfo(timezone)
    here = datetime.fromtimestamp(now / 1000, zone)
    start = here.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=1)).replace(tzinfo=zone)  # by the wall: a day may have 23 hours, or 25
    return round(start.astimezone(UTC).timestamp() * 1000), round(end.astimezone(UTC).timestamp() * 1000)


class Figures:
    """Open contacts and today's counts of one process. `clock` gives ms since 1970 UTC."""

    def __init__(self, source: Source, clock: Callable[[], int]) -> None:
        self._source = source
        self._clock = clock
        self._open: dict[str, None] = {}
        self._day = (0, 0)
        self._opened: dict[str, None] = {}
        self._resolved: dict[str, None] = {}
        self._answers: dict[str, int] = {}
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
        if not self._day[0] <= self._clock() < self._day[1]:
            self._rebuild()
        contacts = self._source.state.contacts
        known = (contacts.get(contact) for contact in self._resolved)
        scores = [one.score for one in known if one is not None and one.score is not None]
        return Today(
            opened=len(self._opened),
            resolved=len(self._resolved),
            answers=sum(self._answers.values()),
            rated=len(scores),
            csat=round(sum(scores) / len(scores), 2) if scores else None,
        )

    def _changed(self, changed: Changed) -> None:
        if changed.everything:
            self._rebuild()
            return
        for contact in changed.contacts:
            self._follow(contact)

    def _rebuild(self) -> None:
        self._day = day_of(self._clock(), self._source.names.display().timezone)
        for held in (self._open, self._opened, self._resolved, self._answers):
            held.clear()
        for contact in self._source.state.contacts:
            self._follow(contact)

    def _follow(self, contact: str) -> None:
        for held in (self._open, self._opened, self._resolved, self._answers):
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
            self._resolved[contact] = None
        answers = 0
        for ref in reversed(one.messages):
            if ref.at < start:
                break
            answers += ref.direction == "out" and ref.agent is not None
        if answers:
            self._answers[contact] = answers
