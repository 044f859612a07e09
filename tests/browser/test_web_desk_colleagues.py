"""Calling a colleague in, merging and spam, at the web desk in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from router.core.transitions import ContactState
from tests.browser.steps import enter, owned, until
from tests.fakes.desk_site import Site

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


async def test_a_colleague_is_called_two_contacts_are_merged_and_spam_is_closed(site: Site, page: Page) -> None:
    """Each takes a button and one dialog, and the card says who was called and that nothing more can be merged."""
    site.house.available("ana")
    first = await owned(site)
    second = await owned(site)
    await enter(page, site)
    await expect(page.locator(".today")).to_contain_text("Today: 0 answered, 0 resolved.")
    await page.goto(f"{site.url}/desk#/c/{first.id}")
    await page.get_by_role("button", name="Call a colleague in").click()
    await page.get_by_role("dialog").get_by_role("combobox").select_option("ben")
    await page.get_by_role("dialog").get_by_role("textbox").fill("Is this fare refundable?")
    await page.get_by_role("dialog").get_by_role("button", name="Call a colleague in").click()
    await expect(page.locator(".banner.called")).to_contain_text("Called in: Ben Okafor")
    assert site.house.state.contacts[first.id].called == ["ben"]
    await page.get_by_role("button", name="Merge").click()
    await page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    await until(lambda: site.house.state.contacts[second.id].joined == first.id)
    await page.get_by_role("button", name="Spam").click()
    await page.get_by_role("dialog").get_by_role("checkbox").check()
    await page.get_by_role("dialog").get_by_role("button", name="Spam").click()
    await until(lambda: site.house.state.contacts[first.id].state is ContactState.RESOLVED)
    await expect(page.locator(".banner.spam")).to_contain_text("its sender is blocked")
    await page.locator(".banner.spam").get_by_role("button", name="Unblock the sender").click()
    await until(lambda: not site.house.state.blocked)
