"""Reads the whole journal, archive and store, for questions about what is long ago; whoever serves others goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from router.core.errors import JournalBroken
from router.shell.archive import Archive, History
from router.shell.journal import JournalStore
from router.shell.records import EMPTY, Record, decode
from router.shell.shelf import Shelf

ROWS = 500
HEAD_BYTES = 400
NEVER_TOO_OLD = 1 << 60
_WALL = re.compile(rb'"wall":(\d+)')

Wanted = Callable[[bytes], bool]


async def since(store: JournalStore, shelf: Shelf | None, wall: int) -> AsyncIterator[Record]:
    """Records written at or after an instant (ms), read in a thread, in their order. Raises StoreUnavailable."""
    async for rows in _lots(store, shelf):
        for found in await asyncio.to_thread(_read, [raw for raw in rows if wall_of(raw) >= wall]):
            yield found


async def records(store: JournalStore, shelf: Shelf | None, wanted: Wanted) -> AsyncIterator[Record]:
    """Records in their order, those whose bytes are `wanted`; asked row by row, so that one may decide on the next.

    What cannot be read is passed over. Raises StoreUnavailable.
    """
    async for rows in _lots(store, shelf):
        for raw in rows:
            for found in _read([raw]) if wanted(raw) else ():
                yield found


def wall_of(raw: bytes) -> int:
    """When a record was written, by its first bytes; what cannot be told is never too old."""
    found = _WALL.search(raw, 0, HEAD_BYTES)
    return int(found[1]) if found is not None else NEVER_TOO_OLD


async def _lots(store: JournalStore, shelf: Shelf | None) -> AsyncIterator[list[bytes]]:
    history = store if shelf is None else History(store, Archive(shelf))
    last = EMPTY
    while rows := await history.journal_read(last, ROWS):
        last = rows[-1][0]
        yield [raw for _, raw in rows]
        await asyncio.sleep(0)


def _read(raws: list[bytes]) -> list[Record]:
    found = []
    for raw in raws:
        try:
            found.append(decode(raw))
        except JournalBroken:  # `usherd journal verify` says so
            continue
    return found
