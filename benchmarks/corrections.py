"""Corrections that come one by one while the classifier learns from them: does the daemon stay on time, does it learn?

Mails with texts of BANKING77 come by SMTP at an even pace to a daemon that knows five examples of each of 77 topics; a
supervisor says of each contact, as soon as it is open, what it really is about. All the while the daemon has its model
trained anew, again and again, on the same two cores. In the end it is compared with one trained at once of the same
texts.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.figures import Figure
from benchmarks.journey import buckets, within
from benchmarks.nodes import ACCOUNT, AGENTS, serving_in
from benchmarks.topics import read
from router.app.daemon import Daemon
from router.core.decisions import OpenContact
from router.shell.follower import Applied
from skills.topics import TopicModel, judging, train
from skills.topics.training import Labelled
from skills.workspace import load

CORRECTIONS, CORRECTIONS_FULL = 1_500, 10_000
PACE, PACE_FULL = 25.0, 100.0  # mails a second
LEARN_AFTER = 200
CONNECTIONS_MAX = 50  # at once; where a machine cannot keep the pace, the pace falls, and the figure says so
SECONDS_P99_MAX = 1.0
POINTS_MAX = 1.0  # that accuracy may lie below training from scratch
WAIT_SECONDS = 1_800.0  # a guard: training on a busy machine takes its time


class Words:
    """A topic with some examples."""

    keywords = ()

    def __init__(self, examples: list[str]) -> None:
        self.examples = examples


def texts_of(number: int) -> list[Labelled]:
    """So many texts of the training split, in an order by chance that is always the same."""
    texts = read("banking77")["train"]
    return random.Random(7).sample(texts, min(number, len(texts)))


def examples() -> dict[str, list[str]]:
    """Five examples of each topic: what an admin begins with."""
    found: dict[str, list[str]] = {}
    for one in read("banking77")["train_5"]:
        found.setdefault(_name(one.topics[0]), []).append(one.text)
    return found


def _name(topic: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in topic)


def write(folder: Path) -> None:
    """The workspace: its topics, agents enough for all mails, and Sue, who corrects."""
    agents: dict[str, Any] = {f"a{n}": {"skills": {"desk": 1}, "capacity": {"email": 200}} for n in range(AGENTS)}
    workspace = {
        "workspace": "bench",
        "languages": ["en"],
        "agents": {**agents, "sue": {"role": "supervisor", "capacity": {"email": 0}}},
        "topics": {name: {"examples": said} for name, said in examples().items()},
        "topic_model": {"unsure": "soften", "learn_after": LEARN_AFTER, "encoder": "none"},
        "offers": {"accept_within": {"email": "8h"}},
        "channels": {"email": {"smtp": {"listen": "127.0.0.1:0", "recipients": [ACCOUNT]}}},
        "web": {"listen": "127.0.0.1:0"},
    }
    folder.mkdir(parents=True)
    (folder / "workspace.yaml").write_text(json.dumps(workspace))


async def correcting(folder: Path) -> dict[str, Any]:
    """The whole daemon, and Sue: for `benchmarks.nodes`."""
    node = Daemon(load(folder / "config"), folder / "data")
    await node.start()
    for agent in node.config.agents:
        if agent != "sue":
            await node.commands.act(agent, "status", {"status": "available"}, f"begin-{agent}")
    numbered = texts_of(json.loads((folder / "corrections.json").read_text()))
    opened: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def committed(applied: list[Applied]) -> None:
        for one in applied:
            for made in one.draft.decisions:
                if isinstance(made, OpenContact):
                    opened.put_nowait((made.contact, made.message))

    async def correct() -> None:
        while True:
            contact, message = await opened.get()
            number = ((await node.vault.messages([message]))[message].message_id or "").partition("@")[0]
            topic = _name(numbered[int(number)].topics[0])
            await node.commands.act("sue", "retag", {"contact": contact, "topics": [topic]}, f"sue:{contact}")

    node.leader.listeners.append(committed)
    return {
        "smtp": node.smtp[1] if node.smtp else 0,
        "http": node.url,
        "token": node.parts.local_token,
        "keep": node,
        "sue": asyncio.create_task(correct()),
    }


def run(*, full: bool) -> list[Figure]:
    """The section of `python -m benchmarks`."""
    texts = texts_of(CORRECTIONS_FULL if full else CORRECTIONS)
    with TemporaryDirectory(prefix="usherd-bench-") as folder:
        write(Path(folder) / "config")
        (Path(folder) / "corrections.json").write_text(json.dumps(len(texts)))
        with serving_in("correcting", Path(folder)) as node:
            begun = time.perf_counter()
            _send(node["smtp"], len(texts), PACE_FULL if full else PACE)
            took = time.perf_counter() - begun
            spans = buckets(node["http"])
            during = _versions(node)
            _wait(node, len(texts))
            learned = _model(Path(folder) / "data", node)
    told = {name: Words(said) for name, said in examples().items()}
    renamed = [Labelled(one.text, (_name(one.topics[0]),)) for one in texts]
    scratch = train(told, labelled=renamed)
    first = train(told)
    test = [Labelled(one.text, (_name(one.topics[0]),)) for one in read("banking77")["test"]]
    before, after, whole = (100 * judging.accuracy(judging.judge(one, test)) for one in (first, learned, scratch))
    p50, p99 = within(spans, 0.5), within(spans, 0.99)
    trained = len(during["versions"]) - 1
    return [
        Figure(
            f"{len(texts):,} corrections at {len(texts) / took:.0f}/s while it learns, from 250 to offer, p50 · p99",
            f"≤ {p50 * 1_000:.0f} · ≤ {p99 * 1_000:.0f} ms; {trained} models in force meanwhile",
            f"p99 < {SECONDS_P99_MAX:.0f} s",
            p99 < SECONDS_P99_MAX and trained > 0,
        ),
        Figure(
            "accuracy before · after · trained of the same texts at once",
            f"{before:.1f} · {after:.1f} · {whole:.1f} %",
            f"within {POINTS_MAX:.0f} point",
            after >= whole - POINTS_MAX,
        ),
    ]


def _versions(node: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {node['token']}"}
    found: dict[str, Any] = httpx.get(f"{node['http']}/v1/topics", headers=headers, timeout=60, trust_env=False).json()
    return found


def _wait(node: dict[str, Any], labels: int) -> None:
    """Have all labels learned."""
    headers = {"Authorization": f"Bearer {node['token']}"}
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if _versions(node)["versions"][0]["labels"] >= labels:
            return
        httpx.post(f"{node['http']}/v1/topics/learn", headers=headers, timeout=60, trust_env=False)
        time.sleep(2)
    message = "not everything was learned"
    raise RuntimeError(message)


def _model(data: Path, node: dict[str, Any]) -> TopicModel:
    """The model in force, from the node's own files."""
    wanted = _versions(node)["current"]
    for manifest in (data / "models").glob("*.json"):
        model = TopicModel.load(manifest.with_suffix(""))
        if model.digest == wanted:
            return model
    message = "the model in force lies nowhere"
    raise RuntimeError(message)


