"""Reads the whole journal, archive and store, for questions about what is long ago; whoever serves others goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from router.core.errors import JournalBroken
from router.shell.archive import Archive, History
from router.shell.journal import Journal, JournalStore
from router.shell.records import EMPTY, Record, at_of, decode
from router.shell.shelf import Shelf

ROWS = 500

Wanted = Callable[[bytes], bool]


class PastStore(JournalStore, Protocol):
    """What is asked of the store."""

    async def journal_get(self, identifier: str) -> bytes | None:
        """One record's bytes; None if the journal no longer holds it."""
        ...


async def since(store: PastStore, shelf: Shelf | None, journal: Journal, at: int) -> AsyncIterator[Record]:
    """Records of an instant (ms, engine time) or later, read in a thread, in their order. Raises StoreUnavailable.

    What is older is not read at all, but for about log2(n) records and segments; `journal`: how far it is known here.
    """
    after = await _before(store, shelf, journal, at)
    async for rows in _lots(store, shelf, after):
        for found in await asyncio.to_thread(_read, [raw for raw in rows if at_of(raw) >= at]):
            yield found


async def records(store: JournalStore, shelf: Shelf | None, wanted: Wanted) -> AsyncIterator[Record]:
    """Records in their order, those whose bytes are `wanted`; asked row by row, so that one may decide on the next.

    What cannot be read is passed over. Raises StoreUnavailable.
    """
    async for rows in _lots(store, shelf):
        for raw in rows:
            for found in _read([raw]) if wanted(raw) else ():
                yield found


async def _before(store: PastStore, shelf: Shelf | None, journal: Journal, at: int) -> str:
    """An id behind which all records stand that are not older. Engine time only grows from record to record."""
    low, high = 1, journal.n
    while low <= high:
        middle = (low + high) // 2
        raw = await store.journal_get(journal.id_of(middle))
        if raw is None or at_of(raw) < at:  # what the store no longer holds is older than what it does
            low = middle + 1
        else:
            high = middle - 1
    before = journal.id_of(low - 1) if low > 1 else EMPTY
    if before != EMPTY and await store.journal_get(before) is not None:
        return before
    return EMPTY if shelf is None else await Archive(shelf).before(at)


async def _lots(store: JournalStore, shelf: Shelf | None, after: str = EMPTY) -> AsyncIterator[list[bytes]]:
    history = store if shelf is None else History(store, Archive(shelf))
    last = after
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
