"""A journal damaged on disk: verify names the record, no daemon leads over it, and an admin may say to go on."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiosmtplib
import msgspec
import pytest
import redis

from router.app.journal import verify_journal, what_is_lost
from router.app.upkeep import Upkeep
from router.app.verify import opened
from router.core.errors import JournalBroken
from router.shell.audit import Verified
from router.shell.store.server import find_binary
from router.shell.witness import NAME as WITNESS
from router.shell.witness import Seen
from skills.workspace import load
from tests.support.daemons import RunningDaemon, write_workspace

MAILS = 6
SOCKET = "tamper.sock"
JOURNAL = "usherd:{acme}:journal"


def mail(number: int) -> bytes:
    """A customer's mail."""
    return (
        f"From: Customer {number} <customer{number}@example.org>\r\nTo: help@acme.example\r\n"
        f"Subject: please refund my order\r\nMessage-ID: <m{number}@example.org>\r\n\r\nNumber {number}.\r\n"
    ).encode()


async def send(daemon: RunningDaemon, *numbers: int) -> None:
    """Have mails taken in."""
    host, port = daemon.smtp
    for number in numbers:
        async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=20) as client:
            await client.sendmail(f"customer{number}@example.org", ["help@acme.example"], mail(number))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a daemon that took in some mails, twice, and was stopped in order."""
    folder = tmp_path_factory.mktemp("untouched")
    daemon = RunningDaemon(write_workspace(folder / "config"), folder / "data")
    for half in (range(MAILS // 2), range(MAILS // 2, MAILS)):
        daemon.start()
        try:
            asyncio.run(send(daemon, *half))
            while len(daemon.contacts()) <= half[-1]:
                time.sleep(0.05)
        finally:
            assert daemon.stop() == 0
    return folder


class Damaged:
    """A copy of it, to be damaged."""

    def __init__(self, untouched: Path, folder: Path) -> None:
        shutil.copytree(untouched, folder, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        self.data = folder / "data"
        self.daemon = RunningDaemon(folder / "config", self.data)

    def usherd(self, *arguments: str) -> tuple[int, Any]:
        """A command's exit code and its JSON."""
        where = ("--config", str(self.daemon.config), "--data", str(self.data), "--json")
        done = self.daemon.usherd(*arguments, *where)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr

    def verified(self) -> Verified:
        """What verify says, in this process."""
        return asyncio.run(verify_journal(self.daemon.config, self.data, progress=lambda _: None))

    def refused(self) -> str:
        """What a node says that would lead."""

        async def recover() -> None:
            config = load(self.daemon.config).config
            async with opened(config, self.data) as store:
                await Upkeep(config, self.data, store, "n1").recover()

        with pytest.raises(JournalBroken) as caught:
            asyncio.run(recover())
        return str(caught.value)

    def run_refused(self) -> str:
        """What `usherd run` says that does not start."""
        done = self.daemon.usherd("run", "--config", str(self.daemon.config), "--data", str(self.data), "--json")
        assert done.returncode not in {0, 2}
        assert '"journal_broken"' in done.stdout + done.stderr
        return done.stdout + done.stderr

    def goes_on(self) -> dict[str, Any]:
        """Once an admin has said so, a daemon leads and takes mail, and the journal verifies; gives what was said."""
        code, told = self.usherd("journal", "accept-loss")
        assert (code, told["accepted"]) == (1, None)
        code, accepted = self.usherd("journal", "accept-loss", "--yes")
        assert code == 0
        assert {**told, "accepted": accepted["accepted"]} == accepted
        self.daemon.start()
        try:
            assert [loss["lost"] for loss in self.daemon.ask("/v1/status")["journal"]["losses"]] == [told["lost"]]
            asyncio.run(send(self.daemon, 99))
        finally:
            assert self.daemon.stop() == 0
        verdict = self.verified()
        assert (verdict.problem, len(verdict.losses)) == ("", 1)
        found: dict[str, Any] = told
        return found

    def flip(self, n: int) -> None:
        """Change one digit of record `n`'s time in the store's file."""
        (path,) = (self.data / "appendonlydir").glob("*.incr.aof")
        raw = bytearray(path.read_bytes())
        place = raw.index(b'"wall":', raw.index(b'"n":%d,' % n)) + len(b'"wall":')
        raw[place] ^= 1
        path.write_bytes(bytes(raw))

    def cut(self, n: int) -> None:
        """End the store's file before record `n`, in the middle of it, as a disk may that lost its last blocks."""
        (path,) = (self.data / "appendonlydir").glob("*.incr.aof")
        raw = path.read_bytes()
        path.write_bytes(raw[: raw.index(b'"n":%d,' % n)])

    def tamper(self, *command: str | bytes) -> None:
        """Say something to the store as somebody who may say everything."""
        lines = ["port 0", f"unixsocket {SOCKET}", "dir .", "appendonly yes", 'save ""']
        (self.data / "tamper.conf").write_text("\n".join(lines) + "\n")
        process = subprocess.Popen([find_binary(), "tamper.conf"], cwd=self.data, stdout=subprocess.DEVNULL)
        try:
            client = redis.Redis(unix_socket_path=str(self.data / SOCKET))
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.02)
            client.execute_command(*command)  # type: ignore[no-untyped-call]
            client.close()
        finally:
            process.terminate()
            process.wait(20)

    def forget_snapshots(self) -> None:
        """Without them only the witness knows how far the journal went."""
        for path in (self.data / "archive" / "acme" / "snapshots").iterdir():
            path.unlink()

    @property
    def records(self) -> int:
        """How many there were."""
        return msgspec.json.decode((self.data / WITNESS).read_bytes(), type=Seen).n


