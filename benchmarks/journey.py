"""From the first byte of a mail to the offer: durable intake, throughput, and the time from `250` to the offer."""

from __future__ import annotations

import os
import tempfile
import time

import httpx

from benchmarks.figures import Figure, quantile
from benchmarks.load import rate
from benchmarks.nodes import serving

INTAKE_SHARE_MIN = 0.70
OFFERED_PER_SECOND_MIN = 300
OFFER_SECONDS_P99_MAX = 1.0
PACE = 100.0


def disk(samples: int = 500) -> list[Figure]:
    """How long this disk takes to make 4 kB durable: nothing durable can be faster, one at a time."""
    spans = []
    with tempfile.NamedTemporaryFile(dir=os.environ.get("TMPDIR"), prefix="usherd-bench-") as file:
        for _ in range(samples):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            spans.append((time.perf_counter() - begun) * 1_000)
    return [Figure("fdatasync of 4 kB, p50 · p99", f"{quantile(spans, 0.5):.2f} · {quantile(spans, 0.99):.2f} ms")]


def intake(*, full: bool) -> list[Figure]:
    """Mails a second that are on disk when they are acknowledged, beside a server that does nothing."""
    mails = 6_000 if full else 2_000
    figures = []
    for per_connection in (1, 20):
        best: dict[str, float] = {}
        for _ in range(3 if full else 2):  # alternating, so that a slow moment of the machine strikes both
            for kind in ("null", "intake"):
                with serving(kind) as node:
                    best[kind] = max(best.get(kind, 0.0), rate(node["smtp"], mails, per_connection=per_connection))
        share = best["intake"] / best["null"]
        figures.append(
            Figure(
                f"durable intake, {per_connection} mail{'s' if per_connection > 1 else ''} a connection",
                f"{best['intake']:,.0f}/s; aiosmtpd doing nothing {best['null']:,.0f}/s; {share:.0%}",
                f"≥ {INTAKE_SHARE_MIN:.0%} of it",
                share >= INTAKE_SHARE_MIN,
            )
        )
    return figures


def offered(*, full: bool) -> list[Figure]:
    """Mails a second from SMTP to an offer that is journaled, and how long an offer takes at an even pace."""
    mails = 6_000 if full else 3_000
    with serving("daemon") as node:
        rate(node["smtp"], 300, per_connection=20)
        _wait(node["http"], 300)
        begun = time.perf_counter()
        taken_in = rate(node["smtp"], mails, per_connection=20)
        _wait(node["http"], 300 + mails)
        throughput = mails / (time.perf_counter() - begun)
    with serving("daemon") as node:
        rate(node["smtp"], 100, per_connection=20)
        _wait(node["http"], 100)
        before = buckets(node["http"])
        paced = int(PACE * (30 if full else 10))
        rate(node["smtp"], paced, paced=PACE)
        _wait(node["http"], 100 + paced)
        after = buckets(node["http"])
    spans = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    p50, p99 = within(spans, 0.50), within(spans, 0.99)
    return [
        Figure(
            "from SMTP to offered, journaled",
            f"{throughput:,.0f}/s (acknowledged at {taken_in:,.0f}/s)",
            f"≥ {OFFERED_PER_SECOND_MIN}/s",
            throughput >= OFFERED_PER_SECOND_MIN,
        ),
        Figure(
            f"from 250 to offer at {PACE:.0f} mails/s, p50 · p99",
            f"≤ {p50 * 1_000:.0f} · ≤ {p99 * 1_000:.0f} ms",
            f"p99 < {OFFER_SECONDS_P99_MAX:.0f} s",
            p99 < OFFER_SECONDS_P99_MAX,
        ),
    ]


def _metrics(url: str) -> list[str]:
    return httpx.get(f"{url}/metrics", timeout=30, trust_env=False).text.splitlines()


def _wait(url: str, offers: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for line in _metrics(url):
            if line.startswith('usherd_decisions_total{decision="OfferTo"}') and float(line.split()[-1]) >= offers:
                return
        time.sleep(0.02)
    message = "the offers did not come"
    raise RuntimeError(message)


def buckets(url: str) -> dict[float, float]:
    """How many offers came within so many seconds of the acknowledgement."""
    found = {}
    for line in _metrics(url):
        if line.startswith("usherd_offer_seconds_bucket"):
            found[float(line.split('le="')[1].split('"')[0])] = float(line.split()[-1])
    return found


def within(cumulative: dict[float, float], share: float) -> float:
    """The bound of seconds that this share lies within."""
    wanted = share * max(cumulative.values())
    return min(bound for bound, count in cumulative.items() if count >= wanted)
