"""The desk in a real browser: an agent's day from the sign-in link to the resolved contact."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from router.core import events
from router.core.transitions import ContactState
from tests.browser.steps import enter, owned, said, until
from tests.fakes.desk_site import Site

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


async def test_a_contact_goes_from_offer_to_resolved(site: Site, page: Page) -> None:
    """Sign in, accept, read, note, reply, read the answer, resolve: each step shows, and each reaches the engine."""
    house = site.house
    house.available("ana")
    await enter(page, site)
    assert "link=" not in page.url
    contact = house.mail("I want my money back.", subject="Refund for K7XQ2P")
    await page.get_by_role("button", name="Accept").click()
    await until(lambda: contact.state is ContactState.ASSIGNED)
    await expect(page.get_by_role("heading", name="Refund for K7XQ2P")).to_be_visible()
    await expect(page.get_by_role("list", name="Conversation")).to_contain_text("I want my money back.")

    await page.get_by_role("button", name="Note", exact=True).click()
    await page.keyboard.type("She rang twice.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".item.note")).to_contain_text("She rang twice.")

    await expect(page.get_by_text("A reply goes to carla@example.org by e-mail.")).to_be_hidden()
    await page.get_by_role("button", name="Reply", exact=True).click()
    await expect(page.get_by_text("A reply goes to carla@example.org by e-mail.")).to_be_visible()
    await page.keyboard.type("It leaves today.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".item.out")).to_contain_text("It leaves today.")
    assert contact.state is ContactState.WAITING_CUSTOMER
    assert said(site, contact, "out") == ["It leaves today."]
    reply = contact.messages[-1].id
    house.apply(events.DeliveryReported(at=house.clock(), message=reply, contact=contact.id, state="sending"))
    house.apply(events.DeliveryReported(at=house.clock(), message=reply, contact=contact.id, state="sent"))
    await expect(page.locator(".item.out")).to_contain_text("delivered")

    house.mail("Thank you, it is here.", thread=contact.id)
    await expect(page.locator(".item.in").last).to_contain_text("Thank you, it is here.")
    await page.get_by_role("button", name="Resolve", exact=True).click()
    await until(lambda: contact.state is ContactState.RESOLVED)
    await expect(page.get_by_text("Resolved lately")).to_be_visible()
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_what_a_contact_is_about_takes_one_click(site: Site, page: Page) -> None:
    """An unsure contact asks with its guess: yes, none of these; a sure one can be confirmed beside its topics."""
    site.house.available("ana")
    unsure, other = (site.house.mail("I want my money back.", p=4_000) for _ in range(2))
    for contact in (unsure, other):
        await site.house.act("ana", "take", {"contact": contact.id}, contact.id)
    sure = await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{unsure.id}")
    await expect(page.get_by_text("It is not clear what this is about. Is it Refund?")).to_be_visible()
    await page.get_by_role("button", name="Yes", exact=True).click()
    await until(lambda: unsure.topics_set)
    assert unsure.topics == (("refund", 10_000),)
    await expect(page.get_by_text("It is not clear what this is about.")).to_be_hidden()
    await page.goto(f"{site.url}/desk#/c/{other.id}")
    await page.get_by_role("button", name="None of these", exact=True).click()
    await until(lambda: other.topics_set)
    assert other.topics == ()
    await page.goto(f"{site.url}/desk#/c/{sure.id}")
    await expect(page.get_by_role("button", name="None of these", exact=True)).to_be_hidden()
    await page.get_by_role("button", name="That is right", exact=True).click()
    await until(lambda: sure.topics_set)
    await expect(page.get_by_role("button", name="That is right", exact=True)).to_be_hidden()
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_dropped_connection_loses_nothing(site: Site, page: Page) -> None:
    """The server goes and comes back: the page says so, keeps the draft, sends what was written once, catches up."""
    house = site.house
    house.available("ana")
    contact = await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.fill("It leaves today.")
    await site.stop()
    await expect(page.get_by_text("Connection lost. Trying again…")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("It is kept here and sent as soon as there is one.")).to_be_visible()
    house.mail("Are you there?", thread=contact.id)
    assert said(site, contact, "out") == []
    await site.start()
    await expect(page.locator(".item.out")).to_contain_text("It leaves today.")
    await expect(page.locator(".item.in").last).to_contain_text("Are you there?")
    await expect(page.get_by_text("Connection lost. Trying again…")).to_be_hidden()
    await expect(text).to_have_value("")
    assert said(site, contact, "out") == ["It leaves today."]


async def test_a_draft_outlives_a_reload(site: Site, page: Page) -> None:
    """What was written and not sent is there again after the page was loaded anew, and only in its contact."""
    site.house.available("ana")
    first, second = await owned(site), await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{first.id}")
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.fill("Half a sent")
    await page.reload()
    await expect(text).to_have_value("Half a sent")
    await page.goto(f"{site.url}/desk#/c/{second.id}")
    await expect(text).to_have_value("")


async def test_a_customers_words_stay_words(site: Site, page: Page) -> None:
    """Markup in name, subject, text, file name and topic is shown as written, and its HTML can do nothing."""
    site.house.available("ana")
    contact = site.house.mail(
        HOSTILE,
        sender=f"{HOSTILE} <carla@example.org>",
        subject=HOSTILE,
        html=f"<p id=p>Hello</p>{HOSTILE}<img src='{site.url}/livez'>",
        files=((f"{HOSTILE}.html", "text/html", HOSTILE.encode()),),
    )
    asked: list[str] = []
    page.on("response", lambda response: asked.append(response.url))
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    await expect(page.locator(".item .words").first).to_have_text(HOSTILE)
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await page.get_by_text("Original layout").click()
    await expect(page.frame_locator("iframe").locator("#p")).to_have_text("Hello")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    assert (await (await download.value).path()).read_bytes() == HOSTILE.encode()
    assert await page.title() == "(1) Desk · Acme Air"
    assert await page.locator("img[src=x], script:not([src])").count() == 0
    assert not [url for url in asked if "livez" in url or not url.startswith(site.url)]


async def test_two_people_click_at_once(site: Site, page: Page) -> None:
    """Two agents take the same contact: one has it, the other hears who was first."""
    house = site.house
    contact = house.mail("My cat is missing", topic="lost-pet")
    other = await page.context.browser.new_context()  # type: ignore[union-attr]
    theirs = await other.new_page()
    await enter(page, site)
    await enter(theirs, site, "ben")
    for one in (page, theirs):
        await one.get_by_role("link", name="Queue").click()
        await expect(one.get_by_role("button", name="Take it")).to_be_visible()
    house.act_gate = asyncio.Event()  # neither page sees the other's click before both have clicked
    for one in (page, theirs):
        await one.get_by_role("button", name="Take it").click()
    house.act_gate.set()
    await until(lambda: contact.agent)
    loser, first = (theirs, "Ana Souza") if contact.agent == "ana" else (page, "Ben Okafor")
    await expect(loser.locator(".toast", has_text=f"{first} was first.")).to_be_visible()
    await other.close()


async def test_the_desk_is_worked_by_keyboard_alone(site: Site, page: Page) -> None:
    """Next contact, accept, reply and send, snooze, transfer, queue, status and help need no mouse."""
    house = site.house
    house.available("ana")
    contact = house.mail("I want my money back.")
    await enter(page, site)
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.locator(".item")).to_have_count(1)
    await page.keyboard.press("a")
    await until(lambda: contact.state is ContactState.ASSIGNED)
    await expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
    await page.keyboard.press("r")
    await expect(page.get_by_role("textbox", name="Write to the customer")).to_be_focused()
    await page.keyboard.type("jet lag? a quick resolve: e")  # letters are letters while one writes
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "out") == ["jet lag? a quick resolve: e"])
    await page.keyboard.press("Escape")
    await page.keyboard.press("z")
    await expect(page.get_by_role("dialog", name="Snooze")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await until(lambda: contact.state is ContactState.SNOOZED)
    await page.keyboard.press("t")
    await expect(page.get_by_role("dialog", name="Hand over")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("w")
    await expect(page.get_by_role("dialog", name="Why?")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("?")
    await page.get_by_role("checkbox", name="Single-key shortcuts on").press("Space")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("q")
    await expect(page.get_by_role("heading", name="Queue")).to_have_count(0)


async def test_an_offer_is_declined_with_a_reason(site: Site, page: Page) -> None:
    """Declining asks for a reason and takes the offer from the desk."""
    house = site.house
    house.available("ana")
    contact = house.mail("I want my money back.")
    await enter(page, site)
    await page.get_by_role("button", name="Decline").click()
    await page.get_by_role("radio", name="About to leave").check()
    await page.get_by_role("dialog").get_by_role("button", name="Decline").click()
    await until(lambda: contact.declined == ["ana"])
    await expect(page.locator(".row.offer")).to_have_count(0)
    assert house.acts[-1][2]["reason"] == "leaving"


async def test_a_transfer_carries_its_note(site: Site, page: Page) -> None:
    """A contact handed to a colleague leaves this desk, and the note stands in its thread."""
    house = site.house
    house.available("ana")
    contact = await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    await page.get_by_role("button", name="Transfer", exact=True).click()
    await page.get_by_role("combobox", name="To").select_option("agent:ben")
    await page.get_by_role("textbox", name="Hand-over note (optional)").fill("Yours, I think.")
    await page.get_by_role("dialog").get_by_role("button", name="Transfer").click()
    await until(lambda: contact.agent == "ben")
    assert said(site, contact, "note") == ["Yours, I think."]
    await expect(page.get_by_text("This contact is not on your desk any more.")).to_be_visible()


async def test_a_text_that_begins_with_slashes_stays_inside(site: Site, page: Page) -> None:
    """As in Slack, a reply that begins with // is a note, and the page says so before it is sent."""
    site.house.available("ana")
    contact = await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    await page.get_by_role("textbox", name="Write to the customer").fill("// she is not nice")
    await expect(page.get_by_text("Stays among colleagues. Nothing is sent.")).to_be_visible()
    await page.get_by_role("button", name="Save note").click()
    await until(lambda: said(site, contact, "note") == ["she is not nice"])
    assert said(site, contact, "out") == []


