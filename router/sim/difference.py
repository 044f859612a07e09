"""What would have changed: two lives of the same record, side by side."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from router.sim.bound import variation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.sim.rehearsal import Fate, Outcome

MOVES_TOLD_MAX = 1_000


def difference(before: Outcome, after: Outcome, names: Mapping[str, str]) -> dict[str, Any]:
    """Contacts that go elsewhere, waits by topic (seconds), promises kept, work by agent (minutes), new dead ends.

    `names`: the recorded contact of each message that opened one. `same`: nothing at all is different.
    """
    moves = [
        {
            "contact": names.get(message, message),
            "topic": was.topic,
            "before": was.agent,
            "after": _agent(after, message),
        }
        for message, was in before.fates.items()
        if was.agent != _agent(after, message)
    ]
    topics = sorted({fate.topic for outcome in (before, after) for fate in outcome.fates.values()})
    ends = [_dead_ends(outcome) for outcome in (before, after)]
    found: dict[str, Any] = {
        "contacts": len(before.fates),
        "moved": len(moves),
        "moves": moves[:MOVES_TOLD_MAX],
        "waits": {topic: _both(before, after, topic) for topic in topics},
        "wait": _both(before, after, None),
        "load": {
            agent: {"before": _minutes(before, agent), "after": _minutes(after, agent)}
            for agent in sorted(before.load.keys() | after.load.keys())
        },
        "load_cv": {"before": _spread(before), "after": _spread(after)},
        "dead_ends": dict(sorted((ends[1] - ends[0]).items())),
        "assumed": _sums(before, after, "assumed"),
        "refused": _sums(before, after, "refused"),
    }
    found["same"] = before == after
    return found


def waits(outcome: Outcome, topic: str | None = None) -> list[float]:
    """Seconds until somebody had each contact; of one that nobody had, until the end."""
    return [(_started(fate, outcome.end) - fate.opened_at) / 1_000 for fate in _of(outcome, topic)]


def _both(before: Outcome, after: Outcome, topic: str | None) -> dict[str, Any]:
    return {"before": _figures(before, topic), "after": _figures(after, topic)}


def _figures(outcome: Outcome, topic: str | None) -> dict[str, Any]:
    """Numbers of one topic, or of all: seconds, and the share that was begun by the first promise's due time."""
    seconds = waits(outcome, topic)
    promised = [fate for fate in _of(outcome, topic) if fate.due is not None]
    kept = sum(fate.started_at is not None and fate.started_at <= (fate.due or 0) for fate in promised)
    mean, p95 = (float(np.mean(seconds)), float(np.quantile(seconds, 0.95))) if seconds else (None, None)
    return {
        "contacts": len(seconds),
        "nobody": sum(fate.started_at is None for fate in _of(outcome, topic)),
        "wait_mean": mean,
        "wait_p95": p95,
        "sla_attainment": kept / len(promised) if promised else None,
    }


def _of(outcome: Outcome, topic: str | None) -> Iterable[Fate]:
    return [fate for fate in outcome.fates.values() if topic is None or fate.topic == topic]


def _started(fate: Fate, end: int) -> int:
    return end if fate.started_at is None else fate.started_at


def _agent(outcome: Outcome, message: str) -> str | None:
    fate = outcome.fates.get(message)
    return None if fate is None else fate.agent


def _dead_ends(outcome: Outcome) -> Counter[str]:
    return Counter(fate.topic for fate in outcome.fates.values() if fate.dead_end)


def _minutes(outcome: Outcome, agent: str) -> float | None:
    return outcome.load[agent] / 60_000 if agent in outcome.load else None


def _spread(outcome: Outcome) -> float | None:
    return variation(list(outcome.load.values()))


def _sums(before: Outcome, after: Outcome, which: str) -> dict[str, dict[str, int]]:
    """What was counted in either."""
    counts: tuple[Counter[str], Counter[str]] = getattr(before, which), getattr(after, which)
    return {name: {"before": counts[0][name], "after": counts[1][name]} for name in sorted(counts[0] | counts[1])}
