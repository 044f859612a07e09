"""What a contact requires: from its topics, language, channel and tier by the workspace's rules, first to last.

Only the best topic's skills are a must; those of other topics that hold become preferences, because whoever can do
the first part of a request may hand over the second. From which probability on a topic holds beside the best is the
classifier's to say: where contacts have several topics, it is less than what a lone topic must have to be believed.
A best topic below the threshold is *unsure*: its skills are preferences, and the contact goes to the team that
`unsure` names, unless a rule names another.
"""

from __future__ import annotations

import msgspec

from router.core.values import Escalation, Priority, Requirement, Rule, Skills, Sla, Workspace

TRIAGE = "triage"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at. `best`: the topic it is about; `others`: topics that hold too, or are only guessed."""

    channel: str
    kind: str
    account: str
    language: str | None = None
    tier: str | None = None
    best: str | None = None
    others: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say."""

    requirement: Requirement
    team: str | None
    priority: Priority
    sla: Sla
    escalate: tuple[Escalation, ...]


def sort_topics(
    workspace: Workspace, topics: tuple[tuple[str, int], ...], *, certain: bool = False
) -> tuple[str | None, tuple[str, ...]]:
    """Split topics (best first, p of 10,000) into the one it is about and the others; None if unsure.

    `certain`: a person set them, so the first one holds whatever its probability.
    """
    if len(topics) == 1:  # as most have
        ((topic, p),) = topics
        if topic not in workspace.topics:
            return None, ()
        return (topic, ()) if certain or p >= workspace.topic_threshold else (None, (topic,))
    known = [(topic, p) for topic, p in topics if topic in workspace.topics]
    if not known:
        return None, ()
    first, p = known[0]
    if not certain and p < workspace.topic_threshold:
        return None, (first,)
    also = workspace.topic_also or workspace.topic_threshold
    return first, tuple(topic for topic, q in known[1:] if certain or q >= also)


def apply_rules(workspace: Workspace, facts: Facts) -> Outcome:
    """Requirement, team, priority and promises of a contact."""
    must: dict[str, int] = {}
    prefer: dict[str, int] = {}
    unsure = bool(workspace.topics) and facts.best is None
    team = workspace.unsure if unsure and workspace.unsure in workspace.teams else None
    priority = workspace.tiers.get(facts.tier or "", Priority.NORMAL)
    sla = workspace.sla
    escalate: tuple[Escalation, ...] = ()
    topics = (None, facts.best, *facts.others)
    for rule in workspace.rules:
        if rule.when.topic not in topics or not _matches(rule, facts):
            continue
        if rule.when.topic is not None and rule.when.topic != facts.best:
            _merge(prefer, rule.require)
            continue
        _merge(must, rule.require)
        _merge(prefer, rule.prefer)
        team = rule.team if rule.team is not None else team
        priority = rule.priority if rule.priority is not None else priority
        sla = rule.sla if rule.sla is not None else sla
        escalate = rule.escalate or escalate
    if facts.language is not None and facts.language in workspace.languages:
        must[f"lang:{facts.language}"] = max(must.get(f"lang:{facts.language}", 0), workspace.language_level)
    return Outcome(
        requirement=Requirement(must=_sorted(must), prefer=_sorted(_beyond(prefer, must))),
        team=team,
        priority=priority,
        sla=sla,
        escalate=tuple(sorted(escalate, key=lambda step: step.share)),
    )


def relaxed(workspace: Workspace, requirement: Requirement, steps: int) -> Requirement:
    """The requirement after the first `steps` relaxation steps. Levels never fall below 1; languages stay."""
    must, prefer = requirement.must, requirement.prefer
    for step in workspace.relax[:steps]:
        if step.drop == "prefer":
            prefer = ()
        if step.lower:
            must = tuple(
                (skill, level if skill.startswith("lang:") else max(1, level - step.lower)) for skill, level in must
            )
    return Requirement(must=must, prefer=prefer)


def waived(requirement: Requirement) -> Requirement:
    """What is left for triage when nobody can serve a requirement: every must becomes a preference."""
    prefer = dict(requirement.must)
    _merge(prefer, requirement.prefer)
    return Requirement(must=(), prefer=_sorted(prefer))


def effort_of(workspace: Workspace, topics: tuple[tuple[str, int], ...]) -> tuple[str, int]:
    """The topic whose effort counts, "" if none is known, and the handling time in ms that the workspace says."""
    for topic, _ in topics:
        if topic in workspace.topics:
            return topic, workspace.topics[topic].effort
    return "", workspace.default_effort


def _matches(rule: Rule, facts: Facts) -> bool:
    when = rule.when
    if when.mood is not None and when.mood not in facts.moods:
        return False
    asked = (when.channel, when.kind, when.account, when.language, when.tier)
    given = (facts.channel, facts.kind, facts.account, facts.language, facts.tier)
    return all(want is None or want == have for want, have in zip(asked, given, strict=True))


def _merge(into: dict[str, int], skills: Skills) -> None:
    """Later rules refine: the level named last holds."""
    into.update(skills)


def _beyond(prefer: dict[str, int], must: dict[str, int]) -> dict[str, int]:
    """Preferences that ask for more than is a must already."""
    return {skill: level for skill, level in prefer.items() if level > must.get(skill, 0)}


def _sorted(skills: dict[str, int]) -> Skills:
    return tuple(sorted(skills.items()))
