"""A day at a support desk from a seed: a random workspace, random people and everything they may do, all audited.

It uses nothing but a seeded generator, so that a seed gives the same events on every machine. Run as a program it
prints the state hash of each seed given, for another process or another Python to compare.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import msgspec

from router.core import events as e
from router.core.engine import Engine
from router.core.invariants import Auditor, check_idle, check_state
from router.core.state import State
from router.core.transitions import ContactState
from router.core.values import (
    Agent,
    Assign,
    Escalation,
    Overflow,
    Priority,
    Relax,
    Role,
    Rule,
    Sla,
    Status,
    Team,
    Topic,
    When,
    Workspace,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.core.state import Contact

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_800_000_000_000
TEAMS = ("blue", "green")
SKILLS = ("refunds", "bags", "rare")
CHANNELS = {"email": "email", "webchat": "chat"}
SHIFTS = {
    "early": tuple((START + day * 24 * HOUR, START + (day * 24 + 8) * HOUR) for day in range(9)),
    "late": tuple((START + (day * 24 + 4) * HOUR, START + (day * 24 + 12) * HOUR) for day in range(9)),
}


def workspace(chance: random.Random) -> Workspace:
    """Four to nine agents in two teams, with whatever may be set set at random."""
    agents = {}
    for number in range(chance.randint(4, 9)):
        skills = {skill: chance.randint(1, 4) for skill in SKILLS if chance.random() < 0.6}
        agents[f"a{number}"] = Agent(
            id=f"a{number}",
            team=chance.choice(TEAMS),
            role=Role.SUPERVISOR if number == 0 else Role.AGENT,
            skills={**skills, "lang:en": chance.randint(0, 5)},
            capacity={"email": chance.randint(0, 4), "chat": chance.randint(0, 2)},
            units=chance.choice([None, 3, 5]),
            share=chance.choice([10_000, 5_000]),
            calendar=chance.choice([None, None, "early", "late"]),
        )
    overflow = Overflow(to="green", at=3, until=1) if chance.random() < 0.5 else None
    teams = {
        "blue": Team(id="blue", assign=Assign.PUSH, overflow=overflow),
        "green": Team(id="green", strategy=chance.choice(["even", "longest-idle"])),
        "triage": Team(id="triage", members=("a0",)),
    }
    return Workspace(
        name="day",
        agents=agents,
        teams=teams,
        calendars=SHIFTS,
        topics={skill: Topic(id=skill, effort=chance.randint(2, 20) * MINUTE) for skill in SKILLS},
        rules=tuple(_rule(chance, skill) for skill in SKILLS),
        unit_costs={"chat": chance.choice([1, 2])},
        away_after_lapses=chance.randint(1, 3),
        sticky_wait=chance.choice([0, MINUTE]),
        hand_back={"chat": 2 * MINUTE, "email": HOUR},
        relax=(Relax(after=5 * MINUTE, drop="prefer"), Relax(after=20 * MINUTE, lower=1),
               Relax(after=HOUR, widen="team"))[: chance.randint(0, 3)],
        reserve=chance.choice([{}, {"rare": 1}]),
        reserve_auto=chance.random() < 0.3,
        parked_cost=chance.choice([0, 5_000]),
        wake_margin=chance.choice([None, 1]),
        ramp=chance.choice([0, 15 * MINUTE]),
        even_out=chance.choice([{}, {}, {"email": 10 * MINUTE}]),
        reopen_window=6 * HOUR,
        look_ahead=chance.random() < 0.5,
    )  # fmt: skip


def _rule(chance: random.Random, skill: str) -> Rule:
    return Rule(
        when=When(topic=skill),
        require=((skill, chance.randint(1, 3)),),
        prefer=((chance.choice(SKILLS), 2),) if chance.random() < 0.4 else (),
        team=chance.choice([None, *TEAMS]),
        priority=chance.choice([None, Priority.HIGH]),
        sla=Sla(first_response=chance.randint(1, 60) * MINUTE, calendar=chance.choice([None, "early"])),
        escalate=(Escalation(share=8_000, widen=True),) if chance.random() < 0.4 else (),
    )


class Day:
    """One seeded run: every event is audited, and a second engine, rebuilt at times, must agree."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.engine, self.other = Engine(), Engine(scan_from=0)
        self.auditor = Auditor()
        self.at = START
        self.seq = 0

    def run(self, steps: int) -> str:
        """So many things happen; gives the state hash at the end. Raises AssertionError where an oracle is broken."""
        self.apply(e.WorkspaceChanged(at=self.at, version="v0", workspace=workspace(self.chance)))
        for name in self.engine.state.workspace.agents:
            if self.chance.random() < 0.7:
                self.apply(e.StatusSet(at=self.at, agent=name, status=Status.AVAILABLE))
        for _ in range(steps):
            self.chance.choice(self.deeds())()
            self.pass_time(self.chance.choice([0, 0, 1, 500, 20_000, MINUTE, 7 * MINUTE, 40 * MINUTE]))
            if self.chance.random() < 0.03:
                self.other = Engine(
                    msgspec.json.decode(msgspec.json.encode(self.engine.state), type=State), scan_from=0
                )
        assert self.engine.state_hash() == self.other.state_hash(), self.seed
        return self.engine.state_hash()

    def deeds(self) -> list[Callable[[], None]]:
        """What may happen next, the usual things more often."""
        usual = [self.write, self.write, self.write, self.answer, self.answer, self.finish, self.accept]
        return [*usual, self.decline, self.take, self.transfer, self.snooze, self.status, self.status, self.reload]

    def apply(self, event: e.Event) -> None:
        """To both engines; the auditor judges."""
        made = self.engine.apply(event)
        assert made == self.other.apply(event), self.seed
        assert self.auditor.observe(event, made, self.engine.state) == [], self.seed
        assert check_state(self.engine.state) == [], self.seed
        due = self.engine.next_timer()
        assert due == self.other.next_timer(), self.seed
        if due is None or due > self.engine.state.at:
            assert check_idle(self.engine.state) == [], self.seed

    def pass_time(self, span: int) -> None:
        """Timers fire at their instants, or now and then all late."""
        until = self.at + span
        late = self.chance.random() < 0.05
        while not late and (due := self.engine.next_timer()) is not None and due <= until:
            self.apply(e.TimePassed(at=due))
        self.at = until
        self.apply(e.TimePassed(at=self.at))

    def some(self, *states: ContactState) -> Contact | None:
        """Some contact in one of the states."""
        found = [contact for contact in self.engine.state.contacts.values() if contact.state in states]
        return self.chance.choice(found) if found else None

    def inbox(self) -> str:
        """The next inbox id."""
        self.seq += 1
        return f"{self.at}-{self.seq}"

    def write(self) -> None:
        """A customer writes, a new one or one of few."""
        message, channel = self.inbox(), self.chance.choice(list(CHANNELS))
        old = self.some(*ContactState) if self.chance.random() < 0.3 else None
        sender = self.chance.choice(["p1", "p2", "p3", f"q{self.seq}"])
        self.apply(
            e.MessageReceived(
                at=self.at, inbox=message, message=message, channel=channel, kind=CHANNELS[channel], account="a",
                sender=old.participants[0] if old is not None and old.participants else sender,
                thread=None if old is None else old.id,
                topics=((self.chance.choice(SKILLS), self.chance.choice([9_000, 9_000, 2_000])),),
                language=self.chance.choice(["en", None]),
            )
        )  # fmt: skip

    def answer(self) -> None:
        """An owner answers, perhaps for the last time."""
        contact = self.some(ContactState.ASSIGNED, ContactState.WAITING_CUSTOMER)
        if contact is not None:
            message, last = self.inbox(), self.chance.random() < 0.4
            self.apply(
                e.ReplyWritten(
                    at=self.at, inbox=message, agent=contact.agent or "", contact=contact.id, message=message,
                    resolve=last,
                )
            )  # fmt: skip

    def finish(self) -> None:
        """An owner is done."""
        contact = self.some(ContactState.ASSIGNED, ContactState.WAITING_CUSTOMER, ContactState.SNOOZED)
        if contact is not None and contact.agent is not None:
            self.apply(e.ContactResolved(at=self.at, agent=contact.agent, contact=contact.id))

    def accept(self) -> None:
        """Whoever is asked accepts."""
        contact = self.some(ContactState.OFFERED)
        if contact is not None and contact.offer is not None:
            offer = contact.offer
            self.apply(e.OfferAccepted(at=self.at, agent=offer.agent, contact=contact.id, offer=offer.id))

    def decline(self) -> None:
        """Whoever is asked declines."""
        contact = self.some(ContactState.OFFERED)
        if contact is not None and contact.offer is not None:
            offer = contact.offer
            self.apply(e.OfferDeclined(at=self.at, agent=offer.agent, contact=contact.id, offer=offer.id))

    def take(self) -> None:
        """The supervisor takes something."""
        contact = self.some(*ContactState)
        if contact is not None:
            self.apply(e.ContactTaken(at=self.at, agent="a0", contact=contact.id))

    def transfer(self) -> None:
        """An owner hands over, to a team, a person or whoever is best."""
        contact = self.some(ContactState.ASSIGNED)
        if contact is not None and contact.agent is not None:
            to = self.chance.choice([{}, {"to_team": "green"}, {"to_agent": "a1"}])
            self.apply(e.TransferAsked(at=self.at, agent=contact.agent, contact=contact.id, **to))

    def snooze(self) -> None:
        """An owner puts something aside."""
        contact = self.some(ContactState.ASSIGNED, ContactState.WAITING_CUSTOMER)
        if contact is not None and contact.agent is not None:
            until = self.at + self.chance.choice([MINUTE, HOUR])
            self.apply(e.ContactSnoozed(at=self.at, agent=contact.agent, contact=contact.id, until=until))

    def status(self) -> None:
        """Somebody comes or goes."""
        name = self.chance.choice(list(self.engine.state.workspace.agents))
        status = self.chance.choice([Status.AVAILABLE, Status.AVAILABLE, *Status])
        self.apply(e.StatusSet(at=self.at, agent=name, status=status))

    def reload(self) -> None:
        """Rarely, another workspace comes into force: agents, skills, topics and teams come and go."""
        if self.chance.random() < 0.2:
            changed = workspace(self.chance)
            keep = [skill for skill in SKILLS if self.chance.random() < 0.8]
            topics = {name: topic for name, topic in changed.topics.items() if name in keep}
            rules = tuple(rule for rule in changed.rules if rule.when.topic in keep)
            changed = msgspec.structs.replace(changed, topics=topics, rules=rules)
            self.apply(e.WorkspaceChanged(at=self.at, version=f"v{self.seq}", workspace=changed))


def main() -> None:
    """Print the state hash of each seed given."""
    for seed in sys.argv[1:]:
        sys.stdout.write(Day(int(seed)).run(60) + "\n")


if __name__ == "__main__":
    main()
