"""Telegram from end to end: what a customer writes to a bot stands on the desk, and what the agent says comes back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from router.app.webhooks import signature
from tests.acceptance.desk_client import DeskClient
from tests.fakes.telegram.server import FakeTelegram, Fault
from tests.fakes.telegram.world import BOT, TOKEN, USERNAME, Json
from tests.support.daemons import until
from tests.support.hook_program import Program
from tests.support.telegram_house import CRM, House

pytestmark = pytest.mark.timeout(600)
JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 40


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this module; each has customers of its own."""
    with FakeTelegram().running() as fake, Program().running() as program:
        made = House(tmp_path_factory.mktemp("telegram"), fake, program)
        made.daemon.start()
        try:
            yield made
        finally:
            made.daemon.stop()


async def written(house: House, message: Json) -> Json:
    """The contact of a message, once it is there."""
    found: Json = await until(lambda: house.contact_of(message["chat"]["id"], message["message_id"]))
    return found


async def answered(desk: DeskClient, contact: str, text: str, **more: object) -> Json:
    """Ana answers; gives the item once Telegram has taken it, or has not."""
    await desk.act("reply", contact=contact, text=text, **more)

    def settled(card: Json) -> bool:
        return any(one["direction"] == "out" and one["delivery"] in {"sent", "failed"} for one in card["items"][-1:])

    card = await desk.card_when(contact, settled, "the delivery")
    found: Json = card["items"][-1]
    return found


async def test_a_conversation(house: House) -> None:
    """Words open one contact of kind messaging, the answer comes back marked delivered, the next words join."""
    world = house.fake.world
    ada = world.person("Ada", "es", last="Byron", username="ada")
    first = world.write(ada, "Quiero mi dinero de vuelta, por favor 🙏")
    contact = await written(house, first)
    assert (contact["channel"], contact["kind"]) == ("telegram", "messaging")
    assert contact["topics"][0]["topic"] == "refund"
    async with house.ana() as desk:
        await desk.act("take", contact=contact["id"])
        card = await desk.card(contact["id"])
        assert card["items"][0]["who"] == "Ada Byron (@ada)"
        assert card["replies_line"] == "A reply goes to the customer on Telegram."
        item = await answered(desk, contact["id"], "Sale <b>hoy</b> & mañana.")
    assert (item["delivery"], item["delivery_text"]) == ("sent", "delivered")
    assert world.sent_to(ada) == ["Sale <b>hoy</b> & mañana."]
    again = world.write(ada, "Gracias")
    assert (await written(house, again))["id"] == contact["id"]


async def test_a_program_is_told_of_it(house: House) -> None:
    """A program hears by signed webhooks that a contact opened, whose it is and how its answer fared; no word of it."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    contact = (await written(house, world.write(ada, "My refund, confidentially")))["id"]
    async with house.ana() as desk:
        await desk.act("take", contact=contact)
        await answered(desk, contact, "Confidentially: yes.", resolve=True)
    await until(lambda: len(house.program.told(contact)) == 5)
    told = [one["type"] for one in house.program.told(contact)]
    assert told[:3] == ["contact.opened", "message.received", "contact.assigned"]
    assert sorted(told[3:]) == ["contact.resolved", "message.delivered"]
    for headers, body in house.program.requests:
        seconds = int(headers["Usherd-Signature"].partition(",")[0].removeprefix("t="))
        assert headers["Usherd-Signature"] == signature(CRM, seconds, body)
        assert b"onfidential" not in body


async def test_an_album_stands_on_the_desk_as_one_message(house: House) -> None:
    """Three photos sent as one are one message with three files, whose bytes the agent gets; an answer has a file."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    pictures = [JPEG + str(n).encode() for n in range(3)]
    posted = world.album(ada, [world.picture(one) for one in pictures], "My suitcase, broken")
    contact = await written(house, posted[0])
    assert len(contact["messages"]) == 1
    async with house.ana() as desk:
        await desk.act("take", contact=contact["id"])
        item = (await desk.card(contact["id"]))["items"][0]
        assert (item["text"], [file["size"] for file in item["files"]]) == ("My suitcase, broken", [len(JPEG) + 1] * 3)
        got = [await desk.file(contact["id"], item["id"], file["part"]) for file in item["files"]]
        assert got == pictures
        enclosed = await desk.enclose(contact["id"], "label.pdf", b"%PDF-1.4 label", "application/pdf")
        await answered(desk, contact["id"], "Print this.", files=[enclosed])
    sent = world.sent[-1]
    assert (sent["caption"], sent["document"]["file_name"]) == ("Print this.", "label.pdf")
    assert world.files[sent["document"]["file_id"]] == b"%PDF-1.4 label"


async def test_an_edit_stands_beside_what_it_changes(house: House) -> None:
    """An edit joins the contact of its message, also after that was resolved; both wordings say what they are."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    posted = world.write(ada, "Refund order 1182")
    contact = (await written(house, posted))["id"]
    async with house.ana() as desk:
        await desk.act("take", contact=contact)
        await desk.act("resolve", contact=contact)
        world.edit(posted, "Refund order 1183")
        card = await desk.card_when(contact, lambda card: len(card["items"]) == 2, "the edit")
    old, new = card["items"]
    assert (old["text"], new["text"], new["quoted"]) == ("Refund order 1182", "Refund order 1183", "Refund order 1182")
    assert ("later" in old["warnings"][-1], "Worded anew" in new["warnings"][-1]) == (True, True)
    assert card["contact"]["state"] != "resolved"


async def test_a_group_is_answered_in_the_group(house: House) -> None:
    """A mention in a group opens a contact apart from the writer's private one; the answer is a reply in the group."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    group = world.group("Travellers")
    private = world.write(ada, "My refund, in private")
    named = world.write(ada, f"@{USERNAME} where is my suitcase?", chat=group)
    contact = await written(house, named)
    assert contact["id"] != (await written(house, private))["id"]
    async with house.ana() as desk:
        await desk.act("take", contact=contact["id"])
        card = await desk.card(contact["id"])
        assert card["replies_line"] == "A reply goes to the group on Telegram: everybody there reads it."
        await answered(desk, contact["id"], "At the desk.")
    [sent] = [one for one in world.sent if one["chat"]["id"] == group["id"]]
    assert (sent["text"], sent["reply_to_message"]["message_id"]) == ("At the desk.", named["message_id"])
    assert world.sent_to(ada) == []


