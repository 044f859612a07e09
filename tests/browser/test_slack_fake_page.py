"""The fake Slack's page in a real browser: a card, a thread, App Home and a modal, as a person sees and uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from router.sim.slack import FakeSlack, Rules
from tests.browser.axe import grave
from tests.fakes.slack.raw_app import RawApp, button, field, modal, option, plain, raw_app, section

Json = dict[str, Any]
HOSTILE = "&lt;img src=x onerror=alert(1)&gt; &amp;amp; <javascript:alert(1)|click> *bold*"
CARD = [
    {"type": "header", "text": plain("Suitcase missing :eyes:")},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "yours until <!date^1795900000^{time}|noon>"}]},
    section(HOSTILE),
    {"type": "section", "fields": [plain("Topic: luggage"), plain("Language: pt")]},
    {
        "type": "actions",
        "elements": [
            button("accept", "Accept", style="primary", value="7"),
            button("decline", "Decline", confirm={one: plain(one) for one in ("title", "text", "confirm", "deny")}),
            {"type": "overflow", "action_id": "more", "options": [option("spam", "Mark spam")]},
        ],
    },
]
REASONS = {"type": "static_select", "action_id": "reason", "options": [option("busy", "Busy"), option("ill", "Ill")]}
WINDOW = modal(
    field("why", REASONS),
    field("note", {"type": "plain_text_input", "action_id": "text", "multiline": True}),
    field(
        "teams", {"type": "checkboxes", "action_id": "t", "options": [option("emea"), option("apac")]}, optional=True
    ),
    title=plain("Transfer"),
)

pytestmark = pytest.mark.needs("chromium")

expect.set_options(timeout=60_000)  # a guard, never a target


@pytest_asyncio.fixture
async def app() -> AsyncIterator[RawApp]:
    """An app in a workspace with ana and ben."""
    async with FakeSlack(rules=Rules(message_burst=50)) as slack:
        slack.add_user("ana")
        slack.add_user("ben")
        slack.add_channel("emea", members=["ana", slack.bot])
        async with raw_app(slack) as raw:
            yield raw


async def opened(app: RawApp, page: Page, name: str = "ana") -> None:
    """Look as somebody."""
    await page.goto(f"{app.slack.page_url}?as={name}")
    await expect(page.get_by_role("combobox", name="Look as")).to_have_value(name)


async def test_a_card_is_drawn_from_its_blocks_and_clicked(app: RawApp, page: Page) -> None:
    """What a customer wrote stays text; buttons, confirmations and menus work; an update is drawn in place."""
    slack, ana = app.slack, app.slack.user("ana")
    posted = await app.call("chat.postMessage", channel=ana.id, text="card", blocks=CARD)
    await opened(app, page)
    card = page.get_by_role("log", name="Messages", exact=True).get_by_role("article")
    await expect(card.get_by_role("heading", name="Suitcase missing")).to_be_visible()
    await expect(card).to_contain_text("<img src=x onerror=alert(1)> &amp; click")
    assert await card.locator("img, a, script").count() == 0
    await expect(card.locator("strong")).to_have_text("bold")
    assert await grave(page) == []

    await card.get_by_role("button", name="Accept").click()
    await slack.until(lambda: len(app.of("interactive")) == 1)
    assert app.of("interactive")[0]["actions"][0]["value"] == "7"
    await card.get_by_role("button", name="Decline").click()
    await page.get_by_role("dialog").get_by_role("button", name="deny").click()
    await card.get_by_role("button", name="Decline").click()
    await page.get_by_role("dialog").get_by_role("button", name="confirm").click()
    await card.locator("summary", has_text="⋯").click()
    await card.get_by_role("button", name="Mark spam").click()
    await slack.until(lambda: len(app.of("interactive")) == 3)
    assert [one["actions"][0]["action_id"] for one in app.of("interactive")] == ["accept", "decline", "more"]

    await app.call("chat.update", channel=ana.dm.id, ts=posted["ts"], text="x", blocks=[section("Accepted by you")])
    await expect(card).to_contain_text("Accepted by you")
    await expect(card.get_by_role("button", name="Accept")).to_have_count(0)
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_thread_is_written_by_keyboard_and_others_see_their_own(app: RawApp, page: Page) -> None:
    """A reply goes to the thread; an ephemeral answer says so; ben sees neither; a file can be taken."""
    slack, ana = app.slack, app.slack.user("ana")
    await app.call("chat.postMessage", channel=ana.id, text="card")
    await opened(app, page)
    await page.get_by_role("button", name="Reply in thread").press("Enter")
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("textbox", name="Reply in the thread")).to_be_focused()
    await page.keyboard.type("We found <it> & send it")
    await page.keyboard.press("Enter")
    await expect(thread.get_by_role("article").last).to_contain_text("We found <it> & send it")
    assert ana.sees()[-1].text == "We found &lt;it&gt; &amp; send it"
    assert ana.sees()[-1].thread_ts == ana.sees()[0].ts

    await app.call("chat.postEphemeral", channel=ana.dm.id, user=ana.id, text="Only agents may do that.")
    messages = page.get_by_role("log", name="Messages", exact=True)
    await expect(messages).to_contain_text("only visible to you")
    await ana.uploads("bill.pdf", b"%PDF")
    await expect(messages.get_by_role("link", name="bill.pdf")).to_be_visible()
    assert await grave(page) == []
    await page.get_by_role("combobox", name="Look as").select_option("ben")
    await expect(page.get_by_role("complementary", name="Thread")).to_be_hidden()
    await expect(messages.get_by_role("article")).to_have_count(0)
    assert await page.get_by_role("button", name="#emea", exact=True).count() == 0
    await slack.settled()
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_modal_is_filled_in_corrected_and_sent(app: RawApp, page: Page) -> None:
    """A command opens it; the app's errors stand at their fields; what is sent has the values; Escape closes it."""
    slack = app.slack
    await opened(app, page)

    async def types_command() -> None:
        await page.get_by_role("textbox", name="Write a message").fill("/usherd transfer")
        await page.keyboard.press("Enter")
        count = len(slack.web.calls)
        await slack.until(lambda: app.of("slash_commands"))
        trigger = app.of("slash_commands")[-1]["trigger_id"]
        assert (await app.call("views.open", trigger_id=trigger, view=WINDOW))["ok"], count

    await types_command()
    window = page.get_by_role("dialog", name="Transfer")
    await expect(window.get_by_role("combobox", name="why")).to_be_focused()
    assert await grave(page) == []
    await window.get_by_role("combobox", name="why").select_option("busy")
    await window.get_by_role("button", name="Send").click()
    await expect(window.get_by_role("alert").last).to_contain_text("to be filled in: note")
    await window.get_by_role("textbox", name="note").fill("two\nlines")
    await window.get_by_role("group", name="teams").get_by_label("apac").check()

    errors = {"response_action": "errors", "errors": {"note": "Say more."}}
    app.answer = lambda envelope: {"payload": errors} if envelope["type"] == "interactive" else {}
    await window.get_by_role("button", name="Send").click()
    await expect(window.get_by_text("Say more.")).to_be_visible()
    await expect(window.get_by_role("textbox", name="note")).to_be_focused()
    app.answer = lambda envelope: {}
    await window.get_by_role("button", name="Send").click()
    await expect(window).to_have_count(0)
    values = app.of("interactive")[-1]["view"]["state"]["values"]
    assert values["why"]["reason"]["selected_option"]["value"] == "busy"
    assert values["note"]["text"]["value"] == "two\nlines"
    assert [one["value"] for one in values["teams"]["t"]["selected_options"]] == ["apac"]

    app.envelopes.clear()
    await types_command()
    await expect(window).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(window).to_have_count(0)
    assert slack.user("ana").modal is None
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_app_home_is_opened_and_clicked(app: RawApp, page: Page) -> None:
    """Opening it tells the app; what it publishes is drawn, with menus that act at once."""
    slack, ana = app.slack, app.slack.user("ana")
    await opened(app, page)
    await page.get_by_role("group", name="Views of the app").get_by_role("button", name="Home").click()
    await slack.until(lambda: app.events("app_home_opened"))
    blocks = [section("*Your desk*", accessory=REASONS), {"type": "divider"}, section("Nothing is open.")]
    await app.call("views.publish", user_id=ana.id, view={"type": "home", "blocks": blocks})
    home = page.get_by_role("region", name="App Home")
    await expect(home).to_contain_text("Nothing is open.")
    await home.get_by_role("combobox").select_option("ill")
    await slack.until(lambda: app.of("interactive"))
    assert app.of("interactive")[0]["actions"][0]["selected_option"]["value"] == "ill"
    assert await grave(page) == []
    app.answer = lambda envelope: None
    object.__setattr__(slack.rules, "ack", 0.1)
    await home.get_by_role("combobox").select_option("busy")
    await expect(page.get_by_role("alert").first).to_contain_text("That did not work: timeout")
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_link_to_a_message_leads_to_its_thread(app: RawApp, page: Page) -> None:
    """A permalink in App Home opens the conversation with the thread beside it, and so does its bare address."""
    slack, ana = app.slack, app.slack.user("ana")
    posted = await app.call("chat.postMessage", channel=ana.id, text="the card")
    await ana.writes("my answer", thread=ana.sees()[0])
    link = (await app.call("chat.getPermalink", channel=ana.dm.id, message_ts=posted["ts"]))["permalink"]
    home = {"type": "home", "blocks": [section(f"<{link}|Suitcase>")]}
    await app.call("views.publish", user_id=ana.id, view=home)
    await opened(app, page)
    await page.get_by_role("group", name="Views of the app").get_by_role("button", name="Home").click()
    await page.get_by_role("link", name="Suitcase").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("article").last).to_contain_text("my answer")
    await page.goto(link)
    await expect(thread.get_by_role("article").last).to_contain_text("my answer")
    await slack.settled()
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_only_this_machine_is_served_and_only_json_does_anything(app: RawApp) -> None:
    """A rebound name and a foreign form change nothing and see nothing."""
    url, deed = app.slack.page_url, {"do": "write", "as": "ana", "channel": app.slack.user("ana").dm.id, "text": "x"}
    rebound = await app.http.get(f"{url}page/state?as=ana", headers={"Host": "evil.example"})
    form = await app.http.post(f"{url}page/do", data={**deed})
    wrong = await app.http.post(f"{url}page/do", json={"do": "fly", "as": "ana"})
    assert (rebound.status_code, form.status_code, wrong.status_code) == (421, 415, 400)
    assert app.slack.user("ana").sees() == []
    assert (await app.http.post(f"{url}page/do", json=deed)).json() == {"problem": "", "errors": {}}
    assert len(app.slack.user("ana").sees()) == 1
