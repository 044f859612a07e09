"""What must hold of a simulation whatever the numbers: laws of queues, and changes that change nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from router.sim.baseline_rules import ENGINE, RULES
from router.sim.reading import MONDAY
from router.sim.running import run
from router.sim.traffic import contacts
from tests.support.simulations import QUEUE, figures_of, scenario_of, world_of

pytestmark = pytest.mark.timeout(600)  # seconds, against hanging: a test takes some, ten times that on a busy machine

TWO_CLASSES = """
minutes: 3000
warmup: 150
baseline_order: priority
agents:
  - {{id: {ana}, count: 3, skills: {{{x}: 3}}, capacity: {{chat: 1}}}}
  - {{id: {ben}, count: 3, skills: {{{x}: 3, {y}: 3}}, capacity: {{chat: 1}}, speed: 1.5}}
arrivals:
  - {{topic: {one}, require: {{{x}: 1}}, per_hour: 90, effort: {{lognormal: {{mean: 2m, cv: 1.3}}}},
     patience: {{lognormal: {{median: 5m, sigma: 1}}}}}}
  - {{topic: {two}, require: {{{y}: 1}}, priority: high, per_hour: 90, effort: {{exponential: {{mean: 2m}}}}}}
"""
NAMES = {"ana": "ana", "ben": "ben", "x": "billing", "y": "refunds", "one": "bills", "two": "money"}
POLICIES = (ENGINE, "longest_idle", "fqr", "least_open")


@pytest.mark.parametrize("policy", POLICIES)
def test_littles_law_holds_for_each_class(tmp_path: Path, policy: str) -> None:
    """The mean number in queue is the rate of arrivals times the mean wait, class by class."""
    scenario = scenario_of(tmp_path, TWO_CLASSES.format_map(NAMES))
    world = world_of(scenario, policy)
    area = [0.0, 0.0]  # integral over time of the number in queue, by class
    step = world.step

    def counted(until: int) -> bool:
        waiting = [job.stream.number for job in world.unfinished.values() if job.started is None]
        before = max(scenario.measured_from, min(world.now, scenario.end))
        went_on = step(until)
        after = max(scenario.measured_from, min(world.now, scenario.end))
        for number in (0, 1):
            area[number] += waiting.count(number) * (after - before)
        return went_on

    world.step = counted  # type: ignore[method-assign]
    measured = world.run()
    streams, waits = np.array(measured.stream), np.array(measured.wait, dtype=float)
    for number in (0, 1):
        mine = waits[streams == number]
        assert len(mine) > 4_000
        assert area[number] == pytest.approx(mine.sum(), rel=0.02), "L = lambda W, both times the span"


@pytest.mark.parametrize("policy", [ENGINE, "longest_idle"])
def test_a_class_split_in_two_identical_ones_waits_as_long(tmp_path: Path, policy: str) -> None:
    """The same contacts under two topics instead of one, alike in all else, each wait exactly as long."""
    drawn = list(contacts(scenario_of(tmp_path), 1))
    text = QUEUE[: QUEUE.index("arrivals:")] + "trace: %s.jsonl\n"
    waits = []
    for name, topics in (("whole", ("refund",)), ("split", ("refund", "again"))):
        lines = [
            {"at": (at - MONDAY) / 1_000, "effort": effort / 1_000, "topic": topics[number % len(topics)],
             "require": {"billing": 1}}
            for number, (at, _, effort, _, _) in enumerate(drawn)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        waits.append(run(scenario_of(tmp_path, text % name, name), policy, 1)[0].wait)
    assert waits[0] == waits[1]
    assert len(waits[0]) > 900
    assert sum(waits[0]) > 0


@pytest.mark.parametrize("policy", POLICIES)
def test_other_names_change_nothing(tmp_path: Path, policy: str) -> None:
    """Agents, skills and topics called otherwise, in the same order, get the same contacts at the same instants."""
    text = TWO_CLASSES.replace("minutes: 3000", "minutes: 900")
    others = {"ana": "kim", "ben": "lou", "x": "keys", "y": "locks", "one": "doors", "two": "gates"}
    first = run(scenario_of(tmp_path, text.format_map(NAMES), "first"), policy, 1)[0]
    second = run(scenario_of(tmp_path, text.format_map(others), "second"), policy, 1)[0]
    assert (first.wait, first.stream, first.done) == (second.wait, second.stream, second.done)
    assert [person.done for person in first.people] == [person.done for person in second.people]


@pytest.mark.parametrize("policy", ["longest_idle", "least_open", "fqr"])
def test_a_slower_clock_changes_nothing_but_the_unit(tmp_path: Path, policy: str) -> None:
    """With all durations times four and rates by four, all waits are times four (but for whole milliseconds)."""
    slow = (
        QUEUE.replace("minutes: 600", "minutes: 2400").replace("per_hour: 100", "per_hour: 25")
        .replace("mean: 2m", "mean: 8m")
    )  # fmt: skip
    first = run(scenario_of(tmp_path, QUEUE, "fast"), policy, 1)[0]
    second = run(scenario_of(tmp_path, slow, "slow"), policy, 1)[0]
    assert len(first.wait) == len(second.wait) > 900
    assert np.allclose(4 * np.array(first.wait), np.array(second.wait), atol=2_000)


def test_the_engine_scales_with_the_clock(tmp_path: Path) -> None:
    """Agents alike, the engine's waits scale as well: its own clocks only choose between them."""
    slow = (
        QUEUE.replace("minutes: 600", "minutes: 2400").replace("per_hour: 100", "per_hour: 25")
        .replace("mean: 2m", "mean: 8m")
    )  # fmt: skip
    first = run(scenario_of(tmp_path, QUEUE, "fast"), ENGINE, 1)[0]
    second = run(scenario_of(tmp_path, slow, "slow"), ENGINE, 1)[0]
    assert np.allclose(4 * np.sort(np.array(first.wait)), np.sort(np.array(second.wait)), atol=2_000)


