"""Erasing a customer, through the real daemon: every file is searched for what they wrote, before and after."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from tests.acceptance.desk_client import DeskClient
from tests.fakes.scripted_smtp import ScriptedSmtp, listening
from tests.support.daemons import RunningDaemon, until, write_workspace
from tests.support.mischief import holding, put_away
from tests.support.stores import bare_server

pytestmark = pytest.mark.timeout(600)  # several starts of a whole daemon

MARK = "okapi7f3q9"
OTHER = "Where is the other one's suitcase?"
LARGE = 400  # kB, more than what lies in the store itself


def mail(number: int, *, kilobytes: int = 1) -> bytes:
    """A mail with the mark in address, name, subject, text, file name and, unencoded, in the file."""
    made = EmailMessage()
    made["From"] = f"{MARK} Zoo <{MARK}@example.org>"
    made["To"] = "help@acme.example"
    made["Subject"] = f"please refund my {MARK} {number}"
    made["Message-ID"] = f"<{MARK}-{number}@example.org>"
    made.set_content(f"Hello, I want my {MARK} back. It was number {number}.")
    lines = "".join(f"{MARK} {line} {'x' * 60}\n" for line in range(kilobytes * 12))
    made.add_attachment(lines, filename=f"{MARK}.txt", cte="7bit")
    return made.as_bytes()


async def send(daemon: RunningDaemon, raw: bytes, sender: str = f"{MARK}@example.org") -> None:
    """Hand it in by SMTP."""
    host, port = daemon.smtp
    async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=30) as client:
        await client.sendmail(sender, ["help@acme.example"], raw)


@contextmanager
def any_store(kind: str, folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The embedded store or one at a URL; gives YAML for the workspace and the folders that hold its files."""
    if kind == "embedded":
        yield "", []
        return
    # uncompressed, so that what is left behind would be seen; the embedded store's file may hide it
    with bare_server(folder / "server", "rdbcompression no") as url:
        yield f"store: {{url: {url}}}\nblobs: {{folder: {folder / 'shared'}}}\n", [folder / "server", folder / "shared"]


@asynccontextmanager
async def ana_at(daemon: RunningDaemon) -> AsyncIterator[DeskClient]:
    """Ana at her desk, available."""
    link = daemon.ask("/v1/links", "POST", json={"agent": "ana"})["url"]
    async with DeskClient.signed_in("ana", link) as ana:
        await ana.act("status", status="available")
        yield ana


def quiet(daemon: RunningDaemon, contacts: int) -> bool:
    """Whether all is in its place."""
    status = daemon.ask("/v1/status")
    return status["inbox_lag"] == 0 and status["outbox_lag"] == 0 and len(daemon.contacts()) == contacts


async def correspond(daemon: RunningDaemon) -> None:
    """Two mails of the customer, one large; an answer, a note; and a mail of somebody else."""
    await send(daemon, mail(1))
    await send(daemon, mail(2, kilobytes=LARGE))
    other = (
        f"From: other@example.net\r\nTo: help@acme.example\r\nSubject: {OTHER}\r\n"
        "Message-ID: <other@example.net>\r\n\r\nmy suitcase\r\n"
    )
    await send(daemon, other.encode(), "other@example.net")
    await until(lambda: quiet(daemon, 3))
    async with ana_at(daemon) as ana:
        await ana.until(lambda _: ana.offer_about(f"please refund my {MARK} 1") is not None, "an offer")
        contact = await ana.accept(ana.offer_about(f"please refund my {MARK} 1") or {})
        await ana.act("note", contact=contact, text=f"a colleague on {MARK}")
        await ana.act("reply", contact=contact, text=f"Dear {MARK}, it is on its way.")
    await until(lambda: quiet(daemon, 3))


def erase(daemon: RunningDaemon, whom: str) -> dict[str, Any]:
    """`usherd erase`."""
    done = daemon.usherd("erase", whom, "--yes", "--json", "--data", str(daemon.data))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(daemon: RunningDaemon) -> list[tuple[str, str, str | None]]:
    """State, flag and subject of all contacts."""
    return sorted((one["state"], one["flag"] or "", one["subject"]) for one in daemon.contacts())


