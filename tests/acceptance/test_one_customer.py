"""One customer by mail, then in the chat by a signed link, then on Telegram: one history, answers where last used."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from router.app.webhooks import signature
from tests.acceptance.desk_client import DeskClient, Json
from tests.fakes.scripted_smtp import ScriptedSmtp, listening
from tests.fakes.telegram.server import FakeTelegram
from tests.fakes.telegram.world import TOKEN
from tests.support.chat_workspace import Visitor
from tests.support.daemons import RunningDaemon, until
from tests.support.hook_program import Program
from tests.support.smtp_peer import connected

CRM = "a secret of the crm"
pytestmark = pytest.mark.timeout(600)
WORKSPACE = """
workspace: acme-air
languages: [en, es]
agents:
  ana: {{name: Ana Souza, skills: {{lang:en: 5, lang:es: 5}}, capacity: {{email: 20, chat: 20, messaging: 20}}}}
  ben: {{name: Ben Okoye, skills: {{lang:en: 5, lang:es: 5}}, capacity: {{email: 20, chat: 20, messaging: 20}}}}
teams: {{triage: {{members: [ana, ben]}}}}
offers: {{accept_within: {{messaging: 10m, email: 10m, chat: 10m}}}}
csat: {{question: {{en: "Was it all right?"}}}}
customers:
  tiers: {{gold: {{priority: high}}}}
  lookup: {{url: "{crm}", secret: "${{CRM_SECRET}}", wait: 2s}}
  invite:
    en: |
      Go on in our chat: {{chat}}
      or on Telegram: {{telegram}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: {port}, tls: none}}
  webchat: {{page: "https://acme.example/help"}}
  telegram: {{token: "${{TELEGRAM_TOKEN}}", api: "{api}"}}
