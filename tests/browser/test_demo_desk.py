"""The demo's desk in a real browser: a mail of one's own, accepted and answered with the mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.running_demo import Demo, Place, empty_place

SUBJECT = "Where is my suitcase?"

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]

expect.set_options(timeout=60_000)  # a guard, never a target


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere empty to run it."""
    with empty_place(tmp_path) as found:
        yield found


async def test_whoever_tries_the_demo_can_answer_their_own_mail(place: Place, page: Page) -> None:
    """The printed link opens the desk at which the mail stands; accepted and answered there, it is delivered."""
    demo = Demo(place)
    await demo.ready()
    await page.goto(await demo.send(SUBJECT, "It did not arrive with flight AB 123, my suitcase."))
    mine = page.locator("li.offer", has_text=SUBJECT)
    await mine.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("heading", name=SUBJECT)).to_be_visible()
    await expect(page.get_by_role("list", name="Conversation")).to_contain_text("flight AB 123")
    await page.get_by_role("button", name="Reply", exact=True).click()
    await page.keyboard.type("It comes with the next flight.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".item.out")).to_contain_text("It comes with the next flight.")
    await expect(page.locator(".item.out")).to_contain_text("delivered")
    assert page.complaints == []  # type: ignore[attr-defined]
    assert await asyncio.to_thread(demo.end) == 0, demo.said[-4_000:]
