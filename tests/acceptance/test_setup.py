"""A newcomer's path: `usherd init`, the daemon, the first mail; then what an edit would change, before it is made."""

from __future__ import annotations

import asyncio
import json
import shutil
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.app.starter import HTTP_PORT
from tests.support.daemons import RunningDaemon, until, write_workspace


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A running daemon on a small workspace."""
    running = RunningDaemon(write_workspace(tmp_path / "config"), tmp_path / "data")
    running.start()
    yield running
    running.stop()


def mail(daemon: RunningDaemon, to: str, text: str, number: int = 1) -> None:
    """Send a mail as a mail server would."""
    raw = (
        f"From: Ada <ada{number}@customer.example>\r\nTo: {to}\r\nSubject: Question {number}\r\n"
        f"Message-ID: <{number}@customer.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\n{text}\r\n"
    )
    with smtplib.SMTP(*daemon.smtp, timeout=60) as client:
        client.sendmail(f"ada{number}@customer.example", [to], raw)


async def test_from_init_to_the_first_contact(tmp_path: Path) -> None:
    """What `init --yes` writes passes the check, runs, and the first mail becomes a contact of the right topic."""
    folder = tmp_path / "acme"
    daemon = RunningDaemon(folder, tmp_path / "data")
    made = daemon.usherd("init", str(folder), "--yes", "--json")
    assert made.returncode == 0, made.stderr
    agent = json.loads(made.stdout)["next"][1].split()[2]
    assert daemon.usherd("check", "--config", str(folder)).returncode == 0
    listen = json.loads(made.stdout)["listen"]
    page = (folder / "workspace.yaml").read_text()
    if listen["http"] == HTTP_PORT:  # commented out, as it is the default
        page = page.replace("# web:  ", "web:    ").replace(
            '#   listen: "127.0.0.1:8080"', '  listen: "127.0.0.1:8080"'
        )
    for port in listen.values():  # what is free now may be somebody's in a moment
        assert f'"127.0.0.1:{port}"' in page
        page = page.replace(f'"127.0.0.1:{port}"', '"127.0.0.1:0"')
    (folder / "workspace.yaml").write_text(page)
    daemon.start()
    try:
        await asyncio.to_thread(mail, daemon, "help@acme.example", "I want my money back, please refund order 1182.")
        [contact] = await until(daemon.contacts)
        assert contact["topics"][0]["topic"] == "refund"
        link = daemon.usherd("link", agent, "--data", str(daemon.data))
        assert link.returncode == 0, link.stderr
        assert "/desk#link=" in link.stdout
    finally:
        daemon.stop()


def diff(daemon: RunningDaemon, folder: Path) -> dict[str, Any]:
    """The JSON of `usherd diff`."""
    ran = daemon.usherd("diff", "--config", str(folder), "--data", str(daemon.data), "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


async def test_a_folder_in_force_has_no_difference_and_an_edited_copy_has_its_own(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    """`diff` tells the edits of a copy, and the waiting contacts nobody could take; nothing is put in force."""
    assert diff(daemon, daemon.config) == {**diff(daemon, daemon.config), "same": True, "changes": [], "dead_ends": []}
    copy = tmp_path / "copy"
    shutil.copytree(daemon.config, copy)
    await asyncio.to_thread(mail, daemon, "help@acme.example", "My suitcase did not arrive, it is lost luggage.")
    await until(daemon.contacts)
    text = (copy / "workspace.yaml").read_text()
    (copy / "workspace.yaml").write_text(
        text.replace("baggage: 4", "baggage: 3").replace("require: {baggage: 2}", "require: {baggage: 4}")
        + "uncovered: [bags]\n"
    )
    found = diff(daemon, copy)
    assert found["same"] is False
    assert {"path": "agents.ben.skills.baggage", "before": 4, "after": 3} in found["changes"]
    assert [(one["what"], one["topic"], one["waiting"]) for one in found["dead_ends"]] == [
        ("topic", "bags", 0), ("waiting", "bags", 1),
    ]  # fmt: skip
    assert daemon.ask("/v1/workspace")["workspace"]["agents"]["ben"]["skills"]["baggage"] == 4
    words = daemon.usherd("diff", "--config", str(copy), "--data", str(daemon.data))
    assert "ben's baggage: 4 → 3" in words.stdout
    assert "1 contact that waits" in words.stderr


async def test_words_alone_are_a_difference_too(daemon: RunningDaemon, tmp_path: Path) -> None:
    """A copy that differs in a name only is not the same, though no decision changes."""
    copy = tmp_path / "copy"
    shutil.copytree(daemon.config, copy)
    text = (copy / "workspace.yaml").read_text()
    (copy / "workspace.yaml").write_text(text.replace("Ana Souza", "Ana Lima"))
    found = diff(daemon, copy)
    assert (found["same"], found["changes"]) == (False, [])


def run_import(daemon: RunningDaemon, *files: Path, dry: bool = False) -> dict[str, Any]:
    """The JSON of `usherd import`."""
    options = ["--dry-run"] if dry else []
    ran = daemon.usherd("import", *map(str, files), "--data", str(daemon.data), "--json", *options)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


async def test_an_import_brings_open_contacts_and_a_second_one_nothing(daemon: RunningDaemon, tmp_path: Path) -> None:
    """Lines and mails become contacts with topic and owner, once; nobody gets a receipt; what is odd is named."""
    lines = tmp_path / "open.jsonl"
    exports: list[object] = [
        {"id": "T-1", "from": "Ada <ada@customer.example>", "subject": "Hi", "text": "Hello?", "tags": ["bags"]},
        {"id": "T-2", "from": "bob@customer.example", "text": "My money!", "tags": ["refund"], "assignee": "ben"},
        {"id": "T-3", "text": "Nobody wrote this."},
    ]
    lines.write_text("\n".join(map(json.dumps, exports)))
    box = tmp_path / "open.mbox"
    box.write_bytes(
        b"From ada Fri Nov 20 10:00:00 2026\nFrom: Ada <ada1@customer.example>\nTo: help@acme.example\n"
        b"Subject: Question 1\nMessage-ID: <1@customer.example>\nDate: Fri, 20 Nov 2026 10:00:00 +0000\n"
        b"\n>From here my suitcase is lost.\n"
    )
    dry = run_import(daemon, lines, box, dry=True)
    assert (dry["imported"], dry["dry_run"], daemon.contacts()) == (3, True, [])

    first = run_import(daemon, lines, box)
    assert (first["imported"], first["duplicates"], first["assigned"], first["notes"]) == (3, 0, 1, [])
    assert [(Path(one["file"]).name, one["place"]) for one in first["skipped"]] == [("open.jsonl", 3)]
    await until(lambda: len(daemon.contacts()) == 3)
    contacts = daemon.contacts()
    topics = {contact["subject"]: contact["topics"][0]["topic"] for contact in contacts}
    assert topics == {"Hi": "bags", "": "refund", "Question 1": "bags"}
    assert [contact["agent"] for contact in contacts if contact["subject"] == ""] == ["ben"]

    second = run_import(daemon, lines, box)
    assert (second["imported"], second["duplicates"]) == (0, 3)
    raw = "From here my suitcase is lost."
    await asyncio.to_thread(mail, daemon, "help@acme.example", raw)  # the same mail, now delivered
    assert run_import(daemon, box)["duplicates"] == 1
    assert len(daemon.contacts()) == 3
    assert daemon.ask("/v1/status")["outbox_lag"] == 0
