"""What begins in the chat goes on by mail, and what only looks on says so: the whole daemon, both sides in browsers."""

from __future__ import annotations

import asyncio
import email
import email.policy
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_house import House, accept, answer, at_desk
from tests.fakes.scripted_smtp import ScriptedSmtp
from tests.support.daemons import until

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


@pytest.fixture
def onlooker(tmp_path: Path) -> Iterator[House]:
    """A daemon that looks on."""
    house = House(tmp_path)
    path = house.daemon.config / "workspace.yaml"
    path.write_text(path.read_text() + "mode: shadow\n")
    house.daemon.start()
    try:
        yield house
    finally:
        house.daemon.stop()


def answered(ours: bytes, text: str) -> EmailMessage:
    """What a customer's mail program sends in answer to a mail of ours."""
    got = email.message_from_bytes(ours, policy=email.policy.default)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = str(got["To"]), str(got["Reply-To"]), str(got["Subject"])
    mail["Message-ID"], mail["In-Reply-To"] = make_msgid(domain="mail.example"), str(got["Message-ID"])
    mail.set_content(text)
    return mail


def hand_in(house: House, mail: EmailMessage) -> None:
    """The customer's mail server delivers it."""
    with smtplib.SMTP(*house.daemon.smtp, timeout=60) as client:
        client.send_message(mail)


async def test_a_chat_goes_on_by_mail(house: House, browser: Browser, page: Page) -> None:
    """With nobody there a visitor leaves an address; the answer comes by mail, theirs returns to the same contact."""
    server = ScriptedSmtp()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", house.mail_port)
    try:
        await page.goto(f"{house.url}/chat")
        await page.get_by_role("button", name="Open chat").click()
        await page.get_by_label("Your message").fill("Where did my trunk go?")
        await page.get_by_label("Your e-mail address").fill("kim@customer.example")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("kim@customer.example")).to_be_visible()
        await page.close()  # and gone is the visitor
        async with at_desk(house, browser) as desk:
            await accept(desk, "Where did my trunk go?")
            await answer(desk, "It comes with the next flight.")
            [ours] = await until(lambda: list(server.bodies))
            assert "RCPT TO:<kim@customer.example>" in server.commands
            assert b"It comes with the next flight." in ours
            await asyncio.to_thread(hand_in, house, answered(ours, "Splendid, which one?"))
            await expect(desk.locator(".item.in")).to_have_count(2)
            await expect(desk.locator(".item.in").last).to_contain_text("Splendid, which one?")
            await desk.get_by_role("button", name="Resolve", exact=True).click()
            [contact] = [one for one in house.daemon.contacts() if one["subject"] == "Where did my trunk go?"]
            assert [one["direction"] for one in contact["messages"]] == ["in", "out", "in"]
    finally:
        listening.close()


async def test_the_desk_says_that_usherd_only_looks_on(onlooker: House, page: Page) -> None:
    """In shadow mode each page of the desk says that nothing is sent; switched to live, it no longer does, unasked."""
    await page.goto(onlooker.daemon.ask("/v1/links", "POST", json={"agent": "ana"})["url"])
    notice = page.get_by_role("note")
    await expect(notice).to_contain_text("Shadow mode")
    for place in ("queue", "search"):
        await page.goto(f"{onlooker.url}/desk#/{place}")
        await expect(notice).to_be_visible()
    path = onlooker.daemon.config / "workspace.yaml"
    path.write_text(path.read_text().replace("mode: shadow\n", ""))
    await expect(notice).to_be_hidden()
    await expect(page.locator(".lists .empty:visible")).to_contain_text("Choose Available")
