"""From the save of an edited workspace to its being in force: a thousand agents, thousands of contacts waiting."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.figures import Figure, quantile
from benchmarks.load import rate
from benchmarks.nodes import serving_in

AGENTS = 1_000
RELOADS = 20
SECONDS_MAX = 1.0


def workspace(change: int) -> str:
    """A thousand agents, none of them available; each `change` gives the rules another SLA."""
    agents = "\n".join(
        f"  a{n}: {{skills: {{bags: {1 + n % 5}, s{n % 50}: 3, lang:en: 5}}, capacity: {{email: 20}}}}"
        for n in range(AGENTS)
    )
    return (
        f"workspace: bench\nlanguages: [en, es]\nagents:\n{agents}\n"
        "topics:\n  bags: {examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}\n"
        "  refund: {examples: [I want my money back, please refund my order]}\nuncovered: [refund]\n"
        f"rules:\n  - {{when: {{topic: bags}}, require: {{bags: 2}}, sla: {{first_response: {change + 60}m}}}}\n"
        'channels: {email: {smtp: {listen: "127.0.0.1:0", recipients: [help@acme.example]}}}\n'
        'web: {listen: "127.0.0.1:0"}\n'
    )


def run(*, full: bool) -> list[Figure]:
    """Twenty changes in a row while mail comes in."""
    waiting = 10_000 if full else 3_000
    with TemporaryDirectory(prefix="usherd-bench-") as folder:
        config = Path(folder) / "config"
        config.mkdir()
        path = config / "workspace.yaml"
        path.write_text(workspace(0))
        with serving_in("as-is", Path(folder)) as node:
            rate(node["smtp"], waiting, per_connection=20)
            sender = threading.Thread(target=rate, args=(node["smtp"], 20 * RELOADS), kwargs={"paced": 20.0})
            sender.start()
            spans = [_change(path, number, node["http"]) for number in range(1, RELOADS + 1)]
            sender.join()
    slowest = max(spans)
    return [
        Figure(
            f"a change in force, {AGENTS:,} agents, {waiting:,} waiting, p50 · slowest of {RELOADS}",
            f"{quantile(spans, 0.5):.2f} · {slowest:.2f} s",
            f"< {SECONDS_MAX:.0f} s",
            slowest < SECONDS_MAX,
        )
    ]


def _change(path: Path, number: int, url: str) -> float:
    before = _version(url)
    partial = path.with_suffix(".new")
    partial.write_text(workspace(number))
    begun = time.perf_counter()
    partial.replace(path)
    while _version(url) == before:
        if time.perf_counter() - begun > 60:  # a guard against hanging
            message = "the change did not come into force"
            raise RuntimeError(message)
        time.sleep(0.005)
    span = time.perf_counter() - begun
    time.sleep(0.5)
    return span


def _version(url: str) -> str:
    """The version of the workspace in force, as the metrics tell it."""
    for line in httpx.get(f"{url}/metrics", timeout=60, trust_env=False).text.splitlines():
        if line.startswith("usherd_workspace_info{"):
            return line
    return ""
