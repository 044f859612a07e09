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
    """Records in their order, those whose bytes are `wanted`. What cannot be read is passed over. StoreUnavailable."""
    history = store if shelf is None else History(store, Archive(shelf))
    last = EMPTY
    while rows := await history.journal_read(last, ROWS):
        last = rows[-1][0]
        for found in await asyncio.to_thread(_read, rows, wanted):
            yield found


def _read(rows: list[tuple[str, bytes]], wanted: Wanted | None) -> list[Record]:
    found = []
    for _, raw in rows:
        if wanted is None or wanted(raw):
            try:
                found.append(decode(raw))
            except JournalBroken:  # `usherd journal verify` says so
                continue
    return found
