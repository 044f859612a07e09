"""Several nodes on one store, as a company runs them: each a process with a data directory and a folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiosmtplib
import httpx
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.support.daemons import START_SECONDS_MAX, RunningDaemon, write_workspace

Json = dict[str, Any]


class SharedStore:
    """`usherd store` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.url_file = folder / "store.url"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until its address is known."""
        command = [sys.executable, "-m", "router", "store", "--data", str(self.data), "--listen", "127.0.0.1:0"]
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.url_file.exists():
            assert time.monotonic() < deadline, "the store did not start"
            assert self._process.poll() is None, "the store ended"
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)


class Node(RunningDaemon):
    """One of several. `folder`: of its data, and of its own copy of the workspace."""

    def __init__(self, folder: Path, store: SharedStore, blobs: Path, *, more: str = "", **workspace: Any) -> None:
        """`more`: a second file of the workspace, as YAML."""
        extra = f'store: {{url: "file:{store.url_file}"}}\nblobs: {{folder: "{blobs}"}}\n'
        super().__init__(write_workspace(folder / "config", extra=extra, **workspace), folder / "data")
        (self.config / "more.yaml").write_text(more)

    @property
    def alive(self) -> bool:
        """Whether the process runs and was not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To this process alone."""
        assert self.pid > 0
        os.kill(self.pid, number)

    def events(self, event: str) -> list[Json]:
        """The log lines of this event, in order."""
        lines = (line for line in self.log.read_bytes().splitlines() if f'"{event}"'.encode() in line)
        found = [json.loads(line) for line in lines]
        return [line for line in found if line["event"] == event]

    @property
    def led(self) -> int:
        """How often it began to lead."""
        return len(self.events("leading"))

    @property
    def leads(self) -> bool:
        """Whether it says that it leads; a node that does not answer does not."""
        try:
            status: Json = self.ask("/v1/status")
        except (httpx.HTTPError, OSError):
            return False
        return bool(status["leader"] == status["node"])


class Hands:
    """One agent at one node's desk: what they do there is answered there."""

    def __init__(self, agent: str, node: Node) -> None:
        self.url = f"http://{node.http[0]}:{node.http[1]}"
        link = node.ask("/v1/links", "POST", json={"agent": agent})["url"]
        self._client = httpx.Client(base_url=self.url, headers={"X-Usherd-Desk": "1"}, timeout=60, trust_env=False)
        self._client.post("/desk/session", json={"link": link.partition("#link=")[2]}).raise_for_status()
        self._count = 0

    def act(self, action: str, key: str = "", **fields: object) -> Json:
        """Do something; the answer."""
        self._count += 1
        asked = {"action": action, "key": key or f"{id(self)}-{self._count}", "fields": fields}
        found: Json = self._client.post("/desk/api/act", json=asked).raise_for_status().json()
        return found

    def desk(self) -> Json:
        """All that stands on it."""
        found: Json = self._client.get("/desk/api/desk").raise_for_status().json()
        return found

    def line(self) -> connect:
        """The desk's line for news, as a browser opens it."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        return connect(f"ws{self.url[4:]}/desk/live", origin=Origin(self.url), additional_headers={"Cookie": cookies})

    def close(self) -> None:
        """Go home."""
        self._client.close()


class Nodes:
    """A store and so many nodes on it, started one after the other: the first one leads."""

    def __init__(self, folder: Path, number: int = 2, **workspace: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = SharedStore(folder / "store")
        names = [f"node{place}" for place in range(number)]
        self.all = [Node(folder / name, self.store, folder / "blobs", **workspace) for name in names]

    def __enter__(self) -> Self:
        """Start them."""
        self.store.start()
        for node in self.all:
            node.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End them, the store last."""
        for node in self.all:
            if node.alive:
                node.signal(signal.SIGCONT)
                node.stop()
        self.store.stop()

    def leader(self) -> Node | None:
        """Who leads now, if anybody answers that it does."""
        return next((node for node in self.all if node.alive and node.leads), None)

    def others(self, node: Node) -> list[Node]:
        """All but one, that run."""
        return [one for one in self.all if one is not node and one.alive]


def mail(number: int) -> bytes:
    """One of many mails, each from somebody else."""
    topic = ("my suitcase did not arrive", "please refund my order", "mi maleta no ha llegado")[number % 3]
    return (
        f"From: Customer {number} <customer{number}@example.org>\r\nTo: help@acme.example\r\n"
        f"Subject: {topic}\r\nMessage-ID: <m{number}@example.org>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n"
        f"Hello, {topic}. My number is {number}.\r\n"
    ).encode()


