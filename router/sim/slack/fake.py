"""The whole of it: a workspace, its Web API, its sockets, its people, its page, on two free ports of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from starlette.applications import Starlette

from router.sim.slack.deliveries import Deliveries
from router.sim.slack.faults import Faults
from router.sim.slack.manifest import everything, read_manifest
from router.sim.slack.model import TEAM, Channel, Message
from router.sim.slack.page import Page
from router.sim.slack.people import Person
from router.sim.slack.responding import Turns
from router.sim.slack.rules import Rules
from router.sim.slack.server import Called, WebApi
from router.sim.slack.sockets import HOST, Sockets
from router.sim.slack.workspace import Workspace

GUARD_SECONDS = 60.0
LOOK_SECONDS = 0.1
DEAD_PORT = 9  # of "discard", which nobody runs
T = TypeVar("T")


class _Quiet(uvicorn.Server):
    """Whoever runs the fake handles signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class FakeSlack:
    """A workspace of Slack with one app. Use it as an async context manager."""

    def __init__(
        self,
        manifest: Mapping[str, Any] | None = None,
        *,
        rules: Rules | None = None,
        now: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self.rules = rules or Rules()
        self.faults = Faults()
        self.bot_token, self.app_token = f"xoxb-{secrets.token_hex(12)}", f"xapp-1-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self._port = port
        self._people: dict[str, Person] = {}
        self._changed = asyncio.Event()
        self.version = 0  # grows with each change of anything
        self.space = Workspace(read_manifest(manifest or everything()), now, lambda: self.url)
        self.sockets = Sockets(self.rules, now)
        self.deliveries = Deliveries(self.space, self.sockets, self.rules, self.faults, self.signing_secret)
        self.turns = Turns(self.space, self.rules)
        self.web = WebApi(
            self.space, self.turns, self, self.rules, self.faults, {self.bot_token: "bot", self.app_token: "app"}
        )
        self.space.tell = self.deliveries.tell
        self.space.changed = self.web.heard = self.sockets.changed = self._wake
        self._server: _Quiet | None = None
        self._serving: asyncio.Task[None] | None = None

    # -- where it is --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_url(self) -> str:
        """The `base_url` of a Web API client."""
        return f"{self.url}/api/"

    @property
    def page_url(self) -> str:
        """Where a person sees and clicks what a member of the workspace would."""
        return f"{self.url}/"

    @property
    def bot(self) -> str:
        """The id of the app's own user."""
        return self.space.bot

    @property
    def request_url(self) -> str | None:
        """Where events and interactions are posted to; None: they go over sockets."""
        return self.deliveries.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.deliveries.request_url = url

    async def verifies(self, url: str) -> bool:
        """Enter a request URL as an admin would: only one that answers the challenge is taken."""
        good = await self.deliveries.verify(url)
        if good:
            self.request_url = url
        return good

    # -- running ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start."""
        await self.comes_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.deliveries.stop()
        await self.goes_down()

    async def comes_up(self) -> None:
        """Listen, on the ports of before if there were any."""
        listener = socket.create_server((HOST, self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=[*self.web.routes(), *Page(self).routes()]),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
        )
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self.sockets.start()

    async def goes_down(self) -> None:
        """Be out of reach: sockets are cut, calls in flight are dropped, nobody listens."""
        await self.sockets.stop()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = self._server.force_exit = True
            for line in list(self._server.server_state.connections):
                if line.transport is not None:
                    line.transport.abort()
            await asyncio.wait([self._serving])
            self._server = self._serving = None

    # -- who is there -------------------------------------------------------------------------------------------------

    def add_user(
        self, name: str, *, email: str = "", real_name: str = "", team: str = TEAM, joins: bool = False
    ) -> Person:
        """Put somebody into the workspace, or with `team` another that shares channels; `joins`: the app is told."""
        user = self.space.add_user(name, email=email, real_name=real_name, team=team)
        self._people[name] = Person(self, user)
        if joins:
            self.space.joined(user)
        return self._people[name]

    @property
    def names(self) -> list[str]:
        """Everybody, by name, in the order in which they came."""
        return list(self._people)

    def user(self, name: str) -> Person:
        """Somebody by name."""
        return self._people[name]

    def add_channel(
        self,
        name: str,
        *,
        members: Iterable[str | Person] = (),
        private: bool = False,
        shared_with: Iterable[str] | str = (),
    ) -> Channel:
        """Make a channel with these people, by name or id; `slack.bot` is the app."""
        inside = [self._id(one) for one in members]
        teams = (shared_with,) if isinstance(shared_with, str) else tuple(shared_with)
        return self.space.add_channel(name, inside, private=private, shared_with=teams)

    def _id(self, who: str | Person) -> str:
        if isinstance(who, Person):
            return who.id
        return self._people[who].id if who in self._people else who

    # -- what a test looks at -----------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[Called]:
        """Every call of the app, refused ones included, in order."""
        return list(self.web.calls)

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """Method and error of every call that was refused."""
        return [(one.method, str(one.answer.get("error"))) for one in self.web.calls if not one.answer.get("ok")]

    @property
    def pings(self) -> list[tuple[str, Message]]:
        """Each time somebody was told of a message by name or by a broadcast."""
        return self.space.pings

    @property
    def unfurls(self) -> list[tuple[str, Message]]:
        """Each link that Slack would have shown a preview of."""
        return self.space.unfurls

    async def until(self, holds: Callable[[], T | None], *, seconds: float = GUARD_SECONDS) -> T:
        """Wait until this gives something true, and give it. Raises TimeoutError, which is a guard and no target."""
        async with asyncio.timeout(seconds):
            while not (found := holds()):
                # What it asks about may be the app's as well, of whose changes nobody hears here.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
            return found

    async def settled(self) -> None:
        """Wait until every event was acknowledged or given up."""
        await self.deliveries.settled()

    async def change(self, since: int) -> int:
        """Wait until something has changed since that `version`; gives the new one."""
        while self.version == since:
            await self._changed.wait()
        return self.version

    def _wake(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    # -- what may happen ----------------------------------------------------------------------------------------------

    def exchange(self, trigger: object) -> str:
        """Give the user of a trigger_id, once."""
        return self.turns.exchange(trigger)

    def new_socket(self) -> str:
        """The address of a socket; a dead one if that was wished for."""
        if self.faults.dead:
            self.faults.dead -= 1
            return f"ws://{HOST}:{DEAD_PORT}/link/?ticket=dead"
        return self.sockets.address()

    def drops_sockets(self) -> None:
        """Cut all sockets without a word."""
        self.sockets.drop()

    async def disconnects(self, reason: str = "refresh_requested") -> None:
        """Ask the app to leave its sockets: `warning`, `refresh_requested` or `link_disabled`."""
        await self.sockets.disconnect(reason)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen after a while, if the fake still runs then."""

        async def wait() -> None:
            await asyncio.sleep(max(0.0, seconds))
            what()

        self.deliveries.background(wait())
