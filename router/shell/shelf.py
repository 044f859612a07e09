"""Where snapshots and the archive lie: a folder, or a prefix in S3; one interface for both (obstore).

Rules: an object is there whole or not at all; when `put` returns it is durable; names are relative, with `/`.
Errors are StoreUnavailable (it may work later) or ConfigError (the admin must act); neither holds a secret.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from router.core.errors import ConfigError, StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
SECONDS_MAX = 60.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, or an `s3://bucket/prefix` with what it takes to reach it; without keys the environment's are used."""

    folder: str = ""
    url: str = ""
    endpoint: str = ""  # http(s)://host:port of a server that is not Amazon's
    region: str = ""
    access_key: str = ""
    secret_key: str = ""


def bucket_of(place: Place, workspace: str) -> tuple[S3Store, str]:
    """The part of a bucket that belongs to one workspace, and its name for people. Raises ConfigError."""
    parts = urlsplit(place.url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ConfigError(f"{place.url!r} is no address in S3", hint="write s3://bucket/prefix")
    config = {
        "endpoint": place.endpoint,
        "region": place.region or ("us-east-1" if place.endpoint else ""),
        "access_key_id": place.access_key,
        "secret_access_key": place.secret_key,
    }
    plain = place.endpoint.startswith("http://")
    prefix = f"{parts.path.strip('/')}/{workspace}".strip("/")
    objects = S3Store(
        parts.netloc,
        prefix=prefix,
        config={name: value for name, value in config.items() if value},  # type: ignore[arg-type]
        client_options={"allow_http": plain, "timeout": f"{SECONDS_MAX:.0f}s", "connect_timeout": "5s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)},
    )
    return objects, f"s3://{parts.netloc}/{prefix}"


class Shelf:
    """Objects by name. Make it with `Shelf.at`."""

    def __init__(self, objects: ObjectStore, folder: Path | None = None, *, name: str = "") -> None:
        """`folder`: where the objects lie as files, if they do. `name`: what people are told."""
        self._objects = objects
        self._folder = folder
        self.name = name or str(folder or "memory")

    @classmethod
    def at(cls, place: Place, workspace: str) -> Self:
        """The part of a place that belongs to one workspace; a folder is made (0700). Raises ConfigError."""
        if place.folder:
            folder = Path(place.folder) / workspace
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise ConfigError(
                    f"the archive's folder {folder} cannot be used ({error.strerror})", hint="correct archive.folder"
                ) from None
            return cls(LocalStore(folder), folder)
        objects, name = bucket_of(place, workspace)
        return cls(objects, name=name)

    @property
    def shared(self) -> bool:
        """Whether nodes on other machines see the same: S3 does, of a folder we cannot know."""
        return self._folder is None

    async def put(self, name: str, content: bytes) -> None:
        """Store an object durably, replacing the one of that name."""
        await self._run(lambda: self._put(name, content))

    def _put(self, name: str, content: bytes) -> None:
        self._objects.put(name, content)
        if self._folder is not None:
            path = self._folder / name
            for synced in (path, *path.parents):
                handle = os.open(synced, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
                if synced == self._folder:
                    break

    async def get(self, name: str) -> bytes | None:
        """The object, or None."""
        return await self._run(lambda: self._get(name))

    def _get(self, name: str) -> bytes | None:
        try:
            return bytes(self._objects.get(name).bytes())
        except FileNotFoundError:
            return None

    async def names(self, prefix: str) -> list[str]:
        """Names of all objects under a folder, sorted."""
        return await self._run(lambda: sorted(found["path"] for page in self._objects.list(prefix) for found in page))

    async def delete(self, names: list[str]) -> None:
        """Delete objects; those that do not exist are fine."""
        for name in names:
            await self._run(lambda name=name: self._delete(name))  # type: ignore[misc]

    def _delete(self, name: str) -> None:
        try:
            self._objects.delete(name)
        except FileNotFoundError:
            return

    async def _run(self, work: Callable[[], T]) -> T:
        """Run off the loop; what the library raises says who must act."""
        try:
            return await asyncio.to_thread(work)
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise ConfigError(f"{self.name} refuses us ({type(error).__name__})", hint="check the keys") from None
        except (BaseError, OSError) as error:
            raise StoreUnavailable(f"{self.name} does not answer ({type(error).__name__})") from None
