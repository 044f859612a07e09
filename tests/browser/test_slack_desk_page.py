"""What the desk really sends to Slack, drawn and used in a real browser: card, thread, window, App Home, a customer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from router.core.transitions import ContactState
from router.sim.slack import Rules
from tests.browser.axe import grave
from tests.support.slack_customers import Shop
from tests.support.slack_house import SlackHouse, slack_house

pytestmark = pytest.mark.needs("chromium")

expect.set_options(timeout=60_000)  # a guard, never a target

HOSTILE = "I want my money back. <img src=x onerror=alert(1)> <!channel> [click](https://evil.example) *bold*"
NOT_OURS = 'img, script, a:not([href^="https://ours.example/"])'  # where the house's articles are


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Ana is available."""
    async with slack_house(Rules(message_burst=50, tier_scale=20, trigger=30.0)) as made:
        made.house.available("ana")
        yield made


async def opened(desk: SlackHouse, page: Page, name: str = "ana", at: str = "") -> None:
    """Look as somebody."""
    await page.goto(f"{desk.slack.page_url}?as={name}{at}")
    await expect(page.get_by_role("combobox", name="Look as")).to_have_value(name)


async def test_a_contact_is_worked_from_its_card(desk: SlackHouse, page: Page) -> None:
    """The card shows customer, words and buttons; accepted it changes in place; then answer, window and the end."""
    contact = desk.house.mail(HOSTILE, subject="Refund <b>now</b>")
    await opened(desk, page)
    card = page.get_by_role("log", name="Messages", exact=True).get_by_role("article")
    await expect(card.get_by_role("heading", name="Carla Gómez: Refund <b>now</b>")).to_be_visible()
    await expect(card).to_contain_text("<img src=x onerror=alert(1)> <!channel>")
    assert await card.locator(NOT_OURS).count() == 0
    for name in ("Accept", "Decline", "Read all", "Why me?"):
        await expect(card.get_by_role("button", name=name)).to_be_visible()
    assert await grave(page) == []

    await card.get_by_role("button", name="Accept").click()
    await expect(card).to_contain_text("A reply goes to carla@example.org by e-mail")
    await expect(card.get_by_role("button", name="Accept")).to_have_count(0)
    await card.get_by_role("button", name="Reply in thread").click()
    thread = page.get_by_role("complementary", name="Thread")
    await thread.get_by_role("textbox", name="Reply in the thread").fill("It leaves today.")
    await page.keyboard.press("Enter")
    await desk.until(lambda: len(contact.messages) == 2, "answered")
    desk.house.report(contact.id, contact.messages[1].id, "sent")
    await expect(thread.get_by_role("article").last).to_contain_text("✅")

    await card.get_by_role("button", name="Transfer").click()
    window = page.get_by_role("dialog", name="Transfer")
    await expect(window).to_be_visible()
    assert await grave(page) == []
    assert "Eva Lindqvist" in await window.get_by_role("combobox").inner_text()
    await window.get_by_role("button", name="Transfer").click()
    await expect(window.get_by_role("alert").last).to_contain_text("to be filled in")
    await page.keyboard.press("Escape")
    await card.get_by_role("button", name="Resolve").click()
    await expect(card).to_contain_text("Resolved")
    assert contact.state is ContactState.RESOLVED
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_home_shows_the_desk_and_leads_to_a_contact(desk: SlackHouse, page: Page) -> None:
    """Status, bars of room and open contacts; a link opens the contact's thread, a click sets a status."""
    desk.house.mail(HOSTILE, subject="Refund")
    await desk.card("ana", "Refund")
    await opened(desk, page)
    await page.get_by_role("group", name="Views of the app").get_by_role("button", name="Home").click()
    home = page.get_by_role("region", name="App Home")
    for words in ("available", "E-mail: ▰", "of 6", "Skills", "Offered to you", "Carla Gómez: Refund"):
        await expect(home).to_contain_text(words)
    assert await grave(page) == []
    await home.get_by_role("link", name="Carla Gómez: Refund").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("article").first).to_contain_text("Offered to you")
    await page.get_by_role("group", name="Views of the app").get_by_role("button", name="Home").click()
    await home.get_by_role("button", name="Busy").click()
    await expect(home).to_contain_text("busy since")
    assert desk.house.state.agents["ana"].status.value == "busy"
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_customer_asks_in_their_channel(desk: SlackHouse, page: Page) -> None:
    """What they type there reaches Ana's card as they wrote it; she reads that all who are there read her answer."""
    shop = Shop(desk)
    await opened(desk, page, "cara", f"&at={shop.channel.id}")
    await page.get_by_role("textbox", name="Write a message").fill(HOSTILE)
    await page.keyboard.press("Enter")
    await shop.comes(1)
    await desk["ana"].clicks(await desk.card("ana", "Cara Cruz", "Offered to you"), "usherd.accept")
    await desk.card("ana", "Cara Cruz", "everybody in that channel reads it")
    await opened(desk, page)
    card = page.get_by_role("log", name="Messages", exact=True).get_by_role("article")
    await expect(card).to_contain_text("<img src=x onerror=alert(1)> <!channel>")
    await expect(card).to_contain_text("another organisation")
    assert desk.slack.pings == []
    assert page.complaints == []  # type: ignore[attr-defined]
