"""The embedded store: usherd's own Valkey in the data directory, adopted, restarted and stopped in order.

Rules:
- One store per data directory, whatever is killed when: see locks.py. A new daemon adopts a living store.
- It survives `kill -9` of its daemon, and is stopped when the daemon stops in order.
- When it dies it is started again, with back-off; not while the disk is full, since it would die at its next write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket as sockets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.disk import DiskGuard
from router.shell.store import access, server
from router.shell.store.client import Store
from router.shell.store.files import BlobPlace
from router.shell.store.locks import DataLocks

log: Any = structlog.get_logger()

BLOBS_NAME = "blobs"
URL_NAME = "store.url"
ARCHIVER_URL_NAME = "archiver.url"
ADOPT_SECONDS_MAX = 60.0  # a store of an earlier daemon may be loading, or on its way out
STOP_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0  # a store that lived so long starts the back-off anew


class EmbeddedStore:
    """The store of one data directory and the process it runs in.

    `problem` says in plain words what is wrong with it, for the status page; None when nothing is.
    """

    def __init__(
        self, data: Path, *, guard: DiskGuard | None = None, maxmemory_bytes: int | None = None, listen: str = ""
    ) -> None:
        """`listen`: also a TCP address `host:port`; `maxmemory_bytes`: half of the machine's memory if not given."""
        self.data = data
        self.problem: str | None = None
        self.pid = 0
        self.restarts = 0
        self.adopted = False
        self._guard = guard or DiskGuard(data)
        self._maxmemory = maxmemory_bytes or server.memory_default()
        self._listen = listen
        self._locks = DataLocks(data)
        self._state = server.new_state()
        self._address: server.SocketAddress | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._keeper: asyncio.Task[None] | None = None

    @property
    def socket(self) -> str:
        """Return a path to the store's socket that any process of this user on this machine may use while we live."""
        if self._address is None:
            raise StoreUnavailable("the store has not been started")
        return self._address.path

    @property
    def user(self) -> str:
        """Return the name of the user the daemon signs in as."""
        return server.DAEMON_USER

    @property
    def password(self) -> str:
        """Return the password of the user `usherd`."""
        return self._state.password

    @property
    def archiver_password(self) -> str:
        """Return the password of the user `archiver`, the only one that may trim the journal."""
        return self._state.archiver_password

    async def start(self) -> None:
        """Start the store, or adopt the one that lives; return when it answers.

        Raises ConfigError: another daemon runs here, there is no server, or the store cannot be started.
        """
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locks.take_daemon()
            self._address = server.SocketAddress(self.data)
            await self._start_or_adopt()
        except OSError as error:
            await self._abandon()
            raise ConfigError(
                f"the data directory {self.data} cannot be used ({error.strerror})",
                hint="check the folder, its owner and the space on its disk",
            ) from None
        except BaseException:
            await self._abandon()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="store-keeper")

    def problems(self) -> list[str]:
        """Return `problem` as the list the status page is made of; empty when nothing is wrong."""
        return [self.problem] if self.problem else []

    async def open(self, workspace: str, *, blobs: Path | BlobPlace | None = None, seconds_max: float = 10.0) -> Store:
        """Open a workspace in this store; `blobs`: where large values lie, if not in the data directory."""
        return await Store.open(
            self.socket,
            workspace,
            blobs=blobs or self.data / BLOBS_NAME,
            user=server.DAEMON_USER,
            password=self.password,
            seconds_max=seconds_max,
        )

    async def stop(self) -> None:
        """Stop the store in order and let go of the directory."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        await self._abandon()

    async def _abandon(self) -> None:
        await self._end()
        if self._address is not None:
            self._address.close()
            self._address = None
        self._locks.release()

    # --- beginning ---

    async def _start_or_adopt(self) -> None:
        deadline = time.monotonic() + ADOPT_SECONDS_MAX
        while True:
            handle = self._locks.take_store()
            if handle is not None:
                self._state = server.read_state(self.data) or self._state
                if not self._guard.room_for_store():
                    raise ConfigError(
                        f"the disk of {self.data} is full: {self._guard.free_bytes >> 20} MB free",
                        hint="make room; what was accepted is safe",
                    )
                await self._launch(handle)
                return
            if await self._adopt():
                return
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"a process holds {self.data}/store.lock but does not answer as the store",
                    hint="see `fuser store.lock`; an old store that hangs may be killed, acknowledged entries are safe",
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _adopt(self) -> bool:
        """Take over the store an earlier daemon left; False while it does not answer (loading, or ending)."""
        state = server.read_state(self.data)
        if state is None:
            return False
        try:
            pid, run_id = await server.identity(self.socket, state.password)
            pidfd = os.pidfd_open(pid)
            # Asked again with the descriptor in hand: now it is this process and no later one of the same number.
            again = await server.identity(self.socket, state.password)
        except (StoreUnavailable, ProcessLookupError):
            return False
        if again != (pid, run_id) or (state.pid and (pid, run_id) != (state.pid, state.run_id)):
            os.close(pidfd)
            raise ConfigError(
                f"pid {pid} answers on {self.socket}, but store.json names pid {state.pid}",
                hint="stop the process that answers, then start again",
            )
        self._pidfd, self.pid, self._state = pidfd, pid, state
        if (state.listen, state.rules) != (self._listen, access.RULES):
            # It listens elsewhere than we were told to, or an earlier version of us let itself do other things than we
            # must: the next turn starts ours.
            await self._end()
            return False
        self._remember(pid, run_id)
        self.adopted = True
        log.info("store_adopted", pid=pid)
        return True

    async def _launch(self, lock_handle: int) -> None:
        """Start a server and wait until it has loaded what it holds. Raises ConfigError with its last words."""
        self._state.listen, self._state.rules = self._listen, access.RULES
        self._remember(0, "")
        began = time.monotonic()
        self._process = server.launch(self.data, self._state, lock_handle, self._maxmemory)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        while True:
            if self._process.poll() is not None:
                last_words = server.log_tail(self.data)
                await self._end()
                raise ConfigError(f"the store ended at once: {last_words}", hint=f"see {self.data}/{server.LOG_NAME}")
            try:
                pid, run_id = await server.identity(self.socket, self.password)
            except StoreUnavailable:
                await asyncio.sleep(POLL_SECONDS)
                continue
            break
        self._remember(pid, run_id)
        self.adopted = False
        log.info("store_started", pid=pid, seconds=round(time.monotonic() - began, 3))

    def _remember(self, pid: int, run_id: str) -> None:
        self._state.pid, self._state.run_id = pid, run_id
        server.write_state(self.data, self._state)

    # --- keeping it alive ---

    async def _keep(self) -> None:
        """Start the store again whenever it dies, until cancelled."""
        failures = 0
        while True:
            lived_since = time.monotonic()
            await server.exited(self._pidfd)
            if time.monotonic() - lived_since > STEADY_SECONDS:
                failures = 0
            log.error("store_died", pid=self.pid, last_words=server.log_tail(self.data))
            self.problem = "the store has died and is being started again"
            await self._end()
            failures = await self._revive(failures)
            self.problem = None
            self.restarts += 1

    async def _revive(self, failures: int) -> int:
        """Start the store as often as it takes; return how many attempts in a row that makes."""
        while True:
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
            failures += 1
            if not self._guard.room_for_store():
                self.problem = "the disk is full: the store waits for room"
                continue
            handle = self._locks.take_store()
            if handle is None:  # a child of the adopted one still rewrites its file
                continue
            try:
                await self._launch(handle)
            except (ConfigError, OSError) as error:
                self.problem = f"the store cannot be started: {error}"
                log.warning("store_start_failed", error=type(error).__name__, attempt=failures)
            else:
                return failures

    # --- ending ---

    async def _end(self) -> None:
        """End the store's process if there is one: in order, or after 10 s by force (what is acknowledged is safe)."""
        if self._pidfd < 0:
            return
        pidfd, self._pidfd = self._pidfd, -1
        try:
            for number, seconds in ((signal.SIGTERM, STOP_SECONDS_MAX), (signal.SIGKILL, STOP_SECONDS_MAX)):
                try:
                    signal.pidfd_send_signal(pidfd, number)
                    async with asyncio.timeout(seconds):
                        await server.exited(pidfd)
                except ProcessLookupError:
                    break
                except TimeoutError:
                    log.warning("store_did_not_end", pid=self.pid)
                else:
                    break
        finally:
            os.close(pidfd)
            if self._process is not None:
                self._process.wait()
                self._process = None
            self.pid = 0


