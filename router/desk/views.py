"""What a desk shows, as typed values. Instants are ms since 1970 UTC; codes are stable, sentences are for people."""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is rendered."""


class Bar(View, frozen=True, kw_only=True):
    """How full an agent is. `kind` is a kind of contact, or `units` for the common measure."""

    kind: str
    label: str
    held: int
    limit: int


class Me(View, frozen=True, kw_only=True):
    """Whose desk it is."""

    id: str
    name: str
    team: str
    role: str
    status: str
    status_since: int
    skills: dict[str, int]
    capacity: tuple[Bar, ...]


class Row(View, frozen=True, kw_only=True):
    """A contact in a list. `who` is the customer as the message named them; `by` the agent who holds it, or "".

    `new`: the last word is the customer's, and it is the agent's turn.
    """

    id: str
    state: str
    channel: str
    kind: str
    who: str
    subject: str
    snippet: str
    topics: tuple[str, ...]
    language: str
    priority: str
    due: int | None
    opened_at: int
    last_at: int
    snoozed_until: int | None = None
    flag: str = ""
    by: str = ""
    new: bool = False
    moods: tuple[str, ...] = ()  # how the customer sounds


class OfferRow(View, frozen=True, kw_only=True):
    """A contact held for this agent from `at` until `until`."""

    offer: str
    at: int
    until: int
    contact: Row
    needs: tuple[str, ...]


class Done(View, frozen=True, kw_only=True):
    """What somebody did today; `first_seconds`: the median of their first answers, None if there was none."""

    answers: int
    resolved: int
    first_seconds: int | None


class DeskView(View, frozen=True, kw_only=True):
    """One agent's desk, whole. `n` is the journal record it stands on; `now` the server's clock."""

    n: int
    now: int
    workspace: str
    me: Me
    offers: tuple[OfferRow, ...]
    open: tuple[Row, ...]
    waiting_customer: tuple[Row, ...]
    snoozed: tuple[Row, ...]
    done: tuple[Row, ...]
    called: tuple[Row, ...]  # into which a colleague called them
    today: Done
    team: Done | None  # the median of those of the team who did anything today; None: nobody else did
    queue: int  # contacts that wait for anybody
    notice: str = ""  # stands over the whole desk: shadow mode
    more: dict[str, int] = {}  # by list: how many are not in it, for there are too many
    hold_ms: int = 0  # a page holds a reply back so long, to be undone
    files_max: int = 0  # that a reply may have
    files_bytes: int = 0  # that they may have in all


class Waiting(View, frozen=True, kw_only=True):
    """Contacts that wait, most urgent first. `more` were left out; `fits`: this agent has the skills."""

    n: int
    now: int
    rows: tuple[Row, ...]
    fits: tuple[str, ...]
    more: int


class FoundCustomer(View, frozen=True, kw_only=True):
    """A customer whose name or address was searched for, with the number of contacts among the hits."""

    customer: str
    name: str
    address: str
    contacts: int


class Found(View, frozen=True, kw_only=True):
    """What a search found. `more` were left out; `complete` False: ask again in a moment for what is still read in."""

    n: int
    now: int
    rows: tuple[Row, ...]
    customers: tuple[FoundCustomer, ...]
    more: int
    complete: bool


class History(View, frozen=True, kw_only=True):
    """A customer's contacts over all channels, newest first. `more` older ones, or not for this agent to see."""

    n: int
    now: int
    customer: str
    name: str
    addresses: tuple[str, ...]
    rows: tuple[Row, ...]
    more: int


class Party(View, frozen=True, kw_only=True):
    """One end of a message."""

    name: str
    address: str


class File(View, frozen=True, kw_only=True):
    """An attachment; fetched as a download only."""

    part: int
    name: str
    type: str
    size: int  # bytes
    inline: bool = False


class Item(View, frozen=True, kw_only=True):
    """One entry of a thread. `direction`: in | out | note. `gone`: its text was erased or cannot be read."""

    id: str
    direction: str
    at: int
    who: str
    mine: bool = False
    text: str = ""
    quoted: str = ""
    has_html: bool = False
    files: tuple[File, ...] = ()
    cc: tuple[Party, ...] = ()
    delivery: str = ""
    delivery_text: str = ""
    auto: str = ""
    warnings: tuple[str, ...] = ()
    gone: bool = False


