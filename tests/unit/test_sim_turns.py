"""Conversations of several turns in the simulated world: who has them, what they take of an agent's room meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.sim.auditor import Auditor
from router.sim.baseline_rules import ENGINE
from router.sim.figures import figures
from router.sim.measuring import Measured
from router.sim.running import run
from router.sim.work import Job, Person
from tests.support.simulations import figures_of, scenario_of

BOTH = pytest.mark.parametrize("policy", [ENGINE, "longest_idle"])
TALK = "turns: {share: 0.8, after: 30s, effort: 60s}"
TWO = f"""minutes: 60
service_target: 30s
agents:
  - {{id: a, capacity: {{chat: 1}}}}
arrivals:
  - {{topic: talk, effort: 60s, bursts: [{{at: 0s, count: 1}}], {TALK}}}
  - {{topic: word, effort: 60s, bursts: [{{at: 70s, count: 1}}]}}
"""  # the first is answered at 60 s, and its customer writes again at 90 s


def two(folder: Path, policy: str, more: str = "") -> tuple[Measured, float]:
    """What came of a conversation and a contact that comes while its customer is silent; how long that one waited."""
    measured, _ = run(scenario_of(folder, TWO + more), policy, 1)
    assert measured.turns >= 1
    waited = dict(zip(measured.stream, measured.wait, strict=True))
    return measured, waited[1] / 1_000


@BOTH
def test_who_waits_on_a_customer_has_room_for_another(tmp_path: Path, policy: str) -> None:
    """The agent takes the next contact while a customer is silent, and has two in hand when that one answers."""
    measured, waited = two(tmp_path, policy)
    assert waited == 0
    assert measured.capacity_violations == 0
    # the second is worked on from 70 to 130 s, and every answer that comes takes another minute
    busy = 60_000 + 60_000 + 60_000 * measured.turns - 40_000
    assert measured.people[0].done == busy


@BOTH
@pytest.mark.parametrize("rule", ["{cost: 100%}", "{margin: 0}"])
def test_a_place_may_be_kept_for_the_answer(tmp_path: Path, policy: str, rule: str) -> None:
    """Where a silent customer costs the whole place, or nothing may go over the limit, the next contact waits."""
    measured, waited = two(tmp_path, policy, f"wake_ups: {rule}")
    assert waited == 60 + 90 * measured.turns - 70


@BOTH
def test_turns_are_as_many_as_the_share_says(tmp_path: Path, policy: str) -> None:
    """Half of the answers are answered: a customer writes once more on average, twice the time in all."""
    text = """minutes: 600
agents: [{id: a, count: 40, capacity: {chat: 1}}]
arrivals:
  - {topic: talk, per_hour: 200, effort: 30s, turns: {share: 0.5, after: 10s}}
"""
    found = figures_of(scenario_of(tmp_path, text), policy)
    contacts = found["contacts"]
    assert abs(found["turns"] - contacts) < 3 * (2 * contacts) ** 0.5


@BOTH
def test_nobody_who_answers_is_the_same_as_no_turns(tmp_path: Path, policy: str) -> None:
    """A share of none changes no figure."""
    text = """minutes: 240
agents: [{id: a, count: 3, capacity: {chat: 2}, slowdown: {chat: [1, 1.5]}}]
arrivals:
  - {topic: talk, per_hour: 40, effort: {exponential: {mean: 4m}}TURNS}
"""
    plain, none = (
        figures_of(scenario_of(tmp_path, text.replace("TURNS", turns)), policy)
        for turns in ("", ", turns: {share: 0, after: 10s}")
    )
    assert none.pop("turns") == 0
    assert none == plain


def test_who_is_gone_hands_the_answer_on(tmp_path: Path) -> None:
    """The customer answers an agent who left: after the hand-back time somebody else has the conversation."""
    scenario = scenario_of(
        tmp_path,
        f"""minutes: 60
presence: {{grace: 10s, hand_back: {{chat: 60s}}}}
agents:
  - {{id: a, capacity: {{chat: 1}}, away: {{since: 65s, until: 50m}}}}
  - {{id: b, capacity: {{chat: 1}}}}
arrivals:
  - {{topic: talk, effort: 60s, bursts: [{{at: 0s, count: 1}}], {TALK}}}
""",
    )
    measured, _ = run(scenario, ENGINE, 1)
    found = figures(measured, 1.0)
    first, second = measured.people
    assert found["turns"] >= 1
    assert first.done == 60_000
    assert second.done == 60_000 * found["turns"]


def test_the_auditor_counts_what_may_come_back(tmp_path: Path) -> None:
    """It sees a place given away that a silent customer's contact still takes, and an answer to somebody else."""
    scenario = scenario_of(tmp_path, TWO + "wake_ups: {cost: 100%}")
    person, other = Person(scenario.plans[0]), Person(scenario.plans[0])
    auditor = Auditor(scenario)
    jobs = [Job(number, 0, scenario.streams[0], 60_000, None, "") for number in range(2)]
    auditor.given(jobs[0], person, 0)
    auditor.dropped(jobs[0])
    auditor.parked(jobs[0], person)
    assert auditor.capacity == 0
    auditor.given(jobs[1], other, 0)
    assert auditor.capacity == 1
    auditor.woken(jobs[0], person)
    assert auditor.capacity == 1
    auditor.woken(jobs[1], person)
    assert auditor.capacity == 2
