"""The desk's ports in memory, over the real engine: what a desk and the web see, without store or process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import pydantic
from prometheus_client import CollectorRegistry, Counter

from router.core import events
from router.core.decisions import Refuse
from router.core.engine import Engine
from router.core.events import Event
from router.core.message import Address, Attachment, Message
from router.core.ports import Appended, InboxEntry
from router.core.state import Contact, State
from router.core.values import Agent, Role, Rule, Status, Team, Topic, When, Workspace
from router.desk.ports import Article, Changed, Directory, Display, Outcome, Person, Saved
from router.web.parts import Intake, TokenRecord, WebParts, WebSettings
from tests.fakes.rehearsing import Rehearsing

START = 1_790_000_000_000  # ms
MINUTE = 60_000
PEOPLE = {
    "ana": Person(id="ana", name="Ana Souza", email="ana@example.com", team="emea", signature="Ana Souza\nAcme Air"),
    "ben": Person(id="ben", name="Ben Okafor", email="ben@example.com", team="emea"),
    "eva": Person(id="eva", name="Eva Lindqvist", email="eva@example.com", team="triage"),
}
SAVED = (
    Saved(name="booking-code", text="Hello {customer}, which booking code?"),
    Saved(name="hallo", text="Hola {customer}", language="es"),
    Saved(name="underway", text="It is on its way: {reference}.\n\n{agent}", topics=("refund",), language="en"),
)
ARTICLES = (
    Article(title="Refunds, and when they come", url="https://ours.example/refunds", topics=("refund",)),
    Article(title="Reembolsos", url="https://ours.example/es/refunds", topics=("refund",), language="es"),
    Article(title="Lost bags", url="https://ours.example/bags", topics=("lost-baggage",)),
)
EVENT_OF: dict[str, type[msgspec.Struct]] = {
    "accept": events.OfferAccepted,
    "decline": events.OfferDeclined,
    "take": events.ContactTaken,
    "start": events.ContactStarted,
    "reply": events.ReplyWritten,
    "note": events.NoteWritten,
    "transfer": events.TransferAsked,
    "snooze": events.ContactSnoozed,
    "wake": events.ContactWoken,
    "resolve": events.ContactResolved,
    "reopen": events.ContactReopened,
    "retag": events.ContactRetagged,
    "priority": events.PrioritySet,
    "let_in": events.SenderLetIn,
    "merge": events.ContactsMerged,
    "call": events.ColleagueCalled,
    "leave": events.ColleagueLeft,
    "spam": events.SpamMarked,
    "unblock": events.SenderUnblocked,
    "link": events.IdentitiesLinked,
    "unlink": events.LinkUndone,
    "customer": events.CustomerDescribed,
    "incident": events.IncidentAnswered,
    "incident_end": events.IncidentEnded,
}


def workspace() -> Workspace:
    """Two agents and a supervisor; refunds, baggage, lost pets; English and Spanish."""
    agents = {
        "ana": Agent(
            id="ana",
            team="emea",
            skills={"refunds": 4, "baggage": 3, "lang:en": 4, "lang:es": 5},
            capacity={"email": 6, "chat": 3},
            units=8,
        ),
        "ben": Agent(id="ben", team="emea", skills={"baggage": 3, "lang:en": 5}, capacity={"email": 4, "chat": 2}),
        "eva": Agent(
            id="eva",
            team="triage",
            role=Role.SUPERVISOR,
            skills={"pets": 3, "lang:en": 5},
            capacity={"email": 2},
        ),
    }
    return Workspace(
        name="acme-air",
        languages=("en", "es"),
        agents=agents,
        teams={
            "emea": Team(id="emea", members=("ana", "ben")),
            "triage": Team(id="triage", members=("eva",)),
        },
        topics={name: Topic(id=name, effort=8 * MINUTE) for name in ("refund", "lost-baggage", "lost-pet")},
        rules=(
            Rule(when=When(topic="refund"), require=(("refunds", 2),)),
            Rule(when=When(topic="lost-baggage"), require=(("baggage", 2),)),
            Rule(when=When(topic="lost-pet"), require=(("pets", 2),)),
        ),
        accept_within_default=10 * MINUTE,
    )


class Names:
    """A `Directory` over `PEOPLE`."""

    def person(self, agent: str) -> Person | None:
        """From the list."""
        return PEOPLE.get(agent)

    def team(self, team: str) -> str:
        """In capitals."""
        return team.upper()

    def display(self) -> Display:
        """A fixed one."""
        return Display(name="Acme Air", timezone="Europe/Madrid", languages=("en", "es"))

    def saved(self) -> tuple[Saved, ...]:
        """From the list."""
        return SAVED

    def articles(self) -> tuple[Article, ...]:
        """From the list."""
        return ARTICLES


class HttpBody(pydantic.BaseModel):
    """What this fake's `POST /v1/messages` takes."""

    model_config = pydantic.ConfigDict(extra="forbid")
    text: str
    subject: str = ""


