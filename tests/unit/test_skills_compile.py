"""What the engine gets of a workspace."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from router.core.values import (
    Agent,
    AutoAnswers,
    Escalation,
    Incidents,
    Priority,
    Relax,
    Role,
    Rule,
    Sla,
    Team,
    When,
    Workspace,
)
from skills.calendar import DAY_MS
from skills.compile import Classifier, compile_workspace
from skills.model import WorkspaceConfig
from skills.workspace import load

NOW = 1_795_000_000_000
EXAMPLE = Path(__file__).parents[2] / "config"


def compiled(**written: object) -> Workspace:
    """The engine's workspace of what an admin wrote."""
    return compile_workspace(WorkspaceConfig.model_validate({"workspace": "w", **written}), NOW)


@pytest.fixture(scope="module")
def example() -> Workspace:
    """The example workspace, compiled."""
    return compile_workspace(load(EXAMPLE, {}).config, NOW)


def test_agents_are_ids_and_integers(example: Workspace) -> None:
    """An agent keeps what routing needs; `units` is no kind."""
    assert example.agents["ana"] == Agent(
        id="ana",
        team="emea",
        role=Role.SUPERVISOR,
        skills={"billing": 5, "refunds": 4, "baggage": 2, "lang:es": 5, "lang:en": 4, "lang:pt": 5},
        capacity={"chat": 3, "email": 6, "messaging": 4},
        units=8,
        share=10_000,
        calendar="madrid",
    )
    assert example.agents["chloe"].share == 5_000


def test_no_name_or_address_reaches_the_engine(example: Workspace) -> None:
    """The journal holds no personal data, so the compiled workspace has none."""
    text = msgspec.json.encode(example).decode()
    assert "Souza" not in text
    assert "@" not in text


def test_teams_hold_those_listed_and_those_who_name_them(example: Workspace) -> None:
    """Members are sorted and told once."""
    assert example.teams["triage"] == Team(id="triage", members=("ana", "dan"))
    assert example.teams["emea"].members == ("ana", "chloe")


def test_agents_without_team_are_everyone() -> None:
    """A workspace without teams has one, of all."""
    assert compiled(agents={"b": {}, "a": {}}).teams == {"everyone": Team(id="everyone", members=("a", "b"))}


def test_rules_keep_their_order(example: Workspace) -> None:
    """Rules, their promises and escalation steps are taken over one by one."""
    assert example.rules[0] == Rule(
        when=When(topic="refund"),
        require=(("refunds", 2),),
        prefer=(("billing", 4),),
        sla=Sla(first_response=7_200_000, resolution=28_800_000, calendar="madrid"),
    )
    assert example.rules[3].escalate == (
        Escalation(share=5_000, widen=True),
        Escalation(share=8_000, notify="supervisors"),
        Escalation(share=10_000, reassign="tier2", priority=Priority.URGENT),
    )


def test_the_rest_of_the_example(example: Workspace) -> None:
    """Promises, credits, offers, relaxation and the like come through in milliseconds."""
    assert example.sla == Sla(first_response=28_800_000)
    assert example.credits == {"low": -120_000, "normal": 0, "high": 120_000, "urgent": 600_000}
    assert example.accept_within == {"chat": 45_000, "messaging": 120_000, "email": 600_000}
    assert example.relax == (
        Relax(after=120_000, drop="prefer"),
        Relax(after=600_000, lower=1),
        Relax(after=1_800_000, widen="team"),
    )
    assert (example.reserve_auto, example.reserve, example.unit_costs) == (True, {}, {"chat": 2})
    assert example.topics["baggage"].effort == 600_000
    assert example.tiers == {"gold": Priority.HIGH}
    assert example.hand_back == {"chat": 120_000, "email": 14_400_000}


def test_calendars_reach_over_a_year_ahead_and_some_weeks_back(example: Workspace) -> None:
    """Intervals are sorted, disjoint, and cover clocks that run already."""
    for intervals in example.calendars.values():
        assert all(a < b < c for (a, b), (c, _) in pairwise(intervals))
        assert intervals[0][0] < NOW - 30 * DAY_MS
        assert intervals[-1][1] > NOW + 390 * DAY_MS


def test_priorities_not_named_keep_their_credit() -> None:
    """Naming one priority leaves the others as they were."""
    assert compiled(priorities={"urgent": "1h"}).credits == {
        "low": -120_000,
        "normal": 0,
        "high": 120_000,
        "urgent": 3_600_000,
    }


def test_languages_are_asked_for_only_where_agents_name_them() -> None:
    """Where nobody lists a language, anybody may be given any."""
    assert compiled(agents={"a": {"skills": {"billing": "1"}}}).language_level == 0
    assert compiled(agents={"a": {"skills": {"lang:en": "1"}}}).language_level == 1


def test_threshold_of_a_trained_model_is_taken() -> None:
    """The caller may hand in the threshold that keeps the wished precision."""
    config = WorkspaceConfig(workspace="w")
    assert compile_workspace(config, NOW, classifier=Classifier(7_200)).topic_threshold == 7_200
    assert compile_workspace(config, NOW).topic_threshold == 5_000


def test_survives_the_journal(example: Workspace) -> None:
    """The compiled workspace is the same after it was written and read."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(example), type=Workspace) == example


def test_thousand_agents_load_and_compile(tmp_path: Path) -> None:
    """A file of a thousand agents loads; the guard is ten times the target of half a second, and more."""
    agent = (
        "  a{0}: {{name: Ana {0}, email: a{0}@example.com, team: t, skills: {{billing: 5, refunds: 4, lang:en: 4}},\n"
        "       capacity: {{chat: 3, email: 6, units: 8}}, calendar: madrid, share: 0.8}}\n"
    )
    text = "workspace: w\nteams: {t: {}}\ncalendars: {madrid: {hours: {daily: '09:00-17:00'}}}\nagents:\n"
    (tmp_path / "w.yaml").write_text(text + "".join(agent.format(n) for n in range(1_000)), "utf-8")
    begin = time.perf_counter()
    workspace = compile_workspace(load(tmp_path, {}).config, NOW)
    assert time.perf_counter() - begin < 10
    assert len(workspace.agents) == 1_000


def test_auto_answers_without_a_text_are_off() -> None:
    """The engine hears which answers there are, never what they say."""
    texts = {"receipt": {"en": "Yes"}, "queue": {"en": "Wait"}, "per_hour": 7}
    config = WorkspaceConfig.model_validate({"workspace": "w", "auto_answers": texts})
    assert compile_workspace(config, 0).auto_answers == AutoAnswers(kinds=("receipt", "queue"), per_hour=7)
    assert compile_workspace(WorkspaceConfig(workspace="w"), 0).auto_answers.kinds == ()


def test_the_question_is_off_without_a_text_and_incidents_are_on() -> None:
    """Whom it is for is the engine's to know; its words stay outside."""
    plain = compile_workspace(WorkspaceConfig(workspace="w"), 0)
    assert (plain.csat, plain.incidents) == ("", Incidents(contacts=10, times=3))
    given = {"workspace": "w", "csat": {"question": {"en": "Well?"}, "ask": "if-agreed"}, "incidents": {"contacts": 0}}
    made = compile_workspace(WorkspaceConfig.model_validate(given), 0)
    assert (made.csat, made.incidents) == ("if-agreed", Incidents(contacts=0, times=3))
