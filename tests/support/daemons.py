"""A whole usherd in a process of its own, as a user runs it; to be killed, asked and started again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.support.killing import kill

_T = TypeVar("_T")

START_SECONDS_MAX = 120.0
WORKSPACE = """
workspace: acme
languages: [en, es]
agents:
  ana: {{name: Ana Souza, skills: {{billing: 4, lang:en: 5, lang:es: 5}}, capacity: {{email: {capacity}}}}}
  ben: {{name: Ben Okoye, skills: {{baggage: 4, lang:en: 5, lang:es: 3}}, capacity: {{email: {capacity}}}}}
teams: {{triage: {{members: [ana]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order, quiero mi dinero], keywords: [refund, reembolso]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage, mi maleta no ha llegado], keywords: [suitcase, maleta]}}
rules:
  - {{when: {{topic: refund}}, require: {{billing: 2}}}}
  - {{when: {{topic: bags}}, require: {{baggage: 2}}, sla: {{first_response: 1h}}}}
offers: {{accept_within: {{email: 10m}}}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: {send_port}, tls: none}}
  http: {{}}
web: {{listen: "127.0.0.1:0"}}
"""


def write_workspace(folder: Path, *, send_port: int = 9, capacity: int = 5, extra: str = "") -> Path:
    """A small workspace with two agents, two topics, on free ports; `send_port`: where replies are handed to."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workspace.yaml").write_text(WORKSPACE.format(send_port=send_port, capacity=capacity) + extra)
    return folder


class RunningDaemon:
    """`usherd run` on a workspace and a data directory."""

    def __init__(self, config: Path, data: Path, **environment: str) -> None:
        self.config = config
        self.data = data
        self.smtp = ("", 0)
        self.http = ("", 0)
        self.pid = 0
        self.log = data.parent / f"{data.name}.log"
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, Any]:
        """Start and wait for `ready`; gives that line. Fails with the log if the daemon ends before."""
        with self.log.open("ab") as log:
            offset = log.tell()
            command = [sys.executable, "-m", "router", "run", "--config", str(self.config), "--data", str(self.data)]
            self._process = subprocess.Popen(command, stderr=log, stdout=log, env=self._environment)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            ready = self._ready(offset)
            if ready is not None:
                self.pid = int(ready["pid"])
                self.smtp, self.http = _address(ready["smtp"] or ":0"), _address(ready["http"])
                return ready
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the daemon did not get ready:\n{self.log.read_text()[-4_000:]}")

    def _ready(self, offset: int) -> dict[str, Any] | None:
        for line in self.log.read_bytes()[offset:].splitlines():
            if b'"ready"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    def said(self, event: str) -> dict[str, Any]:
        """The last log line of this event."""
        lines = [json.loads(line) for line in self.log.read_bytes().splitlines() if f'"{event}"'.encode() in line]
        found: dict[str, Any] = next(line for line in reversed(lines) if line["event"] == event)
        return found

    def kill(self) -> None:
        """SIGKILL to the daemon alone; its store lives on."""
        kill(self.pid)
        self.wait()

    def kill_store(self) -> None:
        """SIGKILL to the store alone, once there is one: after a kill the next is up a moment later."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                return kill(self.store_pid)
            except ProcessLookupError:
                time.sleep(0.01)
        raise AssertionError("no store to kill")

    @property
    def store_pid(self) -> int:
        """The embedded store's process; 0 while it is being started."""
        return int(json.loads((self.data / "store.json").read_bytes())["pid"])

    @property
    def ended(self) -> bool:
        """Whether its process is over."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> int:
        """SIGTERM, and wait; gives the exit code."""
        if self._process is None or self._process.poll() is not None:
            return 0 if self._process is None else self._process.returncode
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; gives the exit code."""
        return self._process.wait(60) if self._process is not None else 0

    def usherd(self, *arguments: str, guard: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command on the same configuration and data; `guard`: seconds, against hanging."""
        command = [sys.executable, "-m", "router", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=guard)

    def ask(self, path: str, method: str = "GET", **rest: Any) -> Any:  # noqa: ANN401  # JSON
        """The JSON that the HTTP API gives to the local admin."""
        token = json.loads((self.data / "daemon.json").read_bytes())["token"]
        url = f"http://{self.http[0]}:{self.http[1]}{path}"
        answer = httpx.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=30, **rest)
        answer.raise_for_status()
        return answer.json()

    def contacts(self) -> list[dict[str, Any]]:
        """All contacts, resolved ones too."""
        found: list[dict[str, Any]] = self.ask("/v1/contacts?all=true")["contacts"]
        return found


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def until(true: Callable[[], _T], seconds: float = 60.0, step: float = 0.05) -> _T:
    """Wait until `true()` gives something true, and give that; fails after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        found = await asyncio.to_thread(true)
        if found:
            return found
        await asyncio.sleep(step)
    raise AssertionError(f"did not come true within {seconds} s")
