"""The node's clock and the store's jump, alone and together, under real processes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.desk_client import DeskClient
from tests.support.daemons import WORKSPACE, RunningDaemon, until
from tests.support.failover import DURABLE, Server

pytestmark = [pytest.mark.needs("faketime"), pytest.mark.timeout(300)]

HOUR = 3_600
DAY = 24 * HOUR
SITE = """
import pathlib, time
true, true_ns, file = time.time, time.time_ns, pathlib.Path({file!r})
time.time = lambda: true() + int(file.read_text())
time.time_ns = lambda: true_ns() + int(file.read_text()) * 10**9
"""
CHAT_SECONDS = 2  # an offer of a chat stands so long


class FakeClock:
    """The wall clock of a process; its monotonic clock is the true one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let it be ahead of the true one by so much, at once."""
        self._file.with_suffix(".new").write_text(f"{seconds:+d}\n")
        self._file.with_suffix(".new").rename(self._file)

    def for_a_server(self) -> dict[str, str]:
        """What a program in C is started with to go by it."""
        asked = subprocess.run(["faketime", "-m", "-f", "+0", "env"], capture_output=True, text=True, check=True)
        library = next(line for line in asked.stdout.splitlines() if line.startswith("LD_PRELOAD="))
        return {
            "LD_PRELOAD": library.partition("=")[2].strip(":"),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def for_python(self) -> dict[str, str]:
        """What Python is started with: libfaketime 0.9.10 breaks its `time.sleep`."""
        folder = self._file.with_suffix(".site")
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(SITE.format(file=str(self._file)))
        return {"PYTHONPATH": str(folder)}


class Jumping:
    """A daemon and its store, each with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.node, self.theirs = FakeClock(folder / "node.clock"), FakeClock(folder / "store.clock")
        self.store = Server(folder / "store", *DURABLE, environment={**os.environ, **self.theirs.for_a_server()})
        text = WORKSPACE.format(send_port=9, capacity="20, chat: 20")
        text = text.replace("{email: 10m}}", f"{{email: 10m, chat: {CHAT_SECONDS}s}}, away_after_lapses: 100}}")
        (folder / "config").mkdir()
        (folder / "config" / "workspace.yaml").write_text(
            f"{text}store: {{url: 'redis://127.0.0.1:{self.store.port}'}}\n"
        )
        self.daemon = RunningDaemon(folder / "config", folder / "data", **self.node.for_python())
        try:
            self.daemon.start()
        except AssertionError:
            self.store.end()
            raise
        self.sent = 0
        self._token = json.loads((folder / "data" / "daemon.json").read_bytes())["token"]

    def set(self, node: int, store: int) -> None:
        """Both clocks, in seconds ahead of the true time."""
        self.node.set(node)
        self.theirs.set(store)

    def problems(self, word: str) -> bool:
        """Whether `usherd status` says it."""
        return any(word in problem for problem in self.daemon.ask("/v1/status")["problems"])

    def calm(self) -> bool:
        """Whether no clock is a problem; that one jumped a while ago is none."""
        return not any("clock" in said and "jumped" not in said for said in self.daemon.ask("/v1/status")["problems"])

    def send(self, kind: str) -> str:
        """A message comes in, and once more; gives its id, which both have."""
        self.sent += 1
        body = {"kind": kind, "from": {"address": f"c{self.sent}@x.example"}, "text": "my suitcase did not arrive"}
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": f"m{self.sent}"}
        url = f"http://{self.daemon.http[0]}:{self.daemon.http[1]}/v1/messages"
        one, other = (httpx.post(url, json=body, headers=headers, timeout=30) for _ in range(2))
        assert (one.status_code, one.json()) == (other.status_code, other.json()) == (202, one.json())
        return str(one.json()["id"])

    def contact(self, message: str) -> dict[str, Any] | None:
        """The one contact that has a message."""
        having = [one for one in self.daemon.contacts() if message in [ref["id"] for ref in one["messages"]]]
        assert len(having) <= 1
        return having[0] if having else None

    def offered(self, message: str) -> bool:
        """Whether somebody is offered its contact."""
        found = self.contact(message)
        return found is not None and found["state"] == "offered"

    def records(self) -> list[dict[str, Any]]:
        """The journal."""
        return [json.loads(fields[b"r"]) for _, fields in self.store.asking.xrange("usherd:{acme}:journal")]

    def lapsed(self, message: str) -> tuple[int, int] | None:
        """When its contact was offered first, and when that lapsed, in ms by the engine's clock; None before that."""
        contact = self.contact(message)
        made = [(record["event"].get("at", 0), one) for record in self.records() for one in record.get("decisions", [])]
        of_it = [(at, one) for at, one in made if contact is not None and one.get("contact") == contact["id"]]
        offered = [at for at, one in of_it if one["type"] == "OfferTo"]
        gone = [at for at, one in of_it if one["type"] == "RescindOffer" and one["reason"] == "lapsed"]
        return (offered[0], gone[0]) if gone else None

    def jumps(self) -> list[tuple[int, bool]]:
        """The jumps that were journaled: hours, and whether they were taken."""
        found = [record["event"] for record in self.records() if record["event"]["type"] == "ClockJumped"]
        return [(round(one["by_ms"] / 3_600_000), one.get("taken", True)) for one in found]

    async def ben_arrives(self) -> None:
        """Ben is available, who knows of suitcases."""
        link = self.daemon.ask("/v1/links", "POST", json={"agent": "ben"})["url"]
        async with DeskClient.signed_in("ben", link) as ben:
            await ben.act("status", status="available")


