"""The workspace as an admin writes it: every key, its type, its default, and what it means.

The sentence under a key is its help in editors (config/schema is made of them); `skills.compile` compiles the values.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from router.core.values import Assign, Priority, Role
from skills.answer_model import AutoAnswersConfig
from skills.channel_model import Channels, Web
from skills.customer_model import CsatConfig, CustomersConfig, IncidentsConfig
from skills.reply_model import ArticleConfig, ReplyConfig
from skills.scalars import (
    Also,
    Count,
    Duration,
    Email,
    Flag,
    Language,
    Level,
    Listed,
    Name,
    Percent,
    Share,
    SignedDuration,
    Skill,
    SlackAddress,
    Week,
    Words,
    Zone,
)
from skills.store_model import Archive, Blobs, Store
from skills.topic_model_config import MoodConfig, TopicModelConfig

EVERYONE, TRIAGE = "everyone", "triage"  # the first: the team of agents who name none
UNITS, LANGUAGE_PREFIX = "units", "lang:"  # the first: the one capacity that is no kind
Mood = Literal["angry", "urgent"]
KINDS = ("email", "chat", "messaging")  # what the built-in channels bring


class Part(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AgentConfig(Part):
    """One person who answers customers."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    """Shown to colleagues and customers; the agent's id if left out."""
    email: Email | None = None
    """Where notices go."""
    signature: Annotated[str, StringConstraints(max_length=2_000, strip_whitespace=True)] = ""
    """Ends each mail they write; several lines begin with `|`."""
    slack: SlackAddress | None = None
    """Their e-mail address or member id (U…) in Slack; `email` if left out."""
    team: Name | None = None
    """The team they belong to; without it, the team `everyone`."""
    role: Role = Role.AGENT
    """agent, supervisor (sees the queue, assigns) or admin (changes the workspace)."""
    skills: dict[Skill, Level] = {}
    """What they can do, 1 (a little) to 5 (expert). Languages are skills: `lang:es: 5`."""
    capacity: dict[Name, Count] = {}
    """How many contacts of each kind they hold at once; `units` limits all kinds together."""
    calendar: Name | None = None
    """Their hours; without it they may be given work whenever they are available."""
    share: Share = 10_000
    """Their share of a full day's work: 0.5 is half as much as the others."""

    @property
    def kinds(self) -> dict[str, int]:
        """Capacity by kind, without the common limit."""
        return {kind: n for kind, n in self.capacity.items() if kind != UNITS}

    @property
    def units(self) -> int | None:
        """The limit over all kinds; None: there is none."""
        return self.capacity.get(UNITS)


class Overflow(Part):
    """When a team's waiting contacts may go to another."""

    to: Name
    """The team that helps."""
    at: Annotated[int, Field(ge=1)]
    """Begin when so many wait."""
    until: Annotated[int, Field(ge=0)]
    """End when no more than so many wait; lower than `at`, or it flaps."""


class TeamConfig(Part):
    """A named group of agents."""

    members: Annotated[tuple[Name, ...], Listed] = ()
    """Agents who belong to this team beside those who name it as their `team`."""
    strategy: Literal["even", "longest-idle"] = "even"
    """even: by effort per available minute. longest-idle: by that alone, for contacts whose rule names this team."""
    assign: Assign = Assign.OFFER
    """offer: agents accept or decline. push: given at once."""
    overflow: Overflow | None = None
    """Which team helps out, from how many waiting contacts on."""


class CalendarConfig(Part):
    """Working hours in one time zone."""

    timezone: Zone | None = None
    """The zone of the hours; the workspace's if left out."""
    hours: Week
    """By days (`mon-fri`, `sat`, `daily`): "09:00-18:00" or a list. A range may end the next day: "22:00-06:00"."""
    holidays: Annotated[tuple[str, ...], Listed] = ()
    """Public holidays by country or region: `ES`, `ES-MD`."""
    closed: Annotated[tuple[date, ...], Listed] = ()
    """More days without hours: 2026-12-24."""


class TopicConfig(Part):
    """One thing that contacts are about."""

    examples: Annotated[tuple[Words, ...], Listed] = ()
    """What customers write; five are a start, ten are good."""
    keywords: Annotated[tuple[Words, ...], Listed] = ()
    """Words that make a contact of this topic wherever they stand; case and accents do not matter."""
    effort: Duration = 480_000
    """Handling minutes to expect until usherd has learned better."""


class SlaConfig(Part):
    """Promised times."""

    first_response: Duration | None = None
    """Until the first answer."""
    next_response: Duration | None = None
    """Until each later answer."""
    resolution: Duration | None = None
    """Until it is resolved."""
    calendar: Name | None = None
    """Time counts only in these hours; without it, around the clock."""


