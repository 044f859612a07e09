"""A scenario as it is written: who works, who writes, for how long; every key, its type, its default, what it means.

The format is that of DESIGN.md, "Scenario files". Beside the keys for traffic and people, the keys of a workspace that
decide on routing may stand here too (`rules`, `teams`, `sla`, …), with the same meaning; or `workspace` names a folder.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from router.core.values import Priority
from router.sim.distributions import Distribution, Span
from skills.model import (
    CalendarConfig,
    OffersConfig,
    Part,
    PresenceConfig,
    RelaxConfig,
    Reserve,
    RuleConfig,
    SlaConfig,
    StickinessConfig,
    TeamConfig,
    TopicConfig,
    WakeUpsConfig,
)
from skills.scalars import Count, Duration, Language, Level, Name, Share, SignedDuration, Skill, parse_range

MINUTE = 60_000
DAYS_MAX = 32  # before the one that is simulated
DAY = 86_400_000
MINUTES_MAX = 10 * 366 * 1_440


def _hours(value: object) -> object:
    """`["09:00", "17:00"]` or `"09:00-17:00"` as minutes of the day; past midnight: (1320, 1800)."""
    if isinstance(value, list) and len(value) == 2:  # noqa: PLR2004  from and to
        return parse_range(f"{value[0]}-{value[1]}")
    return parse_range(value)


def _clock(value: object) -> object:
    """`08:30` as milliseconds from midnight."""
    if not isinstance(value, str):
        return value
    hour, colon, minute = value.partition(":")
    if not colon or not hour.isdecimal() or not minute.isdecimal() or int(hour) > 24 or int(minute) > 59:  # noqa: PLR2004
        raise ValueError(f"must be a time of day such as 08:30, not `{value[:40]}`")
    return (int(hour) * 60 + int(minute)) * MINUTE


def _hourly(value: object) -> object:
    return value if isinstance(value, list) else [value]


Hours = Annotated[tuple[int, int], BeforeValidator(_hours)]
Clock = Annotated[int, BeforeValidator(_clock)]
Chance = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, le=10_000_000)]
PerHour = Annotated[tuple[Rate, ...], BeforeValidator(_hourly), Field(min_length=1, max_length=24)]


class Absence(Part):
    """Gone for a while, again and again: a connection that flaps, a person called away. Work in hand rests."""

    every: Distribution
    """How long they are here in between."""
    lasting: Distribution
    """How long they are gone."""


class Away(Part):
    """Gone once, from one instant of the simulation to another: sick in the morning, back after lunch."""

    since: Span
    """From so long after the start on."""
    until: Span
    """Until so long after the start."""


class People(Part):
    """Agents who are alike: what they can do, when they are here, and how they behave."""

    id: Name
    """Their id; with `count`, a number is added to it: a1, a2, …"""
    count: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many there are."""
    team: Name | None = None
    """Their team."""
    skills: dict[Skill, Level] = Field(default_factory=dict)
    """What they can do, 1 to 5."""
    capacity: dict[Name, Count] | None = None
    """How many contacts of each kind they hold at once, and `units` over all; without it one contact at a time."""
    share: Share = 10_000
    """Their share of a full day's work."""
    speed: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    """Divides effort: 2.0 needs half the time."""
    slowdown: dict[Name, Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """By kind: how much longer work takes with 1, 2, 3, … held at once."""
    available: tuple[Hours, ...] | None = None
    """Hours of each day, UTC; all day if left out, never if empty."""
    breaks: tuple[Hours, ...] = ()
    """Hours of each day in which they take nothing new; they finish what they have."""
    late: Distribution | None = None
    """How long after the beginning of their hours they come."""
    absence: Absence | None = None
    """Gone for a while, again and again."""
    away: Away | None = None
    """Gone once."""
    accept: Distribution | None = None
    """How long until they accept an offer; at once if left out."""
    decline: Chance = 0.0
    """Share of offers they decline."""
    lapse: Chance = 0.0
    """Share of offers they do not answer."""
    back_after: Distribution | None = None
    """How long until one who was set away for lapses is available again; five minutes if left out."""


class Retry(Part):
    """Customers who gave up and write again."""

    share: Chance
    """How many of them."""
    after: Distribution
    """How much later."""


class Turns(Part):
    """Customers who answer what an agent answered: the contact waits on them meanwhile, and comes back to its owner."""

    share: Annotated[float, Field(ge=0, le=0.95)]
    """How many answers are answered; so a conversation has 1 / (1 - share) turns on average."""
    after: Distribution
    """How long the customer takes for it."""
    effort: Distribution | None = None
    """Handling time of each further turn; like the first one if left out."""


class Surge(Part):
    """For a while there is more of it."""

    at: Span
    """So long after the start."""
    lasting: Span
    """For so long."""
    times: Annotated[float, Field(ge=0, le=10_000)]
    """So many times the usual rate."""


class Burst(Part):
    """Many at once."""

    at: Span
    """So long after the start."""
    count: Annotated[int, Field(ge=1, le=10_000_000)]
    """So many."""
    within: Span = 0
    """Spread evenly over so long."""


class Arrivals(Part):
    """One stream of contacts that are alike."""

    topic: Name
    """What they are about."""
    channel: Name = "chat"
    """Their kind: email, chat, messaging or any name that a capacity lists."""
    require: dict[Skill, Level] = Field(default_factory=dict)
    """Skills and levels they must have, beside what rules say."""
    prefer: dict[Skill, Level] = Field(default_factory=dict)
    """Skills and levels they would prefer."""
    language: Language | None = None
    """The language they are written in."""
    priority: Priority | None = None
    """low, normal, high or urgent; by the rules if left out."""
    per_hour: PerHour = (0.0,)
    """How many an hour: one number, or one for each hour of the day (up to 24, repeated)."""
    effort: Distribution
    """Handling time at speed 1."""
    patience: Distribution | None = None
    """How long they wait before they give up; for ever if left out."""
    customers: Annotated[int, Field(ge=1)] | None = None
    """They come from so many customers, who come again; each from another one if left out."""
    retry: Retry | None = None
    """Who gave up may write again."""
    turns: Turns | None = None
    """Conversations of several turns; each is done with one answer if left out."""
    surges: tuple[Surge, ...] = ()
    """When there is more of it."""
    bursts: tuple[Burst, ...] = ()
    """When many come at once."""


class Variation(Part):
    """Rates vary as a whole, beyond Poisson: one factor a day, one each half hour, common to all streams."""

    day: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Coefficient of variation of the day's factor."""
    half_hour: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Coefficient of variation of the half hour's factor."""
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """From one half hour to the next."""


def _targets(value: object) -> object:
    return value if isinstance(value, dict) else {"": value}


class ScenarioConfig(Part):
    """A whole scenario."""

    seed: int = 1
    """Where chance begins."""
    minutes: Annotated[float, Field(gt=0, le=MINUTES_MAX)] | None = None
    """The span in which contacts arrive; that of the trace if left out."""
    warmup: Annotated[float, Field(ge=0)] = 0
    """Minutes at the beginning that are left out of the figures."""
    start: Clock = 0
    """The time of day at which it begins, UTC."""
    service_target: Annotated[
        dict[Annotated[str, StringConstraints(max_length=64)], Span], BeforeValidator(_targets)
    ] = Field(default_factory=lambda: {"": 20_000})
    """Served within it counts as served well, where no SLA rule says so; or a map by kind."""
    baseline_order: Literal["first_come", "priority"] = "first_come"
    """The contact order of the baseline policies."""
    workspace: str | None = None
    """A workspace's folder, relative to this file."""
    agents: tuple[People, ...] = ()
    """Who works. With a workspace: how its agents behave."""
    arrivals: tuple[Arrivals, ...] = ()
    """Who writes."""
    trace: str | None = None
    """Recorded contacts instead, JSON Lines, relative to this file."""
    variation: Variation = Variation()
    """How rates vary as a whole."""
    languages: tuple[Language, ...] | None = None
    """What customers write in; those of the arrivals if left out."""
    teams: dict[Name, TeamConfig] = Field(default_factory=dict)
    """Groups of agents."""
    calendars: dict[Name, CalendarConfig] = Field(default_factory=dict)
    """Hours of promises."""
    topics: dict[Name, TopicConfig] = Field(default_factory=dict)
    """The handling time to expect; the mean of the arrivals' effort if left out."""
    rules: tuple[RuleConfig, ...] = ()
    """What contacts require and are promised."""
    sla: dict[Literal["default"], SlaConfig] = Field(default_factory=dict)
    """Promised times where no rule says so."""
    priorities: dict[Priority, SignedDuration] = Field(default_factory=dict)
    """Wait credits."""
    offers: OffersConfig = OffersConfig()
    """How agents are asked."""
    stickiness: StickinessConfig = StickinessConfig()
    """How long to wait for the agent who knows the customer."""
    relax: tuple[RelaxConfig, ...] = ()
    """Steps by which requirements give way."""
    presence: PresenceConfig = PresenceConfig(hand_back={})
    """When an agent goes."""
    reserve: Reserve | None = None
    """auto, or idle holders to keep by skill."""
    even_out: dict[Name, Duration] = Field(default_factory=dict)
    """By kind: so long a contact is left to whoever did least."""
    look_ahead: bool = False
    """Whether agents are compared by what they will likely have done by the end of their shift."""
    days_before: Annotated[int, Field(ge=0, lt=DAYS_MAX)] = 0
    """So many days of other customers usherd has seen before: for what it learns of a usual day."""
    unit_costs: dict[Name, Annotated[int, Field(ge=0, le=100)]] = Field(default_factory=dict)
    """Units that one contact of a kind takes."""
    wake_ups: WakeUpsConfig = WakeUpsConfig()
    """What waits on its customer still takes of an agent's room."""


ROUTING_KEYS = (
    "teams", "calendars", "topics", "rules", "sla", "priorities", "offers", "stickiness", "relax", "presence",
    "reserve", "even_out", "look_ahead", "unit_costs", "wake_ups", "languages",
)  # fmt: skip
"""Keys that a workspace has too, so that they cannot stand beside `workspace`."""

__all__ = ["DAY", "DAYS_MAX", "MINUTE", "ROUTING_KEYS", "Arrivals", "Duration", "People", "ScenarioConfig"]