@contextmanager
def jumping(folder: Path) -> Iterator[Jumping]:
    """Run both."""
    found = Jumping(folder)
    try:
        yield found
    finally:
        found.daemon.stop()
        found.store.end()


async def lives_on(scene: Jumping, standing: list[str]) -> None:
    """What is offered stays so; new messages are offered, and a short offer lapses after its own time."""
    await scene.ben_arrives()  # again: chats that he lets lapse would make him away
    assert all(scene.offered(message) for message in standing)
    standing.append(scene.send("email"))
    chat = scene.send("chat")
    await until(lambda: scene.offered(standing[-1]))
    lapsed = await until(lambda: scene.lapsed(chat))
    assert lapsed is not None
    assert lapsed[1] - lapsed[0] >= CHAT_SECONDS * 1_000
    assert all(scene.offered(message) for message in standing)


async def test_offers_neither_all_lapse_nor_hang_and_nothing_is_lost(tmp_path: Path) -> None:
    """Either clock is an hour or a day off, then both: old offers stand, new ones are made and lapse in time."""
    with jumping(tmp_path) as scene:
        standing: list[str] = []
        await lives_on(scene, standing)
        for seconds in (HOUR, -DAY):
            scene.set(node=seconds, store=0)
            await until(lambda: scene.problems("this node's clock is"))
            await lives_on(scene, standing)
            scene.set(0, 0)
            await until(scene.calm)
        scene.set(node=0, store=-DAY)
        await until(lambda: scene.problems("the store's clock is"))
        await lives_on(scene, standing)
        scene.set(0, 0)
        await until(scene.calm)
        scene.set(HOUR, HOUR)
        await until(lambda: scene.problems("the clock jumped ahead by 1 h") and scene.jumps()[-1:] == [(1, True)])
        await lives_on(scene, standing)
        scene.set(DAY, DAY)
        # announced, and taken a turn later: a link that was made in between is over at once
        await until(lambda: scene.problems("the clock jumped ahead by 23 h") and scene.jumps()[-1:] == [(23, True)])
        await lives_on(scene, standing)
        scene.set(0, 0)
        await until(lambda: scene.problems("the clock was set back"))
        await lives_on(scene, standing)
        assert scene.jumps() == [(1, False), (-24, False), (1, True), (23, True), (-24, True)]
        assert len(scene.daemon.contacts()) == scene.sent
        verdict = scene.daemon.usherd(
            "journal", "verify", "--config", str(scene.daemon.config), "--data", str(scene.daemon.data), "--json"
        )
        assert json.loads(verdict.stdout)["ok"]
