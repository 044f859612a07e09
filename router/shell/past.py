"""Reads the whole journal, archive and store, for questions about what is long ago; whoever serves others goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from router.core.errors import JournalBroken
from router.shell.archive import Archive, History
from router.shell.journal import JournalStore
from router.shell.records import EMPTY, Record, decode
from router.shell.shelf import Shelf

ROWS = 500

Wanted = Callable[[bytes], bool]


async def records(store: JournalStore, shelf: Shelf | None, wanted: Wanted | None = None) -> AsyncIterator[Record]:
    """Records in their order, those whose bytes are `wanted`; asked row by row, so that one may decide on the next.

    What cannot be read is passed over. Raises StoreUnavailable.
    """
    history = store if shelf is None else History(store, Archive(shelf))
    last = EMPTY
    while rows := await history.journal_read(last, ROWS):
        last = rows[-1][0]
        if wanted is None:
            for found in await asyncio.to_thread(_read, [raw for _, raw in rows]):
                yield found
            continue
        for _, raw in rows:
            for found in _read([raw]) if wanted(raw) else ():
                yield found
        await asyncio.sleep(0)


def _read(raws: list[bytes]) -> list[Record]:
    found = []
    for raw in raws:
        try:
            found.append(decode(raw))
        except JournalBroken:  # `usherd journal verify` says so
            continue
    return found
