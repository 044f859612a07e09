"""`usherd demo` as somebody meets it who has just cloned the project: timed, and with mail of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.desk_client import DeskClient
from tests.support.daemons import until

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "received",
    "contacts",
    "auto",
    "quarantined",
    "lost",
    "assigned",
    "answered",
    "skill_violations",
    "capacity_violations",
    "assign_seconds_p50",
    "assign_seconds_p99",
    "utilisation_cv",
}

pytestmark = pytest.mark.timeout(400)


class Place:
    """An empty folder to run in, an empty home, a folder for temporary files: what is left in them can be seen."""

    def __init__(self, folder: Path) -> None:
        self.here, self.home, self.temporary = folder / "here", folder / "home", folder / "tmp"
        for path in (self.here, self.home, self.temporary):
            path.mkdir()

    def start(self, *arguments: str, errors: Path) -> subprocess.Popen[bytes]:
        """Run `usherd` here, in a process group of its own, as a terminal's shell does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        with errors.open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "router", *arguments],
                cwd=self.here,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )

    def processes(self) -> list[str]:
        """Command lines of all processes that were started here: each has inherited our TMPDIR."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # gone meanwhile, or somebody else's
        return [line for line in found if line]

    def is_clean(self) -> bool:
        """Whether no process is left and nothing lies about."""
        return not self.processes() and not [*self.here.iterdir(), *self.temporary.iterdir()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere to run it; whatever a failed test leaves running is killed."""
    found = Place(tmp_path)
    yield found
    mark = f"TMPDIR={found.temporary}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


async def test_a_timed_demo_ends_by_itself_with_nothing_lost(place: Place, tmp_path: Path) -> None:
    """Every contact reaches an agent who has the skills and room; the figures are complete; nothing is left behind."""
    errors = tmp_path / "errors"
    process = place.start("demo", "--seconds", "20", "--json", errors=errors)
    out, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, errors.read_text()[-4_000:] + out.decode()
    figures = json.loads(out)
    assert set(figures) >= KEYS
    assert figures["lost"] == figures["skill_violations"] == figures["capacity_violations"] == 0
    assert figures["assigned"] == figures["contacts"] >= 50
    assert figures["received"] >= figures["contacts"] + figures["auto"]
    assert figures["auto"] > 0
    assert figures["quarantined"] <= 1
    assert figures["answered"] > 0
    assert 0 <= figures["assign_seconds_p50"] <= figures["assign_seconds_p99"]
    assert "Traceback" not in errors.read_text()
    assert place.is_clean(), place.processes()


class Demo:
    """An interactive demo whose output nobody watches but us."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path, data: Path) -> None:
        self.process = process
        self.data = data
        self._errors = errors

    @property
    def said(self) -> str:
        """All it has printed."""
        return self._errors.read_text()

    def link_for(self, words: str) -> str | None:
        """The sign-in link on the line that has these words."""
        found = re.search(rf"(?s){words}.*?(http://\S+/desk#link=\S+)", self.said)
        return found.group(1) if found else None

    @property
    def smtp(self) -> tuple[str, int] | None:
        """Where it says that mail may be sent to."""
        found = re.search(r"--server (\S+):(\d+)", self.said)
        return (found.group(1), int(found.group(2))) if found else None

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """The JSON of a command about it."""
        command = [sys.executable, "-m", "router", *arguments, "--json", "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return json.loads(done.stdout)

    def contacts(self) -> dict[str, dict[str, Any]]:
        """All contacts, by id."""
        return {one["id"]: one for one in self.ask("contacts", "--all")["contacts"]}

    def answered_by(self, agent: str) -> int:
        """How many contacts an agent has answered or resolved."""
        return sum(
            one["agent"] == agent and any(message["direction"] == "out" for message in one["messages"])
            for one in self.contacts().values()
        )


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
async def test_a_mail_of_ones_own_is_left_to_whoever_opens_the_desk(
    place: Place, tmp_path: Path, signal_sent: signal.Signals
) -> None:
    """It stands on an able agent's desk, no simulated agent answers it, a person can; Ctrl-C ends all of it."""
    errors = tmp_path / "errors"
    process = place.start("demo", "--data", str(place.home / "data"), errors=errors)
    demo = Demo(process, errors, place.home / "data")
    await until(lambda: demo.smtp is not None or process.poll() is not None, seconds=120)
    assert demo.link_for("Open a desk") is not None, demo.said

    host, port = demo.smtp or ("", 0)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "you@example.org", "help@alba-air.example", "Where is my suitcase?"
    mail.set_content("My suitcase did not arrive with flight AB 123.")
    with smtplib.SMTP(host, port, timeout=60) as client:
        client.send_message(mail)
    link = await until(lambda: demo.link_for("Your mail") or "")

    async with DeskClient.signed_in(agent := await agent_of(demo), link) as desk:
        await desk.until(lambda _: desk.offer_about("Where is my suitcase?") is not None, "the mail")
        offer = desk.offer_about("Where is my suitcase?")
        assert offer is not None
        must = demo.contacts()[offer["contact"]["id"]]["requirement"]["must"]
        skills = next(one["skills"] for one in demo.ask("agents")["agents"] if one["id"] == agent)
        assert must
        assert all(skills.get(skill, 0) >= level for skill, level in must.items())

        contact = await desk.accept(offer)
        before = demo.answered_by(agent)
        await until(lambda: demo.answered_by(agent) >= before + 2, seconds=240, step=1)
        mine = demo.contacts()[contact]
        assert (mine["agent"], mine["state"]) == (agent, "assigned")
        assert [message["direction"] for message in mine["messages"]] == ["in"]
        await desk.act("reply", contact=contact, text="It is on its way.")
        await desk.card_when(contact, lambda card: card["items"][-1]["delivery"] == "sent", "the delivery")

    os.killpg(process.pid, signal_sent)  # as a terminal does: to every process in the foreground
    await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, demo.said[-4_000:]
    assert "Traceback" not in demo.said
    assert place.is_clean(), place.processes()


async def agent_of(demo: Demo) -> str:
    """Whom the mail of one's own was offered to."""
    for one in demo.contacts().values():
        if one["subject"] == "Where is my suitcase?":
            found = demo.ask("explain", one["id"])
            return str(found["agent"])
    raise AssertionError("the mail is in no contact")
