"""Digests: to each agent at the end of their shift, to supervisors each day and, once a week, of the week."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from channels.slack import alerting
from channels.slack.api import Api, Doubt, Refusal
from channels.slack.card import Post
from channels.slack.people import People
from channels.slack.ports import Memory, Wishes
from channels.slack.posting import PLAIN
from channels.slack.work import Work
from router.desk import digests
from router.desk.digests import Tally
from router.desk.figures import day_of
from router.desk.model import Desk, NotOnRoster
from router.desk.rights import leads

TOLD = "digest:"  # agent, or TEAM, or TEAM and supervisor -> the day that was told
DAY = "day:"  # what was done on a day
TEAM = "#"
HANDS = 2
LOOK_MS = 20_000
KEEP_MS = 60_000  # between two times that today's figures are remembered
DAYS = 7
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Digests:
    """One node's. `clock` gives ms."""

    def __init__(
        self,
        *,
        api: Api,
        desk: Desk,
        people: People,
        memory: Memory,
        problems: Callable[[], list[str]],
        wishes: Callable[[], Wishes],
        clock: Callable[[], int],
    ) -> None:
        self._api = api
        self._desk = desk
        self._people = people
        self._memory = memory
        self._problems = problems
        self._wishes = wishes
        self._clock = clock
        self._told: dict[str, str] = {}
        self._days: dict[str, Tally] = {}
        self._looked = self._kept = 0
        self.work: Work[str] = Work("digests", self._tell, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        for name, raw in kept.items():
            if name.startswith(TOLD):
                self._told[name[len(TOLD) :]] = msgspec.json.decode(raw, type=str)
            elif name.startswith(DAY):
                self._days[name[len(DAY) :]] = msgspec.json.decode(raw, type=Tally)

    def look(self) -> None:
        """See now and then whose day is over."""
        now = self._clock()
        if 0 <= now - self._looked < LOOK_MS or self._desk.source.state.workspace.shadow:
            return
        self._looked = now
        if not 0 <= now - self._kept < KEEP_MS:
            self.work.mark("")
        today = self._today()
        late = self._local().strftime("%H:%M") >= self._wishes().digest_at
        if TEAM not in self._told:
            self._told[TEAM] = today if late else ""  # who begins after the hour tells tomorrow
        if late and self._told.get(TEAM) != today:
            self.work.mark(TEAM)
        state, zone = self._desk.source.state, self._zone()
        start = day_of(now, zone)[0]
        for agent, seat in state.agents.items():
            worked = seat.held or seat.parked or seat.status_since >= start
            if worked and self._told.get(agent) != today and digests.is_over(seat, now, zone):
                self.work.mark(agent)

    def _zone(self) -> str:
        return self._desk.source.names.display().timezone

    def _local(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC).astimezone(ZoneInfo(self._zone()))

    def _today(self) -> str:
        return self._local().date().isoformat()

    async def _tell(self, whom: str) -> None:
        """Tell one agent, the supervisors, or ("") remember what was done so far."""
        await self._desk.source.settled()
        today = self._today()
        if not whom:
            await self._keep(today)
        elif self._told.get(whom) != today:
            told = await (self._team(today) if whom == TEAM else self._shift(whom))
            if told:
                self._told[whom] = today
                await self._memory.put(TOLD + whom, msgspec.json.encode(today))

    async def _keep(self, today: str) -> None:
        """Remember today's figures for the week's; a day that was left behind stands as it was seen last."""
        self._kept = self._clock()
        now = digests.tally(self._desk)
        if self._days.get(today) != now:
            await self._memory.put(DAY + today, msgspec.json.encode(now))
            self._days[today] = now
        oldest = (self._local().date() - timedelta(days=DAYS)).isoformat()
        old = [name for name in self._days if name <= oldest]
        if old:
            await self._memory.delete([DAY + name for name in old])
            for name in old:
                del self._days[name]

    async def _shift(self, agent: str) -> bool:
        try:
            view = digests.shift(self._desk, agent)
        except NotOnRoster:
            return True
        if not (view.today.answers or view.today.resolved):  # a day off has no end
            return False
        seat = await self._people.found(agent)
        if seat is None:
            return False
        await self._post(seat.dm, alerting.shift(view))
        return True

    async def _team(self, today: str) -> bool:
        await self._keep(today)
        week: Tally | None = None
        if WEEKDAYS[self._local().weekday()] == self._wishes().digest_week:
            week = Tally()
            for one in self._days.values():
                week.add(one)
        post = alerting.day(digests.day(self._desk, self._problems(), self._clock()), week)
        refused: Refusal | None = None
        for target in self._targets():
            try:
                await self._told_once(target, today, post)
            except Refusal as refusal:  # the others are told all the same, and this one tried again
                refused = refusal
        if refused is not None:
            raise refused
        return True

    def _targets(self) -> list[str]:
        """The supervisors' channel, or each supervisor."""
        state, channel = self._desk.source.state, self._wishes().supervisors_channel
        return [TEAM] if channel else [one for one in state.workspace.agents if leads(state, one)]

    async def _told_once(self, target: str, today: str, post: Post) -> None:
        """Tell one of them of the day, unless it was before another had to wait. Raises like `_tell`."""
        name = f"{TEAM}{target}"
        if self._told.get(name) == today:
            return
        channel = self._wishes().supervisors_channel
        if target != TEAM:
            seat = await self._people.found(target)
            channel = seat.dm if seat is not None else ""
        if channel:
            await self._post(channel, post)
        self._told[name] = today
        await self._memory.put(TOLD + name, msgspec.json.encode(today))

    async def _post(self, channel: str, post: Post) -> None:
        arguments = {"channel": channel, "text": post.text, "blocks": list(post.blocks), **PLAIN}
        with suppress(Doubt):  # most likely it stands there; said twice it would say nothing more
            await self._api.call("chat.postMessage", arguments, patience=3.0)
