"""Large values as files: a 25 MB value in the store would block everybody for 0.13 s.

Rules:
- A file is whole or not there: written under another name, fsynced, renamed, and then its folder is fsynced.
- A file never changes: each writing gets a name of its own, so that a stale leader or a repeated append cannot touch
  what somebody else refers to. What nothing refers to is swept up later.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

PARTIAL = ".partial"


class BlobFolder:
    """The folder of large values. All methods block: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made, private, when the first file is written."""
        self._folder = folder

    def write(self, prefix: str, value: bytes) -> str:
        """Store `value` durably; return its file name, which begins with `prefix`. Raises OSError, leaving nothing."""
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(self._folder.parent)
        name = f"{prefix}-{secrets.token_hex(12)}"
        target = self._folder / name
        partial = self._folder / (name + PARTIAL)
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(target)
            _sync(self._folder)
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
                target.unlink(missing_ok=True)
            raise
        return name

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError."""
        return self._path(name).read_bytes()

    def path(self, name: str) -> str:
        """Where a file is, for another process to read. Raises FileNotFoundError."""
        return str(self._path(name).absolute())

    def delete(self, names: list[str]) -> None:
        """Delete files; those already gone are fine. No fsync: one that comes back after a crash is swept up."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._path(name).unlink()

    def older_than(self, seconds: float, prefix: str) -> list[str]:
        """Return names of files written more than `seconds` ago, partial ones included."""
        if not self._folder.is_dir():
            return []
        limit = time.time() - seconds
        with os.scandir(self._folder) as found:
            return [entry.name for entry in found if entry.name.startswith(prefix) and entry.stat().st_mtime < limit]

    def _path(self, name: str) -> Path:
        if "/" in name or name.startswith("."):
            raise FileNotFoundError(name)  # a pointer that leaves the folder points to nothing
        return self._folder / name


def _sync(folder: Path) -> None:
    """Make the names in a folder durable; fsync of a file alone does not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
