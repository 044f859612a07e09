"""Everybody can use the chat: axe finds nothing grave in any of its states, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, WebSocketRoute, expect

from tests.browser.axe import grave
from tests.browser.chat_house import House, accept, answer, bubbles, open_chat, write

WIDE: ViewportSize = {"width": 1360, "height": 850}
NARROW: ViewportSize = {"width": 360, "height": 700}
LOOKS = [("light", WIDE), ("dark", NARROW)]

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]['width']}")
async def visitor(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A visitor's page, in each of the looks."""
    scheme, size = request.param
    context = await browser.new_context(locale="en-GB", color_scheme=scheme, viewport=size, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield await context.new_page()
    await context.close()


async def test_nothing_serious_while_talking(house: House, desk: Page, visitor: Page, tmp_path: Path) -> None:
    """Closed, open, with words and files of both sides, typing, with news while closed, resolved: nothing grave."""
    await visitor.goto(f"{house.url}/chat")
    launcher = visitor.get_by_role("button", name="Open chat")
    await expect(launcher).to_be_visible()
    assert await grave(visitor) == [], "closed"
    await launcher.click()
    await expect(visitor.get_by_text("We are here.")).to_be_visible()
    assert await grave(visitor) == [], "open"
    await write(visitor, "My suitcase did not arrive.")
    await accept(desk, "My suitcase did not arrive.")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff" * 50)
    await visitor.locator("input[type=file]").set_input_files(photo)
    await expect(visitor.get_by_role("button", name="Download photo.jpg")).to_be_visible()
    await answer(desk, "Which flight was it?")
    await expect(bubbles(visitor, "Which flight was it?")).to_be_visible()
    await desk.get_by_role("button", name="Reply", exact=True).click()
    await desk.keyboard.type("And")
    await expect(visitor.locator(".dots")).to_be_visible()
    assert await grave(visitor) == [], "talking"
    await visitor.get_by_role("button", name="Close chat").last.click()
    await desk.keyboard.press("Control+Enter")
    await expect(visitor.locator(".count")).to_be_visible()
    assert await grave(visitor) == [], "news"
    await desk.get_by_role("button", name="Resolve", exact=True).click()
    await visitor.locator(".launch").click()
    await expect(visitor.get_by_text("This conversation is finished.")).to_be_visible()
    assert await grave(visitor) == [], "resolved"


async def test_nothing_serious_in_the_form(house: House, visitor: Page) -> None:
    """The form for when nobody is there, its complaint, its thanks, and the chat instead of it: nothing grave."""
    await visitor.goto(f"{house.url}/chat")
    await visitor.get_by_role("button", name="Open chat").click()
    await expect(visitor.get_by_role("heading", name="Leave a message")).to_be_visible()
    assert await grave(visitor) == [], "form"
    await visitor.get_by_label("Your message").fill("Where is my suitcase?")
    await visitor.get_by_label("Your e-mail address").fill("kim@")
    await visitor.get_by_role("button", name="Send").click()
    await expect(visitor.get_by_role("alert")).not_to_be_empty()
    assert await grave(visitor) == [], "complaint"
    await visitor.get_by_label("Your e-mail address").fill("kim@example.org")
    await visitor.get_by_role("button", name="Send").click()
    await expect(visitor.get_by_text("kim@example.org")).to_be_visible()
    assert await grave(visitor) == [], "thanks"
    await visitor.get_by_role("button", name="Write in the chat instead").click()
    await expect(visitor.get_by_label("Write a message")).to_be_focused()
    assert await grave(visitor) == [], "chat instead"


async def test_nothing_serious_in_what_goes_wrong(house: House, desk: Page, visitor: Page, tmp_path: Path) -> None:
    """Without a connection, with words not sent and a file too large: nothing grave."""
    down = False
    lines: list[WebSocketRoute] = []

    async def through(line: WebSocketRoute) -> None:
        if down:
            await line.close()
            return
        lines.append(line)
        line.connect_to_server()

    await visitor.route_web_socket("**/chat/live", through)
    await open_chat(visitor, house)
    await write(visitor, "Hello?")
    await expect(visitor.locator(".mark")).to_have_text(["Sent"])
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(11_000_000))
    await visitor.locator("input[type=file]").set_input_files(large)
    await expect(visitor.locator(".hint")).to_have_class("hint bad")
    assert await grave(visitor) == [], "too large"
    down = True
    await lines[-1].close()
    await write(visitor, "Are you there?")
    await expect(visitor.locator(".how.lost")).to_be_visible()
    await expect(visitor.get_by_role("button", name="Try again")).to_be_visible()
    assert await grave(visitor) == [], "no connection"
    await accept(desk, "Hello?")
    await desk.get_by_role("button", name="Resolve", exact=True).click()
