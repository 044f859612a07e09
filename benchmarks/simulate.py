"""The engine beside every baseline on made-up traffic: where it stands, with intervals, and the verdict.

The targets are those of ROUTING.md, section 4, paired by seed. Some seeds and one scenario are kept apart: nobody
looked at them while the rule was being made, and they are reported by themselves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import exact
from benchmarks.figures import Figure
from router.sim.baseline_rules import ENGINE, RULES
from router.sim.figures import interval
from router.sim.running import Task, done

FOLDER = Path(__file__).parent / "scenarios"
TUNED = (
    "startup", "mid-size", "large", "surge", "follow-the-sun", "morning-flood", "returning-agent", "rare-skill",
    "offline-team", "burst", "presence-flapping",
)  # fmt: skip
APART = ("apart",)
EVEN = ("startup", "mid-size", "large", "follow-the-sun")  # where the engine's CV is to be half of longest idle's
SOME = ("startup", "rare-skill", "returning-agent", "surge")
SEEDS = tuple(range(1, 11))
SEEDS_APART = tuple(range(101, 111))
BASELINES = tuple(name for name in RULES if name != "listed")
SERVICE_LOSS_MAX = 0.005
EXACT_SEED = 3
SIGMAS = 3
CV_SHARE_MAX = 0.5

Runs = dict[str, list[dict[str, Any]]]
"""Policy -> figures, one for each seed, in the same order for all."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference between the engine and another, paired by seed."""

    other: str
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}] against {self.other}"


def gap(runs: Runs, other: str, key: str) -> Gap | None:
    """The engine's figure less the other's, with its 95 % interval. None where there is none."""
    pairs = [
        (mine[key], theirs[key])
        for mine, theirs in zip(runs[ENGINE], runs[other], strict=True)
        if mine[key] is not None and theirs[key] is not None
    ]
    if not pairs:
        return None
    found = interval([mine - theirs for mine, theirs in pairs])
    return Gap(other, found["mean"], *found["ci95"])


def mean(runs: Runs, policy: str, key: str) -> float | None:
    """The mean of a figure over the seeds."""
    values = [one[key] for one in runs[policy] if one[key] is not None]
    return sum(values) / len(values) if values else None


def run_all(
    names: Iterable[str], seeds: Sequence[int], baselines: Sequence[str], processes: int | None = None
) -> dict[str, Runs]:
    """Every policy on every scenario under every seed."""
    tasks = [
        (name, Task(FOLDER / f"{name}.yaml", None, policy, seed))
        for name in names
        for policy in (ENGINE, *baselines)
        for seed in seeds
    ]
    found: dict[str, Runs] = {name: {} for name, _ in tasks}
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        for (name, task), figures in zip(tasks, pool.map(done, [task for _, task in tasks], chunksize=4), strict=True):
            found[name].setdefault(task.policy, []).append(figures)
    return found


# -- the targets ------------------------------------------------------------------------------------------------------


def verdicts(name: str, runs: Runs, baselines: Sequence[str]) -> list[Figure]:
    """The four targets on one scenario."""
    found = [_served(name, runs, baselines, "service_level", "service level")]
    if mean(runs, ENGINE, "sla_attainment") is not None:
        found.append(_served(name, runs, baselines, "sla_attainment", "SLA kept"))
    found.append(_dominated(name, runs, baselines))
    found.append(_even(name, runs))
    broken = sum(one["skill_violations"] + one["capacity_violations"] for one in runs[ENGINE])
    found.append(Figure(f"{name}: violations", str(broken), "none", broken == 0))
    return found


def _served(name: str, runs: Runs, baselines: Sequence[str], key: str, what: str) -> Figure:
    """(1) Nowhere worse than the best baseline by more than half a point, at 95 %."""
    best = max(baselines, key=lambda other: mean(runs, other, key) or 0.0)
    found = gap(runs, best, key)
    assert found is not None
    # shown, refuted, or neither: then these seeds do not decide
    met = True if found.low >= -SERVICE_LOSS_MAX else False if found.high < -SERVICE_LOSS_MAX else None
    said = str(found) if met is not None else f"{found}: undecided"
    return Figure(f"{name}: {what} {mean(runs, ENGINE, key) or 0:.4f}", said, "≥ best - 0.005", met)


def _dominated(name: str, runs: Runs, baselines: Sequence[str]) -> Figure:
    """(2) No baseline is better on both service level and evenness."""
    better = []
    for other in baselines:
        service, cv = gap(runs, other, "service_level"), gap(runs, other, "utilisation_cv")
        if service is not None and cv is not None and service.high < 0 and cv.low > 0:
            better.append(other)
    return Figure(f"{name}: better on both", ", ".join(better) or "nobody", "nobody", not better)


