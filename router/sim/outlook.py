"""The load to expect in an ordinary week, spread as evenly as can be; and whom one more skill would help most.

What came in a recorded stretch is work for groups of agents alike in what is required of them; it is poured over those
who are able by `bound`, so nobody could do better. Chats are for who is on shift in their hour of the week; the rest
may wait for anybody able.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from router.core.events import MessageReceived
from router.core.learning import blended
from router.core.rules import Facts, apply_rules, effort_of, sort_topics
from router.core.values import WHOLE, Interval, Skills, Workspace
from router.sim.bound import Pour, water_levels
from router.sim.recorded import Recorded
from skills.coverage import gaps
from skills.model import WorkspaceConfig
from skills.requirements import Addition, Case, able, lacking_one, with_skill
from skills.requirements import demand as rules_demand

HOUR_MS = 3_600_000
WEEK_HOURS = 168
WEEK_MS = WEEK_HOURS * HOUR_MS
MONDAY_HOUR = 72  # 1970 began with a Thursday
LIVE = ("chat",)  # kinds that cannot wait for the next shift
WITHOUT_CALENDAR_MS = 40 * HOUR_MS  # a week of those who name no hours
TRIES_MAX = 60
TOLD_MAX = 3
SLIGHT = 1e-4  # of a week, or of an agent's time: less is no help

Week = Mapping[str, Sequence[Interval]]


@dataclass(frozen=True, order=True)
class Group:
    """What is required, of which team (None: any), for which kind of contact."""

    must: Skills
    team: str | None
    kind: str


@dataclass
class Demand:
    """What came. `weeks`: how long that took, at least one; `work`: ms of expected effort by hour of the week (UTC)."""

    weeks: float = 1.0
    work: dict[Group, dict[int, float]] = field(default_factory=dict)
    contacts: Counter[Group] = field(default_factory=Counter)
    topics: dict[Group, dict[str, None]] = field(default_factory=dict)


@dataclass
class Outlook:
    """A week at its best. `levels`: work over time by agent; `loads`: of those who serve each group, None: nobody.

    `nobody`: ms a week of work for which nobody able is there. `gaps`: ms a week without anybody able, by topic.
    """

    levels: dict[str, float]
    loads: dict[Group, float | None]
    nobody: dict[Group, float]
    gaps: dict[str, int]

    @property
    def highest(self) -> float:
        """The load of the busiest group."""
        return max((load for load in self.loads.values() if load is not None), default=0.0)

    @property
    def uncovered(self) -> float:
        """The share of a week without anybody, and of the work that nobody can take, added up."""
        return sum(self.gaps.values()) / WEEK_MS + sum(self.nobody.values()) / WEEK_MS


@dataclass(frozen=True)
class Help:
    """What one more skill would do. Loads are shares of an agent's time, `covered` hours a week."""

    addition: Addition
    before: float
    after: float
    covered: float

    @property
    def gain(self) -> float:
        """How much it helps: what the load falls by, and the share of a week that gets somebody."""
        return max(0.0, self.before - self.after) + self.covered / WEEK_HOURS


