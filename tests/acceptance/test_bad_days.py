"""Bad days: the disk is full, mails are hostile, a mistake in usherd meets a mail. Nothing is lost, work goes on."""

from __future__ import annotations

import os
import smtplib
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemons import RunningDaemon, until, write_workspace
from tests.support.killing import kill

ROOT = Path(__file__).parents[2]
GB = 1 << 30
LOW = 900 << 20  # bytes free; below 1 GB nothing new is taken
# What an upgrade may bring: parsers that hang, die, or raise on some mails. Python imports this file at its start, in
# the daemon and in its workers alike.
FAULT = """
import os, time
from channels.email import parse as module
read = module._read
def faulty(raw, *rest):
    if b"X-Fault: hang" in raw: time.sleep(3600)
    if b"X-Fault: die" in raw: os._exit(1)
    if b"X-Fault: raise" in raw: raise RuntimeError("a mistake")
    return read(raw, *rest)
module._read = faulty
"""


def mail(number: int, extra: str = "") -> str:
    """One of many mails, each from somebody else."""
    return (
        f"From: Customer {number} <customer{number}@example.org>\r\nTo: help@acme.example\r\n{extra}"
        f"Subject: please refund my order\r\nMessage-ID: <m{number}@example.org>\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nHello, I want my money back. My number is {number}.\r\n"
    )


def hand_in(daemon: RunningDaemon, number: int, extra: str = "") -> int:
    """Send one mail; the code of the reply: 250 when it was accepted."""
    with smtplib.SMTP(*daemon.smtp, timeout=60) as client:
        try:
            client.sendmail(f"customer{number}@example.org", ["help@acme.example"], mail(number, extra))
        except smtplib.SMTPRecipientsRefused as refused:
            [(code, _)] = refused.recipients.values()
            return code
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        return 250


def held(daemon: RunningDaemon) -> Counter[str]:
    """How often each Message-ID stands in a contact."""
    return Counter(str(message["external_id"]) for contact in daemon.contacts() for message in contact["messages"])


def ids(numbers: list[int]) -> Counter[str]:
    """The Message-IDs of these mails, each once."""
    return Counter(f"m{number}@example.org" for number in numbers)


def status(daemon: RunningDaemon) -> dict[str, Any]:
    """The JSON of `usherd status`."""
    found: dict[str, Any] = daemon.ask("/v1/status")
    return found


class Disk:
    """The disk of a data directory: a small file system of its own where root may mount one, else a told figure."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.environment: dict[str, str] = {}
        command = ["mount", "-t", "tmpfs", "-o", "size=1250m", "usherd-test", str(folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
        if not self.mounted:
            self._told = folder.parent / "free"
            self._told.write_text(str(2 * GB))
            site = folder.parent / "site"
            site.mkdir()
            (site / "sitecustomize.py").write_text(
                "import os, pathlib, types\n"
                f"told = pathlib.Path({str(self._told)!r})\n"
                "def measure(_):\n"
                "    return types.SimpleNamespace(f_frsize=1, f_blocks=3 << 30, f_bavail=int(told.read_text()))\n"
                "os.statvfs = measure\n"
            )
            self.environment = {"PYTHONPATH": str(site)}

    def fill(self) -> None:
        """Leave less than the daemon wants free."""
        if not self.mounted:
            self._told.write_text(str(LOW))
            return
        space = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:  # no more than it takes: these bytes are memory
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - LOW)

    def empty(self) -> None:
        """Make room."""
        if self.mounted:
            (self.folder / "filler").unlink()
        else:
            self._told.write_text(str(2 * GB))

    def close(self) -> None:
        """Unmount."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that can be filled without harm to the machine."""
    small = Disk(tmp_path / "disk")
    yield small
    small.close()


@pytest.mark.timeout(300)
async def test_a_full_disk_refuses_for_now_and_loses_nothing(disk: Disk, tmp_path: Path) -> None:
    """While the disk is full mail gets 452 and the desk says why; what was accepted stands, and all goes on after."""
    daemon = RunningDaemon(write_workspace(tmp_path / "config"), disk.folder / "data", **disk.environment)
    daemon.log = tmp_path / "daemon.log"
    daemon.start()
    try:
        assert [hand_in(daemon, number) for number in range(5)] == [250] * 5
        disk.fill()
        await until(lambda: status(daemon)["problems"])
        assert any("disk" in problem for problem in status(daemon)["problems"])
        assert [hand_in(daemon, number) for number in range(5, 8)] == [452] * 3
        await until(lambda: held(daemon) == ids([0, 1, 2, 3, 4]))
        link = daemon.ask("/v1/links", "POST", json={"agent": "ana"})  # agents can still work
        assert link["url"]
        disk.empty()
        await until(lambda: not status(daemon)["problems"])
        assert [hand_in(daemon, number) for number in range(5, 8)] == [250] * 3
        await until(lambda: held(daemon) == ids(list(range(8))))
    finally:
        assert daemon.stop() == 0


