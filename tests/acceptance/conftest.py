"""One company for all tests of a module, and its agents at their desks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance.company import WORKSPACE, Company
from tests.acceptance.desk_client import DeskClient, Team
from tests.support.daemons import RunningDaemon
from tests.support.mailservers import dovecot, free_port, postfix

AGENTS = ("ana", "ben", "cleo", "dora")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One company for the tests of a module; each has customers of its own."""
    folder: Path = tmp_path_factory.mktemp("company")
    smtp = free_port()
    with dovecot() as mailboxes:
        routes = {
            "acme.example": f"smtp:[127.0.0.1]:{smtp}",
            "customers.example": f"lmtp:inet:127.0.0.1:{mailboxes.lmtp}",
            "gone.example": f"smtp:[127.0.0.1]:{smtp}",  # usherd takes no such recipient: Postfix reports that by mail
            "refused.example": "error:5.1.1 no such user",  # Postfix refuses it at once
        }
        with postfix(routes) as mta:
            (folder / "config").mkdir()
            (folder / "config" / "workspace.yaml").write_text(WORKSPACE.format(smtp=smtp, send=mta.port))
            daemon = RunningDaemon(folder / "config", folder / "data")
            daemon.start()
            try:
                yield Company(daemon, mta, mailboxes)
            finally:
                assert daemon.stop() == 0, daemon.log.read_text()[-4_000:]


@pytest_asyncio.fixture
async def team(company: Company) -> AsyncIterator[Team]:
    """All agents at their desks, available."""
    async with AsyncExitStack() as stack:
        desks = {}
        for agent in AGENTS:
            link = await asyncio.to_thread(company.daemon.ask, "/v1/links", "POST", json={"agent": agent})
            desks[agent] = await stack.enter_async_context(DeskClient.signed_in(agent, link["url"]))
            await desks[agent].act("status", status="available")
        yield Team(desks)
