"""Files that agents send with a reply: chosen, dropped and pasted, undone, refused in words, and fetched again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from router.core.state import Contact
from tests.browser.steps import enter, owned, said, until
from tests.fakes.desk_site import Site, running

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

CARRY = """([target, kind, files]) => {
  const carried = new DataTransfer();
  for (const [name, text] of files) carried.items.add(new File([text], name, { type: "text/plain" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(event);
}"""


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[Site]:
    """A desk that holds replies for a minute."""
    async with running(hold_seconds=60) as started:
        yield started


async def opened(page: Page, site: Site) -> Contact:
    """A contact of Ana's, on her screen."""
    site.house.available("ana")
    contact = await owned(site)
    await enter(page, site)
    await page.goto(f"{site.url}/desk#/c/{contact.id}")
    await expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    return contact


def sent(site: Site, contact: Contact) -> list[tuple[str, bytes]]:
    """Names and bytes of the files of the last reply."""
    last = [ref.id for ref in contact.messages if ref.direction == "out"][-1]
    return [(name, content) for (message, _), (name, _, content) in site.house.files.items() if message == last]


async def test_a_file_is_chosen_by_keyboard_and_reaches_the_thread(site: Site, page: Page, tmp_path: Path) -> None:
    """The button works by keyboard, limits are said beforehand, the file goes with the reply and can be fetched."""
    contact = await opened(page, site)
    button = page.get_by_role("button", name="Attach files")
    await expect(button).to_have_accessible_description("Up to 10 files, 18 MB in all")
    file = tmp_path / "größe & co.pdf"
    file.write_bytes(b"%PDF \x00 as it is")
    async with page.expect_file_chooser() as choosing:
        await button.press("Enter")
    await (await choosing.value).set_files(file)
    listed = page.get_by_role("list", name="Files that go with this reply")
    await expect(listed.get_by_role("listitem")).to_contain_text("größe & co.pdf")
    await expect(page.get_by_role("button", name="Remove größe & co.pdf")).to_be_visible()
    await page.get_by_role("textbox", name="Write to the customer").fill("Here it is.")
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(site, contact, "out") == ["Here it is."])
    assert sent(site, contact) == [("größe & co.pdf", b"%PDF \x00 as it is")]
    await expect(listed).to_be_hidden()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download größe & co.pdf").click()
    download = await downloading.value
    assert download.suggested_filename == "größe & co.pdf"
    assert Path(await download.path()).read_bytes() == file.read_bytes()


async def test_files_are_dropped_and_pasted_and_need_no_words(site: Site, page: Page) -> None:
    """Files are dropped on the reply or pasted into it; one is taken out again; a reply may be files alone."""
    contact = await opened(page, site)
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    await page.evaluate(CARRY, [".composer", "dragover", [["a.txt", "a"]]])
    await expect(page.locator(".composer.dropping")).to_be_visible()
    await page.evaluate(CARRY, [".composer", "drop", [["a.txt", "a"], ["b.txt", "b"]]])
    await page.evaluate(CARRY, [".composer textarea", "paste", [["c.txt", "c"]]])
    await page.get_by_role("button", name="Remove b.txt").click()
    await expect(page.get_by_role("button", name="Remove c.txt")).to_be_focused()
    await page.get_by_role("button", name="Send", exact=True).click()
    await until(lambda: said(site, contact, "out") == [""])
    assert sent(site, contact) == [("a.txt", b"a"), ("c.txt", b"c")]


async def test_undo_and_reload_keep_the_file(slow: Site, page: Page) -> None:
    """A reply that is taken back still has its file, and so has a draft after a reload; a note has none."""
    contact = await opened(page, slow)
    text = page.get_by_role("textbox", name="Write to the customer")
    await text.fill("It is enclosed.")
    await page.evaluate(CARRY, [".composer", "drop", [["a.txt", "a"]]])
    remove = page.get_by_role("button", name="Remove a.txt")
    await expect(remove).to_be_visible()
    await text.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await expect(remove).to_be_hidden()
    await page.keyboard.press("Control+z")
    await expect(text).to_have_value("It is enclosed.")
    await expect(remove).to_be_visible()
    await page.reload()
    await expect(remove).to_be_visible()
    await page.locator('[data-mode="note"]').click()
    await expect(page.get_by_role("button", name="Attach files")).to_be_hidden()
    await page.locator('[data-mode="reply"]').click()
    await text.press("Control+Enter")
    await expect(page.locator(".count-down")).to_contain_text("Goes out in")
    await page.keyboard.press("Control+Enter")
    await until(lambda: said(slow, contact, "out") == ["It is enclosed."])
    assert sent(slow, contact) == [("a.txt", b"a")]
    await expect(remove).to_be_hidden()


async def test_limits_are_said_in_words(site: Site, page: Page) -> None:
    """Too many, too large and empty files are refused with a sentence that names the limit; the others stay."""
    await opened(page, site)
    many = [[f"{number}.txt", "x"] for number in range(11)]
    await page.evaluate(CARRY, [".composer", "drop", [["empty.txt", ""], *many]])
    toasts = page.locator("#toasts")
    await expect(toasts).to_contain_text("empty.txt is empty.")
    await expect(toasts).to_contain_text("A reply may have up to 10 files.")
    await expect(page.get_by_role("button", name="Remove")).to_have_count(10)
    await page.get_by_role("button", name="Remove 9.txt").click()
    await page.evaluate(CARRY, [".composer", "drop", [["large.bin", "x" * 18_000_001]]])
    large = "large.bin is too large: the files of a reply may have 18 MB in all."
    await expect(toasts).to_contain_text(large)
    await expect(page.get_by_role("alert")).to_have_text(large)


async def test_a_file_whose_upload_fails_is_tried_again(site: Site, page: Page) -> None:
    """While a file has not arrived nothing is sent; one that failed says so and is tried again by a button."""
    contact = await opened(page, site)
    await page.route("**/files", lambda route: route.abort())
    await page.evaluate(CARRY, [".composer", "drop", [["a.txt", "a"]]])
    again = page.get_by_role("listitem").get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await page.unroute("**/files")
    await again.click()
    await expect(page.get_by_role("button", name="Remove a.txt")).to_be_visible()
    await expect(again).to_be_hidden()
    await page.get_by_role("button", name="Send", exact=True).click()
    await until(lambda: said(site, contact, "out") == [""])
    assert sent(site, contact) == [("a.txt", b"a")]
