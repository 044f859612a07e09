"""Commands that ask a running daemon: JSON and nothing else for scripts, tables for people."""

from __future__ import annotations

import json
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.daemons import RunningDaemon, until, write_workspace

MAIL = (
    "From: Ada <ada@customer.example>\r\nTo: help@acme.example\r\nSubject: please refund my order\r\n"
    "Message-ID: <m1@customer.example>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n"
    "Hello, I want my money back. [bold]Thanks[/]\r\n"
)
LIST = (
    "From: news@list.example\r\nTo: help@acme.example\r\nSubject: News\r\nList-Id: <news.list.example>\r\n"
    "Precedence: bulk\r\nMessage-ID: <l1@list.example>\r\n\r\nNothing new.\r\n"
)
NOTHING = "\r\n"  # cannot be read, whatever the workspace


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """One daemon for all tests here, with a contact that waits and a message in quarantine."""
    folder = tmp_path_factory.mktemp("daemon")
    running = RunningDaemon(write_workspace(folder / "config"), folder / "data")
    running.start()
    try:
        with smtplib.SMTP(*running.smtp) as client:
            for sender, mail in (
                ("ada@customer.example", MAIL),
                ("news@list.example", LIST),
                ("eve@evil.example", NOTHING),
            ):
                client.sendmail(sender, ["help@acme.example"], mail)
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
async def _settled(daemon: RunningDaemon) -> None:
    """Both messages are in their place."""
    await until(lambda: daemon.ask("/v1/status")["journal"]["records"] and len(daemon.contacts()) >= 2)


