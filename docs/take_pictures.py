"""Take the pictures that the documents show: `python -m docs.take_pictures`, with Debian's chromium and emoji.

`desk`, `chat` or `slack` after it takes only those.

The demo's workspace, mail, page and daemon; one agent, whose day is acted out here so that the pictures are the same
each time, and a visitor who chats with her. Pictures are of 256 colours, so that each stays under 150 kB.
"""

from __future__ import annotations

import asyncio
import email.policy
import io
import itertools
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import make_msgid
from importlib.resources import as_file, files
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, FloatRect, Page, async_playwright

from channels.slack.manifest import manifest
from router.app.daemon import Daemon
from router.app.demo import join_slack, lay_out, sign_in
from router.app.demo_people import Customers, Sink
from router.core.state import Contact
from router.core.transitions import DeliveryState
from router.shell.clock import wall_ms
from router.sim.slack import FakeSlack
from router.sim.slack import Message as SlackMessage
from skills.workspace import load

IMAGES = Path(__file__).parent / "images"
AGENT = "ines"
LEAD = "andres"
WIDTH, HEIGHT, SCALE = 1280, 800, 1.25
SLACK_SIZE = 1240, 860
CHAT_SIZE = 900, 640
COLOURS = 256
PICTURE_BYTES_MAX = 150_000
PATIENCE = 60.0  # seconds
SHOWN = "baggage-broken-photos.eml"
OTHERS = ("refund-cancelled-flight.eml", "checkin-seats-together.eml", "mascota-gata-jaula-vacia.eml")
ANSWERED = "milhas-nao-creditadas.eml"
SNOOZED = "booking-group-ics.eml"
OFFERED = ("pet-dog-not-arrived.eml",)
REPLY = (
    "Dear {name},\n\n"
    "I am sorry about your suitcase. Please keep the tag on it and do not have it repaired yet: I have filed the "
    "damage report from your photos, so you need not come to the airport.\n\n"
    "Would you like us to have it collected, or to be paid its value?\n\n"
    "Kind regards,\nInês Carvalho"
)
NOTE = (
    "The photos show the wheel torn off at the frame: that is beyond repair. Value under 400 euros, no approval needed."
)
ANSWER = "Thank you for the quick answer! I would rather be paid its value. Do you need my bank details?"

VISITOR = "Hello! My suitcase did not arrive with flight AB 123. What do I do?"
TO_VISITOR = "Good morning! It is still in Lisbon and comes with the next flight. Where may we bring it?"


FROM_SLACK = "Hello! One of our travellers has no suitcase after flight AB 123. Could you find out where it is?"
TO_SLACK = "Good morning, Cara! It is still in Lisbon and comes with the next flight. Where may we bring it?"
CHOICES = ("desk", "chat", "slack")


class Stage:
    """A daemon with the demo's workspace, one agent at her desk, and a sink for what she sends."""

    def __init__(self, daemon: Daemon, sink: Sink, mails: dict[str, Path]) -> None:
        self.daemon = daemon
        self._sink = sink
        self._mails = mails
        self._customers = Customers(daemon, sink, [*mails.values()], random.Random(1))  # noqa: S311  # a story
        self._keys = itertools.count()

    async def act(self, action: str, agent: str = AGENT, **fields: object) -> None:
        """Do something as an agent."""
        outcome = await self.daemon.commands.act(agent, action, fields, f"picture-{next(self._keys)}")
        if not outcome.ok:
            raise RuntimeError(f"{action} was refused: {outcome.code} {outcome.detail}")

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not true():  # noqa: ASYNC110  # what it waits for has no event
                await asyncio.sleep(0.02)

    async def write(self, name: str) -> Contact:
        """Have a mail of the sample sent; gives its contact, once it is offered to the agent."""
        state = self.daemon.live.state
        known = set(state.contacts)
        await self._customers.send(self._mails[name].read_bytes(), name)
        await self.until(lambda: any(one not in known and state.contacts[one].offer for one in state.contacts))
        return state.contacts[next(one for one in state.contacts if one not in known)]

    async def owned(self, name: str) -> Contact:
        """The contact of a mail of the sample, accepted."""
        contact = await self.write(name)
        if contact.offer is None or contact.offer.agent != AGENT:
            raise RuntimeError(f"{name} was not offered to {AGENT}")
        await self.act("accept", contact=contact.id, offer=contact.offer.id)
        return contact

    async def reply(self, contact: Contact, text: str) -> bytes:
        """Answer, and wait until it is delivered; gives the mail."""
        before = len(self._sink.received)
        await self.act("reply", contact=contact.id, text=text)
        await self.until(lambda: len(self._sink.received) > before)
        await self.until(lambda: contact.messages[-1].delivery is DeliveryState.SENT)
        return self._sink.received[-1]

    async def answer(self, contact: Contact, raw: bytes, text: str) -> None:
        """The customer answers a mail of ours."""
        ours = BytesHeaderParser(policy=email.policy.default).parsebytes(raw)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = str(ours["To"]), str(ours["Reply-To"]), str(ours["Subject"])
        mail["Message-ID"] = make_msgid(domain="sample.example")
        mail["In-Reply-To"] = str(ours["Message-ID"])
        mail.set_content(text)
        count = len(contact.messages)
        await self._customers.send(mail.as_bytes(), "answer", recipient=str(ours["Reply-To"]).strip("<>"))
        await self.until(lambda: len(contact.messages) > count)


