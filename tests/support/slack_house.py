"""The desk in Slack over the engine in memory: the real slack-bolt between, and a Slack of this machine at the end."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from unittest.mock import patch

from channels.slack import api, desk, limits, listening
from channels.slack.desk import Outside, SlackDesk
from channels.slack.limits import Limits
from channels.slack.listening import web_client
from channels.slack.manifest import manifest
from channels.slack.ports import Wishes
from router.app.chat import tidy
from router.core.errors import StoreUnavailable
from router.desk.model import Desk
from router.desk.ports import Rehearsing
from router.desk.search import Search
from router.sim.slack import Channel, FakeSlack, Message, Person, Rules
from tests.fakes.desk_parts import House

PATIENCE = 20.0


class Memory:
    """Implements Slack's `Memory` in memory. `fails`: raises instead."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fails = False

    async def add(self, name: str, value: bytes) -> bool:
        """As the port says."""
        self._check()
        return self.kept.setdefault(name, value) is value

    async def put(self, name: str, value: bytes) -> None:
        """As the port says."""
        self._check()
        self.kept[name] = value

    async def all(self) -> dict[str, bytes]:
        """As the port says."""
        self._check()
        return dict(self.kept)

    async def delete(self, names: list[str]) -> None:
        """As the port says."""
        self._check()
        for name in names:
            self.kept.pop(name, None)

    def _check(self) -> None:
        if self.fails:
            raise StoreUnavailable("the store is away")

    def left(self, prefix: str) -> list[str]:
        """Names that begin so."""
        return [name for name in self.kept if name.startswith(prefix)]


class SlackHouse:
    """Ana, Ben and Eva at their desks in Slack; Zoe works there and is no agent."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.house = House()
        self.memory = Memory()
        self.people: dict[str, Person] = {
            name: slack.add_user(name, email=f"{name}@example.com") for name in ("ana", "ben", "eva", "zoe")
        }
        self.emea = slack.add_channel("emea", members=("ana", "ben", "eva", "zoe", slack.bot))
        self.customers: dict[str, bool] = {}  # channels, and whether agents are customers there
        self.lead = slack.add_channel("lead", members=("eva", slack.bot))
        self.wishes = Wishes()
        self.rehearsing: Rehearsing | None = None
        self.problems: list[str] = []
        self._running: asyncio.Task[None] | None = None
        self.desk: SlackDesk | None = None

    def addresses(self) -> dict[str, str]:
        """The roster: Ben by his member id."""
        return {"ana": "ana@example.com", "ben": self.people["ben"].id, "eva": "Eva@Example.com"}

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    async def start(self) -> None:
        """Begin to be the desk, as after a start of the process."""
        house = self.house
        self.desk = SlackDesk(
            Outside(
                client=web_client(self.slack.bot_token, self.slack.api_url),
                app_token=self.slack.app_token,
                signing_secret="",
                memory=self.memory,
                roster=self,
                files=house,
                desk=Desk(house, house, house.clock),
                read=house,
                commands=house,
                explain=lambda contact: house.explain(contact, full=False),
                find=Search(house, house, house.clock).find,
                problems=lambda: self.problems,
                team_channel=self.emea.id,
                statuses=lambda: {"palm_tree": "away", "spiral_calendar_pad": "busy"},
                customers=lambda: self.customers,
                inbox=house.inbox,
                tidy=tidy,
                clock=house.clock,
                limits=Limits(time.monotonic),
                wishes=lambda: self.wishes,
                rehearsing=self.rehearsing,
            )
        )
        self._running = asyncio.create_task(self.desk.run())
        async with asyncio.timeout(PATIENCE):
            while self.desk.troubles:
                if self._running.done():
                    self._running.result()
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End, as a process that is killed: whatever is under way stays so."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    # -- what stands there ---------------------------------------------------------------------------------------------

    def cards(self, name: str) -> list[Message]:
        """The heads of threads in somebody's conversation with the app."""
        person = self.people[name]
        return [one for one in person.sees() if one.user == self.slack.bot and not one.thread_ts and not one.only_for]

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until it is so."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not true():  # the engine's state wakes nobody
                    await asyncio.sleep(0.01)
        except TimeoutError:
            seen = {name: [one.said for one in person.sees()] for name, person in self.people.items()}
            raise AssertionError(f"{what} did not come about: {seen} {self.slack.refusals}") from None

    async def card(self, name: str, *words: str) -> Message:
        """The newest card that says all of this."""

        def found() -> list[Message]:
            return [one for one in self.cards(name) if all(word in one.said for word in words)]

        await self.until(found, f"a card for {name} with {words}")
        return found()[-1]

    async def whisper(self, name: str, word: str, channel: Channel | None = None) -> Message:
        """What only they see and that says this."""
        person = self.people[name]

        def found() -> list[Message]:
            return [one for one in person.sees(channel) if one.only_for == person.id and word in one.said]

        await self.until(found, f"a whisper to {name} with {word}")
        return found()[-1]

    async def told(self, name: str, head: Message, word: str) -> Message:
        """A message in a thread that says this."""

        def found() -> list[Message]:
            return [one for one in self.people[name].thread(head) if word in one.said and one.ts != head.ts]

        await self.until(found, f"{word} in {name}'s thread")
        return found()[-1]


@asynccontextmanager
async def slack_outside(rules: Rules | None = None) -> AsyncIterator[SlackHouse]:
    """A house with its Slack, not started; both keep a quicker pace than in life."""
    quick = dataclasses.replace(rules or Rules(), message_pace=0.01)
    with (
        patch.object(limits, "MESSAGE_SECONDS", 0.02),
        patch.object(listening, "WATCH_SECONDS", 0.05),
        patch.object(api, "AGAIN_SECONDS", 0.1),
        patch.object(desk, "TICK_SECONDS", 0.1),
    ):
        async with FakeSlack(manifest(), rules=quick) as slack:
            yield SlackHouse(slack)


@asynccontextmanager
async def slack_house(rules: Rules | None = None) -> AsyncIterator[SlackHouse]:
    """The same, started."""
    async with slack_outside(rules) as house:
        await house.start()
        try:
            yield house
        finally:
            await house.stop()
