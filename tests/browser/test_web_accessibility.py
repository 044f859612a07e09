"""Pages that everybody can use: axe finds nothing grave, the keyboard is enough, light and dark, narrow and wide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from router.core.transitions import ContactState
from router.web.access import new_token
from tests.browser.axe import grave
from tests.browser.steps import enter, said, until
from tests.fakes.desk_site import Site

PHONE: ViewportSize = {"width": 360, "height": 700}

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


def furnish(site: Site) -> str:
    """Something of everything: waiting, a file, a note, copies, a failed promise. Gives a contact that Ana may see."""
    house = site.house
    house.available("ana", "ben")
    contact = house.mail(
        "I want my money back.\n> You wrote",
        html="<p>I want my money back.</p>",
        cc=("bob@example.org", "dora@example.net"),
        files=(("ticket.pdf", "application/pdf", b"x"),),
    )
    house.mail("My cat", topic="lost-pet", sender="Pia <p@example.org>")
    house.mail("My bag", topic="lost-baggage", sender="Quinn <q@example.org>", channel="webchat")
    return contact.id


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_on_the_desk(site: Site, browser: Browser, scheme: Any) -> None:  # noqa: ANN401 - a literal
    """Lists, a contact, its dialogs, the queue, search, history, the overview: nothing grave, light or dark."""
    contact = furnish(site)
    window = await browser.new_context(locale="en-GB", color_scheme=scheme, viewport={"width": 1360, "height": 850})
    page = await window.new_page()
    await enter(page, site, "ana")
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()
    assert await grave(page) == []
    await page.goto(f"{site.url}/desk#/c/{contact}")
    await expect(page.locator(".item")).to_have_count(1)
    assert await grave(page) == []
    await page.keyboard.press("a")
    await expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
    assert await grave(page) == []
    for key, title in (("w", "Why?"), ("t", "Hand over"), ("z", "Snooze"), ("?", "Keyboard shortcuts")):
        await page.locator("body").press(key)
        await expect(page.get_by_role("dialog", name=title)).to_be_visible()
        assert await grave(page) == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("r")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Saved replies")).to_be_visible()
    assert await grave(page) == []
    await page.keyboard.press("Enter")
    assert await grave(page) == []
    await enter(page, site, "eva")
    for place, there in (("queue", ".row"), ("lead", ".agents"), ("search", "input"), (f"k/{customer(site)}", ".row")):
        await page.goto(f"{site.url}/desk#/{place}")
        await expect(page.locator(f"main {there}").first).to_be_visible()
        assert await grave(page) == [], place
    await page.keyboard.press("c")
    await expect(page.get_by_role("dialog", name="Write to a customer")).to_be_visible()
    assert await grave(page) == []
    await window.close()


def customer(site: Site) -> str:
    """Some customer."""
    return next(iter(site.house.state.contacts.values())).customer


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_on_the_other_pages(site: Site, browser: Browser, scheme: Any) -> None:  # noqa: ANN401 - a literal
    """The sign-in page, the API's description and the wallboard have nothing grave either, light, dark or narrow."""
    furnish(site)
    site.house.status = lambda: {"problems": ["the disk is nearly full"]}  # type: ignore[method-assign]
    window = await browser.new_context(locale="en-GB", color_scheme=scheme, viewport={"width": 1360, "height": 850})
    page = await window.new_page()
    for path, there in (("/desk", "Sign in"), ("/docs", "/v1/messages"), ("/wall", "Wallboard")):
        await page.goto(f"{site.url}{path}")
        await expect(page.get_by_role("heading", name=there).first).to_be_visible()
        assert await grave(page) == [], path
    await enter(page, site, "eva")
    await page.goto(f"{site.url}/wall")
    await expect(page.get_by_role("heading", name="Acme Air")).to_be_visible()
    assert await grave(page) == []
    await page.set_viewport_size(PHONE)
    assert await grave(page) == [], "narrow"
    await page.goto(f"{site.url}/docs")
    await expect(page.get_by_role("heading", name="/v1/messages").first).to_be_visible()
    assert await grave(page) == [], "docs, narrow"
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await window.close()


async def test_a_contact_is_worked_by_keyboard_alone(site: Site, page: Page) -> None:
    """From the sign-in link to resolved without a mouse: find, accept, note, answer with a saved reply, resolve."""
    house = site.house
    contact = house.mail("I want my money back.", cc=("bob@example.org",))
    await enter(page, site)
    await page.keyboard.press("s")
    await page.keyboard.type("Av")  # the status list takes letters
    await until(lambda: contact.state is ContactState.OFFERED)
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Refund for my flight")
    await expect(page.get_by_role("button", name="Accept").first).to_be_visible()
    await page.keyboard.press("a")
    await until(lambda: contact.agent == "ana")
    await expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
    await page.keyboard.press("n")
    await page.keyboard.type("She rang.")
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "note") == ["She rang."])
    await expect(page.get_by_role("textbox", name="Write to your colleagues")).to_have_value("")
    await page.keyboard.press("Escape")
    await page.keyboard.press("r")
    await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("checkbox", name="bob@example.org")).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("booking")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Write to the customer")).to_have_value(
        "Hello Carla Gómez, which booking code?"
    )
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "out") == ["Hello Carla Gómez, which booking code?"])
    assert list(house.acts[-1][2]["cc"]) == ["bob@example.org"]  # type: ignore[call-overload]
    await expect(page.get_by_role("textbox", name="Write to the customer")).to_have_value("")
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await until(lambda: contact.state is ContactState.RESOLVED)


