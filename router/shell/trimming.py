"""Trimming: what has been archived and read back leaves the store's journal. Nothing else takes records out of it."""

from __future__ import annotations

from typing import Self

from redis.exceptions import NoPermissionError, ResponseError

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.store import commands
from router.shell.store.commands import Keys
from router.shell.store.wire import Wire, code_of

SECONDS_MAX = 30.0


class Trimmer:
    """The user who may trim, and nothing more than that."""

    def __init__(self, wire: Wire, keys: Keys) -> None:
        """See `at`."""
        self._wire = wire
        self._keys = keys

    @classmethod
    def at(cls, url_or_socket: str, workspace: str, *, user: str | None = None, password: str | None = None) -> Self:
        """The store at an address. Raises ConfigError where it is none."""
        keys = Keys(workspace)
        return cls(Wire(url_or_socket, user, password, SECONDS_MAX, key=keys.journal), keys)

    async def trim(self, first: str) -> int:
        """Take out the records before the one with id `first`; gives their number.

        Raises ConfigError if this user may not, StoreUnavailable.
        """
        (reply,) = await self._wire.round_trip([commands.journal_trim(self._keys, first)])
        if isinstance(reply, NoPermissionError):
            raise ConfigError("the store's user may not trim the journal", hint="name one who may in archive.trim_url")
        if isinstance(reply, ResponseError):
            raise StoreUnavailable(f"the store refused to trim ({code_of(reply)})")
        return int(reply)

    async def close(self) -> None:
        """Close the connection."""
        await self._wire.close()
