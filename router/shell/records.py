"""The journal's records: one event with what was decided on it, chained by hash.

A record is JSON, so that a person with a Valkey client can read the journal. Its hash is SHA-256 over its bytes,
which contain the hash of the record before: whoever changes one must change all that follow.
"""

from __future__ import annotations

import hashlib

import msgspec

from router.core.decisions import Decision
from router.core.errors import JournalBroken
from router.core.events import Event

GENESIS = "0" * 64  # what the first record names as its predecessor
EMPTY = "0-0"  # the last id of a stream that does not exist
FORMAT = 1
SEQ_MAX = 2**64 - 1  # in a stream's ids


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One event, its decisions, and where they stand.

    `n`: global number from 1 (the engine's count of applied events). `prev`: hash of the record before. `wall`: the
    node's clock, ms. `config`: version of the workspace in force after the event. `inbox`: the inbox position after
    it; what stands behind it has not been dealt with.
    """

    v: int = FORMAT
    n: int
    prev: str
    wall: int
    config: str
    inbox: str
    event: Event
    decisions: tuple[Decision, ...] = ()


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the journal: after record `n`, which has that id and hash.

    `epochs`: (epoch, number of its first record). `engine`: version of the engine that wrote the current epoch.
    """

    n: int = 0
    id: str = EMPTY
    hash: str = GENESIS
    epochs: tuple[tuple[int, int], ...] = ()
    engine: int = 0


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The bytes that are stored and hashed."""
    return _ENCODER.encode(record)


def decode(raw: bytes, n: int | None = None) -> Record:
    """The record in `raw`. Raises JournalBroken, naming `n` where it is known."""
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalBroken(f"record {n if n is not None else '?'} cannot be read: {error}", n) from error


def digest(raw: bytes) -> str:
    """The hash by which the next record names this one (64 hexadecimal digits)."""
    return hashlib.sha256(raw).hexdigest()


def id_before(identifier: str) -> str:
    """The greatest stream id before one: what to read after, so that this one comes first."""
    epoch, _, seq = identifier.partition("-")
    return f"{epoch}-{int(seq) - 1}" if int(seq) else f"{max(0, int(epoch) - 1)}-{SEQ_MAX}"
