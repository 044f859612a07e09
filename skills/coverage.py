"""Looks for holes in the skill matrix: what is right as a workspace, and yet leaves somebody waiting.

Skills held by nobody or by one, topics nobody can take (in some language, or at some hour of an ordinary week),
agents who can never be chosen, teams without members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from router.core.values import Interval, Workspace
from skills.calendar import DAY_MS, expand, union
from skills.findings import Finding, Marks, finding_at, nearest
from skills.model import LANGUAGE_PREFIX, TRIAGE, WorkspaceConfig
from skills.requirements import Case, able, demand, speaks
from skills.scalars import DAYS
from skills.topic_model_config import MOOD_MIN, MoodConfig

_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)  # of an ordinary week: no clock changes in it anywhere
_WEEK_MS = 7 * DAY_MS
_GAPS_SHOWN = 4


class Coverage:
    """One look at a workspace. `findings`: in the order of the matrix; `summary`: figures for `usherd check`."""

    def __init__(self, config: WorkspaceConfig, workspace: Workspace, marks: Marks | None = None) -> None:
        self.findings: list[Finding] = []
        self._config = config
        self._workspace = workspace
        self._marks: Marks = {} if marks is None else marks
        self._week = ordinary_week(config)
        self._held = config.held_skills
        self._speaks = speaks(config)
        self._skills()
        self._languages()
        open_ = self._topics()
        idle = self._agents()
        self._teams()
        self._moods()
        self.summary: dict[str, Any] = {
            "skills": dict(sorted(config.held_skills.items())),
            "topics": {topic: self._topic_summary(topic, open_.get(topic, ())) for topic in sorted(config.topics)},
            "never_chosen": idle,
        }

    def _find(self, path: Sequence[str | int], code: str, message: str, hint: str | None = None) -> None:
        self.findings.append(finding_at(self._marks, path, code, message, hint))

    def _topic_summary(self, topic: str, open_: tuple[Interval, ...]) -> dict[str, Any]:
        wanted = demand(self._config, Case(topic=topic))
        return {
            "requirement": dict(sorted(wanted.must.items())),
            "team": wanted.team,
            "able": sorted(able(self._config, wanted.must, wanted.team)),
            "uncovered_hours": round(sum(end - begin for begin, end in open_) / 3_600_000, 2),
            "gaps": [self._in_words(gap) for gap in open_],
        }

    def _skills(self) -> None:
        asked: dict[str, tuple[str | int, ...]] = {}
        for index, rule in enumerate(self._config.rules):
            for key, skills in (("require", rule.require), ("prefer", rule.prefer)):
                for skill in skills:
                    asked.setdefault(skill, ("rules", index, key, skill))
        held = self._held
        for skill, path in asked.items():
            if held.get(skill, 0) == 0:
                self._find(path, "skill_of_nobody", f"no agent has the skill `{skill}`", "give it to an agent")
            elif held[skill] == 1:
                owner = next(name for name, agent in self._config.agents.items() if skill in agent.skills)
                message = f"`{owner}` alone has the skill `{skill}`: contacts wait whenever they are away"
                self._find(path, "skill_of_one", message, "give it to a second agent")

        self._slips(asked)

    def _slips(self, asked: Iterable[str]) -> None:
        """Skills that agents have and no rule asks for, if a rule asks for one that is written almost so."""
        for name, agent in self._config.agents.items():
            for skill in agent.skills:
                if skill in asked or skill.startswith(LANGUAGE_PREFIX):
                    continue
                if (meant := nearest(skill, asked)) and meant not in agent.skills:
                    message = f"no rule asks for `{skill}` of `{name}`; did you mean `{meant}`?"
                    self._find(("agents", name, "skills", skill), "skill_not_asked", message, f"write `{meant}`")

    def _languages(self) -> None:
        config, held = self._config, self._held
        if not self._speaks:
            return
        for index, language in enumerate(config.languages):
            if f"{LANGUAGE_PREFIX}{language}" not in held:
                message = f"no agent speaks `{language}`: what is written in it cannot be given to anybody"
                hint = f"give an agent `lang:{language}`, or remove `{language}` from `languages`"
                self._find(("languages", index), "language_of_nobody", message, hint)
        for skill in held:
            language = skill.removeprefix(LANGUAGE_PREFIX)
            if skill.startswith(LANGUAGE_PREFIX) and language not in config.languages:
                message = f"agents have `{skill}`, but `{language}` is not among `languages`: it is never recognised"
                self._find(("languages",), "language_not_listed", message, f"add `{language}` to `languages`")

    def _topics(self) -> dict[str, tuple[Interval, ...]]:
        """Gaps of each topic in an ordinary week; topics that have the same ones are told of together."""
        config = self._config
        for topic in config.topics:
            if topic not in config.uncovered:
                wanted = demand(config, Case(topic=topic))
                self._topic_languages(topic, able(config, wanted.must, wanted.team))
        open_ = gaps(config, self._week)
        together: dict[tuple[Interval, ...], list[str]] = {}
        for topic, found in open_.items():
            together.setdefault(found, []).append(topic)
        for found, topics in together.items():
            names = ", ".join(f"`{topic}`" for topic in topics)
            when = ", ".join(map(self._in_words, found[:_GAPS_SHOWN])) + (", …" if len(found) > _GAPS_SHOWN else "")
            message = f"nobody able is on shift for {names}: {when} ({self._config.timezone})"
            hint = "give the topic's `sla` a calendar, or change the hours of those who are able"
            self._find(("topics", topics[0]), "topic_uncovered_hours", message, hint)
        return open_

    def _topic_languages(self, topic: str, agents: Iterable[str]) -> None:
        config = self._config
        if not self._speaks:
            return
        spoken = {skill for name in agents for skill in config.agents[name].skills}
        for language in config.languages:
            skill = f"{LANGUAGE_PREFIX}{language}"
            if skill in self._held and skill not in spoken:
                message = f"nobody who can take `{topic}` speaks `{language}`"
                hint = f"give one of {', '.join(sorted(agents))} `{skill}`"
                self._find(("topics", topic), "topic_without_language", message, hint)

    def _agents(self) -> list[str]:
        """Those who can never be chosen, each with the reason."""
        idle: list[str] = []
        cases = [Case(topic=topic) for topic in self._config.topics]
        cases += [Case.of(rule.when) for rule in self._config.rules]
        demands = [demand(self._config, case) for case in cases]
        chosen = {name for wanted in demands for name in able(self._config, wanted.must, wanted.team)}
        anything = set(self._config.agents) if not self._config.topics else set(self._config.members(TRIAGE))
        for name, agent in self._config.agents.items():
            path = ("agents", name)
            why, hint = "", ""
            if not any(agent.kinds.values()) or agent.units == 0:
                why, hint = "has no capacity", "add `capacity: {email: 5, chat: 2}`"
            elif agent.calendar is not None and not self._workspace.calendars.get(agent.calendar):
                why, hint = f"works by `{agent.calendar}`, which has no hours", "give the calendar hours"
            elif self._speaks and not any(f"lang:{code}" in agent.skills for code in self._config.languages):
                why, hint = "speaks no language that customers write in", "add `lang:…` to their skills"
            elif name not in chosen and name not in anything:
                why, hint = "has the skills for no topic and no rule", "look at `require` of the rules"
            if why:
                idle.append(name)
                self._find(path, "agent_never_chosen", f"`{name}` can never be chosen: {why}", hint)
        return sorted(idle)

    def _teams(self) -> None:
        for name in self._config.teams:
            if not self._config.members(name):
                message = f"the team `{name}` has no members"
                hint = f"list `members`, or write `team: {name}` at an agent"
                self._find(("teams", name), "team_without_members", message, hint)

    def _moods(self) -> None:
        """Rules that wait for a mood of which there are too few examples to tell it."""
        for index, rule in enumerate(self._config.rules):
            mood = rule.when.mood
            known = self._config.moods.get(mood, MoodConfig()) if mood is not None else None
            if known is not None and not known.keywords and len(known.examples) < MOOD_MIN:
                more = " or until agents have raised the priority of so many" if mood == "urgent" else ""
                message = f"no contact sounds `{mood}` until there are {MOOD_MIN} examples of it{more}"
                hint = f"add `moods: {{{mood}: {{keywords: [...], examples: [...]}}}}`"
                self._find(("rules", index, "when", "mood"), "mood_without_examples", message, hint)

    def _in_words(self, gap: Interval) -> str:
        """`sat 14:00 to mon 09:00` in the workspace's zone."""
        zone = ZoneInfo(self._config.timezone)
        if gap == (0, _WEEK_MS):
            return "all week"
        ends = [(_MONDAY + timedelta(milliseconds=at)).astimezone(zone) for at in gap]
        return " to ".join(f"{DAYS[end.weekday()]} {end:%H:%M}" for end in ends)


