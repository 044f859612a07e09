"""How long nobody leads when the leader is killed under a stream of mail; whether anything is lost or done twice."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, quantile
from tests.support.takeovers import Takeovers

KILLS = 6
KILLS_FULL = 50
PER_SECOND = 100.0
SECONDS_MAX = 5.0


def run(*, full: bool) -> list[Figure]:
    """Kills at random moments, two nodes, agents who answer; then the oracles."""
    kills = KILLS_FULL if full else KILLS
    seed = random.randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    with TemporaryDirectory(prefix="usherd-bench-") as folder:
        found = Takeovers(Path(folder) / "nodes", kills, per_second=PER_SECOND, seed=seed)
        asyncio.run(found.run())
    slowest = max(found.seconds)
    return [
        Figure(
            f"another leads after kill -9 at {PER_SECOND:.0f} mails/s, p50 · slowest of {kills}",
            f"{quantile(found.seconds, 0.5):.1f} · {slowest:.1f} s",
            f"< {SECONDS_MAX:.0f} s",
            slowest < SECONDS_MAX,
        ),
        Figure(
            f"lost, doubled or sent twice, of {found.acknowledged:,} mails and {found.answered:,} answers",
            "; ".join(found.wrong) or "nothing",
            "nothing",
            not found.wrong,
        ),
    ]
