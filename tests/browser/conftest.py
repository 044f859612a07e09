"""A real desk in a real browser: the app on a free port, the engine behind it, Debian's chromium before it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.chat_house import House, at_desk
from tests.fakes.desk_site import Site, running

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A desk that runs on the wall clock."""
    async with running() as started:
        yield started


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


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this module; each has visitors of its own."""
    made = House(tmp_path_factory.mktemp("chat"))
    made.daemon.start()
    try:
        yield made
    finally:
        made.daemon.stop()


@pytest_asyncio.fixture
async def desk(house: House, browser: Browser) -> AsyncIterator[Page]:
    """Ana's desk; she is available while the test lasts."""
    async with at_desk(house, browser) as page:
        yield page
