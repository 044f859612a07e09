"""A what-if in sentences: what the change that waits would have done to what came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.desk import texts

TOPICS_MAX = 6
CHANGED_SECONDS = 1.0


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
    waits = texts.WHATIF_WAIT.format(before=_span(before["wait_mean"]), after=_span(after["wait_mean"]))
    slowest = texts.WHATIF_SLOWEST.format(before=_span(before["wait_p95"]), after=_span(after["wait_p95"]))
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
            topic=texts.label(topic) if topic else texts.NO_TOPIC, before=_span(was), after=_span(will)
        )
        for topic, was, will in told[:TOPICS_MAX]
    ]


def _span(seconds: float | None) -> str:
    if seconds is None:
        return texts.WHATIF_UNKNOWN
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004  # two minutes
