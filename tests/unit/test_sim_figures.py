"""Figures and draws: what the numbers of a result mean, and where they come from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, pstdev

import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from router.cli.commands import app
from router.sim import plots
from router.sim.distributions import Distribution, Draws, Timing, chance, seconds_or_duration
from router.sim.figures import interval, jain, summary
from router.sim.reading import MONDAY
from router.sim.running import simulate
from router.sim.scenario import DAY, MINUTE
from router.sim.traffic import contacts
from tests.support.simulations import QUEUE, figures_of, scenario_of

KEYS = {
    "contacts", "served", "abandoned", "p_wait", "wait_mean", "wait_p50", "wait_p95", "wait_p99", "wait_max",
    "service_level", "sla_attainment", "utilisation", "utilisation_cv", "utilisation_bound_cv", "jain",
    "skill_violations", "capacity_violations", "by_topic", "by_priority", "seconds", "decisions_per_second",
}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "mean", "cv"),
    [
        ({"constant": "2m"}, 120, 0),
        ("2m", 120, 0),
        (90, 90, 0),
        ({"exponential": {"mean": "2m"}}, 120, 1),
        ({"lognormal": {"mean": "6m", "cv": 1.3}}, 360, 1.3),
        ({"lognormal": {"median": "5m", "sigma": 1}}, 300 * math.exp(0.5), math.sqrt(math.e - 1)),
    ],
)
def test_draws_have_the_mean_and_variation_asked_for(written: object, mean: float, cv: float) -> None:
    """Each distribution has the mean and the coefficient of variation that its parameters say, by both ways to draw."""
    found: Timing = TypeAdapter(Distribution).validate_python(written)
    assert found.mean == pytest.approx(mean * 1_000, rel=1e-6)
    draws = Draws(found, 1, "x")
    ways: list[Callable[[int], int]] = [
        lambda _: draws.next(),
        lambda number: found.at(chance(1, 2, number)),
    ]
    for way in ways:
        drawn = [way(number) / 1_000 for number in range(60_000)]
        assert fmean(drawn) == pytest.approx(mean, rel=0.03)
        assert pstdev(drawn) / fmean(drawn) == pytest.approx(cv, abs=0.08)


def test_chance_is_even_and_depends_on_all_it_is_told() -> None:
    """Its values fill (0, 1) evenly, and one part more or less is another value."""
    values = [chance(3, 1, number) for number in range(20_000)]
    assert fmean(values) == pytest.approx(0.5, abs=0.01)
    assert all(0 < value < 1 for value in values)
    assert len(set(values)) == len(values)
    assert len({chance(1, 1, 1), chance(2, 1, 1), chance(1, 2, 1), chance(1, 1, 2), chance(1, 1, 1, 0)}) == 5


@pytest.mark.parametrize(
    ("text", "ms"), [("30s", 30_000), ("1.5h", 5_400_000), ("20", 20_000), ("0.25", 250), (7, 7_000)]
)
def test_durations_are_seconds_or_have_a_unit(text: object, ms: int) -> None:
    """A bare number is seconds."""
    assert seconds_or_duration(text) == ms


def test_the_hours_of_the_day_and_surges_set_the_rate(tmp_path: Path) -> None:
    """Arrivals follow 24 hourly rates from the time of day at which it starts, times what a surge says."""
    rates = ", ".join(str(600 if hour in {9, 11} else 0) for hour in range(24))
    text = QUEUE.replace("per_hour: 100", f"per_hour: [{rates}], surges: [{{at: 2h, lasting: 30m, times: 3}}]")
    scenario = scenario_of(tmp_path, text.replace("minutes: 600", 'minutes: 240\nstart: "09:00"'))
    hours = [((at - MONDAY) % DAY) / (60 * MINUTE) for at, *_ in contacts(scenario, 1)]
    assert sum(9 <= hour < 10 for hour in hours) == pytest.approx(600, abs=100)
    assert sum(11 <= hour < 11.5 for hour in hours) == pytest.approx(900, abs=120)
    assert sum(11.5 <= hour < 12 for hour in hours) == pytest.approx(300, abs=75)
    assert all(9 <= hour < 10 or 11 <= hour < 12 for hour in hours)


def test_rates_vary_together_when_asked(tmp_path: Path) -> None:
    """With a day's and half hours' factors, the counts of two streams vary more than Poisson, and together."""
    line = "{topic: %s, channel: chat, require: {billing: 1}, per_hour: 400, effort: 1s}"
    text = f"""
minutes: 43200
variation: {{day: 0.15, half_hour: 0.17}}
{QUEUE[QUEUE.index("agents:") : QUEUE.index("arrivals:")]}
arrivals:
  - {line % "one"}
  - {line % "two"}
