"""Two nodes on one store: whichever is killed, nothing is lost and nothing is done twice."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.support.takeovers import Takeovers

KILLS = 3


@pytest.mark.timeout(600)
async def test_a_killed_leader_is_replaced_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """With the leader killed again and again under a stream of mail, all of it is in one contact and answered once."""
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")  # shown when the test fails
    run = Takeovers(tmp_path / "nodes", KILLS, per_second=40, seed=seed)
    await run.run()
    assert run.wrong == []
    assert len(run.seconds) == KILLS
    assert run.acknowledged > 100
    assert run.answered > 0
