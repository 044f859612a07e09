"""Inbox entries to and from what the store speaks; several callers' groups to as few script calls as possible.

All groups that keep conflicts share one call: it is done whole or not at all, so each caller still gets all or none.
A group that refuses conflicts has a call of its own, since it may be refused without the others.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypeAlias

import msgspec

from router.core.errors import StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.shell.store.commands import INLINE_BYTES_MAX
from router.shell.store.files import BlobPlace

FILE_PREFIX = "inbox"
DIGEST_BYTES = 16

Group: TypeAlias = tuple[list[InboxEntry], str]  # the entries, and `keep` or `refuse`
Outcome: TypeAlias = list[Appended] | StoreUnavailable


class InboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """One stored input: `raw` as received.

    `lost` says that its file is gone, so a person must be told; `absent` that it cannot be had now. `path`: of the file
    that holds `raw`, if it is too large for the store.
    """

    id: str
    source: str
    meta: bytes
    raw: bytes
    key: bytes
    conflict: bool = False
    lost: bool = False
    absent: bool = False
    path: str = ""


class Call(msgspec.Struct):
    """One script call: the flat arguments of all its entries, and which groups they belong to."""

    refuse: int
    arguments: list[bytes | str]
    groups: list[int]


async def write_large(batch: list[InboxEntry], files: BlobPlace) -> list[str] | StoreUnavailable:
    """Write raw bytes that are too large for the store to files; return a name per entry, '' for the others."""
    names = [""] * len(batch)
    for place, entry in enumerate(batch):
        if len(entry.raw) > INLINE_BYTES_MAX:
            try:
                names[place] = await files.write(FILE_PREFIX, entry.raw)
            except StoreUnavailable as error:
                with suppress(StoreUnavailable):  # what stays is swept up
                    await files.delete([name for name in names if name])
                return error
    return names


def merge(groups: list[Group], files: list[list[str] | StoreUnavailable]) -> list[Call]:
    """Return the calls that store these groups; groups whose files could not be written are left out."""
    keep = Call(refuse=0, arguments=[], groups=[])
    calls = [keep]
    for place, ((batch, conflict), names) in enumerate(zip(groups, files, strict=True)):
        if isinstance(names, StoreUnavailable) or not batch:
            continue
        call = keep
        if conflict != "keep":
            call = Call(refuse=1, arguments=[], groups=[])
            calls.append(call)
        call.groups.append(place)
        for entry, name in zip(batch, names, strict=True):
            _check(entry)
            raw = b"" if name else entry.raw
            call.arguments += (entry.source, entry.key, entry.body, entry.meta, raw, name)
    return [call for call in calls if call.groups]


def split(
    groups: list[Group],
    files: list[list[str] | StoreUnavailable],
    calls: list[Call],
    answers: list[list[bytes] | StoreUnavailable],
) -> tuple[list[Outcome], list[str]]:
    """Return each group's outcome, and the names of files written for entries that were not added."""
    outcomes: list[Outcome] = [names if isinstance(names, StoreUnavailable) else [] for names in files]
    useless: list[str] = []
    for call, answer in zip(calls, answers, strict=True):
        start = 0
        for place in call.groups:
            size = len(groups[place][0])
            if isinstance(answer, StoreUnavailable):
                outcomes[place] = answer
                marks = [b"-"] * size
            else:
                marks = answer[start : start + size]
                outcomes[place] = [_appended(mark) for mark in marks]
            start += size
            names = files[place]
            if not isinstance(names, StoreUnavailable):
                useless += [name for name, mark in zip(names, marks, strict=True) if name and mark[:1] not in b"nc"]
    return outcomes, useless


def decode(stored: tuple[bytes, list[bytes]]) -> tuple[InboxItem, str]:
    """Return the entry of one stream reply, and the name of the file its raw bytes are in ('' when they are here)."""
    entry_id, flat = stored
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    item = InboxItem(
        id=entry_id.decode(),
        source=fields[b"source"].decode(),
        meta=fields[b"meta"],
        raw=fields.get(b"raw", b""),
        key=fields[b"key"],
        conflict=b"conflict" in fields,
    )
    return item, fields.get(b"file", b"").decode()


async def with_file(item: InboxItem, files: BlobPlace, name: str) -> InboxItem:
    """Return the entry with its file's bytes. A missing file is `lost`, one entry must not stop the others."""
    raw = await files.read(name)
    if raw is None:
        return msgspec.structs.replace(item, lost=True)
    return msgspec.structs.replace(item, raw=raw, path=files.path(name))


def _check(entry: InboxEntry) -> None:
    """Day hashes rely on the size of digests. Raises ValueError: a mistake of the caller."""
    if len(entry.key) != DIGEST_BYTES or len(entry.body) != DIGEST_BYTES:
        raise ValueError("key and body of an inbox entry are 16-byte digests")


def _appended(mark: bytes) -> Appended:
    entry_id = mark[1:].decode()
    return Appended(entry_id, duplicate=mark[:1] in b"dD", conflict=mark[:1] in b"cDr")
