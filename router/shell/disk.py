"""Stops taking in before the disk is full: a store that syncs each write exits on a full disk (measured).

Rules:
- *Low* (below 1 GB or 5 % free): nothing new is accepted; senders are told to come back.
- *Critical* (less free than the ballast is large, because others wrote on): the ballast file is freed, so that the
  store can still journal and delete what it has. It is made again when the disk is no longer low.
- With less than `store_bytes` free a store that died is not started again: it would die at its next write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

log = structlog.get_logger()

BALLAST_NAME = "ballast"
WATCH_SECONDS = 1.0
FRESH_SECONDS = 0.2


class Space(Protocol):
    """What `os.statvfs` tells that matters here."""

    f_frsize: int
    f_blocks: int
    f_bavail: int


class DiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When the disk is low, how much is kept in hand, and what a store needs to be started."""

    low_bytes: int = 1 << 30
    low_percent: int = 5
    ballast_bytes: int = 64 << 20
    store_bytes: int = 16 << 20


class DiskGuard:
    """Watches the file system of one folder. `low` and `free_bytes` are as of the last look."""

    def __init__(
        self, folder: Path, limits: DiskLimits | None = None, measure: Callable[[Path], Space] | None = None
    ) -> None:
        """`folder` must exist when `look` is first called; `measure`: `os.statvfs` if not given."""
        self.low = False
        self.free_bytes = 0
        self._ballast = folder / BALLAST_NAME
        self._folder = folder
        self._limits = limits or DiskLimits()
        self._measure = measure or os.statvfs
        self._looked_at = -FRESH_SECONDS

    def accepting(self) -> bool:
        """Return whether there is room for new input; costs a system call at most every 0.2 s."""
        if time.monotonic() - self._looked_at >= FRESH_SECONDS:
            self.look()
        return not self.low

    def room_for_store(self) -> bool:
        """Return whether a store may be started, freeing the ballast if that is what it takes."""
        self.look()
        return self.free_bytes >= self._limits.store_bytes

    def look(self) -> None:
        """Measure; when it is critical, free the ballast. An unreadable file system counts as full."""
        self._looked_at = time.monotonic()
        low_before = self.low
        low_bytes = self._read()
        if self.free_bytes < max(self._limits.ballast_bytes, self._limits.store_bytes) and self._ballast.exists():
            log.warning("ballast_freed", free_bytes=self.free_bytes)
            with contextlib.suppress(OSError):
                self._ballast.unlink()
            low_bytes = self._read()
        # Room to make the ballast again must not count as room to accept, else the two would take turns.
        missing = 0 if self._ballast.exists() else self._limits.ballast_bytes
        self.low = self.free_bytes < low_bytes + (missing if low_before else 0)
        if self.low != low_before:
            log.warning("disk_low" if self.low else "disk_ok", free_bytes=self.free_bytes, needed_bytes=low_bytes)

    def _read(self) -> int:
        """Measure into `free_bytes`; return how much is needed for the disk not to be low."""
        try:
            space = self._measure(self._folder)
        except OSError:
            self.free_bytes = 0
            return self._limits.low_bytes
        self.free_bytes = space.f_bavail * space.f_frsize
        return max(self._limits.low_bytes, space.f_blocks * space.f_frsize * self._limits.low_percent // 100)

    def restock(self) -> None:
        """Make the ballast file if there is none and the disk is not low; blocks."""
        if self.low or self._ballast.exists() or not self._limits.ballast_bytes:
            return
        partial = self._ballast.with_suffix(".partial")
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._limits.ballast_bytes)
            finally:
                os.close(handle)
            partial.rename(self._ballast)
        except OSError as error:
            log.warning("ballast_failed", error=error.strerror)
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def problems(self) -> list[str]:
        """Return what is wrong, in plain words for people; empty when nothing is."""
        if not self.low:
            return []
        return [f"the disk is nearly full ({self.free_bytes >> 20} MB free): new messages are refused for now"]

    async def run(self) -> None:
        """Look every second, and keep the ballast in stock, until cancelled."""
        while True:
            self.look()
            await asyncio.to_thread(self.restock)
            await asyncio.sleep(WATCH_SECONDS)