async def test_nothing_runs_off_a_phone(site: Site, page: Page) -> None:
    """At the width of a phone no view is wider than the screen, and axe finds nothing grave in any."""
    contact = furnish(site)
    await page.set_viewport_size(PHONE)
    await enter(page, site, "eva")
    for place in ("", "queue", "lead", "search", f"k/{customer(site)}", f"c/{contact}"):
        await page.goto(f"{site.url}/desk#/{place}")
        await expect(page.locator("main, nav.lists").first).to_be_attached()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, place
        assert await grave(page) == [], place
    await page.goto(f"{site.url}/wall")
    await expect(page.get_by_role("heading", name="Acme Air")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_the_wallboard_shows_news_by_itself(site: Site, page: Page) -> None:
    """With a token that may read, and nobody signed in, the wall shows who waits, and what ails, without a reload."""
    house = site.house
    token, record = new_token("read", "", house.clock())
    await house.credentials.add_token(record)
    await page.goto(f"{site.url}/wall#token={token}")
    await expect(page.get_by_text("Nobody is waiting.")).to_be_visible()
    house.mail("My cat is missing", topic="lost-pet", sender="Pia <p@example.org>")
    house.status = lambda: {"problems": ["the edited workspace is not in force"]}  # type: ignore[method-assign]
    await expect(page.get_by_role("row", name="Lost pet")).to_contain_text("0 of 1")
    await expect(page.get_by_text("the edited workspace is not in force")).to_be_visible()
    await expect(page.get_by_text("Pia")).to_have_count(0)
    await site.stop()
    await expect(page.get_by_text("Lost pet")).to_be_visible()  # what was known stays
    await site.start()


async def test_a_supervisor_watches_and_acts(site: Site, page: Page) -> None:
    """The overview follows by itself; a supervisor sets somebody's status and gives a contact to somebody."""
    house = site.house
    house.available("ana")
    await enter(page, site, "eva")
    await page.keyboard.press("o")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    contact = house.mail("My cat", topic="lost-pet", sender="Pia <p@example.org>")
    await expect(page.get_by_role("row", name="Lost pet")).to_be_visible()
    await page.get_by_role("combobox", name="Status of Ben Okafor").select_option("available")
    await until(lambda: house.state.agents["ben"].status == "available")
    await page.keyboard.press("q")
    await page.goto(f"{site.url}/desk#/queue")
    await page.get_by_role("button", name="Assign…").click()
    await page.get_by_role("combobox", name="To").select_option("agent:ben")
    await page.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    await until(lambda: contact.agent == "ben")


async def test_an_agent_writes_first(site: Site, page: Page) -> None:
    """C opens a letter; what was typed outlives a cancelled dialog; sent, the contact stands open and theirs."""
    await enter(page, site)
    await page.keyboard.press("c")
    await page.keyboard.type("carla@example.org")
    await page.get_by_label("Subject").fill("Your bag")
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.get_by_label("Subject")).to_have_value("Your bag")
    await page.get_by_label("Message").fill("We found it.")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("heading", name="Your bag")).to_be_visible()
    [contact] = site.house.state.contacts.values()
    assert (contact.agent, contact.state) == ("ana", ContactState.WAITING_CUSTOMER)
    assert said(site, contact, "out") == ["We found it."]
    await expect(page.locator(".item.out")).to_contain_text("We found it.")


async def test_a_file_goes_with_a_first_letter(site: Site, page: Page, tmp_path: Path) -> None:
    """Files are stored for the letter's address, follow to another one, outlive the dialog and go with the letter."""
    house = site.house
    form = tmp_path / "form.pdf"
    form.write_bytes(b"%PDF a form")
    await enter(page, site)
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Write to a customer")
    await expect(dialog.get_by_role("button", name="Attach files")).to_be_disabled()
    await page.keyboard.type("carl@example.org")
    await expect(dialog.get_by_role("button", name="Attach files")).to_be_enabled()
    await dialog.locator("input[type=file]").set_input_files(form)
    await until(lambda: [one[0] for one in house.kept.values()] == ["to carl@example.org"])
    await expect(dialog.get_by_role("button", name="Remove form.pdf")).to_be_visible()
    assert await grave(page) == []
    await dialog.get_by_role("textbox", name="To").fill("Carla@example.org")
    await dialog.get_by_label("Subject").fill("Your bag")
    await until(lambda: [one[0] for one in house.kept.values()][1:] == ["to carla@example.org"])
    await expect(dialog.get_by_role("button", name="Remove form.pdf")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(dialog.get_by_role("button", name="Remove form.pdf")).to_be_visible()
    await dialog.get_by_label("Message").fill("Please fill it in.")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("heading", name="Your bag")).to_be_visible()
    [contact] = house.state.contacts.values()
    assert said(site, contact, "out") == ["Please fill it in."]
    assert [one.filename for one in house.written[contact.messages[0].id].attachments] == ["form.pdf"]
    await page.get_by_role("button", name="New contact").click()
    await expect(dialog.get_by_role("textbox", name="To")).to_have_value("")
    await expect(dialog.get_by_role("button", name="Remove form.pdf")).to_have_count(0)


async def test_an_agent_has_no_overview(site: Site, page: Page) -> None:
    """What is a supervisor's is neither linked nor told to an agent."""
    await enter(page, site)
    await expect(page.get_by_role("link", name="Overview")).to_have_count(0)
    status = await page.evaluate("fetch('/desk/api/overview').then((one) => one.status)")
    assert status == 404
