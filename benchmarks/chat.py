"""From a visitor's send to an agent's desk: how long until the message stands in a frame that a desk was sent.

Each chat is a new visitor's first message, so each is stored, understood, opens a contact, and is offered. Every agent
has a desk open. Visitors and desks are played by a process of their own; a large mail is handed in by a third.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from benchmarks.figures import Figure, quantile
from benchmarks.nodes import serving

PER_SECOND = 100.0
P99_MILLISECONDS_MAX = 200.0
MAIL_BYTES = 24_900_000
LINE_BYTES = 78  # 57 bytes in base64, and the line's end
WARM_UP = 50  # chats before those that count
TEXT = (
    "Hello, my suitcase did not arrive with yesterday's flight. Could you look for it, please? It is number {number}n"
)
NUMBER = re.compile(rb"It is number (\d+)n")


def run(*, full: bool) -> list[Figure]:
    """With nothing else to do, and beside one mail of 25 MB after the other."""
    seconds = 15 if full else 8
    figures = []
    for beside in (False, True):
        with serving("chat") as node:
            found = _measure(node, seconds, mails=beside)
        spans = found["spans"]
        p50, p99 = quantile(spans, 0.5) * 1_000, quantile(spans, 0.99) * 1_000
        where = f"beside a 25 MB mail ({found['mails']} taken in)" if beside else "idle"
        stored = quantile(found["stored"], 0.99) * 1_000
        figures.append(
            Figure(
                f"visitor's send → desk, {found['rate']:.0f} chats/s, {where}, p50 · p99",
                f"{p50:.0f} · {p99:.0f} ms (stored: p99 {stored:.0f} ms)",
                f"p99 < {P99_MILLISECONDS_MAX:.0f} ms",
                p99 < P99_MILLISECONDS_MAX,
            )
        )
    return figures


def _measure(node: dict[str, Any], seconds: int, *, mails: bool) -> dict[str, Any]:
    """What the process of visitors and desks found: `spans` and `stored` in seconds, `rate` a second."""
    chats = int(PER_SECOND * seconds)
    command = [sys.executable, "-m", "benchmarks.chat", "people", node["http"], str(chats)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as people:
        if people.stdin is None or people.stdout is None:  # pragma: no cover  # they are pipes
            raise RuntimeError
        people.stdin.write(json.dumps(node["links"]) + "\n")
        people.stdin.flush()
        if people.stdout.readline() != "ready\n":
            message = "the visitors did not come in"
            raise RuntimeError(message)
        with _posting(node["smtp"], wanted=mails) as posted:
            people.stdin.write("go\n")
            people.stdin.flush()
            found: dict[str, Any] = json.loads(people.stdout.readline())
        found["mails"] = posted[0]
    if len(found["spans"]) != chats:
        message = f"{chats - len(found['spans'])} of {chats} chats did not reach a desk"
        raise RuntimeError(message)
    return found


@contextmanager
def _posting(port: int, *, wanted: bool) -> Iterator[list[int]]:
    """Hand in large mails for the while; then the list holds how many were acknowledged."""
    posted = [0]
    if not wanted:
        yield posted
        return
    command = [sys.executable, "-m", "benchmarks.chat", "post", str(port), "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as post:
        yield posted
        posted[0] = int(post.communicate("stop\n", timeout=120)[0])


# -- the process of visitors and desks -------------------------------------------------------------------------------


class People:
    """All desks, and visitors who each write once. Times are those of this process's own clock."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.begun: dict[int, float] = {}
        self.arrived: dict[int, float] = {}
        self.stored: dict[int, float] = {}
        self._keep: list[asyncio.Task[None]] = []

    async def open_desks(self, links: list[str]) -> None:
        """Sign every agent in and follow what their desk is sent."""
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=60) as client:
            for start in range(0, len(links), 20):
                await asyncio.gather(*(self._open_desk(client, link) for link in links[start : start + 20]))

    async def _open_desk(self, client: httpx.AsyncClient, link: str) -> None:
        answer = await client.post("/desk/session", json={"link": link}, headers={"X-Usherd-Desk": "1"})
        answer.raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        socket = await self._connect("/desk/live", {"Cookie": cookie})
        self._keep.append(asyncio.create_task(self._follow(socket)))

    async def _follow(self, socket: ClientConnection) -> None:
        async for frame in socket:
            now = time.perf_counter()
            for found in NUMBER.findall(frame if isinstance(frame, bytes) else frame.encode()):
                self.arrived.setdefault(int(found), now)

    async def come_in(self, number: int) -> ClientConnection:
        """A new visitor, welcomed."""
        socket = await self._connect("/chat/live", {})
        await socket.send('{"type": "hello", "pass": "", "after": ""}')
        while json.loads(await socket.recv())["type"] != "welcome":
            pass
        self._keep.append(asyncio.create_task(self._listen(socket, number)))
        return socket

    async def _listen(self, socket: ClientConnection, number: int) -> None:
        async for frame in socket:
            if '"stored"' in str(frame)[:30]:
                self.stored[number] = time.perf_counter()

    async def write(self, socket: ClientConnection, number: int) -> None:
        """The visitor's first message."""
        said = {"type": "say", "client": f"bench-{number:08}", "text": TEXT.format(number=number), "name": ""}
        self.begun[number] = time.perf_counter()
        await socket.send(json.dumps(said))

    async def write_all(self, sockets: list[ClientConnection], first: int) -> float:
        """One message a visitor, evenly; gives how many were sent a second. Returns when all have arrived."""
        start = time.perf_counter()
        for number, socket in enumerate(sockets):
            await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.perf_counter()))
            await self.write(socket, first + number)
        rate = len(sockets) / (time.perf_counter() - start)
        deadline = time.monotonic() + 60
        while len(self.arrived) < len(self.begun) and time.monotonic() < deadline:  # noqa: ASYNC110  # two dicts
            await asyncio.sleep(0.05)
        return rate

    def _connect(self, path: str, headers: dict[str, str]) -> connect:
        where = f"ws{self._url.removeprefix('http')}{path}"
        return connect(
            where,
            origin=Origin(self._url),
            additional_headers=headers,
            proxy=None,
            compression=None,
            ping_interval=None,
            max_size=None,
        )


