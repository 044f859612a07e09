"""The simulator against queues whose figures are known exactly (ROUTING.md, section 5)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.exact import FOLDER, MODELS, Model, batch_error, examine
from router.sim.baseline_rules import ENGINE
from router.sim.reading import read_scenario
from router.sim.running import run

pytestmark = pytest.mark.timeout(600)  # seconds, against hanging: a test takes some, ten times that on a busy machine

SIGMAS = 3.0
SEEDS = {"n-model": 3, "two-priorities": 4, "four-speeds": 3}
SEED = 3  # of the shorter runs
BY_THE_WORLD = [(model, policy) for model in MODELS for policy in model.policies if policy != ENGINE]
BY_THE_ENGINE = [(model, policy) for model in MODELS for policy in model.policies if policy == ENGINE]


@pytest.mark.parametrize(("model", "policy"), BY_THE_WORLD, ids=lambda value: getattr(value, "name", value))
def test_100_000_arrivals_give_the_exact_figures(model: Model, policy: str) -> None:
    """Each of the seven queues comes out within three standard errors after 100,000 arrivals."""
    found = examine(model, policy, SEEDS.get(model.name, 1))
    assert {one.figure: one.sigmas for one in found if one.sigmas > SIGMAS} == {}
    assert all(one.sigma < 0.2 * one.exact for one in found), "a bound that anything meets proves nothing"


@pytest.mark.parametrize(("model", "policy"), BY_THE_ENGINE, ids=lambda value: getattr(value, "name", value))
def test_the_engine_itself_gives_the_exact_figures(model: Model, policy: str) -> None:
    """The live engine, where its rule is the model's, gives the exact figures as well."""
    found = examine(model, policy, SEED, times=0.25)
    assert {one.figure: one.sigmas for one in found if one.sigmas > SIGMAS} == {}


def test_where_agents_are_alike_the_engine_serves_in_the_very_order_of_a_baseline() -> None:
    """On M/M/12 each contact waits as long under the engine as under first come, first served."""
    scenario = read_scenario(FOLDER / "mm12.yaml", 2_400)
    engine, baseline = run(scenario, ENGINE, 5)[0], run(scenario, "longest_idle", 5)[0]
    assert len(engine.wait) > 5_000
    assert sorted(engine.wait) == sorted(baseline.wait)


def test_batch_means_know_the_error_of_correlated_values() -> None:
    """For an autoregressive series the estimate is near its known standard error, far above the naive one."""
    lots = np.random.default_rng(1)
    values = np.zeros(200_000)
    noise = lots.normal(size=len(values))
    for place in range(1, len(values)):
        values[place] = 0.9 * values[place - 1] + noise[place]
    known = 1 / (1 - 0.9) / len(values) ** 0.5
    assert known / 1.6 < batch_error(values) < known * 1.6
