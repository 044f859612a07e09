"""What one workspace changes against another, and what nobody could take any more under it.

Both are the engine's: what agents and customers notice, apart from how it is written. Paths are those an admin knows
from the YAML (`stickiness.wait_at_most`), durations milliseconds, shares of 10,000.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from router.core.engine import Engine
from router.core.rules import Facts, apply_rules, sort_topics
from router.core.values import Interval, Requirement, Workspace
from router.desk.in_force import InForce, Shape, Waiting
from skills.calendar import DAY_MS

CALENDAR_DAYS = 300  # how far calendars are compared: the one in force was expanded at another moment
RANGES_SHOWN = 3
EMPTY: tuple[Any, ...] = ({}, [], (), None)

# The engine's names for what the YAML calls otherwise.
WRITTEN = {
    "name": "workspace",
    "tiers": "customers.tiers",
    "sla": "sla.default",
    "credits": "priorities",
    "accept_within": "offers.accept_within",
    "away_after_lapses": "offers.away_after_lapses",
    "sticky_wait": "stickiness.wait_at_most",
    "hand_back": "presence.hand_back",
    "grace": "presence.grace",
    "reopen_window": "reopen_within",
    "reserve_auto": "reserve.auto",
    "unsure": "topic_model.unsure",
}
LEFT_OUT = frozenset(
    {"calendars", "rules", "topic_threshold", "topic_also", "topic_model"}
)  # said otherwise, or found out by training


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference; None: not there."""

    path: str
    before: Any = None
    after: Any = None


class DeadEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody could take under the new workspace, though somebody can now: a topic, or contacts that wait."""

    what: str  # topic | waiting
    topic: str | None
    language: str | None
    kind: str | None
    requirement: Requirement
    waiting: int = 0


def changes(before: Workspace, after: Workspace, now_ms: int) -> list[Change]:
    """Every difference, by path. Calendars are compared from now on."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    found = list(walk(_plain(old), _plain(new), ""))
    found += _rules(old["rules"], new["rules"])
    found += _calendars(before, after, now_ms)
    return found


def _plain(workspace: dict[str, Any]) -> dict[str, Any]:
    """As it is written, without what says a thing twice: each agent's own id."""
    left = {WRITTEN.get(key, key): value for key, value in workspace.items() if key not in LEFT_OUT}
    for named in ("agents", "teams", "topics"):
        left[named] = {
            name: {key: value for key, value in about.items() if key != "id"} for name, about in left[named].items()
        }
    return left


