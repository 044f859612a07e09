"""Reads a scenario's file and makes of it what is simulated: a workspace, people with hours, streams of contacts.

Strict as a workspace is: unknown keys, impossible values and names that mean nothing are errors with file, line and
remedy, all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from router.core.errors import ConfigError
from router.core.values import Assign, Interval, Workspace
from router.sim.scenario import DAY, MINUTE, ROUTING_KEYS, Arrivals, People, ScenarioConfig
from router.sim.trace import Recorded, read_trace
from skills.compile import compile_workspace
from skills.findings import ConfigErrors, Key, Marks, error_at, unknown
from skills.model import (
    UNITS,
    AgentConfig,
    CalendarConfig,
    ReserveConfig,
    RuleConfig,
    SlaConfig,
    TeamConfig,
    TopicConfig,
    WhenConfig,
    WorkspaceConfig,
)
from skills.plain_errors import plain_errors
from skills.references import References
from skills.requirements import Case, Demand, demand, rules_for
from skills.workspace import load
from skills.yaml_values import YamlFile

MONDAY = 1_767_571_200_000  # 2026-01-05 00:00 UTC: simulated time begins on a Monday
BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent: their number in the scenario, how they behave, and when they are on shift (None: always)."""

    number: int
    id: str
    people: People
    agent: AgentConfig
    shifts: tuple[Interval, ...] | None


@dataclass(frozen=True, slots=True)
class Stream:
    """Contacts that are alike in what they need, by the workspace's rules; `account` makes its own rule match."""

    number: int
    arrivals: Arrivals
    account: str
    demand: Demand
    priority: str
    promised: bool  # an SLA rule applies, not only the default
    target: int | None  # ms to the first response: by the rule, else service_target
    due: SlaConfig | None  # what it is promised, or None


@dataclass(frozen=True, slots=True)
class Scenario:
    """All of it. Instants are milliseconds of UTC."""

    name: str
    seed: int
    config: ScenarioConfig
    workspace_config: WorkspaceConfig
    workspace: Workspace
    plans: tuple[Plan, ...]
    streams: tuple[Stream, ...]
    recorded: tuple[Recorded, ...] | None  # of a trace, in order of time
    begin: int
    end: int

    @property
    def measured_from(self) -> int:
        """Figures count what arrives from then on."""
        return self.begin + round(self.config.warmup * MINUTE)


def read_scenario(path: Path, minutes: float | None = None) -> Scenario:
    """Read a scenario. `minutes` stands in for the file's. Raises ConfigErrors, with every error found."""
    file = _yaml(path)
    if file.errors:
        raise ConfigErrors(file.errors)
    values = file.values
    if not isinstance(values, dict):
        raise ConfigErrors([_fault("a scenario holds keys, such as `arrivals:`", path, "begin the file with a key")])
    given = {key: value for key, value in values.items() if value is not None}
    if minutes is not None:
        given["minutes"] = str(minutes)
    try:
        config = ScenarioConfig.model_validate(given)
    except ValidationError as failed:
        raise ConfigErrors(
            plain_errors(ScenarioConfig, failed.errors(include_url=False), file.marks)
            or [_fault(str(failed), path, None)]
        ) from None
    return _Making(config, file.marks, path).scenario()


