"""A small workspace in which much can go wrong, and the strategies that make its events."""

from __future__ import annotations

from router.core.values import (
    Agent,
    Assign,
    AutoAnswers,
    Escalation,
    Incidents,
    Overflow,
    Priority,
    Relax,
    Role,
    Rule,
    Sla,
    Team,
    Topic,
    When,
    Workspace,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_800_000_000_000  # an instant; the first shift begins here
KINDS = {"email": "email", "webchat": "chat", "telegram": "messaging"}  # channel -> kind
AGENTS = ("ana", "ben", "caz", "dot", "sue")
TOPICS = ("refund", "bags", "pets", "loyalty")
SHIFTS = tuple((START + day * 24 * HOUR, START + day * 24 * HOUR + 8 * HOUR) for day in range(60))

_AGENTS = {
    "ana": Agent(id="ana", team="emea", skills={"refunds": 4, "bags": 2, "lang:en": 5, "lang:es": 4},
                 capacity={"email": 2, "chat": 2, "messaging": 1}, units=3),
    "ben": Agent(id="ben", team="emea", skills={"refunds": 2, "lang:en": 5}, capacity={"email": 3}, calendar="day"),
    "caz": Agent(id="caz", team="amer", share=5_000, skills={"bags": 5, "lang:en": 4},
                 capacity={"email": 1, "chat": 3}),
    "dot": Agent(id="dot", team="push", skills={"refunds": 1, "bags": 1, "lang:en": 3},
                 capacity={"email": 2, "chat": 1, "messaging": 1}),
    "sue": Agent(id="sue", team="emea", role=Role.SUPERVISOR, skills={"lang:en": 5}, capacity={"email": 1}),
}  # fmt: skip

_RULES = (
    Rule(when=When(topic="refund"), require=(("refunds", 2),), prefer=(("bags", 1),),
         sla=Sla(first_response=30 * MINUTE, next_response=20 * MINUTE, resolution=8 * HOUR, calendar="day")),
    Rule(when=When(topic="bags"), require=(("bags", 1),), priority=Priority.HIGH,
         sla=Sla(first_response=5 * MINUTE, next_response=5 * MINUTE),
         escalate=(Escalation(share=9_000, notify="supervisors", priority=Priority.URGENT),
                   Escalation(share=5_000, widen=True), Escalation(share=12_000, reassign="amer"))),
    Rule(when=When(topic="pets"), require=(("pets", 1),)),
    Rule(when=When(topic="loyalty"), team="amer"),
    Rule(when=When(kind="chat"), sla=Sla(first_response=MINUTE)),
)  # fmt: skip


def workspace(variant: int = 0) -> Workspace:
    """Five variants.

    As it is; ben has left, wake-ups have little room, mail is left to who did least; ana has lost a skill and room,
    what is parked costs something; bags belong to another team, nobody is waited for, teams help each other and mail is
    left as in the second; usherd only looks on. Holders of `bags` are kept free in the first and fourth, of what turns
    out scarce in the third.
    """
    agents = dict(_AGENTS)
    rules: tuple[Rule, ...] = _RULES
    if variant == 1:
        del agents["ben"]
    if variant == 2:
        agents["ana"] = Agent(id="ana", team="emea", skills={"refunds": 1, "lang:en": 5}, capacity={"email": 1})
    if variant == 3:
        rules = (*_RULES, Rule(when=When(topic="bags"), team="push"))
    return Workspace(
        name="world",
        languages=("en", "es"),
        agents=agents,
        teams={
            "emea": Team(id="emea", overflow=Overflow(to="amer", at=3, until=1) if variant == 3 else None),
            "amer": Team(
                id="amer",
                strategy="longest-idle" if variant == 1 else "even",
                overflow=Overflow(to="emea", at=2, until=0) if variant in {1, 3} else None,
            ),
            "push": Team(id="push", assign=Assign.PUSH),
            "triage": Team(id="triage", members=("ana", "sue")),
        },
        calendars={"day": SHIFTS},
        topics={topic: Topic(id=topic, effort=(number + 1) * 4 * MINUTE) for number, topic in enumerate(TOPICS)},
        rules=rules,
        tiers={"gold": Priority.HIGH},
        unit_costs={"messaging": 2},
        accept_within={"chat": 45_000},
        sticky_wait=0 if variant == 3 else MINUTE,
        hand_back={"chat": 2 * MINUTE, "email": HOUR},
        relax=(Relax(after=10 * MINUTE, drop="prefer"), Relax(after=40 * MINUTE, lower=1),
               Relax(after=2 * HOUR, widen="team")),
        reopen_window=3 * 24 * HOUR,
        csat=("unless-refused", "if-agreed")[variant % 2],
        incidents=Incidents(contacts=2, times=1),
        auto_answers=AutoAnswers(kinds=("receipt", "out_of_hours", "queue"), per_hour=2 + variant),
        shadow=variant == 4,
        ramp=20 * MINUTE if variant in {0, 2} else 0,
        reserve={"bags": 1} if variant in {0, 3} else {},
        reserve_auto=variant == 2,
        even_out={"email": 15 * MINUTE} if variant in {1, 3} else {},
        parked_cost=2_500 if variant == 2 else 0,
        wake_margin=1 if variant in {1, 2} else None,
        utilisation_window=8 * HOUR if variant != 2 else 4 * HOUR,
        look_ahead=variant in {1, 2},
    )  # fmt: skip
