"""Where the workspace in force demands it, an edit is in force only after `usherd whatif` looked at it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.app import rehearser
from router.app.rehearser import Job
from router.desk import rehearsals
from tests.support.daemons import RunningDaemon, until, write_workspace


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A running daemon whose workspace demands rehearsals."""
    running = RunningDaemon(write_workspace(tmp_path / "config", extra="require_rehearsal: true\n"), tmp_path / "data")
    running.start()
    yield running
    running.stop()


async def asked(daemon: RunningDaemon, *arguments: str) -> Any:  # noqa: ANN401  # JSON
    """What a command says of this daemon's folders."""
    folders = ("--config", str(daemon.config), "--data", str(daemon.data), "--json")
    done = await asyncio.to_thread(daemon.usherd, *arguments, *folders)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def level(daemon: RunningDaemon) -> int:
    """Ana's level in billing, as the engine has it."""
    agents = {agent["id"]: agent["skills"] for agent in daemon.ask("/v1/agents")["agents"]}
    return int(agents["ana"]["billing"])


async def test_the_rehearsal_lets_the_edit_in(daemon: RunningDaemon, tmp_path: Path) -> None:
    """The edit is refused with the remedy, `diff` says so, a rehearsal of that folder lets it in.

    So it is with what was edited while no daemon ran, which a desk has rehearsed in a process of its own.
    """
    page = daemon.config / "workspace.yaml"
    page.write_text(page.read_text().replace("billing: 4", "billing: 2"))
    await until(lambda: any("usherd whatif" in one for one in daemon.ask("/v1/status")["problems"]))
    assert daemon.said("workspace_refused")["errors"] == 1
    assert level(daemon) == 4
    assert (await asked(daemon, "diff"))["rehearsal"] == "missing"
    other = tmp_path / "other"
    shutil.copytree(daemon.config, other)
    (other / "workspace.yaml").write_text(page.read_text().replace("billing: 2}", "billing: 1}"))
    assert (await asked(daemon, "whatif", "--new", str(other)))["rehearsed"]
    assert (await asked(daemon, "diff"))["rehearsal"] == "missing"  # that was another version
    found = await asked(daemon, "whatif", "--new", str(daemon.config))
    assert found["rehearsed"]
    assert found["version"]["before"] != found["version"]["after"]  # what is in force, not what the folder holds
    await until(lambda: level(daemon) == 2)
    await until(lambda: daemon.ask("/v1/status")["problems"] == [])
    assert (await asked(daemon, "diff"))["same"]
    daemon.stop()
    page.write_text(page.read_text().replace("billing: 2, lang", "billing: 3, lang"))
    daemon.start()
    await until(lambda: any("usherd whatif" in one for one in daemon.ask("/v1/status")["problems"]))
    assert level(daemon) == 2
    folder = str(daemon.config)
    done = await rehearser.ask(Job(config=folder, new=folder, data=str(daemon.data), since_ms=3_600_000))  # as desks do
    assert done["rehearsed"]
    assert rehearsals.said(done) == ("Nobody wrote in that time: look further back.",)
    await until(lambda: level(daemon) == 3)
