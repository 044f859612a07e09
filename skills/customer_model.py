"""What a workspace says of customers: tiers, where else they may go on, what they are asked, when many write."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from router.core.values import Priority
from skills.channel_model import HookSecret, HookUrl
from skills.part import ChannelPart
from skills.placeholders import only
from skills.scalars import Duration, Email, Language, Listed, Name, Words

Invitation = Annotated[Words, only("chat", "telegram")]
Question = Annotated[Words, only("reference")]
Customer = Annotated[str, StringConstraints(pattern=r"^[^\s@]*@?[^\s@]+$", to_lower=True, max_length=320)]


class MatchConfig(ChannelPart):
    """Which customers belong to a tier."""

    domain: Annotated[tuple[str, ...], Listed] = ()
    """Domains of their e-mail addresses."""
    address: Annotated[tuple[Email, ...], Listed] = ()
    """Single e-mail addresses."""


class TierConfig(ChannelPart):
    """A class of customers."""

    match: MatchConfig = MatchConfig()
    """Who belongs to it."""
    priority: Priority = Priority.NORMAL
    """The priority their contacts begin with."""


class LookupConfig(ChannelPart):
    """A program that is asked of which tier somebody is, when they write."""

    url: HookUrl
    """Where it is asked, by POST: https://crm.example.com/tier."""
    secret: HookSecret
    """What signs each request, so that the program knows it is ours: ${NAME} or file:PATH."""
    wait: Annotated[Duration, Field(le=2_000)] = 300
    """So long routing waits for an answer; what comes later counts for the customer's next contact."""
    keep: Annotated[Duration, Field(ge=1_000)] = 3_600_000
    """So long an answer counts before it is asked again."""


class CustomersConfig(ChannelPart):
    """What is known of customers beforehand."""

    tiers: dict[Name, TierConfig] = Field(default_factory=dict)
    """Classes of customers; the first that matches counts."""
    list: Annotated[str, StringConstraints(pattern=r"^[\w-][\w./-]*\.csv$")] | None = None
    """A CSV file in this folder, with the columns `customer` (an address, or a domain) and `tier`."""
    listed: dict[Customer, Name] = Field(default_factory=dict)
    """The same here: address or domain → tier. An address counts before a domain."""
    lookup: LookupConfig | None = None
    """A program of yours that knows it: what it answers counts before the list."""
    invite: dict[Language, Invitation] = Field(default_factory=dict)
    """By language, what stands under each mailed answer: {chat} and {telegram} are links by which the customer goes on
    there as themselves. A line whose link there is none for is left out."""


class CsatConfig(ChannelPart):
    """One question once a contact is resolved; it is off until it has a text."""

    question: dict[Language, Question] = Field(default_factory=dict)
    """By language; five answers from bad to good are put below it. {reference} is the contact's."""
    ask: Literal["unless-refused", "if-agreed"] = "unless-refused"
    """Whom: everybody who has not refused messages of a machine, or only who has agreed to them."""


class IncidentsConfig(ChannelPart):
    """A topic of which far more is written than usual."""

    contacts: Annotated[int, Field(ge=0, le=100_000)] = 10
    """At least so many contacts of the topic in an hour; 0: incidents are off."""
    times: Annotated[int, Field(ge=1, le=1_000)] = 3
    """…and more than so many times the usual for that hour of the day."""
