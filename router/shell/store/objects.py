"""Large values as objects in S3: for nodes without a common folder.

Rules:
- `write` returns when S3 has confirmed the object: it is durable then, and only then an entry may refer to it.
- An object never changes, as a file never does: each writing gets a name of its own.
- What goes wrong is StoreUnavailable, whatever it is: senders get `451` and try again. `problems` says what to mend.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import structlog
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.shelf import Place, bucket_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = structlog.get_logger()

T = TypeVar("T")
FOLDER = "blobs"
SECONDS_MAX = 30.0
REFUSALS = (PermissionDeniedError, UnauthenticatedError)


class BlobObjects:
    """The large values of one workspace in a bucket. Make it with `at`."""

    def __init__(self, objects: ObjectStore, name: str, seconds_max: float = SECONDS_MAX) -> None:
        """`name`: what people are told; `seconds_max`: of one request with its retries."""
        self.name = name
        self._objects = objects
        self._seconds_max = seconds_max
        self._trouble = ""

    @classmethod
    async def at(cls, place: Place, workspace: str) -> BlobObjects:
        """Open the bucket and show that it takes values. Raises ConfigError."""
        found = cls(*bucket_of(place, workspace))
        try:
            await found.delete([await found.write("probe", b"usherd")])
        except StoreUnavailable as error:
            hint = "correct `blobs` (url, endpoint, region, keys); left out, blobs lie in the data directory"
            raise ConfigError(str(error), hint=hint) from None
        return found

    def problems(self) -> list[str]:
        """What an admin should mend: the last request failed."""
        return [f"{self._trouble}: large mails are refused for now"] if self._trouble else []

    async def write(self, prefix: str, value: bytes) -> str:
        """Store a value durably; return its name."""
        name = f"{prefix}-{secrets.token_hex(12)}"
        await self._ask(self._objects.put_async(f"{FOLDER}/{name}", value))
        return name

    async def read(self, name: str) -> bytes | None:
        """Return a value, or None."""
        if "/" in name:
            return None  # a pointer that leaves the folder points to nothing
        return await self._ask(self._read(f"{FOLDER}/{name}"))

    async def _read(self, path: str) -> bytes | None:
        try:
            found = await self._objects.get_async(path)
        except FileNotFoundError:
            return None
        return bytes(await found.bytes_async())

    def path(self, name: str) -> str:  # noqa: ARG002 - the shape of every place
        """No object is a file."""
        return ""

    async def delete(self, names: list[str]) -> None:
        """Delete values; those already gone are fine."""
        for name in names:
            await self._ask(self._delete(f"{FOLDER}/{name}"))

    async def _delete(self, path: str) -> None:
        try:
            await self._objects.delete_async(path)
        except FileNotFoundError:
            return

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all values that begin with `prefix`."""
        return await self._ask(self._names(prefix))

    async def _names(self, prefix: str) -> list[str]:
        found = [one["path"].removeprefix(f"{FOLDER}/") async for page in self._objects.list(FOLDER) for one in page]
        return [name for name in found if name.startswith(prefix)]

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._seconds_max):
                got = await answer
        except REFUSALS as error:
            raise self._failed(f"{self.name} refuses us ({type(error).__name__})") from None
        except (BaseError, OSError) as error:  # the deadline's TimeoutError is an OSError
            raise self._failed(f"{self.name} does not answer ({type(error).__name__})") from None
        if self._trouble:
            log.info("blobs_answer_again", place=self.name)
            self._trouble = ""
        return got

    def _failed(self, trouble: str) -> StoreUnavailable:
        if not self._trouble:
            log.warning("blobs_do_not_answer", place=self.name, trouble=trouble)
        self._trouble = trouble
        return StoreUnavailable(trouble)
