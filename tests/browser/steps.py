"""What browser tests of the desk do again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from playwright.async_api import Page, expect

from router.core.state import Contact
from tests.fakes.desk_site import Site

expect.set_options(timeout=30_000)  # a guard, never a target


async def enter(page: Page, site: Site, agent: str = "ana") -> None:
    """Sign in by a fresh link and wait until the desk stands."""
    await page.goto(site.link(agent))
    await expect(page.get_by_role("navigation", name="My contacts")).to_be_visible()


async def until(true: Callable[[], object]) -> None:
    """Wait until it holds in the engine."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def owned(site: Site, **mail: object) -> Contact:
    """A contact that Ana has accepted."""
    contact = site.house.mail("I want my money back.", **mail)  # type: ignore[arg-type]
    assert contact.offer is not None
    await site.house.act("ana", "accept", {"contact": contact.id, "offer": contact.offer.id}, contact.id)
    return contact


def said(site: Site, contact: Contact, direction: str) -> list[str]:
    """What was written, one way."""
    return [site.house.written[ref.id].text for ref in contact.messages if ref.direction == direction]
