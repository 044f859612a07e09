"""The team's channel: one line for each contact that waits and is at risk, or was escalated; who is first takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from channels.slack import team
from channels.slack.posting import CARD, Postings
from channels.slack.threads import LINE, TEAM, Thread
from channels.slack.work import Work
from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.model import Desk
from router.desk.overview import at_risk
from router.desk.ports import Changed, Texts
from router.desk.summaries import heads, person_name, row

HANDS = 2

_LINE = msgspec.json.Decoder(Thread)


class Lines:
    """One node's. `channel`: the team's; `clock` gives ms."""

    def __init__(
        self,
        *,
        channel: str,
        desk: Desk,
        read: Texts,
        postings: Postings,
        forget: Callable[[list[str]], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._channel = channel
        self._desk = desk
        self._read = read
        self._postings = postings
        self._forget = forget
        self._clock = clock
        self._lines: dict[str, Thread] = {}
        self.work: Work[str] = Work("lines", self._bring, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        for name, raw in kept.items():
            if name.startswith(LINE):
                line = _LINE.decode(raw)
                self._lines[line.contact] = line
                self.work.mark(line.contact)

    def at(self, channel: str, ts: str) -> str:
        """The contact whose line stands there, or ""."""
        return next((one.contact for one in self._lines.values() if (one.channel, one.ts) == (channel, ts)), "")

    def look(self) -> None:
        """Time alone puts promises at risk: see who has no line yet."""
        if not self._channel:
            return
        for contact in self._desk.index.waiting():
            if contact.id not in self._lines and self._risky(contact):
                self.work.mark(contact.id)
        for line in self._lines.values():
            if line.again and line.again[0].at <= self._clock():
                self.work.mark(line.contact)

    def changed(self, changed: Changed) -> None:
        """A listener of each commit."""
        for contact in self._lines if changed.everything else changed.contacts:
            if contact in self._lines:
                self.work.mark(contact)

    def _risky(self, contact: Contact) -> bool:
        late = at_risk(contact, self._clock())
        shadow = self._desk.source.state.workspace.shadow
        return contact.state is ContactState.WAITING and (late or contact.escalated > 0) and not shadow

    async def _bring(self, name: str) -> None:
        state = await self._desk.source.settled()
        contact, line = state.contacts.get(name), self._lines.get(name)
        if line is not None:
            await self._postings.settle(line)
            await self._postings.late_copies(line)
        waits = contact is not None and contact.state is ContactState.WAITING
        if contact is None or (not waits and line is None) or (line is None and not self._risky(contact)):
            if line is not None:
                await self._over(line)
            return
        names = self._desk.source.names
        shown = row(contact, await heads(self._read, [contact]), names)
        if line is None or not line.ts:
            line = self._lines[name] = line or Thread(agent=TEAM, contact=name, channel=self._channel)
            if waits:
                since = contact.waiting_since or contact.opened_at
                await self._postings.post(line, CARD, team.waits(shown, since, self._clock()), urgent=True)
                return
            await self._over(line)
            return
        if not waits and contact.state is not ContactState.OFFERED:  # an offer may lapse: it is no end
            post = team.taken(shown, person_name(names, contact.agent))
            await self._postings.update(line.channel, line.ts, post, urgent=True)
            await self._over(line)

    async def _over(self, line: Thread) -> None:
        self._lines.pop(line.contact, None)
        await self._forget([line.name])
