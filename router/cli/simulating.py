"""The engine on synthetic or recorded traffic, beside baseline policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from router.cli import output
from router.cli.options import Json

if TYPE_CHECKING:
    from router.sim.running import Task

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario's YAML file.")]
Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="P",
        help="`usherd`, a baseline, `BASELINE@native` with its original's trigger, or `all`; may be repeated. "
        "Without it: usherd, longest_idle, least_open and round_robin.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Where chance begins; the scenario's `seed` if left out.")]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, max=1_000, help="So many seeds, one after the other, with 95 % intervals.")
]
Minutes = Annotated[float | None, typer.Option("--minutes", min=0.001, help="Simulate so long instead.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="DIR", help="Draw waits, utilisation and the queue into this folder (SVG)."),
]
Processes = Annotated[int, typer.Option("--processes", min=1, max=256, help="Runs at once; the result is the same.")]
ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("contacts", "contacts", 1, ",.0f"),
    ("served", "served", 1, ",.0f"),
    ("abandoned", "abandoned", 1, ",.0f"),
    ("p_wait", "had to wait, %", 100, ".1f"),
    ("wait_mean", "wait, mean, s", 1, ".1f"),
    ("wait_p50", "wait, median, s", 1, ".1f"),
    ("wait_p95", "wait, p95, s", 1, ".1f"),
    ("wait_p99", "wait, p99, s", 1, ".1f"),
    ("wait_max", "wait, longest, s", 1, ".1f"),
    ("service_level", "service level, %", 100, ".2f"),
    ("sla_attainment", "SLA kept, %", 100, ".2f"),
    ("utilisation_cv", "CV of utilisation", 1, ".3f"),
    ("utilisation_bound_cv", "… best possible", 1, ".3f"),
    ("jain", "Jain's index", 1, ".4f"),
    ("skill_violations", "skill violations", 1, ",.0f"),
    ("capacity_violations", "capacity violations", 1, ",.0f"),
    ("decisions_per_second", "decisions a second", 1, ",.0f"),
)


def simulate(
    scenario: ScenarioFile,
    policy: Policies = None,
    seed: Seed = None,
    seeds: Seeds = 1,
    minutes: Minutes = None,
    plot: Plot = None,
    processes: Processes = 1,
    json: Json = False,
) -> None:
    """Rehearse: how the engine would do on made-up or recorded traffic, beside the rules of other products."""
    from rich.progress import Progress

    from router.sim import plots, running
    from router.sim.reading import read_scenario

    output.wants_json(json)
    names = running.policies(policy or ())
    read = read_scenario(scenario, minutes)
    if plot is not None:
        plots.needs_matplotlib()
    first = read.seed if seed is None else seed
    numbers = list(range(first, first + seeds))
    with Progress(console=output.people, transient=True, disable=not output.people.is_terminal) as bar:
        task = bar.add_task(read.name, total=len(names) * len(numbers))
        found = running.simulate(
            scenario, names, numbers, minutes=minutes, processes=processes, tell=_advancing(lambda: bar.advance(task))
        )
    if json:
        output.give(found)
    else:
        _show(found)
    if plot is not None:
        drawn = plots.draw(read, names, numbers[0], found, plot)
        output.say(f"drew {', '.join(map(str, drawn))}")
    if _violations(found):
        raise typer.Exit(1)


def _advancing(advance: Callable[[], None]) -> Callable[[Task], None]:
    def tell(_: Task) -> None:
        advance()

    return tell


def _violations(found: dict[str, Any]) -> bool:
    """Whether the engine broke a rule: a baseline in its original form may."""
    figures = found["policies"].get("usherd", {})
    return any(_mean(figures.get(key)) for key in ("skill_violations", "capacity_violations"))


def _show(found: dict[str, Any]) -> None:
    seeds = found["seeds"]
    said = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds from {seeds[0]}, ± half a 95 % interval"
    policies = found["policies"]
    rows = [
        (title, *(_cell(figures.get(key), times, form) for figures in policies.values()))
        for key, title, times, form in ROWS
    ]
    output.table(f"{found['scenario']} ({said})", ["", *policies], rows)


def _mean(value: object) -> float:
    found = value["mean"] if isinstance(value, dict) else value
    return float(found) if isinstance(found, int | float) else 0.0


def _cell(value: object, times: float, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        half = (value["ci95"][1] - value["ci95"][0]) / 2
        return f"{format(value['mean'] * times, form)} ± {format(half * times, form)}"
    return format(_mean(value) * times, form)
