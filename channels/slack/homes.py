"""Keeps the app's Home of each agent up to date who has opened it, as far as Slack's limits go."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from channels.slack import home
from channels.slack.api import Api, Wait
from channels.slack.blocks import Json
from channels.slack.threads import digest
from channels.slack.work import URGENT, USUAL, Work
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.ports import Changed

log = structlog.get_logger()

HANDS = 2
APART_MS = 10_000  # between two changes of one Home, unless somebody waits for it


class Homes:
    """One node's. `link` gives a contact's thread as an address; `changes`: whether one waits; `clock` ms.

    `until`: when an agent who is away comes back by themselves, if they said so.
    """

    def __init__(
        self,
        *,
        api: Api,
        desk: Desk,
        link: Callable[[str, str], str | None],
        problems: Callable[[], list[str]],
        changes: Callable[[], bool] = lambda: False,
        until: Callable[[str], int | None] = lambda _: None,
        clock: Callable[[], int],
    ) -> None:
        self._api = api
        self._desk = desk
        self._link = link
        self._problems = problems
        self._changes = changes
        self._until = until
        self._clock = clock
        self._users: dict[str, str] = {}  # agent -> member id, of those who opened theirs
        self._shown: dict[str, str] = {}
        self._last: dict[str, int] = {}
        self.work: Work[str] = Work("homes", self._publish, HANDS)

    def opened(self, agent: str, user: str) -> None:
        """Somebody looks at theirs."""
        self._users[agent] = user
        self._shown.pop(agent, None)
        self._last.pop(agent, None)
        self.mark(agent, urgent=True)

    def mark(self, agent: str, *, urgent: bool = False) -> None:
        """Something in it may have changed."""
        if agent in self._users:
            if urgent:
                self._last.pop(agent, None)
            self.work.mark(agent, URGENT if urgent else USUAL)

    def changed(self, changed: Changed) -> None:
        """A listener of each commit."""
        if not self._users:
            return
        concerned = dict.fromkeys(self._users if changed.everything else changed.agents)
        contacts = self._desk.source.state.contacts
        for name in changed.contacts:
            one = contacts.get(name)
            if one is not None:
                concerned |= dict.fromkeys(agent for agent in (one.agent, one.offer and one.offer.agent) if agent)
        for agent in concerned:
            self.mark(agent)

    async def stranger(self, user: str) -> None:
        """The Home of somebody who is no agent."""
        await self._api.call("views.publish", {"user_id": user, "view": home.stranger()}, urgent=True, patience=2.0)

    async def _publish(self, agent: str) -> None:
        user = self._users.get(agent)
        if user is None:
            return
        since = self._clock() - self._last.get(agent, 0)
        if 0 <= since < APART_MS:  # a clock may be set back
            raise Wait((APART_MS - since) / 1_000)
        view = await self._view(agent)
        shown = digest(repr(view).encode())
        if self._shown.get(agent) == shown:
            return
        await self._api.call("views.publish", {"user_id": user, "view": view}, urgent=agent not in self._last)
        self._shown[agent], self._last[agent] = shown, self._clock()

    async def _view(self, agent: str) -> Json:
        try:
            mine = await self._desk.mine(agent)
        except NotOnRoster:
            self._users.pop(agent, None)
            return home.stranger()
        try:
            overview = await self._desk.overview(agent, self._problems(), changes=self._changes())
        except NotVisible:
            overview = None
        return home.home(mine, overview, lambda contact: self._link(agent, contact), self._until(agent))
