"""A client that is neither ours nor Python: Slack's framework for Node, unchanged, against the fake."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from router.sim.slack import FakeSlack
from tests.conftest import TESTS
from tests.fakes.slack.contact import QUICK, a_contact

START_SECONDS = 60  # a guard: Node needs one or two

pytestmark = pytest.mark.needs("node", "npm:@slack/bolt")


@asynccontextmanager
async def help_desk(slack: FakeSlack, **environment: str) -> AsyncIterator[None]:
    """The help desk in `node/desk.mjs`, ready."""
    told = {
        "API_URL": slack.api_url,
        "BOT_TOKEN": slack.bot_token,
        "APP_TOKEN": slack.app_token,
        "SIGNING_SECRET": slack.signing_secret,
    }
    process = await asyncio.create_subprocess_exec(
        "node",
        str((TESTS / "fakes" / "slack" / "node") / "desk.mjs"),
        env={"PATH": os.environ["PATH"], **told, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not said.endswith(b"ready\n"):
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_bolt_for_node_serves_a_whole_contact_over_a_socket() -> None:
    """Events, clicks, response URLs, options, commands, modals and homes work with it over Socket Mode."""
    async with FakeSlack(rules=QUICK) as slack:
        slack.add_user("ana")
        async with help_desk(slack):
            await slack.until(lambda: slack.sockets.count)
            await a_contact(slack)


async def test_bolt_for_node_serves_a_whole_contact_over_signed_requests() -> None:
    """The same works over HTTP: it accepts the fake's signatures."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with FakeSlack(rules=QUICK) as slack:
        slack.add_user("ana")
        async with help_desk(slack, PORT=str(port)):
            slack.request_url = f"http://127.0.0.1:{port}/slack/events"
            await a_contact(slack)
