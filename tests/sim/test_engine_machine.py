"""Everything that can happen, in any order: the oracles I1-I7 hold after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.core import events as e
from router.core.decisions import EraseCustomer
from router.core.engine import Engine
from router.core.invariants import Auditor, check_idle, check_state
from router.core.state import State
from router.core.transitions import ContactState
from router.core.values import Priority, Status
from tests.sim import engine_world as world

if TYPE_CHECKING:
    from router.core.decisions import Decision

SENDERS = ("p1", "p2", "p3", "p4")
DELAYS = st.sampled_from([0, 1, 200, 30_000, 60_000, 300_000])
agents = st.sampled_from(world.AGENTS)
numbers = st.integers(min_value=0, max_value=40)


class EngineMachine(RuleBasedStateMachine):
    """One engine, an auditor, and a second engine that ranks in arrays and is rebuilt from a copy now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.shadow = Engine(scan_from=0)
        self.auditor = Auditor()
        self.events: list[e.Event] = []
        self.at = world.START
        self.seq = 0
        self.sent = 0

    def apply(self, event: e.Event) -> tuple[Decision, ...]:
        """Apply to both engines; the auditor and the shadow must agree with what comes out."""
        self.events.append(event)
        decisions = self.engine.apply(event)
        assert decisions == self.shadow.apply(event)
        assert self.auditor.observe(event, decisions, self.engine.state) == []
        return decisions

    def later(self, delay: int) -> int:
        """The next instant."""
        self.at += delay
        return self.at

    def inbox(self) -> str:
        """The next inbox id."""
        self.seq += 1
        return f"{self.at}-{self.seq}"

    def pick(self, number: int, *states: ContactState) -> str:
        """Some contact, in one of the states if there is one; else an id that is nobody's."""
        found = [c.id for c in self.engine.state.contacts.values() if not states or c.state in states]
        return found[number % len(found)] if found else "c0"

    def owner(self, contact: str, agent: str) -> str:
        """The contact's owner where it has one, so that commands are not refused most of the time."""
        found = self.engine.state.contacts.get(contact)
        return found.agent if found is not None and found.agent is not None else agent

    @initialize()
    def begin(self) -> None:
        """A leader, a workspace, and three agents at work."""
        self.apply(e.LeaderElected(at=self.at, epoch=1, node="n1"))
        self.apply(e.WorkspaceChanged(at=self.at, version="v0", workspace=world.workspace()))
        for agent in world.AGENTS[:3]:
            self.apply(e.StatusSet(at=self.at, agent=agent, status=Status.AVAILABLE))

    # -- messages --------------------------------------------------------------------------------------------------

    @rule(
        delay=DELAYS,
        sender=st.sampled_from(SENDERS),
        channel=st.sampled_from(list(world.KINDS)),
        topics=st.lists(
            st.tuples(st.sampled_from((*world.TOPICS, "unknown")), st.sampled_from([9_000, 6_000, 2_000])), max_size=2
        ),
        language=st.sampled_from(["en", "es", "fr", None]),
        tier=st.sampled_from([None, "gold"]),
    )
    def arrive(
        self,
        delay: int,
        sender: str,
        channel: str,
        topics: list[tuple[str, int]],
        language: str | None,
        tier: str | None,
    ) -> None:
        """A customer writes."""
        self.receive(delay, sender, channel, topics=tuple(topics), language=language, tier=tier)

    @rule(delay=DELAYS, sender=st.sampled_from(SENDERS), number=numbers, cc=st.sampled_from([(), ("p1",), ("p9",)]))
    def customer_writes_in_thread(self, delay: int, sender: str, number: int, cc: tuple[str, ...]) -> None:
        """Somebody writes in a thread: mostly a participant, sometimes a stranger."""
        thread = self.pick(number)
        contact = self.engine.state.contacts.get(thread)
        own = contact is not None and contact.participants and number % 4
        writer = contact.participants[0] if contact is not None and own else sender
        self.receive(delay, writer, "email", thread=thread, cc=cc)

    @rule(
        delay=DELAYS,
        number=numbers,
        sender=st.sampled_from(SENDERS),
        auto=st.sampled_from(["bounce", "auto-reply", "list", "spam"]),
        about=st.booleans(),
    )
    def auto_mail(self, delay: int, number: int, sender: str, auto: str, about: bool) -> None:
        """Auto mail comes, in a thread or about one of our messages."""
        self.receive(
            delay, sender, "email", thread=None if about else self.pick(number), auto=auto,
            about=f"r{number % (self.sent + 1)}" if about else None,
        )  # fmt: skip

    @rule(delay=DELAYS, sender=st.sampled_from(SENDERS), number=numbers)
    def conflicting(self, delay: int, sender: str, number: int) -> None:
        """A message has the key of another, but other content."""
        self.receive(delay, sender, "email", thread=self.pick(number), conflict=True)

    @rule(
        delay=DELAYS, sender=st.sampled_from(SENDERS), other=st.sampled_from(SENDERS),
        channel=st.sampled_from(list(world.KINDS)), number=numbers,
    )  # fmt: skip
    def customer_shows_a_link(self, delay: int, sender: str, other: str, channel: str, number: int) -> None:
        """Somebody shows a link that another address was sent, now and then one that was used."""
        self.receive(delay, sender, channel, proves=other, proof=f"x{number % 20}", prefers=("", "es")[number % 2])

    def receive(self, delay: int, sender: str, channel: str, **more: object) -> None:
        """A message comes in; every third one is deferred first, and every fifth applied twice."""
        message = self.inbox()
        if self.seq % 3 == 0:
            self.apply(e.MessageDeferred(at=self.later(delay), inbox=message, message=message))
            inbox = self.inbox()
        else:
            inbox = message
        event = e.MessageReceived(
            at=self.later(delay), inbox=inbox, message=message, channel=channel, kind=world.KINDS[channel],
            account="a", sender=sender, external=f"x{self.seq % 20}", quiet=self.seq % 7 == 0,
            **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.apply(event)
        if self.seq % 5 == 0:
            assert self.apply(event) == ()

    @rule(delay=DELAYS, agent=st.sampled_from((*world.AGENTS, "", "gone")), number=st.integers(0, 20))
    def answered_by_other_means(self, delay: int, agent: str, number: int) -> None:
        """One of us answers by other means: something known, or not."""
        message = self.inbox()
        self.apply(
            e.AnswerSeen(
                at=self.later(delay), inbox=message, message=message, channel="email", agent=agent,
                external=f"x{self.seq % 20}", answers=("nothing", f"x{number}"),
            )
        )  # fmt: skip

    @rule(delay=DELAYS, sender=st.sampled_from(["", "p1"]))
    def quarantine(self, delay: int, sender: str) -> None:
        """A message cannot be parsed."""
        message = self.inbox()
        self.apply(
            e.MessageQuarantined(
                at=self.later(delay), inbox=message, message=message, channel="email", kind="email", account="a",
                reason="too deep", sender=sender,
            )
        )  # fmt: skip

    @rule(delay=DELAYS, sender=st.sampled_from(SENDERS), number=numbers)
    def quarantined_is_understood(self, delay: int, sender: str, number: int) -> None:
        """A quarantined message is retried, and parsed; where there is none, nothing is.

        No precondition: what is drawn never depends on the engine, so that hypothesis cannot call the machine flaky.
        """
        waiting = list(self.engine.state.quarantined)
        if waiting:
            name = waiting[number % len(waiting)]
            self.apply(
                e.MessageReleased(at=self.later(delay), message=name, sender=sender, topics=(("refund", 9_000),))
            )

    # -- agents ----------------------------------------------------------------------------------------------------

    def offer(self, number: int) -> tuple[str, str, str]:
        """Contact, offer and agent of some pending offer."""
        offers = [(c.id, c.offer.id, c.offer.agent) for c in self.engine.state.contacts.values() if c.offer is not None]
        return offers[number % len(offers)] if offers else ("c1", "o0", "ana")

    @rule(delay=DELAYS, number=numbers)
    def accept(self, delay: int, number: int) -> None:
        """The agent asked accepts."""
        contact, offer, agent = self.offer(number)
        self.apply(e.OfferAccepted(at=self.later(delay), inbox=self.inbox(), agent=agent, contact=contact, offer=offer))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def accept_what_is_not_theirs(self, delay: int, number: int, agent: str) -> None:
        """Anybody tries to accept."""
        contact, offer, _ = self.offer(number)
        self.apply(e.OfferAccepted(at=self.later(delay), agent=agent, contact=contact, offer=offer))

    @rule(delay=DELAYS, number=numbers)
    def decline(self, delay: int, number: int) -> None:
        """The agent asked declines."""
        contact, offer, agent = self.offer(number)
        self.apply(e.OfferDeclined(at=self.later(delay), agent=agent, contact=contact, offer=offer, reason="busy"))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def take(self, delay: int, number: int, agent: str) -> None:
        """Anybody takes anything."""
        self.apply(e.ContactTaken(at=self.later(delay), agent=agent, contact=self.pick(number)))

    @rule(delay=DELAYS, number=numbers, agent=agents, resolve=st.booleans())
    def reply(self, delay: int, number: int, agent: str, resolve: bool) -> None:
        """An owner answers, perhaps for the last time."""
        contact = self.pick(number, ContactState.ASSIGNED, ContactState.WAITING_CUSTOMER, ContactState.SNOOZED)
        self.sent += 1
        self.apply(
            e.ReplyWritten(
                at=self.later(delay), agent=self.owner(contact, agent), contact=contact, message=f"r{self.sent}",
                resolve=resolve,
            )
        )  # fmt: skip

    @rule(
        delay=DELAYS,
        agent=agents,
        to=st.sampled_from(SENDERS),
        topics=st.sampled_from([(), ("refund",), ("nonsense",)]),
    )
    def start(self, delay: int, agent: str, to: str, topics: tuple[str, ...]) -> None:
        """An agent writes to a customer first."""
        self.sent += 1
        inbox = self.inbox()
        self.apply(
            e.ContactStarted(
                at=self.later(delay), inbox=inbox, agent=agent, contact=f"a{inbox}", message=f"r{self.sent}",
                channel="email", kind="email", account="", recipient=to, topics=topics,
            )
        )  # fmt: skip

    @rule(delay=DELAYS, number=numbers, state=st.sampled_from(["sent", "deferred", "failed", "unknown"]))
    def delivery(self, delay: int, number: int, state: str) -> None:
        """The outbox reports."""
        message = f"r{number % (self.sent + 1)}"
        self.apply(e.DeliveryReported(at=self.later(delay), message=message, contact="c1", state=state))

    @rule(number=numbers, agent=agents)
    def note(self, number: int, agent: str) -> None:
        """Somebody says something among colleagues."""
        message = self.inbox()
        self.apply(e.NoteWritten(at=self.at, inbox=message, agent=agent, contact=self.pick(number), message=message))

    @rule(
        delay=DELAYS,
        number=numbers,
        agent=agents,
        to=st.sampled_from([(None, None), ("caz", None), ("nobody", None), (None, "amer"), (None, "nowhere")]),
    )
    def transfer(self, delay: int, number: int, agent: str, to: tuple[str | None, str | None]) -> None:
        """An owner hands over."""
        contact = self.pick(number, ContactState.ASSIGNED, ContactState.OFFERED, ContactState.WAITING)
        note = self.inbox() if number % 2 else ""
        self.apply(
            e.TransferAsked(
                at=self.later(delay), agent=self.owner(contact, agent), contact=contact, to_agent=to[0], to_team=to[1],
                message=note,
            )
        )  # fmt: skip

    @rule(delay=DELAYS, number=numbers, agent=agents, span=st.sampled_from([-1, 60_000, 3_600_000]))
    def snooze(self, delay: int, number: int, agent: str, span: int) -> None:
        """An owner puts a contact aside."""
        contact = self.pick(number)
        at = self.later(delay)
        self.apply(e.ContactSnoozed(at=at, agent=self.owner(contact, agent), contact=contact, until=at + span))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def wake(self, delay: int, number: int, agent: str) -> None:
        """An owner takes it up again."""
        contact = self.pick(number, ContactState.SNOOZED, ContactState.WAITING_CUSTOMER)
        self.apply(e.ContactWoken(at=self.later(delay), agent=self.owner(contact, agent), contact=contact))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def resolve(self, delay: int, number: int, agent: str) -> None:
        """An owner is done."""
        contact = self.pick(number)
        self.apply(e.ContactResolved(at=self.later(delay), agent=self.owner(contact, agent), contact=contact))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def reopen(self, delay: int, number: int, agent: str) -> None:
        """An owner is not done after all."""
        contact = self.pick(number, ContactState.RESOLVED)
        self.apply(e.ContactReopened(at=self.later(delay), agent=self.owner(contact, agent), contact=contact))

    @rule(delay=DELAYS, number=numbers, agent=agents, topic=st.sampled_from((*world.TOPICS, "unknown")))
    def retag(self, delay: int, number: int, agent: str, topic: str) -> None:
        """The agent says what it is about."""
        contact = self.pick(number)
        found = self.engine.state.contacts.get(contact)
        asker = found.offer.agent if found is not None and found.offer is not None else self.owner(contact, agent)
        self.apply(e.ContactRetagged(at=self.later(delay), agent=asker, contact=contact, topics=(topic,)))

    @rule(delay=DELAYS, number=numbers, priority=st.sampled_from(list(Priority)))
    def set_priority(self, delay: int, number: int, priority: Priority) -> None:
        """A supervisor raises or lowers it."""
        self.apply(e.PrioritySet(at=self.later(delay), agent="sue", contact=self.pick(number), priority=priority))

    @rule(delay=DELAYS, number=numbers, agent=agents)
    def let_in(self, delay: int, number: int, agent: str) -> None:
        """Somebody lets a stranger in."""
        flagged = [c.id for c in self.engine.state.contacts.values() if c.claims is not None]
        contact = flagged[number % len(flagged)] if flagged else "c1"
        self.apply(e.SenderLetIn(at=self.later(delay), agent=agent, contact=contact))

    @rule(delay=DELAYS, number=numbers, other=numbers, agent=agents)
    def merge(self, delay: int, number: int, other: int, agent: str) -> None:
        """Somebody finds that two contacts are about the same; of one customer, where there are two."""
        contact, open_ = self.pick(number), self.engine.state.contacts
        asked = open_.get(contact)
        alike = [c.id for c in open_.values() if asked is not None and c.customer == asked.customer and c.id != contact]
        into = alike[other % len(alike)] if alike else self.pick(other)
        self.apply(e.ContactsMerged(at=self.later(delay), agent=agent, contact=contact, into=into))

    @rule(delay=DELAYS, number=numbers, agent=agents, other=agents)
    def call(self, delay: int, number: int, agent: str, other: str) -> None:
        """Somebody calls a colleague in, or leaves."""
        contact = self.pick(number)
        if agent == other:
            self.apply(e.ColleagueLeft(at=self.later(delay), agent=agent, contact=contact))
        else:
            self.apply(e.ColleagueCalled(at=self.later(delay), agent=agent, contact=contact, target=other))

    @rule(delay=DELAYS, number=numbers, agent=agents, block=st.booleans(), back=st.booleans())
    def spam(self, delay: int, number: int, agent: str, *, block: bool, back: bool) -> None:
        """Somebody has seen enough, or lets who was blocked back in."""
        contact = self.pick(number)
        if back:
            self.apply(e.SenderUnblocked(at=self.later(delay), agent=agent, contact=contact))
        else:
            self.apply(e.SpamMarked(at=self.later(delay), agent=agent, contact=contact, block=block))

    @rule(
        delay=DELAYS, agent=agents, status=st.sampled_from([*Status, Status.AVAILABLE]), by=st.sampled_from(["", "sue"])
    )
    def status(self, delay: int, agent: str, status: Status, by: str) -> None:
        """An agent comes or goes, or is sent."""
        self.apply(e.StatusSet(at=self.later(delay), agent=by or agent, target=agent, status=status))

    # -- the process -----------------------------------------------------------------------------------------------

    @rule(delay=DELAYS, variant=st.integers(min_value=0, max_value=4))
    def reload(self, delay: int, variant: int) -> None:
        """Another workspace comes into force."""
        changed = world.workspace(variant)
        self.apply(e.WorkspaceChanged(at=self.later(delay), version=f"v{variant}", workspace=changed))

    @rule(delay=st.sampled_from([60_000, 600_000, 3_600_000, 8 * 3_600_000, 4 * 86_400_000]))
    def time(self, delay: int) -> None:
        """Time passes, each timer fires at its instant."""
        until = self.later(delay)
        while (due := self.engine.next_timer()) is not None and due <= until:
            self.apply(e.TimePassed(at=due))
        self.apply(e.TimePassed(at=until))

    @rule(delay=st.sampled_from([3_600_000, 86_400_000]))
    def time_jumps(self, delay: int) -> None:
        """A long time passes at once, and timers are overdue."""
        self.apply(e.TimePassed(at=self.later(delay)))

    @rule(delay=DELAYS, number=numbers, how=st.sampled_from(["contact", "customer", "identity", "nobody"]))
    def erase(self, delay: int, number: int, how: str) -> None:
        """A customer is erased; nothing in the state says any more that they were here."""
        contact = self.engine.state.contacts.get(self.pick(number))
        sender = SENDERS[number % len(SENDERS)]
        named = {
            "contact": {"contact": contact.id if contact is not None else "c0"},
            "customer": {"customer": contact.customer if contact is not None else "k0"},
            "identity": {"identities": (sender,)},
            "nobody": {"customer": "k0"},
        }[how]
        inbox = self.inbox()
        event = e.CustomerErased(at=self.later(delay), inbox=inbox, erasure=inbox, **named)  # type: ignore[arg-type]
        decisions = self.apply(event)
        for made in decisions:
            if isinstance(made, EraseCustomer):
                gone = [key.partition(".")[0] for key in made.keys]
                held = msgspec.to_builtins([*self.engine.state.contacts.values(), self.engine.state.identities])
                assert not any(f"'{identity}'" in str(held) for identity in gone)
                if number % 2:
                    self.apply(e.ErasureDone(at=self.at, inbox=self.inbox(), erasure=inbox))

    @rule(delay=DELAYS, number=numbers, other=numbers, agent=st.sampled_from(world.AGENTS))
    def agent_links(self, delay: int, number: int, other: int, agent: str) -> None:
        """An agent says that two contacts are of one customer."""
        contact, message = self.pick(number), self.inbox()
        self.apply(
            e.IdentitiesLinked(
                at=self.later(delay), inbox=message, agent=self.owner(contact, agent), contact=contact,
                other=self.pick(other), message=message,
            )
        )  # fmt: skip

    @rule(delay=DELAYS, number=numbers, agent=st.sampled_from(world.AGENTS))
    def agent_undoes_a_link(self, delay: int, number: int, agent: str) -> None:
        """An agent says that a link was wrong."""
        customer = self.engine.state.contacts[contact].customer if (contact := self.pick(number)) != "c0" else ""
        links, message = self.engine.state.links.get(customer, []), self.inbox()
        which = links[number % len(links)].id if links else "l0"
        self.apply(
            e.LinkUndone(
                at=self.later(delay), inbox=message, agent=self.owner(contact, agent), contact=contact, link=which,
                message=message,
            )
        )  # fmt: skip

    @rule(delay=DELAYS, number=numbers, score=st.integers(0, 6), known=st.booleans())
    def customer_says_how_it_was(self, delay: int, number: int, score: int, known: bool) -> None:
        """Somebody answers the question after a contact, asked or not."""
        contact = self.pick(number, ContactState.RESOLVED)
        self.apply(
            e.SatisfactionGiven(
                at=self.later(delay), inbox=self.inbox(), contact=contact, score=score,
                sender="" if known else SENDERS[number % len(SENDERS)],
            )
        )  # fmt: skip

    @rule(delay=DELAYS, number=numbers, agent=st.sampled_from(world.AGENTS), tell=st.booleans())
    def supervisor_deals_with_an_incident(self, delay: int, number: int, agent: str, tell: bool) -> None:
        """One answer is prepared, or it is said to be over."""
        known, message = list(self.engine.state.incidents), self.inbox()
        incident = known[number % len(known)] if known else "i0"
        at = self.later(delay)
        if number % 3:
            self.apply(
                e.IncidentAnswered(
                    at=at, inbox=message, agent=agent, incident=incident, message=message, tell=tell
                )
            )  # fmt: skip
        else:
            self.apply(e.IncidentEnded(at=at, inbox=message, agent=agent, incident=incident))

    @rule(delay=DELAYS, by=st.sampled_from([120_000, 3_600_000, 86_400_000, -3_600_000]), taken=st.booleans())
    def clock_jumps(self, delay: int, by: int, taken: bool) -> None:
        """The clock is set; offers keep the time that was left."""
        left = {c.id: c.offer.until - self.at for c in self.engine.state.contacts.values() if c.offer is not None}
        moved = by if taken and by > 0 else 0
        self.later(delay)
        self.apply(e.ClockJumped(at=self.later(moved), by_ms=by, taken=taken))
        for contact in self.engine.state.contacts.values():
            if contact.offer is not None and contact.id in left:
                assert contact.offer.until - self.at == left[contact.id] - delay

    @rule()
    def restart(self) -> None:
        """A standby takes over from a snapshot."""
        self.shadow = Engine(msgspec.json.decode(msgspec.json.encode(self.engine.state), type=State), scan_from=0)

    # -- what holds ------------------------------------------------------------------------------------------------

    @invariant()
    def state_is_sound(self) -> None:
        """I1, I3 and I7 hold for the state as a whole."""
        assert check_state(self.engine.state) == []

    @invariant()
    def nobody_waits_while_somebody_is_free(self) -> None:
        """I5 holds once no timer is overdue."""
        due = self.engine.next_timer()
        if due is None or due > self.engine.state.at:
            assert check_idle(self.engine.state) == []

    @invariant()
    def both_engines_agree(self) -> None:
        """An index built anew makes no difference."""
        assert self.engine.state_hash() == self.shadow.state_hash()
        assert self.engine.next_timer() == self.shadow.next_timer()

    @invariant()
    def explaining_changes_nothing(self) -> None:
        """Asking why leaves no trace."""
        before = self.engine.state_hash()
        for contact in list(self.engine.state.contacts)[-3:]:
            self.engine.explain(contact)
        assert self.engine.state_hash() == before

    def teardown(self) -> None:
        """I4: replaying what happened gives the live state's hash."""
        replayed = Engine()
        for event in self.events:
            replayed.apply(event)
        assert replayed.state_hash() == self.engine.state_hash()


EngineMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEngine = EngineMachine.TestCase