def free_port(host: str) -> int:
    """Return a TCP port of `host` nobody listens on now."""
    with sockets.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


async def run_alone(
    data: Path,
    listen: str = "127.0.0.1:6379",
    *,
    trusted_network: bool = False,
    maxmemory_bytes: int | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Run the bundled server without a daemon (`usherd store`) until cancelled, for nodes with a `store.url`.

    `listen`: `host:port`, port 0 picks a free one. The address with its password is written to `store.url` (0600) in
    `data`; `ready` is called with that file's path. The server speaks no TLS, so an address other than loopback
    needs `trusted_network`. Raises ConfigError.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"{listen!r} is not an address to listen on", hint="write host:port, such as 127.0.0.1:6379")
    if host not in {"127.0.0.1", "::1", "localhost"} and not trusted_network:
        raise ConfigError(
            f"the bundled server has no TLS, and {host} can be reached from elsewhere",
            hint="listen on 127.0.0.1 behind a TLS tunnel, or say that the network is trusted",
        )
    number = int(port) or free_port(host)
    guard = DiskGuard(data)
    store = EmbeddedStore(data, guard=guard, maxmemory_bytes=maxmemory_bytes, listen=f"{host}:{number}")
    await store.start()
    watch = asyncio.create_task(guard.run(), name="disk-watch")
    try:
        url = f"redis://{server.DAEMON_USER}:{quote(store.password, safe='')}@{host}:{number}/0"
        server.write_private(data / URL_NAME, f"{url}\n".encode())
        trims = f"redis://{server.ARCHIVER_USER}:{quote(store.archiver_password, safe='')}@{host}:{number}/0"
        server.write_private(data / ARCHIVER_URL_NAME, f"{trims}\n".encode())
        if ready is not None:
            ready(str(data / URL_NAME))
        await asyncio.Event().wait()
    finally:
        watch.cancel()
        await store.stop()
