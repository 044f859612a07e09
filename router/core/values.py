"""Values of the engine: a workspace as the engine sees it, and what contacts require.

Instants are integers, milliseconds of UTC since 1970; durations are milliseconds; probabilities are integers
of 10,000. Nothing here is a float, so that comparisons are exact on every machine.
"""

from __future__ import annotations

import enum

import msgspec

WHOLE = 10_000  # probabilities and shares are integers of this


class Priority(enum.StrEnum):
    """How much waiting time a contact is credited with."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


RISING = tuple(Priority)


class Status(enum.StrEnum):
    """What an agent says of themselves."""

    AVAILABLE = "available"
    BUSY = "busy"
    AWAY = "away"
    OFFLINE = "offline"


class Role(enum.StrEnum):
    """What an agent may do beyond their own contacts."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Assign(enum.StrEnum):
    """Whether a team's agents are asked first or given contacts at once."""

    OFFER = "offer"
    PUSH = "push"


Skills = tuple[tuple[str, int], ...]  # sorted by skill; levels 1 to 5
Interval = tuple[int, int]  # [from, until)


class Requirement(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """Skills and levels a contact must have, and those it would prefer."""

    must: Skills = ()
    prefer: Skills = ()


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the engine sees them: no name, no address."""

    id: str
    team: str
    role: Role = Role.AGENT
    skills: dict[str, int] = {}
    capacity: dict[str, int] = {}  # by kind; a kind not listed: 0
    units: int | None = None  # over all kinds; None: no common limit
    share: int = WHOLE  # of a full day's work
    calendar: str | None = None  # None: on shift whenever available


class Overflow(msgspec.Struct, frozen=True, kw_only=True):
    """Team `to` helps out from `at` waiting contacts on, until no more than `until` wait."""

    to: str
    at: int
    until: int


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A named group of agents. `strategy`: even | longest-idle, for contacts that only this team may serve."""

    id: str
    members: tuple[str, ...] = ()  # sorted; also those who name the team themselves
    strategy: str = "even"
    assign: Assign = Assign.OFFER
    overflow: Overflow | None = None


class Sla(msgspec.Struct, frozen=True, kw_only=True):
    """Promised times in milliseconds; `calendar` None: around the clock."""

    first_response: int | None = None
    next_response: int | None = None
    resolution: int | None = None
    calendar: str | None = None


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """One step as a target nears: `share` of it (of 10,000) has passed."""

    share: int
    widen: bool = False
    notify: str | None = None
    reassign: str | None = None
    priority: Priority | None = None


class When(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule matches; None matches all. `topic` and `mood` match if they are among the contact's."""

    topic: str | None = None
    channel: str | None = None
    kind: str | None = None
    account: str | None = None
    language: str | None = None
    tier: str | None = None
    mood: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """First to last, later ones refine: skills are merged, the rest replaced."""

    when: When
    require: Skills = ()
    prefer: Skills = ()
    priority: Priority | None = None
    sla: Sla | None = None
    team: str | None = None
    escalate: tuple[Escalation, ...] = ()


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What a contact can be about, and the handling time to expect of it."""

    id: str
    effort: int  # ms


class Relax(msgspec.Struct, frozen=True, kw_only=True):
    """One relaxation step, `after` ms from arrival."""

    after: int
    drop: str | None = None  # "prefer"
    lower: int = 0
    widen: str | None = None  # "team"


class AutoAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Which auto-answers are given; their words stay outside. One more than `per_hour`, and all are off for a day.

    So they are after one more bounce in an hour than `bounces_per_hour`; see `storm`.
    """

    kinds: tuple[str, ...] = ()  # of receipt | out_of_hours | queue
    per_hour: int = 200
    bounces_per_hour: int = 100


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """At least `contacts` of a topic in an hour, and more than `times` the usual for it; 0 contacts: never."""

    contacts: int = 0
    times: int = 3


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the engine needs to know of a workspace, compiled by `skills` and journaled by value."""

    name: str
    languages: tuple[str, ...] = ("en",)
    agents: dict[str, Agent] = {}
    teams: dict[str, Team] = {}
    calendars: dict[str, tuple[Interval, ...]] = {}  # expanded to UTC by the shell, sorted, disjoint
    topics: dict[str, Topic] = {}
    rules: tuple[Rule, ...] = ()
    tiers: dict[str, Priority] = {}
    sla: Sla = Sla(first_response=8 * 3_600_000)
    credits: dict[str, int] = msgspec.field(
        default_factory=lambda: {"low": -120_000, "normal": 0, "high": 120_000, "urgent": 600_000}
    )
    unit_costs: dict[str, int] = {}  # units one contact of a kind takes; a kind not listed: 1
    accept_within: dict[str, int] = {}  # by kind, ms
    accept_within_default: int = 120_000
    away_after_lapses: int = 2
    sticky_wait: int = 60_000
    hand_back: dict[str, int] = {}
    grace: int = 60_000
    relax: tuple[Relax, ...] = ()
    reserve: dict[str, int] = {}
    reserve_auto: bool = False
    topic_threshold: int = 5_000  # a best topic below this is unsure
    topic_also: int = 0  # another topic counts beside the best from this on; 0: from the threshold on
    topic_model: str = ""  # SHA-256 of the classifier that says so; "": none
    unsure: str = "triage"
    language_level: int = 1  # an agent must hold lang:xx at this level to be given a contact in xx
    default_effort: int = 480_000
    reopen_window: int = 30 * 86_400_000
    utilisation_window: int = 24 * 3_600_000  # a day, so that a shift over midnight or a late start is seen whole
    utilisation_floor: int = 1_800_000
    auto_answers: AutoAnswers = AutoAnswers()
    csat: str = ""  # whom the question after a contact is for: unless-refused | if-agreed; "": it is not asked
    incidents: Incidents = Incidents()
    shadow: bool = False  # decide and explain, send nothing
    parked_cost: int = 0  # of 10,000: what an owned contact costs of its place while it waits on the customer or sleeps
    ramp: int = 0  # ms for which mails are left to those whose shift begins
    even_out: dict[str, int] = {}  # by kind: ms for which a contact is left to who did least
    look_ahead: bool = False  # utilisation is compared as it will likely be when the shift ends
    wake_margin: int | None = None  # so many contacts over the limit may come of wake-ups; None: any number
    require_rehearsal: bool = False  # a node proposes only versions that `usherd whatif` looked at
