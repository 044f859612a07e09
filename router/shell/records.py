"""The journal's records: one event with what was decided on it, chained by hash.

A record is JSON, so that a person with a Valkey client can read the journal. Its hash is SHA-256 over its bytes,
which contain the hash of the record before: whoever changes one must change all that follow.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from router.core.decisions import Decision
from router.core.errors import JournalBroken
from router.core.events import Event, LeaderElected
from router.core.version import ENGINE

GENESIS = "0" * 64  # what the first record names as its predecessor
EMPTY = "0-0"  # the last id of a stream that does not exist
FORMAT = 1
Builtins: TypeAlias = dict[str, Any]
Upgrade = Callable[[Builtins], Builtins]
UPGRADES: dict[int, Upgrade] = {}  # from a record's format to the next; `v` itself need not be set

SEQ_MAX = 2**64 - 1  # in a stream's ids
HEAD_BYTES = 600
NEVER_TOO_OLD = 1 << 60
_AT = re.compile(rb'"event":\{"type":"\w+","at":(\d+)')


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One event, its decisions, and where they stand.

    `v`: format of the record. `engine`: version of the engine that decided. `n`: global number from 1 (the engine's
    count of applied events). `prev`: hash of the record before. `wall`: the node's clock, ms. `config`: version of the
    workspace in force after the event. `inbox`: the inbox position after it; what stands behind it has not been dealt
    with.
    """

    v: int = FORMAT
    engine: int = ENGINE
    n: int
    prev: str
    wall: int
    config: str
    inbox: str
    event: Event
    decisions: tuple[Decision, ...] = ()


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the journal: after record `n`, which has that id and hash.

    `epochs`: (epoch, number of its first record). `losses`: number and event of each fence that went on after a loss.
    """

    n: int = 0
    id: str = EMPTY
    hash: str = GENESIS
    epochs: tuple[tuple[int, int], ...] = ()
    losses: tuple[tuple[int, LeaderElected], ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The bytes that are stored and hashed."""
    return _ENCODER.encode(record)


def decode(raw: bytes, n: int | None = None) -> Record:
    """The record in `raw`, one of an older format upgraded. Raises JournalBroken, naming `n` where it is known."""
    try:
        record = _DECODER.decode(raw)
        return record if record.v == FORMAT else _of_other_format(raw, n)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _of_other_format(raw, n)


def _of_other_format(raw: bytes, n: int | None) -> Record:
    name = f"record {n if n is not None else '?'}"
    try:
        found = msgspec.json.decode(raw, type=Builtins)
        written = msgspec.convert(found["v"], int)
        if written > FORMAT:
            raise JournalBroken(
                f"{name} has format {written}, and this usherd reads up to {FORMAT}: start the newer one that wrote it",
                n,
            )
        found = {**upgraded(found, written, FORMAT, UPGRADES), "v": FORMAT}
        return msgspec.convert(found, Record, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise JournalBroken(f"{name} cannot be read: {error}", n) from error


def upgraded(found: Builtins, written: int, wanted: int, steps: Mapping[int, Upgrade]) -> Builtins:
    """Decoded JSON of one format as that of another: `steps` has a pure function from each format to the next."""
    for step in range(written, wanted):
        found = steps[step](found)
    return found


def at_of(raw: bytes) -> int:
    """The engine time of a record, by its first bytes; what cannot be told is never too old."""
    found = _AT.search(raw, 0, HEAD_BYTES)
    return int(found[1]) if found is not None else NEVER_TOO_OLD


def digest(raw: bytes) -> str:
    """The hash by which the next record names this one (64 hexadecimal digits)."""
    return hashlib.sha256(raw).hexdigest()


def id_before(identifier: str) -> str:
    """The greatest stream id before one: what to read after, so that this one comes first."""
    epoch, _, seq = identifier.partition("-")
    return f"{epoch}-{int(seq) - 1}" if int(seq) else f"{max(0, int(epoch) - 1)}-{SEQ_MAX}"
