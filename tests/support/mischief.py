"""A daemon that breaks at named points, again and again, while customers write and agents answer; and what must hold.

Customers' mail servers try until they have their `250`. Agents accept what is offered and answer each contact once, by
a key of its own, and try again wherever they are told nothing. A mail server takes the answers and counts copies.
"""

from __future__ import annotations

import asyncio
import email
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import msgspec

from router.app.archivist import Job
from router.app.shelves import FOLDER, place_of, shelf_of
from router.app.verify import opened
from router.core.events import DeliveryReported
from router.shell import snapshots
from router.shell.archive import Archive, History
from router.shell.buggify import POINTS
from router.shell.journal import Journal
from skills.workspace import load
from tests.fakes.scripted_smtp import ScriptedSmtp, listening
from tests.support.daemons import RunningDaemon, until, write_workspace

CLIENTS = 4
PAUSE_SECONDS = 0.05
LARGE_EVERY = 9  # such a mail is too large to be read at once: it is deferred
STRIKE_SECONDS_MAX = 120.0
KILLED = -9
OKAPI = (b"customer1@", b"okapi@")  # a customer of whom something is to be found

ERASING = tuple(point for point in POINTS if point.startswith("erase."))
ARCHIVE = tuple(point for point in POINTS if point.startswith(("snapshot.", "archive.")))
JOURNEY = tuple(point for point in POINTS if point not in {*ERASING, *ARCHIVE})


def repeat(points: list[str], seed: int) -> str:
    """The command that runs just this again."""
    return f"python -m benchmarks.soak --points {','.join(points)} --seed {seed}"


def mail(number: int) -> bytes:
    """A customer's mail; now and then a large one."""
    lines = "it was late\r\n" * (25_000 if number % LARGE_EVERY == 0 else 10)
    return (
        f"From: customer{number}@example.org\r\nTo: help@acme.example\r\nSubject: please refund order {number}\r\n"
        f"Message-ID: <m{number}@example.org>\r\n\r\nHello, I want my money back.\r\n{lines}"
    ).encode()