"""
    scenario = scenario_of(tmp_path, text)
    counts = [[0] * 1_440, [0] * 1_440]
    for at, number, *_ in contacts(scenario, 1):
        counts[number][(at - scenario.begin) // (30 * MINUTE)] += 1
    one, two = counts
    assert pstdev(one) / fmean(one) == pytest.approx(math.sqrt(0.15**2 + 0.17**2 + 1 / 200), abs=0.05)
    both = fmean((a - fmean(one)) * (b - fmean(two)) for a, b in zip(one, two, strict=True))
    assert both / (pstdev(one) * pstdev(two)) > 0.8


def test_figures_have_the_keys_of_the_design(tmp_path: Path) -> None:
    """One seed gives numbers, several give a mean with an interval; shares are shares."""
    path = tmp_path / "scenario.yaml"
    scenario_of(tmp_path)
    one = simulate(path, ["usherd"], [1])
    assert set(one) == {"scenario", "seeds", "policies"}
    assert set(one["policies"]["usherd"]) == KEYS
    several = simulate(path, ["longest_idle"], [1, 2, 3])["policies"]["longest_idle"]
    assert set(several) == KEYS
    assert several["contacts"]["mean"] == pytest.approx(
        fmean(figures_of(scenario_of(tmp_path), "longest_idle", seed)["contacts"] for seed in (1, 2, 3))
    )
    low, high = several["service_level"]["ci95"]
    assert 0 < low < several["service_level"]["mean"] < high < 1.2
    assert set(several["utilisation"]) == {"a1", "a2", "a3", "a4"}
    assert several["sla_attainment"] is None


def test_runs_at_once_give_the_same_result(tmp_path: Path) -> None:
    """Two processes find what one finds."""
    scenario_of(tmp_path)
    found = [simulate(tmp_path / "scenario.yaml", ["fqr"], [1, 2], processes=number) for number in (1, 2)]
    for one in found:
        del one["policies"]["fqr"]["seconds"], one["policies"]["fqr"]["decisions_per_second"]
    assert found[0] == found[1]


def test_an_interval_is_students(tmp_path: Path) -> None:
    """Of 1, 2, 3: the mean 2 and 4.303 standard errors of 0.577 to either side."""
    found = interval([1.0, 2.0, 3.0])
    assert found["mean"] == 2
    assert found["ci95"] == pytest.approx([2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5], rel=1e-4)
    assert summary([{"a": None, "b": {"c": 1}}, {"a": None, "b": {"c": 3}}])["b"]["c"]["mean"] == 2


def test_jains_index_falls_as_work_is_uneven() -> None:
    """All alike: 1. All work on one of four: a quarter."""
    assert jain([2.0, 2.0, 2.0]) == pytest.approx(1)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain([0.0, 0.0]) is None


def test_promises_count_from_rules_and_calendars(tmp_path: Path) -> None:
    """Who is started by the due time of a rule keeps it, by its calendar's hours; without a promise it is null."""
    text = """
minutes: 60
service_target: 1s
calendars: {day: {timezone: UTC, hours: {daily: "00:30-24:00"}}}
rules:
  - {when: {topic: slow}, sla: {first_response: 10m, calendar: day}}
  - {when: {topic: fast}, sla: {first_response: 10m}}
agents: [{id: a, capacity: {chat: 1}, available: [["00:35", "24:00"]]}]
arrivals:
  - {topic: slow, bursts: [{at: 0, count: 1}], effort: 1s}
  - {topic: fast, bursts: [{at: 0, count: 1}], effort: 1s}
  - {topic: none, bursts: [{at: 0, count: 1}], effort: 1s}
"""
    found = figures_of(scenario_of(tmp_path, text))
    assert {name: one["sla_attainment"] for name, one in found["by_topic"].items()} == {
        "slow": 1,
        "fast": 0,
        "none": None,
    }
    assert {name: one["service_level"] for name, one in found["by_topic"].items()} == {"slow": 1, "fast": 0, "none": 0}
    assert found["sla_attainment"] == 0.5


def test_the_command_prints_a_table_json_and_plots(tmp_path: Path) -> None:
    """A table for people; JSON with --json; three drawings with --plot; exit code 2 for what means nothing."""
    scenario_of(tmp_path, QUEUE.replace("minutes: 600", "minutes: 60"))
    path = str(tmp_path / "scenario.yaml")
    runner = CliRunner()
    shown = runner.invoke(app, ["simulate", path, "--policy", "usherd", "--policy", "random", "--seeds", "2"])
    assert shown.exit_code == 0
    assert "service level, %" in shown.output
    drawn = runner.invoke(app, ["simulate", path, "--policy", "usherd", "--json", "--plot", str(tmp_path / "plots")])
    assert drawn.exit_code == 0
    assert set(json.loads(drawn.stdout)["policies"]["usherd"]) == KEYS
    names = sorted(file.name for file in (tmp_path / "plots").iterdir())
    assert names == ["scenario-queue.svg", "scenario-utilisation.svg", "scenario-waits.svg"]
    assert all((tmp_path / "plots" / name).read_text().rstrip().endswith("</svg>") for name in names)
    assert runner.invoke(app, ["simulate", path, "--policy", "nobody"]).exit_code != 0


def test_without_matplotlib_plots_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named before anything is run."""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(Exception, match="plots need matplotlib") as caught:
        plots.needs_matplotlib()
    assert getattr(caught.value, "hint", "") == "pip install 'usherd[plot]'"
