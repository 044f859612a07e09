"""The desk in Slack with 200 agents and 5,000 open contacts, held to Slack's limits by a fake of it.

The desk, its work and its limits are the real ones. Time is not: the loop goes on to the next instant at which anybody
waits for something, so that an hour of Slack's limits takes seconds. Calls reach the fake without HTTP between.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from unittest.mock import patch

import msgspec
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from benchmarks.figures import Figure, quantile
from channels.slack.answering import Answering
from channels.slack.desk import Outside, SlackDesk
from channels.slack.limits import DEFAULT, PER_MINUTE, Limits
from channels.slack.manifest import manifest
from channels.slack.threads import GONE
from router.app.chat import tidy
from router.core import events
from router.core.state import Contact
from router.core.values import Agent, Assign, Role, Sla, Status, Team
from router.desk.model import Desk
from router.desk.search import Search
from router.sim.slack import FakeSlack, chatting
from router.sim.slack.blocks import problems_of_blocks
from tests.fakes.desk_parts import House
from tests.support.slack_house import Memory

AGENTS = 200
CONTACTS = 5_000
MINUTES = 10
IN_A_MINUTE = 20  # customers' messages, and as many answers; half as many contacts are resolved and opened
SUPERVISORS = 4
MINUTE_S, QUIET_S, REST_S, LATE_S = 60.0, 61.0, 300.0, 3_600.0
SENT_AFTER_S, SOON_S = 2.0, 5
TOO_MANY = 429
POST = "chat.postMessage"


class Hurrying(selectors.DefaultSelector):
    """Waits for nothing: where nobody is ready, the clock is put forward to whoever is next."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; if nothing is, the time that would have been waited is over."""
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time is that of what happens in it."""

    def __init__(self) -> None:
        self._hurrying = Hurrying()
        super().__init__(self._hurrying)

    def time(self) -> float:
        """Seconds."""
        return self._hurrying.now


class Direct(AsyncWebClient):
    """Slack's client, with the fake at its other end instead of a network."""

    def __init__(self, slack: FakeSlack) -> None:
        super().__init__(token=slack.bot_token, base_url="https://slack.invalid/api/")
        self._slack = slack

    async def api_call(self, api_method: str, **given: Any) -> AsyncSlackResponse:
        """Call a method."""
        args = {name: value for part in ("params", "data", "json") for name, value in (given.get(part) or {}).items()}
        await asyncio.sleep(0.08)  # as long as Slack takes
        status, answer, headers = self._slack.web.asked(api_method, args, self._slack.bot_token)
        made = AsyncSlackResponse(
            client=self,
            http_verb="POST",
            api_url=api_method,
            req_args={},
            data=answer,
            headers=headers,
            status_code=status,
        )
        if not answer["ok"]:
            raise SlackApiError(api_method, made)  # type: ignore[no-untyped-call]  # as it is shipped
        return made


