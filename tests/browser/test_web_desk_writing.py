"""Writing at the desk in a real browser: saved replies, copies, ten seconds to undo, colleagues at the same contact."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from router.core import events
from router.core.transitions import ContactState
from tests.browser.steps import enter, owned, said, until
from tests.fakes.desk_site import Site, running

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[Site]:
    """A desk that holds replies for a time no test waits for."""
    async with running(hold_seconds=600) as started:
        started.house.available("ana")
        yield started


async def test_a_saved_reply_is_put_in_by_keyboard(site: Site, page: Page) -> None:
    """Ctrl + K, some letters, Enter: the reply stands in the text, filled in; what is not filled in is asked for."""
    site.house.available("ana")
    contact = await owned(site, sender=" <nobody@example.org>")
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.focus()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog").get_by_role("option", selected=True)).to_contain_text("Underway")
    await page.keyboard.type("booking")
    await expect(page.get_by_role("dialog").get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(text).to_have_value("Hello {customer}, which booking code?")
    await expect(text).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast", has_text="Fill in {customer} before you send it.")).to_be_visible()
    assert said(site, contact, "out") == []
    await page.keyboard.type("Max")  # the placeholder is selected
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "out") == ["Hello Max, which booking code?"])


async def test_a_reply_goes_to_those_in_copy_only_when_ticked(site: Site, page: Page) -> None:
    """People in copy are shown unticked; ticking everybody sends it to all of them, and to nobody the next time."""
    site.house.available("ana")
    contact = await owned(site, cc=("bob@example.org", "dora@example.net"))
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.fill("To you alone.")
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "out") == ["To you alone."])
    await expect(text).to_have_value("")
    await text.fill("To all.")
    await page.get_by_role("checkbox", name="Everybody").check()
    await expect(page.get_by_text("2 more people get a copy.")).to_be_visible()
    await text.press("Control+Enter")
    await until(lambda: len(said(site, contact, "out")) == 2)
    copies = [msgspec.json.encode(fields["cc"]) for _, action, fields in site.house.acts if action == "reply"]
    assert copies == [b"[]", b'["bob@example.org","dora@example.net"]']


async def test_a_reply_can_be_taken_back(slow: Site, page: Page) -> None:
    """A reply that is sent is held and shown; undone, it is a draft again and was never sent; now sends it."""
    contact = await owned(slow)
    await enter(page, slow)
    await page.goto(f"{slow.url}/desk#/c/{contact.id}")
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.fill("It leaves today.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await expect(text).not_to_be_editable()
    await page.keyboard.press("Control+z")
    await expect(text).to_be_editable()
    await expect(text).to_have_value("It leaves today.")
    assert slow.house.acts[-1][1] == "accept"
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(slow, contact, "out") == ["It leaves today."])
    await expect(text).to_have_value("")


async def test_a_held_reply_follows_to_other_contacts(slow: Site, page: Page) -> None:
    """Who goes on to another contact sees the held reply at the foot of the page, and can still undo it there."""
    first, second = await owned(slow), await owned(slow)
    await enter(page, slow)
    await page.goto(f"{slow.url}/desk#/c/{first.id}")
    await page.get_by_role("textbox", name="Write to the customer").fill("It leaves today.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await page.goto(f"{slow.url}/desk#/c/{second.id}")
    bar = page.locator(".toast.hold")
    await expect(bar).to_contain_text("The reply to Carla Gómez goes out in")
    await bar.get_by_role("button", name="Undo").click()
    await expect(bar).to_have_count(0)
    await page.goto(f"{slow.url}/desk#/c/{first.id}")
    await expect(page.get_by_role("textbox", name="Write to the customer")).to_have_value("It leaves today.")
    assert said(slow, first, "out") == []


async def test_a_refused_send_and_resolve_stays_in_sight(slow: Site, page: Page) -> None:
    """Refused after its agent has gone on, it is said so until somebody looks, over a reload; the words are a draft."""
    first, second = await owned(slow), await owned(slow)
    await enter(page, slow)
    await page.goto(f"{slow.url}/desk#/c/{first.id}")
    await page.get_by_role("textbox", name="Write to the customer").fill("It leaves today.")
    await page.keyboard.press("Control+Shift+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await page.goto(f"{slow.url}/desk#/c/{second.id}")
    house = slow.house
    house.apply(events.ContactTaken(at=house.clock(), agent="eva", contact=first.id))
    await page.locator(".toast.hold").get_by_role("button", name="Send now").click()
    bar = page.locator(".toast.refusal")
    await expect(bar).to_contain_text("The reply to Carla Gómez was not sent and the contact is not resolved.")
    await page.reload()
    await bar.get_by_role("button", name="Open").click()
    await expect(bar).to_have_count(0)
    assert said(slow, first, "out") == []
    draft = await page.evaluate(f"localStorage.getItem('usherd-draft-ana-{first.id}-reply')")
    assert draft == "It leaves today."


@pytest.mark.parametrize("how", ["reload", "close"])
async def test_a_page_that_goes_loses_no_held_reply(slow: Site, page: Page, how: str) -> None:
    """A reload or a closed window within the ten seconds sends what was held, once."""
    contact = await owned(slow)
    await enter(page, slow)
    await page.goto(f"{slow.url}/desk#/c/{contact.id}")
    await page.get_by_role("textbox", name="Write to the customer").fill("It leaves today.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    if how == "reload":
        await page.reload()
        await expect(page.locator(".item.out")).to_contain_text("It leaves today.")
        await expect(page.get_by_role("textbox", name="Write to the customer")).to_have_value("")
    else:
        other = await page.context.new_page()
        await page.close()
        await until(lambda: said(slow, contact, "out"))
        await other.goto(f"{slow.url}/desk#/c/{contact.id}")
        await expect(other.locator(".item.out")).to_have_count(1)
    assert said(slow, contact, "out") == ["It leaves today."]


async def test_a_reply_found_hours_later_is_a_draft(slow: Site, page: Page) -> None:
    """A reply that a dead machine had held is not sent unasked when the desk is opened again: it is a draft."""
    contact = await owned(slow)
    held = {
        "key": "k" * 32,
        "tab": "gone",
        "action": "reply",
        "fields": {"contact": contact.id, "text": "It leaves today.", "resolve": False, "answers": "", "cc": []},
        "to": "Carla",
        "due": 1_000,
        "sending": False,
    }
    await page.goto(f"{slow.url}/desk")
    await page.evaluate("held => localStorage.setItem('usherd-held-ana', JSON.stringify([held]))", held)
    await page.goto("about:blank")
    await enter(page, slow)
    await expect(page.locator(".toast", has_text="A reply to Carla had not been sent.")).to_be_visible()
    await page.goto(f"{slow.url}/desk#/c/{contact.id}")
    await expect(page.get_by_role("textbox", name="Write to the customer")).to_have_value("It leaves today.")
    assert said(slow, contact, "out") == []


async def test_a_held_reply_that_is_refused_is_a_draft(slow: Site, page: Page) -> None:
    """When a supervisor took the contact meanwhile, the reply is refused in plain words and stays as a draft."""
    contact = await owned(slow)
    await enter(page, slow)
    await page.goto(f"{slow.url}/desk#/c/{contact.id}")
    await page.get_by_role("textbox", name="Write to the customer").fill("It leaves today.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await slow.house.act("eva", "take", {"contact": contact.id}, "1")
    await expect(page.get_by_text("This contact is not on your desk any more.")).to_be_visible()
    await page.goto(f"{slow.url}/desk#/queue")
    await page.locator(".toast.hold").get_by_role("button", name="Send now").click()
    await expect(page.locator(".toast.bad", has_text="This contact is Eva Lindqvist's now.")).to_be_visible()
    assert contact.state is ContactState.ASSIGNED
    kept = await page.evaluate(f"localStorage.getItem('usherd-draft-ana-{contact.id}-reply')")
    assert kept == "It leaves today."


async def test_colleagues_see_that_somebody_writes(site: Site, page: Page) -> None:
    """While a supervisor writes a note in a contact, its owner reads so below the thread."""
    site.house.available("ana")
    contact = await owned(site)
    other = await page.context.browser.new_context()  # type: ignore[union-attr]
    theirs = await other.new_page()
    await enter(page, site)
    await enter(theirs, site, "eva")
    for one in (page, theirs):
        await one.goto(f"{site.url}/desk#/c/{contact.id}")
    await expect(page.get_by_text("Also open at: Eva Lindqvist")).to_be_visible()
    await theirs.get_by_role("textbox").type("I know her")
    await expect(page.get_by_text("Eva Lindqvist is writing here…")).to_be_visible()
    await theirs.close()
    await expect(page.get_by_text("Eva Lindqvist")).to_have_count(0)
    await other.close()


async def test_a_letter_shows_its_signature_before_it_is_sent(site: Site, page: Page) -> None:
    """Whoever writes first sees how the letter will end."""
    await enter(page, site)
    await page.keyboard.press("c")
    await expect(page.locator("dialog .signature")).to_contain_text("Acme Air")


async def test_search_finds_contacts_and_customers(site: Site, page: Page) -> None:
    """The slash opens search; words find contacts, a name finds the customer with all contacts over all channels."""
    site.house.available("ana")
    mail = await owned(site, subject="Refund for K7XQ2P")
    chat = await owned(site, channel="webchat", subject="")
    await enter(page, site)
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("gomez")
    await expect(page.locator(".queue-view a.row-link")).to_have_count(2)
    await page.locator(".found-customers").get_by_role("link", name="Carla Gómez").click()
    await expect(page.get_by_role("heading", name="Carla Gómez")).to_be_visible()
    links = page.locator(".queue-view a.row-link")
    assert {await links.nth(0).get_attribute("data-contact"), await links.nth(1).get_attribute("data-contact")} == {
        mail.id,
        chat.id,
    }
    await page.get_by_role("link", name="Refund for K7XQ2P").last.click()
    await expect(page.get_by_role("heading", name="Refund for K7XQ2P")).to_be_visible()
    await page.get_by_role("link", name="Search").click()
    await page.get_by_role("searchbox").fill("no such words")
    await expect(page.get_by_text("Nothing found.").first).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]
