"""Snapshots: the engine's state at one record, so that a start need not replay the journal from its beginning.

A snapshot is one object: a line with the SHA-256 of all that follows, a line of JSON (`Header`), and the state in its
canonical encoding, compressed. One that cannot be read is skipped for the one before it.
"""

from __future__ import annotations

import hashlib
import re
import zlib

import msgspec

from router.core.errors import PermanentError
from router.core.state import State
from router.shell.records import Builtins, Position, Upgrade, upgraded
from router.shell.shelf import Shelf

FOLDER = "snapshots"
ASIDE = "set-aside"
STATE_FORMAT = 1
LEVEL = 1  # of zlib: the state is a fifth afterwards; a higher one costs seconds and saves little
_MAGIC = b"usherd-snapshot "
_NAME = re.compile(rf"{FOLDER}/(\d{{12}})-e(\d+)-[0-9a-f]{{16}}\.snapshot")

UPGRADES: dict[int, Upgrade] = {}  # from a state's format to the next


class Damaged(PermanentError):
    """A snapshot cannot be read: its bytes are not those that were written, or a newer usherd wrote it."""

    code = "snapshot_damaged"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself.

    `position`: the record it stands at. `engine`: version of the engine whose state it is. `state_hash`: SHA-256 of
    the state. `checked`: written by a process that replayed the journal to it, not from the leader's own memory.
    """

    position: Position
    config: str
    engine: int
    node: str
    wall: int
    state_hash: str
    checked: bool
    format: int = STATE_FORMAT


class Snapshot(msgspec.Struct, frozen=True):
    """A header, and the state it speaks of."""

    header: Header
    state: State


class Label(msgspec.Struct, frozen=True, order=True):
    """What a snapshot's name says."""

    n: int
    engine: int
    name: str


def header_of(state: State, position: Position, *, engine: int, node: str, wall: int, checked: bool) -> Header:
    """The header of a state at a position."""
    encoded = hashlib.sha256(msgspec.json.encode(state)).hexdigest()
    return Header(
        position=position,
        config=state.version,
        engine=engine,
        node=node,
        wall=wall,
        state_hash=encoded,
        checked=checked,
    )


def encode(header: Header, state: State) -> bytes:
    """A snapshot's bytes."""
    packed = zlib.compress(msgspec.json.encode(state), LEVEL)
    rest = b"".join((msgspec.json.encode(header), b"\n", packed))
    return b"".join((_MAGIC, hashlib.sha256(rest).hexdigest().encode(), b"\n", rest))


def decode(raw: bytes) -> Snapshot:
    """The snapshot in `raw`; a state of an older format is upgraded. Raises Damaged."""
    first, _, rest = raw.partition(b"\n")
    if not first.startswith(_MAGIC) or first[len(_MAGIC) :] != hashlib.sha256(rest).hexdigest().encode():
        raise Damaged("its bytes are not those that were written")
    said, _, packed = rest.partition(b"\n")
    try:
        header = msgspec.json.decode(said, type=Header)
        return Snapshot(header, _state(zlib.decompress(packed), header.format))
    except (msgspec.MsgspecError, zlib.error) as error:
        raise Damaged(f"it cannot be read ({error})") from None


def _state(encoded: bytes, written: int) -> State:
    if written == STATE_FORMAT:
        return msgspec.json.decode(encoded, type=State)
    if written > STATE_FORMAT:
        raise Damaged(f"a newer usherd wrote it (state format {written}, this one reads up to {STATE_FORMAT})")
    found = upgraded(msgspec.json.decode(encoded, type=Builtins), written, STATE_FORMAT, UPGRADES)
    return msgspec.convert(found, State, strict=False)


def name_of(header: Header) -> str:
    """Where a snapshot is put: sorted by name, snapshots are in the order of their records."""
    return f"{FOLDER}/{header.position.n:012d}-e{header.engine}-{header.position.hash[:16]}.snapshot"


async def put(shelf: Shelf, header: Header, state: State) -> str:
    """Store a snapshot durably; gives its name. Raises StoreUnavailable or ConfigError."""
    name = name_of(header)
    await shelf.put(name, encode(header, state))
    return name


async def listed(shelf: Shelf) -> list[Label]:
    """All snapshots, newest first."""
    found = [(name, _NAME.fullmatch(name)) for name in await shelf.names(FOLDER)]
    return sorted((Label(int(said[1]), int(said[2]), name) for name, said in found if said), reverse=True)


async def load(shelf: Shelf, name: str) -> Snapshot:
    """One snapshot. Raises Damaged, also where it is gone."""
    raw = await shelf.get(name)
    if raw is None:
        raise Damaged("it is gone")
    return decode(raw)


async def set_aside(shelf: Shelf, name: str) -> None:
    """Keep a snapshot that must not be used for people to look at, where nobody finds it to start from."""
    raw = await shelf.get(name)
    if raw is not None:
        await shelf.put(f"{ASIDE}/{name.removeprefix(FOLDER + '/')}", raw)
        await shelf.delete([name])


async def prune(shelf: Shelf, keep: int) -> list[str]:
    """Delete all but the newest `keep`, and the newest of each engine version: that is what an upgrade went on from."""
    labels = await listed(shelf)
    newest: dict[int, str] = {}
    for label in labels:
        newest.setdefault(label.engine, label.name)
    gone = [label.name for label in labels[keep:] if label.name not in newest.values()]
    await shelf.delete(gone)
    return gone
