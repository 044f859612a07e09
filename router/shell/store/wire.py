"""One round trip to the store: commands out, replies in, never sent twice.

Rules:
- redis-py's connections are used for what they are good at (TLS, sign-in, parsing); its client is not, because it
  repeats commands by default, and an `XADD *` whose reply came late would be stored twice.
- Every round trip has a deadline. A connection whose round trip did not end properly is closed: its next reply would
  answer somebody else's question.
- Whatever goes wrong on the way is StoreUnavailable: the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.store.commands import Command

CONNECTIONS_MAX = 16
CONNECT_SECONDS_MAX = 5.0


def code_of(error: BaseException) -> str:
    """Return the first word of a store's error (`OOM`, `NOPERM`, …): the rest may quote what we sent."""
    if type(error) is not ResponseError:
        return type(error).__name__
    return str(error).split(maxsplit=1)[0][:40] if str(error) else "ERR"


class SignInRefused(StoreUnavailable):
    """The store does not accept our user and password."""


class Wire:
    """A few connections to one store, each used by one round trip at a time."""

    def __init__(self, url: str, user: str | None, password: str | None, seconds_max: float) -> None:
        """`url`: `redis://`, `rediss://`, `unix://` or the path of a socket. Raises ConfigError for anything else."""
        options = _options(url)
        self._connection_class: Any = options.pop("connection_class", Connection)
        if user is not None:
            options["username"] = user
        if password is not None:
            options["password"] = password
        # RESP2: flat replies. No socket timeout: `round_trip` has the deadline, one timer for all its replies.
        options |= {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS_MAX}
        options["driver_info"] = None  # two round trips less per connection
        self._options = options
        self._seconds_max = seconds_max
        self._free: list[AbstractConnection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)
        self._closed = False

    async def round_trip(self, commands: list[Command], wait_seconds: float = 0.0) -> list[Any]:
        """Send commands at once, return their replies in order; a refused command's reply is a ResponseError.

        `wait_seconds`: how long the store itself was asked to wait. Raises StoreUnavailable.
        """
        packed = [hiredis.pack_command(cast("Any", command)) for command in commands]
        try:
            async with asyncio.timeout(self._seconds_max + wait_seconds), self._slots:
                return await self._exchange(packed)
        except (RedisError, OSError) as error:  # the deadline's TimeoutError is an OSError
            if isinstance(error, AuthenticationError) or isinstance(error.__cause__, AuthenticationError):
                raise SignInRefused("the store refused to let us in") from None
            raise StoreUnavailable(f"the store did not answer ({code_of(error)})") from None

    async def _exchange(self, packed: list[bytes]) -> list[Any]:
        connection = await self._connected()
        whole = False
        try:
            # One buffer: a raw mail is not copied, asyncio joins what the socket did not take at once.
            await connection.send_packed_command(packed)
            replies: list[Any] = []
            for _ in packed:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
            whole = True
            return replies
        finally:
            if whole and not self._closed:
                self._free.append(connection)
            else:
                await _close(connection)

    async def _connected(self) -> AbstractConnection:
        """Return a connection nobody uses. One the store has closed meanwhile (it restarted) is thrown away."""
        while self._free:
            connection = self._free.pop()
            try:
                stale = await connection.can_read()
            except (RedisError, OSError):
                stale = True
            if not stale:
                return connection
            await _close(connection)
        fresh: Any = self._connection_class(**self._options, retry=Retry(NoBackoff(), 0))
        try:
            await fresh.connect()
        except BaseException:
            await _close(fresh)
            raise
        return cast("AbstractConnection", fresh)

    async def close(self) -> None:
        """Close all connections; those in use are closed when their round trip ends."""
        self._closed = True
        while self._free:
            await _close(self._free.pop())


def _options(url: str) -> dict[str, Any]:
    if "://" not in url:
        return {"connection_class": UnixDomainSocketConnection, "path": url}
    try:
        return cast("dict[str, Any]", parse_url(url))
    except ValueError:
        raise ConfigError("store.url is not one usherd understands", hint="redis://, rediss:// or unix://") from None


async def _close(connection: AbstractConnection) -> None:
    with contextlib.suppress(RedisError, OSError):
        await connection.disconnect(nowait=True)