class Town:
    """Everybody around one data directory."""

    def __init__(self, folder: Path, sink: ScriptedSmtp, port: int) -> None:
        self.config = write_workspace(folder / "config", send_port=port, capacity=20)
        self.data = folder / "data"
        self.sink = sink
        self.daemon: RunningDaemon | None = None  # the one that runs now
        self.acknowledged: set[int] = set()
        self.answered: dict[str, int] = {}  # contacts whose answer was taken
        self.struck: list[str] = []  # points reached, in order
        self.enough = asyncio.Event()
        self._closed = asyncio.Event()  # agents go home
        self._numbers = itertools.count(1)

    # -- the daemon --------------------------------------------------------------------------------------------------

    async def start(self, mischief: str = "") -> RunningDaemon:
        """Start a daemon; with `mischief` as USHERD_BUGGIFY it may be dead before it is ready."""
        daemon = RunningDaemon(self.config, self.data, USHERD_BUGGIFY=mischief)
        try:
            await asyncio.to_thread(daemon.start)
        except AssertionError:
            if not mischief:
                raise
        else:
            self.daemon = daemon
        return daemon

    async def strike(self, point: str, nth: int) -> None:
        """Run until the daemon kills itself at a point."""
        offset = self.log_size()
        daemon = await self.start(f"{point}:kill:{nth}")
        await until(lambda: daemon.ended, seconds=STRIKE_SECONDS_MAX, step=0.02)
        self.daemon = None
        self.saw(point, daemon, offset)

    def saw(self, point: str, daemon: RunningDaemon, offset: int) -> None:
        """It has killed itself there, as the log says from an offset on."""
        assert daemon.wait() == KILLED, f"{point}: {daemon.log.read_text()[-4_000:]}"
        lines = [json.loads(line) for line in daemon.log.read_bytes()[offset:].splitlines() if b'"buggify"' in line]
        assert [line["point"] for line in lines] == [point]
        self.struck.append(point)

    def log_size(self) -> int:
        """How long the daemon's log is."""
        log = self.data.parent / f"{self.data.name}.log"
        return log.stat().st_size if log.exists() else 0

    # -- customers and agents ------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Customers write and agents answer, until `enough` and then until every mail is acknowledged.

        Agents end what they are at: what is asked for and not waited for would come about whenever it likes.
        """
        clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        agents = [asyncio.create_task(self._agent(name)) for name in ("ana", "ben")]
        try:
            yield
            self.enough.set()
            await asyncio.wait_for(asyncio.gather(*clients), STRIKE_SECONDS_MAX)
            self._closed.set()
            await asyncio.wait_for(asyncio.gather(*agents), STRIKE_SECONDS_MAX)
        finally:
            for task in (*clients, *agents):
                task.cancel()
            await asyncio.gather(*clients, *agents, return_exceptions=True)

    async def _client(self) -> None:
        while not self.enough.is_set():
            number = next(self._numbers)
            while number not in self.acknowledged:
                with suppress(OSError, aiosmtplib.SMTPException, asyncio.TimeoutError):
                    await self._send(number)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, number: int) -> None:
        if self.daemon is None:
            return
        host, port = self.daemon.smtp
        async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=10) as client:
            await client.sendmail(f"customer{number}@example.org", ["help@acme.example"], mail(number))
        self.acknowledged.add(number)

    async def _agent(self, name: str) -> None:
        while not self._closed.is_set():
            with suppress(httpx.HTTPError, OSError, ValueError, KeyError):
                await self._at_desk(name)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _at_desk(self, name: str) -> None:
        daemon = self.daemon
        if daemon is None:
            return
        link = (await asyncio.to_thread(daemon.ask, "/v1/links", "POST", json={"agent": name}))["url"]
        root = f"http://{daemon.http[0]}:{daemon.http[1]}"
        headers = {"Origin": root, "X-Usherd-Desk": "1"}
        async with httpx.AsyncClient(base_url=root, headers=headers, timeout=10, trust_env=False) as desk:
            answer = await desk.post("/desk/session", json={"link": link.partition("link=")[2]})
            answer.raise_for_status()
            await self._act(desk, "status", f"{name}-{link[-12:]}", status="available")
            while self.daemon is daemon and not self._closed.is_set():
                await self._work(desk, (await desk.get("/desk/api/desk")).raise_for_status().json())
                await asyncio.sleep(PAUSE_SECONDS)

    async def _work(self, desk: httpx.AsyncClient, seen: dict[str, Any]) -> None:
        for offer in seen["offers"]:
            contact = offer["contact"]["id"]
            await self._act(desk, "accept", f"accept-{offer['offer']}", contact=contact, offer=offer["offer"])
        for row in seen["open"]:
            contact = row["id"]
            if await self._act(desk, "reply", f"answer-{contact}", contact=contact, text="It is on its way."):
                self.answered[contact] = 1

    async def _act(self, desk: httpx.AsyncClient, action: str, key: str, **fields: object) -> bool:
        answer = await desk.post("/desk/api/act", json={"action": action, "key": key, "fields": fields})
        answer.raise_for_status()
        return bool(answer.json()["ok"])

    # -- what must hold ------------------------------------------------------------------------------------------------

    async def heal(self) -> None:
        """All that came in is in its place, everybody who can be answered is, and every answer was tried."""
        daemon = self.daemon or await self.start()
        await until(lambda: daemon.ask("/v1/status")["inbox_lag"] == 0)
        await until(lambda: self._settled(daemon))

    def _settled(self, daemon: RunningDaemon) -> bool:
        states = Counter(one["delivery"] for contact in daemon.contacts() for one in contact["messages"])
        return not (states["pending"] or states["sending"] or states["deferred"])

    async def check(self) -> None:
        """I1, I2 and I4 hold. The daemon is stopped."""
        daemon = self.daemon
        assert daemon is not None
        contacts = await asyncio.to_thread(daemon.contacts)
        assert await asyncio.to_thread(daemon.stop) == 0, daemon.log.read_text()[-4_000:]
        held = Counter(one["external_id"] for contact in contacts for one in contact["messages"] if _is_in(one))
        assert held == Counter(f"m{number}@example.org" for number in self.acknowledged)
        await self._check_answers(contacts)
        self.verify(daemon)

    def verify(self, daemon: RunningDaemon) -> None:
        """I4: replaying the journal gives the state with which the daemon ended."""
        live = daemon.said("stopped")
        verdict = daemon.usherd("journal", "verify", "--config", str(self.config), "--data", str(self.data), "--json")
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert json.loads(verdict.stdout)["state_hash"] == live["state_hash"]

    async def _check_answers(self, contacts: list[dict[str, Any]]) -> None:
        """Each contact got one answer at most, one copy of it, and two only where its fate was unknown once."""
        copies = Counter(email.message_from_bytes(body)["Message-ID"].strip(" <>") for body in self.sink.bodies)
        doubted = await self._doubted()
        for contact in contacts:
            answers = [one for one in contact["messages"] if not _is_in(one)]
            assert len(answers) <= 1, contact
            assert len(answers) == 1 or contact["id"] not in self.answered, contact
            for one in answers:
                number = copies.pop(one["external_id"], 0)
                least = 1 if one["delivery"] == "sent" else 0
                assert least <= number <= (2 if one["id"] in doubted else 1), (number, one)
        assert not copies, "something was sent that no contact knows of"

    async def _doubted(self) -> set[str]:
        """Messages of which the journal says that their fate was unknown at some time."""
        found: set[str] = set()
        config = load(self.config).config
        async with opened(config, self.data) as store:
            history = History(store, Archive(shelf_of(config, self.data)))
            async for record in Journal(history).read():
                if isinstance(record.event, DeliveryReported) and record.event.state == "unknown":
                    found.add(record.event.message)
        return found


def _is_in(message: dict[str, Any]) -> bool:
    return bool(message["direction"] == "in")


async def rampage(folder: Path, points: list[str], seed: int) -> Town:
    """Kill the daemon at each of these points in turn, while all go on; then heal and check. Gives the town."""
    chance = random.Random(seed)
    sink = ScriptedSmtp()
    async with listening(sink) as port:
        town = Town(folder, sink, port)
        try:
            async with town.busy():
                for point in points:
                    await town.strike(point, nth=1 if "fence" in point else chance.randrange(1, 5))
                await town.start()
                answered = len(town.answered) + 3
                await until(lambda: len(town.answered) >= answered)
            await town.heal()
            await town.check()
        finally:
            if town.daemon is not None:
                await asyncio.to_thread(town.daemon.stop)
    return town


def _strikes(daemon: RunningDaemon) -> list[str]:
    """What its log says of points that struck."""
    return [line.decode() for line in daemon.log.read_bytes().splitlines() if b'"buggify"' in line]


async def storm(folder: Path, seed: int, *, answers: int, strikes: int = 0) -> Town:
    """Refuse and delay at all points now and then, in one daemon, until so much has happened; then heal and check."""
    chance = random.Random(seed)
    what = ",".join(f"{name}:{chance.choice(['raise', 'delay=0.05'])}:0.02" for name in JOURNEY if "fence" not in name)
    sink = ScriptedSmtp()
    async with listening(sink) as port:
        town = Town(folder, sink, port)
        try:
            async with town.busy():
                daemon = await town.start(f"{what};{seed}")
                await until(
                    lambda: daemon.ended or (len(town.answered) >= answers and len(_strikes(daemon)) >= strikes),
                    seconds=STRIKE_SECONDS_MAX,
                )
                assert not daemon.ended, daemon.log.read_text()[-4_000:]
            town.struck = _strikes(daemon)
            await town.heal()
            await town.check()
        finally:
            if town.daemon is not None:
                await asyncio.to_thread(town.daemon.stop)
    return town


async def erased_by_pieces(folder: Path, points: list[str]) -> list[str]:
    """Erase a customer while the daemon is killed at each of these points in turn; gives those that were reached."""
    sink = ScriptedSmtp()
    async with listening(sink) as port:
        town = Town(folder, sink, port)
        daemon = await town.start()
        host, smtp = daemon.smtp
        async with aiosmtplib.SMTP(hostname=host, port=smtp, use_tls=False, start_tls=False, timeout=30) as client:
            await client.sendmail("okapi@example.org", ["help@acme.example"], mail(1).replace(*OKAPI))
        await until(lambda: daemon.ask("/v1/status")["inbox_lag"] == 0 and daemon.contacts())
        assert holding(town.data)
        await asyncio.to_thread(daemon.stop)
        asked = False
        for point in points:
            offset = town.log_size()
            daemon = await town.start(f"{point}:kill")
            if not asked and not daemon.ended:
                with suppress(httpx.HTTPError):
                    await asyncio.to_thread(daemon.ask, "/v1/erasures", "POST", json={"customer": "okapi@example.org"})
            asked = True
            await until(lambda daemon=daemon: daemon.ended, seconds=STRIKE_SECONDS_MAX)  # type: ignore[misc]
            town.saw(point, daemon, offset)
        daemon = await town.start()
        await until(lambda: not holding(town.data, daemon.log))
        assert [one["flag"] for one in daemon.contacts()] == ["erased"]
        assert await asyncio.to_thread(daemon.stop) == 0
        town.verify(daemon)
    return town.struck


async def put_away_by_pieces(folder: Path, points: list[str]) -> list[str]:
    """Snapshot, archive and trim while the process that does it is killed at each of these points in turn."""
    sink = ScriptedSmtp()
    async with listening(sink) as port:
        town = Town(folder, sink, port)
        async with town.busy():
            daemon = await town.start()
            await until(lambda: len(town.acknowledged) >= 10)
            struck = []
            for point in points:
                at = daemon.ask("/v1/status")["journal"]["records"]
                await until(lambda at=at: daemon.ask("/v1/status")["journal"]["records"] > at)  # type: ignore[misc]
                said = await asyncio.to_thread(put_away, town.config, town.data, f"{point}:kill")
                assert said.returncode == KILLED, said
                struck.append(point)
            done = await asyncio.to_thread(put_away, town.config, town.data, "")
            assert json.loads(done.stdout)["problem"] == "", done
        await town.heal()
        await town.check()
    return struck


def put_away(folder: Path, data: Path, mischief: str = "") -> subprocess.CompletedProcess[str]:
    """One run of the archivist: a snapshot, and everything that it covers leaves the store for the archive."""
    config = load(folder).config
    place = place_of(config.archive, data / FOLDER)
    job = Job(data=str(data), workspace=config.workspace, node="n1", place=place, keep_ms=0, segment_min=1)
    command = [sys.executable, "-m", "router.app.archivist"]
    environment = {**os.environ, "USHERD_BUGGIFY": mischief}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(msgspec.json.encode(job).decode() + "\n")
        process.stdin.flush()
        said = process.stdout.read()  # its input stays open until it has said something, or was killed
    return subprocess.CompletedProcess(command, process.wait(), said)


def holding(*places: Path, word: bytes = OKAPI[1]) -> list[str]:
    """Files that hold the word, in these folders or among these files; snapshots and segments are unpacked."""
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return [str(path) for path in files if path.is_file() and word in _unpacked(path)]


def _unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".snapshot":
        return raw + msgspec.json.encode(snapshots.decode(raw).state)
    return raw + gzip.decompress(raw) if path.suffix == ".gz" else raw
