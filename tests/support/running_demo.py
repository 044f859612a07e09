"""`usherd demo` in a process of its own, run from a folder and a home that were empty: what it leaves can be seen."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.support.daemons import until
from tests.support.killing import kill

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 120.0


class Place:
    """An empty folder to run in, an empty home, a folder for temporary files."""

    def __init__(self, folder: Path) -> None:
        self.here, self.home = folder / "here", folder / "home"
        self.temporary = Path(tempfile.mkdtemp(prefix="usherd-"))  # a short name: sockets are made in it
        self.errors = folder / "errors"
        self._started: list[subprocess.Popen[bytes]] = []
        for path in (self.here, self.home):
            path.mkdir()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run `usherd` here, in a process group of its own, as a terminal's shell does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
        environment |= {"HOME": str(self.home), "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        with self.errors.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "router", *arguments],
                cwd=self.here,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def clear(self) -> None:
        """End whatever a failed test leaves running, by id."""
        for number in self.processes():
            with suppress(ProcessLookupError):
                kill(number)
        for process in self._started:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        shutil.rmtree(self.temporary)

    def processes(self) -> dict[int, str]:
        """Command lines of all processes that were started here, by id: each has inherited our TMPDIR."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # gone meanwhile, or somebody else's
        return {number: line for number, line in found.items() if line}

    def leftovers(self) -> list[str]:
        """Processes that still run and files that lie about; a demo leaves none."""
        files = [*self.here.iterdir(), *self.temporary.iterdir()]
        return [*self.processes().values(), *(str(path) for path in files)]


@contextmanager
def empty_place(folder: Path) -> Iterator[Place]:
    """Somewhere to run it; nothing runs there afterwards."""
    place = Place(folder)
    try:
        yield place
    finally:
        place.clear()


class Demo:
    """An interactive demo whose output nobody watches but us."""

    def __init__(self, place: Place) -> None:
        self.data = place.home / "data"
        self.process = place.start("demo", "--data", str(self.data))
        self._errors = place.errors

    async def ready(self) -> None:
        """Wait until it has said what to open."""
        await until(lambda: self.smtp is not None or self.process.poll() is not None, seconds=START_SECONDS_MAX)
        assert self.smtp is not None, self.said

    @property
    def said(self) -> str:
        """All it has printed."""
        return self._errors.read_text()

    @property
    def page(self) -> str:
        """The address of the page that shows both sides."""
        found = re.search(r"(http://\S+/demo)\n", self.said)
        return found.group(1) if found else ""

    def link_after(self, words: str) -> str:
        """The sign-in link that follows these words; "" if it was not printed yet."""
        found = re.search(rf"(?s){words}.*?(http://\S+/desk#link=\S+)\n", self.said)
        return found.group(1) if found else ""

    @property
    def smtp(self) -> tuple[str, int] | None:
        """Where it says that mail may be sent to."""
        found = re.search(r"--server (\S+):(\d+)", self.said)
        return (found.group(1), int(found.group(2))) if found else None

    async def send(self, subject: str, text: str) -> str:
        """Send a mail from outside the sample; gives the link to the desk it was offered at."""
        host, port = self.smtp or ("", 0)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "you@example.org", "help@alba-air.example", subject
        mail.set_content(text)
        with smtplib.SMTP(host, port, timeout=60) as client:
            client.send_message(mail)
        return await until(lambda: self.link_after("Your mail"))

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        """The JSON of a command about it."""
        command = [sys.executable, "-m", "router", *arguments, "--json", "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return json.loads(done.stdout)

    def contacts(self) -> dict[str, dict[str, Any]]:
        """All contacts, by id."""
        return {one["id"]: one for one in self.ask("contacts", "--all")["contacts"]}

    def contact_about(self, subject: str) -> dict[str, Any]:
        """The contact with this subject."""
        found = [one for one in self.contacts().values() if one["subject"] == subject]
        assert found, self.said[-4_000:]
        return found[0]

    def answered_by(self, agent: str) -> int:
        """How many contacts an agent has answered."""
        return sum(
            one["agent"] == agent and any(message["direction"] == "out" for message in one["messages"])
            for one in self.contacts().values()
        )

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal as a terminal does, to every process in the foreground; gives the exit code."""
        os.killpg(self.process.pid, how)
        self.process.communicate(timeout=120)
        return self.process.returncode
