"""The parts that unevenness is made of, in cases to follow by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evenness import parts, poured
from router.sim.bound import variation
from tests.support.simulations import scenario_of

TWO_SHIFTS = """minutes: 480
agents:
  - {id: early, count: 2, skills: {x: 1}, capacity: {chat: 1}, available: [["00:00", "04:00"]]}
  - {id: late, count: 2, skills: {x: 1}, capacity: {chat: 1}, available: [["04:00", "08:00"]]}
  - {id: other, count: 2, skills: {x: 1, y: 1}, capacity: {chat: 1}, available: [["04:00", "08:00"]]}
arrivals:
  - {topic: t, require: {x: 1}, effort: 10m, bursts: [{at: 10m, count: 2}, {at: 5h, count: LATER}]}
"""


def test_the_squares_of_the_parts_add_up(tmp_path: Path) -> None:
    """Shifts, skills within a shift and agents who are alike are told apart, and together are the whole."""
    scenario = scenario_of(tmp_path, TWO_SHIFTS.replace("LATER", "4"))
    used = {"early1": 0.4, "early2": 0.6, "late1": 0.7, "late2": 0.9, "other1": 1.1, "other2": 1.1}
    shifts, skills, alike = parts(scenario, used)
    mean = 0.8
    assert shifts == pytest.approx(((2 * 0.3**2 + 4 * 0.15**2) / 6) ** 0.5 / mean)
    assert skills == pytest.approx((4 * 0.15**2 / 6) ** 0.5 / mean)
    assert alike == pytest.approx((4 * 0.1**2 / 6) ** 0.5 / mean)
    assert shifts**2 + skills**2 + alike**2 == pytest.approx((variation(list(used.values())) or 0) ** 2)


def test_water_spreads_what_comes_over_those_on_shift(tmp_path: Path) -> None:
    """Where each shift gets its share nothing is uneven; where the later one gets less, that is left over."""
    assert poured(scenario_of(tmp_path, TWO_SHIFTS.replace("LATER", "4")), 1) == pytest.approx(0)
    # two agents with ten minutes each, four with half of that
    assert poured(scenario_of(tmp_path, TWO_SHIFTS.replace("LATER", "2")), 1) == pytest.approx(
        variation([10, 10, 5, 5, 5, 5])
    )
