"""Where the primary is: at a URL, where Sentinels say, or at the node of a Cluster that owns our slot.

Rules:
- A route gives a fresh connection to the server that may be written to, or an error; which one that is, it asks anew
  each time. Nothing is sent over it here but questions.
- All keys of a workspace have one hash tag, so that in a Cluster one node holds them all: no cluster client is needed.
- Sentinels are all asked at once, and the answer that most of them give counts: one that is cut off together with an
  old primary must not lead us there. Whoever they name must call itself a primary.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, UnixDomainSocketConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import MovedError, RedisError, ResponseError

from router.core.errors import ConfigError

CONNECT_SECONDS_MAX = 5.0
SENTINEL_SECONDS_MAX = 2.0
SENTINEL_PORT = 26_379
FORMS = "redis://, rediss://, valkey://, unix://, redis+sentinel://host:26379,host2:26379/name or redis+cluster://"

Options = dict[str, Any]


class Route(Protocol):
    """A way to the primary."""

    async def connect(self) -> AbstractConnection:
        """Return a fresh connection to it. Raises RedisError or OSError."""
        ...


def route_of(url: str, user: str | None, password: str | None, key: str) -> Route:
    """Return the way that a URL, or the path of a socket, describes. `key`: one of ours. Raises ConfigError."""
    credentials = {"username": user, "password": password}
    credentials = {name: value for name, value in credentials.items() if value is not None}
    if "://" not in url:
        return Direct({"connection_class": UnixDomainSocketConnection, "path": url} | credentials)
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower().replace("valkey", "redis")
    try:
        if scheme in {"redis+sentinel", "rediss+sentinel"}:
            return _sentinels(scheme.partition("+")[0], rest, credentials)
        if scheme in {"redis+cluster", "rediss+cluster"}:
            hosts = _hosts(rest, 6379)
            scheme = scheme.partition("+")[0]
            return Cluster([_options(scheme, rest, host) | credentials for host in hosts], key)
        return Direct(cast("Options", parse_url(f"{scheme}://{rest}")) | credentials)
    except ValueError:
        raise ConfigError("store.url is not one usherd understands", hint=f"write {FORMS}") from None


class Direct:
    """The server at a URL or a socket."""

    def __init__(self, options: Options) -> None:
        """`options`: of redis-py's connections, with their class."""
        self._options = options

    async def connect(self) -> AbstractConnection:
        """Return a fresh connection."""
        return await opened(self._options)


class Sentinels:
    """The primary that Sentinels name."""

    def __init__(self, sentinels: list[Options], name: str, options: Options) -> None:
        """`sentinels`: how each is reached; `name`: what they call the primary; `options`: all but its address."""
        self._sentinels = sentinels
        self._name = name
        self._options = options

    async def connect(self) -> AbstractConnection:
        """Return a fresh connection to whoever most of them name, if it is a primary."""
        host, port = await self.primary()
        async with handing_on(self._options | {"host": host, "port": port}) as connection:
            (role,) = await ask(connection, ("ROLE",))
            if isinstance(role, Exception) or role[0] != b"master":
                raise NotConnected("the Sentinels name a server that is no primary")
        return connection

    async def primary(self) -> tuple[str, int]:
        """Return the address of the primary. Raises RedisError or OSError."""
        answers = await asyncio.gather(*map(self._ask, self._sentinels), return_exceptions=True)
        named = Counter(answer for answer in answers if isinstance(answer, tuple))
        if not named:
            failed = next((answer for answer in answers if isinstance(answer, RedisError | OSError)), None)
            raise failed or NotConnected("no Sentinel names a primary")
        return named.most_common(1)[0][0]

    async def _ask(self, sentinel: Options) -> tuple[str, int] | None:
        async with asyncio.timeout(SENTINEL_SECONDS_MAX):
            connection = await opened(sentinel)
            try:
                (found,) = await ask(connection, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name))
            finally:
                await close(connection)
        if isinstance(found, Exception):
            raise found
        return (found[0].decode(), int(found[1])) if found else None


