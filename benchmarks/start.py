"""A start with years behind it: a journal of millions of records, most of them archived, and what a contact weighs.

The journal is made by the engine itself, at once: mails over two years, each answered and closed, the last few
thousand still open. Records older than `archive.keep` are put into segments as the archivist would; the rest is in the
store, and the newest snapshot is as old as one may get. Measured in processes of their own: recovery, and the daemon.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.figures import Figure
from router.app.shelves import shelf_of
from router.app.upkeep import DUE, LEADER_PATIENCE
from router.core import events as e
from router.core.engine import Engine
from router.core.values import Status
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.archive import SEGMENT_RECORDS_MAX, Archive
from router.shell.disk import DiskGuard
from router.shell.records import EMPTY, Position, Record, digest, encode
from router.shell.store.client import Store
from router.shell.store.embedded import EmbeddedStore
from skills.compile import compile_workspace
from skills.workspace import Loaded, load

SECONDS_MAX = 10.0
YEARS_MS = 2 * 365 * 86_400_000
KEEP_MS = 30 * 86_400_000
RECORDS_PER_CONTACT = 3  # it comes in, is answered, and leaves the state
OPEN = 2_000
CUSTOMERS = 400_000
AGENTS = 12
APPEND_RECORDS = 400
WEIGHED = 20_000
CONFIG = """workspace: bench
languages: [en]
agents:
{agents}
teams: {{all: {{assign: push}}}}
topics:
  bags: {{examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}}
  refund: {{examples: [I want my money back, please refund my order]}}
rules:
  - {{when: {{topic: bags}}, require: {{bags: 2}}, sla: {{first_response: 8h}}}}
  - {{when: {{topic: refund}}, require: {{refunds: 1}}, sla: {{first_response: 4h, resolution: 3d}}}}
channels: {{email: {{smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}}}}}
web: {{listen: "127.0.0.1:0"}}
"""


class Years:
    """The engine, and the records it makes."""

    def __init__(
        self, loaded: Loaded, now: int, records: int, *, open_max: int = OPEN, span_ms: int = YEARS_MS
    ) -> None:
        self.engine = Engine()
        self.at = now - span_ms
        self.position = Position()
        self.rows: list[tuple[str, bytes]] = []
        self._step = span_ms * RECORDS_PER_CONTACT // records
        self.open: deque[str] = deque()
        self._open_max = open_max
        self._count = 0
        self.apply(e.LeaderElected(at=self.at, epoch=1, node="n-bench"))
        workspace = compile_workspace(loaded.config, self.at)
        self.apply(e.WorkspaceChanged(at=self.at, version=loaded.version, workspace=workspace))
        for agent in workspace.agents:
            self.apply(e.StatusSet(at=self.at, agent=agent, target=agent, status=Status.AVAILABLE))

    def apply(self, event: e.Event) -> None:
        """Apply an event and keep its record."""
        decisions = self.engine.apply(event)
        state, at = self.engine.state, self.position
        raw = encode(
            Record(
                n=state.n,
                prev=at.hash,
                wall=self.at,
                config=state.version,
                inbox=state.inbox,
                event=event,
                decisions=decisions,
            )
        )
        identifier = f"1-{state.n - 1}"
        self.rows.append((identifier, raw))
        self.position = Position(n=state.n, id=identifier, hash=digest(raw), epochs=((1, 1),))

    def go_on(self) -> None:
        """A mail comes in; the contact that is open longest is answered and closed; what is due is done."""
        self.at += self._step
        self._count += 1
        self.due()
        name = f"{self.at}-{self._count}"
        opened = self.engine.state.contacts_opened
        self.apply(
            e.MessageReceived(
                at=self.at,
                inbox=name,
                message=name,
                channel="email",
                kind="email",
                account="help@acme.example",
                sender=f"{self._count % CUSTOMERS:032x}",
                topics=((("bags", "refund")[self._count % 2], 9_000),),
                language="en",
                model="bench",
            )
        )
        if self.engine.state.contacts_opened > opened:
            self.open.append(next(reversed(self.engine.state.contacts)))
        if len(self.open) > self._open_max:
            self.close()

    def close(self) -> None:
        """Answer and resolve the contact that is open longest."""
        contact = self.open.popleft()
        found = self.engine.state.contacts[contact]
        if found.agent is None:
            self.open.append(contact)
            return
        self._count += 1
        name = f"{self.at}-{self._count}"
        self.apply(
            e.ReplyWritten(at=self.at, inbox=name, agent=found.agent, contact=contact, message=f"r{name}", resolve=True)
        )

    def due(self) -> None:
        """Let the timers fire that are due."""
        while (timer := self.engine.next_timer()) is not None and timer <= self.at:
            self.apply(e.TimePassed(at=max(timer, self.engine.state.at)))


async def fill(loaded: Loaded, data: Path, records: int, now: int) -> tuple[int, int]:
    """Write journal, archive and snapshot of a data directory; gives the records in the store, the snapshot's bytes."""
    shelf, years = shelf_of(loaded.config, data), Years(loaded, now, records)
    archive = Archive(shelf)
    tail = _tail(records)
    store_from, size = 0, 0
    embedded = EmbeddedStore(data, guard=DiskGuard(data))
    await embedded.start()
    try:
        store = await embedded.open("bench")
        last = EMPTY
        while years.position.n < records:
            years.go_on()
            n = years.position.n
            if years.at < now - KEEP_MS:
                if len(years.rows) >= SEGMENT_RECORDS_MAX:
                    await archive.put(years.rows[:SEGMENT_RECORDS_MAX], n - len(years.rows) + SEGMENT_RECORDS_MAX)
                    del years.rows[:SEGMENT_RECORDS_MAX]
            elif not store_from:
                await archive.put(years.rows, n)
                years.rows.clear()
                store_from = n + 1
            elif len(years.rows) >= APPEND_RECORDS:
                last = await _append(store, last, years.rows)
            if not size and n >= records - tail:
                header = snapshots.header_of(
                    years.engine.state, years.position, engine=ENGINE, node="n-bench", wall=years.at, checked=True
                )
                size = len(await shelf.get(await snapshots.put(shelf, header, years.engine.state)) or b"")
        await _append(store, last, years.rows)
        await store.close()
    finally:
        await embedded.stop()
    return years.position.n - store_from + 1, size


