"""Two companies with usherd and auto-answers write to each other, and fall silent; customers get theirs."""

from __future__ import annotations

import asyncio
import email
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage, Message
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support import chat_workspace
from tests.support.chat_workspace import Visitor
from tests.support.daemons import RunningDaemon, until, write_workspace
from tests.support.mailservers import free_port

ANSWERS = """
auto_answers:
  receipt:
    en: We have your message; its reference is {reference}.
    es: Hemos recibido su mensaje, referencia {reference}.
"""
MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "X-Usherd-Loop", "Precedence")


class Gateway:
    """Carries mail by the recipient's domain; `careless`: it strips the marks of machines, and gives all a sender."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.carried: list[tuple[str, Message]] = []
        self.careless = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Hand over."""
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content)
        sender = (envelope.mail_from or "").strip("<>")
        self.carried.append((sender, email.message_from_bytes(envelope.content)))
        if self.careless:
            sender = email.utils.parseaddr(mail["From"])[1]
            for mark in MARKS:
                del mail[mark]
        for recipient in envelope.rcpt_tos:
            port = self.ports.get(recipient.rpartition("@")[2])
            if port is not None:
                await asyncio.to_thread(hand_over, port, sender, recipient, mail.as_bytes())
        return "250 taken"


def hand_over(port: int, sender: str, recipient: str, raw: bytes) -> None:
    """One SMTP transaction."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.sendmail(sender, [recipient], raw)


@contextmanager
def company(folder: Path, domain: str, port: int, gateway: int) -> Iterator[RunningDaemon]:
    """A company's usherd that takes mail on `port` and sends by the gateway."""
    config = write_workspace(folder / "config", send_port=gateway, extra=ANSWERS)
    text = (config / "workspace.yaml").read_text().replace("acme", domain.partition(".")[0])
    (config / "workspace.yaml").write_text(
        text.replace('smtp: {listen: "127.0.0.1:0"', f'smtp: {{listen: "127.0.0.1:{port}"')
    )
    daemon = RunningDaemon(config, folder / "data")
    daemon.start()
    try:
        yield daemon
    finally:
        assert daemon.stop() == 0, daemon.log.read_text()[-4_000:]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, RunningDaemon, RunningDaemon]]:
    """Two companies and the gateway between them."""
    folder = tmp_path_factory.mktemp("world")
    gateway = Gateway()
    controller = Controller(gateway, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    controller.start()
    try:
        gateway.ports = {"acme.example": free_port(), "bigco.example": free_port()}
        [(ours, here), (theirs, there)] = gateway.ports.items()
        with (
            company(folder / "a", ours, here, controller.port) as acme,
            company(folder / "b", theirs, there, controller.port) as bigco,
        ):
            yield gateway, acme, bigco
    finally:
        controller.stop()


def letter(sender: str, text: str) -> bytes:
    """A mail by a person."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "help@bigco.example", text.partition(".")[0]
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2])
    mail.set_content(text)
    return mail.as_bytes()


def directions(contact: dict[str, Any]) -> list[str]:
    """In and out, in order."""
    return [one["direction"] for one in contact["messages"]]


async def opened(daemon: RunningDaemon, known: int, messages: int) -> dict[str, Any]:
    """The contact opened after `known` others, once it has so many messages."""

    def look() -> dict[str, Any]:
        found = daemon.contacts()
        return found[-1] if len(found) > known and len(found[-1]["messages"]) >= messages else {}

    return await until(look)


async def quiet(*daemons: RunningDaemon) -> None:
    """Wait until nothing is under way anywhere, three looks long."""
    looks = 0
    while looks < 3:
        states = [daemon.ask("/v1/status") for daemon in daemons]
        looks = 0 if any(state["inbox_lag"] or state["outbox_lag"] for state in states) else looks + 1
        await asyncio.sleep(0.6)  # longer than the lag is measured apart


async def test_a_customer_gets_a_receipt_in_their_language_and_a_response_is_still_owed(
    world: tuple[Gateway, RunningDaemon, RunningDaemon],
) -> None:
    """Through real SMTP: null sender, Auto-Submitted, in the thread; the contact keeps its due time."""
    gateway, _, bigco = world
    gateway.carried.clear()
    text = "Hola. Quiero mi dinero, por favor. Mi pedido no ha llegado y necesito el reembolso cuanto antes."
    await asyncio.to_thread(
        hand_over,
        gateway.ports["bigco.example"],
        "ada@customer.example",
        "help@bigco.example",
        letter("ada@customer.example", text),
    )
    await until(lambda: gateway.carried)
    await quiet(bigco)
    [(sender, mail)] = gateway.carried
    [contact] = [one for one in bigco.contacts() if one["messages"][0]["external_id"] in mail["In-Reply-To"]]
    assert sender == ""
    assert mail["To"] == "ada@customer.example"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert (
        mail.get_payload(decode=True)
        == f"Hemos recibido su mensaje, referencia {contact['id']}.\n".replace("\n", "\r\n").encode()
    )
    assert directions(contact) == ["in", "out"]
    assert contact["due_at"] is not None
    assert contact["state"] == "waiting"


@pytest.mark.parametrize("careless", [False, True], ids=["marks", "no-marks"])
async def test_two_usherds_that_answer_each_other_fall_silent(
    world: tuple[Gateway, RunningDaemon, RunningDaemon], careless: bool
) -> None:
    """One automatic answer each at most, even where a gateway strips every mark of a machine."""
    gateway, acme, bigco = world
    gateway.carried.clear()
    gateway.careless = careless
    sender = "help@acme.example" if careless else "help+us@acme.example"  # two customers, each with a budget
    there, here = len(bigco.contacts()), len(acme.contacts())
    autos = len(acme.ask("/v1/contacts?auto=true")["auto"])
    port = gateway.ports["bigco.example"]
    await asyncio.to_thread(
        hand_over, port, sender, "help@bigco.example", letter(sender, "Where is my refund. I want my money back.")
    )
    await opened(bigco, there, 3 if careless else 2)
    if not careless:
        await until(lambda: len(acme.ask("/v1/contacts?auto=true")["auto"]) > autos)
    await quiet(acme, bigco)
    senders = [email.utils.parseaddr(mail["From"])[1] for _, mail in gateway.carried]
    assert senders == (["help@bigco.example", "help@acme.example"] if careless else ["help@bigco.example"])
    assert len(bigco.contacts()) == there + 1
    assert directions(bigco.contacts()[-1]) == (["in", "out", "in"] if careless else ["in", "out"])
    assert len(acme.contacts()) == here + careless


async def test_too_many_turn_them_off_and_status_says_so(tmp_path: Path) -> None:
    """One over the limit of an hour is not given; changing it turns them on again; a storm of bounces does as much."""
    gateway = Gateway()
    controller = Controller(gateway, hostname="127.0.0.1", port=free_port())
    controller.start()
    port = free_port()
    try:
        with company(tmp_path, "acme.example", port, controller.port) as daemon:
            path = daemon.config / "workspace.yaml"
            text = path.read_text()
            version = daemon.ask("/v1/status")["config"]
            path.write_text(text + "  per_hour: 1\n")
            await until(lambda: daemon.ask("/v1/status")["config"] != version)
            for sender in ("ada@customer.example", "bob@customer.example"):
                raw = letter(sender, "Where is my refund. I want my money back.").replace(b"bigco", b"acme")
                await asyncio.to_thread(hand_over, port, sender, "help@acme.example", raw)
            [problem] = await until(lambda: daemon.ask("/v1/status")["problems"])
            assert problem.startswith("automatic answers are off until ")
            path.write_text(text)
            await until(lambda: daemon.ask("/v1/status")["problems"] == [])
            await until(lambda: gateway.carried)
            assert [mail["To"] for _, mail in gateway.carried] == ["ada@customer.example"]
            await storm(daemon, port, text)
    finally:
        controller.stop()


async def storm(daemon: RunningDaemon, port: int, text: str) -> None:
    """Eleven mails come back where ten may: that is a problem in the status, and an alarm in the metrics."""
    version = daemon.ask("/v1/status")["config"]
    (daemon.config / "workspace.yaml").write_text(text + "  bounces_per_hour: 10\n")
    await until(lambda: daemon.ask("/v1/status")["config"] != version)
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in range(11):
            report = EmailMessage()
            report["From"], report["To"] = "MAILER-DAEMON@mx.customer.example", "help@acme.example"
            report["Subject"], report["Message-ID"] = (
                "Undelivered Mail Returned to Sender",
                f"<{number}@mx.customer.example>",
            )
            report.set_content(f"<dead{number}@customer.example>: 550 5.1.1 user unknown")
            client.sendmail("", ["help@acme.example"], report.as_bytes())
    [problem] = await until(lambda: daemon.ask("/v1/status")["problems"])
    assert problem.startswith("a storm of bounces: more than 10 mails came back in an hour")
    await until(lambda: len(daemon.ask("/v1/contacts?auto=true")["auto"]) == 11)
    metrics = f"http://{daemon.http[0]}:{daemon.http[1]}/metrics"
    await until(lambda: 'usherd_alarms_total{reason="bounce-storm"} 1.0' in httpx.get(metrics, timeout=30).text)


async def test_a_visitor_who_has_to_wait_is_told_their_place(tmp_path: Path) -> None:
    """In the chat itself, said by nobody in particular, while the contact goes on waiting."""
    config = chat_workspace.write_workspace(tmp_path / "config")
    path = config / "workspace.yaml"
    path.write_text(path.read_text() + 'auto_answers: {queue: {en: "You are number {place}."}}\n')
    daemon = RunningDaemon(config, tmp_path / "data")
    daemon.start()
    try:
        url = f"http://{daemon.http[0]}:{daemon.http[1]}"
        async with Visitor(url) as first, Visitor(url) as second:
            await first.write("wait-0001", "I want my money back, please refund my order")
            assert not (await first.item("You are number 1.")).get("who")
            await second.write("wait-0002", "I want my money back, please refund my order")
            await second.item("You are number 2.")
        assert [(one["state"], directions(one)) for one in daemon.contacts()] == [("waiting", ["in", "out"])] * 2
    finally:
        assert daemon.stop() == 0, daemon.log.read_text()[-4_000:]
