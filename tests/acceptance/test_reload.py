"""An edited workspace is in force within moments; a broken one changes nothing and is said so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from tests.support.daemons import RunningDaemon, until, write_workspace


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A running daemon on a small workspace."""
    running = RunningDaemon(write_workspace(tmp_path / "config"), tmp_path / "data")
    running.start()
    yield running
    running.stop()


def edit(folder: Path, old: str, new: str) -> None:
    """Replace a piece of the workspace, as an editor does: the whole file is written anew."""
    path = folder / "workspace.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def skills(daemon: RunningDaemon) -> dict[str, dict[str, int]]:
    """Skills by agent, as the engine has them."""
    return {agent["id"]: agent["skills"] for agent in daemon.ask("/v1/agents")["agents"]}


async def test_a_changed_skill_is_in_force(daemon: RunningDaemon) -> None:
    """A level edited in the YAML is the engine's without a restart, and is journaled."""
    before = daemon.ask("/v1/status")
    edit(daemon.config, "billing: 4", "billing: 2")
    await until(lambda: skills(daemon)["ana"]["billing"] == 2)
    after = daemon.ask("/v1/status")
    assert after["config"] != before["config"]
    assert after["journal"]["records"] > before["journal"]["records"]
    assert after["problems"] == []


async def test_a_broken_workspace_changes_nothing(daemon: RunningDaemon) -> None:
    """While the folder holds an error the last good workspace stays, status names file and line, and mending helps."""
    before = daemon.ask("/v1/status")["config"]
    edit(daemon.config, "billing: 2}", "biling: 2}")
    problems = await until(lambda: daemon.ask("/v1/status")["problems"])
    assert "workspace.yaml:" in problems[0]
    assert "billing" in problems[0]
    assert daemon.ask("/v1/status")["config"] == before
    edit(daemon.config, "biling: 2}", "billing: 2}")
    await until(lambda: daemon.ask("/v1/status")["problems"] == [])


async def test_a_symlink_swap_is_seen(daemon: RunningDaemon, tmp_path: Path) -> None:
    """A folder whose file is a symlink that is swapped, as Kubernetes does, comes into force."""
    path = daemon.config / "workspace.yaml"
    first, second = tmp_path / "first", tmp_path / "second"
    text = path.read_text()
    first.write_text(text)
    second.write_text(text.replace("billing: 4", "billing: 5"))
    link = tmp_path / "link"
    link.symlink_to(first)
    link.replace(path)
    link.symlink_to(second)
    link.replace(path)
    await until(lambda: skills(daemon)["ana"]["billing"] == 5)


async def test_mail_for_a_new_address_is_taken(daemon: RunningDaemon) -> None:
    """An address added to the recipients is taken mail for without a restart."""
    edit(daemon.config, "recipients: [help@acme.example]", "recipients: [help@acme.example, new@acme.example]")
    await until(lambda: "workspace_in_force" in daemon.log.read_text())
    host, port = daemon.smtp
    async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False) as client:
        await client.sendmail("x@example.org", ["new@acme.example"], b"From: x@example.org\r\n\r\nrefund please\r\n")
    assert await until(daemon.contacts)
    assert daemon.ask("/v1/status")["problems"] == []


async def test_what_takes_a_restart_is_said(daemon: RunningDaemon) -> None:
    """A changed port is journaled as part of the workspace and named as waiting for the next start."""
    edit(daemon.config, 'web: {listen: "127.0.0.1:0"}', 'web: {listen: "127.0.0.1:1"}')
    problems = await until(lambda: daemon.ask("/v1/status")["problems"])
    assert problems == ["web takes force at the next start"]


async def test_a_new_topic_is_recognised(daemon: RunningDaemon) -> None:
    """A topic with examples that is added while the daemon runs is learned, journaled with its own record, and used."""
    edit(
        daemon.config,
        "rules:\n",
        "  pets: {examples: [my dog was in the hold, where is my cat, perro perdido], keywords: [dog]}\n"
        "uncovered: [pets]\nrules:\n",
    )
    await until(lambda: "topics_in_force" in daemon.log.read_text())
    token = daemon.ask("/v1/tokens", "POST", json={"scope": "messages"})["token"]

    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"http://{daemon.http[0]}:{daemon.http[1]}/v1/messages",
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "1"},
            json={"from": {"address": "x@example.org"}, "text": "My dog was in the hold and is gone"},
        )
    assert answer.status_code == httpx.codes.ACCEPTED
    contacts = await until(daemon.contacts)
    assert contacts[0]["topics"][0]["topic"] == "pets"
