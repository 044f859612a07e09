"""What agents and customers do in the simulated world, in cases small enough to follow by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from router.core.errors import ConfigError
from router.sim.baseline_rules import ENGINE, RULES
from router.sim.figures import figures
from router.sim.reading import MONDAY, Scenario
from router.sim.running import policies, run
from router.sim.scenario import MINUTE
from router.sim.work import Person
from tests.support.simulations import figures_of, scenario_of, world_of

BOTH = pytest.mark.parametrize("policy", [ENGINE, "longest_idle"])


def traced(folder: Path, agents: str, contacts: Sequence[Mapping[str, object]], more: str = "") -> Scenario:
    """A scenario of a handful of contacts."""
    (folder / "contacts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in contacts))
    return scenario_of(folder, f"minutes: 60\nservice_target: 30s\n{more}\nagents:\n{agents}\ntrace: contacts.jsonl\n")


def waits(scenario: Scenario, policy: str) -> list[float]:
    """Seconds in queue, in the order in which contacts were closed."""
    return [ms / 1_000 for ms in run(scenario, policy, 1)[0].wait]


@BOTH
def test_first_come_first_served_by_one_agent(tmp_path: Path, policy: str) -> None:
    """Three contacts and one agent: each waits for those before it."""
    three = [{"at": at, "effort": 60} for at in (0, 10, 20)]
    assert waits(traced(tmp_path, "  - {id: a, capacity: {chat: 1}}", three), policy) == [0, 50, 100]


@BOTH
def test_a_fast_agent_needs_less_time(tmp_path: Path, policy: str) -> None:
    """Speed divides effort."""
    two = [{"at": 0, "effort": 60}, {"at": 1, "effort": 60}]
    assert waits(traced(tmp_path, "  - {id: a, capacity: {chat: 1}, speed: 2.0}", two), policy) == [0, 29]


@BOTH
def test_several_at_once_take_longer(tmp_path: Path, policy: str) -> None:
    """Two chats at once at 1.5 times the effort: half of the second minute's work is done when the first ends."""
    agents = "  - {id: a, capacity: {chat: 2}, slowdown: {chat: [1, 1.5]}}"
    three = [{"at": 0, "effort": 60}, {"at": 0, "effort": 120}, {"at": 1, "effort": 1}]
    # both until 90 s, when the first is done; the second has 60 s left, and the third takes its place at once
    assert sorted(waits(traced(tmp_path, agents, three), policy)) == [0, 0, 89]


@BOTH
def test_customers_give_up(tmp_path: Path, policy: str) -> None:
    """Whoever has no more patience leaves, is counted with the time waited, and takes nobody's time."""
    three = [{"at": 0, "effort": 60}, {"at": 1, "effort": 60, "patience": 20}, {"at": 2, "effort": 60}]
    found = figures_of(traced(tmp_path, "  - {id: a, capacity: {chat: 1}}", three), policy)
    assert (found["contacts"], found["served"], found["abandoned"]) == (3, 2, 1)
    assert found["wait_mean"] == pytest.approx((0 + 20 + 58) / 3)
    assert found["service_level"] == pytest.approx(1 / 3)


@BOTH
def test_an_offer_is_accepted_after_a_while(tmp_path: Path, policy: str) -> None:
    """The wait of a contact lasts until somebody accepts."""
    agents = "  - {id: a, capacity: {chat: 1}, accept: 7s}"
    assert waits(traced(tmp_path, agents, [{"at": 0, "effort": 60}]), policy) == [7]


@BOTH
def test_what_one_declines_another_gets(tmp_path: Path, policy: str) -> None:
    """After a decline the next one is asked; who declined is not asked again while somebody else is left."""
    agents = "  - {id: a, capacity: {chat: 1}, accept: 5s, decline: 1}\n  - {id: b, capacity: {chat: 1}, accept: 8s}"
    found = waits(traced(tmp_path, agents, [{"at": 0, "effort": 60}]), policy)
    assert found in ([13], [8])


@BOTH
def test_an_offer_that_nobody_answers_lapses(tmp_path: Path, policy: str) -> None:
    """After the time to accept, here 45 s for chats, the contact goes to somebody else."""
    agents = "  - {id: a, capacity: {chat: 1}, accept: 5s, lapse: 1}\n  - {id: b, capacity: {chat: 1}, accept: 8s}"
    two = [{"at": 0, "effort": 600}, {"at": 1, "effort": 600}]
    found = run(traced(tmp_path, agents, two), policy, 1)[0]
    assert sum(found.served) >= 1
    assert max(found.wait) >= 45_000


@BOTH
def test_work_rests_while_its_agent_is_gone(tmp_path: Path, policy: str) -> None:
    """An absence in the middle of a contact makes it last longer, and the next one wait longer."""
    agents = "  - {id: a, capacity: {chat: 1}, away: {since: 30, until: 90}}"
    two = [{"at": 0, "effort": 60}, {"at": 10, "effort": 5}]
    assert waits(traced(tmp_path, agents, two), policy) == [0, 110]