def walk(old: Any, new: Any, path: str) -> Iterator[Change]:  # noqa: ANN401 (JSON)
    """Every difference between two values, as deep as both are mappings."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from walk(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        return
    yield Change(path=path, before=old, after=new)


def _rules(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    """Rules that came, went, or were rewritten in their place; one that only moved down is no change."""
    was, are = ([json.dumps(rule, sort_keys=True) for rule in rules] for rules in (old, new))
    for what, i, i_end, j, j_end in difflib.SequenceMatcher(None, was, are, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        for step in range(max(i_end - i, j_end - j)):
            before = old[i + step] if i + step < i_end else None
            after = new[j + step] if j + step < j_end else None
            number = j + step if after is not None else i + step
            yield Change(path=f"rules.{number}", before=_short(before), after=_short(after))


def _short(rule: Any) -> Any:  # noqa: ANN401 (JSON)
    """A rule as it would be written: without what it leaves open."""
    if not isinstance(rule, dict):
        return rule
    pairs = {key: dict(value) if key in {"require", "prefer"} else _short(value) for key, value in rule.items()}
    return {key: value for key, value in pairs.items() if key == "when" or value not in EMPTY}


def _calendars(before: Workspace, after: Workspace, now_ms: int) -> Iterator[Change]:
    """Calendars that came or went, or have other hours: the first ranges that differ, `[from, until)`."""
    for name in sorted({*before.calendars, *after.calendars}):
        path = f"calendars.{name}"
        old, new = before.calendars.get(name), after.calendars.get(name)
        if old is None or new is None:
            hours = _hours(old or new or (), now_ms)
            yield Change(path=path, before=None if old is None else hours, after=None if new is None else hours)
            continue
        end = now_ms + CALENDAR_DAYS * DAY_MS
        known = max((until for hours in before.calendars.values() for _, until in hours[-1:]), default=end)
        was, is_ = (set(_within(hours, now_ms, min(end, known))) for hours in (old, new))
        if was != is_:
            yield Change(path=path, before=sorted(was - is_)[:RANGES_SHOWN], after=sorted(is_ - was)[:RANGES_SHOWN])


def _hours(ranges: Iterable[Interval], now_ms: int) -> list[Interval]:
    return list(_within(ranges, now_ms, now_ms + 7 * DAY_MS))[:RANGES_SHOWN]


def _within(ranges: Iterable[Interval], begin: int, end: int) -> Iterator[Interval]:
    for from_, until in ranges:
        if until > begin and from_ < end:
            yield max(from_, begin), min(until, end)


# -- what nobody could take ----------------------------------------------------------------------------------------


class Judge:
    """Who could take a contact under a workspace, all agents at work and idle."""

    def __init__(self, workspace: Workspace, now_ms: int) -> None:
        self.workspace = workspace
        self.kinds = sorted({kind for agent in workspace.agents.values() for kind, n in agent.capacity.items() if n})
        self._engine = Engine.rehearsal(workspace, now_ms)

    def requirement(self, shape: Shape) -> Requirement:
        """What the rules require of it."""
        best, others = sort_topics(self.workspace, shape.topics, certain=shape.certain)
        facts = Facts(
            channel=shape.channel,
            kind=shape.kind,
            account=shape.account,
            language=shape.language,
            tier=shape.tier,
            best=best,
            others=others,
            moods=shape.moods,
        )
        return apply_rules(self.workspace, facts).requirement

    def able(self, shape: Shape) -> bool:
        """Whether anybody could take it; if nobody of its team can, other teams may."""
        return bool(self._engine.candidates(self.requirement(shape), shape.kind, limit=1))


def dead_ends(now_in_force: InForce, after: Workspace, now_ms: int) -> list[DeadEnd]:
    """Topics, also in single languages, and waiting contacts that nobody could take any more."""
    before, new = Judge(now_in_force.workspace, now_ms), Judge(after, now_ms)
    found = list(_topics(before, new))
    found += [_dead(one, new) for one in now_in_force.waiting if before.able(one.shape) and not new.able(one.shape)]
    return found


def _topics(before: Judge, new: Judge) -> Iterator[DeadEnd]:
    for topic in new.workspace.topics:
        languages = (None, *new.workspace.languages)
        for language in languages:
            if not _covered(new, topic, language) and (
                topic not in before.workspace.topics or _covered(before, topic, language)
            ):
                shape = _shape(topic, language, "email")
                yield DeadEnd(
                    what="topic", topic=topic, language=language, kind=None, requirement=new.requirement(shape)
                )
                if language is None:
                    break  # then in no language either


def _covered(judge: Judge, topic: str, language: str | None) -> bool:
    return any(judge.able(_shape(topic, language, kind)) for kind in judge.kinds)


def _shape(topic: str, language: str | None, kind: str) -> Shape:
    channel = {"email": "email", "chat": "webchat"}.get(kind, "http")
    return Shape(channel=channel, kind=kind, language=language, topics=((topic, 10_000),), certain=True)


def _dead(one: Waiting, new: Judge) -> DeadEnd:
    shape = one.shape
    return DeadEnd(
        what="waiting",
        topic=shape.topics[0][0] if shape.topics else None,
        language=shape.language,
        kind=shape.kind,
        requirement=new.requirement(shape),
        waiting=one.waiting,
    )