@pytest.mark.parametrize("kind", ["embedded", "url"])
async def test_no_file_holds_a_word_of_who_was_erased(kind: str, tmp_path: Path) -> None:
    """Store, blobs, logs and everything else: there before, nowhere after; another customer's contact is as it was."""
    with any_store(kind, tmp_path) as (extra, folders):
        async with listening(ScriptedSmtp()) as port:
            daemon = RunningDaemon(write_workspace(tmp_path / "config", send_port=port, extra=extra), tmp_path / "data")
            daemon.start()
            everywhere = [daemon.data, daemon.log, *folders]
            try:
                await correspond(daemon)
                assert any("appendonlydir" in path for path in holding(*everywhere, word=MARK.encode()))
                if kind == "embedded":
                    said = await asyncio.to_thread(put_away, daemon.config, daemon.data)
                    assert json.loads(said.stdout)["trimmed"] > 0, said
                found = erase(daemon, f"{MARK.upper()}@Example.org")
                assert (found["done"], found["problem"], len(found["contacts"]), found["keys"]) == (True, "", 2, 1)
                assert found["messages"] == 4
                await until(lambda: not holding(*everywhere, word=MARK.encode()), seconds=20)
                assert shown(daemon) == [("resolved", "erased", None)] * 2 + [("waiting", "", OTHER)]
                await send(daemon, mail(3))  # they are free to come back, as somebody new
                await until(lambda: quiet(daemon, 4))
                assert sum(subject is not None for _, _, subject in shown(daemon)) == 2
                erase(daemon, f"{MARK}@example.org")
                if kind == "embedded":
                    await asyncio.to_thread(put_away, daemon.config, daemon.data)
            finally:
                await asyncio.to_thread(daemon.stop)
            assert holding(*everywhere, word=MARK.encode()) == []
            assert kind == "url" or holding(daemon.data / "archive", word=b'"erased"')
            verdict = daemon.usherd("journal", "verify", "--config", str(daemon.config), "--data", str(daemon.data))
            assert verdict.returncode == 0, verdict.stderr


async def test_who_comes_back_with_a_backup_is_erased_again(tmp_path: Path) -> None:
    """The store's files of before the erasure are put back, the list of the erased is kept: they go once more."""
    daemon = RunningDaemon(write_workspace(tmp_path / "config"), tmp_path / "data")
    daemon.start()
    try:
        await send(daemon, mail(1))
        await until(lambda: quiet(daemon, 1))
        daemon.stop()
        shutil.copytree(daemon.data, tmp_path / "backup")
        daemon.start()
        [contact] = daemon.contacts()
        assert erase(daemon, contact["id"])["keys"] == 1
        await send(daemon, mail(2))
        await until(lambda: quiet(daemon, 2))
        assert erase(daemon, daemon.contacts()[-1]["customer"])["keys"] == 1
        daemon.stop()
        listed = (daemon.data / "erased.json").read_bytes()
        shutil.rmtree(daemon.data)
        shutil.copytree(tmp_path / "backup", daemon.data)
        (daemon.data / "erased.json").write_bytes(listed)
        daemon.start()
        await until(lambda: shown(daemon) == [("resolved", "erased", None)])
        await until(lambda: not holding(daemon.data, daemon.log, word=MARK.encode()))
        await send(daemon, mail(3))
        await until(lambda: quiet(daemon, 2))
        daemon.stop()
        daemon.start()
        assert {subject for *_, subject in shown(daemon)} == {None, f"please refund my {MARK} 3"}
    finally:
        daemon.stop()


async def test_nobody_is_erased_by_a_slip(tmp_path: Path) -> None:
    """Without --yes nothing happens where nobody can be asked; a name that means nobody is an error."""
    daemon = RunningDaemon(write_workspace(tmp_path / "config"), tmp_path / "data")
    daemon.start()
    try:
        await send(daemon, mail(1))
        await until(lambda: quiet(daemon, 1))
        unsure = daemon.usherd("erase", f"{MARK}@example.org", "--json", "--data", str(daemon.data))
        assert (unsure.returncode, "--yes" in unsure.stdout + unsure.stderr) == (2, True)
        nobody = daemon.usherd("erase", "nobody@example.org", "--yes", "--json", "--data", str(daemon.data))
        assert nobody.returncode != 0
        assert "Nobody is known" in json.loads(nobody.stdout)["error"]["message"]
        assert shown(daemon)[0][1] == ""
    finally:
        daemon.stop()
