"""A real desk in a real browser: the app on a free port, the engine behind it, Debian's chromium before it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from router.web.access import links, new_ticket
from router.web.app import create_app
from router.web.parts import WebParts, wall_clock
from tests.fakes.desk_parts import House

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running desk. `requests` outside it are refused, so that a page that loads from elsewhere fails its test."""

    house: House
    parts: WebParts
    port: int = 0
    server: uvicorn.Server | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def link(self, agent: str) -> str:
        """A fresh sign-in link."""
        ticket = new_ticket(agent, self.house.clock(), 600)
        return f"{self.url}/desk#link={links(self.parts).sign(ticket)}"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        config = uvicorn.Config(
            create_app(self.parts), host="127.0.0.1", port=self.port, log_level="critical", ws="websockets-sansio"
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


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A desk that runs on the wall clock."""
    house = House(now=wall_clock())
    house.clock = wall_clock
    running = Site(house=house, parts=house.parts())
    await running.start()
    yield running
    await running.stop()


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS, headless=True
        )
        yield started
        await started.close()


@pytest_asyncio.fixture
async def window(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile, in English, at a laptop's size."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 1360, "height": 850})
    context.set_default_timeout(30_000)
    yield context
    await context.close()


@pytest_asyncio.fixture
async def page(window: BrowserContext) -> Page:
    """A page that keeps what its console complained of in `page.complaints`."""
    opened = await window.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.complaints = complaints  # type: ignore[attr-defined]
    return opened
