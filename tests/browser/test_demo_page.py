"""The demo's page in a real browser: a visitor writes on the left, the chosen agent's desk opens on the right."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import grave
from tests.support.running_demo import Demo, Place, empty_place

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WORDS = "My suitcase did not arrive with flight AB 123"

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

expect.set_options(timeout=60_000)  # a guard, never a target


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere empty to run it."""
    with empty_place(tmp_path) as found:
        yield found


async def test_both_sides_of_a_chat(place: Place, page: Page) -> None:
    """What is written in the chat is offered on the desk beside it, the answer stands in the chat; axe agrees."""
    demo = Demo(place)
    await demo.ready()
    await page.goto(demo.page)
    left = page.frame_locator("iframe[title^='The airline']")
    right = page.frame_locator("iframe[title^='The desk of']")
    await expect(right.get_by_role("navigation", name="My contacts")).to_be_visible()
    await expect(page.locator("#who")).to_contain_text("supervisor")
    assert await grave(page) == []
    await left.get_by_role("textbox").fill(WORDS)
    await left.get_by_role("textbox").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Your chat")
    mine = right.locator("li.offer", has_text=WORDS)
    await mine.get_by_role("button", name="Accept").click()
    await right.get_by_role("button", name="Reply", exact=True).click()
    await page.keyboard.type("It comes with the next flight.")
    await page.keyboard.press("Control+Enter")
    await expect(left.get_by_role("log").locator(".theirs").last).to_contain_text("It comes with the next flight.")
    await expect(page.get_by_role("status")).to_contain_text("has answered")
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        assert await grave(page) == [], scheme
    assert page.complaints == []  # type: ignore[attr-defined]
    assert await asyncio.to_thread(demo.end) == 0, demo.said[-4_000:]
