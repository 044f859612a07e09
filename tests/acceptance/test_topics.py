"""Topics from mail to desk: unsure contacts, several topics, a re-tag during an offer, a deleted topic."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import pytest_asyncio

from tests.acceptance.desk_client import DeskClient, Json
from tests.support.daemons import RunningDaemon, until

pytestmark = pytest.mark.timeout(300)

WORKSPACE = """
workspace: acme
languages: [en]
agents:
  ana: {name: Ana Souza, skills: {billing: 4}, capacity: {email: 50}, team: desk}
  ben: {name: Ben Okoye, skills: {baggage: 4, billing: 1}, capacity: {email: 50}, team: desk}
  cleo: {name: Cleo Lind, skills: {baggage: 4, pets: 3, rail: 2}, capacity: {email: 50}, team: desk}
  tom: {name: Tom Reyes, skills: {}, capacity: {email: 50}, team: triage}
teams: {desk: {}, triage: {}}
topics:
  refund: {examples: [I want my money back, please refund my order, you charged me twice], keywords: [refund]}
  bags: {examples: [my suitcase did not arrive, lost luggage, where is my bag, my bag is damaged], keywords: [suitcase]}
  pets: {examples: [can my dog fly, is my cat allowed on board, I travel with a dog], keywords: [dog]}
  trains: {examples: [which train goes to the airport, the train was late], keywords: [train]}
rules:
  - {when: {topic: refund}, require: {billing: 2}}
  - {when: {topic: bags}, require: {baggage: 2}}
  - {when: {topic: pets}, require: {pets: 2}}
  - {when: {topic: trains}, require: {rail: 2}}
  - {when: {mood: angry}, priority: urgent}
moods: {angry: {keywords: [outrageous]}}
offers: {accept_within: {email: 10m}}
topic_model: {precision: 70%, learn_after: 0}
channels:
  email:
    smtp: {listen: "127.0.0.1:0", recipients: [help@acme.example]}
    send: {host: 127.0.0.1, port: 9, tls: none}
  http: {}
