"""The engine's state: what `Engine.apply` changes and everybody else only reads.

It holds opaque ids, integers and hashes; never a name, an address or a word of a message. Dictionaries keep the
order of insertion and are part of the state hash; nothing here is a set.
"""

from __future__ import annotations

import msgspec

from router.core.ledger import SLOTS
from router.core.transitions import ContactState, DeliveryState
from router.core.values import WHOLE, Escalation, Priority, Requirement, Sla, Status, Workspace


class MessageRef(msgspec.Struct, kw_only=True):
    """One item of a contact's history. `direction`: in | out | note."""

    id: str
    direction: str
    at: int
    agent: str | None = None  # who wrote it, for out and note
    sender: str | None = None  # keyed hash of the writer, for in
    auto: str | None = None  # in: what kind of auto mail; out: which auto-answer
    delivery: DeliveryState | None = None  # for out: to whom it was written
    lost: tuple[int, ...] = ()  # for out: recipients in copy whom it never reached, by their place
    seen: bool = False  # out, in shadow mode: people sent it by other means
    chosen: str | None = None  # seen: the agent whom usherd had chosen by then
    external: str = ""  # in shadow mode, and where messages can be edited: keyed hash of its own id
    channel: str = ""  # it came or went by; "": the contact's
    says: str = ""  # of what a machine tells many: the message whose words it says


class Offer(msgspec.Struct, kw_only=True):
    """A contact held for one agent."""

    id: str
    agent: str
    at: int
    until: int


class Contact(msgspec.Struct, kw_only=True):
    """A unit of work."""

    id: str
    customer: str
    participants: list[str]  # keyed hashes of those who may write in it, sorted
    channel: str
    kind: str
    account: str
    state: ContactState
    opened_at: int
    waiting_since: int | None  # None unless waiting or offered
    requirement: Requirement
    team: str | None = None  # None: any team
    priority: Priority = Priority.NORMAL
    priority_set: bool = False  # by a person: rules no longer change it
    sla: Sla = Sla()
    due: int | None = None  # of the next promise not yet kept
    order: int = 0  # the heap's key: due less the priority's credit
    language: str | None = None
    tier: str | None = None
    topics: tuple[tuple[str, int], ...] = ()
    topics_set: bool = False  # by a person
    flag: str = ""  # "" | unknown-sender | quarantined | conflict
    claims: str | None = None
    agent: str | None = None  # the owner; kept through waiting_customer, snoozed and resolved
    offer: Offer | None = None
    declined: list[str] = []
    snoozed_until: int | None = None
    resolved_at: int | None = None
    responded: bool = False
    effort: int = 0  # ms credited to the owner
    decided_at: int = 0  # number of the record that offered, assigned or queued it last
    offered_at: int = 0  # number of the record that offered it last: who was considered stands there
    joined: str | None = None  # the contact it was joined into
    messages: list[MessageRef] = []
    seq: int = 0  # how many contacts had been opened before it: ties between contacts end here
    turn_at: int = 0  # when the ball last came into our court: opened, or the customer wrote
    paused: int = 0  # ms since then that the clock jumped over: nobody could attend to it
    court_since: int = 0  # since when the owner holds it, or it came back to them
    missed: bool = False  # waits in the heap of those whose promise is broken already
    passed: int = 0  # how often one due within a minute was served before it although it had missed
    prefer_agent: str | None = None  # who last served this customer, or this contact
    sticky_until: int | None = None  # until then it waits for `prefer_agent` alone
    lapsed: list[str] = []  # agents who let an offer of it lapse: asked after the others
    ask_again_at: int | None = None  # everybody declined: then all are asked again
    team_set: bool = False  # by a person or an escalation: rules no longer change it
    evened: bool = False  # was left to who did least for long enough: anybody may take it
    dead_end: bool = False  # nobody in the workspace can serve what the rules require
    relaxed: int = 0  # steps of Workspace.relax in force
    response_from: int | None = None  # a response is promised since then; None: none is owed
    response_due: int | None = None
    resolution_since: int | None = None  # the clock of the resolution runs since then; None: paused
    resolution_used: int = 0  # ms of its target gone by before that
    resolution_due: int | None = None
    escalate: tuple[Escalation, ...] = ()  # by share
    escalated: int = 0  # steps done
    escalate_at: int | None = None  # instant of the next step
    credited_slot: int | None = None  # slot of the owner's ledger that `effort` stands in
    share_mark: int | None = None  # reading of the owner's clock when it came into their court; None: it is not there
    spent: int = 0  # ms of handling by the present owner
    handled: int = 0  # ms of handling by all, since it was opened or reopened
    called: list[str] = []  # agents who were called in: they look on and write notes; sorted
    spam: bool = False  # closed as such, by a person
    took: int = 0  # ms of handling until it was resolved for the first time: what predictions learn from
    likely: tuple[int, ...] = ()  # see MessageReceived.effort, of its first message
    moods: tuple[str, ...] = ()  # of all its messages, sorted
    follows: str | None = None  # an earlier contact that the customer answered to and that cannot be reopened
    quiet: bool = False  # nobody would read what a machine writes to whoever opened it
    asked: bool = False  # whether it was all right
    score: int | None = None  # what they answered, 1 to 5
    parted: list[str] = []  # identities that took part until a link was undone, sorted


