"""A whole daemon with a chat, and what browser tests of both its sides do again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from router.shell.store.embedded import free_port
from tests.support.chat_workspace import write_workspace
from tests.support.daemons import RunningDaemon

expect.set_options(timeout=30_000)  # a guard, never a target


class House:
    """A running daemon with a chat."""

    def __init__(self, folder: Path) -> None:
        self.mail_port = free_port("127.0.0.1")
        self.shop_port = free_port("127.0.0.1")
        config = write_workspace(
            folder / "config",
            send_port=self.mail_port,
            port=free_port("127.0.0.1"),
            origin=f"http://127.0.0.1:{self.shop_port}",
        )
        self.daemon = RunningDaemon(config, folder / "data")

    @property
    def url(self) -> str:
        """Where it is, before and after a restart."""
        return f"http://{self.daemon.http[0]}:{self.daemon.http[1]}"

    def texts(self) -> list[dict[str, Any]]:
        """All messages of all contacts, in order."""
        return [message for contact in self.daemon.contacts() for message in contact["messages"]]


@asynccontextmanager
async def at_desk(house: House, browser: Browser) -> AsyncIterator[Page]:
    """Ana's desk, where she is available for the while."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 1360, "height": 850})
    context.set_default_timeout(30_000)
    page = await context.new_page()
    await page.goto(house.daemon.ask("/v1/links", "POST", json={"agent": "ana"})["url"])
    await page.get_by_label("Status").select_option("available")
    yield page
    await page.get_by_label("Status").select_option("away")
    await expect(page.get_by_label("Status")).to_have_class("status away")
    await context.close()


async def open_chat(page: Page, house: House) -> None:
    """Go to /chat and open the widget."""
    await page.goto(f"{house.url}/chat")
    await page.get_by_role("button", name="Open chat").click()
    await expect(page.get_by_role("dialog", name="Acme Air")).to_be_visible()


async def write(page: Page, text: str) -> None:
    """Write and send."""
    await page.get_by_label("Write a message").fill(text)
    await page.keyboard.press("Enter")


def bubbles(page: Page, text: str) -> Locator:
    """What was said with these words."""
    return page.locator(".bubble", has_text=text)


async def accept(desk: Page, text: str) -> None:
    """Ana accepts the contact with these words, which her desk then shows; others may be on offer as well."""
    await desk.locator(".offer", has_text=text).get_by_role("button", name="Accept").click()
    await expect(desk.get_by_role("list", name="Conversation")).to_contain_text(text)


async def answer(desk: Page, text: str) -> None:
    """Ana answers in the contact that is open on her desk."""
    await desk.get_by_role("button", name="Reply", exact=True).click()
    await desk.keyboard.type(text)
    await desk.keyboard.press("Control+Enter")


@asynccontextmanager
async def phone(browser: Browser) -> AsyncIterator[Page]:
    """A phone."""
    context = await browser.new_context(locale="en-GB", viewport={"width": 390, "height": 780}, has_touch=True)
    context.set_default_timeout(30_000)
    yield await context.new_page()
    await context.close()
