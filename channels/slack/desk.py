"""The desk in Slack, put together: from a start to the end of this node's time as the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import msgspec
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from channels.slack.acting import Actor, Parts
from channels.slack.answering import Answering
from channels.slack.api import Api, Doubt, Refusal, Wait
from channels.slack.arriving import Arrivals
from channels.slack.asking import Find, Questions
from channels.slack.away import TimesAway
from channels.slack.catching_up import CatchingUp
from channels.slack.comparing import had
from channels.slack.customers import Channels, Customers, Tidy
from channels.slack.enclosing import Enclosing
from channels.slack.fetching import Fetching
from channels.slack.holding import Holding, hint
from channels.slack.homes import Homes
from channels.slack.lapses import Lapses
from channels.slack.limits import Limits
from channels.slack.lines import Lines
from channels.slack.listening import Sockets, bolt
from channels.slack.losses import Losses
from channels.slack.own_status import OwnStatus
from channels.slack.people import People
from channels.slack.ports import Files, Memory, Roster, Wishes
from channels.slack.posting import Postings
from channels.slack.projection import Explain, Projection
from channels.slack.reading import Deed, read
from channels.slack.rehearsing import WhatIfs
from channels.slack.rounds import Asked, rounds_of
from channels.slack.sharing import Sharing
from channels.slack.taking_back import TakingBack
from channels.slack.windows import problems
from channels.slack.work import Work
from router.core.errors import StoreUnavailable
from router.core.ports import Inbox
from router.desk.model import Desk
from router.desk.ports import Changed, Commands, Rehearsing, Texts
from router.desk.rehearsals import WhatIf

log = structlog.get_logger()

ALIVE = "alive"
GAP_MS = 20_000
BEAT_MS = 10_000
TICK_SECONDS = 1.0
FIRST_SECONDS = 20.0  # for what an earlier process left undone, before threads are looked at
AGAIN_SECONDS = 5.0


Runs: TypeAlias = Sequence[Callable[[], Coroutine[None, None, None]]]


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What the process gives. `clock` in ms; `problems` for supervisors' Home.

    `limits`: how fast Slack may be called, by whatever part of the process. `customers`: channels whose writers are
    customers; their messages go into `inbox`. `tidy` makes a file's name and type safe.
    """

    client: AsyncWebClient
    app_token: str
    signing_secret: str
    memory: Memory
    roster: Roster
    files: Files
    desk: Desk
    read: Texts
    commands: Commands
    explain: Explain
    find: Find
    problems: Callable[[], list[str]]
    team_channel: str
    statuses: Callable[[], Mapping[str, str]]
    customers: Channels
    inbox: Inbox
    tidy: Tidy
    clock: Callable[[], int]
    limits: Limits
    wishes: Callable[[], Wishes] = Wishes
    rehearsing: Rehearsing | None = None


@dataclass(frozen=True)
class _Shown:
    """What is kept up to date in Slack, and who is who there."""

    people: People
    projection: Projection
    homes: Homes
    lines: Lines
    own_status: OwnStatus
    times_away: TimesAway
    losses: Losses
    whatifs: WhatIfs


