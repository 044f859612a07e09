"""Who lives on a data directory: a daemon, only its store, or nobody.

An embedded store outlives `kill -9` of its daemon; a second one then started silently on the same socket and the
same append-only file, both acknowledged, and a record was lost (measured). So there are two locks:

- `store.lock` is held by one open file that daemon *and* store inherit: it is free only when neither lives.
- `daemon.lock` is held by the daemon alone: it is free while only the store lives, which is then adopted.

Both are `flock`s, which the kernel drops with the last holder, whatever it died of. The files are never deleted:
a lock on a deleted file locks nobody out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from router.core.errors import ConfigError

DAEMON_LOCK = "daemon.lock"
NODE_LOCK = "node.lock"
STORE_LOCK = "store.lock"

_held: set[int] = set()


class DataLocks:
    """The locks of one data directory, as this process holds them."""

    def __init__(self, data: Path) -> None:
        """`data` must exist."""
        self._data = data
        self._daemon: int | None = None
        self._store: int | None = None

    def take_daemon(self) -> None:
        """Become the daemon of this directory. Raises ConfigError naming the one that is."""
        handle = _lock(self._data / DAEMON_LOCK)
        if handle is None:
            raise ConfigError(
                f"another usherd (pid {_pid_in(self._data / DAEMON_LOCK)}) runs on the data directory {self._data}",
                hint="stop it first, or give --data another directory",
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._daemon = handle

    def take_node(self) -> None:
        """Be the node of this directory, whose store is elsewhere. Raises ConfigError naming the one that is."""
        handle = _lock(self._data / NODE_LOCK)
        if handle is None:
            raise ConfigError(
                f"another usherd (pid {_pid_in(self._data / NODE_LOCK)}) runs on the data directory {self._data}",
                hint="two nodes need two data directories: give --data another one",
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._daemon = handle

    def take_store(self) -> int | None:
        """Return the descriptor a store must inherit, or None while a store of an earlier daemon lives."""
        if self._store is None:
            self._store = _lock(self._data / STORE_LOCK)
        return self._store

    def release(self) -> None:
        """Close both. A store that lives on keeps its own."""
        for handle in (self._store, self._daemon):
            if handle is not None:
                _held.discard(handle)
                os.close(handle)
        self._daemon = self._store = None


def _lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError as error:
        os.close(handle)
        raise ConfigError(
            f"the data directory {path.parent} cannot be locked ({error.strerror})", hint="use a local file system"
        ) from None
    _held.add(handle)
    return handle


def _pid_in(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip() or "unknown"
    return "unknown"


def _forget_in_child() -> None:
    """A forked worker that outlives its daemon must not look like one: it drops the copies it was born with."""
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