class WhenConfig(Part):
    """What a rule matches; a key left out matches all."""

    topic: Name | None = None
    """This topic is among the contact's."""
    channel: str | None = None
    """email, webchat, telegram, slack or http."""
    kind: Name | None = None
    """What capacity counts: email, chat, messaging or a name of your own."""
    account: str | None = None
    """The address that the mail came to."""
    language: Language | None = None
    """The language it is written in."""
    tier: Name | None = None
    """The customer's tier."""
    mood: Mood | None = None
    """How the customer sounds: angry or urgent."""


class EscalationConfig(Part):
    """One step as a target nears."""

    at: Percent
    """How much of the target has passed: 80%."""
    widen: Flag = False
    """true: agents of other teams may take it."""
    notify: Name | None = None
    """`supervisors`, a team or an agent who hears of it."""
    reassign: Name | None = None
    """The team it goes to."""
    priority: Priority | None = None
    """The priority it gets."""


class RuleConfig(Part):
    """First to last, later ones refine: skills are merged, the rest is replaced."""

    when: WhenConfig
    """What it applies to; {} is everything."""
    require: dict[Skill, Level] = {}
    """Skills and levels an agent must have."""
    prefer: dict[Skill, Level] = {}
    """Skills and levels that are better."""
    priority: Priority | None = None
    """low, normal, high or urgent."""
    team: Name | None = None
    """Only agents of this team."""
    sla: SlaConfig | None = None
    """Promised times."""
    escalate: tuple[EscalationConfig, ...] = ()
    """What happens as the target nears."""


class OffersConfig(Part):
    """How long an agent has to accept."""

    accept_within: dict[Name, Duration] = {"chat": 45_000, "messaging": 120_000, "email": 600_000}
    """By kind; two minutes for a kind that is not listed."""
    away_after_lapses: Annotated[int, Field(ge=1, le=100)] = 2
    """An agent who lets so many offers lapse in a row is set away."""


class StickinessConfig(Part):
    """Back to the agent who knows the customer."""

    wait_at_most: Duration = 60_000
    """Wait so long for them; 0s: no waiting."""


class RelaxConfig(Part):
    """One step by which requirements give way; the clock runs from arrival."""

    after: Duration
    """After so long."""
    drop: Literal["prefer"] | None = None
    """prefer: what was preferred no longer counts."""
    lower: Annotated[int, Field(ge=0, le=4)] = 0
    """Required levels go down by so many."""
    widen: Literal["team"] | None = None
    """team: agents of all teams."""


class WakeUpsConfig(Part):
    """Room for contacts that wait on their customer, or sleep, and may come back all at once."""

    cost: Percent = 0
    """What such a contact still takes of its place: 0% frees all of it, 100% none."""
    margin: Annotated[int, Field(ge=0, le=1_000)] | None = None
    """So many contacts (or units) over the limit an agent may get by wake-ups: no more are given. Left out: any."""


class PresenceConfig(Part):
    """What happens when an agent goes."""

    grace: Duration = 60_000
    """A shorter absence changes nothing."""
    hand_back: dict[Name, Duration] = {"chat": 120_000, "email": 14_400_000}
    """By kind: open contacts return to the queue after so long; a kind not listed stays."""
    ramp: Duration = 600_000
    """So long before and after a shift begins, waiting mail is shared with those who are about to start; 0s: never."""


class ReserveConfig(Part):
    """Holders of a scarce skill kept free."""

    auto: bool = False
    """True: found out from demand."""
    skills: dict[Skill, Count] = {}
    """By skill: so many idle holders are kept."""


def _reserve(value: object) -> object:
    if value == "auto":
        return ReserveConfig(auto=True)
    return {"skills": value} if isinstance(value, dict) else value


def _named(value: object) -> object:
    """`embedded` is the default of `store`, `blobs` and `archive`: no keys."""
    return {} if value == "embedded" else value


_RESERVE_SCHEMA = {"anyOf": [{"const": "auto"}, {"type": "object", "additionalProperties": {"type": "integer"}}]}
Reserve = Annotated[ReserveConfig, BeforeValidator(_reserve), WithJsonSchema(_RESERVE_SCHEMA)]


