"""The append-only file, written anew: what was deleted still stands in the old one, in plain words.

The daemon's own user may not ask for that; the archiver's may. Which user a `store.url` names is the admin's affair: if
it may not, that is said, and somebody who may has to do it.
"""

from __future__ import annotations

import asyncio

from redis.exceptions import ResponseError

from router.core.errors import StoreUnavailable
from router.shell.store.commands import aof_rewrite, info
from router.shell.store.durability import parse_info
from router.shell.store.wire import Wire, code_of

POLL_SECONDS = 0.1
SECONDS_MAX = 3_600.0  # a store of many GB on a slow disk
UNDER_WAY = "already in progress"


class Rewriter:
    """One store's."""

    def __init__(self, url_or_socket: str, user: str | None = None, password: str | None = None) -> None:
        """As whom to ask: a user that may."""
        self._asked = (url_or_socket, user, password)

    async def rewrite(self) -> str:
        """Have it written anew, and wait until it is; gives "" or why not. Raises StoreUnavailable."""
        wire = Wire(*self._asked, seconds_max=10.0)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return await self._rewrite(wire)
        except TimeoutError:
            return "it took too long"
        finally:
            await wire.close()

    async def _rewrite(self, wire: Wire) -> str:
        while True:
            (reply,) = await wire.round_trip([aof_rewrite()])
            if not isinstance(reply, ResponseError):
                break
            if UNDER_WAY not in str(reply):
                return code_of(reply)
            await self._ended(wire)  # that one may have begun before the deletions: once more
        facts = await self._ended(wire)
        return "" if facts.get("aof_last_bgrewrite_status") == "ok" else "the last attempt failed"

    async def _ended(self, wire: Wire) -> dict[str, str]:
        while True:
            (reply,) = await wire.round_trip([info("persistence")])
            if isinstance(reply, ResponseError):
                raise StoreUnavailable(f"the store refused ({code_of(reply)})")
            facts = parse_info(reply)
            if facts.get("aof_rewrite_in_progress") == "0" and facts.get("aof_rewrite_scheduled") == "0":
                return facts
            await asyncio.sleep(POLL_SECONDS)
