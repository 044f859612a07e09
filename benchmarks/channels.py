"""What each channel takes in a second, durably, beside its own library doing nothing; and the memory of a large mail.

Mail by SMTP stands in `intake`, mail by IMAP in `mailbox`. Here are HTTP (FastAPI), web chat (its WebSocket) and
Telegram (python-telegram-bot). Whoever asks is this process, the same for both; servers have processes of their own.
A message counts when it is acknowledged, and ours acknowledge after the store has it on disk.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from telegram import Bot

from benchmarks.chat import large_mail
from benchmarks.figures import Figure
from benchmarks.nodes import ACCOUNT, serving
from channels.telegram.api import BotApi
from channels.telegram.entries import Entries, Item
from channels.telegram.receive import Receiver
from router.shell import log
from router.shell.disk import DiskGuard
from router.shell.intake import Intake
from router.shell.notes import CLAIM
from router.shell.store.embedded import EmbeddedStore
from tests.fakes.telegram.server import FakeTelegram
from tests.fakes.telegram.world import BOT, TOKEN
from tests.support.chat_workspace import Visitor

CLIENTS = 20
TEXT = "Hello, my suitcase did not arrive with yesterday's flight. Could you look for it, please?"
MEGABYTE = 1 << 20
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 120.0
Measured = Callable[[dict[str, Any], int], Coroutine[None, None, float]]


def run(*, full: bool) -> list[Figure]:
    """Each beside its library; `full`: the best of three, in turns, so that a slow moment strikes both."""
    log.configure(level="error")
    times = 3 if full else 1
    figures = [
        _beside("HTTP", "FastAPI", "http", http, 4_000 if full else 1_500, times),
        _beside("web chat", "its WebSocket", "chat", chat, 4_000 if full else 1_500, times),
        telegram(5_000 if full else 2_000, times),
    ]
    return [*figures, memory()]


def _beside(name: str, library: str, kind: str, measured: Measured, messages: int, times: int) -> Figure:
    best: dict[str, float] = {}
    for _ in range(times):
        for server in ("null-web", kind):
            with serving(server) as node:
                best[server] = max(best.get(server, 0.0), asyncio.run(measured(node, messages)))
    return _figure(name, library, best[kind], best["null-web"])


def _figure(name: str, library: str, ours: float, theirs: float) -> Figure:
    said = f"{ours:,.0f}/s; {library} doing nothing {theirs:,.0f}/s; {ours / theirs:.0%}"
    return Figure(f"{name}: durable messages a second", said)


# -- HTTP ------------------------------------------------------------------------------------------------------------


async def http(node: dict[str, Any], messages: int) -> float:
    """`POST /v1/messages` over connections that stay open."""
    host, _, port = node["http"].removeprefix("http://").partition(":")
    left = list(range(messages))

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while left:
            number = left.pop()
            message = {"channel": "form", "from": {"address": f"c{number}@example.org"}, "text": TEXT}
            body = json.dumps(message).encode()
            head = (
                f"POST /v1/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {node['token']}\r\n"
                f"Idempotency-Key: {number}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 202"):
                refusal = f"refused: {answer[:60]!r}"
                raise RuntimeError(refusal)
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return messages / (time.perf_counter() - begun)


# -- web chat --------------------------------------------------------------------------------------------------------


async def chat(node: dict[str, Any], messages: int) -> float:
    """Visitors who each say one thing after the other, as soon as the last is stored."""
    visitors = [Visitor(node["http"]) for _ in range(CLIENTS)]
    for one in visitors:
        await one.__aenter__()

    async def talk(visitor: Visitor, count: int) -> None:
        for number in range(count):
            await visitor.write(f"bench-{number:06}", f"{TEXT} {number}")

    begun = time.perf_counter()
    await asyncio.gather(*(talk(one, messages // CLIENTS) for one in visitors))
    span = time.perf_counter() - begun
    for one in visitors:
        await one.__aexit__(None, None, None)
    return messages / span


# -- Telegram --------------------------------------------------------------------------------------------------------


def telegram(messages: int, times: int) -> Figure:
    """Updates that are polled: confirmed when they are on disk, beside the library that polls and forgets them."""
    best = {"bare": 0.0, "usherd": 0.0}
    for _ in range(times):
        for kind, measured in (("bare", _forgotten), ("usherd", _stored)):
            command = [sys.executable, "-m", "benchmarks.channels", str(messages)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as fake:
                if fake.stdout is None:  # pragma: no cover  # it is a pipe
                    raise RuntimeError
                best[kind] = max(best[kind], messages / asyncio.run(measured(fake.stdout.readline().strip(), messages)))
                fake.communicate("", timeout=60)
    return _figure("Telegram, polled", "python-telegram-bot", best["usherd"], best["bare"])


async def _forgotten(url: str, messages: int) -> float:
    async with Bot(TOKEN, base_url=f"{url}/bot") as bot:
        begun, offset, seen = time.perf_counter(), None, 0
        while seen < messages:
            found = await bot.get_updates(offset=offset, limit=100, timeout=1)
            seen += len(found)
            offset = found[-1].update_id + 1 if found else offset
        return time.perf_counter() - begun


async def _stored(url: str, messages: int) -> float:
    with tempfile.TemporaryDirectory(prefix="usherd-bench-") as folder:
        guard = DiskGuard(Path(folder))
        embedded = EmbeddedStore(Path(folder), guard=guard)
        await embedded.start()
        store, api = await embedded.open("bench"), BotApi(TOKEN, url)
        intake = Intake(store, guard)
        entries = Entries(bot=BOT, tidy=lambda name, kind: (name, kind), claim=CLAIM)
        receiver = Receiver(api, intake, entries, _greeted)
        begun = time.perf_counter()
        task = asyncio.create_task(receiver.poll())
        while await store.inbox_length() < messages:  # noqa: ASYNC110 (a state of another task, looked at rarely)
            await asyncio.sleep(0.005)
        span = time.perf_counter() - begun
        task.cancel()
        await asyncio.wait({task})
        await api.close()
        await intake.drain()
        await store.close()
        await embedded.stop()
        return span


async def _greeted(_item: Item, _word: str) -> None:
    """Nobody presses *Start* here."""


def main() -> None:
    """The process of the fake Telegram: so many updates wait; it ends with its standard input."""
    with FakeTelegram().running() as fake:
        people = [fake.world.person(f"Customer {number}") for number in range(50)]
        for number in range(int(sys.argv[1])):
            fake.world.write(people[number % len(people)], f"{TEXT} {number}")
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


# -- memory ----------------------------------------------------------------------------------------------------------


def memory() -> Figure:
    """How much more the daemon and its workers hold at the worst moment, from the first byte to the offer."""
    with serving("daemon") as node:
        _send(node, b"From: a@example.org\r\nSubject: first\r\n\r\nMy suitcase did not arrive.\r\n", 1)
        before = _held(node["pid"])
        most, over = {0: before, 1: 0}, threading.Event()
        watcher = threading.Thread(target=_watch, args=(node["pid"], most, over))
        watcher.start()
        mail = large_mail(0)
        _send(node, mail, 2)
        over.set()
        watcher.join()
        after = _held(node["pid"])
    said = f"{(most[0] - before) / MEGABYTE:.0f} MB at most, {(after - before) / MEGABYTE:.0f} MB afterwards"
    return Figure(f"memory while a mail of {len(mail) / 1e6:.0f} MB is taken in, read and offered", said)


def _send(node: dict[str, Any], mail: bytes, offers: int) -> None:
    """Hand a mail in and wait until so many contacts were offered."""
    with smtplib.SMTP("127.0.0.1", node["smtp"], timeout=PATIENCE_SECONDS) as client:
        client.sendmail("a@example.org", [ACCOUNT], mail)
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = f'usherd_decisions_total{{decision="OfferTo"}} {offers}.0'
    while wanted not in httpx.get(f"{node['http']}/metrics", timeout=30, trust_env=False).text:
        if time.monotonic() > deadline:
            message = "the mail was not offered"
            raise RuntimeError(message)
        time.sleep(LOOK_SECONDS)


def _watch(pid: int, most: dict[int, int], over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        most[0] = max(most[0], _held(pid))


def _held(pid: int) -> int:
    """Bytes of memory that a process and its children hold, pages they share with each other counted once each."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1_024
    return total


def _children(pid: int) -> list[int]:
    try:
        found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


if __name__ == "__main__":
    main()