def http_entry(account: str, message: HttpBody, key: str) -> InboxEntry:
    """An inbox entry for `HttpBody`; refuses the word `forbidden`, as a channel may refuse what it cannot take."""
    if message.text == "forbidden":
        raise ValueError("such a text is not taken")
    body = message.model_dump_json().encode()
    return InboxEntry(source="http", key=f"{account} {key}".encode(), body=body, meta=b"{}", raw=body)


class Inbox:
    """Keeps what was appended. `error`, when set, is raised instead."""

    def __init__(self) -> None:
        self.entries: dict[bytes, tuple[str, InboxEntry]] = {}
        self.error: Exception | None = None

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """As the port says."""
        if self.error is not None:
            raise self.error
        answers = []
        for entry in entries:
            known = self.entries.get(entry.key)
            if known is None:
                name = f"{len(self.entries) + 1}-0"
                self.entries[entry.key] = (name, entry)
                answers.append(Appended(name))
            else:
                same = known[1].body == entry.body
                answers.append(Appended(known[0], duplicate=same, conflict=not same))
        return answers


class Credentials:
    """Tokens and used links in memory."""

    def __init__(self) -> None:
        self.records: list[TokenRecord] = []
        self.spent: dict[str, int] = {}
        self.over: dict[str, int] = {}

    async def tokens(self) -> list[TokenRecord]:
        """All."""
        return self.records

    async def add_token(self, record: TokenRecord) -> None:
        """Keep it."""
        self.records.append(record)

    async def spend(self, link: str, until: int) -> bool:
        """True once."""
        if link in self.spent:
            return False
        self.spent[link] = until
        return True

    async def end(self, session: str, until: int) -> None:
        """Remember it."""
        self.over[session] = until

    async def ended(self, session: str) -> bool:
        """Whether it is remembered."""
        return session in self.over


