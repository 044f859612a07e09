"""The desk on 5,000 open contacts: how soon its lists stand, how much is pushed, how fast a search is.

Engine, desk model, HTTP and WebSocket are the real ones; the texts lie in memory, so what the vault takes to decrypt
them comes on top (some ten microseconds a message).
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import httpx
import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from benchmarks.figures import Figure, quantile
from router.core import events
from router.web.access import PAGE_HEADER
from tests.fakes.desk_site import Site, running

CONTACTS = 5_000
OWNED = 500
ROUNDS = 20
WORDS = ("refund", "flight", "voucher", "Madrid", "baggage", "delayed", "seat", "passport", "invoice", "code")


def furnish(site: Site, contacts: int) -> None:
    """So many open contacts; Ana holds some of them, one in ten of those waits on its customer."""
    house = site.house
    every = contacts // OWNED
    for number in range(contacts):
        words = " ".join(WORDS[(number + step * step) % len(WORDS)] for step in range(60))
        contact = house.mail(
            f"Case {number}: {words}",
            sender=f"Customer {number} <c{number}@example.org>",
            subject=f"{WORDS[number % len(WORDS)]} {number}",
            topic=("lost-pet", "refund", "lost-baggage")[number % 3],
        )
        if number % every == 0:
            house.apply(events.ContactTaken(at=house.clock(), agent="ana", contact=contact.id))
        if number % (every * 10) == every:
            reply = events.ReplyWritten(at=house.clock(), agent="ana", contact=contact.id, message=f"r{number}")
            house.apply(reply)


async def timed(client: httpx.AsyncClient, path: str) -> tuple[list[float], int]:
    """(milliseconds of each round, bytes of the answer)."""
    took: list[float] = []
    size = 0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answer = await client.get(path)
        took.append((time.perf_counter() - begun) * 1000)
        answer.raise_for_status()
        size = len(answer.content)
    return took, size


def line(site: Site, agent: str) -> connect:
    """A line as a page opens it."""
    url = f"ws://127.0.0.1:{site.port}/desk/live"
    return connect(url, origin=Origin(site.url), additional_headers={"Cookie": site.cookie(agent)}, max_size=None)


async def frame(socket: ClientConnection, kind: str) -> int:
    """Wait for a frame of this kind; its bytes."""
    while True:
        got = await socket.recv()
        said: dict[str, Any] = msgspec.json.decode(got)
        if said["type"] == kind:
            return len(got)


async def pushed(site: Site) -> tuple[list[float], int]:
    """(milliseconds from a customer's message to the page of the agent who has the contact open, bytes pushed)."""
    took: list[float] = []
    size = 0
    held = next(iter(site.house.state.agents["ana"].held))
    writer = site.house.written[site.house.state.contacts[held].messages[0].id].from_
    async with line(site, "ana") as socket:
        await socket.send(msgspec.json.encode({"contact": held}).decode())
        await frame(socket, "contact")
        for number in range(ROUNDS):
            await asyncio.sleep(0.12)
            begun = time.perf_counter()
            site.house.mail(f"More {number}", thread=held, sender=f"{writer.name} <{writer.address}>")
            size = await frame(socket, "contact")
            took.append((time.perf_counter() - begun) * 1000)
    return took, size


async def search(client: httpx.AsyncClient) -> tuple[float, list[float]]:
    """(milliseconds until the first search is complete, milliseconds of each later one)."""

    async def ask(words: str) -> bool:
        answer = await client.post("/desk/api/search", json={"words": words})
        return bool(answer.json()["complete"])

    begun = time.perf_counter()
    while not await ask("voucher 4999"):  # noqa: ASYNC110 - as a page asks again
        await asyncio.sleep(0.01)
    first = (time.perf_counter() - begun) * 1000
    later: list[float] = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        await ask(f"passport case {number * 37}")
        later.append((time.perf_counter() - begun) * 1000)
    return first, later


def figure(name: str, took: list[float], size: int | None, limit: float) -> Figure:
    """Median and 95th percentile, beside a target for the latter."""
    high = quantile(took, 0.95)
    shown = f"p50 {median(took):.0f} ms, p95 {high:.0f} ms" + (f", {size / 1000:.0f} kB" if size is not None else "")
    return Figure(name, shown, f"p95 < {limit:.0f} ms", met=high < limit)


def signed_in(site: Site, agent: str) -> httpx.AsyncClient:
    """A browser of this agent's."""
    headers = {"Cookie": site.cookie(agent), PAGE_HEADER: "1"}
    return httpx.AsyncClient(base_url=site.url, headers=headers, timeout=60)


async def measure(contacts: int) -> list[Figure]:
    """All figures."""
    async with running() as site:
        begun = time.perf_counter()
        furnish(site, contacts)
        took = time.perf_counter() - begun
        found = [Figure("contacts open", f"{contacts:,}, {OWNED} of one agent, furnished in {took:.1f} s")]
        async with signed_in(site, "ana") as ana, signed_in(site, "eva") as eva:
            for client, name, path, limit in (
                (ana, "an agent's lists", "/desk/api/desk", 200),
                (ana, "the queue", "/desk/api/waiting", 200),
                (eva, "a supervisor's overview", "/desk/api/overview", 300),
                (eva, "the wallboard", "/desk/api/board", 300),
            ):
                found.append(figure(name, *await timed(client, path), limit))
            found.append(figure("a message to the page that has its contact open", *await pushed(site), 200))
            first, later = await search(eva)
            found.append(Figure("the first search, which reads all words in", f"{first:.0f} ms"))
            found.append(figure("later searches", later, None, 200))
    return found


def run(*, full: bool) -> list[Figure]:
    """The section; with `full` on four times as many contacts."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return asyncio.run(measure(CONTACTS * 4 if full else CONTACTS))