async def act_out(stage: Stage) -> str:
    """An agent's morning; gives the contact to show."""
    await stage.act("status", status="available")
    shown = await stage.owned(SHOWN)
    message = (await stage.daemon.vault.messages([shown.messages[0].id]))[shown.messages[0].id]
    sent = await stage.reply(shown, REPLY.format(name=message.from_.name.partition(" ")[0] or "customer"))
    await stage.act("note", contact=shown.id, text=NOTE)
    await stage.reply(await stage.owned(ANSWERED), "Obrigada! Já pedi a correção das milhas.\n\nInês Carvalho")
    snoozed = await stage.owned(SNOOZED)
    await stage.act("snooze", contact=snoozed.id, until=wall_ms() + 4 * 3_600_000)
    for name in OTHERS:
        await stage.owned(name)
    await stage.answer(shown, sent, ANSWER)
    for name in OFFERED:
        await stage.write(name)
    return shown.id


async def open_page(browser: Browser, width: int, height: int) -> Page:
    """A window in light colours, in which nothing moves."""
    context = await browser.new_context(
        locale="en-GB",
        viewport={"width": width, "height": height},
        device_scale_factor=SCALE,
        color_scheme="light",
        reduced_motion="reduce",
    )
    return await context.new_page()


async def keep(page: Page, path: Path, clip: FloatRect | None = None) -> None:
    """A picture of the page, or of a part of it, in 256 colours."""
    await page.wait_for_load_state("networkidle")
    write_small(await page.screenshot(clip=clip), path)


def write_small(taken: bytes, path: Path) -> None:
    """Write a picture in few colours; raises RuntimeError if it is large even so."""
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > PICTURE_BYTES_MAX:
        raise RuntimeError(f"{path.name} has {path.stat().st_size} bytes")


async def photograph_desk(stage: Stage, browser: Browser, contact: str, folder: Path) -> None:
    """The desk with the conversation as it stands; why it is hers; the overview; the wallboard."""
    page = await open_page(browser, WIDTH, HEIGHT)
    await page.goto(sign_in(stage.daemon, AGENT))
    await page.locator(f'a.row-link[data-contact="{contact}"]').first.wait_for()
    await page.evaluate(f"location.hash = '#/c/{contact}'")
    await page.get_by_text("rather be paid").first.wait_for()
    await page.locator("nav.lists").evaluate("list => { list.scrollTop = 0; }")
    await keep(page, folder / "desk.png")
    await page.get_by_role("button", name="Why me?").click()
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    box = await dialog.bounding_box()
    if box is None:
        raise RuntimeError("the dialog is not to be seen")
    margin = 24
    await keep(
        page,
        folder / "why.png",
        {
            "x": box["x"] - margin,
            "y": box["y"] - margin,
            "width": box["width"] + 2 * margin,
            "height": box["height"] + 2 * margin,
        },
    )
    lead = await open_page(browser, WIDTH, HEIGHT)
    await lead.goto(sign_in(stage.daemon, LEAD))
    await lead.get_by_role("link", name="Overview").click()
    await lead.locator("main .agents").first.wait_for()
    await keep(lead, folder / "overview.png")
    await lead.goto(f"{stage.daemon.url}/wall")
    await lead.get_by_role("heading", level=1).wait_for()
    await keep(lead, folder / "wall.png")


