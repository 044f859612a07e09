"""`kill -9` at named points of the journey, of an erasure and of the archive; I1, I2 and I4 hold whatever the seed.

A few points each time, by a seed that is printed; `python -m benchmarks.soak --points all` tries every one.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

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

POINTS_EACH = 3


def chosen(points: tuple[str, ...], number: int) -> tuple[list[str], int]:
    """Some points and a seed; shown when a test fails."""
    seed = random.randrange(1 << 32)
    found = random.Random(seed).sample(points, number)
    sys.stdout.write(f"to repeat: {repeat(found, seed)}\n")
    return found, seed


@pytest.mark.timeout(600)
async def test_killed_at_points_of_the_journey_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Each acknowledged mail is in one contact, each answer left once unless unknown, and replay gives the state."""
    points, seed = chosen(JOURNEY, POINTS_EACH)
    town = await rampage(tmp_path, points, seed)
    assert town.struck == points


@pytest.mark.timeout(600)
async def test_when_the_store_fails_here_and_there_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Refusals and delays at all points at once, one in fifty times."""
    _, seed = chosen(JOURNEY, 1)
    town = await storm(tmp_path, seed, answers=10, strikes=10)
    assert len(town.struck) >= 10


@pytest.mark.timeout(600)
async def test_an_erasure_that_is_killed_goes_on(tmp_path: Path) -> None:
    """After the next start, until no file holds a word; whichever step it died at."""
    points, _ = chosen(ERASING, 1)
    points.sort(key=ERASING.index)
    assert await erased_by_pieces(tmp_path, points) == points


@pytest.mark.timeout(600)
async def test_an_archivist_that_is_killed_leaves_a_whole_journal(tmp_path: Path) -> None:
    """At each of its points: the next one goes on, and every record is in the store or in the archive."""
    points = list(ARCHIVE)
    assert await put_away_by_pieces(tmp_path, points) == points