def _even(name: str, runs: Runs) -> Figure:
    """(3) Half of longest idle's CV where load is spread over the day; elsewhere the gap to the bound."""
    mine = mean(runs, ENGINE, "utilisation_cv") or 0.0
    bound = mean(runs, ENGINE, "utilisation_bound_cv") or 0.0
    other = mean(runs, "longest_idle", "utilisation_cv") or 0.0
    said = f"{mine:.3f}, longest idle {other:.3f}, possible {bound:.3f}"
    if name in EVEN or name in APART:
        return Figure(f"{name}: CV of utilisation", said, "≤ half", mine <= CV_SHARE_MAX * other)
    return Figure(f"{name}: CV of utilisation", said)


def run(*, full: bool) -> list[Figure]:
    """`make bench`: some scenarios, three seeds, four baselines; `--full`: all of them, and what was kept apart."""
    console = Console(highlight=False)
    figures = exact_figures(20.0 if full else 0.3)
    baselines = BASELINES if full else ("longest_idle", "least_open", "round_robin", "fewest_skills")
    parts: list[tuple[str, Sequence[str], Sequence[int]]] = [
        ("", TUNED if full else SOME, SEEDS if full else SEEDS[:3])
    ]
    if full:
        parts += [("kept apart: ", APART, SEEDS), ("other seeds: ", TUNED, SEEDS_APART)]
    for title, names, seeds in parts:
        found = run_all(names, seeds, baselines)
        for name, runs in found.items():
            _table(console, f"{title}{name}, {len(runs[ENGINE])} seeds from {seeds[0]}", runs)
            figures += [
                Figure(f"{title}{one.name}", one.value, one.target, one.met) for one in verdicts(name, runs, baselines)
            ]
        if full and (kept := os.environ.get("USHERD_BENCH_RESULTS")):
            _keep(Path(kept), title, found)
    return figures


def exact_figures(times: float) -> list[Figure]:
    """The seven exact queues, for `times` 100,000 arrivals each."""
    queues = [(model, policy) for model in exact.MODELS for policy in model.policies]
    models, policies = zip(*queues, strict=True)
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        examined = list(pool.map(exact.examine, models, policies, repeat(EXACT_SEED), repeat(times)))
    return [
        Figure(
            f"{model.says}, {policy}: {one.figure}",
            f"{one.found:.5f}, exact {one.exact:.5f}, {one.off:.1%} off, {one.sigmas:.1f} sigma",
            f"within {SIGMAS} sigma",
            one.sigmas <= SIGMAS,
        )
        for (model, policy), found in zip(queues, examined, strict=True)
        for one in found
    ]


def _table(console: Console, title: str, runs: Runs) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    for column in ("", "service level", "SLA kept", "wait, s", "p95, s", "CV", "possible", "gave up"):
        table.add_column(column, justify="left" if not column else "right")
    for policy in runs:
        gave_up = (mean(runs, policy, "abandoned") or 0) / max(1.0, mean(runs, policy, "contacts") or 1.0)
        table.add_row(
            policy, _with_interval(runs, policy, "service_level"), _with_interval(runs, policy, "sla_attainment"),
            f"{mean(runs, policy, 'wait_mean') or 0:.1f}", f"{mean(runs, policy, 'wait_p95') or 0:.0f}",
            _with_interval(runs, policy, "utilisation_cv"), f"{mean(runs, policy, 'utilisation_bound_cv') or 0:.3f}",
            f"{gave_up:.3f}",
        )  # fmt: skip
    console.print(table)
    console.print()


def _with_interval(runs: Runs, policy: str, key: str) -> str:
    values = [one[key] for one in runs[policy] if one[key] is not None]
    if not values:
        return "-"
    found = interval(values)
    return f"{found['mean']:.3f} ± {(found['ci95'][1] - found['ci95'][0]) / 2:.3f}"


def _keep(path: Path, title: str, found: Mapping[str, Runs]) -> None:
    """Every figure of every run, one JSON line each, for whoever wants to look closer."""
    with path.open("a") as file:
        for name, runs in found.items():
            for policy, some in runs.items():
                for one in some:
                    plain = {key: value for key, value in one.items() if not isinstance(value, dict)}
                    file.write(json.dumps({"part": title, "scenario": name, "policy": policy, **plain}) + "\n")
