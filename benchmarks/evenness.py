"""Where unevenness comes from: `python -m benchmarks.evenness mid-size --seeds 3`.

The square of the CV of utilisation is a sum of three parts: between shifts, between agents of other skills on one
shift, and between agents who are alike. Beside the first stands what is left of it when work is poured like water, in
any fractions, over all who are on shift when it comes, whatever they can do, so that utilisation stays level as it
goes: what comes later than a shift's end cannot be evened out by whoever is gone.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from router.sim.baseline_rules import ENGINE
from router.sim.bound import water_levels
from router.sim.figures import utilisation
from router.sim.reading import Plan, Scenario, read_scenario
from router.sim.running import run
from router.sim.traffic import contacts

FOLDER = Path(__file__).parent / "scenarios"
STEP = 1_800_000  # half an hour: the rates of arrivals change with it

Hours = tuple[tuple[int, int], ...]


def hours_of(plan: Plan, scenario: Scenario) -> Hours:
    """When somebody is on shift within the span, as what agents of one shift have in common."""
    if plan.shifts is None:
        return ((scenario.begin, scenario.end),)
    return tuple(
        (max(begin, scenario.begin), min(end, scenario.end))
        for begin, end in plan.shifts
        if begin < scenario.end and end > scenario.begin
    )


def parts(scenario: Scenario, used: dict[str, float]) -> tuple[float, float, float]:
    """The parts of the CV, each as a CV of its own: between shifts, between skills within them, between those alike."""
    plans = {plan.id: plan for plan in scenario.plans if plan.id in used}
    shift = {name: hours_of(plan, scenario) for name, plan in plans.items()}
    alike = {name: (shift[name], tuple(sorted(plan.agent.skills.items()))) for name, plan in plans.items()}
    mean = sum(used.values()) / len(used)
    by_shift = _spread(used, lambda name: shift[name])
    by_alike = _spread(used, lambda name: alike[name])
    whole = sum((value - mean) ** 2 for value in used.values()) / len(used)
    between, skills, rest = by_shift, by_alike - by_shift, whole - by_alike
    return (
        math.sqrt(max(0.0, between)) / mean,
        math.sqrt(max(0.0, skills)) / mean,
        math.sqrt(max(0.0, rest)) / mean,
    )


def _spread(used: dict[str, float], key: Callable[[str], Hashable]) -> float:
    """The variance of group means, each counted for all of its group."""
    groups: defaultdict[Hashable, list[float]] = defaultdict(list)
    for name, value in used.items():
        groups[key(name)].append(value)
    mean = sum(used.values()) / len(used)
    return sum(len(group) * (sum(group) / len(group) - mean) ** 2 for group in groups.values()) / len(used)


def poured(scenario: Scenario, seed: int) -> float:
    """The part between shifts of work that flows like water, half hour by half hour."""
    shifts: list[Hours] = list(dict.fromkeys(hours_of(plan, scenario) for plan in scenario.plans))
    speeds = dict.fromkeys(range(len(shifts)), 0.0)
    for plan in scenario.plans:
        speeds[shifts.index(hours_of(plan, scenario))] += plan.people.speed
    came = [0.0] * len(range(scenario.begin, scenario.end, STEP))
    for at, _, effort, _, _ in contacts(scenario, seed):
        came[(at - scenario.begin) // STEP] += effort
    done = dict.fromkeys(speeds, 0.0)
    for step, work in enumerate(came):
        at = scenario.begin + step * STEP
        here = [place for place, hours in enumerate(shifts) if any(begin <= at < end for begin, end in hours)]
        been = {place: speeds[place] * _before(shifts[place], at + STEP) for place in here}
        found = water_levels([*((done[place], (place,)) for place in here), (work, tuple(here))], been)
        done.update({place: found[place] * been[place] for place in here})
    levels = {place: done[place] / (speeds[place] * _before(shifts[place], scenario.end)) for place in done}
    people = [levels[shifts.index(hours_of(plan, scenario))] for plan in scenario.plans]
    mean = sum(people) / len(people)
    return math.sqrt(sum((one - mean) ** 2 for one in people) / len(people)) / mean


def _before(hours: Hours, at: int) -> int:
    """How long a shift has lasted by an instant."""
    return sum(max(0, min(end, at) - begin) for begin, end in hours)


def main() -> None:
    """Print the parts, as root mean squares over the seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evenness", description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--policy", action="append", help="default: usherd and longest_idle; `none` for the water alone"
    )
    asked = parser.parse_args()
    scenario = read_scenario(FOLDER / f"{asked.scenario}.yaml")
    seeds = range(1, asked.seeds + 1)
    rows = [(name, [parts(scenario, utilisation(run(scenario, name, seed)[0])) for seed in seeds])
            for name in asked.policy or (ENGINE, "longest_idle") if name != "none"]  # fmt: skip
    for name, found in rows:
        shift, skills, rest = (_root(part) for part in zip(*found, strict=True))
        whole = math.sqrt(shift**2 + skills**2 + rest**2)
        print(f"{name}: CV {whole:.4f}: shifts {shift:.4f}, skills {skills:.4f}, the rest {rest:.4f}")
    print(f"water, between shifts: {_root(poured(scenario, seed) for seed in seeds):.4f}")


def _root(values: Iterable[float]) -> float:
    known = list(values)
    return math.sqrt(sum(value * value for value in known) / len(known))


if __name__ == "__main__":
    main()
