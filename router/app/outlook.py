"""What `usherd check` says of the week to come: the load of each group of agents, and the skill that would help most.

Hours come from the calendars, demand from the journal of a data directory, which is only read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from router.app.shelves import shelf_of
from router.app.verify import opened
from router.app.whatif import read_recorded
from router.core.errors import ConfigError, RouterError
from router.core.values import Workspace
from router.shell.clock import rfc3339, wall_ms
from router.sim.outlook import Demand, Group, Help, Outlook, demand_of, helps, outlook
from router.sim.recorded import Recorded
from skills.compile import Classifier, compile_workspace
from skills.coverage import ordinary_week
from skills.model import WorkspaceConfig

LOOK_BACK_MS = 7 * 86_400_000  # every hour of the week once
HOUR_MS = 3_600_000
Progress = Callable[[str, int], None]


async def look_back(config: WorkspaceConfig, data: Path, progress: Progress) -> tuple[Recorded | None, str]:
    """The last week as the journal has it; or None, and what keeps it from being read."""
    try:
        async with opened(config, data) as store:
            found = await read_recorded(store, shelf_of(config, data), wall_ms() - LOOK_BACK_MS, progress)
    except ConfigError as error:
        return None, error.message
    except RouterError as error:
        return None, f"the journal could not be read: {error}"
    return found, ""


def expected(config: WorkspaceConfig, recorded: Recorded | None, missing: str = "") -> dict[str, Any]:
    """Keys of `coverage`. Loads are shares of an agent's time, 1.0 all of it.

    `demand`: since when, until when, how many days and contacts; None without a journal, then `missing` says why.
    `groups`: topics, requirement, team, kind, agents' load at the fairness bound, contacts and hours of work a week,
    hours a week of work for which nobody is there. `load`: by agent. `one_more_skill`: what would help most, in words.
    """
    week = ordinary_week(config)
    demand, told = Demand(), None
    if recorded is not None:
        demand = demand_of(recorded, _compiled(config, recorded))
        told = {
            "since": rfc3339(recorded.begin),
            "until": rfc3339(recorded.end),
            "days": round((recorded.end - recorded.begin) / 86_400_000, 2),
            "contacts": demand.contacts.total(),
        }
        missing = "" if demand.work else "nobody wrote in the last seven days"
    now = outlook(config, week, demand)
    seen = demand.contacts.total() > 0
    return {
        "demand": told,
        "missing": missing or None,
        "groups": [_group(group, demand, now) for group in _busiest_first(demand, now)],
        "load": {agent: round(level, 4) for agent, level in now.levels.items()} if seen else {},
        "one_more_skill": [_help(config, one) for one in helps(config, week, demand, now)],
    }


def _compiled(config: WorkspaceConfig, recorded: Recorded) -> Workspace:
    return compile_workspace(config, recorded.begin, 0, classifier=Classifier.of(recorded.state.workspace))


def _busiest_first(demand: Demand, now: Outlook) -> list[Group]:
    return sorted(demand.work, key=lambda group: (-(now.loads[group] or 0.0), group.must, group.team or "", group.kind))


def _group(group: Group, demand: Demand, now: Outlook) -> dict[str, Any]:
    load = now.loads[group]
    return {
        "topics": [topic for topic in demand.topics[group] if topic],
        "requirement": dict(group.must),
        "team": group.team,
        "kind": group.kind,
        "load": None if load is None else round(load, 4),
        "contacts_a_week": round(demand.contacts[group] / demand.weeks, 1),
        "hours_a_week": round(sum(demand.work[group].values()) / demand.weeks / HOUR_MS, 2),
        "nobody_hours": round(now.nobody.get(group, 0.0) / HOUR_MS, 2),
    }


def _help(config: WorkspaceConfig, one: Help) -> dict[str, Any]:
    addition = one.addition
    return {
        "agent": addition.agent,
        "skill": addition.skill,
        "level": addition.level,
        "busiest": {"before": round(one.before, 4), "after": round(one.after, 4)},
        "covered_hours": round(one.covered, 2),
        "words": words(config.agents[addition.agent].name or addition.agent, one),
    }


def words(name: str, one: Help) -> str:
    """`Ben, with refunds at 2: the busiest group would fall from 93 % to 71 %`."""
    said: list[str] = []
    if one.covered:
        said.append(f"{one.covered:.3g} more hours a week would have somebody")
    if percent(one.after) != percent(one.before):
        verb = "fall" if one.after < one.before else "rise"
        said.append(f"the busiest group would {verb} from {percent(one.before)} to {percent(one.after)}")
    return f"{name}, with {one.addition.skill} at {one.addition.level}: {', and '.join(said)}"


def percent(share: float) -> str:
    """A share in hundredths; below ten of them with a decimal."""
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.2g} %"  # noqa: PLR2004