def _tail(records: int) -> int:
    """How old the newest snapshot gets where a leader is alone and busy, in records."""
    return min(int(DUE[1][0] * LEADER_PATIENCE), records // 5)


async def _append(store: Store, last: str, rows: list[tuple[str, bytes]]) -> str:
    for place in range(0, len(rows), APPEND_RECORDS):
        batch = rows[place : place + APPEND_RECORDS]
        await store.journal_append(last, batch)
        last = batch[-1][0]
    rows.clear()
    return last


RECOVER = """
import asyncio, gc, json, resource, sys, time
from pathlib import Path
from router.app.verify import opened
from router.app.shelves import shelf_of
from router.core.index import Index
from router.shell.recovery import recover
from skills.workspace import load
async def main():
    config = load(Path(sys.argv[1])).config
    async with opened(config, Path(sys.argv[2])) as store:
        began, cpu = time.perf_counter(), time.process_time()
        engine, journal = await recover(store, shelf_of(config, Path(sys.argv[2])))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        began = time.perf_counter()
        Index(engine.state)
        index = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"seconds": seconds, "cpu": cpu, "index": index, "n": journal.n, "mb": peak,
                      "contacts": len(engine.state.contacts)}))
asyncio.run(main())
"""
WEIGH = """
import gc, sys, msgspec
from pathlib import Path
from router.core.engine import Engine
from router.core.state import State
def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
raw = Path(sys.argv[1]).read_bytes()
gc.disable()
before = rss()
engine = Engine(msgspec.json.decode(raw, type=State))
print(rss() - before)
"""


def _child(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=True, text=True)
    return done.stdout.splitlines()[-1]


def _daemon(config: Path, data: Path) -> float:
    """Seconds from the start of `usherd run` to its `ready`; the store's own start is in there."""
    command = [sys.executable, "-m", "router", "run", "--json", "--config", str(config), "--data", str(data)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        seconds = 0.0
        if process.stdout is None:
            raise OSError("no pipe")
        for line in process.stdout:
            if b'"ready"' in line:
                seconds = time.perf_counter() - began
                break
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return seconds


def weights(loaded: Loaded, folder: Path, now: int) -> dict[str, int]:
    """Bytes that an open contact, a closed one, and a customer without contacts take in a node's memory."""
    years = Years(loaded, now, WEIGHED * RECORDS_PER_CONTACT, open_max=WEIGHED, span_ms=WEIGHED)
    held: dict[str, int] = {}

    def weigh(name: str) -> None:
        path = folder / f"{name}.json"
        path.write_bytes(msgspec.json.encode(years.engine.state))
        held[name] = int(_child(WEIGH, str(path)))
        years.rows.clear()

    weigh("none")
    for _ in range(WEIGHED):
        years.go_on()
    weigh("open")
    for _ in range(3 * WEIGHED):  # closing one gives its agent another
        if years.open:
            years.close()
    weigh("closed")
    years.at += 2 * KEEP_MS
    years.due()
    if years.engine.state.contacts:
        message = "closed contacts did not leave the state"
        raise RuntimeError(message)
    weigh("customer")
    return {name: (held[name] - held["none"]) // WEIGHED for name in ("open", "closed", "customer")}


def run(*, full: bool) -> list[Figure]:
    """A journal of 100,000 records, or of three million; what contacts and customers weigh."""
    records = 3_000_000 if full else 100_000
    now = time.time_ns() // 1_000_000
    with TemporaryDirectory(prefix="usherd-bench-") as name:
        folder = Path(name)
        config, data = folder / "config", folder / "data"
        config.mkdir()
        data.mkdir()
        agents = "\n".join(
            f"  a{n}: {{team: all, skills: {{bags: {2 + n % 4}, refunds: {1 + n % 5}, lang:en: 5}},"
            " capacity: {email: 10000}}"
            for n in range(AGENTS)
        )
        (config / "workspace.yaml").write_text(CONFIG.format(agents=agents))
        loaded = load(config)
        began = time.perf_counter()
        gc.disable()  # what is made here stays: looking at it again and again takes most of the time
        in_store, size = asyncio.run(fill(loaded, data, records, now))
        gc.enable()
        made = time.perf_counter() - began
        found = json.loads(_child(RECOVER, str(config), str(data)))
        daemon = _daemon(config, data)
        (folder / "empty").mkdir()
        bare = _daemon(config, folder / "empty")
        weighed = weights(loaded, folder, now)
    return _figures(records, in_store, size, made, found, (daemon, bare), weighed)


def _figures(
    records: int,
    in_store: int,
    size: int,
    made: float,
    found: dict[str, float],
    spans: tuple[float, float],
    weighed: dict[str, int],
) -> list[Figure]:
    daemon, bare = spans
    return [
        Figure("records · of them in the store", f"{records:,} · {in_store:,} (made in {made:.0f} s)"),
        Figure("the snapshot · contacts in it", f"{size / 1e6:.1f} MB · {found['contacts']:,}"),
        Figure(
            f"recovery: snapshot and {_tail(records):,} records after it · its processor time",
            f"{found['seconds']:.2f} s · {found['cpu']:.2f} s",
            f"< {SECONDS_MAX:.0f} s",
            found["seconds"] < SECONDS_MAX,
        ),
        Figure("memory at its peak", f"{found['mb']:,.0f} MB"),
        Figure(
            "usherd run, until it is ready · the same with an empty journal",
            f"{daemon:.2f} s · {bare:.2f} s",
            f"< {SECONDS_MAX:.0f} s",
            daemon < SECONDS_MAX,
        ),
        Figure("memory of an open contact, its customer and index included", f"{weighed['open']:,} bytes"),
        Figure("memory of a closed contact in the reopen window, likewise", f"{weighed['closed']:,} bytes"),
        Figure("memory of a customer without contacts", f"{weighed['customer']:,} bytes"),
    ]  # fmt: skip
