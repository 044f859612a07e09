"""`kill -9` of daemon, store and both while mail streams in: what got `250` is in exactly one contact, none twice."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import aiosmtplib
import pytest

from tests.support.daemons import RunningDaemon, until, write_workspace

MAILS = 1_000
CLIENTS = 8
KILLS = 6


def mail(number: int) -> bytes:
    """One of a thousand mails, each from somebody else."""
    topic = ("my suitcase did not arrive", "please refund my order", "mi maleta no ha llegado")[number % 3]
    return (
        f"From: Customer {number} <customer{number}@example.org>\r\nTo: help@acme.example\r\n"
        f"Subject: {topic}\r\nMessage-ID: <m{number}@example.org>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n"
        f"Hello, {topic}. My number is {number}.\r\n"
    ).encode()


class Senders:
    """Customers' mail servers: they try each mail again until it is acknowledged."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self.daemon = daemon
        self.acknowledged: set[int] = set()
        self._next = iter(range(MAILS))

    def passed(self, moment: int) -> bool:
        """Whether so many are acknowledged."""
        return len(self.acknowledged) >= moment

    async def run(self) -> None:
        """Send all of them."""
        await asyncio.gather(*(self._client() for _ in range(CLIENTS)))

    async def _client(self) -> None:
        for number in self._next:
            while number not in self.acknowledged:
                try:
                    await self._send(number)
                except (OSError, aiosmtplib.SMTPException):
                    await asyncio.sleep(0.05)

    async def _send(self, number: int) -> None:
        host, port = self.daemon.smtp
        client = aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=20)
        async with client:
            await client.sendmail(f"customer{number}@example.org", ["help@acme.example"], mail(number))
        self.acknowledged.add(number)


async def mischief(daemon: RunningDaemon, senders: Senders, chance: random.Random) -> list[str]:
    """Kill something KILLS times, at random moments of the thousand; gives what was killed."""
    killed: list[str] = []
    for moment in sorted(chance.randrange(MAILS // 10, MAILS * 9 // 10) for _ in range(KILLS)):
        await until(partial(senders.passed, moment), seconds=300, step=0.005)
        await asyncio.sleep(chance.uniform(0, 0.05))
        victim = ("daemon", "store", "both")[len(killed) % 3]
        killed.append(victim)
        if victim != "daemon":
            await asyncio.to_thread(daemon.kill_store)
        if victim != "store":
            await asyncio.to_thread(daemon.kill)
            await asyncio.to_thread(daemon.start)
    return killed


@pytest.mark.timeout(900)
async def test_nothing_acknowledged_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    """Each of 1,000 acknowledged mails is in exactly one contact after six kills, and replay gives the live state."""
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")  # shown when the test fails
    daemon = RunningDaemon(write_workspace(tmp_path / "config", capacity=5), tmp_path / "data")
    daemon.start()
    try:
        senders = Senders(daemon)
        sending = asyncio.create_task(senders.run())
        killed = await mischief(daemon, senders, random.Random(seed))
        await sending
        assert Counter(killed) == {"daemon": 2, "store": 2, "both": 2}
        await until(lambda: daemon.ask("/v1/status")["inbox_lag"] == 0)
        contacts = daemon.contacts()
        held = Counter(message["external_id"] for contact in contacts for message in contact["messages"])
        assert held == Counter({f"m{number}@example.org": 1 for number in range(MAILS)})
        assert len(contacts) == MAILS
    finally:
        daemon.stop()
    live = daemon.said("stopped")
    verdict = daemon.usherd("journal", "verify", "--config", str(daemon.config), "--data", str(daemon.data), "--json")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    found = json.loads(verdict.stdout)
    assert found["ok"]
    assert (found["records"], found["state_hash"]) == (live["records"], live["state_hash"])
