"""Makes the golden journal of the engine as it is: `python -m tests.golden.make`.

A golden journal is what an engine of some version wrote, and the hash of the state it came to. Every later usherd of
the same engine version must replay it to that hash; one with a newer engine must still be able to read it. The one in
`unreleased/` follows the engine until a release; then it is copied into a folder of the version's name, which nobody
changes any more, and the next change of the engine raises `ENGINE` in router/core/version.py.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from pathlib import Path

import msgspec

from router.core import events as e
from router.core.engine import Engine
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import Agent, Priority, Relax, Role, Rule, Sla, Status, Team, Topic, When, Workspace
from router.core.version import ENGINE
from router.shell.archive import to_line
from router.shell.journal import Drafted, Journal
from tests.support.memory_store import MemoryStore

FOLDER = Path(__file__).parent
UNRELEASED = FOLDER / "unreleased"
STEPS = 1_500
BEGIN_MS = 1_800_000_000_000
SKILLS = ("billing", "refunds", "baggage")
TOPICS = ("refund", "bags", "invoice")
SEED = 20_261_122


class Expected(msgspec.Struct, frozen=True):
    """What replaying a golden journal must give."""

    engine: int
    records: int
    state_hash: str


def workspace(change: int) -> Workspace:
    """A dozen agents in two teams; `change` gives them other skills."""
    agents = {}
    for number in range(12):
        name = f"agent-{number:02}"
        agents[name] = Agent(
            id=name,
            team=("front", "back")[number % 3 == 0],
            skills={
                SKILLS[number % 3]: 2 + (number + change) % 4,
                SKILLS[(number + 1) % 3]: 1 + number % 5,
                "lang:en": 5,
            },
            capacity={"email": 3, "chat": 2},
            units=4,
            role=Role.SUPERVISOR if number == 0 else Role.AGENT,
        )
    return Workspace(
        name="golden",
        agents=agents,
        teams={"front": Team(id="front"), "back": Team(id="back")},
        topics={name: Topic(id=name, effort=300_000 + 60_000 * place) for place, name in enumerate(TOPICS)},
        rules=(
            *(
                Rule(when=When(topic=topic), require=((skill, 2),), sla=Sla(first_response=1_800_000 * (1 + place)))
                for place, (topic, skill) in enumerate(zip(TOPICS, SKILLS, strict=True))
            ),
            Rule(when=When(mood="angry"), priority=Priority.HIGH),
        ),
        relax=(Relax(after=600_000, lower=1), Relax(after=1_200_000, widen="team")),
        unsure="back",
        reopen_window=86_400_000,
    )


class Story:
    """Chance, from a seed, decides what happens next; the engine decides what comes of it."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)
        self.engine = Engine()
        self.store = MemoryStore()
        self.journal = Journal(self.store)
        self.at = BEGIN_MS
        self.count = 0

    async def apply(self, event: e.Event) -> None:
        """One more record."""
        decisions = self.engine.apply(event)
        state = self.engine.state
        await self.journal.append([Drafted(state.n, event, decisions, state.version, state.inbox)], {}, wall=self.at)

    def entry(self) -> str:
        """The next inbox id."""
        self.count += 1
        return f"{self.at}-{self.count}"

    async def tell(self) -> None:
        """The whole of it: three leaders, two workspaces, and whatever chance brings."""
        for step in range(STEPS):
            if step % 600 == 0:
                await self.journal.fence(self.engine, node=f"n{step}", at=self.at, wall=self.at)
            if step % 900 == 0:
                await self.apply(e.WorkspaceChanged(at=self.at, version=f"v{step}", workspace=workspace(step)))
                for name in self.engine.state.workspace.agents:
                    await self.apply(e.StatusSet(at=self.at, agent=name, target=name, status=Status.AVAILABLE))
            self.at += self.chance.choice((1, 500, 5_000, 60_000, 900_000))
            timer = self.engine.next_timer()
            if timer is not None and timer <= self.at:
                await self.apply(e.TimePassed(at=self.at))
            if self.chance.random() < 0.35:
                await self.apply(self.message())
            else:
                await self.apply(self.command())
        self.at += 40 * 86_400_000
        while (timer := self.engine.next_timer()) is not None and timer <= self.at:
            await self.apply(e.TimePassed(at=max(timer, self.engine.state.at)))

    def message(self) -> e.Event:
        """Somebody writes: a mail or a chat, of one topic or another, now and then in a thread or by a machine."""
        name, chance = self.entry(), self.chance
        kind = chance.choice(("email", "email", "chat"))
        contacts = list(self.engine.state.contacts)
        return e.MessageReceived(
            at=self.at,
            inbox=name,
            message=name,
            channel="email" if kind == "email" else "webchat",
            kind=kind,
            account="help@acme.example",
            sender=f"{chance.randrange(200):032x}",
            thread=chance.choice(contacts) if contacts and chance.random() < 0.2 else None,
            topics=((chance.choice(TOPICS), chance.choice((9_500, 6_000, 3_000))),),
            language="en",
            effort=chance.choice(((), (), (14_000, 5_000, 30_000))),
            moods=("angry",) if chance.random() < 0.1 else (),
            auto="auto-reply" if chance.random() < 0.05 else None,
            model="golden",
            proves=f"{chance.randrange(200):032x}" if chance.random() < 0.1 else "",
            proof=name,
        )

    def command(self) -> e.Event:
        """An agent does something with some contact, mostly one of theirs."""
        chance, state = self.chance, self.engine.state
        contacts = list(state.contacts.values())
        agent = chance.choice(sorted(state.agents))
        if not contacts or chance.random() < 0.15:
            status = chance.choice((Status.AVAILABLE, Status.AVAILABLE, Status.BUSY, Status.AWAY, Status.OFFLINE))
            return e.StatusSet(at=self.at, inbox=self.entry(), agent=agent, target=agent, status=status)
        contact = chance.choice(contacts)
        if contact.offer is not None:
            return self.answer(contact, contact.offer.id, contact.offer.agent)
        if contact.state is ContactState.RESOLVED and chance.random() < 0.8:
            contact = chance.choice(contacts)
        return self.act(contact, contact.agent or agent)

    def answer(self, contact: Contact, offer: str, agent: str) -> e.Event:
        """An offer is accepted or declined."""
        if self.chance.random() < 0.8:
            return e.OfferAccepted(at=self.at, inbox=self.entry(), agent=agent, contact=contact.id, offer=offer)
        return e.OfferDeclined(at=self.at, inbox=self.entry(), agent=agent, contact=contact.id, offer=offer)

    def act(self, contact: Contact, agent: str) -> e.Event:
        """One of the things an agent can do with a contact."""
        name, chance, at, on = self.entry(), self.chance, self.at, contact.id
        acts: tuple[e.Event, ...] = (
            e.ReplyWritten(at=at, inbox=name, agent=agent, contact=on, message=f"r{name}"),
            e.ReplyWritten(at=at, inbox=name, agent=agent, contact=on, message=f"r{name}", resolve=True),
            e.ContactResolved(at=at, inbox=name, agent=agent, contact=on),
            e.NoteWritten(at=at, inbox=name, agent=agent, contact=on, message=f"n{name}"),
            e.TransferAsked(at=at, inbox=name, agent=agent, contact=on, to_team="back", message=f"n{name}"),
            e.ContactTaken(at=at, inbox=name, agent="agent-00", contact=on),
            e.ContactSnoozed(at=at, inbox=name, agent=agent, contact=on, until=at + 3_600_000),
            e.ContactWoken(at=at, inbox=name, agent=agent, contact=on),
            e.ContactReopened(at=at, inbox=name, agent=agent, contact=on),
            e.ContactRetagged(at=at, inbox=name, agent=agent, contact=on, topics=(TOPICS[len(name) % 3],)),
            e.PrioritySet(at=at, inbox=name, agent=agent, contact=on, priority=Priority.HIGH),
            e.IdentitiesLinked(
                at=at,
                inbox=name,
                agent="agent-00",
                contact=on,
                other=chance.choice(list(self.engine.state.contacts)),
                message=f"n{name}",
            ),
            e.LinkUndone(
                at=at,
                inbox=name,
                agent="agent-00",
                contact=on,
                link=f"l{self.engine.state.links_made}",
                message=f"n{name}",
            ),
            e.DeliveryReported(at=at, message=contact.messages[-1].id, contact=on, state="sent"),
        )
        return chance.choices(acts, (4, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2))[0]


def make(folder: Path) -> Expected:
    """Write a golden journal and what it must give."""
    story = Story()
    asyncio.run(story.tell())
    expected = Expected(ENGINE, len(story.store.rows), story.engine.state_hash())
    folder.mkdir(exist_ok=True)
    lines = b"".join(to_line(row) + b"\n" for row in story.store.rows)
    (folder / "journal.jsonl.gz").write_bytes(gzip.compress(lines, 9, mtime=0))
    (folder / "expected.json").write_bytes(msgspec.json.format(msgspec.json.encode(expected)) + b"\n")
    return expected


if __name__ == "__main__":
    print(make(UNRELEASED))  # noqa: T201