@pytest.mark.timeout(300)
async def test_a_disk_that_is_full_at_the_start_keeps_what_was_accepted(disk: Disk, tmp_path: Path) -> None:
    """A daemon killed with mail accepted, and started on a full disk, has all of it, and takes more later on."""
    daemon = RunningDaemon(write_workspace(tmp_path / "config"), disk.folder / "data", **disk.environment)
    daemon.log = tmp_path / "daemon.log"
    daemon.start()
    assert [hand_in(daemon, number) for number in range(5)] == [250] * 5
    store = daemon.store_pid
    daemon.kill()
    kill(store)
    disk.fill()
    daemon.start()
    try:
        await until(lambda: held(daemon) == ids(list(range(5))))
        assert hand_in(daemon, 5) == 452
        disk.empty()
        await until(lambda: not status(daemon)["problems"])
        assert hand_in(daemon, 5) == 250
        await until(lambda: held(daemon) == ids(list(range(6))))
    finally:
        assert daemon.stop() == 0


@pytest.mark.timeout(300)
async def test_mails_that_break_the_parser_harm_nobody_and_can_be_read_after_the_repair(tmp_path: Path) -> None:
    """Mails that hang, kill or crash their reader become contacts for triage; after an upgrade a retry reads them."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(FAULT)
    config = write_workspace(tmp_path / "config")
    daemon = RunningDaemon(config, tmp_path / "data", PYTHONPATH=f"{site}{os.pathsep}{ROOT}")
    daemon.start()
    faults = {20: "hang", 21: "die", 22: "raise"}
    try:
        for number in range(10):
            assert hand_in(daemon, number) == 250
        for number, fault in faults.items():
            assert hand_in(daemon, number, f"X-Fault: {fault}\r\n") == 250
        for number in range(10, 20):
            assert hand_in(daemon, number) == 250
        await until(lambda: ids(list(range(20))) <= held(daemon))
        await until(lambda: len(daemon.ask("/v1/quarantine")["quarantine"]) == len(faults))
        await until(lambda: status(daemon)["inbox_lag"] == 0)
        listed = {item["contact"]: item["reason"] for item in daemon.ask("/v1/quarantine")["quarantine"]}
        contacts = {contact["id"]: contact for contact in daemon.contacts()}
        assert len(contacts) == 20 + len(faults)
        assert set(listed) <= set(contacts)  # visible: each is a contact that somebody is asked to look at
        assert {contacts[name]["state"] for name in listed} == {"waiting"}
        assert any("seconds" in reason for reason in listed.values())
        assert any("died" in reason for reason in listed.values())
    finally:
        assert daemon.stop() == 0
    mended = RunningDaemon(config, tmp_path / "data")
    mended.start()
    try:
        for item in mended.ask("/v1/quarantine")["quarantine"]:
            run = mended.usherd("quarantine", "retry", item["id"], "--data", str(mended.data), "--json")
            assert run.returncode == 0, run.stderr
        await until(lambda: not mended.ask("/v1/quarantine")["quarantine"])
        assert held(mended) == ids([*range(20), *faults])
        after = {contact["id"]: contact for contact in mended.contacts()}
        assert all("refund" in str(after[name]["topics"]) for name in listed)  # ordinary contacts from here on
    finally:
        assert mended.stop() == 0
    verdict = mended.usherd("journal", "verify", "--config", str(config), "--data", str(mended.data), "--json")
    assert verdict.returncode == 0, verdict.stdout


@pytest.mark.timeout(300)
async def test_hostile_mails_among_good_ones(tmp_path: Path) -> None:
    """Deep, endless and senseless mails each end in one contact or the quarantine, and every good mail is routed."""
    deep = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(2_000))
    hostile = {
        "many parts": 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + "--b\r\n\r\nx\r\n" * 20_000,
        "deep": deep + "Content-Type: text/plain\r\n\r\nx\r\n",
        "parentheses": "To: " + "(" * 20_000 + "\r\n\r\nx\r\n",
        "long subject": "Subject: " + "=?utf-8?q?x?=\r\n " * 5_000 + "\r\n\r\nx\r\n",
        "nul": "Subject: \x00\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\x00\x00\r\n",
        "no header": "\r\njust words\r\n",
        "blank": "\r\n",
    }
    daemon = RunningDaemon(write_workspace(tmp_path / "config"), tmp_path / "data")
    daemon.start()
    try:
        for number, raw in enumerate(hostile.values()):
            with smtplib.SMTP(*daemon.smtp, timeout=60) as client:
                client.sendmail("eve@evil.example", ["help@acme.example"], raw)
            assert hand_in(daemon, number) == 250
        await until(lambda: ids(list(range(len(hostile)))) <= held(daemon))
        await until(lambda: sum(len(one["messages"]) for one in daemon.contacts()) == 2 * len(hostile))
        await until(lambda: status(daemon)["inbox_lag"] == 0)
    finally:
        assert daemon.stop() == 0
