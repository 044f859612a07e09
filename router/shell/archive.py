"""The archive: old records in compressed segments on a shelf, and the journal as one with what the store still holds.

A segment is one gzip file of JSON Lines, a record and its id on each, named by its first and last number, its last id
and the hash of its last record: so the chain goes on from segment to segment, and the names alone show a hole.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import zlib
from bisect import bisect_right

import msgspec

from router.core.errors import JournalBroken
from router.shell.buggify import point
from router.shell.journal import Journal, JournalStore
from router.shell.records import EMPTY, NEVER_TOO_OLD, at_of, digest, id_before
from router.shell.shelf import Shelf

FOLDER = "journal"
SEGMENT_RECORDS_MAX = 50_000
SEGMENT_RECORDS_MIN = 1_000
LEVEL = 6
_NAME = re.compile(rf"{FOLDER}/(\d{{12}})-(\d{{12}})_(\d+)-(\d+)_([0-9a-f]{{16}})\.jsonl\.gz")
_BEGIN, _MIDDLE, _END = b'{"id":"', b'","record":', b"}"

Row = tuple[str, bytes]  # id in the stream, bytes of the record


class Segment(msgspec.Struct, frozen=True):
    """What a segment's name says: numbers of its first and last record, the last one's id and (shortened) hash."""

    first: int
    last: int
    last_id: tuple[int, int]
    hash: str
    name: str


def to_line(row: Row) -> bytes:
    """One record as a line of JSON, its own bytes unchanged in it; without the line's end."""
    return b"".join((_BEGIN, row[0].encode(), _MIDDLE, row[1], _END))


def from_line(line: bytes) -> Row:
    """The record in a line. Raises JournalBroken."""
    identifier, middle, rest = line.rstrip(b"\n").removeprefix(_BEGIN).partition(_MIDDLE)
    if not line.startswith(_BEGIN) or not middle or not rest.endswith(_END):
        raise JournalBroken(f"{line[:40]!r} is not a line of an archived journal")
    return identifier.decode("ascii", "replace"), rest[: -len(_END)]


def name_of(rows: list[Row], last: int) -> str:
    """The name of a segment that ends with record number `last`."""
    identifier, raw = rows[-1]
    epoch, seq = order(identifier)
    return f"{FOLDER}/{last - len(rows) + 1:012d}-{last:012d}_{epoch}-{seq}_{digest(raw)[:16]}.jsonl.gz"


def order(identifier: str) -> tuple[int, int]:
    """Ids in the order of the stream."""
    epoch, _, seq = identifier.partition("-")
    return int(epoch), int(seq)


class Archive:
    """The segments on a shelf. One that was read is kept, for those who read on."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._segments: list[Segment] | None = None
        self._held: tuple[str, list[Row]] = ("", [])

    async def segments(self, *, fresh: bool = False) -> list[Segment]:
        """All segments, first to last; listed anew if `fresh`."""
        if self._segments is None or fresh:
            found = [(name, _NAME.fullmatch(name)) for name in await self._shelf.names(FOLDER)]
            segments = [
                Segment(int(said[1]), int(said[2]), (int(said[3]), int(said[4])), said[5], name)
                for name, said in found
                if said
            ]
            # Two nodes that archived at once have left segments that overlap: they say the same.
            self._segments = sorted(segments, key=lambda segment: (segment.last_id, segment.first))
        return self._segments

    async def rows(self, segment: Segment) -> list[Row]:
        """A segment's records. Raises JournalBroken if it is damaged."""
        if self._held[0] != segment.name:
            raw = await self._shelf.get(segment.name)
            if raw is None:
                raise JournalBroken(f"segment {segment.name} of the archive is gone", segment.first)
            self._held = (segment.name, await asyncio.to_thread(_unpacked, raw, segment))
        return self._held[1]

    async def before(self, at: int) -> str:
        """The id of the last record of a segment, the latest all of which is older than an instant (engine time, ms).

        Unpacks about log2(number of segments). One that is damaged may be newer.
        """
        segments = await self.segments()
        low, high = 0, len(segments)
        while low < high:
            middle = (low + high) // 2
            if await self._ends(segments[middle]) < at:
                low = middle + 1
            else:
                high = middle
        return "-".join(map(str, segments[low - 1].last_id)) if low else EMPTY

    async def _ends(self, segment: Segment) -> int:
        raw = await self._shelf.get(segment.name)
        return NEVER_TOO_OLD if raw is None else await asyncio.to_thread(_end_of, raw, segment)

    async def put(self, rows: list[Row], last: int) -> str:
        """Store records that end with number `last` as a segment, and read it back; gives its name.

        Raises JournalBroken if what is read is not what was written.
        """
        name = name_of(rows, last)
        await point("archive.before_put")
        await self._shelf.put(name, await asyncio.to_thread(_packed, rows))
        await point("archive.after_put")
        self._held = ("", [])
        (segment,) = [one for one in await self.segments(fresh=True) if one.name == name]
        if await self.rows(segment) != rows:
            raise JournalBroken(f"segment {name} was stored and reads otherwise", segment.first)
        return name


