"""When Python looks for cyclic garbage: a look through everything stops the whole process for tenths of a second.

By itself Python does that whenever the long-lived objects have grown by a quarter, so always in the middle of a rush.
Here short-lived ones are looked at often and in small numbers, and all of them at a quiet moment of every few minutes.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

YOUNG_OBJECTS_MAX = 5_000  # made and not yet dropped since the last look: about 1 ms
YOUNG_LOOKS_MAX = 5
NEVER = 1 << 30
FULL_SECONDS = 300.0
QUIET_SECONDS = 0.5
QUIET_LOOKS_MAX = 240  # then it is done all the same: memory matters too


async def collect(count: Callable[[], int]) -> None:
    """Keep to the schedule until cancelled; then Python's own thresholds hold again.

    `count` grows with each thing the process does: while it stands still for QUIET_SECONDS, the moment is quiet.
    """
    with young_only():
        while True:
            await asyncio.sleep(FULL_SECONDS)
            for _ in range(QUIET_LOOKS_MAX):
                seen = count()
                await asyncio.sleep(QUIET_SECONDS)
                if count() == seen:
                    break
            gc.collect()


@contextmanager
def young_only() -> Iterator[None]:
    """What is there stays until the end, and Python looks by itself only through what is made meanwhile."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_LOOKS_MAX, NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