def demand_of(recorded: Recorded, workspace: Workspace) -> Demand:
    """What came in a stretch, as `workspace` would read it; efforts as learned by then."""
    opening = set(recorded.opened_by.values())
    found = Demand(weeks=max(1.0, (recorded.end - recorded.begin) / WEEK_MS))
    for event in recorded.outside:
        if not isinstance(event, MessageReceived) or event.message not in opening:
            continue
        best, others = sort_topics(workspace, event.topics)
        facts = Facts(
            channel=event.channel,
            kind=event.kind,
            account=event.account,
            language=event.language,
            tier=event.tier,
            best=best,
            others=others,
            moods=event.moods,
        )
        outcome = apply_rules(workspace, facts)
        group = Group(outcome.requirement.must, outcome.team, event.kind)
        topic, usual = effort_of(workspace, event.topics)
        effort = blended(usual, recorded.efforts.get(f"{topic} {event.kind}"))
        effort = effort * event.effort[0] // WHOLE if event.effort else effort
        hours = found.work.setdefault(group, {})
        hour = (event.at // HOUR_MS + MONDAY_HOUR) % WEEK_HOURS
        hours[hour] = hours.get(hour, 0.0) + effort
        found.contacts[group] += 1
        found.topics.setdefault(group, {})[best or ""] = None
    return found


def outlook(config: WorkspaceConfig, week: Week, demand: Demand) -> Outlook:
    """A week with so much work, at the fairness bound; `week`: each calendar's hours, ms from Monday 00:00 UTC."""
    names = sorted(config.agents)
    times = {number: _time(config, name, week) for number, name in enumerate(names)}
    weights = {number: time for number, time in times.items() if time > 0}
    numbers = {name: number for number, name in enumerate(names) if number in weights}
    pours: dict[tuple[int, ...], float] = {}
    served: dict[Group, set[tuple[int, ...]]] = {group: set() for group in demand.work}
    nobody: dict[Group, float] = {}
    for group, hours in sorted(demand.work.items()):
        those = [name for name in able(config, dict(group.must), group.team, group.kind) if name in numbers]
        for hour, work in sorted(hours.items()):
            there = [name for name in those if group.kind not in LIVE or _works(config, name, week, hour)]
            who = tuple(sorted(numbers[name] for name in there))
            if who:
                pours[who] = pours.get(who, 0.0) + work / demand.weeks
                served[group].add(who)
            else:
                nobody[group] = nobody.get(group, 0.0) + work / demand.weeks
    poured: list[Pour] = [(work, who) for who, work in sorted(pours.items())]
    levels = water_levels(poured, weights)
    # Whoever could do a piece of work and has less to do than others able would have been given more of it.
    loads = {group: max((min(levels[n] for n in who) for who in sets), default=None) for group, sets in served.items()}
    return Outlook(
        levels={names[number]: level for number, level in sorted(levels.items())},
        loads=loads,
        nobody=nobody,
        gaps={topic: sum(end - begin for begin, end in found) for topic, found in gaps(config, week).items()},
    )


def helps(config: WorkspaceConfig, week: Week, demand: Demand, now: Outlook) -> list[Help]:
    """The single additions that help most, best first, at most three."""
    found: list[Help] = []
    for addition in _tries(config, demand, now):
        then = outlook(with_skill(config, addition), week, demand)
        covered = (now.uncovered - then.uncovered) * WEEK_HOURS
        one = Help(addition, now.highest, then.highest, max(0.0, covered))
        if one.gain > SLIGHT:
            found.append(one)
    return sorted(found, key=lambda one: (-one.gain, one.addition))[:TOLD_MAX]


def _tries(config: WorkspaceConfig, demand: Demand, now: Outlook) -> Iterator[Addition]:
    """Additions worth trying: for what is busiest or not covered; those with most room first, of all alike only one."""
    wanted: list[tuple[dict[str, int], str | None, str | None]] = [
        (dict(group.must), group.team, group.kind)
        for group in sorted(demand.work)
        if group in now.nobody or (now.loads[group] or 0.0) >= now.highest - SLIGHT
    ]
    for topic, span in now.gaps.items():
        need = rules_demand(config, Case(topic=topic))
        if span:
            wanted.append((need.must, need.team, None))
    found = {one for must, team, kind in wanted for one in lacking_one(config, must, team, kind)}
    seen: set[tuple[object, ...]] = set()
    tried = 0
    for one in sorted(found, key=lambda one: (now.levels.get(one.agent, 0.0), one)):
        agent = config.agents[one.agent]
        alike = (
            one.skill,
            one.level,
            tuple(sorted(agent.skills.items())),
            agent.calendar,
            agent.team,
            tuple(sorted(agent.capacity.items())),
            agent.share,
            round(now.levels.get(one.agent, 0.0), 6),
        )
        if alike in seen:
            continue
        seen.add(alike)
        tried += 1
        yield one
        if tried == TRIES_MAX:
            return


def _time(config: WorkspaceConfig, name: str, week: Week) -> float:
    """Ms of a week that somebody's share is of."""
    agent = config.agents[name]
    hours = week[agent.calendar] if agent.calendar is not None else ((0, WITHOUT_CALENDAR_MS),)
    return sum(end - begin for begin, end in hours) * agent.share / WHOLE


def _works(config: WorkspaceConfig, name: str, week: Week, hour: int) -> bool:
    """Whether somebody works in some part of an hour of the week."""
    calendar = config.agents[name].calendar
    begin = hour * HOUR_MS
    return calendar is None or any(from_ < begin + HOUR_MS and until > begin for from_, until in week[calendar])
