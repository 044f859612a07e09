"""`usherd demo` with web chats: visitors who are answered, a chat of one's own, the page that shows both sides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from router.app.demo_chats import Conversation, read_conversations
from tests.acceptance.desk_client import DeskClient
from tests.support.chat_workspace import Visitor
from tests.support.daemons import until
from tests.support.running_demo import Demo, Place, empty_place

SAMPLE = Path(__file__).resolve().parents[2] / "router" / "sim" / "sample"
WORDS = "My suitcase did not arrive with flight AB 123, where is it?"
OURS = {"X-Usherd-Desk": "1"}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere empty to run it."""
    with empty_place(tmp_path) as found:
        yield found


async def test_a_timed_demo_loses_no_chat(place: Place) -> None:
    """All that was acknowledged by `stored` is in a contact, and every contact has reached an able agent."""
    process = place.start("demo", "--seconds", "20", "--json", "--data", str(place.home / "data"))
    out, _ = await asyncio.to_thread(process.communicate)
    said = place.errors.read_text()
    assert process.returncode == 0, said[-4_000:] + out.decode()
    figures = json.loads(out)
    assert figures["lost"] == figures["skill_violations"] == figures["capacity_violations"] == 0
    assert figures["assigned"] == figures["contacts"]
    assert figures["received"] >= figures["contacts"] + figures["auto"]
    by_mail = len(list((SAMPLE / "mails").glob("*.eml"))) - figures["auto"]  # at most
    assert figures["contacts"] >= by_mail + len(read_conversations(SAMPLE / "chats.yaml")) / 2
    assert "demo_chat_broken" not in said
    assert "Traceback" not in said


async def test_visitors_are_answered_in_the_chat_and_leave(place: Place) -> None:
    """While the demo runs a visitor's chat is answered as the sample says it, turn by turn, and then resolved."""
    demo = Demo(place)
    await demo.ready()
    openings = {one.turns[0].says[:40]: one for one in read_conversations(SAMPLE / "chats.yaml")}

    def done() -> bool:
        chats = [one for one in demo.contacts().values() if one["channel"] == "webchat" and one["state"] == "resolved"]
        return any(_is_whole(one, openings) for one in chats)

    await until(done, seconds=240, step=1)
    assert await asyncio.to_thread(demo.end) == 0, demo.said[-4_000:]
    assert " 0 lost" in demo.said


def _is_whole(contact: dict[str, object], openings: dict[str, Conversation]) -> bool:
    """Whether as much was answered as was asked, and it began as the sample says."""
    messages = contact["messages"]
    assert isinstance(messages, list)
    directions = [message["direction"] for message in messages]
    known = any(str(contact["subject"]).startswith(opening) for opening in openings)
    return known and directions == ["in", "out"] * (len(directions) // 2) and len(directions) > 2


async def test_a_chat_of_ones_own_is_left_to_whoever_opens_the_page(place: Place) -> None:
    """The page shows a supervisor's desk, then that of the agent the chat is offered to; nobody else answers it."""
    demo = Demo(place)
    await demo.ready()
    url = demo.page.removesuffix("/demo")
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client, Visitor(url) as visitor:
        assert (await client.post("/demo/seat", json={"agent": ""}, headers=OURS)).json()["agent"] == "ines"
        stored = await visitor.write("mine-0001", WORDS)
        seat = await _offered(client)
        assert seat["state"] == "offered"
        assert seat["about"] == "baggage · en"
        assert demo.contacts()[seat["contact"]]["messages"][0]["id"] == stored
        await until(lambda: demo.link_after("Your chat"))

        async with DeskClient.signed_in(seat["agent"], f"{url}/desk#{seat['link']}") as desk:
            mine = seat["contact"]
            await desk.have(mine, WORDS)
            await desk.act("reply", contact=mine, text="It is on its way.")
            assert (await visitor.item("It is on its way."))["who"]
    messages = demo.contacts()[seat["contact"]]["messages"]
    assert [message["direction"] for message in messages] == ["in", "out"]
    assert await asyncio.to_thread(demo.end) == 0, demo.said[-4_000:]


async def _offered(client: httpx.AsyncClient) -> dict[str, str]:
    """What the page learns once the chat is offered."""
    async with asyncio.timeout(60):
        while True:
            seat: dict[str, str] = (await client.post("/demo/seat", json={"agent": ""}, headers=OURS)).json()
            if seat["contact"]:
                return seat
            await asyncio.sleep(0.1)
