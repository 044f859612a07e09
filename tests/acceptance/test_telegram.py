"""Telegram from end to end: what a customer writes to a bot stands on the desk, and what the agent says comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.desk_client import DeskClient
from tests.fakes.telegram.server import FakeTelegram
from tests.fakes.telegram.world import Json
from tests.support.daemons import until
from tests.support.telegram_house import House

pytestmark = pytest.mark.timeout(600)
JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 40


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests of this module; each has customers of its own."""
    with FakeTelegram().running() as fake:
        made = House(tmp_path_factory.mktemp("telegram"), fake)
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
    assert (contact["channel"], contact["kind"], contact["topics"]) == ("telegram", "messaging", ["refund"])
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
