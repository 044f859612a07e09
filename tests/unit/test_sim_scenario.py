"""Scenarios are read strictly: what is wrong is said with file, line and remedy, all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.sim.reading import MONDAY, read_scenario
from router.sim.scenario import MINUTE
from router.sim.traffic import contacts
from skills.findings import ConfigErrors
from skills.workspace import load
from tests.support.simulations import QUEUE, scenario_of

SCENARIOS = Path(__file__).resolve().parents[2] / "benchmarks" / "scenarios"


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("minutes: 600", "minuts: 600"), 2, "unknown key `minuts`; did you mean `minutes`?"),
        (("count: 4", "cout: 4"), 4, "unknown key `cout`"),
        (("minutes: 600", "minutes: soon"), 2, "`minutes`"),
        (("mean: 2m", "mean: two"), 6, "must be a duration such as 30s"),
        (("exponential: {mean: 2m}", "exponential: {mean: 2m}, constant: 2m"), 6, "needs one of `constant`"),
        (("exponential: {mean: 2m}", "lognormal: {mean: 2m, sigma: 1}"), 6, "needs `mean` and `cv`"),
        (("require: {billing: 1}", "require: {biling: 1}"), 6, "did you mean `billing`?"),
        (("minutes: 600", "minutes: 600\nwarmup: 600"), 3, "over before the warm-up"),
        (("minutes: 600", "start: noon\nminutes: 600"), 2, "must be a time of day such as 08:30"),
        (("minutes: 600", ""), 1, "does not say how long"),
        (("count: 4", 'count: 4, available: [["9", "17"]]'), 4, "must be hours such as"),
        (("count: 4", "speed: 0"), 4, "`agents.0.speed`"),
        (("minutes: 600", "minutes: 600\nrules: [{when: {topic: refnd}, team: x}]"), 3, "refnd"),
    ],
)  # fmt: skip
def test_a_slip_is_an_error_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, says: str) -> None:
    """What does not mean anything is refused, with the file, the line and words that help."""
    text = QUEUE.replace(*change)
    assert text != QUEUE
    with pytest.raises(ConfigErrors) as caught:
        scenario_of(tmp_path, text)
    errors = caught.value.errors
    assert [error.file for error in errors] == ["scenario.yaml"] * len(errors)
    assert says in " ".join(error.message for error in errors)
    assert (errors[0].line or 1) == line


def test_all_slips_are_said_at_once(tmp_path: Path) -> None:
    """Two slips are two errors."""
    with pytest.raises(ConfigErrors) as caught:
        scenario_of(tmp_path, QUEUE.replace("count: 4", "cout: 4").replace("per_hour: 100", "per_hours: 100"))
    assert len(caught.value.errors) == 2


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A scenario that cannot be read is an error of the admin's, not a crash."""
    with pytest.raises(ConfigErrors, match="cannot be read"):
        read_scenario(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (['{"at": 1, "effort": 2, "colour": "red"}'], 1, "colour"),
        (['{"at": 1, "effort": 2}', '{"at": "soon", "effort": 2}'], 2, "at"),
        (['{"at": 1}'], 1, "effort"),
        (["{"], 1, ""),
        ([], None, "no contacts"),
    ],
)
def test_a_slip_in_a_trace_is_an_error_with_its_line(
    tmp_path: Path, lines: list[str], line: int | None, says: str
) -> None:
    """A trace is read as strictly as the scenario."""
    (tmp_path / "contacts.jsonl").write_text("".join(f"{one}\n" for one in lines))
    text = QUEUE[: QUEUE.index("arrivals:")].replace("minutes: 600\n", "") + "trace: contacts.jsonl\n"
    with pytest.raises(ConfigErrors) as caught:
        scenario_of(tmp_path, text)
    assert caught.value.errors[0].file == "contacts.jsonl"
    assert caught.value.errors[0].line == line
    assert says in caught.value.errors[0].message


def test_a_trace_is_replayed_as_recorded(tmp_path: Path) -> None:
    """Instants, efforts, patience and customers come from the file, in order of time."""
    lines = [
        {"at": 90, "id": "x", "effort": 60, "channel": "chat", "topic": "b", "require": {"billing": 1}, "patience": 30},
        {"at": 1.5, "effort": 10, "topic": "a", "language": "en", "priority": "high", "customer": "k"},
    ]
    (tmp_path / "contacts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    text = QUEUE[: QUEUE.index("arrivals:")].replace("minutes: 600\n", "") + "trace: contacts.jsonl\n"
    scenario = scenario_of(tmp_path, text)
    assert list(contacts(scenario, 1)) == [
        (MONDAY + 1_500, 0, 10_000, None, "k"),
        (MONDAY + 90_000, 1, 60_000, 30_000, ""),
    ]
    assert [stream.priority for stream in scenario.streams] == ["high", "normal"]


def test_a_workspace_folder_brings_agents_and_rules(tmp_path: Path) -> None:
    """The example workspace can be simulated; what it says already may not be said again."""
    text = f"""
minutes: 300
start: "09:00"
workspace: {SCENARIOS.parents[1] / "config"}
arrivals:
  - {{topic: %s, channel: chat, language: en, per_hour: 6, effort: 5m}}
"""
    with pytest.raises(ConfigErrors, match="unknown topic `none`"):
        scenario_of(tmp_path, text % "none")
    known = _topics()
    scenario = scenario_of(tmp_path, text % known[0])
    assert {plan.id for plan in scenario.plans} == set(scenario.workspace.agents)
    with pytest.raises(ConfigErrors, match="stands in the workspace already"):
        scenario_of(tmp_path, text % known[0] + "reserve: auto\n")


def _topics() -> list[str]:
    return list(load(SCENARIOS.parents[1] / "config", {}).config.topics)


@pytest.mark.parametrize("path", sorted(SCENARIOS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_right(path: Path) -> None:
    """Each of them is read without error, and contacts come."""
    scenario = read_scenario(path)
    assert sum(1 for _ in contacts(scenario, 1)) > 100
    assert scenario.end - scenario.begin == round((scenario.config.minutes or 0) * MINUTE)
