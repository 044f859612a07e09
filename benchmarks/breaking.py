"""Every point of USHERD_BUGGIFY in turn: the daemon is killed there while customers write and agents answer.

What must hold is checked after each lot: nothing lost, nothing double, replay gives the state. The work is that of
tests/support/mischief.py, which the fault tests do for a few points at a time.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.mischief import (
    ARCHIVE,
    ERASING,
    JOURNEY,
    erased_by_pieces,
    put_away_by_pieces,
    rampage,
    repeat,
    storm,
)

LOT = 6  # points to one data directory
STORM_ANSWERS = 40


async def _break(points: list[str], seed: int) -> int:
    """Try these points; gives how many lots failed."""
    journey = [point for point in points if point in JOURNEY]
    lots = [journey[start : start + LOT] for start in range(0, len(journey), LOT)]
    lots += [[point for point in points if point in group] for group in (ERASING, ARCHIVE)]
    failed = 0
    for lot in filter(None, lots):
        begun = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="usherd-points-") as folder:
                if lot[0] in ERASING:
                    struck = await erased_by_pieces(Path(folder), sorted(lot, key=ERASING.index))
                elif lot[0] in ARCHIVE:
                    struck = await put_away_by_pieces(Path(folder), lot)
                else:
                    struck = (await rampage(Path(folder), lot, seed)).struck
        except AssertionError as error:
            failed += 1
            sys.stdout.write(f"FAILED {error}\nto repeat: {repeat(lot, seed)}\n")
        else:
            sys.stdout.write(f"held {time.monotonic() - begun:6.1f} s  {' '.join(struck)}\n")
        sys.stdout.flush()
    return failed


def run(points: str, seed: int | None) -> int:
    """`points`: `all`, or names with commas. Gives the exit code."""
    chosen = random.randrange(1 << 32) if seed is None else seed
    sys.stdout.write(f"seed {chosen}\n")
    if points != "all":
        return min(1, asyncio.run(_break(points.split(","), chosen)))
    failed = asyncio.run(_break([*JOURNEY, *ERASING, *ARCHIVE], chosen))
    with tempfile.TemporaryDirectory(prefix="usherd-points-") as folder:
        town = asyncio.run(storm(Path(folder), chosen, answers=STORM_ANSWERS))
    sys.stdout.write(f"held in a storm of {len(town.struck)} refusals and delays\n")
    return min(1, failed)
