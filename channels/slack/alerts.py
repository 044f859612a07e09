"""Alerts for supervisors: one message per matter in their channel, changed as it changes, and told anew if it worsens.

What stays bad for half an hour is told to each supervisor in person as well; where there is no channel, to them alone
and at once. An alert names numbers, topics and ids, never what a customer wrote: it stays where it was said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from channels.slack import alerting
from channels.slack.api import Refusal
from channels.slack.people import People
from channels.slack.ports import Wishes
from channels.slack.posting import CARD, Postings
from channels.slack.threads import Thread, digest
from channels.slack.work import Work
from router.desk.lead_views import Matter
from router.desk.matters import NOW, Told, matters, next_step
from router.desk.model import Desk
from router.desk.rights import leads

PREFIX = "alert:"
CHANNEL = "#"  # in place of an agent: the supervisors' channel
HANDS = 2
LOOK_MS = 15_000
SHOW_MS = 60_000  # between two changes of one alert
PATIENCE_MS = 1_800_000  # so long a matter may be bad before it is told in person, where there is a channel


class Alert(Thread, kw_only=True):
    """One matter as it was told in one place; `agent`: to whom, `contact`: which matter, and since when.

    `risen`: since when it is as bad as it is; `shown`: when the message changed last.
    """

    level: int = 0
    size: int = 0
    at: int = 0
    over: int | None = None
    risen: int = 0
    shown: int = 0

    @property
    def code(self) -> str:
        """Of the matter."""
        return self.contact.partition(" ")[0]

    @property
    def name(self) -> str:
        """Under which it is remembered."""
        return f"{PREFIX}{self.agent} {self.code}"

    def was(self) -> Told:
        """What was told."""
        return Told(level=self.level, size=self.size, at=self.at, over=self.over)


_ALERT = msgspec.json.Decoder(Alert)


class Alerts:
    """One node's. `problems` are those of `usherd status`; `clock` gives ms."""

    def __init__(
        self,
        *,
        desk: Desk,
        people: People,
        postings: Postings,
        forget: Callable[[list[str]], Awaitable[None]],
        problems: Callable[[], list[str]],
        wishes: Callable[[], Wishes],
        clock: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._people = people
        self._postings = postings
        self._forget = forget
        self._problems = problems
        self._wishes = wishes
        self._clock = clock
        self._alerts: dict[tuple[str, str], Alert] = {}  # (to whom, code)
        self._looked = 0
        self.work: Work[str] = Work("alerts", self._bring, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        for name, raw in kept.items():
            if name.startswith(PREFIX):
                alert = _ALERT.decode(raw)
                self._alerts[alert.agent, alert.code] = alert

    def look(self) -> None:
        """See now and then what is wrong: most of it comes with time alone."""
        if 0 <= self._clock() - self._looked < LOOK_MS:
            return
        self._looked = self._clock()
        found = self._found()
        for target in self._targets():
            known = [code for whom, code in self._alerts if whom == target]
            if known or any(self._concerns(target, one) for one in found.values()):
                self.work.mark(target)

    def _targets(self) -> list[str]:
        state = self._desk.source.state
        supervisors = [agent for agent in state.workspace.agents if leads(state, agent)]
        return [CHANNEL, *supervisors] if self._wishes().supervisors_channel else supervisors

    def _found(self) -> dict[str, Matter]:
        listed = matters(self._desk.source.state, self._desk.figures.open(), self._problems(), self._clock())
        return {one.code: one for one in listed}

    def _concerns(self, target: str, matter: Matter) -> bool:
        """Whether it is for them: in person only what stayed bad although it stands in the channel."""
        if target == CHANNEL or not self._wishes().supervisors_channel or (target, matter.code) in self._alerts:
            return True
        told = self._alerts.get((CHANNEL, matter.code))
        bad = told is not None and told.ts and told.over is None and told.level >= NOW
        return bool(bad) and told is not None and self._clock() - told.risen >= PATIENCE_MS

    async def _bring(self, target: str) -> None:
        """Bring what was told in one place to what is. Raises Wait, Refusal, StoreUnavailable, Fenced."""
        await self._desk.source.settled()
        found = self._found()
        channel = await self._place(target)
        codes = dict.fromkeys([*(code for whom, code in self._alerts if whom == target), *found])
        for code in codes if channel else ():
            alert, matter = self._alerts.get((target, code)), found.get(code)
            if alert is not None and alert.channel != channel:
                await self._leave(alert)
                alert = None
            if alert is not None:
                await self._postings.settle(alert)
                await self._postings.late_copies(alert)
            if matter is None or self._concerns(target, matter):
                await self._one(target, channel, matter, alert)

    async def _leave(self, alert: Alert) -> None:
        """Alerts go elsewhere now: it stands there no longer as if it were kept up to date. Raises like `_bring`."""
        with suppress(Refusal):  # that channel may be archived, or we were put out of it
            if alert.ts:
                await self._postings.update(alert.channel, alert.ts, alerting.elsewhere(alert.code))
        del self._alerts[alert.agent, alert.code]
        await self._forget([alert.name])

    async def _place(self, target: str) -> str:
        if target == CHANNEL:
            return self._wishes().supervisors_channel
        seat = await self._people.found(target)
        return seat.dm if seat is not None else ""

    async def _one(self, target: str, channel: str, matter: Matter | None, alert: Alert | None) -> None:
        now = self._clock()
        posted = alert is not None and bool(alert.ts)
        step = next_step(matter, alert.was() if alert is not None and posted else None, now)
        if matter is not None and step == "tell":
            await self._tell(target, channel, matter, alert)
        elif matter is not None and alert is not None:
            await self._show(alert, matter)
        elif alert is not None and step == "end":
            await self._postings.update(alert.channel, alert.ts, alerting.over(alert.code, now))
            alert.over, alert.card = now, ""
            await self._postings.save(alert)
        elif alert is not None and (step == "forget" or not posted):  # it is long over, or was never said
            del self._alerts[target, alert.code]
            await self._forget([alert.name])

    async def _tell(self, target: str, channel: str, matter: Matter, before: Alert | None) -> None:
        now = self._clock()
        alert = before if before is not None and not before.ts else None
        if alert is None:
            alert = Alert(agent=target, contact=f"{matter.code} {now}", channel=channel)
            alert.risen = before.risen if before is not None and before.level == matter.level else now
            if before is not None:
                await self._postings.update(before.channel, before.ts, alerting.superseded(matter.code))
        alert.level, alert.size, alert.at, alert.shown = matter.level, matter.size, now, now
        self._alerts[target, matter.code] = alert
        await self._postings.post(alert, CARD, alerting.alert(matter), urgent=True)

    async def _show(self, alert: Alert, matter: Matter) -> None:
        now, post = self._clock(), alerting.alert(matter)
        shown = digest(post.digest)
        back = alert.over is not None
        if shown == alert.card or (not back and 0 <= now - alert.shown < SHOW_MS):
            return
        await self._postings.update(alert.channel, alert.ts, post)
        if matter.level != alert.level:
            alert.risen = now
        alert.card, alert.shown, alert.over, alert.level = shown, now, None, matter.level
        await self._postings.save(alert)
