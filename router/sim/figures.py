"""The figures of one run, under the keys of DESIGN.md; and of several seeds, each with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from router.sim.bound import bound_cv, variation
from router.sim.measuring import BROKEN, KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from router.sim.measuring import Measured

CONFIDENCE = 0.95
Figures = dict[str, Any]


def figures(measured: Measured, seconds: float) -> Figures:
    """All keys of one policy; waits in seconds, shares from 0 to 1; None where nothing was counted."""
    streams = np.array(measured.stream, dtype=np.int64)
    every = np.ones(len(streams), dtype=bool)
    found = counts(measured, every)
    used = utilisation(measured)
    values = list(used.values())
    if any(stream.arrivals.turns for stream in measured.scenario.streams):
        found["turns"] = measured.turns
    found |= {
        "utilisation": used,
        "utilisation_cv": variation(values),
        "utilisation_bound_cv": bound_cv(measured),
        "jain": jain(values),
        "skill_violations": measured.skill_violations,
        "capacity_violations": measured.capacity_violations,
        "by_topic": _split(measured, streams, "topic"),
        "by_priority": _split(measured, streams, "priority"),
        "seconds": seconds,
        "decisions_per_second": measured.decisions / seconds if seconds > 0 else None,
    }
    return found


def counts(measured: Measured, chosen: NDArray[np.bool_]) -> Figures:
    """What is counted of some contacts."""
    waits = np.array(measured.wait, dtype=np.int64)[chosen] / 1_000
    served = np.array(measured.served, dtype=bool)[chosen]
    left = np.array(measured.left, dtype=bool)[chosen]
    in_target = np.array(measured.in_target, dtype=bool)[chosen]
    promise = np.array(measured.promise, dtype=np.int8)[chosen]
    number = len(waits)
    promised = int(np.count_nonzero(promise))
    assert promised == np.count_nonzero(promise == KEPT) + np.count_nonzero(promise == BROKEN)
    p50, p95, p99 = (float(one) for one in np.quantile(waits, (0.5, 0.95, 0.99))) if number else (None, None, None)
    return {
        "contacts": number,
        "served": int(served.sum()),
        "abandoned": int(left.sum()),
        "p_wait": _share(int(np.count_nonzero(waits > 0)), number),
        "wait_mean": float(waits.mean()) if number else None,
        "wait_p50": p50,
        "wait_p95": p95,
        "wait_p99": p99,
        "wait_max": float(waits.max()) if number else None,
        "service_level": _share(int(in_target.sum()), number),
        "sla_attainment": _share(int(np.count_nonzero(promise == KEPT)), promised),
    }


def utilisation(measured: Measured) -> dict[str, float]:
    """Minutes of work over minutes available in the span measured, of those who had any."""
    return {
        person.id: person.done / measured.available[person.number]
        for person in measured.people
        if measured.available[person.number] > 0
    }


def jain(values: Sequence[float]) -> float | None:
    """Jain's index of evenness: 1 is perfectly even."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0 else None


def summary(runs: Sequence[Figures]) -> Figures:
    """One run as it is; of several, each figure as `{mean, ci95}`, by Student's t over the seeds."""
    return runs[0] if len(runs) == 1 else _merged(runs)


def interval(values: Sequence[float]) -> dict[str, Any]:
    """`{mean, ci95: [lo, hi]}` of independent values."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return {"mean": mean, "ci95": [mean, mean]}
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(len(values))
    return {"mean": mean, "ci95": [mean - half, mean + half]}


def _merged(runs: Sequence[Any]) -> Any:  # noqa: ANN401  a tree of figures
    first = next((run for run in runs if run is not None), None)
    if isinstance(first, dict):
        keys = dict.fromkeys(key for run in runs if run is not None for key in run)
        return {key: _merged([None if run is None else run.get(key) for run in runs]) for key in keys}
    known = [float(run) for run in runs if run is not None]
    return interval(known) if known else None


def _split(measured: Measured, streams: NDArray[np.int64], by: str) -> dict[str, Figures]:
    """The counts of each topic, or of each priority."""
    groups: dict[str, list[int]] = {}
    for stream in measured.scenario.streams:
        name = stream.arrivals.topic if by == "topic" else str(stream.priority)
        groups.setdefault(name, []).append(stream.number)
    return {name: counts(measured, np.isin(streams, numbers)) for name, numbers in groups.items()}


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