class SavedReply(View, frozen=True, kw_only=True):
    """A saved reply, filled in for one contact. `fits`: it is for this topic or language; `open`: not filled."""

    name: str
    label: str
    text: str
    fits: bool
    open: tuple[str, ...]


class Earlier(View, frozen=True, kw_only=True):
    """Another contact of the same customer."""

    id: str
    channel: str
    state: str
    opened_at: int
    topics: tuple[str, ...]
    by: str


class Suggestion(View, frozen=True, kw_only=True):
    """A page that may answer it; `url` is the admin's."""

    title: str
    url: str


class Banner(View, frozen=True, kw_only=True):
    """Something to know before acting. `action`: let_in, or "" when there is nothing to press."""

    code: str
    text: str
    action: str = ""


class Topic(View, frozen=True, kw_only=True):
    """What it is about; `p` of 10,000. `chosen`: it counts as a topic of this contact, not just a possibility."""

    id: str
    label: str
    p: int
    chosen: bool = False


class LinkRow(View, frozen=True, kw_only=True):
    """Addresses that became this customer's. `how`: a sentence; `by`: the agent who said so, or ""."""

    id: str
    at: int
    how: str
    by: str
    addresses: int


class Wishes(View, frozen=True, kw_only=True):
    """What a customer wants. `language`: by its code, or ""; `consent`: whether a machine may write to them."""

    language: str = ""
    consent: bool | None = None
    consent_at: int = 0
    consent_channel: str = ""


class Card(View, frozen=True, kw_only=True):
    """A contact, whole: card and thread.

    `replies_to` are those who get a reply; `answers` is the message that says so, sent back with the reply so that
    nobody else gets it than was shown. `actions` are those that may be tried now.
    """

    n: int
    now: int
    contact: Row
    customer: str
    history: str
    earlier: tuple[Earlier, ...]
    requirement: tuple[str, ...]
    topics: tuple[Topic, ...]
    topics_said: bool  # a person said so
    banners: tuple[Banner, ...]
    items: tuple[Item, ...]
    replies_to: tuple[Party, ...]
    cc: tuple[Party, ...]
    answers: str
    replies_line: str
    signature: str  # put under each reply on this channel; "" = none
    actions: tuple[str, ...]
    articles: tuple[Suggestion, ...] = ()
    guest: bool = False  # was called in: what they write is a note
    offer: str = ""
    offer_at: int = 0
    offer_until: int = 0
    links: tuple[LinkRow, ...] = ()  # of addresses to this customer, newest first
    wishes: Wishes = Wishes()
    asked: bool = False  # whether it was all right
    score: int | None = None  # what the customer answered, 1 to 5


class Colleague(View, frozen=True, kw_only=True):
    """Somebody a contact may be transferred to. `able`: has the skills; `room`: could take one more now."""

    id: str
    name: str
    team: str
    status: str
    able: bool
    room: bool


class TeamRow(View, frozen=True, kw_only=True):
    """A team a contact may be transferred to."""

    id: str
    name: str
    members: int
    available: int


class People(View, frozen=True, kw_only=True):
    """Whom a contact may be handed to, the fittest first; and the topics it may be tagged with."""

    agents: tuple[Colleague, ...]
    teams: tuple[TeamRow, ...]
    topics: tuple[Topic, ...]


class Considered(View, frozen=True, kw_only=True):
    """One candidate of an explanation."""

    name: str
    rank: int
    why: str
    you: bool


class Why(View, frozen=True, kw_only=True):
    """Why this agent, or why nobody yet, in sentences."""

    headline: str
    sentences: tuple[str, ...]
    candidates: tuple[Considered, ...]
    ruled_out: tuple[str, ...]
    could: tuple[Colleague, ...] = ()  # of a contact that waits: who has the skills, and whether they have room


class Answer(View, frozen=True, kw_only=True):
    """What became of an action: `message` is one plain sentence; `entry` is the id of what was written with it."""

    ok: bool
    code: str
    message: str
    contact: str = ""
    entry: str = ""