def _packed(rows: list[Row]) -> bytes:
    return gzip.compress(b"".join(to_line(row) + b"\n" for row in rows), LEVEL, mtime=0)


def _unpacked(raw: bytes, segment: Segment) -> list[Row]:
    try:
        rows = [from_line(line) for line in gzip.decompress(raw).splitlines()]
    except (OSError, EOFError, zlib.error, JournalBroken) as error:
        raise JournalBroken(
            f"segment {segment.name} of the archive is damaged ({error}): records {segment.first}-{segment.last}",
            segment.first,
        ) from None
    if len(rows) != segment.last - segment.first + 1 or digest(rows[-1][1])[:16] != segment.hash:
        raise JournalBroken(f"segment {segment.name} of the archive is not what its name says", segment.first)
    return rows


def _end_of(raw: bytes, segment: Segment) -> int:
    """The engine time of a segment's last record."""
    try:
        _, last = from_line(gzip.decompress(raw).rstrip(b"\n").rpartition(b"\n")[2])
    except (OSError, EOFError, zlib.error, JournalBroken):
        return NEVER_TOO_OLD
    return at_of(last) if digest(last)[:16] == segment.hash else NEVER_TOO_OLD


class History:
    """The whole journal, to be read like the store's: from the archive first, then from the store."""

    def __init__(self, store: JournalStore, archive: Archive) -> None:
        self.store = store
        self.archive = archive

    async def journal_append(self, expected_last: str, records: list[Row], blobs: dict[str, bytes]) -> None:
        """Append to the store's."""
        await self.store.journal_append(expected_last, records, blobs)

    async def journal_last(self) -> str:
        """The id of the newest record of the store's."""
        return await self.store.journal_last()

    async def journal_read(self, after: str, count: int) -> list[Row]:
        """Records after an id: of one segment, or of the store where the archive ends."""
        segments = await self.archive.segments()
        place = bisect_right(segments, order(after), key=lambda segment: segment.last_id)
        if place == len(segments):
            return await self.store.journal_read(after, count)
        rows = await self.archive.rows(segments[place])
        first = bisect_right(rows, order(after), key=lambda row: order(row[0]))
        return rows[first : first + count]

    async def journal_get(self, identifier: str) -> bytes | None:
        """One record's bytes, or None."""
        for found, raw in await self.journal_read(id_before(identifier), 1):
            return raw if found == identifier else None
        return None


async def extend(
    archive: Archive, journal: Journal, *, upto: int, before: int, records_min: int = SEGMENT_RECORDS_MIN
) -> int:
    """Put records into segments, from where the archive ends: up to number `upto`, and written before `before` (ms).

    `journal` stands at the archive's end and reads the store. Fewer than `records_min` wait for more. Gives the number
    of records put away. Raises JournalBroken.
    """
    rows: list[Row] = []
    done, last = 0, journal.n
    async for identifier, raw, record in journal.rows(leap=True):
        over = record.n > upto or record.wall >= before
        if over or len(rows) == SEGMENT_RECORDS_MAX or (rows and record.n != last + 1):
            if len(rows) >= (records_min if over else 1):
                await archive.put(rows, last)
                done += len(rows)
            rows = []
        if over:
            return done
        rows.append((identifier, raw))
        last = record.n
    if len(rows) >= max(1, records_min):
        await archive.put(rows, last)
        done += len(rows)
    return done
