"""Scenarios written in tests, and runs of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.sim.figures import figures
from router.sim.reading import Scenario, read_scenario
from router.sim.running import router_for, run
from router.sim.world import World

QUEUE = """
minutes: 600
agents:
  - {id: a, count: 4, skills: {billing: 3}, capacity: {chat: 1}}
arrivals:
  - {topic: refund, channel: chat, require: {billing: 1}, per_hour: 100, effort: {exponential: {mean: 2m}}}
"""


def scenario_of(folder: Path, text: str = QUEUE, name: str = "scenario") -> Scenario:
    """Write a scenario into `folder` and read it."""
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return read_scenario(path)


def figures_of(scenario: Scenario, policy: str = "usherd", seed: int = 1) -> dict[str, Any]:
    """The figures of one run; how long it took is left out, so that runs can be compared."""
    found = figures(*run(scenario, policy, seed))
    del found["seconds"], found["decisions_per_second"]
    return found


def world_of(scenario: Scenario, policy: str = "usherd", seed: int = 1) -> World:
    """A world that has not run yet."""
    return World(scenario, router_for(policy, scenario, seed), seed)
