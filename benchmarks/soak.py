"""`make soak`: a whole daemon under an even load for a long while; memory, lag and the journal are watched.

Prints a line a minute and ends with an error when something was lost, the journal does not verify, or memory grows by
more than what the contacts explain. With `--points all` the daemon is killed at every point of USHERD_BUGGIFY instead.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from benchmarks import breaking
from benchmarks.load import rate
from benchmarks.nodes import serving_in
from router.app.journal import verify_journal
from tests.support.seeded_days import Day

BYTES_PER_CONTACT_MAX = 20_000


def _figures(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", timeout=60, trust_env=False).text
    found = {}
    for name in ("usherd_inbox_lag", "usherd_records_total"):
        found[name] = sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))
    return found


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def _seeded_days(number: int) -> None:
    """Days that no test has seen, each with every oracle. Raises AssertionError, naming the seed."""
    first = time.time_ns() % 1_000_000_000
    for seed in range(first, first + number):
        Day(seed).run(200)
    sys.stdout.write(f"{number:,} seeded days from {first} on hold every oracle\n")


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--points", help="all, or some, with commas: kill it there instead")
    parser.add_argument("--seed", type=int, help="with --points: as it was printed")
    parser.add_argument("--days", type=int, default=1_000, help="seeded days of the engine, audited, before all else")
    asked = parser.parse_args()
    if asked.points:
        return breaking.run(asked.points, asked.seed)
    _seeded_days(asked.days)
    mails = int(asked.minutes * 60 * asked.per_second)
    grown = 0
    with tempfile.TemporaryDirectory(prefix="usherd-soak-") as folder:
        with serving_in("daemon", Path(folder)) as node:
            sender = threading.Thread(target=rate, args=(node["smtp"], mails), kwargs={"paced": asked.per_second})
            before = _resident_bytes(node["pid"])
            sender.start()
            begun = time.monotonic()
            while sender.is_alive():
                sender.join(60)
                now = _figures(node["http"])
                grown = _resident_bytes(node["pid"]) - before
                sys.stdout.write(
                    f"{(time.monotonic() - begun) / 60:6.1f} min  {now['usherd_records_total']:,.0f} records  "
                    f"lag {now['usherd_inbox_lag']:,.0f}  memory +{grown / 1e6:,.0f} MB\n"
                )
                sys.stdout.flush()
        verdict = asyncio.run(verify_journal(Path(folder) / "config", Path(folder) / "data", progress=lambda _: None))
    wrong = []
    if not verdict.ok:
        wrong.append(f"the journal is broken at record {verdict.first_bad}: {verdict.problem}")
    if verdict.records < mails:
        wrong.append(f"{mails:,} mails were acknowledged and only {verdict.records:,} records written")
    if grown > 100_000_000 + mails * BYTES_PER_CONTACT_MAX:
        wrong.append(f"memory grew by {grown / 1e6:,.0f} MB for {mails:,} contacts")
    for problem in wrong:
        sys.stdout.write(f"{problem}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