@pytest.mark.parametrize("policy", [ENGINE, *(name for name in RULES if name not in {"random", "weighted_blocks"})])
@pytest.mark.parametrize(
    "stranger",
    ["{id: z, skills: {cooking: 5}, capacity: {chat: 1}}", "{id: z, skills: {billing: 3}, capacity: {email: 1}}"],
    ids=["lacks the skill", "takes no chats"],
)
def test_somebody_who_is_never_eligible_changes_nothing(tmp_path: Path, policy: str, stranger: str) -> None:
    """An agent without the skill, or without capacity for the kind, leaves waits and others' work as they were."""
    more = QUEUE.replace("arrivals:", f"  - {stranger}\narrivals:")
    alone = figures_of(scenario_of(tmp_path, QUEUE, "alone"), policy)
    together = figures_of(scenario_of(tmp_path, more, "together"), policy)
    assert together["utilisation"].pop("z") == 0
    for changed in ("utilisation_cv", "utilisation_bound_cv", "jain"):
        del alone[changed], together[changed]
    assert alone == together


def test_a_reserve_of_none_is_no_reserve(tmp_path: Path) -> None:
    """`reserve: {refunds: 0}` gives the very figures of no reserve at all."""
    text = TWO_CLASSES.replace("minutes: 3000", "minutes: 900").format_map(NAMES)
    without = figures_of(scenario_of(tmp_path, text, "without"))
    assert figures_of(scenario_of(tmp_path, f"{text}reserve: {{refunds: 0}}\n", "none")) == without


@pytest.mark.parametrize("policy", [ENGINE, "random", "fqr"])
def test_a_seed_gives_the_same_figures_in_another_process(tmp_path: Path, policy: str) -> None:
    """Another process with another hash seed finds the same to the last digit; another seed does not."""
    text = TWO_CLASSES.replace("minutes: 3000", "minutes: 400").format_map(NAMES)
    scenario = scenario_of(tmp_path, text)
    here = figures_of(scenario, policy, 7)
    command = [sys.executable, "-m", "router", "simulate", str(tmp_path / "scenario.yaml")]
    there = subprocess.run(
        [*command, "--policy", policy, "--seed", "7", "--json"],
        env={**os.environ, "PYTHONHASHSEED": "4711"}, capture_output=True, check=True, text=True, timeout=100,
    )  # fmt: skip
    found = json.loads(there.stdout)["policies"][policy]
    del found["seconds"], found["decisions_per_second"]
    assert found == json.loads(json.dumps(here))
    assert figures_of(scenario, policy, 8) != here
