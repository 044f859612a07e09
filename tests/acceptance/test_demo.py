"""`usherd demo` as somebody meets it who has just cloned the project: timed, and with mail of their own."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.app import demo
from router.app.demo_page import BothSides
from tests.acceptance.desk_client import DeskClient
from tests.support.daemons import until
from tests.support.running_demo import Demo, Place, empty_place

SUBJECT = "Where is my suitcase?"
KEYS = {
    "received",
    "contacts",
    "auto",
    "quarantined",
    "lost",
    "assigned",
    "answered",
    "skill_violations",
    "capacity_violations",
    "assign_seconds_p50",
    "assign_seconds_p99",
    "utilisation_cv",
}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere empty to run it."""
    with empty_place(tmp_path) as found:
        yield found


async def test_a_timed_demo_ends_by_itself_with_nothing_lost(place: Place) -> None:
    """Every contact reaches an agent who has the skills and room; the figures are complete; nothing is left behind."""
    process = place.start("demo", "--seconds", "20", "--json")
    out, _ = await asyncio.to_thread(process.communicate)
    said = place.errors.read_text()
    assert process.returncode == 0, said[-4_000:] + out.decode()
    figures = json.loads(out)
    assert set(figures) >= KEYS
    assert figures["lost"] == figures["skill_violations"] == figures["capacity_violations"] == 0
    assert figures["assigned"] == figures["contacts"] >= 50
    assert figures["received"] >= figures["contacts"] + figures["auto"]
    assert figures["auto"] > 0
    assert figures["quarantined"] <= 1
    assert figures["answered"] > 0
    assert 0 <= figures["assign_seconds_p50"] <= figures["assign_seconds_p99"]
    assert "Traceback" not in said
    assert place.leftovers() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_mail_of_ones_own_is_left_to_whoever_opens_the_desk(place: Place, how: signal.Signals) -> None:
    """It stands on an able agent's desk, no simulated agent answers it, a person can; Ctrl-C ends all of it."""
    demo = Demo(place)
    await demo.ready()
    assert demo.link_after("Open a desk")
    link = await demo.send(SUBJECT, "My suitcase did not arrive with flight AB 123.")
    mine = demo.contact_about(SUBJECT)
    agent = demo.ask("explain", mine["id"])["agent"]
    skills = next(one["skills"] for one in demo.ask("agents")["agents"] if one["id"] == agent)
    must = mine["requirement"]["must"]
    assert must
    assert all(skills.get(skill, 0) >= level for skill, level in must.items())

    async with DeskClient.signed_in(agent, link) as desk:
        contact = mine["id"]
        await desk.have(contact, SUBJECT)
        before = demo.answered_by(agent)
        await until(lambda: demo.answered_by(agent) > before, seconds=240, step=1)
        mine = demo.contact_about(SUBJECT)
        assert (mine["id"], mine["agent"], mine["state"]) == (contact, agent, "assigned")
        assert [message["direction"] for message in mine["messages"]] == ["in"]
        await desk.act("reply", contact=contact, text="It is on its way.")
        await desk.card_when(contact, lambda card: card["items"][-1]["delivery"] == "sent", "the delivery")

    assert await asyncio.to_thread(demo.end, how) == 0, demo.said[-4_000:]
    assert "Traceback" not in demo.said
    assert " 0 lost" in demo.said
    assert place.leftovers() == []


async def test_two_that_find_the_usual_ports_free_at_once_both_begin(tmp_path: Path) -> None:
    """Who comes second takes any ports."""
    with socket.create_server(("127.0.0.1", 0)) as taken, empty_place(tmp_path) as place:
        port = taken.getsockname()[1]
        config = demo.lay_out(tmp_path / "config", 9, fixed_ports=False)
        channels = config / "channels.yaml"
        channels.write_text(re.sub(r'(smtp: \{listen: "127\.0\.0\.1:)0', rf"\g<1>{port}", channels.read_text()))
        daemon = await demo.begin(config, place.temporary / "data", BothSides())
        try:
            assert daemon.smtp is not None
            assert daemon.smtp[1] not in {0, port}
        finally:
            await daemon.stop()