def _send(port: int, number: int, pace: float) -> None:
    """Send from a process of its own, at an even pace."""
    subprocess.run([sys.executable, "-m", "benchmarks.corrections", str(port), str(number), str(pace)], check=True)


async def _pace(port: int, texts: list[Labelled], pace: float) -> None:
    loop, few = asyncio.get_running_loop(), asyncio.Semaphore(CONNECTIONS_MAX)

    async def mail(number: int, text: str) -> None:
        async with few:
            await _mail(port, number, text)

    start, tasks = loop.time(), []
    for number, one in enumerate(texts):
        await asyncio.sleep(max(0.0, start + number / pace - loop.time()))
        tasks.append(asyncio.create_task(mail(number, one.text)))
    await asyncio.gather(*tasks)


async def _mail(port: int, number: int, text: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    body = " ".join(text.split()).lstrip(".")
    head = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    head += f"From: c{number}@example.org\r\nTo: {ACCOUNT}\r\nMessage-ID: <{number}@example.org>\r\n"
    mail = f"{head}\r\n{body}\r\n.\r\n"
    lines = (
        "HELO bench.example.org\r\n",
        f"MAIL FROM:<c{number}@example.org>\r\n",
        f"RCPT TO:<{ACCOUNT}>\r\n",
        "DATA\r\n",
    )
    for line in (*lines, mail, "QUIT\r\n"):
        writer.write(line.encode())
        answer = await reader.readline()
        if answer[:1] not in b"23":
            message = f"refused: {answer!r}"
            raise RuntimeError(message)
    writer.close()


if __name__ == "__main__":
    asyncio.run(_pace(int(sys.argv[1]), texts_of(int(sys.argv[2])), float(sys.argv[3])))
