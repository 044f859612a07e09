"""Large values beside the store, as files: a 25 MB value in it would block everybody for 0.13 s.

Rules:
- A file is whole or not there: written under another name, fsynced, renamed, and then its folder is fsynced.
- A file never changes: each writing gets a name of its own, so that a stale leader or a repeated append cannot touch
  what somebody else refers to. What nothing refers to is swept up later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from router.core.errors import StoreUnavailable

PARTIAL = ".partial"


class BlobPlace(Protocol):
    """Where large values lie: a folder, or objects in S3 (objects.py). Errors are StoreUnavailable."""

    async def write(self, prefix: str, value: bytes) -> str:
        """Store `value` durably; return its name, which begins with `prefix`. After an error nothing refers to it."""
        ...

    async def read(self, name: str) -> bytes | None:
        """Return a value; None if there is none of that name."""
        ...

    def path(self, name: str) -> str:
        """Where a value is a file, for another process to read; else ""."""
        ...

    async def delete(self, names: list[str]) -> None:
        """Delete values; those already gone are fine."""
        ...

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all values that begin with `prefix`, also of those half written."""
        ...

    def problems(self) -> list[str]:
        """What an admin should mend."""
        ...


class BlobFolder:
    """The folder of large values."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made, private, when the first file is written."""
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    async def write(self, prefix: str, value: bytes) -> str:
        """Store `value` durably; return its file name. Raises StoreUnavailable, leaving nothing."""
        try:
            return await asyncio.to_thread(self._write, prefix, value)
        except OSError as error:
            raise StoreUnavailable(f"a large value could not be written ({error.strerror})") from None

    def _write(self, prefix: str, value: bytes) -> str:
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

    async def read(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"a large value could not be read ({error.strerror})") from None

    def path(self, name: str) -> str:
        """Where a file is, for another process to read. Raises FileNotFoundError."""
        return str(self._path(name).absolute())

    async def delete(self, names: list[str]) -> None:
        """Delete files. No fsync: one that comes back after a crash is swept up."""
        await asyncio.to_thread(self._delete, names)

    def _delete(self, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._path(name).unlink()

    async def names(self, prefix: str) -> list[str]:
        """Return the names of files, partial ones included."""
        return await asyncio.to_thread(self._names, prefix)

    def _names(self, prefix: str) -> list[str]:
        if not self._folder.is_dir():
            return []
        with os.scandir(self._folder) as found:
            return [entry.name for entry in found if entry.name.startswith(prefix)]

    def problems(self) -> list[str]:
        """A folder has none of its own: the disk is watched elsewhere."""
        return []

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
