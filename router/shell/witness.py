"""What a node has seen of the journal, kept outside the store: so that a journal that lost its end is noticed.

The witness may be behind the journal, since it is written at most once a second; it is never ahead of what the store
acknowledged. A store that does not hold the witnessed record any more has lost what it had promised to keep: its file
was cut, its key deleted, or a replica was promoted that had not got everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from router.core.errors import StoreUnavailable
from router.shell.journal import Journal
from router.shell.records import Position, digest, id_before
from router.shell.store.server import write_private

log = structlog.get_logger()

NAME = "witness.json"
DOC = "witness"  # the leader's, beside the journal in the store: it tells of a journal whose key was deleted
WRITE_SECONDS = 1.0


class Seen(msgspec.Struct, frozen=True):
    """A record that stood: its number, id and hash."""

    n: int = 0
    id: str = "0-0"
    hash: str = ""


class Loss(msgspec.Struct, frozen=True):
    """What a journal lost. `seen`: the record that stood; `ends`: number of the last that the journal has now.

    `differs`: it has a record of that number, and it is another one. Nothing seen: it is gone, and its length unknown.
    """

    seen: Seen
    ends: int
    differs: bool = False

    def __str__(self) -> str:
        """As people are told."""
        if not self.seen.n:
            return "the store's journal is gone: the inbox, or the mark of its first record, shows that there was one"
        if self.differs:
            return (
                f"record {self.seen.n} ({self.seen.id}) was acknowledged; the store's journal has another in its place:"
                " it went on without it"
            )
        lost = self.seen.n - self.ends
        records = "1 record is" if lost == 1 else f"{lost} records are"
        return f"record {self.seen.n} was acknowledged; the store's journal ends at {self.ends}: {records} lost"


class WitnessStore(Protocol):
    """What the witness asks of the store."""

    async def journal_read(self, after: str, count: int) -> list[tuple[str, bytes]]:
        """(id, record) after an id, in order."""
        ...

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...

    async def journal_vanished(self) -> bool:
        """Whether there is no journal, though what is stored beside it says that there was one."""
        ...


class Witness:
    """One node's. `seen` remembers, `write` keeps, `check` compares."""

    def __init__(self, data: Path, store: WitnessStore) -> None:
        """Read what an earlier run kept in the data directory; one that cannot be read witnesses nothing."""
        self._path = data / NAME
        self._store = store
        self._written = self.last = _read(self._path)

    def seen(self, n: int, identifier: str, digest_: str) -> None:
        """A record stands in the journal: number, id, hash."""
        self.last = Seen(n, identifier, digest_)

    async def write(self, *, leading: bool) -> None:
        """Keep what was seen since, fsynced; the leader also beside the journal. Raises OSError, StoreUnavailable."""
        last = self.last
        if last == self._written:
            return
        encoded = msgspec.json.encode(last)
        await asyncio.to_thread(write_private, self._path, encoded)
        if leading:
            await self._store.doc_put(DOC, encoded)
        self._written = last

    async def run(self, position: Callable[[], tuple[Position, bool]]) -> None:
        """Once a second, keep the place that the journal has reached; `position`: that, and whether this node leads."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.note(*position())

    async def note(self, at: Position, leading: bool) -> None:  # noqa: FBT001 as `position` gives it
        """Keep a place in the journal."""
        if at.n:
            self.seen(at.n, at.id, at.hash)
        try:
            await self.write(leading=leading)
        except (OSError, StoreUnavailable) as error:
            log.warning("witness_not_written", error=type(error).__name__)

    async def check(self, journal: Journal) -> Loss | None:
        """What a journal, read to its end, lacks of what was seen; None if nothing, or if that was accepted."""
        found = [loss for seen in (self.last, await self._beside()) if (loss := await self._lacks(journal, seen))]
        if not found and not journal.n and await self._store.journal_vanished():  # before anybody had noted a record
            return Loss(Seen(), 0)
        return max(found, key=lambda loss: loss.seen.n) if found else None

    async def furthest(self) -> Seen:
        """The later one of what this node saw and what a leader noted beside the journal."""
        return max(self.last, await self._beside(), key=lambda seen: seen.n)

    async def _beside(self) -> Seen:
        raw = await self._store.doc_get(DOC)
        return Seen() if raw is None else _decode(raw)

    async def _lacks(self, journal: Journal, seen: Seen) -> Loss | None:
        if seen.n == 0 or journal.gave_up(seen.n, seen.id):
            return None
        if seen.n > journal.n:
            return Loss(seen, journal.n)
        if journal.id_of(seen.n) != seen.id:
            return Loss(seen, journal.n, differs=True)
        rows = await self._store.journal_read(id_before(seen.id), 1)
        stands = not rows or rows[0][0] != seen.id or digest(rows[0][1]) == seen.hash  # one that was trimmed stands
        return None if stands else Loss(seen, journal.n, differs=True)


def _read(path: Path) -> Seen:
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return Seen()


def _decode(raw: bytes) -> Seen:
    try:
        return msgspec.json.decode(raw, type=Seen)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        log.warning("witness_unreadable")
        return Seen()
