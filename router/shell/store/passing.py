"""Notes passed to whoever listens at this moment, and kept nowhere: neither on disk nor in a replica.

Sharded publish and subscribe, one channel a workspace under the hash tag of its keys: in a Cluster it is a matter of
the one node that holds them. Who listens has a connection of its own, since answers on it come unasked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from router.core.errors import StoreUnavailable
from router.shell.store import commands
from router.shell.store.commands import Keys
from router.shell.store.routes import close
from router.shell.store.wire import ELSEWHERE, Wire, code_of

PING_SECONDS = 5.0
SILENT_SECONDS = 16.0  # three of them unanswered: the other end is gone, whatever the connection says

Heard = Callable[[bytes], None]


class NotPassed(StoreUnavailable):
    """The store's user may not do this, or the server is too old for it."""


async def listen(wire: Wire, keys: Keys, heard: Heard, begun: Callable[[], None]) -> None:
    """Call `begun` once it listens and `heard` with each note, until cancelled or another server is the primary.

    Raises StoreUnavailable, NotPassed.
    """
    line = await wire.apart()
    listener = _Listener(line.connection, heard, begun)
    reading = asyncio.create_task(listener.read())
    try:
        await line.connection.send_command(*commands.passing_hear(keys))
        while wire.server == line.server and not listener.is_silent():
            await asyncio.wait([reading], timeout=PING_SECONDS)
            if reading.done():
                reading.result()
                return
            await line.connection.send_command(*commands.ping())
    except ELSEWHERE as error:
        raise StoreUnavailable(f"the store is another one ({code_of(error)})") from None
    except ResponseError as error:
        raise NotPassed(f"the store refused ({code_of(error)})") from None
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"the store did not answer ({code_of(error)})") from None
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await close(line.connection)


class _Listener:
    """What comes unasked on one connection."""

    def __init__(self, connection: AbstractConnection, heard: Heard, begun: Callable[[], None]) -> None:
        self._at = asyncio.get_running_loop().time()
        self._connection = connection
        self._heard = heard
        self._begun = begun

    def is_silent(self) -> bool:
        """Whether nothing has come for long, not even an answer to a ping."""
        return asyncio.get_running_loop().time() - self._at > SILENT_SECONDS

    async def read(self) -> None:
        """Until the connection ends. Raises RedisError, OSError."""
        while True:
            reply = await self._connection.read_response()
            self._at = asyncio.get_running_loop().time()
            if isinstance(reply, list) and len(reply) == 3 and reply[0] == b"smessage":  # noqa: PLR2004  # kind, where, what
                self._heard(bytes(reply[2]))
            elif isinstance(reply, list) and reply[0] == b"ssubscribe":
                self._begun()
            elif isinstance(reply, list) and reply[0] == b"sunsubscribe":
                return  # our slot has moved to another node