def _yaml(path: Path) -> YamlFile:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigErrors([_fault(f"cannot be read: {error.strerror}", path, "name a scenario's file")]) from None
    if len(data) > BYTES_MAX:
        raise ConfigErrors([_fault(f"more than {BYTES_MAX:,} bytes", path, "put contacts into a `trace`")])
    try:
        return YamlFile(path.name, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigErrors([_fault("the file is not UTF-8", path, "save it as UTF-8")]) from None


def _fault(message: str, path: Path, hint: str | None) -> ConfigError:
    return ConfigError(message, file=path.name, line=1, hint=hint, code="scenario")


class _Making:
    """One pass from what was written to what is simulated; `errors` collects what does not fit together."""

    def __init__(self, config: ScenarioConfig, marks: Marks, path: Path) -> None:
        self.config = config
        self.marks = marks
        self.path = path
        self.errors: list[ConfigError] = []
        self._whole()
        if self.errors:
            raise ConfigErrors(self.errors)
        self.recorded: tuple[Recorded, ...] | None = None
        if config.trace is not None:
            self.recorded = read_trace(path.parent / config.trace)
        self.arrivals = config.arrivals if self.recorded is None else _kinds_of_trace(self.recorded)

    def _whole(self) -> None:
        """What a scenario must have, and what excludes what."""
        config = self.config
        if not config.arrivals and config.trace is None:
            self.fail("the scenario has no contacts", ("arrivals",), "give `arrivals`, or a `trace`")
        if config.arrivals and config.trace is not None:
            self.fail("the scenario has both `arrivals` and a `trace`", ("trace",), "keep one of the two")
        if config.days_before and config.trace is not None:
            self.fail("a `trace` knows no other days", ("days_before",), "remove it: only made-up traffic has them")
        if config.trace is None and config.minutes is None:
            self.fail("the scenario does not say how long it lasts", ("minutes",), "give `minutes`")
        if config.minutes is not None and config.warmup >= config.minutes:
            self.fail("it is over before the warm-up", ("warmup",), "`warmup` must be less than `minutes`")
        if not config.agents and config.workspace is None:
            self.fail("the scenario has nobody who works", ("agents",), "give `agents`, or a `workspace`")

    def fail(self, message: str, path: tuple[Key, ...], hint: str | None = None) -> None:
        error = error_at(self.marks, path, message, hint=hint, code="scenario")
        error.file = error.file or self.path.name
        self.errors.append(error)

    def scenario(self) -> Scenario:
        config = self.config
        begin = MONDAY + config.start
        last = self.recorded[-1].at + 1 if self.recorded else 0
        end = begin + (last if config.minutes is None else round(config.minutes * MINUTE))
        people, given = self._folder() if config.workspace is not None else self._inline()
        if self.errors:
            raise ConfigErrors(self.errors)
        accounts = [f"stream-{number}" for number in range(len(self.arrivals))]
        full = given.model_copy(update={"rules": (*given.rules, *_own_rules(self.arrivals, accounts))})
        days = (end - begin) // DAY + 3
        compiled = compile_workspace(full, begin, days)
        streams = tuple(
            self._stream(full, number, line, account)
            for number, (line, account) in enumerate(zip(self.arrivals, accounts, strict=True))
        )
        self._coverable(streams)
        if self.errors:
            raise ConfigErrors(self.errors)
        return Scenario(
            self.path.stem, config.seed, config, full, compiled, _plans(people, full, compiled), streams,
            self.recorded, begin, end,
        )  # fmt: skip

    # -- who works -------------------------------------------------------------------------------------------------

    def _folder(self) -> tuple[list[tuple[str, People]], WorkspaceConfig]:
        """The agents of a workspace's folder; entries of the scenario say how they behave."""
        assert self.config.workspace is not None
        for key in ROUTING_KEYS:
            if key in self.config.model_fields_set:
                self.fail(f"`{key}` stands in the workspace already", (key,), f"remove `{key}`, or `workspace`")
        found = load(self.path.parent / self.config.workspace, _AnySecret(os.environ)).config
        behaviour: dict[str, People] = {}
        for number, people in enumerate(self.config.agents):
            if people.id not in found.agents:
                message, hint = unknown("agent", people.id, found.agents)
                self.fail(message, ("agents", number, "id"), hint)
            for key in ("count", "skills", "capacity", "team", "share"):
                if key in people.model_fields_set:
                    hint = "say here only how they behave"
                    self.fail(f"`{key}` of an agent stands in the workspace", ("agents", number, key), hint)
            behaviour[people.id] = people
        for number, line in enumerate(self.arrivals):
            if line.topic not in found.topics and self.recorded is None:
                message, hint = unknown("topic", line.topic, found.topics)
                self.fail(message, ("arrivals", number, "topic"), hint)
        named = [(name, behaviour.get(name) or People(id=name)) for name in found.agents]
        agents = dict(found.agents)
        calendars = dict(found.calendars)
        for name, people in named:
            if people.available is not None:
                agents[name] = agents[name].model_copy(update={"calendar": _calendar(people, calendars)})
        return named, found.model_copy(update={"agents": agents, "calendars": calendars})

    def _inline(self) -> tuple[list[tuple[str, People]], WorkspaceConfig]:
        """Agents and rules that the scenario itself brings."""
        config = self.config
        kinds = sorted({line.channel for line in self.arrivals})
        calendars = dict(config.calendars)
        named: list[tuple[str, People]] = []
        for number, people in enumerate(config.agents):
            ids = [people.id] if people.count is None else [f"{people.id}{n}" for n in range(1, people.count + 1)]
            for id_ in ids:
                if any(id_ == known for known, _ in named[-1:]) or id_ in {known for known, _ in named}:
                    self.fail(f"two agents are called `{id_}`", ("agents", number, "id"), "choose another id")
                named.append((id_, people))
        agents = {id_: _agent(people, kinds, _calendar(people, calendars)) for id_, people in named}
        asked = any(people.accept or people.decline or people.lapse for people in config.agents)
        teams = dict(config.teams)
        everyone = {agent.team or "everyone" for agent in agents.values()}
        for team in sorted(everyone - set(teams)):
            teams[team] = TeamConfig(assign=Assign.OFFER if asked else Assign.PUSH)
        if self.errors:
            raise ConfigErrors(self.errors)
        languages = config.languages or tuple(sorted({line.language for line in self.arrivals if line.language}))
        made = WorkspaceConfig(
            workspace="scenario", languages=languages or ("en",), agents=agents, teams=teams, calendars=calendars,
            topics=_topics(self.arrivals, config.topics), rules=config.rules, sla=dict(config.sla),
            priorities=config.priorities, offers=config.offers, stickiness=config.stickiness, relax=config.relax,
            presence=config.presence, reserve=config.reserve or ReserveConfig(), even_out=config.even_out,
            look_ahead=config.look_ahead, unit_costs=config.unit_costs, wake_ups=config.wake_ups,
        )  # fmt: skip
        self.errors += References(made, self.marks).errors
        return named, made

    # -- who writes ------------------------------------------------------------------------------------------------

    def _stream(self, workspace: WorkspaceConfig, number: int, line: Arrivals, account: str) -> Stream:
        case = Case(topic=line.topic, kind=line.channel, channel=channel_of(line.channel), account=account,
                    language=line.language)  # fmt: skip
        if line.language is not None and line.language not in workspace.languages:
            case = Case(case.topic, case.channel, case.kind, case.account, None)
        wanted = demand(workspace, case)
        matching = rules_for(workspace, case)
        priority = next((rule.priority for rule in reversed(matching) if rule.priority is not None), None)
        promised = any(rule.sla is not None for rule in matching)
        target = wanted.sla.first_response if promised else None
        if target is None:
            targets = self.config.service_target
            target = targets.get(line.channel, targets.get("", 20_000))
        has_sla = wanted.sla.first_response is not None
        return Stream(
            number, line, account, wanted, (priority or "normal"), promised, target, wanted.sla if has_sla else None
        )

    def _coverable(self, streams: Iterable[Stream]) -> None:
        """A scenario in which some contacts can never be served says so, rather than wait for ever."""
        held = {skill for people in self.config.agents for skill in people.skills}
        for stream in streams:
            for skill in stream.arrivals.require:
                if self.config.workspace is None and self.recorded is None and skill not in held:
                    message, hint = unknown("skill", skill, held)
                    self.fail(message, ("arrivals", stream.number, "require", skill), hint)


def channel_of(kind: str) -> str:
    """The channel that brings contacts of a kind."""
    return {"email": "email", "chat": "webchat", "messaging": "telegram"}.get(kind, "http")


def _agent(people: People, kinds: Iterable[str], calendar: str | None) -> AgentConfig:
    capacity = dict.fromkeys(kinds, 1) | {UNITS: 1} if people.capacity is None else people.capacity
    return AgentConfig(team=people.team, skills=people.skills, capacity=capacity, calendar=calendar, share=people.share)


def _calendar(people: People, calendars: dict[str, CalendarConfig]) -> str | None:
    """The calendar of some hours, added to `calendars` under a name that says them; None: all day."""
    if people.available is None or people.available == ((0, 1_440),):
        return None
    name = "hours-" + "-".join(f"{begin}.{end}" for begin, end in people.available)
    calendars[name] = CalendarConfig(timezone="UTC", hours={tuple(range(7)): people.available})
    return name


def _topics(arrivals: Iterable[Arrivals], given: dict[str, TopicConfig]) -> dict[str, TopicConfig]:
    """What handling time to expect of each topic: as given, else the mean of the first stream's, of all its turns."""
    topics = dict(given)
    for line in arrivals:
        topics.setdefault(line.topic, TopicConfig(effort=round(line.effort.mean + _further(line))))
    return topics


def _further(line: Arrivals) -> float:
    """The mean handling time of all turns after the first."""
    turns = line.turns
    if turns is None:
        return 0.0
    return turns.share / (1 - turns.share) * (turns.effort or line.effort).mean


def _own_rules(arrivals: Iterable[Arrivals], accounts: Iterable[str]) -> list[RuleConfig]:
    """What a stream says of itself, as a rule that matches its account alone."""
    return [
        RuleConfig(when=WhenConfig(account=account), require=line.require, prefer=line.prefer, priority=line.priority)
        for line, account in zip(arrivals, accounts, strict=True)
        if line.require or line.prefer or line.priority
    ]


def _plans(named: list[tuple[str, People]], config: WorkspaceConfig, compiled: Workspace) -> tuple[Plan, ...]:
    return tuple(
        Plan(number, id_, people, agent, None if agent.calendar is None else compiled.calendars[agent.calendar])
        for number, (id_, people) in enumerate(named)
        for agent in (config.agents[id_],)
    )


def _kinds_of_trace(recorded: Iterable[Recorded]) -> tuple[Arrivals, ...]:
    """One stream for each kind of contact that a trace holds, in the order in which they first come."""
    firsts: dict[object, Recorded] = {}
    for one in recorded:
        firsts.setdefault(one.traits, one)
    return tuple(one.stream() for one in firsts.values())


class _AnySecret(dict[str, str]):
    """A simulation needs no secret: whatever the environment lacks stands for itself."""

    def __missing__(self, name: str) -> str:
        return f"simulated-{name}"

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: object = None) -> str:  # noqa: ARG002  there is none
        return self[name]
