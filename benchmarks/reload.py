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
RELOADS, RELOADS_FULL = 8, 20
SECONDS_MAX = 1.0

_CLIENT = httpx.Client(timeout=60, trust_env=False)


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
    """Changes in a row while mail comes in: once all wait, and while a flood of mail is being worked off."""
    waiting = 10_000 if full else 3_000
    return [_measure(waiting, RELOADS_FULL if full else RELOADS, flood=flood) for flood in (False, True)]


def _measure(waiting: int, reloads: int, *, flood: bool) -> Figure:
    """`flood`: the changes begin when all mails are stored, most of them not understood yet."""
    with TemporaryDirectory(prefix="usherd-bench-") as folder:
        config = Path(folder) / "config"
        config.mkdir()
        path = config / "workspace.yaml"
        path.write_text(workspace(0))
        with serving_in("as-is", Path(folder)) as node:
            rate(node["smtp"], waiting, per_connection=20)
            if not flood:
                _wait(node["http"], waiting)
            sender = threading.Thread(target=rate, args=(node["smtp"], 20 * reloads), kwargs={"paced": 20.0})
            sender.start()
            spans = [_change(path, number, node["http"]) for number in range(1, reloads + 1)]
            sender.join()
    slowest = max(spans)
    how = "just stored" if flood else "waiting"
    return Figure(
        f"a change in force, {AGENTS:,} agents, {waiting:,} {how}, p50 · slowest of {reloads}",
        f"{quantile(spans, 0.5):.2f} · {slowest:.2f} s",
        f"< {SECONDS_MAX:.0f} s",
        slowest < SECONDS_MAX,
    )


def _wait(url: str, waiting: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if any(line.startswith("usherd_waiting ") and float(line.split()[-1]) >= waiting for line in _metrics(url)):
            return
        time.sleep(0.2)
    message = "the contacts did not come"
    raise RuntimeError(message)


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
        time.sleep(0.02)  # asking costs the daemon some milliseconds
    span = time.perf_counter() - begun
    time.sleep(0.5)
    return span


def _version(url: str) -> str:
    """The version of the workspace in force, as the metrics tell it."""
    return next((line for line in _metrics(url) if line.startswith("usherd_workspace_info{")), "")


def _metrics(url: str) -> list[str]:
    return _CLIENT.get(f"{url}/metrics").text.splitlines()
