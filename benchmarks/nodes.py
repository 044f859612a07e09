"""Servers to be measured, each in a process of its own: one that does nothing, one that only stores, a whole daemon."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from channels.email.receive import SmtpReceiver
from channels.email.smtp_settings import SmtpSettings
from channels.http import HttpMessage
from router.app.daemon import Daemon
from router.app.server import WebServer
from router.shell import log
from router.shell.clock import wall_ms
from router.shell.disk import DiskGuard
from router.shell.intake import Intake
from router.shell.store.embedded import EmbeddedStore
from router.web.access import links, new_ticket
from skills.workspace import load

AGENTS = 200
ACCOUNT = "help@acme.example"
CHAT_LIMITS = (
    "messages_per_minute",
    "address_messages_per_minute",
    "visitors_per_hour",
    "connections",
    "address_connections",
)
LINK_SECONDS = 3_600


class Nothing:
    """The handler that does nothing."""

    async def handle_DATA(self, _: SMTP, __: Session, ___: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Forget the mail."""
        return "250 OK"


async def null(_: Path) -> dict[str, Any]:
    """Aiosmtpd as it is."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Nothing(), hostname="null"), "127.0.0.1", 0, backlog=1024)
    return {"smtp": server.sockets[0].getsockname()[1], "keep": server}


async def intake(folder: Path) -> dict[str, Any]:
    """The receiver and the store, with nobody who reads the inbox: durable intake alone."""
    guard = DiskGuard(folder)
    embedded = EmbeddedStore(folder, guard=guard)
    await embedded.start()
    store = await embedded.open("bench")
    settings = SmtpSettings(recipients=(ACCOUNT,), port=0, connections_per_address_max=1000, connections_max=1000)
    receiver = SmtpReceiver(settings, Intake(store, guard))
    _, port = await receiver.start()
    return {"smtp": port, "keep": (receiver, store, embedded), "store": embedded}


def write_workspace(folder: Path, channels: str = "") -> Path:
    """Agents enough that every message is offered at once. `channels`: others beside mail, as YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    agents = "\n".join(
        f"  a{n}: {{skills: {{bags: {1 + n % 5}, lang:en: 5}}, capacity: {{email: 200, chat: 200}}}}"
        for n in range(AGENTS)
    )
    (folder / "workspace.yaml").write_text(
        f"workspace: bench\nlanguages: [en, es]\nagents:\n{agents}\n"
        "topics:\n  bags: {examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}\n"
        "  refund: {examples: [I want my money back, please refund my order]}\nuncovered: [refund]\n"
        "rules:\n  - {when: {topic: bags}, require: {bags: 1}, prefer: {bags: 3}}\n"
        "offers: {accept_within: {email: 8h, chat: 8h}}\n"
        f'channels: {{email: {{smtp: {{listen: "127.0.0.1:0", recipients: [{ACCOUNT}]}}}}{channels}}}\n'
        'web: {listen: "127.0.0.1:0"}\n'
    )
    return folder


async def daemon(folder: Path, channels: str = "") -> dict[str, Any]:
    """The whole daemon, every agent available."""
    node = Daemon(load(write_workspace(folder / "config", channels)), folder / "data")
    await node.start()
    for agent in node.config.agents:
        await node.commands.act(agent, "status", {"status": "available"}, f"begin-{agent}")
    return {"smtp": node.smtp[1] if node.smtp else 0, "http": node.url, "keep": node}


async def chat(folder: Path) -> dict[str, Any]:
    """The whole daemon with a chat that lets in as many as come from here; `links` sign each agent in."""
    many = ", ".join(f"{name}: 10000" for name in CHAT_LIMITS)
    found = await daemon(folder, f", webchat: {{limits: {{{many}}}}}")
    node: Daemon = found["keep"]
    signer = links(node.parts)
    tickets = (new_ticket(agent, wall_ms(), LINK_SECONDS) for agent in node.config.agents)
    return {**found, "links": [signer.sign(ticket) for ticket in tickets]}


async def http(folder: Path) -> dict[str, Any]:
    """The whole daemon with the HTTP channel; `token` hands messages in."""
    found = await daemon(folder, ", http: {}")
    node: Daemon = found["keep"]
    return {**found, "token": node.local_token}


async def null_web(_: Path) -> dict[str, Any]:
    """FastAPI as it is, over the server that ours runs on: it takes messages and forgets them."""
    app = FastAPI()

    @app.post("/v1/messages", status_code=202)
    async def take(message: HttpMessage) -> dict[str, str]:
        return {"id": message.channel}

    @app.websocket("/chat/live")
    async def talk(line: WebSocket) -> None:
        await line.accept()
        with suppress(WebSocketDisconnect):
            await line.receive_text()
            await line.send_json({"type": "welcome", "pass": "none"})
            while True:
                said = json.loads(await line.receive_text())
                await line.send_json({"type": "stored", "client": said["client"], "id": "none"})

    server = WebServer(app, "127.0.0.1", 0)
    host, port = await server.start()
    return {"http": f"http://{host}:{port}", "token": "none", "keep": server}


async def as_is(folder: Path) -> dict[str, Any]:
    """The whole daemon on a workspace that is there already, nobody available."""
    node = Daemon(load(folder / "config"), folder / "data")
    await node.start()
    return {"smtp": node.smtp[1] if node.smtp else 0, "http": node.url, "keep": node}


async def correcting(folder: Path) -> dict[str, Any]:
    """The whole daemon, and somebody who corrects the topics of all contacts."""
    from benchmarks import corrections  # noqa: PLC0415 (which needs this module)

    return await corrections.correcting(folder)


KINDS = {
    "as-is": as_is,
    "chat": chat,
    "correcting": correcting,
    "null": null,
    "null-web": null_web,
    "http": http,
    "intake": intake,
    "daemon": daemon,
}


async def _serve(kind: str, folder: Path) -> None:
    found = {"pid": os.getpid(), **await KINDS[kind](folder)}
    keep = found.pop("keep")
    helper = found.pop("sue", None)
    store = found.pop("store", None)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    if helper is not None:
        helper.cancel()
    if isinstance(keep, Daemon):
        await keep.stop()
    if isinstance(store, EmbeddedStore):
        await store.stop()


@contextmanager
def serving(kind: str) -> Iterator[dict[str, Any]]:
    """A server of this kind, in a process and a folder of its own, for the while."""
    with tempfile.TemporaryDirectory(prefix="usherd-bench-") as folder, serving_in(kind, Path(folder)) as node:
        yield node


@contextmanager
def serving_in(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A server of this kind in a given folder, which stays."""
    command = [sys.executable, "-m", "benchmarks.nodes", kind, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdin is None:  # pragma: no cover  # they are pipes
        raise RuntimeError
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def main() -> None:
    """The process that serves."""
    log.configure(level="error")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))


if __name__ == "__main__":
    main()
