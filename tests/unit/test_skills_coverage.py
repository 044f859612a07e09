"""Holes in the skill matrix are found, and a matrix without holes is left in peace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skills.compile import compile_workspace
from skills.coverage import check, summary
from skills.findings import Finding
from skills.model import WorkspaceConfig
from skills.workspace import load

NOW = 1_795_000_000_000
EXAMPLE = Path(__file__).parents[2] / "config"
TWO: dict[str, Any] = {
    "ana": {"skills": {"refunds": "3", "lang:en": "5", "lang:es": "5"}, "capacity": {"email": "5"}},
    "ben": {"skills": {"refunds": "2", "lang:en": "5", "lang:es": "1"}, "capacity": {"email": "5"}},
}
SOUND: dict[str, Any] = {
    "workspace": "w",
    "languages": ["en", "es"],
    "agents": TWO,
    "topics": {"refund": {}},
    "rules": [{"when": {"topic": "refund"}, "require": {"refunds": "2"}}],
}


def findings(**changes: Any) -> list[Finding]:
    """What is found in the sound workspace with some keys changed."""
    config = WorkspaceConfig.model_validate(SOUND | changes)
    return check(config, compile_workspace(config, NOW, 30))


def with_ana(**changes: Any) -> dict[str, Any]:
    """The two agents, Ana changed."""
    return TWO | {"ana": TWO["ana"] | changes}


def test_sound_workspace_has_no_findings() -> None:
    """Nothing is said of a matrix that covers everything twice."""
    assert findings() == []


def test_example_has_no_holes() -> None:
    """The example workspace is covered at all hours, by Dan alone at some."""
    loaded = load(EXAMPLE, {})
    assert check(loaded.config, compile_workspace(loaded.config, NOW), loaded.marks) == []


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (
            {
                "agents": with_ana(skills={"refunds": "3", "vip": "1", "lang:en": "5", "lang:es": "5"}),
                "rules": [*SOUND["rules"], {"when": {}, "prefer": {"vip": "1"}}],
            },
            "skill_of_one",
            "`ana` alone",
        ),
        ({"rules": [*SOUND["rules"], {"when": {}, "prefer": {"vip": "1"}}]}, "skill_of_nobody", "`vip`"),
        ({"languages": ["en", "es", "pt"]}, "language_of_nobody", "speaks `pt`"),
        ({"languages": ["en"]}, "language_not_listed", "`lang:es`"),
        (
            {
                "rules": [{"when": {"topic": "refund"}, "require": {"refunds": "3"}}],
                "agents": with_ana(skills={"refunds": "3", "lang:en": "5"}),
                "topics": {"refund": {}, "other": {}},
            },
            "topic_without_language",
            "nobody who can take `refund` speaks `es`",
        ),
        (
            {"agents": with_ana(skills={"refnds": "3", "lang:en": "5", "lang:es": "5"})},
            "skill_not_asked",
            "no rule asks for `refnds` of `ana`; did you mean `refunds`?",
        ),
        ({"teams": {"night": {}}}, "team_without_members", "`night`"),
        (
            {"agents": with_ana(capacity={"email": "0"})},
            "agent_never_chosen",
            "`ana` can never be chosen: has no cap",
        ),
        ({"agents": with_ana(capacity={"email": "5", "units": "0"})}, "agent_never_chosen", "has no capacity"),
        (
            {"agents": with_ana(skills={"lang:en": "5", "lang:es": "5"})},
            "agent_never_chosen",
            "no topic and no rule",
        ),
        ({"agents": with_ana(skills={"refunds": "3", "lang:fr": "5"})}, "agent_never_chosen", "speaks no language"),
        (
            {"agents": with_ana(calendar="never"), "calendars": {"never": {"hours": {}}}},
            "agent_never_chosen",
            "no hours",
        ),
    ],
)
def test_hole_is_found(changes: dict[str, Any], code: str, said: str) -> None:
    """Each sort of hole is told with its code and in words that name it."""
    assert any(finding.code == code and said in finding.message for finding in findings(**changes))


def hours(**calendar: Any) -> dict[str, Any]:
    """Both agents work by one calendar."""
    agents = {name: agent | {"calendar": "office"} for name, agent in TWO.items()}
    return {"agents": agents, "calendars": {"office": calendar}}


def test_hours_without_anybody_are_told_together() -> None:
    """Gaps of an ordinary week are told in the workspace's zone, once for all topics that share them."""
    changes = hours(timezone="Europe/Madrid", hours={"mon-sat": "00:00-24:00", "sun": ["00:00-09:00", "10:00-24:00"]})
    (finding,) = findings(timezone="Europe/Madrid", topics={"refund": {}, "other": {}}, **changes)
    assert finding.code == "topic_uncovered_hours"
    assert finding.message == "nobody able is on shift for `refund`, `other`: sun 09:00 to sun 10:00 (Europe/Madrid)"