@BOTH
def test_nobody_is_given_work_outside_their_hours(tmp_path: Path, policy: str) -> None:
    """A contact that comes before the shift waits for it, and one in a break for the end of the break."""
    agents = '  - {id: a, capacity: {chat: 1}, available: [["00:05", "00:50"]], breaks: ["00:10-00:20"]}'
    two = [{"at": 0, "effort": 60}, {"at": 660, "effort": 60}]
    scenario = traced(tmp_path, agents, two)
    measured = run(scenario, policy, 1)[0]
    assert [ms / 1_000 for ms in measured.wait] == [300, 540]
    assert measured.available == [35 * MINUTE]


@BOTH
def test_who_gave_up_may_write_again(tmp_path: Path, policy: str) -> None:
    """Retrials are contacts of their own."""
    text = """
minutes: 120
agents: [{id: a, capacity: {chat: 1}}]
arrivals:
  - {topic: x, bursts: [{at: 1m, count: 10}], effort: 60m, patience: 1m, retry: {share: 1, after: 30m}}
"""
    found = figures_of(scenario_of(tmp_path, text), policy)
    # one is served from minute 1 to 61; nine leave after a minute and come at 32, 63 and, one fewer, at 94
    assert (found["contacts"], found["served"], found["abandoned"]) == (10 + 9 + 9 + 8, 2, 34)


def test_the_auditor_sees_what_a_router_does_wrong(tmp_path: Path) -> None:
    """Work for somebody who lacks the skill, and one contact too many, are counted."""
    text = """
minutes: 60
agents:
  - {id: a, skills: {x: 2}, capacity: {chat: 1}}
  - {id: b, skills: {x: 3}, capacity: {chat: 1}}
arrivals: [{topic: t, require: {x: 3}, bursts: [{at: 0, count: 2}], effort: 60m}]
"""
    scenario = scenario_of(tmp_path, text)
    world = world_of(scenario, "listed")
    world.router.book.line_of[0].able[:] = world.router.book.seats[:1]  # type: ignore[attr-defined]
    world.router.book.seats[0].capacity = {"chat": 2}  # type: ignore[attr-defined]
    measured = world.run()
    assert (measured.skill_violations, measured.capacity_violations) == (2, 1)
    assert "a lacks x 3" in measured.first_violation
    found = figures(measured, 1.0)
    assert (found["skill_violations"], found["capacity_violations"]) == (2, 1)


@pytest.mark.parametrize("policy", [ENGINE, *RULES, *(f"{name}@native" for name in RULES)])
def test_every_policy_keeps_to_skills_and_capacity(tmp_path: Path, policy: str) -> None:
    """On a scenario with skills, kinds, units, shifts, declines and lapses nobody breaks a rule."""
    text = """
minutes: 240
reserve: auto
unit_costs: {email: 2}
agents:
  - {id: a, count: 3, skills: {x: 3, y: 1}, capacity: {chat: 2, email: 1, units: 3}, accept: 5s, decline: 0.1,
     lapse: 0.1}
  - {id: b, count: 3, skills: {y: 4}, capacity: {chat: 1, email: 2}, available: [["01:00", "03:00"]], accept: 3s}
arrivals:
  - {topic: x, channel: chat, require: {x: 2}, per_hour: 40, effort: {exponential: {mean: 4m}}, patience: 5m}
  - {topic: y, channel: email, require: {y: 1}, per_hour: 20, effort: {exponential: {mean: 6m}}}
  - {topic: z, channel: chat, priority: urgent, per_hour: 10, effort: {exponential: {mean: 3m}}, customers: 5}
"""
    found = figures_of(scenario_of(tmp_path, text), policy)
    assert (found["skill_violations"], found["capacity_violations"]) == (0, 0)
    assert found["contacts"] == sum(one["contacts"] for one in found["by_topic"].values()) > 200
    assert found["contacts"] == sum(one["contacts"] for one in found["by_priority"].values())
    assert found["served"] + found["abandoned"] <= found["contacts"]
    if not policy.endswith("@native"):
        assert found["served"] + found["abandoned"] == found["contacts"]


def test_the_native_form_waits_for_its_trigger(tmp_path: Path) -> None:
    """Without a retry whoever finds nobody free stays; a poller serves them only when it looks."""
    three = [{"at": at, "effort": 60} for at in (0, 10, 20)]
    scenario = traced(tmp_path, "  - {id: a, capacity: {chat: 1}}", three)
    assert figures_of(scenario, "round_robin")["served"] == 3
    assert figures_of(scenario, "round_robin@native")["served"] == 1
    assert waits(scenario, "last_routed@native") == [5, 55, 105]


def test_policies_are_known_by_name() -> None:
    """A name nobody knows is an error that says what was meant; `all` is the engine and every product's rule."""
    assert policies(["all"])[0] == ENGINE
    assert set(policies(["all"])) == {ENGINE, *RULES} - {"listed"}
    assert len(policies(["all"])) == 12
    with pytest.raises(ConfigError, match="did you mean `longest_idle`"):
        policies(["longest_idl"])
    with pytest.raises(ConfigError):
        policies(["usherd@native"])


def test_simulated_time_begins_on_a_monday(tmp_path: Path) -> None:
    """Instants are those of a Monday, so that weekly calendars mean something."""
    scenario = scenario_of(tmp_path)
    assert scenario.begin == MONDAY
    assert (MONDAY // 86_400_000 + 3) % 7 == 0  # 1970-01-01 was a Thursday
    assert all(isinstance(person, Person) for person in world_of(scenario).people)
