"""What one workspace changes against another, in JSON and in words, and what nobody could take any more."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from router.app.change_words import dead_end, sentence, span
from router.app.compare import DeadEnd, changes, dead_ends
from router.core.state import Contact, State
from router.core.transitions import ContactState
from router.core.values import Requirement, Workspace
from router.desk.in_force import InForce, Shape, Waiting, in_force
from skills.compile import compile_workspace
from skills.workspace import load
from tests.support.daemons import WORKSPACE

NOW = 1_790_000_000_000  # 2026-09-21
DAY = 86_400_000
CALENDARS = 'calendars: {office: {hours: {mon-fri: "09:00-17:00"}}}\n'


def compiled(folder: Path, *edits: tuple[str, str], extra: str = "", now: int = NOW) -> Workspace:
    """The small workspace of the daemon tests, edited and compiled."""
    text = WORKSPACE.format(send_port=9, capacity=5) + extra
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / "workspace.yaml").write_text(text)
    return compile_workspace(load(folder).config, now)


def told(before: Workspace, after: Workspace) -> list[str]:
    """The differences as sentences."""
    return [sentence(change) for change in changes(before, after, NOW)]


def test_the_same_workspace_changes_nothing(tmp_path: Path) -> None:
    """A workspace compiled anew, weeks later, has no difference, calendars included."""
    before = compiled(tmp_path, extra=CALENDARS)
    after = compiled(tmp_path, extra=CALENDARS, now=NOW + 20 * DAY)
    assert before != after
    assert changes(before, after, NOW + 20 * DAY) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("billing: 4", "billing: 2", "agents.ana.skills.billing", "ana's billing: 4 → 2"),
        ("billing: 4", "billing: 4, cash: 1", "agents.ana.skills.cash", "ana gets the skill cash at 1"),
        ("lang:en: 5, lang:es: 3", "lang:en: 5", "agents.ben.skills.lang:es", "ben loses the skill lang:es (was 3)"),
        ("teams: {triage: {members: [ana]}}", "teams: {triage: {members: [ben]}}", "teams.triage.members",
         "the team `triage`: members ana → ben"),
        ("sla: {first_response: 1h}", "sla: {first_response: 90m}", "rules.1",
         "rule 2 (topic bags): sla first_response 1 h → 1 h 30 min"),
        ("{topic: bags}, require", "{topic: bags, kind: email}, require", "rules.1",
         "rule 2: when topic bags, require baggage 2, sla first_response 1 h → when topic bags, kind email, require"),
        ("require: {baggage: 2}, sla", "require: {baggage: 2, lang:en: 3}, sla", "rules.1",
         "rule 2 (topic bags): require lang:en 3, new"),
        ("{email: 10m}", "{email: 5m}", "offers.accept_within.email", "offers.accept_within.email: 10 min → 5 min"),
        ("languages: [en, es]", "languages: [en, es, pt]", "languages", "languages: en, es → en, es, pt"),
        ("rules:\n", "stickiness: {wait_at_most: 0s}\nrules:\n", "stickiness.wait_at_most", "1 min → 0 s"),
        ("rules:\n", "priorities: {urgent: 20m}\nrules:\n", "priorities.urgent", "10 min → 20 min"),
        ("skills: {billing", "share: 0.5, skills: {billing", "agents.ana.share", "ana's share 100 % → 50 %"),
    ],
)  # fmt: skip
def test_one_edit_is_one_change(tmp_path: Path, old: str, new: str, path: str, says: str) -> None:
    """Each edit of one key is one difference, under the key an admin knows, in words that say both values."""
    before, after = compiled(tmp_path / "a"), compiled(tmp_path / "b", (old, new))
    [change] = changes(before, after, NOW)
    assert change.path == path
    assert says in sentence(change)
    [back] = changes(after, before, NOW)
    assert (back.before, back.after) == (change.after, change.before)


def test_agents_come_and_go(tmp_path: Path) -> None:
    """A new agent is told with skills and capacity; one that goes with what becomes of their contacts."""
    before = compiled(tmp_path / "a")
    line = "  cleo: {skills: {billing: 3, lang:en: 4}, capacity: {email: 2}}\n"
    after = compiled(tmp_path / "b", ("teams: {triage", line + "teams: {triage"))
    found = told(before, after)
    assert found[0] == "cleo is new: billing 3, lang:en 4; capacity email 2"
    assert "cleo goes: what cleo holds returns to the queue" in told(after, before)


def test_a_rule_put_first_is_one_change(tmp_path: Path) -> None:
    """The rules below a new one have moved down, which is no change."""
    before = compiled(tmp_path / "a")
    after = compiled(tmp_path / "b", ("rules:\n", "rules:\n  - {when: {kind: email}, priority: high}\n"))
    assert told(before, after) == ["rule 1 is new: when kind email, priority high"]
    assert told(after, before) == ["rule 1 goes: when kind email, priority high"]


def test_other_hours_are_told_with_their_first_day(tmp_path: Path) -> None:
    """A day more that is closed is one difference, with that day; a calendar that is new is told as such."""
    before = compiled(tmp_path / "a", extra=CALENDARS)
    after = compiled(tmp_path / "b", ('"09:00-17:00"}', '"09:00-17:00"}, closed: [2026-12-24]'), extra=CALENDARS)
    [change] = changes(before, after, NOW)
    assert change.path == "calendars.office"
    assert (len(change.before), change.after) == (1, [])
    assert "first on 2026-12-24: no longer Thu 09:00 to 17:00" in sentence(change)
    assert told(compiled(tmp_path / "c"), before) == ["the calendar `office` is new"]


def test_spans_are_spelled() -> None:
    """Durations read as days, hours, minutes and seconds."""
    assert [span(ms) for ms in (0, 90_000, -120_000, 93_784_005)] == [
        "0 s", "1 min 30 s", "-2 min", "1 d 2 h 3 min 4 s 5 ms",
    ]  # fmt: skip


# -- dead ends -----------------------------------------------------------------------------------------------------

BAGS = Shape(channel="email", kind="email", language="en", topics=(("bags", 9_000),))


def ends(before: Workspace, after: Workspace, *waiting: Waiting) -> list[DeadEnd]:
    """Dead ends under the new workspace."""
    return dead_ends(InForce(version="", workspace=before, waiting=waiting), after, NOW)


def test_nothing_is_a_dead_end_where_somebody_is_able(tmp_path: Path) -> None:
    """A level lowered within what the rules require leaves no dead end."""
    before, after = compiled(tmp_path / "a"), compiled(tmp_path / "b", ("baggage: 4", "baggage: 2"))
    assert ends(before, after, Waiting(shape=BAGS, waiting=3)) == []


def test_a_topic_that_loses_its_language_is_a_dead_end(tmp_path: Path) -> None:
    """Where the only one with a skill stops speaking a language, the topic in that language is named, and no more."""
    before = compiled(tmp_path / "a")
    after = compiled(tmp_path / "b", ("lang:en: 5, lang:es: 3", "lang:en: 5"))
    spanish = Waiting(shape=msgspec.structs.replace(BAGS, language="es"), waiting=2)
    found = ends(before, after, Waiting(shape=BAGS, waiting=3), spanish)
    assert [(one.what, one.topic, one.language, one.waiting) for one in found] == [
        ("topic", "bags", "es", 0), ("waiting", "bags", "es", 2),
    ]  # fmt: skip
    assert [dead_end(one) for one in found] == [
        "nobody could take `bags` in es: it requires baggage≥2 lang:es≥1",
        "nobody could take 2 contacts that wait about `bags` in es: email, baggage≥2 lang:es≥1",
    ]


def test_an_uncovered_topic_is_a_dead_end_once(tmp_path: Path) -> None:
    """A topic that nobody can take in any language is named once, and what waits for it counted."""
    before = compiled(tmp_path / "a")
    after = compiled(
        tmp_path / "b", ("require: {baggage: 2}", "require: {baggage: 5}"), ("rules:\n", "uncovered: [bags]\nrules:\n")
    )
    found = ends(before, after, Waiting(shape=BAGS, waiting=3))
    assert [(one.what, one.language, one.waiting) for one in found] == [("topic", None, 0), ("waiting", "en", 3)]
    assert found[0].requirement == Requirement(must=(("baggage", 5),))


def test_what_nobody_could_take_before_is_no_news(tmp_path: Path) -> None:
    """A dead end that is one already is not told again, and a skill renamed everywhere is none."""
    renamed = (("baggage: 4", "bags: 4"), ("require: {baggage: 2}", "require: {bags: 2}"))
    before, after = compiled(tmp_path / "a"), compiled(tmp_path / "b", *renamed)
    french = Waiting(shape=msgspec.structs.replace(BAGS, language="fr"), waiting=1)
    assert ends(before, after, french, Waiting(shape=BAGS, waiting=1)) == []


def test_a_kind_that_nobody_holds_is_a_dead_end(tmp_path: Path) -> None:
    """Contacts of a kind that no agent has capacity for any more are counted."""
    chats = ("capacity: {email: 5}", "capacity: {email: 5, chat: 1}")
    before, after = compiled(tmp_path / "a", chats), compiled(tmp_path / "b")
    chat = msgspec.structs.replace(BAGS, channel="webchat", kind="chat")
    assert [one.waiting for one in ends(before, after, Waiting(shape=chat, waiting=4))] == [4]


def test_what_waits_is_counted_by_what_rules_look_at(tmp_path: Path) -> None:
    """Contacts alike are one line; what nobody could read is for triage whatever the rules say."""
    contacts = [
        Contact(
            id=f"c{number}", customer="k", participants=[], channel="email", kind="email", account="help@acme.example",
            state=ContactState.WAITING, opened_at=0, waiting_since=0, requirement=Requirement(), language=language,
            topics=(("bags", 9_000),), flag=flag,
        )
        for number, (language, flag) in enumerate([("en", ""), ("en", ""), ("es", ""), ("en", "quarantined")])
    ]  # fmt: skip
    state = State(workspace=compiled(tmp_path), version="v")
    found = in_force(state, contacts)
    assert [(one.shape.language, one.waiting) for one in found.waiting] == [("en", 2), ("es", 1)]
    assert msgspec.json.decode(msgspec.json.encode(found), type=InForce) == found
