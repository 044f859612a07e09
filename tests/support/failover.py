"""A primary, replicas and Sentinels, or a small Cluster, as processes: to be killed, stopped and promoted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from router.core.errors import StoreUnavailable
from router.shell.store.embedded import free_port
from router.shell.store.server import find_binary

_T = TypeVar("_T")

UP_SECONDS_MAX = 60.0
DURABLE = ("appendonly yes", "appendfsync always", "save ''", "repl-diskless-sync-delay 0")


class Server:
    """One server of any kind, on a port of the loopback."""

    def __init__(
        self, folder: Path, *config: str, sentinel: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port("127.0.0.1")
        self._environment = environment
        self.asking: Any = Redis(host="127.0.0.1", port=self.port, socket_timeout=5)
        self._sentinel = sentinel
        lines = [f"port {self.port}", "bind 127.0.0.1", "dir .", *config]
        (folder / "server.conf").write_text("\n".join(lines) + "\n")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [find_binary(), "server.conf", *(["--sentinel"] if self._sentinel else [])]
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=output, env=self._environment
            )
        try:
            wait_for(self._answers)
        except AssertionError:
            self.kill()
            raise

    def _answers(self) -> bool:
        return bool(self.asking.ping())

    @property
    def role(self) -> str:
        """`master` or `slave`."""
        return str(self.asking.execute_command("ROLE")[0].decode())

    @property
    def in_step(self) -> bool:
        """Whether this replica has its primary's data and follows it."""
        return bool(self.asking.info("replication").get("master_link_status") == "up")

    def drop_replicas(self) -> None:
        """Close the links to replicas: what is written from now on does not reach one that is frozen."""
        self.asking.execute_command("CLIENT", "KILL", "TYPE", "replica")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it answers no more, and does not know."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Let go of it, whatever state it is in."""
        if self.process.poll() is None:
            self.thaw()
            self.kill()
        self.asking.close()


class Watched:
    """A primary with replicas, watched by Sentinels that promote one within seconds."""

    def __init__(self, folder: Path, replicas: int = 1, sentinels: int = 3) -> None:
        self.primary = Server(folder / "primary", *DURABLE)
        self.replicas = [
            Server(folder / f"replica{number}", *DURABLE, f"replicaof 127.0.0.1 {self.primary.port}")
            for number in range(replicas)
        ]
        wait_for(lambda: all(replica.in_step for replica in self.replicas))
        watch = (
            f"sentinel monitor mymaster 127.0.0.1 {self.primary.port} {sentinels // 2 + 1}",
            "sentinel down-after-milliseconds mymaster 2000",  # a busy machine is no reason to promote anybody
            "sentinel failover-timeout mymaster 4000",
        )
        self.sentinels = [Server(folder / f"sentinel{number}", *watch, sentinel=True) for number in range(sentinels)]
        wait_for(lambda: all(self._sees_all(sentinel) for sentinel in self.sentinels))

    def _sees_all(self, sentinel: Server) -> bool:
        facts = sentinel.asking.sentinel_master("mymaster")
        seen = (facts["num-slaves"], facts["num-other-sentinels"])
        return seen == (len(self.replicas), len(self.sentinels) - 1)

    @property
    def url(self) -> str:
        """How usherd is told of it."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/mymaster/0"

    def promoted(self) -> Server:
        """Wait until a replica has taken over; gives it."""
        return wait_for(lambda: next((replica for replica in self.replicas if replica.role == "master"), None))

    def end(self) -> None:
        """End all of it."""
        for server in (*self.sentinels, *self.replicas, self.primary):
            server.end()


class Slots:
    """A Cluster of two nodes: the first owns the lower half of the slots, the second the upper half."""

    def __init__(self, folder: Path) -> None:
        config = (*DURABLE, "cluster-enabled yes", "cluster-node-timeout 2000")
        buses = [free_port("127.0.0.1") for _ in range(2)]  # the default, 10,000 above the other, may be no port
        self.nodes = [
            Server(folder / f"node{number}", *config, f"cluster-port {bus}") for number, bus in enumerate(buses)
        ]
        for node, (first, last) in zip(self.nodes, ((0, 8_191), (8_192, 16_383)), strict=True):
            node.asking.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        self.nodes[0].asking.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[1].port, buses[1])
        wait_for(lambda: all(self._whole(node) for node in self.nodes))

    def _whole(self, node: Server) -> bool:
        facts = repr(node.asking.execute_command("CLUSTER", "INFO")).replace("'", "").replace(" ", "")
        return "cluster_state:ok" in facts

    def end(self) -> None:
        """End both."""
        for node in self.nodes:
            node.end()


@contextmanager
def slots(folder: Path) -> Iterator[Slots]:
    """Run a small Cluster."""
    found = Slots(folder)
    try:
        yield found
    finally:
        found.end()


@contextmanager
def watched(folder: Path, replicas: int = 1, sentinels: int = 3) -> Iterator[Watched]:
    """Run a primary, replicas and Sentinels."""
    found = Watched(folder, replicas, sentinels)
    try:
        yield found
    finally:
        found.end()


def wait_for(true: Callable[[], _T | None], seconds: float = UP_SECONDS_MAX) -> _T:
    """Wait until `true()` gives something true, and give that; a server that does not answer yet gives nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = true()
        except RedisError:
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come true within {seconds} s")


async def patiently(work: Callable[[], Awaitable[_T]], seconds: float = UP_SECONDS_MAX) -> _T:
    """Call `work()` until the store answers it; gives what it gives."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await work()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
