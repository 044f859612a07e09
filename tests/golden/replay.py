"""Replays a golden journal: `python -m tests.golden.replay FOLDER` prints the hash of the state it gives."""

from __future__ import annotations

import asyncio
import gzip
import sys
from pathlib import Path

from router.shell.archive import from_line
from router.shell.audit import Verified, verify
from tests.support.memory_store import MemoryStore


def replay(folder: Path) -> Verified:
    """Read the whole journal and, if this engine wrote it, replay it."""
    store = MemoryStore()
    store.rows = [from_line(line) for line in gzip.decompress((folder / "journal.jsonl.gz").read_bytes()).splitlines()]
    verdict, _ = asyncio.run(verify(store))
    return verdict


if __name__ == "__main__":
    print(replay(Path(sys.argv[1])).state_hash)  # noqa: T201
