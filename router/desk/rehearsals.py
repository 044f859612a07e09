"""A what-if in sentences: what the change that waits would have done to what came in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from router.core.errors import TransientError
from router.desk import rights, texts
from router.desk.ports import Rehearsing, Source

TOPICS_MAX = 6
CHANGED_SECONDS = 1.0
WEEK_MS = 7 * 86_400_000
_SPAN = re.compile(r"(\d{1,3})\s*(h|d)")
_UNITS = {"h": 3_600_000, "d": 86_400_000}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, in sentences; `failed`: nothing did, and they say why."""

    lines: tuple[str, ...]
    failed: bool = False


class WhatIf:
    """What supervisors ask of a change that waits, at whichever desk. `rehearsing` None: nobody can rehearse here."""

    def __init__(self, source: Source, rehearsing: Rehearsing | None) -> None:
        self._source = source
        self._rehearsing = rehearsing

    def waiting(self) -> bool:
        """Whether a change waits for its rehearsal."""
        return self._rehearsing is not None and self._rehearsing.waiting()

    def may(self, agent: str) -> bool:
        """Whether an agent may ask."""
        return rights.leads(self._source.state, agent)

    async def told(self, since_ms: int) -> Told:
        """Have it rehearsed over the last `since_ms`, and say what was found. A change that was counts from then on."""
        if self._rehearsing is None or not self._rehearsing.waiting():
            return Told(lines=(texts.WHATIF_NONE,), failed=True)
        try:
            found = await self._rehearsing.rehearse(since_ms)
        except TransientError as error:
            return Told(lines=(texts.WHATIF_FAILED.format(why=error),), failed=True)
        return Told(lines=(*said(found), *((texts.WHATIF_IN_FORCE,) if found.get("rehearsed") else ())))


def span(text: str) -> int | None:
    """How many ms `12h` or `7d` are; a week for nothing, None for what is no span."""
    if not text:
        return WEEK_MS
    found = _SPAN.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found is not None else None


def said(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The JSON of `usherd whatif`, the most important first."""
    contacts = int(found["contacts"])
    if not contacts:
        return (texts.WHATIF_NOBODY,)
    lines = [texts.WHATIF_LOOKED.format(n=contacts)]
    if found["same"]:
        return (*lines, texts.WHATIF_SAME)
    lines.append(texts.WHATIF_MOVED.format(n=found["moved"]))
    before, after = found["wait"]["before"], found["wait"]["after"]
    waits = texts.WHATIF_WAIT.format(before=_wait(before["wait_mean"]), after=_wait(after["wait_mean"]))
    slowest = texts.WHATIF_SLOWEST.format(before=_wait(before["wait_p95"]), after=_wait(after["wait_p95"]))
    lines.append(f"{waits} {slowest}")
    if before["sla_attainment"] is not None and after["sla_attainment"] is not None:
        kept = {name: f"{one['sla_attainment']:.1%}" for name, one in (("before", before), ("after", after))}
        lines.append(texts.WHATIF_KEPT.format(**kept))
    lines += _topics(found["waits"])
    dead = sum(found["dead_ends"].values())
    if dead:
        named = ", ".join(texts.label(topic) if topic else texts.NO_TOPIC for topic in found["dead_ends"])
        lines.append(texts.WHATIF_DEAD.format(n=dead, topics=named))
    return tuple(lines)


def _topics(waits: Mapping[str, Any]) -> list[str]:
    """Topics whose wait changes most."""
    changes = [
        (topic, both["before"]["wait_mean"], both["after"]["wait_mean"])
        for topic, both in waits.items()
        if both["before"]["wait_mean"] is not None and both["after"]["wait_mean"] is not None
    ]
    told = [one for one in changes if abs(one[2] - one[1]) >= CHANGED_SECONDS]
    told.sort(key=lambda one: (-abs(one[2] - one[1]), one[0]))
    return [
        texts.WHATIF_TOPIC.format(
            topic=texts.label(topic) if topic else texts.NO_TOPIC, before=_wait(was), after=_wait(will)
        )
        for topic, was, will in told[:TOPICS_MAX]
    ]


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return texts.WHATIF_UNKNOWN
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004  # two minutes