async def photograph_chat(stage: Stage, browser: Browser, folder: Path) -> None:
    """A visitor's chat, answered."""
    page = await open_page(browser, *CHAT_SIZE)
    await page.goto(f"{stage.daemon.url}/chat")
    await page.get_by_role("button", name="Open chat").click()
    state = stage.daemon.live.state
    known = set(state.contacts)
    await page.get_by_role("textbox").fill(VISITOR)
    await page.keyboard.press("Enter")
    await stage.until(lambda: any(one not in known and state.contacts[one].offer for one in state.contacts))
    contact = state.contacts[next(one for one in state.contacts if one not in known)]
    if contact.offer is None or contact.offer.agent != AGENT:
        raise RuntimeError("the chat was not offered to her")
    await stage.act("accept", contact=contact.id, offer=contact.offer.id)
    await stage.act("reply", contact=contact.id, text=TO_VISITOR)
    await page.locator(".bubble", has_text=TO_VISITOR[:20]).wait_for()
    await keep(page, folder / "chat.png")


async def photograph_slack(stage: Stage, slack: FakeSlack, browser: Browser, contact: str, folder: Path) -> None:
    """Ines in Slack: a contact in its thread, a window, her Home; and what a customer sees in a shared channel."""
    ines, cara = slack.user(AGENT), slack.user("cara")
    subject = (await stage.daemon.vault.messages([stage.daemon.live.state.contacts[contact].messages[0].id])).popitem()

    def cards(*words: str) -> list[SlackMessage]:
        return [one for one in ines.sees() if not one.thread_ts and all(word in one.said for word in words)]

    await stage.until(lambda: any("rather be paid" in one.said for one in ines.sees()))
    held = stage.daemon.live.state.agents[AGENT]
    await stage.until(lambda: len(cards()) == len({*held.held, *held.parked}))
    shown = cards(subject[1].subject)[-1]
    shop = next(one for one in slack.space.channels.values() if cara.id in one.members and one.kind == "channel")
    page = await open_page(browser, *SLACK_SIZE)
    await page.goto(f"{slack.page_url}?as={AGENT}&at={ines.dm.id}&thread={shown.ts}")
    thread = page.get_by_role("complementary", name="Thread")
    await thread.get_by_text("rather be paid").last.wait_for()
    await thread.get_by_role("button", name="Resolve").first.scroll_into_view_if_needed()
    await keep(page, folder / "slack-card.png")
    await thread.get_by_role("button", name="Transfer").first.click()
    window = page.get_by_role("dialog")
    await window.get_by_role("combobox").select_option(label="Whoever is best")
    await window.get_by_role("textbox").fill("Wants the value, not the repair. The photos are in the thread.")
    await keep(page, folder / "slack-modal.png")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Home").click()
    await page.get_by_text("Skills").first.wait_for()
    await keep(page, folder / "slack-home.png")
    asked = await cara.writes(FROM_SLACK, channel=shop)
    await stage.until(lambda: bool(cards("Cara Cruz", "Offered to you")))
    await ines.clicks(cards("Cara Cruz")[-1], "usherd.accept")
    await stage.until(lambda: bool(cards("Cara Cruz", "Write in this thread")))
    await ines.writes(TO_SLACK, thread=cards("Cara Cruz")[-1])
    await stage.until(lambda: len(cara.thread(asked)) > 1)
    await page.goto(f"{slack.page_url}?as=cara&at={shop.id}&thread={asked.ts}")
    await thread.get_by_text("still in Lisbon").wait_for()
    await keep(page, folder / "slack-customer.png")


async def take(folder: Path, wanted: frozenset[str] = frozenset(CHOICES)) -> None:
    """Pictures, into a folder."""
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usherd-pictures-")))
        mails = stack.enter_context(as_file(files("router.sim") / "sample" / "mails"))
        sink = Sink()
        config = lay_out(place / "config", await sink.start(), fixed_ports=False)
        stack.push_async_callback(sink.stop)
        workspace = config / "workspace.yaml"
        workspace.write_text(workspace.read_text().replace("email: 12s", "email: 10m"))
        slack = await stack.enter_async_context(FakeSlack(manifest()))
        if "slack" in wanted:
            join_slack(config, slack)
        daemon = Daemon(load(config), place / "data")
        await daemon.start()
        try:
            stage = Stage(daemon, sink, {path.name: path for path in sorted(mails.glob("*.eml"))})
            contact = await act_out(stage)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
                )
                if "desk" in wanted:
                    await photograph_desk(stage, browser, contact, folder)
                if "chat" in wanted:
                    await photograph_chat(stage, browser, folder)
                if "slack" in wanted:
                    await photograph_slack(stage, slack, browser, contact, folder)
                await browser.close()
        finally:
            await daemon.stop()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    asyncio.run(take(IMAGES, frozenset(sys.argv[1:] or CHOICES)))
