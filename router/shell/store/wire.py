"""One round trip to the store: commands out, replies in, never sent twice.

Rules:
- redis-py's connections are used for what they are good at (TLS, sign-in, parsing); its client is not, because it
  repeats commands by default, and an `XADD *` whose reply came late would be stored twice.
- Every round trip has a deadline. A connection whose round trip did not end properly is closed: its next reply would
  answer somebody else's question.
- Whatever goes wrong on the way is StoreUnavailable: the outcome is unknown.
- When another server answers than before (a replica was promoted), `met` hears of it before anything else is sent
  there, and connections to the former one are used no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import hiredis
import msgspec
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, MovedError, ReadOnlyError, RedisError, ResponseError

from router.core.errors import StoreUnavailable
from router.shell.store.commands import Command, info
from router.shell.store.durability import parse_info
from router.shell.store.routes import close, reply_of, route_of

CONNECTIONS_MAX = 16
ELSEWHERE = (ReadOnlyError, MovedError)  # it is not the primary, or not ours, any more

Exchange: TypeAlias = Callable[[list[Command]], Awaitable[list[Any]]]
Met: TypeAlias = Callable[[Exchange], Awaitable[None]]


def code_of(error: BaseException) -> str:
    """Return the first word of a store's error (`OOM`, `NOPERM`, …): the rest may quote what we sent."""
    if type(error) is not ResponseError:
        return type(error).__name__
    return str(error).split(maxsplit=1)[0][:40] if str(error) else "ERR"


class SignInRefused(StoreUnavailable):
    """The store does not accept our user and password."""


class Line(msgspec.Struct):
    """A connection and the run id of the server it leads to."""

    connection: AbstractConnection
    server: str


class Wire:
    """A few connections to one store, each used by one round trip at a time."""

    def __init__(
        self, url: str, user: str | None, password: str | None, seconds_max: float, *, key: str = "usherd"
    ) -> None:
        """`url`: see routes.py, or the path of a socket; `seconds_max`: a round trip's deadline; `key`: one of ours.

        Raises ConfigError for a URL that is none of these.
        """
        self.server = ""  # run id of the one that answers
        self.met: Met | None = None
        self._route = route_of(url, user, password, key)
        self._seconds_max = seconds_max
        self._free: list[Line] = []
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)
        self._meeting = asyncio.Lock()
        self._closed = False

    async def round_trip(self, commands: list[Command], wait_seconds: float = 0.0) -> list[Any]:
        """Send commands at once, return their replies in order; a refused command's reply is a ResponseError.

        `wait_seconds`: how long the store itself was asked to wait. Raises StoreUnavailable.
        """
        packed = _packed(commands)
        try:
            async with asyncio.timeout(self._seconds_max + wait_seconds), self._slots:
                return await self._exchange(packed)
        except (RedisError, OSError) as error:  # the deadline's TimeoutError is an OSError
            if isinstance(error, AuthenticationError) or isinstance(error.__cause__, AuthenticationError):
                raise SignInRefused("the store refused to let us in") from None
            raise StoreUnavailable(f"the store did not answer ({code_of(error)})") from None

    async def apart(self) -> Line:
        """A connection that the caller alone uses, and closes. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(self._seconds_max):
                return await self._connect()
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"the store did not answer ({code_of(error)})") from None

    async def look(self) -> None:
        """See whether the way still leads to the server that answers: a primary that was cut off would not say.

        Raises StoreUnavailable.
        """
        await close((await self.apart()).connection)

    async def _exchange(self, packed: list[bytes]) -> list[Any]:
        line = await self._connected()
        whole = False
        try:
            # One buffer: a raw mail is not copied, asyncio joins what the socket did not take at once.
            await line.connection.send_packed_command(packed)
            replies = [await reply_of(line.connection) for _ in packed]
            whole = not any(isinstance(reply, ELSEWHERE) for reply in replies)
            return replies
        finally:
            if whole:
                await self._give_back(line)
            else:
                await close(line.connection)

    async def _give_back(self, line: Line) -> None:
        if self._closed or line.server != self.server:
            await close(line.connection)
        else:
            self._free.append(line)

    async def _connected(self) -> Line:
        """Return a connection nobody uses. One the store has closed meanwhile (it restarted) is thrown away."""
        while self._free:
            line = self._free.pop()
            try:
                stale = await line.connection.can_read()
            except (RedisError, OSError):
                stale = True
            if not stale and line.server == self.server:
                return line
            await close(line.connection)
        return await self._connect()

    async def _connect(self) -> Line:
        fresh = await self._route.connect()
        try:
            line = Line(fresh, await _server_of(fresh))
            if line.server != self.server:
                await self._meet(line)
        except BaseException:
            await close(fresh)
            raise
        return line

    async def _meet(self, line: Line) -> None:
        """Another server answers than before: first what it lacks, then everything else."""
        async with self._meeting:
            if line.server == self.server:
                return
            if self.server and self.met is not None:
                await self.met(lambda commands: _over(line.connection, commands))
            self.server = line.server
        former, self._free = self._free, []
        for old in former:
            await close(old.connection)

    async def close(self) -> None:
        """Close all connections; those in use are closed when their round trip ends."""
        self._closed = True
        while self._free:
            await close(self._free.pop().connection)


def _packed(commands: list[Command]) -> list[bytes]:
    return [hiredis.pack_command(cast("Any", command)) for command in commands]


async def _over(connection: AbstractConnection, commands: list[Command]) -> list[Any]:
    await connection.send_packed_command(_packed(commands))
    return [await reply_of(connection) for _ in commands]


async def _server_of(connection: AbstractConnection) -> str:
    """Return the run id of a server; it has another one after each start."""
    (reply,) = await _over(connection, [info("server")])
    return "" if isinstance(reply, Exception) else parse_info(reply).get("run_id", "")
