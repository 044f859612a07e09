"""Makes the engine's workspace of an admin's: integers, UTC intervals, ids; no name, no address, no secret."""

from __future__ import annotations

from typing import NamedTuple, Self

import msgspec

from router.core.values import (
    Agent,
    AutoAnswers,
    Escalation,
    Incidents,
    Overflow,
    Priority,
    Relax,
    Rule,
    Skills,
    Sla,
    Team,
    Topic,
    When,
    Workspace,
)
from skills.calendar import DAY_MS, expand
from skills.model import (
    EVERYONE,
    AgentConfig,
    EscalationConfig,
    RuleConfig,
    SlaConfig,
    WorkspaceConfig,
)
from skills.requirements import speaks

DAYS_AHEAD = 400
_DAYS_BEFORE = 40  # contacts that came before a change of the workspace still have SLA clocks running
_CREDITS = {Priority.LOW: -120_000, Priority.NORMAL: 0, Priority.HIGH: 120_000, Priority.URGENT: 600_000}


class Classifier(NamedTuple):
    """What the engine must know of a topic model: shares of 10,000 as in `Workspace`, and the model's SHA-256."""

    threshold: int
    also: int = 0
    model: str = ""

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """The one that a workspace was compiled with."""
        return cls(workspace.topic_threshold, workspace.topic_also, workspace.topic_model)

    def put_into(self, workspace: Workspace) -> Workspace:
        """The same workspace compiled with this one."""
        return msgspec.structs.replace(
            workspace, topic_threshold=self.threshold, topic_also=self.also, topic_model=self.model
        )


UNTRAINED = Classifier(Workspace(name="").topic_threshold)


def compile_workspace(
    config: WorkspaceConfig, now_ms: int, days: int = DAYS_AHEAD, *, classifier: Classifier = UNTRAINED
) -> Workspace:
    """The engine's workspace; calendars reach from 40 days before `now_ms` to `days` after it.

    `classifier`: of the topic model in use, which knows the threshold that keeps the wished precision.
    """
    teams = set(config.teams) | {agent.team or EVERYONE for agent in config.agents.values()}
    from_ms = now_ms - _DAYS_BEFORE * DAY_MS
    return Workspace(
        name=config.workspace,
        languages=config.languages,
        agents={name: _agent(name, config.agents[name]) for name in sorted(config.agents)},
        teams={name: _team(config, name) for name in sorted(teams)},
        calendars={
            name: expand(calendar, from_ms, days + _DAYS_BEFORE, timezone=config.timezone)
            for name, calendar in sorted(config.calendars.items())
        },
        topics={name: Topic(id=name, effort=topic.effort) for name, topic in sorted(config.topics.items())},
        rules=tuple(_rule(rule) for rule in config.rules),
        tiers={name: tier.priority for name, tier in config.customers.tiers.items()},
        sla=_sla(config.sla.get("default", SlaConfig())),
        credits={priority.value: config.priorities.get(priority, credit) for priority, credit in _CREDITS.items()},
        unit_costs=dict(sorted(config.unit_costs.items())),
        accept_within=dict(sorted(config.offers.accept_within.items())),
        away_after_lapses=config.offers.away_after_lapses,
        sticky_wait=config.stickiness.wait_at_most,
        hand_back=dict(sorted(config.presence.hand_back.items())),
        grace=config.presence.grace,
        ramp=config.presence.ramp,
        reopen_window=config.reopen_within,
        relax=tuple(
            Relax(after=step.after, drop=step.drop, lower=step.lower, widen=step.widen)
            for step in sorted(config.relax, key=lambda step: step.after)
        ),
        reserve=dict(sorted(config.reserve.skills.items())),
        reserve_auto=config.reserve.auto,
        even_out={kind: span for kind, span in sorted(config.even_out.items()) if span},
        look_ahead=config.look_ahead,
        parked_cost=config.wake_ups.cost,
        wake_margin=config.wake_ups.margin,
        require_rehearsal=config.require_rehearsal,
        unsure=config.topic_model.unsure,
        shadow=config.mode == "shadow",
        auto_answers=AutoAnswers(
            kinds=tuple(config.auto_answers.texts),
            per_hour=config.auto_answers.per_hour,
            bounces_per_hour=config.auto_answers.bounces_per_hour,
        ),
        csat=config.csat.ask if config.csat.question else "",
        incidents=Incidents(contacts=config.incidents.contacts, times=config.incidents.times),
        language_level=1 if speaks(config) else 0,
        topic_threshold=classifier.threshold,
        topic_also=classifier.also,
        topic_model=classifier.model,
    )


def _agent(name: str, agent: AgentConfig) -> Agent:
    return Agent(
        id=name,
        team=agent.team or EVERYONE,
        role=agent.role,
        skills=dict(sorted(agent.skills.items())),
        capacity=dict(sorted(agent.kinds.items())),
        units=agent.units,
        share=agent.share,
        calendar=agent.calendar,
    )


def _team(config: WorkspaceConfig, name: str) -> Team:
    team = config.teams.get(name)
    members = config.members(name)
    return (
        Team(id=name, members=members)
        if team is None
        else Team(
            id=name,
            members=members,
            strategy=team.strategy,
            assign=team.assign,
            overflow=None if team.overflow is None else Overflow(**team.overflow.model_dump()),
        )
    )


def _rule(rule: RuleConfig) -> Rule:
    when = rule.when
    return Rule(
        when=When(
            topic=when.topic,
            channel=when.channel,
            kind=when.kind,
            account=when.account,
            language=when.language,
            tier=when.tier,
            mood=when.mood,
        ),
        require=_skills(rule.require),
        prefer=_skills(rule.prefer),
        priority=rule.priority,
        sla=None if rule.sla is None else _sla(rule.sla),
        team=rule.team,
        escalate=tuple(_escalation(step) for step in sorted(rule.escalate, key=lambda step: step.at)),
    )


def _skills(skills: dict[str, int]) -> Skills:
    return tuple(sorted(skills.items()))


def _sla(sla: SlaConfig) -> Sla:
    return Sla(
        first_response=sla.first_response,
        next_response=sla.next_response,
        resolution=sla.resolution,
        calendar=sla.calendar,
    )


def _escalation(step: EscalationConfig) -> Escalation:
    return Escalation(
        share=step.at, widen=step.widen, notify=step.notify, reassign=step.reassign, priority=step.priority
    )
