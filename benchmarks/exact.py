"""Queues whose figures are known exactly: what the simulator must find (ROUTING.md, section 5).

The first three are run with the engine itself; its rule is the model's wherever agents are alike. Strict priority it
follows under a wait credit that outweighs any wait. The others fix who gets what differently than the engine would, so
that they are run with the baseline that has the very rule: they check the world around the engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from router.sim.figures import figures
from router.sim.reading import read_scenario
from router.sim.running import router_for
from router.sim.world import World

FOLDER = Path(__file__).parent / "scenarios" / "exact"
BATCHES = 20
MINUTE = 60.0  # waits are seconds; the models' unit of time is a minute


@dataclass(frozen=True, slots=True)
class Model:
    """One queue: its scenario, the policies under which it is exact, and its figures: waits in minutes."""

    name: str
    says: str
    policies: tuple[str, ...]
    exact: Mapping[str, float]


MODELS = (
    Model(
        "mm1",
        "M/M/1",
        ("usherd", "longest_idle"),
        {"p_wait": 0.8, "wait any": 4.0, "service_level": 0.46374396, "used a": 0.8},
    ),
    Model(
        "mm12",
        "M/M/12",
        ("usherd", "random"),
        {"p_wait": 0.18388863, "wait refund": 0.10216035, "service_level": 0.89907978, "used a": 0.7},
    ),
    Model(
        "mm12-patience",
        "M/M/12 with patience",
        ("usherd", "least_open"),
        {"p_wait": 0.12737228, "abandoned": 0.029678906, "service_level": 0.94526958, "used a": 0.67922477},
    ),
    Model(
        "two-priorities",
        "M/M/5, two priorities",
        ("usherd", "longest_idle"),
        {"wait first": 0.15831787, "wait second": 0.79158936},
    ),
    Model(
        "n-model",
        "N-model",
        ("listed",),
        {"wait A": 0.42526158, "wait B": 0.22579754, "used first": 0.82694667, "used second": 0.803832},
    ),
    Model(
        "longest-waiting",
        "longest waiting, longest idle",
        ("longest_idle",),
        {
            "wait t0": 0.38198392,
            "wait t1": 1.2142239,
            "wait t2": 1.0996957,
            "used a0": 0.51194718,
            "used a1": 0.74967692,
            "used a2": 0.80200101,
            "used a3": 0.72444383,
        },
    ),
    Model(
        "four-speeds",
        "M/M/4, four speeds",
        ("longest_idle",),
        {
            "wait any": 0.38721697,
            "used a0": 0.64615249,
            "used a1": 0.71074138,
            "used a2": 0.79378424,  # ROUTING.md says .78378424, with which 2.993 of 3 arrivals a minute would be served
            "used a3": 0.87023639,
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found, beside the exact value, with the standard error of the run by batch means."""

    figure: str
    exact: float
    found: float
    sigma: float

    @property
    def sigmas(self) -> float:
        """How far off, in standard errors."""
        return abs(self.found - self.exact) / self.sigma

    @property
    def off(self) -> float:
        """How far off, as a share of the exact value."""
        return abs(self.found - self.exact) / self.exact


def examine(model: Model, policy: str, seed: int = 1, times: float = 1.0) -> list[Found]:
    """Run a model for 100,000 arrivals, or `times` as many, and compare."""
    path = FOLDER / f"{model.name}.yaml"
    short = read_scenario(path)
    scenario = read_scenario(path, (short.config.minutes or 0) * times)
    world = World(scenario, router_for(policy, scenario, seed), seed)
    snapshots: list[tuple[int, list[float]]] = []

    def note(_: int) -> None:
        if scenario.measured_from <= world.now <= scenario.end:
            snapshots.append((world.now, [person.done for person in world.people]))

    measured = world.run(note)
    result = figures(measured, 1.0)
    streams = np.array(measured.stream)
    waits = np.array(measured.wait) / 1_000 / MINUTE
    topics = np.array([stream.arrivals.topic for stream in scenario.streams])[streams]
    series = {
        "p_wait": lambda: (waits > 0).astype(float),
        "abandoned": lambda: np.array(measured.left, dtype=float),
        "service_level": lambda: np.array(measured.in_target, dtype=float),
    }
    found = []
    for figure, exact in model.exact.items():
        kind, _, name = figure.partition(" ")
        if kind == "used":
            chosen = [person.number for person in world.people if person.id.startswith(name)]
            values = [result["utilisation"][world.people[number].id] for number in chosen]
            mean, sigma = float(np.mean(values)), _error_of_use(snapshots, chosen)
        else:
            sample = waits[topics == name] if kind == "wait" else series[kind]()
            mean, sigma = float(sample.mean()), batch_error(sample)
        found.append(Found(figure, exact, mean, sigma))
    return found


def batch_error(sample: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """The standard error of a mean of correlated values, by the means of batches."""
    means = [float(batch.mean()) for batch in np.array_split(sample, BATCHES)]
    return float(np.std(means, ddof=1)) / math.sqrt(BATCHES)


def _error_of_use(snapshots: list[tuple[int, list[float]]], chosen: list[int]) -> float:
    """The standard error of a utilisation, from what had been done by some instants."""
    times = [at for at, _ in snapshots]  # not evenly spread: there are many for some arrivals
    wanted = np.linspace(times[0], times[-1], BATCHES + 1)
    picked = [snapshots[int(place)] for place in np.searchsorted(times, wanted)]
    shares = [
        sum(after[number] - before[number] for number in chosen) / len(chosen) / (then - at)
        for (at, before), (then, after) in pairwise(picked)
        if then > at
    ]
    return float(np.std(shares, ddof=1)) / math.sqrt(len(shares))
