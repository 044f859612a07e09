"""Two hundred agents in Slack with 5,000 open contacts: how soon cards and Homes stand there within Slack's limits.

Desk model, cards, Homes and pacing are the real ones, and so are Slack's limits, as the fake of this machine keeps
them. There is no network, and time is virtual: it jumps to whatever comes next, so that an hour takes a minute.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import Any

import msgspec
import structlog
from slack_sdk.errors import SlackApiError

from benchmarks.figures import Figure, quantile
from channels.slack.api import Api
from channels.slack.homes import Homes
from channels.slack.limits import PER_MINUTE, Limits
from channels.slack.manifest import manifest
from channels.slack.people import People
from channels.slack.posting import CARD, Postings
from channels.slack.projection import Projection
from router.core import events
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import Agent, Status, Team
from router.desk.model import Desk
from router.desk.ports import Changed
from router.sim.slack import FakeSlack
from tests.fakes.desk_parts import House, workspace
from tests.support.slack_house import Memory

AGENTS, CONTACTS = 200, 5_000
A_MINUTE = 10  # contacts that come in, are answered twice and resolved
ROUND_TRIP_SECONDS = 0.15
OFFER_SECONDS_MAX, HOME_SECONDS_MAX = 5.0, 60.0
STEP_SECONDS = 60.0 / A_MINUTE


class Clock(selectors.DefaultSelector):
    """Where a loop would wait, time jumps instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is there now; if nothing is, it is later."""
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class Client:
    """The Web API without a network; notes what was called when."""

    def __init__(self, slack: FakeSlack, clock: Clock) -> None:
        self._slack = slack
        self._clock = clock
        self.calls: dict[str, list[float]] = defaultdict(list)
        self.limited = 0
        self.cards: dict[str, float] = {}  # contact -> when its card was first posted
        self.homes: dict[str, list[float]] = defaultdict(list)  # member -> when theirs was published

    async def api_call(self, api_method: str, **given: Any) -> Any:  # noqa: ANN401  # as Slack's client has it
        """As the client does it."""
        await asyncio.sleep(ROUND_TRIP_SECONDS)
        arguments = given.get("json") or given.get("data") or given.get("params") or {}
        status, answer, headers = self._slack.web._answer(api_method, dict(arguments), self._slack.bot_token, None)  # noqa: SLF001
        self.calls[api_method].append(self._clock.now)
        if not answer["ok"]:
            self.limited += answer["error"] == "ratelimited"
            response = SimpleNamespace(status_code=status, data=answer, headers=headers)
            raise SlackApiError(answer["error"], response)  # type: ignore[no-untyped-call]  # as it is shipped
        if api_method == "chat.postMessage" and arguments["metadata"]["event_payload"]["delivery"] == CARD:
            self.cards.setdefault(arguments["metadata"]["event_payload"]["contact"], self._clock.now)
        elif api_method == "views.publish":
            self.homes[arguments["user_id"]].append(self._clock.now)
        return SimpleNamespace(data=answer)


class Hall:
    """All agents at their desks in Slack."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.house = House()
        begun = self.house.now
        self.house.clock = lambda: begun + int(clock.now * 1_000)
        self.slack = FakeSlack(manifest(), now=lambda: 1_790_000_000 + clock.now)
        self.slack.space.tell = lambda *_: None  # nobody listens to its events here
        self.agents = [f"a{number}" for number in range(AGENTS)]
        self.members = {name: self.slack.add_user(name).id for name in self.agents}
        self.client = Client(self.slack, clock)
        self.waited: list[float] = []  # seconds from an offer to its card
        self.stale: list[float] = []  # seconds from a change to the Home that shows it
        self._dirty: dict[str, float] = {}
        self._staff()

    def _staff(self) -> None:
        given = workspace()
        capacity, skills = {"email": 2 * CONTACTS // AGENTS}, {"refunds": 4, "lang:en": 5}
        agents = {
            name: Agent(id=name, team="emea", skills=skills, capacity=capacity, units=capacity["email"])
            for name in self.agents
        }
        teams = {"emea": Team(id="emea", members=tuple(agents)), "triage": Team(id="triage", members=(self.agents[0],))}
        changed = msgspec.structs.replace(given, agents=agents, teams=teams)
        self.house.apply(events.WorkspaceChanged(at=self.house.clock(), version="2", workspace=changed))

    def addresses(self) -> dict[str, str]:
        """By member id."""
        return self.members

    def writes(self, number: int) -> Contact:
        """A customer's mail."""
        sender = f"Customer {number} <c{number}@example.org>"
        return self.house.mail(f"Case {number}: I want my money back.", subject=f"Refund {number}", sender=sender)

    def fill(self) -> None:
        """Every agent holds as many contacts, and none has a card yet."""
        for number in range(CONTACTS):
            contact = self.writes(number)
            taker = self.agents[number % AGENTS]
            self.house.apply(events.ContactTaken(at=self.house.clock(), agent=taker, contact=contact.id))

    async def open(self) -> list[asyncio.Task[None]]:
        """Begin to be the desk, with everybody's Home in front of them; gives what is at work."""
        house, memory = self.house, Memory()
        api = Api(self.client, Limits(lambda: self.clock.now))
        desk = Desk(house, house, house.clock)
        self.projection = Projection(
            desk=desk,
            read=house,
            people=People(api, self, memory, "T0FAKE001"),
            postings=Postings(api, memory, house.clock),
            explain=lambda contact: house.explain(contact, full=False),
            clock=house.clock,
            forget=memory.delete,
        )
        self.homes = Homes(api=api, desk=desk, link=lambda _, __: None, problems=list, clock=house.clock)
        house.subscribe(self._changed)
        self.projection.everything()
        for name, member in self.members.items():
            self.homes.opened(name, member)
        return [asyncio.create_task(self.projection.work.run()), asyncio.create_task(self.homes.work.run())]

    def _changed(self, news: Changed) -> None:
        self.projection.changed(news)
        self.homes.changed(news)
        for agent in news.agents:
            self._dirty.setdefault(agent, self.clock.now)

    def note(self) -> None:
        """See which changes stand in a Home by now."""
        for agent, since in list(self._dirty.items()):
            shown = self.client.homes[self.members[agent]]
            if shown and shown[-1] > since:
                later = next(at for at in shown if at > since)
                self.stale.append(later - since)
                del self._dirty[agent]

    async def life(self, number: int) -> None:
        """One contact: offered, accepted once its card is there, answered twice, resolved."""
        begun, contact = self.clock.now, self.writes(number)
        while contact.id not in self.client.cards:  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.25)
        self.waited.append(self.client.cards[contact.id] - begun)
        if contact.offer is None:
            return
        agent = contact.offer.agent
        await self._clicks(agent, "accept", contact, offer=contact.offer.id)
        for turn in range(2):
            await asyncio.sleep(120)
            await self.house.act(agent, "reply", {"contact": contact.id, "text": "Soon."}, f"{contact.id} {turn}")
            self.house.report(contact.id, contact.messages[-1].id, "sent")
            if not turn:
                await asyncio.sleep(60)
                self.house.mail("And when?", thread=contact.id, sender=f"Customer {number} <c{number}@example.org>")
        await asyncio.sleep(60)
        await self._clicks(agent, "resolve", contact)

    async def _clicks(self, agent: str, action: str, contact: Contact, **fields: object) -> None:
        """A click: its card is changed by the address that came with it, which no limit counts."""
        await self.house.act(agent, action, {"contact": contact.id, **fields}, f"{action} {contact.id}")
        self.projection.instead((agent, contact.id), _done)

    def busiest(self) -> dict[str, int]:
        """The most calls of each method in any minute."""
        return {
            method: max(Counter(int(at // 60) for at in times).values()) for method, times in self.client.calls.items()
        }


async def _done(_: object) -> bool:
    await asyncio.sleep(ROUND_TRIP_SECONDS)
    return True


async def _play(clock: Clock, minutes: int) -> tuple[float, Hall]:
    """(seconds until all contacts had their card, the hall after so many more minutes)."""
    hall = Hall(clock)
    hall.fill()
    works = await hall.open()
    while len(hall.client.cards) < CONTACTS:  # noqa: ASYNC110
        await asyncio.sleep(1)
    filled = clock.now
    for name in hall.agents:
        hall.house.apply(events.StatusSet(at=hall.house.clock(), agent=name, target=name, status=Status.AVAILABLE))
    await asyncio.sleep(300)  # what was put off until then
    hall.note()
    hall.stale.clear()
    lives: list[asyncio.Task[None]] = []
    for number in range(minutes * A_MINUTE):
        lives.append(asyncio.create_task(hall.life(CONTACTS + number)))
        await asyncio.sleep(STEP_SECONDS)
        hall.note()
    await asyncio.wait(lives)
    for work in works:
        work.cancel()
    await asyncio.wait(works)
    return filled, hall


def run(*, full: bool) -> list[Figure]:
    """Fill the desk, then work on it for a while."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    try:
        filled, hall = loop.run_until_complete(_play(clock, 60 if full else 15))
    finally:
        loop.close()
    held = [one for one in hall.house.state.contacts.values() if one.state is not ContactState.RESOLVED]
    busiest = hall.busiest()
    most = ", ".join(f"{name} {number} of {PER_MINUTE[name]}" for name, number in sorted(busiest.items()))
    within = all(number <= PER_MINUTE[name] for name, number in busiest.items()) and not hall.client.limited
    offer, home = quantile(hall.waited, 0.99), quantile(hall.stale, 0.99)
    return [
        Figure("agents with a Home open, open contacts", f"{len(hall.client.homes)}, {len(held):,}"),
        Figure("the app is new: all have their card after", f"{filled / 60:.0f} min"),
        Figure(
            f"offer to card, {A_MINUTE} new contacts a minute, p50 / p99",
            f"{quantile(hall.waited, 0.5):.1f} / {offer:.1f} s",
            f"p99 under {OFFER_SECONDS_MAX:.0f} s",
            met=offer < OFFER_SECONDS_MAX,
        ),
        Figure(
            "change to Home, p50 / p99",
            f"{quantile(hall.stale, 0.5):.0f} / {home:.0f} s",
            f"p99 under {HOME_SECONDS_MAX:.0f} s",
            met=home < HOME_SECONDS_MAX,
        ),
        Figure("calls in the busiest minute", most, "within Slack's limits", met=within),
        Figure("answers 429", f"{hall.client.limited}", "0", met=not hall.client.limited),
    ]