async def _people(url: str, chats: int) -> None:
    loop = asyncio.get_running_loop()
    people = People(url)
    await people.open_desks(json.loads(await loop.run_in_executor(None, sys.stdin.readline)))
    sockets: list[ClientConnection] = []
    for start in range(0, WARM_UP + chats, 50):
        numbers = range(start, min(start + 50, WARM_UP + chats))
        sockets += await asyncio.gather(*(people.come_in(number) for number in numbers))
    await people.write_all(sockets[:WARM_UP], 0)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    rate = await people.write_all(sockets[WARM_UP:], WARM_UP)
    counted = [number for number in people.begun if number >= WARM_UP]
    spans = [people.arrived[number] - people.begun[number] for number in counted if number in people.arrived]
    stored = [people.stored[number] - people.begun[number] for number in counted if number in people.stored]
    print(json.dumps({"spans": spans, "stored": stored, "rate": rate}), flush=True)
    os._exit(0)  # a thousand open lines need no farewell


# -- the process that hands in mail ------------------------------------------------------------------------------------


def large_mail(number: int) -> bytes:
    """A mail of 25 MB with one attachment, which like a photo cannot be compressed further."""
    head = (
        b"From: Customer <big@example.org>\r\nTo: help@acme.example\r\nSubject: photos of my suitcase\r\n"
        b"Message-ID: <big.%d.%d@example.org>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nHere are all photos of my suitcase.\r\n"
        b'--b\r\nContent-Type: image/jpeg; name="a.jpg"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="a.jpg"\r\n\r\n' % (time.time_ns(), number)
    )
    photo = base64.encodebytes(os.urandom((MAIL_BYTES - len(head)) // LINE_BYTES * 57))
    return head + photo.replace(b"\n", b"\r\n") + b"--b--\r\n"


async def _post(port: int) -> None:
    """One after the other until something comes on standard input; prints how many were acknowledged."""
    done = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    mails = 0
    while not done.done():
        mail = large_mail(mails)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"EHLO bench.example.org\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        for command in (b"MAIL FROM:<big@example.org>\r\n", b"RCPT TO:<help@acme.example>\r\n", b"DATA\r\n"):
            writer.write(command)
            await reader.readline()
        writer.write(mail)
        writer.write(b".\r\n")
        answer = await reader.readline()
        if answer[:3] != b"250":
            message = f"refused: {answer!r}"
            raise RuntimeError(message)
        mails += 1
        writer.close()
    print(mails)


def main() -> None:
    """One of the two processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["people", "post"])
    parser.add_argument("where")
    parser.add_argument("chats", type=int)
    asked = parser.parse_args()
    work = _people(asked.where, asked.chats) if asked.role == "people" else _post(int(asked.where))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()
