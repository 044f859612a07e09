"""The whole web over a `House`, on a free port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from router.web.access import SESSION_COOKIE, links, new_ticket, sessions
from router.web.app import create_app
from router.web.parts import WebParts, WebSettings, wall_clock
from tests.fakes.desk_parts import House


@dataclass
class Site:
    """A running desk."""

    house: House
    parts: WebParts
    port: int = 0
    server: uvicorn.Server | None = None
    app: FastAPI | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def link(self, agent: str) -> str:
        """A fresh sign-in link."""
        ticket = new_ticket(agent, self.house.clock(), 600)
        return f"{self.url}/desk#link={links(self.parts).sign(ticket)}"

    def cookie(self, agent: str, seconds: int = 600) -> str:
        """The cookie header of a session."""
        return f"{SESSION_COOKIE}={sessions(self.parts).sign(new_ticket(agent, self.house.clock(), seconds))}"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self.app = create_app(self.parts)
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_level="critical", ws="websockets-sansio"
        )
        self.server = uvicorn.Server(config)
        self._task = asyncio.ensure_future(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away; open lines are cut."""
        assert self.server is not None
        assert self._task is not None
        self.server.should_exit = True
        await self._task


@asynccontextmanager
async def running(hold_seconds: float = 0) -> AsyncIterator[Site]:
    """A desk that runs on the wall clock; replies can be taken back for so long."""
    house = House(now=wall_clock())
    house.clock = wall_clock
    settings = WebSettings(
        push_seconds=0.01, queue_seconds=0.01, act_seconds=5.0, hold_seconds=hold_seconds, session_look_seconds=0.0
    )
    site = Site(house=house, parts=house.parts(settings=settings))
    await site.start()
    try:
        yield site
    finally:
        await site.stop()