web: {{listen: "127.0.0.1:0"}}
"""


class House:
    """A daemon, the mail server that takes its answers, Telegram, and a program that knows tiers."""

    def __init__(self, daemon: RunningDaemon, mta: ScriptedSmtp, telegram: FakeTelegram, crm: Program) -> None:
        self.daemon = daemon
        self.mta = mta
        self.crm = crm
        self.world = telegram.world

    @property
    def url(self) -> str:
        """Where the daemon's web is."""
        return f"http://{self.daemon.http[0]}:{self.daemon.http[1]}"

    async def mail(self, sender: str, subject: str, text: str, **headers: str) -> None:
        """Somebody writes a mail."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        raw = f"From: {sender}\r\nTo: help@acme.example\r\nSubject: {subject}\r\n{more}\r\n{text}\r\n"
        async with connected(self.daemon.smtp) as peer:
            assert (await peer.mail(raw.encode())).startswith("250")

    async def answers(self, count: int) -> list[str]:
        """The texts of so many mails that were sent, once they are."""
        await until(lambda: len(self.mta.bodies) >= count)
        mails = (message_from_bytes(raw.replace(b"\r\n..", b"\r\n."), policy=policy.default) for raw in self.mta.bodies)
        return [str(one.get_body(("plain",)).get_content()) for one in mails]  # type: ignore[union-attr]

    async def contact(self, **wanted: object) -> Json:
        """The contact with these values, once there is one."""

        def look() -> Json:
            known = self.daemon.contacts()
            return next((one for one in known if all(one[key] == value for key, value in wanted.items())), {})

        return await until(look)

    async def desk(self, agent: str) -> DeskClient:
        """An agent at their desk; the caller closes it."""
        link = await asyncio.to_thread(self.daemon.ask, "/v1/links", "POST", json={"agent": agent})
        desk = DeskClient(agent, self.url)
        assert (await desk.enter(link["url"].partition("#link=")[2])).status_code == 200
        return desk


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """All of it, for one test."""
    mta = ScriptedSmtp()
    with FakeTelegram().running() as fake, Program().running() as crm:
        async with listening(mta) as port:
            (tmp_path / "config").mkdir()
            text = WORKSPACE.format(port=port, api=fake.url, crm=crm.url)
            (tmp_path / "config" / "workspace.yaml").write_text(text)
            daemon = RunningDaemon(tmp_path / "config", tmp_path / "data", TELEGRAM_TOKEN=TOKEN, CRM_SECRET=CRM)
            await asyncio.to_thread(daemon.start)
            try:
                yield House(daemon, mta, fake, crm)
            finally:
                await asyncio.to_thread(daemon.stop)


async def test_one_customer_on_three_channels(house: House) -> None:
    """The same contact and agent throughout, each answer by the channel last used; who only quotes ids gets nothing."""
    desk = await house.desk("ana")
    house.world.write(house.world.person("Bob"), "Hello?")  # once he is heard, the bot knows its own name
    await house.contact(channel="telegram")
    try:
        await house.mail("ada@customer.example", "My order", "Where is it?", Message_ID="<1@customer.example>")
        contact = (await house.contact(channel="email"))["id"]
        await desk.act("take", contact=contact)
        await desk.act("reply", contact=contact, text="On its way.")
        [text] = await house.answers(1)
        chat = re.search(r"https://acme\.example/help#usherd=([\w-]{54})", text)
        start = re.search(r"https://t\.me/acmehelpbot\?start=([\w-]{54})", text)
        assert chat is not None
        assert start is not None

        async with Visitor(house.url) as visitor:
            await visitor.say(type="say", client="first-words-1", text="Is it here?", name="Ada", proof=chat[1])
            await visitor.frame("stored", client="first-words-1")
            card = await desk.card_when(contact, lambda one: len(one["items"]) == 3, "the visitor's words")
            assert card["replies_line"] == "A reply appears in the visitor's chat."
            assert [one["how"] for one in card["links"]] == [
                "They came by a signed link that we had sent to the other address."
            ]
            await desk.act("reply", contact=contact, text="Nearly there.")
            assert (await visitor.item("Nearly there."))["who"] == "Ana"

            ada = house.world.person("Ada")
            house.world.write(ada, f"/start {start[1]}")
            house.world.write(ada, "And now?")
            card = await desk.card_when(
                contact, lambda one: one["items"][-1]["text"] == "And now?", "words on Telegram"
            )
            assert card["replies_line"] == "A reply goes to the customer on Telegram."
            await desk.act("reply", contact=contact, text="It is here.")
            await until(lambda: "It is here." in house.world.sent_to(ada))

            await somebody_else(house, contact, chat[1], start[1])
            await visitor.say(type="say", client="last-words-22", text="Thank you!", name="Ada")
            await desk.card_when(contact, lambda one: one["items"][-1]["text"] == "Thank you!", "the last words")
        card = await desk.card(contact)
        assert [one["text"] for one in card["items"]] == [
            "Where is it?", "On its way.", "Is it here?", "Nearly there.", "And now?", "It is here.", "Thank you!",
        ]  # fmt: skip
        assert card["contact"]["by"] == "Ana Souza"
        assert len(await house.answers(1)) == 1
        await rated_on_each_channel(house, desk, contact, ada)
        await known_by_a_program(house)
        await all_of_one_customer(house, contact)
    finally:
        await desk.close()


async def somebody_else(house: House, contact: str, chat: str, start: str) -> None:
    """A stranger quotes the contact's id, and shows links that were used; they see and join nothing."""
    async with Visitor(house.url) as stranger:
        await stranger.say(type="say", client="stranger-words", text=f"About {contact}", name="Ada", proof=chat)
        await stranger.frame("stored", client="stranger-words")
        own = await house.contact(channel="webchat", state="waiting")
        assert own["id"] != contact
        shown = await stranger.item(f"About {contact}")
        assert shown["mine"]
        assert not any(one["type"] == "items" and len(one["items"]) > 1 for one in stranger.frames)
    eve = house.world.person("Eve")
    house.world.write(eve, f"/start {start}")
    house.world.write(eve, f"My contact is {contact}")
    await house.mail("eve@customer.example", f"Re: {contact}", f"It is {contact}", In_Reply_To="<1@customer.example>")

    def strangers() -> list[Json]:
        return [one for one in house.daemon.contacts() if one["id"] != contact]

    await until(lambda: len(strangers()) == 4)
    await until(lambda: house.world.sent_to(eve))
    assert len(house.world.sent_to(eve)) == 1  # the greeting alone


