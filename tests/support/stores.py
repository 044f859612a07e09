"""Stores for tests: an embedded one in a folder, a bare server of any configuration, a wire that loses replies.

`python -m tests.support.stores DATA` is a daemon to be killed: it appends and prints what was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

import structlog

from router.core.errors import StoreUnavailable
from router.core.ports import InboxEntry
from router.shell.disk import DiskGuard, DiskLimits
from router.shell.store import Store
from router.shell.store.embedded import EmbeddedStore, free_port
from router.shell.store.server import find_binary

ROOT = Path(__file__).parents[2]
# A test must not depend on how full the machine's disk is, nor fill it with ballast.
ROOMY = DiskLimits(low_bytes=0, low_percent=0, ballast_bytes=0, store_bytes=0)


def digest(text: str) -> bytes:
    """Return the 16-byte digest that entries use as key and body."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def entry(name: str, body: str = "hello", raw: bytes | None = None, source: str = "email") -> InboxEntry:
    """Return an entry: `name` decides when two are the same, `body` whether they say the same."""
    content = body.encode() if raw is None else raw
    return InboxEntry(source=source, key=digest(name), body=digest(body), meta=b'{"n":1}', raw=content)


@asynccontextmanager
async def running(
    data: Path, guard: DiskGuard | None = None, maxmemory: int = 256 << 20
) -> AsyncIterator[EmbeddedStore]:
    """Run an embedded store on `data`; takes about 50 ms."""
    embedded = EmbeddedStore(data, guard=guard or DiskGuard(data, ROOMY), maxmemory_bytes=maxmemory)
    await embedded.start()
    try:
        yield embedded
    finally:
        await embedded.stop()


@asynccontextmanager
async def opened(data: Path, maxmemory: int = 256 << 20) -> AsyncIterator[Store]:
    """Run an embedded store on `data` and open the workspace `acme` in it."""
    async with running(data, maxmemory=maxmemory) as embedded:
        store = await embedded.open("acme")
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def at_url(folder: Path, *config: str) -> AsyncIterator[Store]:
    """Open the workspace `acme` in a bare server on TCP, as an admin would run one; durable unless `config` differs."""
    with bare_server(folder, *config) as url:
        store = await when_up(url, folder / "blobs")
        try:
            yield store
        finally:
            await store.close()


@contextmanager
def bare_server(folder: Path, *config: str) -> Iterator[str]:
    """Run a server without usherd's configuration; yields its URL. `config`: lines such as `appendfsync everysec`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port("127.0.0.1")
    lines = [f"port {port}", "bind 127.0.0.1", "save ''", "appendonly yes", "appendfsync always", *config]
    (folder / "bare.conf").write_text("\n".join(lines) + "\n")
    with (folder / "bare.log").open("wb") as output:
        process = subprocess.Popen([find_binary(), "bare.conf"], cwd=folder, stdout=output, stderr=output)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


async def when_up(url: str, blobs: Path) -> Store:
    """Open a store that is just being started."""
    while True:
        try:
            return await Store.open(url, "acme", blobs=blobs)
        except StoreUnavailable:
            await asyncio.sleep(0.02)


async def passed_on(store: Store) -> None:
    """Pass a note on and hear it."""
    heard: list[bytes] = []
    listening = asyncio.Event()
    hearing = asyncio.create_task(store.hear(heard.append, listening.set))
    async with asyncio.timeout(60):
        await asyncio.wait([hearing, asyncio.create_task(listening.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert not hearing.done(), hearing.exception()
        await store.pass_on(b"note")
        while not heard:
            await asyncio.sleep(0.01)
    hearing.cancel()
    await asyncio.wait([hearing])
    assert set(heard) == {b"note"}


class LossyWire:
    """A unix socket before a store's: passes requests on, and replies only while `replies` is set."""

    def __init__(self, path: Path, target: str) -> None:
        """Listen at `path` once entered; `target` is the store's own socket."""
        self.path = str(path)
        self.replies = True
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close all connections."""
        self._server.close()
        tasks = tuple(self._tasks)
        self.hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)

    def hang_up(self) -> None:
        """Close all connections that there are; new ones may be made."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back, forth = await asyncio.open_unix_connection(self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, forth, answers=False))
                group.create_task(self._copy(back, writer, answers=True))
        except* (OSError, asyncio.CancelledError):
            pass  # one side has gone, or the test is over
        finally:
            self._tasks.discard(task)
            for stream in (writer, forth):
                stream.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        while chunk := await source.read(65_536):
            if answers and not self.replies:
                continue
            sink.write(chunk)
            await sink.drain()
        sink.close()


class DoomedDaemon:
    """A daemon in a process of its own, that appends and reports until it is killed."""

    def __init__(self, data: Path) -> None:
        """`data`: its data directory."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.stores", str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> dict[str, object]:
        """Return the next thing it reports; the first is {"pid", "store"}, then {"name", "id"} per entry."""
        assert self.process.stdout is not None
        content: dict[str, object] = json.loads(self.process.stdout.readline())
        return content

    def kill(self) -> list[dict[str, object]]:
        """Kill it with signal 9; return all that it had reported and nobody read."""
        self.process.kill()
        assert self.process.stdout is not None
        rest = self.process.stdout.read().splitlines()
        self.process.stdout.close()
        self.process.wait()
        whole = []
        for line in rest:
            with contextlib.suppress(json.JSONDecodeError):  # the last one may be cut
                whole.append(json.loads(line))
        return whole


async def _be_a_daemon(data: Path) -> None:
    async with running(data) as embedded:
        store = await embedded.open("acme")
        _report({"pid": embedded.pid, "store": embedded.socket})
        number = 0
        while True:
            number += 1
            (answer,) = await store.inbox_append([entry(f"m{number}")])
            _report({"name": f"m{number}", "id": answer.id})


def _report(fact: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_be_a_daemon(Path(sys.argv[1])))
