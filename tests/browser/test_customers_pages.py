"""Customers in a real browser: linked and parted at the desk, told in an incident, asked on a page of their own."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from router.core.state import Incident
from router.desk.satisfaction import ticket
from tests.browser.axe import grave
from tests.browser.steps import enter
from tests.fakes.desk_site import Site

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


async def test_two_customers_become_one_and_two_again(site: Site, page: Page) -> None:
    """A supervisor says that two are one, and why; it stands there with its undoing, and both are notes."""
    first = site.house.mail("My bag did not arrive", topic="lost-baggage", sender="Ada <ada@example.org>")
    second = site.house.mail("Again: my bag", topic="lost-baggage", sender="Ada <ada@example.net>")
    await enter(page, site, "eva")
    await page.goto(f"{site.url}/desk#/c/{first.id}")
    await page.get_by_role("button", name="Same customer…").click()
    dialog = page.get_by_role("dialog", name="They are one customer")
    await expect(dialog).to_be_visible()
    assert await grave(page) == []
    await dialog.get_by_label("Another contact of theirs").fill(second.id)
    await dialog.get_by_label("How do you know?").fill("She rang us.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("A colleague said that they are one person.")).to_be_visible()
    await expect(page.locator(".item.note")).to_have_count(1)
    assert first.customer == second.customer
    assert await grave(page) == []
    await page.get_by_role("button", name="What they want…").click()
    dialog = page.get_by_role("dialog", name="What the customer wants")
    assert await grave(page) == []
    await dialog.get_by_label("Wants answers in").select_option("es")
    await dialog.get_by_label("Messages by machine").select_option("no")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.locator(".details").get_by_text("refused")).to_be_visible()
    await expect(page.locator(".details").get_by_text("Spanish")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    dialog = page.get_by_role("dialog", name="They are two customers")
    await dialog.get_by_label("How do you know?").fill("Her sister.")
    await dialog.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("A colleague said that they are one person.")).to_have_count(0)
    assert first.customer != second.customer


async def test_one_answer_is_prepared_for_all_in_an_incident(site: Site, page: Page) -> None:
    """It stands in the overview and on the wall; what is told stands beside it; a supervisor ends it."""
    contact = site.house.mail("My bag did not arrive", topic="lost-baggage")
    site.house.state.incidents["i1"] = Incident(
        id="i1", topic="lost-baggage", began=contact.opened_at, contacts=12, usual=250, look_at=1 << 50
    )
    await enter(page, site, "eva")
    await page.goto(f"{site.url}/desk#/lead")
    await expect(page.get_by_text("Lost baggage: 12 contacts, usually 2.5 an hour")).to_be_visible()
    assert await grave(page) == []
    await page.get_by_role("button", name="Tell all…").click()
    dialog = page.get_by_role("dialog", name="One answer for all")
    await dialog.get_by_label("What is told").fill("The belt stands still.")
    assert await grave(page) == []
    await dialog.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Told: The belt stands still.")).to_be_visible()
    await page.goto(f"{site.url}/wall")
    await expect(page.get_by_text("Lost baggage: 12 contacts, usually 2.5 an hour")).to_be_visible()
    await page.goto(f"{site.url}/desk#/lead")
    await page.get_by_role("button", name="It is over").click()
    await expect(page.get_by_text("Lost baggage: 12 contacts")).to_have_count(0)
    assert site.house.state.incidents == {}


async def test_a_change_that_waits_is_rehearsed_in_the_overview(site: Site, page: Page) -> None:
    """Who leads is told that a change waits, asks what it would do, and reads it in the window once it is found."""
    rehearsing = site.house.rehearsing
    await enter(page, site, "eva")
    await page.goto(f"{site.url}/desk#/lead")
    await expect(page.get_by_role("heading", name="Agents")).to_be_visible()
    await expect(page.get_by_text("A changed workspace waits")).to_be_hidden()
    rehearsing.waits, rehearsing.gate = True, asyncio.Event()
    await page.reload()
    await page.get_by_role("button", name="What would it change?").click()
    dialog = page.get_by_role("dialog", name="What would it change?")
    await dialog.get_by_label("A day").check()
    assert await grave(page) == []
    await dialog.get_by_role("button", name="Rehearse").click()
    await expect(dialog.get_by_text("This takes a moment.")).to_be_visible()
    rehearsing.gate.set()
    await expect(dialog.get_by_text("1 of them go to somebody else.")).to_be_visible()
    assert rehearsing.asked == [86_400_000]
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_have_count(0)


async def test_the_question_is_answered_by_keyboard(site: Site, page: Page) -> None:
    """The page of a mail's link needs no mouse and no script, and axe finds nothing grave."""
    rated: list[tuple[str, int]] = []

    class People:
        async def rate(self, contact: str, score: int, sender: str = "") -> None:
            rated.append((contact, score))

        def question(self, contact: str) -> str:
            return "Did we help you?"

    site.parts.__dict__["customers"] = People()
    contact = site.house.mail("My bag did not arrive")
    contact.asked = True
    await page.goto(f"{site.url}/rate/{ticket(site.parts.secret, contact.id, site.house.clock())}?score=5")
    await expect(page.get_by_role("radio", name="Very good")).to_be_checked()
    assert await grave(page) == []
    await page.get_by_role("radio", name="Very good").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Thank you for your answer.")
    assert await grave(page) == []
    assert rated == [(contact.id, 4)]
