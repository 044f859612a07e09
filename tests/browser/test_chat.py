"""The chat in a real browser, against the whole daemon: from the first word at /chat to resolve at /desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from router.web.chat_widget import STATIC
from tests.browser.chat_house import House, accept, answer, bubbles, open_chat, phone, write
from tests.fakes.scripted_smtp import ScriptedSmtp
from tests.support.daemons import until

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(600)]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


async def test_from_the_first_word_to_resolve(house: House, desk: Page, page: Page, tmp_path: Path) -> None:
    """A visitor writes, an agent accepts and answers, a file is sent and saved, all is resolved; both sides see it."""
    await open_chat(page, house)
    await expect(page.locator(".how")).to_have_text("We are here.")
    await write(page, f"I was charged twice. {HOSTILE}")
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    await accept(desk, "I was charged twice.")
    await expect(desk.get_by_role("list", name="Conversation")).to_contain_text(HOSTILE)
    await expect(page.locator(".how")).to_have_text("You are talking to Ana.")
    await answer(desk, f"I am sorry. Could you send the receipt? {HOSTILE}")
    await expect(bubbles(page, "Could you send the receipt?")).to_contain_text(HOSTILE)
    await expect(desk.locator(".item.out")).to_contain_text("delivered")

    receipt = tmp_path / "receipt.pdf"
    receipt.write_bytes(b"%PDF-1.4 " + bytes(range(256)) * 100)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Send a file").click()
    await (await chooser.value).set_files(receipt)
    await expect(desk.locator(".item.in").last).to_contain_text("receipt.pdf")
    async with desk.expect_download() as at_desk:
        await desk.get_by_text("receipt.pdf").last.click()
    assert (await (await at_desk.value).path()).read_bytes() == receipt.read_bytes()
    async with page.expect_download() as at_home:
        await page.get_by_role("button", name="Download receipt.pdf").click()
    assert (await (await at_home.value).path()).read_bytes() == receipt.read_bytes()

    await desk.get_by_role("button", name="Resolve", exact=True).click()
    await expect(page.get_by_text("This conversation is finished.")).to_be_visible()
    assert await page.title() == "Chat · usherd"
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_dropped_connection_loses_nothing(house: House, desk: Page, page: Page) -> None:
    """What is written without a connection is marked, goes out once it is back, once and in order; answers catch up."""
    lines: list[WebSocketRoute] = []
    down = False

    async def through(line: WebSocketRoute) -> None:
        if down:
            await line.close()
            return
        lines.append(line)
        line.connect_to_server()

    await page.route_web_socket("**/chat/live", through)
    await open_chat(page, house)
    await write(page, "one")
    await accept(desk, "one")
    await expect(page.locator(".how")).to_have_text("You are talking to Ana.")
    down = True
    await lines[-1].close()
    await write(page, "two")
    await write(page, "three")
    await answer(desk, "Are you there?")
    await expect(page.locator(".how")).to_have_text("No connection. Trying again…")
    await expect(page.get_by_role("button", name="Try again")).to_have_count(2)
    await expect(bubbles(page, "Are you there?")).to_have_count(0)
    down = False
    await page.get_by_role("button", name="Try again").first.click()
    await expect(bubbles(page, "Are you there?")).to_have_count(1)
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    texts = await page.locator(".bubble").all_inner_texts()
    assert sorted(texts) == ["Are you there?", "one", "three", "two"]
    assert texts.index("one") < texts.index("two") < texts.index("three")
    await expect(desk.locator(".item.in")).to_have_count(3)
    await desk.get_by_role("button", name="Resolve", exact=True).click()


async def test_a_restart_and_a_reload_lose_nothing(house: House, desk: Page, page: Page) -> None:
    """`kill -9` of the daemon in the middle, words written meanwhile, and a reload on top: all is there, once."""
    await open_chat(page, house)
    await write(page, "before")
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    await accept(desk, "before")
    await expect(page.locator(".how")).to_have_text("You are talking to Ana.")
    await asyncio.to_thread(house.daemon.kill)
    await write(page, "meanwhile")
    await expect(page.locator(".way .mark")).to_contain_text("Not sent yet")
    await asyncio.to_thread(house.daemon.start)
    await page.reload()
    await expect(page.get_by_role("dialog", name="Acme Air")).to_be_visible()  # as it was
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    assert await page.locator(".bubble").all_inner_texts() == ["before", "meanwhile"]
    await expect(desk.locator(".item.in")).to_have_count(2)
    await answer(desk, "after")
    await expect(bubbles(page, "after")).to_have_count(1)
    await desk.get_by_role("button", name="Resolve", exact=True).click()


async def test_two_tabs_and_a_closed_window(house: House, desk: Page, page: Page, window: BrowserContext) -> None:
    """Two tabs show one conversation; a closed chat counts what is new and says so, and focus is where it was."""
    await open_chat(page, house)
    await write(page, "hello from one")
    second = await window.new_page()
    await second.goto(f"{house.url}/chat")
    await expect(bubbles(second, "hello from one")).to_have_count(1)
    await write(second, "and from two")
    await expect(bubbles(page, "and from two")).to_have_count(1)
    await accept(desk, "hello from one")
    await page.bring_to_front()
    await page.get_by_label("Write a message").press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    launcher = page.get_by_role("button", name="Open chat")
    await expect(launcher).to_be_focused()
    await answer(desk, "good morning")
    await expect(page.get_by_role("button", name="Open chat, 1 new message")).to_be_visible()
    await launcher.press("Enter")
    await expect(page.get_by_label("Write a message")).to_be_focused()
    await expect(bubbles(page, "good morning")).to_have_count(1)
    await expect(page.locator(".count")).to_be_hidden()
    await desk.get_by_role("button", name="Resolve", exact=True).click()


async def test_a_form_when_nobody_is_there(house: House, browser: Browser) -> None:
    """With nobody available a form asks for an address, says what is wrong with it, and the message goes on by mail."""
    server = ScriptedSmtp()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", house.mail_port)
    context = await browser.new_context(locale="de-AT")
    try:
        page = await context.new_page()
        await page.goto(f"{house.url}/chat")
        await page.get_by_role("button", name="Chat öffnen").click()
        await expect(page.get_by_role("heading", name="Nachricht hinterlassen")).to_be_visible()
        await page.get_by_label("Ihre Nachricht").fill("Wo ist mein Koffer?")
        await page.get_by_label("Ihre E-Mail-Adresse").fill("kim@")
        await page.get_by_role("button", name="Senden").click()
        await expect(page.get_by_role("alert")).to_contain_text("Bitte eine E-Mail-Adresse angeben")
        await page.get_by_label("Ihre E-Mail-Adresse").fill("help@acme.example")  # our own: refused by the server
        await page.get_by_role("button", name="Senden").click()
        await expect(page.get_by_role("alert")).to_contain_text("Bitte eine E-Mail-Adresse angeben")
        await page.get_by_label("Ihre E-Mail-Adresse").fill("kim@example.org")
        await page.get_by_role("button", name="Senden").click()
        await expect(page.get_by_text("Die Antwort geht an kim@example.org.")).to_be_visible()
        await until(lambda: [one for one in house.daemon.contacts() if one["subject"] == "Wo ist mein Koffer?"])
    finally:
        await context.close()
        listening.close()


async def test_writing_in_the_chat_although_nobody_is_there(house: House, page: Page) -> None:
    """Who would rather write in the chat may: the message is stored and waits."""
    await page.goto(f"{house.url}/chat")
    await page.get_by_role("button", name="Open chat").click()
    await page.get_by_role("button", name="Write in the chat instead").click()
    await write(page, "I can wait")
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    await until(lambda: [one for one in house.daemon.contacts() if one["subject"] == "I can wait"])


@asynccontextmanager
async def shop(house: House, port: int) -> AsyncIterator[str]:
    """Another site on this machine, which forbids inline styles and shows the chat; gives its address."""
    script = f'<script src="{house.url}/chat/widget.js" data-title="Shop"></script>'
    page = f'<!doctype html><html lang="en"><title>Shop</title><body><h1>Shop</h1>{script}</body></html>'.encode()
    policy = f"default-src 'none'; script-src {house.url}; style-src 'none'; connect-src {house.url} ws:"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{head}Content-Security-Policy: {policy}\r\n\r\n".encode() + page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def test_on_another_site(house: House, desk: Page, page: Page, tmp_path: Path) -> None:
    """On a listed site of a strict policy the widget looks and works as at home, files included."""
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff" * 5_000)
    async with shop(house, house.shop_port) as address:
        await page.goto(address)
        await page.get_by_role("button", name="Open chat").click()
        await expect(page.get_by_role("dialog", name="Shop")).to_be_visible()
        assert await page.locator(".panel").evaluate("node => getComputedStyle(node).position") == "absolute"
        await write(page, "from a shop")
        await page.locator("input[type=file]").set_input_files(photo)
        await expect(page.locator(".mark")).to_have_text(["Sent"])
        async with page.expect_download() as fetched:
            await page.get_by_role("button", name="Download photo.jpg").click()
        assert (await (await fetched.value).path()).read_bytes() == photo.read_bytes()
        assert page.complaints == []  # type: ignore[attr-defined]
    await accept(desk, "from a shop")
    await desk.get_by_role("button", name="Resolve", exact=True).click()


async def test_on_a_site_that_is_not_listed(house: House, page: Page) -> None:
    """On any other site the widget gets no line, and says so."""
    async with shop(house, 0) as address:
        await page.goto(address)
        await page.get_by_role("button", name="Open chat").click()
        await expect(page.locator(".how")).to_have_text("No connection. Trying again…")
        await write(page, "let me in")
        await expect(page.locator(".mark")).to_contain_text("Not sent yet")
    assert not [one for one in house.daemon.contacts() if one["subject"] == "let me in"]


async def test_on_a_phone(house: House, desk: Page, browser: Browser) -> None:
    """On a phone the chat takes the whole screen, nothing sticks out, and it can be closed again."""
    async with phone(browser) as page:
        await open_chat(page, house)
        await write(page, "and a sentence that goes on for a while " + "x" * 300)
        await expect(page.locator(".mark")).to_have_text(["Sent"])
        moves = "node => Promise.all(node.getAnimations().map(one => one.finished))"
        await page.locator(".panel").evaluate(moves)  # it slides in; a busy machine is still at it
        panel = await page.locator(".panel").bounding_box()
        assert panel == {"x": 0, "y": 0, "width": 390, "height": 780}
        assert await page.locator(".body").evaluate("node => node.scrollWidth <= node.clientWidth")
        await page.get_by_role("button", name="Close chat").click()
        await expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    await accept(desk, "and a sentence")
    await desk.get_by_role("button", name="Resolve", exact=True).click()


async def test_every_language_says_everything(page: Page) -> None:
    """Each language has the same words, none of them empty; the reader's first one counts."""
    source = (STATIC / "widget" / "texts.js").read_text("utf-8")
    said = "JSON.parse(JSON.stringify(TEXTS, (_, value) => (typeof value === 'function' ? value('A', 'B') : value)))"
    asked = "[['de-AT', 'en'], ['ja', 'pt-BR'], ['ja'], []].map(language)"
    texts, picked = await page.evaluate(f"(() => {{ {source}\n return [{said}, {asked}]; }})()")
    assert set(texts) >= {"en", "es", "pt", "de", "fr"}
    for name, words in texts.items():
        assert words.keys() == texts["en"].keys(), name
        assert all(words.values()), name
        assert all("A" in words[key] for key in ("withWho", "typing", "said", "get", "thanksText")), name
    assert picked == ["de", "pt", "en", "en"]


async def test_a_pass_that_is_no_longer_good(house: House, page: Page) -> None:
    """With a pass that is not taken any more the visitor is somebody new, and sees nothing of before."""
    await page.goto(f"{house.url}/chat")
    await page.get_by_role("button", name="Open chat").click()
    await page.get_by_role("button", name="Write in the chat instead").click()
    await write(page, "as I was")
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    spoil = "for (const key of Object.keys(localStorage)) if (key.endsWith(':pass')) localStorage.setItem(key, 'v1.x')"
    await page.evaluate(spoil)
    await page.reload()
    await page.get_by_role("button", name="Write in the chat instead").click()
    await write(page, "as I am")
    await expect(page.locator(".mark")).to_have_text(["Sent"])
    assert await page.locator(".bubble").all_inner_texts() == ["as I am"]