def plain(daemon: RunningDaemon, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command as a person types it."""
    run = daemon.usherd(*command, "--data", str(daemon.data))
    assert run.returncode == code, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    return run


def as_json(daemon: RunningDaemon, *command: str, code: int = 0) -> Any:  # noqa: ANN401  # JSON
    """A command as a script calls it: one line of JSON on stdout, nothing else."""
    run = plain(daemon, *command, "--json", code=code)
    [line] = run.stdout.splitlines()
    return json.loads(line)


def quarantined(daemon: RunningDaemon) -> str:
    """The id of the message in quarantine."""
    [item] = daemon.ask("/v1/quarantine")["quarantine"]
    return str(item["id"])


def waiting(daemon: RunningDaemon) -> dict[str, Any]:
    """The contact of the refund, as `contacts --json` shows it."""
    [found] = [one for one in as_json(daemon, "contacts")["contacts"] if one["messages"][0]["external_id"]]
    contact: dict[str, Any] = found
    return contact


def test_status(daemon: RunningDaemon) -> None:
    """`status` tells who leads, how long the journal is and what lags."""
    found = as_json(daemon, "status")
    assert {"node", "leader", "epoch", "config", "journal", "inbox_lag", "outbox_lag", "channels", "problems"} <= set(
        found
    )
    assert found["leader"] == found["node"]
    assert found["journal"]["records"] > 2
    shown = plain(daemon, "status").stdout
    assert found["node"] in shown
    assert "records" in shown


def test_queue(daemon: RunningDaemon) -> None:
    """`queue` tells what waits by requirement, and how many could take it."""
    found = as_json(daemon, "queue")
    assert found["waiting"] == sum(profile["waiting"] for profile in found["profiles"]) == 2
    assert all(
        set(profile) >= {"requirement", "kind", "waiting", "oldest_seconds", "able", "free"}
        for profile in found["profiles"]
    )
    assert "2 waiting" in plain(daemon, "queue").stdout


def test_agents(daemon: RunningDaemon) -> None:
    """`agents` tells status, load and skills of each."""
    found = {agent["id"]: agent for agent in as_json(daemon, "agents")["agents"]}
    assert set(found) == {"ana", "ben"}
    assert found["ana"]["status"] == "offline"
    assert found["ana"]["skills"]["billing"] == 4
    shown = plain(daemon, "agents").stdout
    assert "ana" in shown
    assert "billing:4" in shown


def test_contacts(daemon: RunningDaemon) -> None:
    """`contacts` lists the open ones; --all and --auto are taken."""
    refund = waiting(daemon)
    assert refund["messages"][0]["external_id"] == "m1@customer.example"
    assert (refund["state"], refund["channel"], refund["agent"]) == ("waiting", "email", None)
    assert as_json(daemon, "contacts", "--all")["contacts"]
    [auto] = as_json(daemon, "contacts", "--auto")["auto"]
    assert auto["external_id"] == "l1@list.example"
    assert refund["id"] in plain(daemon, "contacts").stdout
    assert "news@list.example" in plain(daemon, "contacts", "--auto").stdout


def test_explain(daemon: RunningDaemon) -> None:
    """`explain` says why a contact waits, with its requirement; --full adds every candidate."""
    refund = waiting(daemon)["id"]
    found = as_json(daemon, "explain", refund)
    assert (found["contact"], found["decision"]) == (refund, "wait")
    assert found["requirement"]["must"]["billing"] == 2
    assert "candidates" in as_json(daemon, "explain", refund, "--full")
    run = plain(daemon, "explain", refund)
    assert "waits" in run.stderr
    assert "billing≥2" in run.stderr
    assert "choose Available" in run.stderr  # everybody who could is offline


@pytest.mark.parametrize(
    "command", ["explain c999", "explain ../status", "quarantine show 9-9", "quarantine retry 9-9"]
)
def test_what_is_unknown_is_said(daemon: RunningDaemon, command: str) -> None:
    """An id that nobody has is an error in the daemon's words: exit 1, and the error object with --json."""
    run = plain(daemon, *command.split(), code=1)
    assert run.stdout == ""
    assert "error:" in run.stderr
    assert set(as_json(daemon, *command.split(), code=1)) == {"error"}


async def test_quarantine(daemon: RunningDaemon) -> None:
    """The message that could not be read is listed with its contact, shown whole, and can be retried."""
    message = quarantined(daemon)
    [item] = as_json(daemon, "quarantine", "list")["quarantine"]
    assert item["contact"] in {contact["id"] for contact in daemon.contacts()}
    assert item["reason"]
    assert message in plain(daemon, "quarantine", "list").stdout
    shown = as_json(daemon, "quarantine", "show", message)
    assert not shown["raw"].strip()
    assert shown["size"] == len(shown["raw"])
    assert message in plain(daemon, "quarantine", "show", message).stderr
    assert as_json(daemon, "quarantine", "retry", message)["queued"] is True
    assert "being read again" in plain(daemon, "quarantine", "retry", message).stderr
    await until(lambda: daemon.ask("/v1/status")["inbox_lag"] == 0)
    assert quarantined(daemon) == message  # it is as bad as before


def test_link_and_token(daemon: RunningDaemon) -> None:
    """`link` gives an address that signs in, `token create` a token that the API takes for its scope only."""
    url = plain(daemon, "link", "ana").stdout.strip()
    assert url.startswith(f"http://{daemon.http[0]}:{daemon.http[1]}/desk")
    assert as_json(daemon, "link", "ben")["url"].startswith("http")
    assert as_json(daemon, "link", "nobody", code=1)["error"]["message"]
    made = plain(daemon, "token", "create", "--scope", "read").stdout.strip()
    root = f"http://{daemon.http[0]}:{daemon.http[1]}"
    assert daemon.usherd("status", "--url", root, "--token", made, "--json").returncode == 0
    refused = httpx.get(f"{root}/v1/quarantine", headers={"Authorization": f"Bearer {made}"})
    assert refused.status_code == 403
    assert as_json(daemon, "token", "create", "--scope", "messages")["scope"] == "messages"
    plain(daemon, "token", "create", "--scope", "everything", code=2)


def test_a_token_that_is_wrong_is_a_usage_error(daemon: RunningDaemon) -> None:
    """A daemon that does not know the token says so; exit 2."""
    run = daemon.usherd("status", "--url", f"http://{daemon.http[0]}:{daemon.http[1]}", "--token", "wrong", "--json")
    assert run.returncode == 2
    assert json.loads(run.stdout)["error"]["code"]


def test_the_journal_verifies_beside_a_running_daemon(daemon: RunningDaemon) -> None:
    """`journal verify` reads the store that the daemon runs and finds it whole."""
    before = daemon.ask("/v1/status")["journal"]
    found = as_json(daemon, "journal", "verify", "--config", str(daemon.config))
    assert (found["ok"], found["first_bad"]) == (True, None)
    assert found["records"] >= before["records"]
    assert len(found["state_hash"]) == 64
    assert "whole" in plain(daemon, "journal", "verify", "--config", str(daemon.config)).stderr


def test_a_second_daemon_is_refused(daemon: RunningDaemon) -> None:
    """`run` on the same data directory names the daemon that runs there; exit 2, and that one runs on."""
    run = daemon.usherd("run", "--config", str(daemon.config), "--data", str(daemon.data), "--json")
    assert run.returncode == 2
    assert str(daemon.pid) in json.loads(run.stdout)["error"]["message"]
    assert as_json(daemon, "status")["leader"]


def test_what_the_daemon_writes_for_commands_is_for_its_user_alone(daemon: RunningDaemon) -> None:
    """The data directory and the file with the local token can be read by nobody else."""
    for path in (daemon.data, daemon.data / "daemon.json"):
        assert Path(path).stat().st_mode & 0o077 == 0
