"""The chat against the whole daemon: durable before acknowledged, whatever dies in between; forms go on by mail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import functools
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.shell.outbox import SENDERS_MAX
from router.shell.store.embedded import free_port
from tests.fakes.scripted_smtp import ScriptedSmtp
from tests.support.chat_workspace import Visitor, write_workspace
from tests.support.daemons import RunningDaemon, until

pytestmark = pytest.mark.timeout(600)


class House:
    """A running daemon with a chat, and Ana's hands at her desk."""

    def __init__(self, folder: Path) -> None:
        self.mail_port = free_port("127.0.0.1")
        config = write_workspace(folder / "config", send_port=self.mail_port, port=free_port("127.0.0.1"))
        self.daemon = RunningDaemon(config, folder / "data")
        self._keys = 0
        self._client: httpx.Client | None = None

    @property
    def url(self) -> str:
        """Where it is, before and after a restart."""
        return f"http://{self.daemon.http[0]}:{self.daemon.http[1]}"

    def ana(self, action: str, **fields: object) -> dict[str, Any]:
        """Ana does something at her desk."""
        if self._client is None:
            link = self.daemon.ask("/v1/links", "POST", json={"agent": "ana"})["url"]
            self._client = httpx.Client(base_url=self.url, headers={"X-Usherd-Desk": "1"}, timeout=60)
            self._client.post("/desk/session", json={"link": link.partition("#link=")[2]}).raise_for_status()
        self._keys += 1
        asked = {"action": action, "key": f"key-{self._keys}", "fields": fields}
        answer: dict[str, Any] = self._client.post("/desk/api/act", json=asked).raise_for_status().json()
        assert answer["ok"], answer
        return answer

    def close(self) -> None:
        """Ana goes home, and the daemon ends."""
        if self._client is not None:
            self._client.close()
        self.daemon.stop()

    def contact_of(self, external: str) -> dict[str, Any]:
        """The contact that holds the message with this client id; {} while there is none."""
        for contact in self.daemon.contacts():
            if any(message["external_id"] == external for message in contact["messages"]):
                return contact
        return {}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this module; each has visitors of its own."""
    made = House(tmp_path_factory.mktemp("chat"))
    made.daemon.start()
    try:
        yield made
    finally:
        made.close()


async def written(house: House, client: str) -> dict[str, Any]:
    """The contact of a message, once it is there."""
    return await until(lambda: house.contact_of(client))


async def test_a_conversation(house: House) -> None:
    """Words open one contact on the desk, the answer comes back, the next words join; then it is delivered and done."""
    async with Visitor(house.url) as visitor:
        await visitor.write("talk-0001", "I want my money back, please refund my order", name="Kim")
        contact = await written(house, "talk-0001")
        assert (contact["channel"], contact["kind"]) == ("webchat", "chat")
        await asyncio.to_thread(house.ana, "take", contact=contact["id"])
        await asyncio.to_thread(house.ana, "note", contact=contact["id"], text="A regular")
        await asyncio.to_thread(house.ana, "reply", contact=contact["id"], text="It leaves <b>today</b>.")
        item = await visitor.item("It leaves <b>today</b>.")
        assert item["who"] == "Ana"
        await visitor.write("talk-0002", "Thank you")
        again = await written(house, "talk-0002")
        assert again["id"] == contact["id"]
        found = {message["direction"]: message["delivery"] for message in again["messages"]}
        assert found == {"in": None, "note": None, "out": "sent"}
        await asyncio.to_thread(house.ana, "resolve", contact=contact["id"])
        assert (await visitor.frame("standing", standing={"state": "closed", "who": "", "online": False}))["type"]
        await visitor.write("talk-0003", "Something else")
        assert (await written(house, "talk-0003"))["id"] != contact["id"]
        assert "regular" not in str(visitor.frames)


async def test_what_is_acknowledged_survives_a_kill_at_once(house: House) -> None:
    """After `kill -9` right upon `stored` the message is there; the widget resumes, sends the rest, none is doubled."""
    async with Visitor(house.url) as visitor:
        first = await visitor.write("kill-0001", "Before the crash")
        await asyncio.to_thread(house.daemon.kill)
    await asyncio.to_thread(house.daemon.start)
    async with Visitor(house.url, held=visitor.held) as again:
        assert (await again.item("Before the crash"))["id"] == first
        assert await again.write("kill-0001", "Before the crash") == first
        await again.write("kill-0002", "After the crash")
        contact = await written(house, "kill-0002")
    assert [message["external_id"] for message in contact["messages"]] == ["kill-0001", "kill-0002"]


async def test_while_the_store_is_down_nothing_is_acknowledged(house: House) -> None:
    """With the store dead a message is refused for now or not answered; sent again, it is stored once and in order."""
    async with Visitor(house.url) as visitor:
        await visitor.write("down-0001", "one")
        await asyncio.to_thread(house.daemon.kill_store)
        await visitor.say(type="say", client="down-0002", text="two")
        for _ in range(60):  # as the widget does
            got = await _first_of(visitor, "down-0002")
            if got["type"] == "stored":
                break
            assert got["retry"] is not None
            await asyncio.sleep(0.5)
            await visitor.say(type="say", client="down-0002", text="two")
        else:
            pytest.fail("the store never came back")
        await visitor.write("down-0003", "three")
        contact = await written(house, "down-0003")
    texts = [message["external_id"] for message in contact["messages"]]
    assert texts == ["down-0001", "down-0002", "down-0003"]


async def _first_of(visitor: Visitor, client: str) -> dict[str, Any]:
    """What the server says of a message: stored or refused."""
    while True:
        for kind in ("stored", "refused"):
            for number, one in enumerate(visitor.frames):
                if one["type"] == kind and one["client"] == client:
                    return visitor.frames.pop(number)
        visitor.frames.append(await visitor.next())


async def test_a_form_goes_on_by_mail(house: House) -> None:
    """What is left with an address is answered by mail from it; the mailed answer joins the same contact."""
    server = ScriptedSmtp()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", house.mail_port)
    try:
        async with Visitor(house.url) as visitor:
            await visitor.say(type="leave", client="form-0001", email="kim@example.org", text="Where is my suitcase?")
            stored = await visitor.frame("stored", client="form-0001")
        contact = await until(lambda: _holding(house, stored["id"]))
        assert (contact["channel"], contact["kind"]) == ("email", "email")
        await asyncio.to_thread(house.ana, "take", contact=contact["id"])
        await asyncio.to_thread(house.ana, "reply", contact=contact["id"], text="In Lisbon.")
        await until(lambda: server.bodies)
        mail = _read(server.bodies[0])
        assert mail["To"] == "kim@example.org"
        assert mail["Subject"] == "Re: Where is my suitcase?"
        assert "In Lisbon." in mail.get_content()
        await asyncio.to_thread(_answer, house.daemon.smtp, mail)
        joined = await until(lambda: _grown(house, contact["id"], 3))
        assert [message["direction"] for message in joined["messages"]] == ["in", "out", "in"]
        async with Visitor(house.url, held=visitor.held) as again:
            assert (await again.frame("items"))["items"] == []  # an address that nobody has proven shows nothing
    finally:
        listening.close()


async def test_a_mail_server_that_hangs_holds_up_no_chat(house: House) -> None:
    """With more answers stuck at the mail server than may be sent at once, an answer in the chat arrives."""
    server = ScriptedSmtp()
    server.hold.clear()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", house.mail_port)
    try:
        async with Visitor(house.url) as visitor:
            for number in range(6):
                client = f"hang-000{number}"
                await visitor.say(type="leave", client=client, email=f"kim{number}@example.net", text=f"Bag {number}?")
                stored = (await visitor.frame("stored", client=client))["id"]
                contact = (await until(functools.partial(_holding, house, stored)))["id"]
                await asyncio.to_thread(house.ana, "take", contact=contact)
                await asyncio.to_thread(house.ana, "reply", contact=contact, text="It is here.")
            await until(lambda: server.open_most >= SENDERS_MAX)
            await visitor.write("hang-1000", "And mine?")
            contact = (await written(house, "hang-1000"))["id"]
            await asyncio.to_thread(house.ana, "take", contact=contact)
            await asyncio.to_thread(house.ana, "reply", contact=contact, text="Yours as well.")
            await visitor.item("Yours as well.")
            assert server.open == SENDERS_MAX
        server.hold.set()
        await until(lambda: len(server.bodies) == 6)
    finally:
        server.hold.set()
        listening.close()


async def test_a_large_file_is_kept_whole(house: House) -> None:
    """A file of some megabytes, which the store keeps beside itself, comes back to visitor and agent byte by byte."""
    content = bytes(range(256)) * 20_000
    async with Visitor(house.url) as visitor, httpx.AsyncClient(base_url=house.url, timeout=60) as client:
        headers = {"Authorization": f"Bearer {visitor.held}"}
        sent = {**headers, "Origin": house.url, "X-Chat-Client": "file-0001", "X-Chat-Name": "tickets.pdf"}
        answer = await client.post("/chat/files", content=content, headers=sent)
        assert answer.status_code == 202
        contact = await written(house, "file-0001")
        fetched = await client.get(f"/chat/files/{answer.json()['id']}/0", headers=headers)
        assert fetched.content == content
    agent = await asyncio.to_thread(_agents_copy, house, contact["id"], answer.json()["id"])
    assert agent.content == content
    assert agent.headers["content-disposition"].startswith('attachment; filename="tickets.pdf"')


async def test_an_agents_file_outlives_a_crash(house: House) -> None:
    """A file that Ana sends reaches the visitor by a link, byte by byte, also after `kill -9` and a new start."""
    content = bytes(range(256)) * 20_000
    async with Visitor(house.url) as visitor:
        await visitor.write("wait-0001", "Where is my suitcase? Send me the form, please")
        contact = (await written(house, "wait-0001"))["id"]
        await asyncio.to_thread(house.ana, "take", contact=contact)
        kept = await asyncio.to_thread(_attached, house, contact, content)
        await asyncio.to_thread(house.ana, "reply", contact=contact, text="Here is the form.", files=[kept])
        item = await visitor.item("Here is the form.")
        assert item["files"] == [{"part": 0, "name": "form ü.pdf", "size": len(content)}]
        assert await _linked(house, visitor, item["id"]) == content
    await asyncio.to_thread(house.daemon.kill)
    await asyncio.to_thread(house.daemon.start)
    assert await _linked(house, visitor, item["id"]) == content


def _attached(house: House, contact: str, content: bytes) -> str:
    client = house._client  # noqa: SLF001  # Ana's own session
    assert client is not None
    headers = {"X-File-Name": "..%2Fform%20%C3%BC.pdf", "Content-Type": "application/pdf"}
    answer = client.post(f"/desk/api/contacts/{contact}/files", content=content, headers=headers)
    assert answer.status_code == 202
    kept: str = answer.json()["id"]
    return kept


async def _linked(house: House, visitor: Visitor, message: str) -> bytes:
    async with httpx.AsyncClient(base_url=house.url, timeout=60) as client:
        headers = {"Authorization": f"Bearer {visitor.held}", "Origin": house.url}
        answer = await client.post(f"/chat/links/{message}/0", headers=headers)
        return (await client.get(answer.raise_for_status().json()["url"])).raise_for_status().content


def _agents_copy(house: House, contact: str, message: str) -> httpx.Response:
    house.ana("take", contact=contact)
    client = house._client  # noqa: SLF001  # Ana's own session
    assert client is not None
    return client.get(f"/desk/api/contacts/{contact}/messages/{message}/files/0")


def _holding(house: House, message: str) -> dict[str, Any]:
    for contact in house.daemon.contacts():
        if any(one["id"] == message for one in contact["messages"]):
            return contact
    return {}


def _grown(house: House, contact: str, messages: int) -> dict[str, Any]:
    found = next(one for one in house.daemon.contacts() if one["id"] == contact)
    return found if len(found["messages"]) == messages else {}


def _read(body: bytes) -> EmailMessage:
    mail = email.message_from_bytes(body, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def _answer(smtp: tuple[str, int], mail: EmailMessage) -> None:
    """Kim answers with a mail program."""
    answer = EmailMessage()
    answer["From"], answer["To"] = "Kim <kim@example.org>", str(mail["Reply-To"])
    answer["Subject"], answer["Message-ID"] = "Re: Where is my suitcase?", "<kim-1@example.org>"
    answer["Date"] = "Sun, 22 Nov 2026 10:00:00 +0000"
    answer.set_content("Thank you!")
    with smtplib.SMTP(*smtp, timeout=60) as client:
        client.send_message(answer)