@pytest.fixture
def damaged(untouched: Path, tmp_path: Path) -> Damaged:
    """A copy for one test."""
    return Damaged(untouched, tmp_path / "copy")


def test_an_untouched_one_is_whole(damaged: Damaged) -> None:
    """Verify counts the records and compares the snapshots of both stops; there is nothing to accept."""
    verdict = damaged.verified()
    assert (verdict.problem, verdict.records, verdict.snapshots) == ("", damaged.records, 2)
    assert asyncio.run(what_is_lost(damaged.daemon.config, damaged.data)) is None


def test_a_flipped_bit_in_the_stores_file(damaged: Damaged) -> None:
    """A flipped bit in a record on disk is named by verify, with exit code 1, and by the daemon, which does not run."""
    damaged.flip(4)
    code, verdict = damaged.usherd("journal", "verify")
    assert (code, verdict["ok"], verdict["first_bad"]) == (1, False, 4)
    assert "record 4" in damaged.run_refused()
    found = asyncio.run(what_is_lost(damaged.daemon.config, damaged.data))
    assert found is not None
    assert (found.lost, found.loss.after, found.loss.missing) == (0, damaged.records, ((4, 4),))


def test_a_cut_tail(damaged: Damaged) -> None:
    """The store starts from a file that was cut short; the lost records are counted, and an admin can go on."""
    total = damaged.records
    damaged.forget_snapshots()
    damaged.cut(6)
    verdict = damaged.verified()
    assert (verdict.first_bad, verdict.records) == (6, 5)
    assert f"{total - 5} records are lost" in damaged.refused()
    told = damaged.goes_on()
    assert (told["after"], told["lost"]) == (5, total - 5)


def test_a_deleted_key(damaged: Damaged) -> None:
    """A journal whose key was deleted is no first start, even if its files are all that is left of it."""
    damaged.tamper("DEL", JOURNAL)
    damaged.forget_snapshots()
    verdict = damaged.verified()
    assert (verdict.ok, verdict.first_bad, verdict.records) == (False, 1, 0)
    (damaged.data / WITNESS).unlink()  # a new node: what the leader noted in the store remains
    assert "records are lost" in damaged.refused()


@pytest.mark.parametrize("left", ["usherd:{acme}:inbox", "usherd:{acme}:blob:journal-begun"])
def test_a_key_deleted_before_anybody_noted_a_record(damaged: Damaged, left: str) -> None:
    """With no witness at all the inbox, or the mark that came with the first record, shows that there was a journal."""
    damaged.forget_snapshots()
    (damaged.data / WITNESS).unlink()
    others = {"usherd:{acme}:inbox", "usherd:{acme}:blob:journal-begun"} - {left}
    damaged.tamper("DEL", JOURNAL, "usherd:{acme}:doc:witness", *others)
    verdict = damaged.verified()
    assert (verdict.ok, verdict.first_bad, verdict.records) == (False, 1, 0)
    assert "journal is gone" in verdict.problem
    assert "journal is gone" in damaged.refused()
    if left.endswith("inbox"):
        assert damaged.goes_on()["after"] == 0


def test_a_deleted_record(damaged: Damaged) -> None:
    """A record taken out of the stream leaves a hole that is named."""
    damaged.forget_snapshots()
    damaged.tamper("XDEL", JOURNAL, "1-2")
    assert damaged.verified().first_bad == 3
    assert "hole" in damaged.refused()


def test_a_damaged_snapshot(damaged: Damaged) -> None:
    """A flipped bit in the newest snapshot is named by verify, and a node starts from the one before."""
    newest = max((damaged.data / "archive" / "acme" / "snapshots").iterdir())
    raw = bytearray(newest.read_bytes())
    raw[-10] ^= 1
    newest.write_bytes(bytes(raw))
    verdict = damaged.verified()
    assert (verdict.ok, verdict.first_bad, verdict.snapshots) == (False, damaged.records, 1)
    assert newest.name in verdict.problem
    assert asyncio.run(what_is_lost(damaged.daemon.config, damaged.data)) is None
