"""Runs a scenario: each policy under each seed, on the same customers; and puts the figures together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from router.core.errors import ConfigError
from router.core.state import Rhythm
from router.sim.baseline_rules import ENGINE, NATIVE, RULES
from router.sim.baselines import Baseline
from router.sim.figures import Figures, figures, summary
from router.sim.live import Live
from router.sim.measuring import Measured
from router.sim.reading import Scenario, read_scenario
from router.sim.scenario import DAYS_MAX
from router.sim.work import Person, Router
from router.sim.world import World
from skills.findings import unknown

ALL = "all"
USUAL = (ENGINE, "longest_idle", "least_open", "round_robin")


def policies(wanted: Sequence[str]) -> tuple[str, ...]:
    """The policies named, `all` for the engine and every baseline. Raises ConfigError for a name nobody knows."""
    known = (ENGINE, *RULES)
    found: dict[str, None] = {}
    for name in wanted or USUAL:
        if name == ALL:
            found.update(dict.fromkeys((ENGINE, *(rule for rule in RULES if rule != "listed"))))
            continue
        plain = name.removesuffix(NATIVE)
        if plain not in known or name == ENGINE + NATIVE:
            message, hint = unknown("policy", name, (*known, ALL))
            raise ConfigError(message, hint=f"{hint}; `NAME{NATIVE}` is a baseline as its original is triggered")
        found[name] = None
    return tuple(found)


def run(
    scenario: Scenario, policy: str, seed: int, progress: Callable[[int], None] | None = None
) -> tuple[Measured, float]:
    """One run; what it left behind, and how many seconds it took."""
    begun = time.perf_counter()
    measured = World(scenario, router_for(policy, scenario, seed), seed).run(progress)
    return measured, time.perf_counter() - begun


def router_for(policy: str, scenario: Scenario, seed: int) -> Callable[[Sequence[Person]], Router]:
    """What makes the router of a policy, once its people are there."""
    if policy == ENGINE:
        rhythms = _days_before(scenario, seed)
        return lambda people: Live(scenario, people, rhythms)
    return lambda people: Baseline(policy, scenario, people, seed)


def _days_before(scenario: Scenario, seed: int) -> Mapping[str, Rhythm]:
    """What usherd has learned from days of other customers."""
    rhythms: Mapping[str, Rhythm] = {}
    for day in range(1, scenario.config.days_before + 1):
        lived: list[Live] = []

        def live(people: Sequence[Person], lived: list[Live] = lived, known: Mapping[str, Rhythm] = rhythms) -> Router:
            lived.append(Live(scenario, people, known))
            return lived[0]

        World(scenario, live, -(seed * DAYS_MAX + day)).run()
        rhythms = lived[0].rhythms()
    return rhythms


@dataclass(frozen=True, slots=True)
class Task:
    """One run, as it is sent to another process."""

    path: Path
    minutes: float | None
    policy: str
    seed: int


def done(task: Task) -> Figures:
    """The figures of one run."""
    return figures(*run(read_scenario(task.path, task.minutes), task.policy, task.seed))


def simulate(
    path: Path,
    wanted: Sequence[str] = (),
    seeds: Iterable[int] = (),
    *,
    minutes: float | None = None,
    processes: int = 1,
    tell: Callable[[Task], None] | None = None,
) -> dict[str, Any]:
    """The result of DESIGN.md: `{scenario, seeds, policies: {NAME: figures}}`. Raises ConfigError.

    `seeds`: the scenario's own, if none is given. `processes` at once; the result does not depend on it. `tell` hears
    of each run that is over.
    """
    scenario = read_scenario(path, minutes)
    names = policies(wanted)
    numbers = list(seeds) or [scenario.seed]
    tasks = [Task(path, minutes, name, seed) for name in names for seed in numbers]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    for task, found in zip(tasks, _all(tasks, processes), strict=True):
        runs[task.policy].append(found)
        if tell is not None:
            tell(task)
    return {
        "scenario": scenario.name,
        "seeds": numbers,
        "policies": {name: summary(runs[name]) for name in names},
    }


def _all(tasks: Sequence[Task], processes: int) -> Iterator[Figures]:
    if processes <= 1 or len(tasks) == 1:
        yield from map(done, tasks)
        return
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(done, tasks)
