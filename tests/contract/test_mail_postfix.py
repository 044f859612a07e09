"""usherd and a real Postfix, both ways: what it answers to us, and what it does about our answers."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import pytest

from channels.email.send import SendSettings, SmtpSender
from router.core.errors import BacklogFull, StoreUnavailable
from tests.support.mailservers import NEEDS_POSTFIX, PATIENCE, Postfix, free_port, postfix
from tests.support.smtp_peer import MAIL, MemoryInbox, receiving

pytestmark = pytest.mark.needs(*NEEDS_POSTFIX)

HELP = "help@acme.example"


class Site(NamedTuple):
    """A Postfix that brings mail for acme.example to this port, and for gone.example too, where it is refused."""

    mta: Postfix
    port: int


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one Postfix for all tests of this module."""
    port = free_port()
    routes = {
        "acme.example": f"smtp:[127.0.0.1]:{port}",
        "gone.example": f"smtp:[127.0.0.1]:{port}",  # which takes no such recipient
        "sink.example": "discard:",
    }
    refusals = {"later@sink.example": "450 4.2.0 come later", "nobody@sink.example": "550 5.1.1 no such user"}
    with postfix(routes, refusals=refusals, size_max=200_000) as mta:
        yield Site(mta, port)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, while the receiver in this loop goes on."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


def unique(number: int) -> bytes:
    """A mail unlike all others of this module."""
    return MAIL.replace(b"<1@", b"<postfix-%d@" % number)


async def test_what_postfix_takes_is_sent(site: Site) -> None:
    """Two mails over one connection are taken, and Postfix names its queue id in the reply."""
    sender = SmtpSender(SendSettings(port=site.mta.port))
    for _ in range(2):
        result = await sender.send(HELP, ["ada@sink.example"], MAIL)
        assert (result.state, result.code) == ("sent", 250)
        assert "queued as" in result.text
    await sender.close()


async def test_what_postfix_defers_and_refuses_is_told_apart(site: Site) -> None:
    """450 defers, 550 fails, and a refused recipient beside a good one is reported alone."""
    sender = SmtpSender(SendSettings(port=site.mta.port))
    later = await sender.send(HELP, ["later@sink.example"], MAIL)
    nobody = await sender.send(HELP, ["nobody@sink.example"], MAIL)
    relay = await sender.send(HELP, ["ada@elsewhere.example"], MAIL)
    both = await sender.send(HELP, ["nobody@sink.example", "ada@sink.example"], MAIL)
    await sender.close()
    assert (later.state, later.code) == ("deferred", 450)
    assert (nobody.state, nobody.code) == ("failed", 550)
    assert (relay.state, relay.code) == ("failed", 554)
    assert both.state == "sent"
    assert list(both.refused) == ["nobody@sink.example"]
    assert both.refused["nobody@sink.example"].startswith("550 5.1.1")


async def test_a_mail_too_large_for_postfix_fails(site: Site) -> None:
    """The announced size alone makes Postfix refuse, and the next mail goes over the same connection."""
    sender = SmtpSender(SendSettings(port=site.mta.port))
    large = await sender.send(HELP, ["ada@sink.example"], MAIL + b"x" * 70 * 3000)
    small = await sender.send(HELP, ["ada@sink.example"], MAIL)
    await sender.close()
    assert (large.state, large.code) == ("failed", 552)
    assert small.state == "sent"


async def test_postfix_retries_after_our_temporary_failure(site: Site) -> None:
    """A mail answered with 451 and then 452 stays in Postfix's queue, comes again and is stored once."""
    inbox = MemoryInbox()
    failures: list[Exception] = [StoreUnavailable("down"), BacklogFull("full"), RuntimeError("bug")]

    async def fail() -> None:
        if failures:
            raise failures.pop(0)

    inbox.before = fail
    async with receiving(inbox, port=site.port) as (receiver, _):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        assert (await sender.send("ada@customer.example", [HELP], unique(1))).state == "sent"
        await sender.close()
        while not inbox.entries:
            await until(lambda: bool(inbox.entries) or bool(site.mta.queue()))
            site.mta.flush()
            await asyncio.sleep(0.5)
        await until(lambda: not site.mta.queue())
        assert receiver.deferred == 3
    assert len(inbox.entries) == 1
    assert b"<postfix-1@customer.example>" in inbox.entries[0].raw
    assert "status=deferred" in site.mta.log
    assert "451 4.3.0 Local error" in site.mta.log


async def test_a_bounce_of_postfix_arrives_with_the_null_sender(site: Site) -> None:
    """A mail of ours that cannot be delivered comes back as a report, which we take."""
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        assert (await sender.send(f"{HELP[:4]}+t_1_ab{HELP[4:]}", ["ada@gone.example"], unique(2))).state == "sent"
        await sender.close()
        await until(lambda: bool(inbox.entries))
    meta = msgspec.json.decode(inbox.entries[0].meta)
    assert (meta["envelope_from"], meta["recipients"]) == ("", ["help+t_1_ab@acme.example"])
    assert b"multipart/report" in inbox.entries[0].raw


async def test_postfix_brings_a_mail_for_two_accounts_in_one_transaction(site: Site) -> None:
    """Both accounts' entries are stored by one append."""
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        await sender.send("ada@customer.example", [HELP, "orders@acme.example"], unique(3))
        await sender.close()
        await until(lambda: bool(inbox.entries))
    accounts = [msgspec.json.decode(entry.meta)["account"] for entry in inbox.calls[0]]
    assert sorted(accounts) == [HELP, "orders@acme.example"]


async def test_eight_bit_and_international_mail_comes_through(site: Site) -> None:
    """Raw UTF-8 in body, header and sender arrives byte for byte, as Postfix finds both extensions offered."""
    inbox = MemoryInbox()
    raw = unique(4).replace(b"My bag", "Mein Gepäck".encode()) + "Grüße, 日本\r\n".encode()
    async with receiving(inbox, port=site.port):
        sender = SmtpSender(SendSettings(port=site.mta.port))
        assert (await sender.send("jörg@customer.example", [HELP], raw)).state == "sent"
        await sender.close()
        await until(lambda: bool(inbox.entries))
    assert inbox.entries[0].raw.endswith(raw)
    assert msgspec.json.decode(inbox.entries[0].meta)["envelope_from"] == "jörg@customer.example"


async def test_a_stopped_receiver_costs_postfix_a_retry_and_us_nothing(site: Site) -> None:
    """Mail sent while nobody listens waits in Postfix's queue and is stored when we are back."""
    sender = SmtpSender(SendSettings(port=site.mta.port))
    assert (await sender.send("ada@customer.example", [HELP], unique(5))).state == "sent"
    await sender.close()
    await until(lambda: "Connection refused" in site.mta.log)
    inbox = MemoryInbox()
    async with receiving(inbox, port=site.port):
        while not inbox.entries:
            site.mta.flush()
            await asyncio.sleep(0.5)
        await until(lambda: not site.mta.queue())
    assert len(inbox.entries) == 1


@pytest.mark.needs("swaks")
async def test_swaks_sends_a_mail_to_us() -> None:
    """The command line client everybody uses gets 250, also with pipelining."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, (host, port)):
        for extra in ([], ["--pipeline"]):
            command = ["swaks", "--server", f"{host}:{port}", "--to", HELP, "--from", "ada@customer.example", *extra]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
    assert len(inbox.calls) == 2
