"""A week of looking on: usherd gets a copy of the mailbox, decides, sends nothing, and compares; then it goes live."""

from __future__ import annotations

import asyncio
import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.acceptance.desk_client import DeskClient
from tests.support.daemons import RunningDaemon, until, write_workspace
from tests.support.mailservers import free_port

HELP = "help@acme.example"
LOOKING_ON = """
mode: shadow
auto_answers: {receipt: {en: "We have it, {reference}."}}
"""


class Sink:
    """Takes mail and counts it."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take it."""
        self.taken += 1
        return "250 taken"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    """A mail server that takes everything, and its port."""
    taker = Sink()
    controller = Controller(taker, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield taker, controller.port
    controller.stop()


@pytest.fixture
def daemon(tmp_path: Path, sink: tuple[Sink, int]) -> Iterator[RunningDaemon]:
    """A daemon in shadow mode whose agents write from addresses of their own."""
    config = write_workspace(tmp_path / "config", send_port=sink[1], extra=LOOKING_ON)
    path = config / "workspace.yaml"
    text = path.read_text().replace("name: Ana Souza", "email: ana@acme.example, name: Ana Souza")
    path.write_text(text.replace("name: Ben Okoye", "email: ben@acme.example, name: Ben Okoye"))
    running = RunningDaemon(config, tmp_path / "data")
    running.start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4_000:]


def copy(daemon: RunningDaemon, sender: str, text: str, answers: str = "") -> str:
    """A copy of a mail reaches usherd; gives its Message-ID."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, HELP, text.partition(".")[0]
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2])
    if answers:
        mail["In-Reply-To"] = mail["References"] = answers
    mail.set_content(text)
    with smtplib.SMTP(*daemon.smtp, timeout=60) as client:
        client.send_message(mail, from_addr=sender, to_addrs=[HELP])
    return str(mail["Message-ID"])


def report(daemon: RunningDaemon) -> dict[str, Any]:
    """What `usherd report --shadow --json` says."""
    asked = daemon.usherd("report", "--shadow", "--json", "--data", str(daemon.data))
    assert asked.returncode == 0, asked.stderr
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


async def test_usherd_looks_on_and_then_goes_live(daemon: RunningDaemon, sink: tuple[Sink, int]) -> None:
    """Nobody signs in; contacts are given; people's answers close them; nothing leaves until the mode is changed."""
    refund = copy(daemon, "ada@customer.example", "I want my money back. Please refund my order.")
    bags = copy(daemon, "bob@customer.example", "My suitcase did not arrive. It is lost luggage.")
    await until(lambda: {one["agent"] for one in daemon.contacts()} == {"ana", "ben"})
    assert daemon.ask("/v1/status")["mode"] == "shadow"

    answer = copy(daemon, "ana@acme.example", "It is on its way. Ana", refund)
    copy(daemon, "ana@acme.example", "It is found. Ana", bags)
    copy(daemon, "ana@acme.example", "Lunch at noon, anybody?")
    await until(lambda: [one["state"] for one in daemon.contacts()] == ["resolved", "resolved"])
    await until(lambda: [one["auto"] for one in daemon.ask("/v1/contacts?auto=true")["auto"]] == ["staff"])
    found = report(daemon)
    assert (found["mode"], found["contacts"], found["answered"], found["agreed"]) == ("shadow", 2, 2, 1)
    assert found["agreement"] == 0.5
    assert {one["topic"]: one["pairs"] for one in found["topics"]} == {
        "refund": [{"chosen": "ana", "answered": "ana", "contacts": 1}],
        "bags": [{"chosen": "ben", "answered": "ana", "contacts": 1}],
    }
    shown = daemon.usherd("report", "--shadow", "--data", str(daemon.data))
    assert shown.returncode == 0
    assert "refund" in shown.stdout + shown.stderr

    copy(daemon, "ada@customer.example", "Thank you. When will it be here?", answer)
    [contact] = await until(lambda: [one for one in daemon.contacts() if one["state"] == "assigned"])
    assert (contact["agent"], len(contact["messages"])) == ("ana", 3)
    link = await asyncio.to_thread(daemon.ask, "/v1/links", "POST", json={"agent": "ana"})
    async with DeskClient.signed_in("ana", link["url"]) as desk:
        assert "sends nothing" in desk.desk["notice"]
        assert "shadow" in [one["code"] for one in (await desk.card(contact["id"]))["banners"]]
        refused = await desk.try_to("reply", contact=contact["id"], text="Tomorrow.")
        assert (refused["ok"], refused["code"]) == (False, "shadow")
        assert "sends nothing" in refused["message"]
        assert sink[0].taken == 0

        path = daemon.config / "workspace.yaml"
        path.write_text(path.read_text().replace("mode: shadow", "mode: live"))
        await desk.until(lambda shown: not shown["notice"], "the news that usherd is live")
        assert (await desk.try_to("reply", contact=contact["id"], text="Tomorrow."))["ok"]
        await until(lambda: sink[0].taken == 1)
    copy(daemon, "cy@customer.example", "I want a refund. My money back, please.")
    await until(lambda: sink[0].taken == 2)  # the receipt


async def test_without_shadow_the_report_is_of_how_customers_were_served(daemon: RunningDaemon) -> None:
    """The same command asks the same daemon for the other report, as JSON for scripts."""
    asked = await asyncio.to_thread(daemon.usherd, "report", "--json", "--data", str(daemon.data))
    assert asked.returncode == 0, asked.stderr
    assert {"topics", "agents"} <= json.loads(asked.stdout).keys()