def check(config: WorkspaceConfig, workspace: Workspace, marks: Marks | None = None) -> list[Finding]:
    """What an admin should know of the skill matrix; `marks` (of `Loaded`) give findings their file and line."""
    return Coverage(config, workspace, marks).findings


def summary(config: WorkspaceConfig, workspace: Workspace) -> dict[str, Any]:
    """`coverage` of `usherd check --json`.

    `skills`: skill → how many have it. `topics`: topic → requirement, team, able agents, hours and gaps of an ordinary
    week in which none of them works. `never_chosen`: agents' ids.
    """
    return Coverage(config, workspace).summary


def gaps(config: WorkspaceConfig, week: Mapping[str, Sequence[Interval]]) -> dict[str, tuple[Interval, ...]]:
    """When nobody able works in an ordinary week, though it is promised: for each topic that has such hours."""
    found: dict[str, tuple[Interval, ...]] = {}
    for topic in config.topics:
        if topic in config.uncovered:
            continue
        wanted = demand(config, Case(topic=topic))
        promised = week.get(wanted.sla.calendar or "", ((0, _WEEK_MS),))
        if left := _without(promised, _on_shift(config, week, able(config, wanted.must, wanted.team))):
            found[topic] = left
    return found


def _on_shift(
    config: WorkspaceConfig, week: Mapping[str, Sequence[Interval]], agents: Iterable[str]
) -> tuple[Interval, ...]:
    """When at least one of the agents works."""
    hours: list[Interval] = []
    for calendar in {config.agents[name].calendar for name in agents}:
        hours += ((0, _WEEK_MS),) if calendar is None else week[calendar]
    return union(hours)


def ordinary_week(config: WorkspaceConfig) -> dict[str, tuple[Interval, ...]]:
    """Hours of each calendar in a week without holidays, as milliseconds from its Monday, 00:00 UTC."""
    start = int(_MONDAY.timestamp() * 1000)
    return {
        name: tuple(
            (begin - start, end - start)
            for begin, end in expand(calendar, start, 7, timezone=config.timezone, with_holidays=False)
        )
        for name, calendar in config.calendars.items()
    }


def _without(whole: Iterable[Interval], taken: Sequence[Interval]) -> tuple[Interval, ...]:
    """What of `whole` lies in none of `taken`; both sorted and disjoint."""
    left: list[Interval] = []
    for begin, end in whole:
        at = begin
        for from_, until in taken:
            if until <= at or from_ >= end:
                continue
            if from_ > at:
                left.append((at, from_))
            at = max(at, until)
        if at < end:
            left.append((at, end))
    return tuple(left)