class Cluster:
    """The node of a Cluster that owns the slot of our keys."""

    def __init__(self, nodes: list[Options], key: str) -> None:
        """`nodes`: how some of them are reached; `key`: one of ours, to ask for."""
        self._nodes = nodes
        self._key = key

    async def connect(self) -> AbstractConnection:
        """Return a fresh connection to the owner: any node is asked for a key, and says where it has moved."""
        failed: Exception = NotConnected("no node of the Cluster answers")
        for options in self._nodes:
            try:
                return await self._follow(options)
            except (RedisError, OSError) as error:
                failed = error
        raise failed

    async def _follow(self, options: Options) -> AbstractConnection:
        async with handing_on(options) as connection:
            (reply,) = await ask(connection, ("GET", self._key))
            if not isinstance(reply, Exception):
                return connection
            if not isinstance(reply, MovedError):
                raise reply
        await close(connection)
        async with handing_on(options | {"host": reply.host or options["host"], "port": reply.port}) as owner:
            (reply,) = await ask(owner, ("GET", self._key))
            if isinstance(reply, Exception):
                raise reply
        return owner


async def opened(options: Options) -> AbstractConnection:
    """Return a connection, signed in. Raises RedisError or OSError."""
    connection_class: Any = options.get("connection_class", Connection)
    # RESP2: flat replies. No socket timeout: whoever asks has the deadline, one timer for all its replies.
    settings = {name: value for name, value in options.items() if name != "connection_class"}
    settings |= {"protocol": 2, "socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS_MAX}
    settings["driver_info"] = None  # two round trips less per connection
    fresh: Any = connection_class(**settings, retry=Retry(NoBackoff(), 0))
    try:
        await fresh.connect()
    except BaseException:
        await close(fresh)
        raise
    return cast("AbstractConnection", fresh)


async def ask(connection: AbstractConnection, *commands: tuple[Any, ...]) -> list[Any]:
    """Send commands and return their replies; a refused command's reply is a ResponseError."""
    await connection.send_packed_command(connection.pack_commands(commands))
    return [await reply_of(connection) for _ in commands]


async def reply_of(connection: AbstractConnection) -> Any:  # noqa: ANN401  # whatever the store said
    """Return the next reply, also where it is an error."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


async def close(connection: AbstractConnection) -> None:
    """Close a connection, whatever state it is in."""
    with contextlib.suppress(RedisError, OSError):
        await connection.disconnect(nowait=True)


@asynccontextmanager
async def handing_on(options: Options) -> AsyncIterator[AbstractConnection]:
    """Open a connection that the caller hands on; it is closed if that comes to nothing."""
    connection = await opened(options)
    try:
        yield connection
    except BaseException:
        await close(connection)
        raise


def _sentinels(scheme: str, rest: str, credentials: Options) -> Sentinels:
    """Take `user:password@host:port,host:port/name/db?sentinel_password=…` apart. Raises ValueError."""
    parts = urlsplit(f"//{rest}")
    name, _, database = parts.path.strip("/").partition("/")
    if not name:
        raise ValueError("which primary?")
    query = dict(parse_qsl(parts.query))
    theirs = {
        "username": query.pop("sentinel_username", None),
        "password": query.pop("sentinel_password", None),
    }
    plain = f"{parts.netloc.rpartition('@')[2]}/?{urlencode(query)}"
    sentinels = [
        _options(scheme, plain, host) | {key: value for key, value in theirs.items() if value is not None}
        for host in _hosts(plain, SENTINEL_PORT)
    ]
    auth, at, _ = parts.netloc.rpartition("@")
    options = cast("Options", parse_url(f"{scheme}://{auth}{at}primary:0/{database}?{urlencode(query)}"))
    return Sentinels(sentinels, name, options | credentials)


def _hosts(rest: str, port: int) -> list[str]:
    """Return `host:port` of each server in a URL."""
    found = urlsplit(f"//{rest}").netloc.rpartition("@")[2].split(",")
    if not all(found):
        raise ValueError("a host is missing")
    return [host if host.rpartition(":")[2].isdigit() else f"{host}:{port}" for host in found]


def _options(scheme: str, rest: str, host: str) -> Options:
    """Return what a URL of several hosts says of one of them."""
    parts = urlsplit(f"//{rest}")
    auth, at, _ = parts.netloc.rpartition("@")
    query = f"?{parts.query}" if parts.query else ""
    return cast("Options", parse_url(f"{scheme}://{auth}{at}{host}{parts.path}{query}"))
