"""Digests: to each agent at the end of their shift, to supervisors each day and, once a week, of the week.

What is to be told is put down as it stands when it falls due, and told as soon as Slack can be reached, be it after
midnight or by another process.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from channels.slack import alerting
from channels.slack.api import Api, Refusal
from channels.slack.blocks import Json
from channels.slack.card import Post
from channels.slack.people import People
from channels.slack.ports import Memory, Wishes
from channels.slack.posting import EVENT, LOOKED_THROUGH, PLAIN
from channels.slack.work import URGENT, Work
from router.desk import digests
from router.desk.digests import Tally
from router.desk.figures import day_of
from router.desk.model import Desk, NotOnRoster
from router.desk.rights import leads

log = structlog.get_logger()

TOLD = "digest:"  # agent, or TEAM, or TEAM and supervisor -> the day that was told
DUE = "due:"  # day and whom -> what is to be told
DAY = "day:"  # what was done on a day
TEAM = "#"
HANDS = 2
LOOK_MS = 20_000
KEEP_MS = 60_000  # between two times that today's figures are remembered
DAYS = 7
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Due(msgspec.Struct):
    """A digest of a day that was not told yet. `tried`: channels in which it may stand already."""

    day: str
    whom: str
    post: Post
    tried: list[str] = []

    @property
    def name(self) -> str:
        """Under what name it is remembered: the days in their order."""
        return f"{DUE}{self.day} {self.whom}"


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
        self._due: dict[str, list[Due]] = {}  # oldest first
        self._days: dict[str, Tally] = {}
        self._looked = self._kept = 0
        self.work: Work[str] = Work("digests", self._tell, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        for name, raw in sorted(kept.items()):
            if name.startswith(TOLD):
                self._told[name[len(TOLD) :]] = msgspec.json.decode(raw, type=str)
            elif name.startswith(DAY):
                self._days[name[len(DAY) :]] = msgspec.json.decode(raw, type=Tally)
            elif name.startswith(DUE):
                self._put_down(msgspec.json.decode(raw, type=Due))

    def look(self) -> None:
        """See now and then whose day is over."""
        now = self._clock()
        if 0 <= now - self._looked < LOOK_MS or self._desk.source.state.workspace.shadow:
            return
        self._looked = now
        if not 0 <= now - self._kept < KEEP_MS or self._over():
            self.work.mark("", URGENT)

    def _over(self) -> list[str]:
        """Whose day is over, and was neither told nor put down."""
        now, today = self._clock(), self._today()
        late = self._local().strftime("%H:%M") >= self._wishes().digest_at
        if TEAM not in self._told:
            self._told[TEAM] = today if late else ""  # who begins after the hour tells tomorrow
        found = [TEAM] if late and self._is_open(TEAM, today) else []
        state, zone = self._desk.source.state, self._zone()
        start = day_of(now, zone)[0]
        for agent, seat in state.agents.items():
            worked = seat.held or seat.parked or seat.status_since >= start
            if worked and self._is_open(agent, today) and digests.is_over(seat, now, zone):
                found.append(agent)
        return found

    def _is_open(self, whom: str, today: str) -> bool:
        return self._told.get(whom) != today and all(one.day != today for one in self._due.get(whom, ()))

    def _zone(self) -> str:
        return self._desk.source.names.display().timezone

    def _local(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC).astimezone(ZoneInfo(self._zone()))

    def _today(self) -> str:
        return self._local().date().isoformat()

    async def _tell(self, whom: str) -> None:
        """Tell one agent or the supervisors what is due; or ("") see what is, and remember what was done so far."""
        if not whom:
            await self._look_around()
            return
        refused: Refusal | None = None
        for due in tuple(self._due.get(whom, ())):
            try:
                await (self._team(due) if whom == TEAM else self._shift(due))
            except Refusal as refusal:
                if due.day == self._today():  # it may be mended today; another day's is not held up
                    refused = refusal
                    continue
                log.warning("slack_digest_refused", day=due.day, code=refusal.code)
            self._told[whom] = due.day
            await self._memory.put(TOLD + whom, msgspec.json.encode(due.day))
            await self._memory.delete([due.name])
            self._due[whom].remove(due)
        if refused is not None:
            raise refused

    def _put_down(self, due: Due) -> None:
        self._due.setdefault(due.whom, []).append(due)
        self.work.mark(due.whom)

    async def _look_around(self) -> None:
        """Put down what is to be told, all of it before any is told: that may take as long as Slack is away."""
        await self._desk.source.settled()
        today = self._today()
        await self._keep(today)
        for whom in self._over():
            post = self._day() if whom == TEAM else self._shift_of(whom)
            if post is None:
                continue
            due = Due(today, whom, post)
            await self._memory.put(due.name, msgspec.json.encode(due))
            self._put_down(due)

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

    def _shift_of(self, agent: str) -> Post | None:
        """What an agent is told of their day; nothing of a day off: it has no end."""
        try:
            view = digests.shift(self._desk, agent)
        except (NotOnRoster, KeyError):
            return None
        return alerting.shift(view, self._clock()) if view.today.answers or view.today.resolved else None

    def _day(self) -> Post:
        week: Tally | None = None
        if WEEKDAYS[self._local().weekday()] == self._wishes().digest_week:
            week = Tally()
            for one in self._days.values():
                week.add(one)
        return alerting.day(digests.day(self._desk, self._problems(), self._clock()), week)

    async def _shift(self, due: Due) -> None:
        seat = await self._people.found(due.whom)
        if seat is not None:  # who is no member of the workspace reads nothing there
            await self._post(seat.dm, due)

    async def _team(self, due: Due) -> None:
        refused: Refusal | None = None
        for target in self._targets():
            try:
                await self._told_once(target, due)
            except Refusal as refusal:  # the others are told all the same, and this one tried again
                refused = refusal
        if refused is not None:
            raise refused

    def _targets(self) -> list[str]:
        """The supervisors' channel, or each supervisor."""
        state, channel = self._desk.source.state, self._wishes().supervisors_channel
        return [TEAM] if channel else [one for one in state.workspace.agents if leads(state, one)]

    async def _told_once(self, target: str, due: Due) -> None:
        """Tell one of them of the day, unless it was before another had to wait. Raises like `_tell`."""
        name = f"{TEAM}{target}"
        if self._told.get(name) == due.day:
            return
        channel = self._wishes().supervisors_channel
        if target != TEAM:
            seat = await self._people.found(target)
            channel = seat.dm if seat is not None else ""
        if channel:
            await self._post(channel, due)
        self._told[name] = due.day
        await self._memory.put(TOLD + name, msgspec.json.encode(due.day))

    async def _post(self, channel: str, due: Due) -> None:
        """Post it, unless it stands there since a try whose answer was lost. Raises Wait, Refusal, StoreUnavailable."""
        named = due.name.removeprefix(DUE)
        if channel not in due.tried:
            due.tried.append(channel)
            await self._memory.put(due.name, msgspec.json.encode(due))
        elif await self._stands(channel, named):
            return
        arguments: Json = {
            "channel": channel,
            "text": due.post.text,
            "blocks": list(due.post.blocks),
            "metadata": {"event_type": EVENT, "event_payload": {"digest": named}},
        }
        await self._api.call("chat.postMessage", {**arguments, **PLAIN}, patience=3.0)

    async def _stands(self, channel: str, named: str) -> bool:
        arguments = {"channel": channel, "limit": LOOKED_THROUGH, "include_all_metadata": True}
        try:
            answer = await self._api.call("conversations.history", arguments, patience=3.0)
        except Refusal:  # told twice is better than not at all
            return False
        told = [(one.get("metadata") or {}).get("event_payload") or {} for one in answer.get("messages") or ()]
        return any(one.get("digest") == named for one in told)