async def test_who_is_offline_is_told_why_nothing_comes(site: Site, page: Page) -> None:
    """Until an agent chooses Available the empty desk says that this is missing; then it promises offers."""
    await enter(page, site)
    await expect(page.locator(".lists .empty:visible")).to_contain_text("Choose Available")
    await expect(page.locator("main .empty")).to_contain_text("Choose Available")
    await page.get_by_label("Status").select_option("available")
    await expect(page.locator(".lists .empty:visible")).to_contain_text("New offers appear here")
    await expect(page.locator("main .empty")).to_contain_text("wait for the next offer")


async def test_a_used_link_says_what_to_do(site: Site, page: Page) -> None:
    """Who comes with a link that was used is told how to get another."""
    link = site.link("ana")
    await page.goto(link)
    await expect(page.get_by_role("navigation", name="My contacts")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    await page.goto("about:blank")
    await page.goto(link)
    await expect(page.get_by_text("This link was used already")).to_be_visible()
    await expect(page.get_by_text("usherd link YOUR-ID")).to_be_visible()


async def test_a_phone_shows_one_pane_at_a_time(site: Site, page: Page) -> None:
    """At phone width nothing runs off the side, and one gets from the lists to a contact and back."""
    site.house.available("ana")
    contact = await owned(site, subject="A subject that is much too long for one line of a phone, whatever one does")
    await page.set_viewport_size({"width": 360, "height": 740})
    await enter(page, site)
    await page.get_by_role("link", name="A subject that is much too long").click()
    await expect(page.get_by_role("navigation", name="My contacts")).to_be_hidden()
    text = page.get_by_role("textbox", name="Write to the customer")
    await expect(text).to_be_in_viewport()
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    await page.get_by_role("button", name="Details").click()
    await expect(page.get_by_text("First contact with us.")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Back to the lists").click()
    await expect(page.get_by_role("navigation", name="My contacts")).to_be_visible()
    assert contact.agent == "ana"


async def test_the_api_page_needs_nothing_from_elsewhere(site: Site, page: Page) -> None:
    """The docs show every route and load from this server alone."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{site.url}/docs")
    await expect(page.get_by_role("heading", name="POST /v1/messages Hand in")).to_be_visible()
    assert all(url.startswith(site.url) for url in asked)
    assert page.complaints == []  # type: ignore[attr-defined]