class Roster:
    """All agents, by their member ids."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = dict(users)

    def addresses(self) -> dict[str, str]:
        """By agent."""
        return self._users


class Floor:
    """A workspace of so many agents and contacts, and the desk over it."""

    def __init__(self, agents: int, contacts: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.slack = FakeSlack(manifest(), now=lambda: 1_790_000_000 + self.loop.time())
        self.slack.web.calls = deque()
        self.house = House()
        self.house.clock = lambda: 1_790_000_000_000 + round(self.loop.time() * 1_000)
        self.names = [f"a{number}" for number in range(agents)]
        self.people = {name: self.slack.add_user(name) for name in self.names}
        self.memory = Memory()
        self.told: dict[str, float] = {}  # message -> when it came
        self._serial = 0
        self._furnish(contacts)
        desk = Desk(self.house, self.house, self.house.clock)
        self.desk = SlackDesk(
            Outside(
                client=Direct(self.slack),
                app_token="",
                signing_secret="",
                memory=self.memory,
                roster=Roster({name: person.id for name, person in self.people.items()}),
                files=self.house,
                desk=desk,
                read=self.house,
                commands=self.house,
                explain=lambda contact: self.house.explain(contact, full=False),
                find=Search(self.house, self.house, self.house.clock).find,
                problems=list,
                team_channel="",
                statuses=dict,
                customers=dict,
                inbox=self.house.inbox,
                tidy=tidy,
                clock=self.house.clock,
                limits=Limits(self.loop.time),
            )
        )

    def _furnish(self, contacts: int) -> None:
        house, at = self.house, self.house.clock()
        agents = {
            name: Agent(
                id=name,
                team="all",
                role=Role.SUPERVISOR if place < SUPERVISORS else Role.AGENT,
                skills={"lang:en": 5},
                capacity={"email": 10_000},
            )
            for place, name in enumerate(self.names)
        }
        teams = {"all": Team(id="all", members=tuple(agents), assign=Assign.PUSH)}
        made = msgspec.structs.replace(
            house.state.workspace,
            agents=agents,
            teams=teams,
            rules=(),
            sla=Sla(first_response=48 * 3_600_000),
            unsure="",
        )
        house.apply(events.WorkspaceChanged(at=at, version="floor", workspace=made))
        for name in self.names:
            house.apply(events.StatusSet(at=at, agent=name, target=name, status=Status.AVAILABLE))
        for _ in range(contacts):
            self.opens()

    def opens(self) -> Contact:
        """A customer writes for the first time; whoever is best has it."""
        self._serial += 1
        number = self._serial
        return self.house.mail(
            f"Case {number}: where is my refund? I wrote to you last week already. " * 4,
            sender=f"Customer {number} <c{number}@example.org>",
            subject=f"Refund {number}",
        )

    async def presses(self, name: str, action: str, contact: Contact) -> None:
        """An agent presses a button of a card."""
        self._serial += 1
        value = msgspec.json.encode({"contact": contact.id}).decode()
        thread = f"thread:{name} {contact.id}"
        known = msgspec.json.decode(self.memory.kept[thread])
        await self.desk.take(
            {
                "type": "block_actions",
                "user": {"id": self.people[name].id, "team_id": ""},
                "container": {"type": "message", "message_ts": known["ts"], "channel_id": known["channel"]},
                "actions": [{"action_id": f"usherd.{action}", "action_ts": str(self._serial), "value": value}],
                "trigger_id": "none",
                "response_url": f"https://slack.invalid/{known['channel']}/{known['ts']}",
            }
        )

    async def event(self, name: str, **event: object) -> None:
        """Slack tells of something that this agent did."""
        self._serial += 1
        told = {"user": self.people[name].id, **event}
        await self.desk.take({"type": "event_callback", "event_id": f"Ev{self._serial}", "event": told})

    async def answers(self, name: str, contact: Contact) -> None:
        """An agent writes under a card; a moment later the mail server has taken it."""
        known = msgspec.json.decode(self.memory.kept[f"thread:{name} {contact.id}"])
        channel = self.slack.space.channels[known["channel"]]
        said = self.slack.space.new_message(channel, self.people[name].id, "It is on its way.", thread_ts=known["ts"])
        channel.messages[said.ts] = said
        place = {"channel": channel.id, "ts": said.ts, "thread_ts": known["ts"], "channel_type": "im"}
        await self.event(name, type="message", text="It is on its way.", **place)
        await asyncio.sleep(SENT_AFTER_S)
        sent = contact.messages[-1]
        if sent.delivery is not None:
            self.house.report(contact.id, sent.id, "sent")

    # -- what came of it -----------------------------------------------------------------------------------------------

    async def settled(self) -> float:
        """Seconds until all are up to date."""
        begun = self.loop.time()
        while any(len(work) or work.waits for work in self.desk.works):
            await asyncio.sleep(0.25)
            if self.loop.time() - begun > LATE_S:
                raise TimeoutError("the desk does not come to rest within an hour")
        return self.loop.time() - begun

    def busiest(self, since: float) -> dict[str, int]:
        """By method: the most calls in any minute from an instant on."""
        found: dict[str, int] = {}
        windows: dict[str, deque[float]] = {}
        for call in self.slack.web.calls:
            if call.at < since:
                continue
            window = windows.setdefault(call.method, deque())
            window.append(call.at)
            while window[0] <= call.at - MINUTE_S:
                window.popleft()
            found[call.method] = max(found.get(call.method, 0), len(window))
        return found


@asynccontextmanager
async def floor(agents: int, contacts: int) -> AsyncIterator[Floor]:
    """The floor with its desk begun; all have the app's Home open."""
    made = Floor(agents, contacts)

    async def respond(self: Answering, url: str, body: dict[str, Any]) -> bool:  # noqa: ARG001  # in its place
        await asyncio.sleep(0.08)
        return True

    checked = itertools.count()

    def sampled(listed: object, place: str) -> list[str]:
        """Cards are alike, and tests hold each kind of them to Slack's limits: one in ten is looked at here."""
        return [] if next(checked) % 10 else problems_of_blocks(listed, place)

    with (
        patch.object(Answering, "_respond", respond),
        patch.object(chatting, "problems_of_blocks", sampled),
    ):
        running = asyncio.create_task(made.desk.run())
        while made.desk.troubles:  # noqa: ASYNC110  # it says so to nobody
            await asyncio.sleep(0.01)
        for name in made.names:
            await made.event(name, type="app_home_opened", tab="home", channel=made.people[name].dm.id)
        try:
            yield made
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def busy(made: Floor, minutes: int) -> tuple[list[float], int]:
    """So many minutes of traffic; seconds until each customer's message stood in its thread, and how many came."""
    took: list[float] = []
    waiting: set[asyncio.Task[None]] = set()
    number = 0

    async def until_told(agent: str, contact: Contact, message: str) -> None:
        begun = made.loop.time()
        while message.encode() not in made.memory.kept.get(f"thread:{agent} {contact.id}", b""):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.1)
        took.append(made.loop.time() - begun)

    def later(work: Any) -> None:  # noqa: ANN401  # a coroutine
        task = asyncio.ensure_future(work)
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    contacts = [one for one in made.house.state.contacts.values() if one.agent]
    for _ in range(minutes * IN_A_MINUTE):
        asked, answered = contacts[number % len(contacts)], contacts[(number + len(contacts) // 2) % len(contacts)]
        number += 1
        made.house.mail("And my seat?", thread=asked.id, sender=writer(made, asked))
        later(until_told(str(asked.agent), asked, asked.messages[-1].id))
        later(made.answers(str(answered.agent), answered))
        if number % 2:
            done = contacts.pop()
            await made.presses(str(done.agent), "resolve", done)
            contacts.insert(0, made.opens())
        await asyncio.sleep(60 / IN_A_MINUTE)
    await asyncio.gather(*waiting)
    return took, number


def writer(made: Floor, contact: Contact) -> str:
    """Who writes in it."""
    one = made.house.written[contact.messages[0].id].from_
    return f"{one.name} <{one.address}>"


async def measure(agents: int, contacts: int, minutes: int) -> list[Figure]:
    """All figures."""
    async with floor(agents, contacts) as made:
        first = await made.settled()
        cards = sum(1 for name in made.memory.left("thread:") if GONE.encode() not in made.memory.kept[name])
        await asyncio.sleep(QUIET_S)  # the limits' minute that was full is over
        begun = 1_790_000_000 + made.loop.time()
        took, number = await busy(made, minutes)
        rest = await made.settled()
        workspace = msgspec.structs.replace(made.house.state.workspace)
        made.house.apply(events.WorkspaceChanged(at=made.house.clock(), version="again", workspace=workspace))
        reload = await made.settled()
    shown = [f"{name} {quantile(took, share):.1f} s" for name, share in (("p50", 0.5), ("p95", 0.95))]
    best = round(contacts / limit(POST))
    return [
        Figure("agents, contacts open", f"{agents}, {contacts:,}; cards that stand: {cards:,}"),
        *refusals(made),
        Figure("from nothing until all cards and Homes stand", minutes_of(first), f"{best} min is what Slack allows"),
        Figure(
            f"a customer's message to its thread, at {IN_A_MINUTE} messages and {IN_A_MINUTE} answers a minute",
            f"{', '.join(shown)}, most {max(took):.1f} s of {number}",
            f"p95 < {SOON_S} s",
            met=quantile(took, 0.95) < SOON_S,
        ),
        in_time("after that traffic, until all are up to date", rest),
        in_time("after a reload of the workspace, until all are", reload),
        *calls(made, begun),
    ]


def refusals(made: Floor) -> list[Figure]:
    """What Slack did not do."""
    every = made.slack.web.calls
    refused = [one for one in every if one.status == TOO_MANY]
    wrong = Counter(str(one.answer.get("error")) for one in every if not one.answer["ok"] and one.status != TOO_MANY)
    return [
        Figure("calls refused for being too many", f"{len(refused)} of {len(every):,}", "none", met=not refused),
        Figure("calls refused for anything else", str(dict(wrong) or "none"), "none", met=not wrong),
    ]


def in_time(name: str, seconds: float) -> Figure:
    """How long it took beside what is too long."""
    return Figure(name, minutes_of(seconds), f"< {minutes_of(REST_S)}", met=seconds < REST_S)


def calls(made: Floor, begun: float) -> list[Figure]:
    """The busiest minute of each method, in all and in traffic, beside its limit."""
    every, busy_ones = made.busiest(0), made.busiest(begun)
    return [
        Figure(
            f"{name} in its busiest minute",
            f"{most}, in traffic {busy_ones.get(name, 0)}",
            f"at most {limit(name)}",
            met=most <= limit(name),
        )
        for name, most in sorted(every.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def limit(method: str) -> int:
    """Calls a minute that Slack allows."""
    return PER_MINUTE.get(method, DEFAULT)


def minutes_of(seconds: float) -> str:
    """Slack's minutes."""
    return f"{seconds / 60:.1f} min" if seconds >= MINUTE_S else f"{seconds:.1f} s"


def run(*, full: bool) -> list[Figure]:
    """The section; with `full` an hour of traffic."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(measure(AGENTS, CONTACTS, 60 if full else MINUTES))