async def test_who_blocked_the_bot_is_not_reached_and_the_agent_is_told(house: House) -> None:
    """403 fails the answer at once: its mark and the card say so, and the contact is in the agent's court again."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    contact = (await written(house, world.write(ada, "My refund?")))["id"]
    async with house.ana() as desk:
        await desk.act("take", contact=contact)
        world.blocked.add(ada["id"])
        item = await answered(desk, contact, "It is on its way.")
        assert item["delivery"] == "failed"
        card = await desk.card_when(contact, lambda card: bool(card["banners"]), "the banner")
        assert "blocked the bot" in card["banners"][-1]["text"]
        await desk.until_in(contact, "open")


async def test_busy_telegram_delays_an_answer_and_loses_none(house: House) -> None:
    """429 and a lost connection before anything was sent only delay the answer; it arrives once."""
    world, ada = house.fake.world, house.fake.world.person("Ada")
    contact = (await written(house, world.write(ada, "My refund?")))["id"]
    house.fake.fail("sendMessage", Fault(429, "Too Many Requests", {"retry_after": 1}), Fault(502, "Bad Gateway"))
    async with house.ana() as desk:
        await desk.act("take", contact=contact)
        await answered(desk, contact, "Here it is.")
    assert world.sent_to(ada) == ["Here it is."]


async def test_typing_is_shown_and_start_is_greeted(house: House) -> None:
    """*Start* is greeted in the app's language and opens no contact; while the owner types the customer sees it."""
    world, ada = house.fake.world, house.fake.world.person("Ada", "es-MX")
    world.write(ada, "/start")
    await until(lambda: world.sent_to(ada))
    assert world.sent_to(ada)[0].startswith("¡Hola!")
    contact = (await written(house, world.write(ada, "Mi maleta?")))["id"]
    async with house.ana() as desk:
        await desk.act("take", contact=contact)
        await desk.shows(contact=contact, typing=True, reply=True)
        await until(lambda: ada["id"] in world.typing)
    mine = [one for one in house.daemon.contacts() if one["id"] == contact]
    assert [len(one["messages"]) for one in mine] == [1]


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(house: House) -> None:
    """After `kill -9` while updates come in each of them stands once; the token stands in no line of the log."""
    world = house.fake.world
    people = [world.person(f"Ada {n}") for n in range(40)]
    posted = [world.write(one, f"My refund {n}") for n, one in enumerate(people[:20])]
    await written(house, posted[0])
    await asyncio.to_thread(house.daemon.kill)
    posted += [world.write(one, f"My refund {n}") for n, one in enumerate(people[20:])]
    await asyncio.to_thread(house.daemon.start)
    await written(house, posted[-1])
    await until(lambda: not world.queue)
    found = [one["external_id"] for contact in house.daemon.contacts() for one in contact["messages"]]
    wanted = [f"telegram:{BOT}:{one['chat']['id']}:{one['message_id']}" for one in posted]
    assert [found.count(one) for one in wanted] == [1] * len(wanted)
    assert TOKEN.partition(":")[2].encode() not in house.daemon.log.read_bytes()


async def test_who_has_to_wait_is_told_their_place_once(house: House) -> None:
    """In the customer's language, in private only, and only by the message that opens; nobody has responded by that."""
    path, world = house.daemon.config / "workspace.yaml", house.fake.world
    before, text = house.daemon.ask("/v1/status")["config"], path.read_text()
    path.write_text(
        text + 'auto_answers: {queue: {en: "You are number {place}.", es: "Usted es el número {place}."}}\n'
    )
    try:
        await until(lambda: house.daemon.ask("/v1/status")["config"] != before)
        ada, bob = world.person("Ada", "es"), world.person("Bob", "en")
        first = world.write(ada, "Quiero mi dinero de vuelta, por favor")
        await until(lambda: world.sent_to(ada))
        second = world.write(ada, "¿Hola?")
        group = world.group("Travellers")
        named = world.write(bob, f"@{USERNAME} where is my suitcase?", chat=group)
        contact = await written(house, first)
        assert (await written(house, second))["id"] == contact["id"]
        await written(house, named)
        world.write(bob, "My suitcase did not arrive")
        await until(lambda: world.sent_to(bob))
        [said], [other] = world.sent_to(ada), world.sent_to(bob)
        assert re.fullmatch(r"Usted es el número \d+\.", said)
        assert re.fullmatch(r"You are number \d+\.", other)
        assert [one for one in world.sent if one["chat"]["id"] == group["id"]] == []
        found = next(one for one in house.daemon.contacts() if one["id"] == contact["id"])
        assert [one["direction"] for one in found["messages"]] == ["in", "out", "in"]
        assert (found["state"], found["due_at"] is not None) == ("waiting", True)
    finally:
        path.write_text(text)
        await until(lambda: house.daemon.ask("/v1/status")["config"] == before)