def test_hours_are_promised_only_within_the_calendar_of_the_promise() -> None:
    """A topic whose times count in office hours needs nobody at night."""
    office = hours(hours={"mon-fri": "09:00-17:00"})
    rule = {
        "when": {"topic": "refund"},
        "require": {"refunds": "2"},
        "sla": {"first_response": "2h", "calendar": "office"},
    }
    assert [finding.code for finding in findings(**office)] == ["topic_uncovered_hours"]
    assert findings(rules=[rule], **office) == []


def test_uncovered_topic_is_not_told_again() -> None:
    """A topic that may have nobody is no hole."""
    assert findings(uncovered=["refund"], **hours(hours={"mon": "09:00-17:00"})) == []


def test_two_shifts_cover_each_other() -> None:
    """Agents in two zones together leave no gap."""
    shifts = {
        "day": {"timezone": "UTC", "hours": {"daily": "06:00-18:00"}},
        "night": {"timezone": "Asia/Kathmandu", "hours": {"daily": "23:45-11:45"}},
    }
    agents = {"ana": TWO["ana"] | {"calendar": "day"}, "ben": TWO["ben"] | {"calendar": "night"}}
    assert findings(agents=agents, calendars=shifts) == []


def test_summary_counts_holders_and_hours() -> None:
    """The figures for `usherd check` name who can take each topic, and when nobody can."""
    config = WorkspaceConfig.model_validate(SOUND | hours(hours={"mon-fri": "00:00-24:00"}))
    found = summary(config, compile_workspace(config, NOW, 30))
    assert found["skills"] == {"lang:en": 2, "lang:es": 2, "refunds": 2}
    assert found["topics"]["refund"] == {
        "requirement": {"refunds": 2},
        "team": None,
        "able": ["ana", "ben"],
        "uncovered_hours": 48.0,
        "gaps": ["sat 00:00 to mon 00:00"],
    }
    assert found["never_chosen"] == []


def test_finding_names_file_and_line() -> None:
    """With the marks of a loaded workspace a finding says where to look."""
    loaded = load(EXAMPLE, {})
    config = loaded.config.model_copy(update={"languages": ("en", "es", "pt", "fr")})
    (finding,) = check(config, compile_workspace(config, NOW, 30), loaded.marks)
    assert finding.as_dict()["file"] == "workspace.yaml"
    assert finding.line == 12


def test_a_rule_waits_for_no_mood_that_cannot_be_told() -> None:
    """Without keywords and with a few examples only, a rule for a mood is warned of; either mends that."""
    rules = [*SOUND["rules"], {"when": {"mood": "angry"}, "priority": "high"}]
    (found,) = findings(rules=rules, moods={"angry": {"examples": ["how dare you"]}})
    assert found.code == "mood_without_examples"
    assert "20 examples" in found.message
    assert "raised" not in found.message
    assert findings(rules=rules, moods={"angry": {"keywords": ["outrageous"]}}) == []
    assert findings(rules=rules, moods={"angry": {"examples": [f"how dare you {n}" for n in range(20)]}}) == []
    (urgent,) = findings(rules=[*SOUND["rules"], {"when": {"mood": "urgent"}, "priority": "high"}])
    assert "agents have raised" in urgent.message
