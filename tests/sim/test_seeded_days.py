"""Hundreds of seeded days hold every oracle, and a seed gives the same state in every process."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.pythons import runs
from tests.support.seeded_days import Day

SEEDS = 200
BATCH = 20


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_seeded_days_hold_every_oracle(first: int) -> None:
    """I1-I7 hold after each event, and an engine rebuilt from a copied state agrees with one that never stopped."""
    for seed in range(first, first + BATCH):
        Day(seed).run(60)


def test_a_seed_gives_the_same_state_in_another_process_with_another_hash_seed() -> None:
    """Nothing depends on the order of sets, on addresses in memory or on the process.

    Nor on Python's version, where there is another one.
    """
    seeds = [str(seed) for seed in range(900, 904)]
    here = [Day(int(seed)).run(60) for seed in seeds]
    for python, hash_seed in runs():
        done = subprocess.run(
            [python, "-m", "tests.support.seeded_days", *seeds],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert done.stdout.split() == here
