"""The verdict of `python -m benchmarks simulate`: what counts as met, missed and undecided."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.simulate import Runs, gap, verdicts
from router.sim.baseline_rules import ENGINE


def runs_of(**policies: list[tuple[float, float]]) -> Runs:
    """Figures by (service level, CV), one pair for each seed."""

    def one(service: float, cv: float) -> dict[str, Any]:
        return {
            "service_level": service, "sla_attainment": None, "utilisation_cv": cv, "utilisation_bound_cv": 0.0,
            "skill_violations": 0, "capacity_violations": 0,
        }  # fmt: skip

    return {name: [one(*pair) for pair in pairs] for name, pairs in policies.items()}


@pytest.mark.parametrize(
    ("mine", "service", "better", "even"),
    [
        ([(0.90, 0.02), (0.91, 0.02), (0.92, 0.02)], True, True, True),
        ([(0.88, 0.06), (0.89, 0.06), (0.90, 0.06)], False, False, False),
        ([(0.88, 0.02), (0.93, 0.02), (0.90, 0.02)], None, True, True),
        ([(0.899, 0.06), (0.909, 0.06), (0.919, 0.06)], True, False, False),
    ],
    ids=["as well served, twice as even", "worse on both", "the seeds do not decide", "hardly worse, but on both"],
)
def test_a_target_is_met_missed_or_undecided(
    mine: list[tuple[float, float]], service: bool | None, better: bool, even: bool
) -> None:
    """Half a point may be lost at 95 %, nobody may be better on both, and the CV is half of longest idle's."""
    runs = runs_of(longest_idle=[(0.90, 0.05), (0.91, 0.05), (0.92, 0.05)], **{ENGINE: mine})
    found = {one.name.split(": ")[1]: one.met for one in verdicts("startup", runs, ["longest_idle"])}
    level = next(name for name in found if name.startswith("service level"))
    assert (found[level], found["better on both"], found["CV of utilisation"]) == (service, better, even)
    assert found["violations"] is True


def test_gaps_are_paired_by_seed() -> None:
    """A constant difference has no width, however much the seeds differ."""
    runs = runs_of(longest_idle=[(0.2, 0.1), (0.9, 0.1)], **{ENGINE: [(0.3, 0.1), (1.0, 0.1)]})
    found = gap(runs, "longest_idle", "service_level")
    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((0.1, 0.1, 0.1))