class AgentState(msgspec.Struct, kw_only=True):
    """What changes about an agent."""

    id: str
    status: Status = Status.OFFLINE
    status_since: int = 0
    idle_since: int = 0
    lapses: int = 0
    held: dict[str, int] = {}  # contact id -> 1: offered or assigned and in the agent's court
    parked: dict[str, int] = {}  # contact id -> 1: owned, waiting on the customer or snoozed
    on_shift: bool = True  # by the agent's calendar
    shift_edge: int | None = None  # instant at which that changes next
    shift_began: int | None = None  # when it did, until they come or nobody waits for them any more
    available_since: int | None = None  # could be given work since then; None: cannot
    presence: dict[int, int] = {}  # slot -> ms in which the agent could be given work, but for the open span
    credited: dict[int, int] = {}  # slot -> ms of effort taken on
    working: int = 0  # contacts in their court
    attending: bool = False  # at work: on shift, and available or busy
    shared: int = 0  # a clock: ms of handling that each contact in their court has had
    shared_at: int = 0  # instant of that reading


class Learned(msgspec.Struct, kw_only=True):
    """What contacts of a topic and kind took: mean in ms, and how many were handled."""

    mean: int = 0
    count: int = 0


class Rhythm(msgspec.Struct, kw_only=True):
    """What is usual in a team at each time of day: ms of effort and of presence, by slot of the day, faded.

    `level`: how much busier the last hours were, of 10,000.
    """

    effort: list[int] = msgspec.field(default_factory=lambda: [0] * SLOTS)
    presence: list[int] = msgspec.field(default_factory=lambda: [0] * SLOTS)
    level: int = WHOLE


class Auto(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message that opened no contact."""

    message: str
    channel: str
    auto: str
    at: int


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Identities that became a customer's. `gone`: whose they were, "" if nobody's. `how`: proof | agent."""

    id: str
    at: int
    gone: str
    identities: tuple[str, ...]
    how: str
    agent: str = ""


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants, and since when."""

    at: int
    value: str


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody may be written to by a machine, since when, and by which channel they said so."""

    at: int
    given: bool
    channel: str


class Incident(msgspec.Struct, kw_only=True):
    """Far more is written of a topic than usual. `usual`: contacts in such an hour, of 100; `message`: what is told."""

    id: str
    topic: str
    began: int
    contacts: int
    usual: int
    look_at: int  # instant at which it is over, unless as many write
    message: str = ""
    agent: str = ""  # who wrote that


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deleted outside the engine: keys by name, and what messages said. It is redone until it is done.

    `done`: it is, and is remembered until all that was received before it is read, since some of that may be theirs.
    """

    at: int
    keys: tuple[str, ...]
    messages: tuple[str, ...]
    done: bool = False


class State(msgspec.Struct, kw_only=True):
    """Everything. `n` counts applied events and so is the number of the last record."""

    n: int = 0
    at: int = 0
    epoch: int = 0
    node: str = ""
    inbox: str = "0-0"  # the last inbox id that came in order
    version: str = ""
    workspace: Workspace = Workspace(name="")
    contacts: dict[str, Contact] = {}
    agents: dict[str, AgentState] = {}
    identities: dict[str, str] = {}  # keyed hash -> customer id
    last_agent: dict[str, str] = {}  # customer -> agent
    autos: dict[str, Auto] = {}
    deferred: dict[str, int] = {}  # message id -> at
    externals: dict[str, str] = {}  # see MessageRef.external: keyed hash of a message's own id -> message id
    quarantined: dict[str, str] = {}  # message id -> contact
    contacts_opened: int = 0
    customers_seen: int = 0
    offers_made: int = 0
    auto_answered: dict[str, int] = {}  # "answer customer" -> at, of the last 24 hours, oldest first
    auto_answers_sent: list[int] = []  # instants of those of the last hour
    auto_answers_off_until: int = 0  # there were too many
    bounces: list[int] = []  # instants of those of the last hour that show nothing of ours, as far as they are counted
    bounces_heeded_from: int = 0  # such ones opened the breaker, and cannot do so again until then
    bounced: dict[str, int] = {}  # "message recipient" -> at: those of the last hour that show a signature of ours
    bounce_storm_until: int = 0  # there were too many
    overflowing: dict[str, str] = {}  # team -> the team that helps it out now
    demand: dict[str, dict[int, int]] = {}  # scarce skill -> slot -> ms of handling asked for; for `reserve: auto`
    reserves: dict[str, int] = {}  # skill -> so many idle holders are kept for it now
    efforts: dict[str, Learned] = {}  # "topic kind", the topic "" where none is known -> what such contacts took
    rhythms: dict[str, Rhythm] = {}  # by team; for `look_ahead`
    blocked: dict[str, int] = {}  # keyed hash of who may open nothing -> since when; the oldest first
    erased: dict[str, int] = {}  # keyed hash -> how often it was erased: its keys are numbered
    erasing: dict[str, Erasure] = {}  # by the id of the entry that asked for it, oldest first
    links: dict[str, list[Link]] = {}  # by customer, oldest first
    links_made: int = 0
    proofs: dict[str, int] = {}  # digest of a signed link that was used -> at, oldest first
    going_on: dict[str, str] = {}  # keyed hash -> the contact in which it goes on from another channel
    languages: dict[str, Preference] = {}  # by keyed hash
    consents: dict[str, Consent] = {}  # by keyed hash
    tiers: dict[str, str] = {}  # keyed hash -> tier, as a program said
    tiers_seen: dict[str, str] = {}  # keyed hash -> tier, as the workspace had it when they wrote last
    rates: dict[str, dict[int, int]] = {}  # topic -> hour -> contacts opened, of eight days
    rates_since: int | None = None  # the first whole hour that was counted
    unattended: list[int] = []  # hours of eight days in half of which or more nobody led, in order
    incidents: dict[str, Incident] = {}  # those that are not over
    incidents_raised: int = 0