class WorkspaceConfig(Part):
    """A whole workspace."""

    workspace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """Its name: small letters, digits and hyphens; part of every key in the store."""
    mode: Literal["live", "shadow"] = "live"
    """live, or shadow: usherd decides and explains, and sends nothing."""
    require_rehearsal: Flag = False
    """true: an edited workspace waits for `usherd whatif` to have looked at it."""
    timezone: Zone = "UTC"
    """The zone of calendars that name none."""
    languages: Annotated[tuple[Language, ...], Field(min_length=1), Listed] = ("en",)
    """What customers write in; the first is used where none can be told."""
    agents: dict[Name, AgentConfig] = {}
    """Who answers, by id."""
    teams: dict[Name, TeamConfig] = {}
    """Groups of agents, by id; `triage` gets what nobody can be chosen for."""
    calendars: dict[Name, CalendarConfig] = {}
    """Working hours, by id."""
    topics: dict[Name, TopicConfig] = {}
    """What contacts are about, by id."""
    moods: dict[Mood, MoodConfig] = {}
    """How customers sound, for rules: `angry`, `urgent`."""
    rules: tuple[RuleConfig, ...] = ()
    """What contacts require and are promised, first to last."""
    sla: dict[Literal["default"], SlaConfig] = {"default": SlaConfig(first_response=28_800_000)}
    """Promised times where no rule says so."""
    priorities: dict[Priority, SignedDuration] = {}
    """Wait credits: a contact of this priority is served as if it had come so much earlier."""
    customers: CustomersConfig = CustomersConfig()
    """Who they are, and where else they may go on."""
    csat: CsatConfig = CsatConfig()
    """What customers are asked once their contact is resolved."""
    incidents: IncidentsConfig = IncidentsConfig()
    """When many customers write of one thing at once."""
    offers: OffersConfig = OffersConfig()
    """How agents are asked."""
    stickiness: StickinessConfig = StickinessConfig()
    """How long to wait for the agent who knows the customer."""
    relax: tuple[RelaxConfig, ...] = ()
    """Steps by which requirements give way."""
    wake_ups: WakeUpsConfig = WakeUpsConfig()
    """What waits on its customer still takes of an agent's room."""
    presence: PresenceConfig = PresenceConfig()
    """When an agent goes."""
    reopen_within: Annotated[Duration, Field(ge=259_200_000, le=31_536_000_000)] = 2_592_000_000
    """So long after it was resolved a contact may be reopened, 3 to 365 days; then it leaves usherd's memory."""
    keep_messages: Annotated[Duration, Field(ge=86_400_000)] | None = None
    """So long texts, mails and files are kept, and as long as their contact can be reopened; nothing: for ever."""
    reserve: Reserve = ReserveConfig()
    """auto, or idle holders to keep by skill."""
    even_out: dict[Name, Duration] = {}
    """By kind: so long a contact is left to whoever did least, while others stay free; not listed: given at once."""
    look_ahead: bool = False
    """Whether agents are compared by what they will likely have done by the end of their shift, not so far."""
    unit_costs: dict[Name, Annotated[int, Field(ge=0, le=100)]] = {}
    """Units that one contact of a kind takes of `capacity.units`; 1 for a kind not listed."""
    uncovered: Annotated[tuple[Name, ...], Listed] = ()
    """Topics that may have nobody; any other is an error."""
    topic_model: TopicModelConfig = TopicModelConfig()
    """What the classifier must reach."""
    replies: dict[Name, ReplyConfig] = {}
    """Saved replies, by name: agents put them into what they write."""
    articles: dict[Name, ArticleConfig] = {}
    """Pages that are suggested to agents beside a contact, by name."""
    auto_answers: AutoAnswersConfig = AutoAnswersConfig()
    """What is said by itself to whoever opens a contact."""
    channels: Channels = Channels()
    """Where customers write."""
    web: Web = Web()
    """The web server of the desk, the chat and the HTTP API."""
    store: Annotated[Store, Also(_named, {"const": "embedded"})] = Store()
    """`embedded`, or a server of your own."""
    blobs: Annotated[Blobs, Also(_named, {"const": "embedded"})] = Blobs()
    """Where large mails and files lie: `embedded`, a folder, or S3."""
    archive: Annotated[Archive, Also(_named, {"const": "embedded"})] = Archive()
    """Where snapshots and old records lie: `embedded`, a folder, or S3."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Addresses that mail may come to."""
        return self.channels.email.accounts if self.channels.email else ()

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds of contact: the built-in ones and those that a capacity lists."""
        named = {kind for agent in self.agents.values() for kind in agent.kinds}
        return frozenset({*KINDS} | named)

    @property
    def held_skills(self) -> dict[str, int]:
        """Each skill that an agent has → how many have it."""
        return dict(Counter(skill for agent in self.agents.values() for skill in agent.skills))

    def members(self, team: str) -> tuple[str, ...]:
        """Ids of the agents of a team, sorted: those listed and those who name it."""
        naming = {id_ for id_, agent in self.agents.items() if (agent.team or EVERYONE) == team}
        return tuple(sorted(naming.union(self.teams[team].members if team in self.teams else ())))