class SlackDesk:
    """One node's desk in Slack while it leads."""

    def __init__(self, outside: Outside) -> None:
        self._out = outside
        self._api = Api(outside.client, outside.limits)
        self._arrivals: Arrivals | None = None
        self._sockets: Sockets | None = None
        self._alive: int | None = None  # ms: until when it is known that somebody listened
        self._beaten = 0
        self._url = ""
        self.works: Sequence[Work[Any]] = ()
        self._bot = ""
        self.taking_back = TakingBack(self._api, outside.memory, lambda: self._bot)
        self.app = bolt(outside.client, self.take, outside.signing_secret)

    @property
    def troubles(self) -> list[str]:
        """What an admin should know."""
        if self._arrivals is None:
            return ["Slack does not answer: agents in Slack see and do nothing"]
        if self._sockets is not None and not self._sockets.connected:
            return ["no socket to Slack is open: what agents do there does not arrive"]
        return []

    async def take(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Store what came, and give what Slack is answered. Raises StoreUnavailable."""
        arrivals = self._arrivals
        if arrivals is None:
            raise StoreUnavailable("the desk in Slack is not ready")
        found = {
            block: text
            for deed in read(payload, self._bot)
            for block, text in problems(deed, self._out.clock()).items()
        }
        if found:  # nothing was done: it stands in the window still, to be put right
            return {"response_action": "errors", "errors": found}
        await arrivals.take(payload)
        if self._arrivals is not arrivals:  # it ended meanwhile, and the next may have read what was there before
            raise StoreUnavailable("the desk in Slack has ended")
        return {}

    async def run(self) -> None:
        """Be the desk until cancelled. Raises Fenced (in a group) when another node leads, StoreUnavailable."""
        times_away = TimesAway(
            memory=self._out.memory, source=self._out.desk.source, commands=self._out.commands, clock=self._out.clock
        )
        unwatch = self._out.desk.source.subscribe(times_away.changed)
        try:
            kept = await self._out.memory.all()
            times_away.recall(kept)
            await self._be(kept, await self._identity(), times_away)
        finally:
            unwatch()

    async def _be(self, kept: dict[str, bytes], identity: dict[str, Any], times_away: TimesAway) -> None:
        out = self._out
        self._bot, self._url = str(identity["user_id"]), str(identity.get("url") or "")
        people = People(self._api, out.roster, out.memory, str(identity.get("team_id") or ""))
        people.recall(kept)
        postings = Postings(self._api, out.memory, out.clock)
        lines = self._lines(postings)
        projection = Projection(
            desk=out.desk,
            read=out.read,
            people=people,
            postings=postings,
            explain=out.explain,
            clock=out.clock,
            forget=out.memory.delete,
            hint=lambda: hint(out.wishes().undo_ms),
        )
        whatifs = WhatIfs(asked=WhatIf(out.desk.source, out.rehearsing), answering=Answering(self._api))
        homes = self._homes(projection, whatifs, times_away)
        lapses = Lapses(api=self._api, people=people, source=out.desk.source, memory=out.memory)
        own_status = OwnStatus(commands=out.commands, source=out.desk.source, memory=out.memory, named=out.statuses)
        own_status.recall(kept)
        losses = Losses(api=self._api, people=people, memory=out.memory, at=projection.at)
        rounds = rounds_of(self._asked(people, postings, projection))
        shown = _Shown(people, projection, homes, lines, own_status, times_away, losses, whatifs)
        arrivals = self._hands(shown)
        catching_up = CatchingUp(
            api=self._api,
            people=people,
            take=arrivals.take,
            agents=lambda: list(out.roster.addresses()),
            channels=lambda: tuple(out.customers()),
            known=partial(had, out.desk, out.read),
        )
        self._alive = msgspec.json.decode(kept[ALIVE], type=int) if ALIVE in kept else None

        def changed(news: Changed) -> None:
            projection.changed(news)
            homes.changed(news)
            lines.changed(news)
            lapses.changed(news)

        end = out.desk.source.subscribe(changed)
        try:
            for part in (projection, lines, lapses, *rounds, losses, self.taking_back, arrivals):
                part.recall(kept)
            self._arrivals = arrivals
            shown_by = (projection, homes, lines, lapses, losses, catching_up, whatifs, self.taking_back)
            every = tuple(one.work for one in shown_by)
            self.works = (*every, *(one.work for one in rounds), arrivals.work, arrivals.work_apart)
            works: Runs = [*(one.run for one in every), *(one.work.run for one in rounds)]
            ticks = (projection.look, lines.look, *(one.look for one in rounds), lambda: self._gap(catching_up))
            await self._work(arrivals, works, ticks, times_away)
        finally:
            self._arrivals = None
            end()

    def _homes(self, projection: Projection, whatifs: WhatIfs, times_away: TimesAway) -> Homes:
        return Homes(
            api=self._api,
            desk=self._out.desk,
            link=lambda agent, contact: self._link(projection, agent, contact),
            problems=self._out.problems,
            changes=whatifs.waiting,
            until=times_away.until,
            clock=self._out.clock,
        )

    def _asked(self, people: People, postings: Postings, projection: Projection) -> Asked:
        """What those need who look by themselves whether somebody is to be told something."""
        out = self._out
        return Asked(
            api=self._api,
            desk=out.desk,
            people=people,
            postings=postings,
            memory=out.memory,
            problems=out.problems,
            wishes=out.wishes,
            link=lambda agent, contact: self._link(projection, agent, contact),
            clock=out.clock,
        )

    def _lines(self, postings: Postings) -> Lines:
        out = self._out
        return Lines(
            channel=out.team_channel,
            desk=out.desk,
            read=out.read,
            postings=postings,
            forget=out.memory.delete,
            clock=out.clock,
        )

    def _hands(self, shown: _Shown) -> Arrivals:
        out, projection = self._out, shown.projection
        answering = Answering(self._api)
        questions = Questions(
            desk=out.desk,
            commands=out.commands,
            explain=out.explain,
            find=out.find,
            later=shown.times_away.later,
            now=out.clock,
        )
        fetching = Fetching(token=out.client.token or "", address=out.client.base_url, api=self._api)
        customers = Customers(
            channels=out.customers, people=shown.people, fetching=fetching, inbox=out.inbox, tidy=out.tidy
        )

        async def remember(deed: Deed) -> None:
            await arrivals.keep(deed)

        def find(key: str) -> Deed | None:
            return arrivals.held(key)

        holding = Holding(hold_ms=lambda: out.wishes().undo_ms, find=find, remember=remember, now=out.clock)
        enclosing = Enclosing(fetching=fetching, files=out.files, remember=remember)
        sharing = Sharing(api=self._api, desk=out.desk, read=out.read, remember=remember, note=projection.shared)
        actor = Actor(
            Parts(
                desk=out.desk,
                read=out.read,
                commands=out.commands,
                people=shown.people,
                projection=projection,
                answering=answering,
                enclosing=enclosing,
                questions=questions,
                customers=customers,
                homes=shown.homes,
                lines=shown.lines,
                own_status=shown.own_status,
                sharing=sharing,
                explain=out.explain,
                wishes=out.wishes,
                holding=holding,
                whatifs=shown.whatifs,
                now=out.clock,
            )
        )
        arrivals = Arrivals(
            memory=out.memory,
            carry_out=actor.carry_out,
            concerns=actor.concerns,
            lane_of=actor.lane_of,
            apart=customers.concerns,
            lose=shown.losses.note,
            clock=out.clock,
            bot=self._bot,
        )
        return arrivals

    async def _work(
        self, arrivals: Arrivals, works: Runs, ticks: Sequence[Callable[[], None]], times_away: TimesAway
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(arrivals.work.run())
            group.create_task(arrivals.work_apart.run())
            if self._out.app_token:
                self._sockets = Sockets(self.app, self._out.app_token)
                group.create_task(self._sockets.run())
            group.create_task(self._tick(ticks, times_away))
            await arrivals.work.done(FIRST_SECONDS)
            for work in works:
                group.create_task(work())
            log.info("slack_desk_ready")

    async def _identity(self) -> dict[str, Any]:
        """Who we are in Slack; asked until it is told."""
        while True:
            try:
                return await self._api.call("auth.test", {}, urgent=True)
            except (Wait, Doubt) as wait:
                seconds = wait.seconds
            except Refusal as refusal:
                log.error("slack_refuses", work="auth.test", code=refusal.code)  # noqa: TRY400  # no traceback
                seconds = AGAIN_SECONDS
            await asyncio.sleep(max(seconds, 1.0))

    def _link(self, projection: Projection, agent: str, contact: str) -> str | None:
        thread = projection.threads.get((agent, contact))
        if thread is None or not thread.ts or not self._url:
            return None
        return f"{self._url}archives/{thread.channel}/p{thread.ts.replace('.', '')}"

    # -- while nobody listened -----------------------------------------------------------------------------------------

    def _gap(self, catching_up: CatchingUp) -> None:
        """See whether nobody listened for a while, and read what was said meanwhile."""
        if self._sockets is not None and not self._sockets.connected:
            return
        now, before = self._out.clock(), self._alive
        self._alive = now
        if before is not None and now - before > GAP_MS:
            catching_up.begin(before, now)

    async def _beat(self) -> None:
        """Remember now and then until when somebody listened."""
        if self._alive is not None and self._alive - self._beaten > BEAT_MS:
            with suppress(StoreUnavailable):
                await self._out.memory.put(ALIVE, msgspec.json.encode(self._alive))
                self._beaten = self._alive

    async def _tick(self, ticks: Sequence[Callable[[], None]], times_away: TimesAway) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for tick in ticks:
                tick()
            await self._beat()
            if self._arrivals is not None:
                with suppress(StoreUnavailable):
                    await self._arrivals.forget_failed()
            await times_away.look()