async def rated_on_each_channel(house: House, desk: DeskClient, contact: str, ada: Json) -> None:
    """One question once it is resolved, where the customer wrote last; other customers by mail and on Telegram."""
    await desk.act("resolve", contact=contact)  # it ended in the chat, whose widget has buttons of its own
    await desk.card_when(contact, lambda one: one["items"][-1]["delivery"] == "sent", "the question in the chat")
    assert (await desk.card(contact))["items"][-1]["text"] == "Was it all right?"

    await house.mail("bea@customer.example", "My bag", "Where is it?", Message_ID="<2@customer.example>")
    by_mail = (await house.contact(subject="My bag"))["id"]
    await desk.act("take", contact=by_mail)
    await desk.act("reply", contact=by_mail, text="Here.", resolve=True)
    await until(lambda: any(b"/rate/" in body for body in house.mta.bodies))
    link = re.search(r"Very good: http://[^/]+(/rate/\S+)\?score=5", (await house.answers(3))[-1])
    assert link is not None
    async with httpx.AsyncClient(base_url=house.url) as browser:
        assert "Was it all right?" in (await browser.get(link[1])).text
        assert (await browser.post(link[1], content=b"score=2")).status_code == 200
    await desk.card_when(by_mail, lambda one: one["score"] == 2, "the answer by mail")

    carl = house.world.person("Carl")
    house.world.write(carl, "Hello!")
    other = (await house.contact(subject="Hello!"))["id"]
    await desk.act("take", contact=other)
    await desk.act("reply", contact=other, text="Hello.", resolve=True)
    await until(lambda: any("reply_markup" in one for one in house.world.sent))
    asked = next(one for one in house.world.sent if "reply_markup" in one)
    query = house.world.press(carl, asked, "Good")
    await desk.card_when(other, lambda one: one["score"] == 4, "the answer on Telegram")
    await until(lambda: house.world.pressed[query])
    house.world.press(ada, asked, "Very bad")  # somebody else's question, forwarded: nothing comes of it
    found = await asyncio.to_thread(house.daemon.ask, "/v1/reports/service")
    assert (found["asked"], found["scores"]) == (3, [0, 1, 0, 1, 0])
    text = await asyncio.to_thread(house.daemon.usherd, "report", "--data", str(house.daemon.data), "--format", "csv")
    assert (text.returncode, text.stdout.partition(",")[0]) == (0, "of")


async def known_by_a_program(house: House) -> None:
    """The admin's program is asked about who writes, signed, and its word decides the priority of what they open.

    On a machine too slow for the wait that is allowed, that of the contact after it.
    """
    house.crm.answer = b'{"tier": "gold"}'
    found: Json = {}
    for number in range(20):
        await house.mail("gil@customer.example", f"Golden {number}", "Hello?", Message_ID=f"<g{number}@x.example>")
        found = await house.contact(subject=f"Golden {number}")
        if found["priority"] == "high":
            break
    assert found["priority"] == "high"
    asked = [one for one in house.crm.requests if b"gil@customer.example" in one[1]]
    for headers, body in asked:
        seconds = int(headers["Usherd-Signature"].partition(",")[0].removeprefix("t="))
        assert headers["Usherd-Signature"] == signature(CRM, seconds, body)
        assert json.loads(body) == {"type": "customer.tier", "customer": "gil@customer.example"}
    assert asked
    assert not any(b"visitor:" in body for _, body in house.crm.requests)


async def all_of_one_customer(house: House, contact: str) -> None:
    """An export has what they said on every channel, an erasure by one address takes all of it."""
    data, folder = str(house.daemon.data), house.daemon.data.parent / "export"
    done = await asyncio.to_thread(house.daemon.usherd, "export", contact, "--data", data, "--to", str(folder))
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "customer.json").read_text("utf-8"))
    told = [one["text"] for one in found["messages"] if one["direction"] == "in" and one["text"]]
    assert [word.strip() for word in told if not word.startswith("/start")] == [
        "Where is it?", "Is it here?", "And now?", "Thank you!",
    ]  # fmt: skip
    assert len(found["links"]) == 2
    await asyncio.to_thread(
        house.daemon.ask, "/v1/customers/tier", "PUT", json={"customer": "ada@customer.example", "tier": "gold"}
    )
    erased = await asyncio.to_thread(
        house.daemon.ask, "/v1/erasures", "POST", json={"customer": "ada@customer.example"}
    )
    assert (erased["contacts"], erased["keys"]) == ([contact], 3)
    again = await asyncio.to_thread(house.daemon.usherd, "export", "ada@customer.example", "--data", data)
    assert again.returncode == 1
