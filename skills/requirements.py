"""What a contact of a given topic, language, kind, … would require under a workspace, and who could take it.

The engine decides this for itself, live; here the same rules are read ahead of time, to find what nobody can take.
"""

from __future__ import annotations

from dataclasses import dataclass

from skills.model import LANGUAGE_PREFIX, RuleConfig, SlaConfig, WhenConfig, WorkspaceConfig


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of contact; None: nothing is known of it."""

    topic: str | None = None
    channel: str | None = None
    kind: str | None = None
    account: str | None = None
    language: str | None = None
    tier: str | None = None
    mood: str | None = None

    @classmethod
    def of(cls, when: WhenConfig) -> Case:
        """The case that `when` names, and no more."""
        return cls(when.topic, when.channel, when.kind, when.account, when.language, when.tier, when.mood)


@dataclass(frozen=True, slots=True)
class Demand:
    """What the rules make of a case."""

    must: dict[str, int]
    prefer: dict[str, int]
    team: str | None
    sla: SlaConfig


@dataclass(frozen=True, slots=True, order=True)
class Addition:
    """One more skill for one person."""

    agent: str
    skill: str
    level: int


def matches(when: WhenConfig, case: Case) -> bool:
    """Whether every key that `when` names has this value in the case."""
    return all(
        wanted is None or wanted == has
        for wanted, has in (
            (when.topic, case.topic),
            (when.channel, case.channel),
            (when.kind, case.kind),
            (when.account, case.account),
            (when.language, case.language),
            (when.tier, case.tier),
            (when.mood, case.mood),
        )
    )


def demand(config: WorkspaceConfig, case: Case) -> Demand:
    """First to last, later rules refine: skills are merged, the rest is replaced."""
    must: dict[str, int] = {}
    prefer: dict[str, int] = {}
    team: str | None = None
    sla = config.sla.get("default", SlaConfig())
    for rule in rules_for(config, case):
        must |= rule.require
        prefer |= rule.prefer
        team = rule.team or team
        sla = rule.sla or sla
    if case.language is not None and speaks(config):
        must.setdefault(f"{LANGUAGE_PREFIX}{case.language}", 1)
    return Demand(must, prefer, team, sla)


def speaks(config: WorkspaceConfig) -> bool:
    """Whether languages are asked for: where no agent names one, all are taken to speak all."""
    return any(skill.startswith(LANGUAGE_PREFIX) for agent in config.agents.values() for skill in agent.skills)


def rules_for(config: WorkspaceConfig, case: Case) -> list[RuleConfig]:
    """The rules that match, in their order."""
    return [rule for rule in config.rules if matches(rule.when, case)]


def able(config: WorkspaceConfig, must: dict[str, int], team: str | None = None, kind: str | None = None) -> list[str]:
    """Ids of the agents who have the skills, belong to the team, and can hold at least one contact of the kind."""
    names = config.agents if team is None else config.members(team)
    return [
        name
        for name in names
        if (agent := config.agents.get(name)) is not None
        and (agent.units is None or agent.units > 0)
        and (any(agent.kinds.values()) if kind is None else agent.kinds.get(kind, 0) > 0)
        and all(agent.skills.get(skill, 0) >= level for skill, level in must.items())
    ]


def lacking_one(
    config: WorkspaceConfig, must: dict[str, int], team: str | None = None, kind: str | None = None
) -> list[Addition]:
    """What single skills would make more agents able, each for one who is of the team and takes the kind."""
    found: list[Addition] = []
    for name in able(config, {}, team, kind):
        held = config.agents[name].skills
        lacking = [(skill, level) for skill, level in sorted(must.items()) if held.get(skill, 0) < level]
        if len(lacking) == 1:
            found.append(Addition(name, *lacking[0]))
    return found


def with_skill(config: WorkspaceConfig, addition: Addition) -> WorkspaceConfig:
    """The same workspace, in which somebody has one more skill."""
    agent = config.agents[addition.agent]
    more = agent.model_copy(update={"skills": {**agent.skills, addition.skill: addition.level}})
    return config.model_copy(update={"agents": {**config.agents, addition.agent: more}})