class House:
    """Source, texts, commands and operations of one workspace, over one engine. `now` is ms and only moves by hand."""

    def __init__(self, now: int = START) -> None:
        self.now = now
        self.clock: Callable[[], int] = lambda: self.now
        self.engine = Engine()
        self.names: Directory = Names()
        self.written: dict[str, Message] = {}
        self.files: dict[tuple[str, int], tuple[str, str, bytes]] = {}
        self.kept: dict[str, tuple[str, str, str, bytes]] = {}  # of agents, by id
        self.inbox = Inbox()
        self.credentials = Credentials()
        self.acted: dict[str, Outcome] = {}
        self.acts: list[tuple[str, str, dict[str, object]]] = []
        self.act_error: Exception | None = None
        self.act_gate: asyncio.Event | None = None
        self.stopping = False
        self.rehearsing = Rehearsing()
        self._callbacks: list[Callable[[Changed], None]] = []
        self._serial = 0
        self.apply(events.WorkspaceChanged(at=now, version="1", workspace=workspace()))

    # -- the ports -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The engine's."""
        return self.engine.state

    async def settled(self) -> State:
        """Always: what is applied here stands."""
        return self.engine.state

    def utilisation(self, agent: str) -> int:
        """A third, for those who exist."""
        return 3_300 if agent in self.state.agents else 0

    def subscribe(self, callback: Callable[[Changed], None]) -> Callable[[], None]:
        """Called after each applied event."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def messages(self, ids: list[str]) -> Mapping[str, Message]:
        """Those that are known."""
        return {name: self.written[name] for name in ids if name in self.written}

    async def attachment(self, message: str, part: int) -> tuple[str, str, bytes]:
        """From `files`."""
        return self.files[message, part]

    async def act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Outcome:
        """Once per key, through the engine."""
        if self.act_error is not None:
            raise self.act_error
        if self.act_gate is not None:
            await self.act_gate.wait()
        if key not in self.acted:
            self.acts.append((agent, action, fields))
            self.acted[key] = self._act(agent, action, fields)
        return self.acted[key]

    def _act(self, agent: str, action: str, fields: dict[str, object]) -> Outcome:
        known = {name: value for name, value in fields.items() if name not in {"text", "answers", "cc", "files"}}
        at, contact = self.clock(), str(fields.get("contact", ""))
        event: msgspec.Struct
        if action == "tried":
            return Outcome(ok=False, code="not-on-roster", detail=f"{agent} {fields['reason']}")
        if action == "status":
            target = str(fields.get("target") or agent)
            event = events.StatusSet(at=at, agent=agent, status=Status(str(fields["status"])), target=target)
        else:
            text = str(fields.get("text", ""))
            if action == "start":
                contact = f"a{self._serial + 1}-0"
                known |= {"contact": contact, "recipient": f"hash-of-{fields['to']}", "channel": "email"}
                known |= {"kind": "email", "account": ""}
            enclosed: tuple[str, ...] = tuple(fields.get("files", ()))  # type: ignore[arg-type]
            if text or enclosed:
                known["message"] = self._write(agent, text, tuple(fields.get("cc", ())))  # type: ignore[arg-type]
            self._enclose(str(known.get("message", "")), enclosed)
            if action == "start":
                self._address(str(known["message"]), str(fields["to"]), str(fields["subject"]))
            event = msgspec.convert({"at": at, "agent": agent, **known}, EVENT_OF[action])
        for decision in self.apply(event):  # type: ignore[arg-type]
            if isinstance(decision, Refuse):
                return Outcome(ok=False, code=decision.code, detail=decision.detail, contact=contact)
        return Outcome(ok=True, contact=contact, entry=str(known.get("message", "")))

    def _write(self, agent: str, text: str, cc: tuple[str, ...] = ()) -> str:
        name = self._name()
        self.written[name] = Message(
            channel="email",
            from_=Address(address=f"{agent}@acme.example"),
            cc=tuple(Address(address=one) for one in cc),
            text=text,
        )
        return name

    async def keep(self, contact: str, name: str, content_type: str, content: bytes) -> str:
        """A file that an agent sends, by the name its reply will have."""
        if self.act_gate is not None:
            await self.act_gate.wait()
        if not content:
            raise ValueError
        identifier = f"file-{len(self.kept) + 1}"
        self.kept[identifier] = (contact, name, content_type, content)
        return identifier

    async def keep_for(self, address: str, name: str, content_type: str, content: bytes) -> str:
        """A file of a letter."""
        return await self.keep(f"to {address}", name, content_type, content)

    def _enclose(self, message: str, ids: tuple[str, ...]) -> None:
        for part, identifier in enumerate(ids):
            _, name, kind, content = self.kept[identifier]
            self.files[message, part] = (name, kind, content)
            one = Attachment(filename=name, content_type=kind, size=len(content), sha256="", part=part)
            self.written[message].attachments += (one,)

    def _address(self, message: str, to: str, subject: str) -> None:
        written = self.written[message]
        written.to, written.subject = (Address(address=to),), subject

    async def measured(self) -> dict[str, object]:
        """Little."""
        return self.status()

    def status(self) -> dict[str, object]:
        """The same."""
        return {"node": "n1", "problems": []}

    async def explain(self, contact: str, *, full: bool) -> dict[str, object]:
        """From the engine as it stands."""
        found, made = self.state.contacts[contact], self.engine.explain(contact)
        return {
            "contact": contact,
            "decision": "offer" if found.offer else "waiting",
            "agent": found.offer.agent if found.offer else found.agent,
            "deciding": made.deciding or "the only one",
            "candidates": [msgspec.to_builtins(one) for one in made.candidates],
            "ruled_out": dict(made.ruled_out),
            "relaxation": made.relaxation,
            "sticky": made.sticky,
        }

    async def quarantine(self, message: str | None = None) -> dict[str, object]:
        """What the state holds."""
        if message is None:
            return {"quarantine": [{"id": one} for one in self.state.quarantined]}
        return {"id": message, "contact": self.state.quarantined[message]}

    async def retry(self, message: str) -> dict[str, object]:
        """Says so."""
        return {"id": message, "contact": self.state.quarantined[message], "queued": True}

    # -- what happens ----------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> tuple[msgspec.Struct, ...]:
        """Have the engine decide, and tell everybody what changed."""
        decisions = self.engine.apply(event)
        changed = Changed(
            contacts=tuple(
                dict.fromkeys(
                    [
                        *_named((event, *decisions), "contact", "into"),
                        *(contact for made in decisions for contact in getattr(made, "contacts", ())),
                    ]
                )
            ),
            agents=tuple(dict.fromkeys(_named((event, *decisions), "agent", "target"))),
            everything=isinstance(event, events.WorkspaceChanged | events.CustomerErased | events.ClockJumped),
        )
        for callback in tuple(self._callbacks):
            callback(changed)
        return decisions

    def available(self, *agents: str) -> None:
        """Set these available."""
        for agent in agents:
            self.apply(events.StatusSet(at=self.clock(), agent=agent, target=agent, status=Status.AVAILABLE))

    def mail(  # noqa: PLR0913 - what a mail can have
        self,
        text: str,
        *,
        sender: str = "Carla Gómez <carla@example.org>",
        subject: str = "Refund for my flight",
        topic: str = "refund",
        p: int = 9_200,
        channel: str = "email",
        thread: str | None = None,
        html: str = "",
        cc: tuple[str, ...] = (),
        files: tuple[tuple[str, str, bytes], ...] = (),
    ) -> Contact:
        """A customer writes; what follows a line `> ` is quoted. Gives the contact that the message stands in."""
        name = self._name()
        text, _, quoted = text.partition("\n> ")
        display, _, address = sender.rpartition(" <")
        address = address.rstrip(">")
        self.written[name] = Message(
            channel=channel,
            from_=Address(address=address, name=display),
            cc=tuple(Address(address=one) for one in cc),
            subject=subject,
            text=text,
            quoted=quoted,
            html=html,
            message_id=f"{name}@example.org",
            attachments=tuple(
                Attachment(filename=title, content_type=kind, size=len(content), sha256="0" * 64, part=part)
                for part, (title, kind, content) in enumerate(files, 1)
            ),
        )
        for part, (title, kind, content) in enumerate(files, 1):
            self.files[name, part] = (title, kind, content)
        self.apply(
            events.MessageReceived(
                at=self.clock(),
                inbox=name,
                message=name,
                channel=channel,
                kind="chat" if channel == "webchat" else "email",
                account="help@acme.example",
                sender=f"hash-of-{address}",
                thread=thread,
                language="en",
                topics=((topic, p),),
            )
        )
        return self.state.contacts[self.engine.index.place[name]]

    def report(self, contact: str, message: str, state: str) -> None:
        """How an answer fares."""
        self.apply(events.DeliveryReported(at=self.clock(), message=message, contact=contact, state=state))

    def tick(self) -> None:
        """Timers that are due fire."""
        self.apply(events.TimePassed(at=self.clock()))

    def _name(self) -> str:
        self._serial += 1
        return f"{self._serial}-0"

    def parts(self, **changes: object) -> WebParts:
        """All of it for `create_app`."""
        registry = CollectorRegistry()
        Counter("usherd_received", "Messages received", registry=registry).inc(3)
        given: dict[str, object] = {
            "source": self,
            "texts": self,
            "commands": self,
            "operations": self,
            "enclosures": self,
            "inbox": self.inbox,
            "credentials": self.credentials,
            "secret": b"s" * 32,
            "intake": Intake(model=HttpBody, entry=http_entry),
            "local_token": "local-admin-token",
            "settings": WebSettings(push_seconds=0.01, queue_seconds=0.01, act_seconds=5.0, hold_seconds=0),
            "metrics": registry,
            "stopping": lambda: self.stopping,
            "rehearsing": self.rehearsing,
            "clock": lambda: self.clock(),  # noqa: PLW0108  # a test may set another one later
            **changes,
        }
        return WebParts(**given)  # type: ignore[arg-type]


def _named(items: tuple[object, ...], *names: str) -> list[str]:
    found = [getattr(item, name, "") for item in items for name in names]
    return [one for one in found if one]