web: {listen: "127.0.0.1:0"}
"""
UNKNOWN = "Xylophone quorum zebra fjord."


class Scene:
    """A daemon and its agents at their desks."""

    def __init__(self, daemon: RunningDaemon, desks: dict[str, DeskClient]) -> None:
        self.daemon = daemon
        self.desks = desks
        self._sent = 0

    async def mail(self, text: str) -> str:
        """Send a mail; gives its subject, unlike all others."""
        self._sent += 1
        subject = f"nr {self._sent}"
        host, port = self.daemon.smtp
        raw = f"From: ada{self._sent}@example.org\r\nTo: help@acme.example\r\nSubject: {subject}\r\n\r\n{text}\r\n"
        async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False) as client:
            await client.sendmail("ada@example.org", ["help@acme.example"], raw.encode())
        return subject

    async def offered(self, subject: str, agent: str) -> tuple[DeskClient, Json]:
        """Wait until this agent has it offered; gives their desk and the offer."""
        desk = self.desks[agent]
        await desk.until(lambda _: desk.offer_about(subject) is not None, f"the offer of {subject}")
        offer = desk.offer_about(subject)
        assert offer is not None
        return desk, offer

    def contact(self, identifier: str) -> dict[str, Any]:
        """A contact as `usherd contacts` shows it, but for its language, which nobody is asked for here."""
        found = next(one for one in self.daemon.contacts() if one["id"] == identifier)
        found["requirement"]["must"].pop("lang:en", None)
        return found

    def usherd(self, *words: str) -> dict[str, Any]:
        """What `usherd topics …` says, as JSON."""
        done = self.daemon.usherd("topics", *words, "--json", "--data", str(self.daemon.data))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def edit(self, *pieces: str) -> None:
        """Take pieces out of the workspace, all in one edit."""
        path = self.daemon.config / "workspace.yaml"
        text = path.read_text()
        for piece in pieces:
            assert piece in text
            text = text.replace(piece, "")
        path.write_text(text)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon of each test's own: what one teaches it, another would not expect."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "workspace.yaml").write_text(WORKSPACE)
    running = RunningDaemon(tmp_path / "config", tmp_path / "data")
    running.start()
    yield running
    running.stop()


@pytest_asyncio.fixture
async def scene(daemon: RunningDaemon) -> AsyncIterator[Scene]:
    """Everybody signed in and available."""
    async with AsyncExitStack() as stack:
        desks = {}
        for agent in ("ana", "ben", "cleo", "tom"):
            link = daemon.ask("/v1/links", "POST", json={"agent": agent})["url"]
            desks[agent] = await stack.enter_async_context(DeskClient.signed_in(agent, link))
            await desks[agent].act("status", status="available")
        yield Scene(daemon, desks)


async def test_an_unsure_contact_goes_to_triage_and_is_asked_about(scene: Scene) -> None:
    """What no topic covers reaches triage without a requirement; one click there says what it is about."""
    subject = await scene.mail(UNKNOWN)
    desk, offer = await scene.offered(subject, "tom")
    contact = await desk.accept(offer)
    card = await desk.card(contact)
    assert scene.contact(contact)["requirement"]["must"] == {}
    assert [banner["code"] for banner in card["banners"]] == ["unsure"]
    await desk.act("retag", contact=contact, topics=["bags"])
    card = await desk.card(contact)
    assert card["topics_said"]
    assert card["banners"] == []
    assert scene.contact(contact)["requirement"] == {"must": {"baggage": 2}, "prefer": {}}
    assert scene.contact(contact)["agent"] == "tom"  # whoever owns it keeps it


async def test_only_the_best_topic_of_several_is_a_must_and_the_angry_go_first(scene: Scene) -> None:
    """A mail about two topics goes to who can do the better one; the skills of the other are preferred.

    One that sounds angry is urgent by the workspace's rule, and whoever is offered it can read why.
    """
    subject = await scene.mail("Refund me: you charged me twice, please refund my order. And my suitcase is lost.")
    desk, offer = await scene.offered(subject, "ana")
    found = scene.contact(offer["contact"]["id"])
    assert [one["topic"] for one in found["topics"][:2]] == ["refund", "bags"]
    assert found["requirement"] == {"must": {"billing": 2}, "prefer": {"baggage": 2}}
    assert (found["moods"], found["priority"]) == ([], "normal")
    await desk.accept(offer)
    subject = await scene.mail("Outrageous! You charged me twice, please refund my order.")
    desk, offer = await scene.offered(subject, "ana")
    found = scene.contact(offer["contact"]["id"])
    assert (found["moods"], found["priority"]) == (["angry"], "urgent")
    assert "What was written sounds angry." in (await desk.why(found["id"]))["sentences"]
    beside = scene.usherd("versions")["versions"][0]["beside"]
    assert (beside["effort"]["on"], beside["angry"]["on"]) == (False, False)  # keywords alone, and no contact handled


async def test_a_retag_takes_an_offer_from_who_is_no_longer_able(scene: Scene) -> None:
    """Who is offered a contact says that it is about something else: the offer is withdrawn, and the able one asked."""
    subject = await scene.mail("Please refund my order, I want my money back")
    ana, offer = await scene.offered(subject, "ana")
    contact = offer["contact"]["id"]
    await ana.act("retag", contact=contact, topics=["pets"])
    cleo, second = await scene.offered(subject, "cleo")
    assert scene.contact(contact)["requirement"]["must"] == {"pets": 2}
    refused = await ana.try_to("accept", contact=contact, offer=offer["offer"])
    assert (refused["ok"], refused["code"]) == (False, "offer-over")
    await cleo.accept(second)


async def test_what_agents_say_is_learned_and_an_earlier_model_is_one_command_away(scene: Scene) -> None:
    """Re-tagged contacts teach a new word; `topics back` unlearns it, and the journal names the model."""
    await until(lambda: scene.usherd("versions")["current"])  # the model of the workspace's own examples
    first = scene.usherd("versions")
    tom = scene.desks["tom"]
    for number in range(8):
        desk, offer = await scene.offered(await scene.mail(f"Quokka marsupial transport {number}"), "tom")
        contact = await desk.accept(offer)
        await desk.act("retag", contact=contact, topics=["pets"])
    for number in range(3):
        await scene.offered(await scene.mail(f"Xylophone quorum zebra fjord, number {number}"), "tom")
    (group,) = scene.usherd("suggest", "--config", str(scene.daemon.config))["groups"]  # of what nobody has labelled
    assert len(group["texts"]) == 3
    assert "zebra" in group["words"]

    async def taught() -> dict[str, Any]:
        scene.usherd("learn")
        await until(lambda: scene.daemon.ask("/v1/topics")["current"] != first["current"])
        return scene.usherd("versions")

    second = await taught()
    assert second["versions"][0]["labels"] >= 8
    assert "right" in second["versions"][0]["said"]
    in_force = scene.daemon.ask("/v1/workspace")["workspace"]
    assert in_force["topic_model"] == second["current"] == second["versions"][0]["digest"]
    desk, offer = await scene.offered(await scene.mail("Marsupial transport for my quokka"), "cleo")
    await desk.accept(offer)

    third = scene.usherd("back")
    assert (third["current"], third["held"]) == (first["current"], True)
    assert scene.daemon.ask("/v1/workspace")["workspace"]["topic_model"] == first["current"]
    assert any("usherd topics learn" in problem for problem in scene.daemon.ask("/v1/status")["problems"])
    desk, offer = await scene.offered(await scene.mail("Marsupial transport for my quokka"), "tom")
    await tom.accept(offer)
    unknown = scene.daemon.usherd("topics", "back", "ffff", "--data", str(scene.daemon.data))
    assert unknown.returncode != 0
    assert "usherd topics versions" in unknown.stderr


async def test_a_topic_is_deleted_while_contacts_bear_it(scene: Scene) -> None:
    """An open contact of a topic that is gone is asked about anew, an offered one goes to triage; nothing is lost."""
    cleo, offer = await scene.offered(await scene.mail("Which train goes to the airport?"), "cleo")
    owned = await cleo.accept(offer)
    subject = await scene.mail("The train to the airport was late")
    cleo, offer = await scene.offered(subject, "cleo")
    scene.edit(
        "  trains: {examples: [which train goes to the airport, the train was late], keywords: [train]}\n",
        "  - {when: {topic: trains}, require: {rail: 2}}\n",
    )
    tom, again = await scene.offered(subject, "tom")
    card = await cleo.card_when(owned, lambda card: bool(card["banners"]), "the question what it is about")
    assert [banner["code"] for banner in card["banners"]] == ["unsure"]
    assert card["contact"]["state"] == "assigned"
    assert not any(topic["chosen"] for topic in card["topics"])
    assert scene.contact(owned)["agent"] == "cleo"
    await tom.accept(again)
    refused = await cleo.try_to("retag", contact=owned, topics=["trains"])
    assert refused["code"] == "bad-topic"
    await cleo.act("retag", contact=owned, topics=["bags"])
    assert scene.contact(owned)["requirement"]["must"] == {"baggage": 2}
    await until(lambda: "trains" not in str(scene.daemon.ask("/v1/workspace")["workspace"]["topics"]))
    await until(lambda: scene.daemon.ask("/v1/status")["problems"] == [])
