"""Applies a golden journal's events to the engine alone: `python -m tests.golden.apply FOLDER` prints the state's hash.

It needs no more than msgspec and numpy, so that any Python can be asked whether it decides the same.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import msgspec

from router.core.engine import Engine
from router.shell.records import decode


class Line(msgspec.Struct):
    """One line of an archived journal."""

    id: str
    record: msgspec.Raw


class OtherwiseDecidedError(Exception):
    """A record holds other decisions than the engine makes here."""


def apply(folder: Path) -> str:
    """The hash of the state after all events. Raises OtherwiseDecidedError."""
    engine = Engine()
    for line in gzip.decompress((folder / "journal.jsonl.gz").read_bytes()).splitlines():
        record = decode(bytes(msgspec.json.decode(line, type=Line).record))
        if engine.apply(record.event) != record.decisions:
            raise OtherwiseDecidedError(f"record {record.n}")
    return engine.state_hash()


if __name__ == "__main__":
    print(apply(Path(sys.argv[1])))  # noqa: T201
