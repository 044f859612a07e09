"""An engine on a small stage: agents, rules, and one line for each thing that can happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.invariants import Auditor, check_state
from router.core.values import Agent, Assign, Role, Rule, Sla, Status, Team, Topic, When, Workspace

if TYPE_CHECKING:
    from router.core.decisions import Decision
    from router.core.state import Contact

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
T0 = 1_800_000_000_000

D = TypeVar("D")


def agent(name: str, team: str = "front", **more: Any) -> Agent:
    """An agent who takes two mails, two chats and a message, unless told otherwise."""
    more.setdefault("capacity", {"email": 2, "chat": 2, "messaging": 1})
    return Agent(id=name, team=team, **more)


def desk(*agents: Agent, **more: Any) -> Workspace:
    """A workspace of these agents with one topic, `refund`, that takes the skill `refunds` at 2."""
    more.setdefault(
        "topics", {"refund": Topic(id="refund", effort=8 * MINUTE), "bags": Topic(id="bags", effort=MINUTE)}
    )
    more.setdefault("rules", (Rule(when=When(topic="refund"), require=(("refunds", 2),)),))
    more.setdefault("teams", {"front": Team(id="front"), "back": Team(id="back")})
    more.setdefault("sla", Sla(first_response=8 * HOUR, next_response=8 * HOUR))
    more.setdefault("unsure", "nobody")
    return Workspace(name="desk", agents={one.id: one for one in agents}, **more)


def pushing(*agents: Agent, **more: Any) -> Workspace:
    """The same, where nobody is asked first."""
    return desk(*agents, teams={"front": Team(id="front", assign=Assign.PUSH)}, **more)


class Scene:
    """Drives one engine; the auditor watches each step."""

    def __init__(self, workspace: Workspace, *, away: tuple[str, ...] = ()) -> None:
        self.engine = Engine()
        self.auditor = Auditor()
        self.at = T0
        self.seq = 0
        self.last: tuple[Decision, ...] = ()
        self.apply(e.WorkspaceChanged(at=self.at, version="v1", workspace=workspace))
        for name in workspace.agents:
            if name not in away:
                self.status(name, Status.AVAILABLE)

    def apply(self, event: e.Event) -> tuple[Decision, ...]:
        """Apply an event; the auditor must find nothing wrong."""
        self.last = self.engine.apply(event)
        assert self.auditor.observe(event, self.last, self.engine.state) == []
        assert check_state(self.engine.state) == []
        return self.last

    def one(self, kind: type[D]) -> D:
        """The one decision of that kind in the last record."""
        (found,) = [decision for decision in self.last if isinstance(decision, kind)]
        return found

    def none(self, kind: type[Any]) -> bool:
        """Whether the last record has no decision of that kind."""
        return not any(isinstance(decision, kind) for decision in self.last)

    def refused(self) -> str:
        """The code of a refused command, which did nothing else."""
        (only,) = self.last
        assert isinstance(only, d.Refuse)
        return only.code

    def contact(self, name: str) -> Contact:
        """A contact of the state."""
        return self.engine.state.contacts[name]

    def wait(self, span: int) -> None:
        """Let time pass, each timer at its instant."""
        until = self.at + span
        while (due := self.engine.next_timer()) is not None and due <= until:
            self.at = max(self.at, due)
            self.apply(e.TimePassed(at=self.at))
        self.at = until

    def mail(self, sender: str = "p1", topic: str | None = "refund", **more: Any) -> str:
        """A message comes in; returns the contact that has it now, or "" if it is on the auto list."""
        self.seq += 1
        more.setdefault("message", f"{self.at}-{self.seq}")
        more.setdefault("inbox", more["message"])
        more.setdefault("channel", "email")
        more.setdefault("kind", "email")
        more.setdefault("account", "help")
        more.setdefault("topics", () if topic is None else ((topic, 9_000),))
        self.apply(e.MessageReceived(at=self.at, sender=sender, **more))
        return self.engine.index.place.get(more["message"], "")

    def chat(self, sender: str = "p1", topic: str | None = "refund", **more: Any) -> str:
        """A chat message comes in."""
        return self.mail(sender, topic, channel="webchat", kind="chat", **more)

    def status(self, name: str, status: Status, by: str = "") -> None:
        """An agent sets a status."""
        self.apply(e.StatusSet(at=self.at, agent=by or name, target=name, status=status))

    def accept(self, contact: str, name: str | None = None) -> None:
        """Whoever is offered it accepts, or somebody else tries."""
        offer = self.contact(contact).offer
        who = name or (offer.agent if offer else "ana")
        self.apply(e.OfferAccepted(at=self.at, agent=who, contact=contact, offer=offer.id if offer else "o0"))

    def decline(self, contact: str, name: str | None = None) -> None:
        """Whoever is offered it declines, or somebody else tries."""
        offer = self.contact(contact).offer
        who = name or (offer.agent if offer else "ana")
        self.apply(e.OfferDeclined(at=self.at, agent=who, contact=contact, offer=offer.id if offer else "o0"))

    def reply(self, contact: str, name: str = "ana", *, resolve: bool = False) -> str:
        """An agent answers; returns the message's id."""
        self.seq += 1
        self.apply(e.ReplyWritten(at=self.at, agent=name, contact=contact, message=f"r{self.seq}", resolve=resolve))
        return f"r{self.seq}"

    def start(self, contact: str = "a1", name: str = "ana", to: str = "p1", **more: Any) -> None:
        """An agent writes to a customer first."""
        self.seq += 1
        more.setdefault("message", f"s{self.seq}")
        self.apply(
            e.ContactStarted(
                at=self.at, agent=name, contact=contact, channel="email", kind="email", account="", recipient=to, **more
            )
        )

    def resolve(self, contact: str, name: str = "ana") -> None:
        """An agent is done."""
        self.apply(e.ContactResolved(at=self.at, agent=name, contact=contact))

    def take(self, contact: str, name: str = "ana") -> None:
        """An agent claims a contact."""
        self.apply(e.ContactTaken(at=self.at, agent=name, contact=contact))

    def snooze(self, contact: str, span: int, name: str = "ana") -> None:
        """An agent puts a contact aside."""
        self.apply(e.ContactSnoozed(at=self.at, agent=name, contact=contact, until=self.at + span))

    def transfer(self, contact: str, name: str = "ana", **to: Any) -> None:
        """An agent hands a contact over."""
        self.apply(e.TransferAsked(at=self.at, agent=name, contact=contact, **to))

    def reload(self, workspace: Workspace) -> None:
        """Another workspace comes into force."""
        self.apply(e.WorkspaceChanged(at=self.at, version="v2", workspace=workspace))


ANA = agent("ana", skills={"refunds": 4, "lang:en": 5})
BEN = agent("ben", skills={"refunds": 2, "lang:en": 5})
SUE = agent("sue", role=Role.SUPERVISOR, capacity={})