class Customers:
    """Mail servers that send at an even pace, to any node that takes mail, each mail until it is acknowledged."""

    CLIENTS = 6

    def __init__(self, nodes: Nodes, per_second: float) -> None:
        self._nodes = nodes
        self._pace = per_second
        self._number = 0
        self._begun = 0.0
        self.acknowledged: list[int] = []
        self.stopping = False

    async def run(self) -> None:
        """Send until `stopping`, then finish what was begun."""
        self._begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._client(place) for place in range(self.CLIENTS)))

    async def _client(self, place: int) -> None:
        client: aiosmtplib.SMTP | None = None
        loop = asyncio.get_running_loop()
        turn = place
        while not self.stopping:
            number, self._number = self._number, self._number + 1
            await asyncio.sleep(max(0.0, self._begun + number / self._pace - loop.time()))
            sent = False
            while not sent:
                try:
                    client = client or await self._connected(turn)
                    await client.sendmail(f"customer{number}@example.org", ["help@acme.example"], mail(number))
                    self.acknowledged.append(number)
                    sent = True
                except (OSError, aiosmtplib.SMTPException, TimeoutError):
                    client, turn = None, turn + 1
                    await asyncio.sleep(0.05)
        if client is not None:
            client.close()

    async def _connected(self, turn: int) -> aiosmtplib.SMTP:
        node = self._nodes.all[turn % len(self._nodes.all)]
        host, port = node.smtp
        client = aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=10)
        await client.connect()
        return client


class Agent:
    """Somebody who accepts and answers whatever is offered, at whichever node answers, each action under one key."""

    def __init__(self, name: str, nodes: Nodes) -> None:
        self.name = name
        self.replies: dict[str, str] = {}  # contact -> key of the reply that was accepted
        self.unanswered: list[str] = []
        self.stopping = False
        self._nodes = nodes
        self._clients: dict[str, httpx.Client] = {}
        self._cookies = httpx.Cookies()
        self._count = 0

    def sign_in(self, node: Node) -> None:
        """Once; the session holds at every node."""
        link = node.ask("/v1/links", "POST", json={"agent": self.name})["url"]
        client = self._client(node)
        client.post("/desk/session", json={"link": link.partition("#link=")[2]}).raise_for_status()
        self._cookies = client.cookies

    def _client(self, node: Node) -> httpx.Client:
        """One for each start of a node: making them takes much longer than using them."""
        url = f"http://{node.http[0]}:{node.http[1]}"
        if url not in self._clients:
            self._clients[url] = httpx.Client(
                base_url=url, headers={"X-Usherd-Desk": "1"}, cookies=self._cookies, timeout=30, trust_env=False
            )
        return self._clients[url]

    def leave(self) -> None:
        """Go home."""
        for client in self._clients.values():
            client.close()

    async def run(self) -> None:
        """Work until `stopping`."""
        await self.act("status", status="available")
        while not self.stopping:
            for offer in (await self._desk()).get("offers", []):
                contact = offer["contact"]["id"]
                if (await self.act("accept", contact=contact, offer=offer["offer"]))["ok"]:
                    key = self._key()
                    answer = await self.act("reply", key, contact=contact, text=f"Re {contact}", resolve=True)
                    if answer["ok"]:
                        self.replies[contact] = key
            await asyncio.sleep(0.2)

    def _key(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}"

    async def _desk(self) -> Json:
        return await self._insist(lambda client: client.get("/desk/api/desk"))

    async def act(self, action: str, key: str = "", **fields: object) -> Json:
        """Do something; the same key again until there is an answer that is one."""
        asked = {"action": action, "key": key or self._key(), "fields": fields}
        while True:
            answer = await self._insist(lambda client: client.post("/desk/api/act", json=asked))
            if answer.get("code") != "late":
                return answer

    async def _insist(self, ask: Callable[[httpx.Client], httpx.Response]) -> Json:
        while True:
            for node in self._nodes.all:
                if not node.alive:
                    continue
                try:
                    answer = await asyncio.to_thread(self._ask, node, ask)
                except (httpx.HTTPError, OSError):
                    continue
                if answer.status_code == httpx.codes.OK:
                    found: Json = answer.json()
                    return found
            await asyncio.sleep(0.05)

    def _ask(self, node: Node, ask: Callable[[httpx.Client], httpx.Response]) -> httpx.Response:
        return ask(self._client(node))
