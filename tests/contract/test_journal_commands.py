"""`usherd journal` on a stopped daemon's data: verify, snapshot, export, restore into a new store."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router.cli.commands import app
from router.core.errors import RouterError
from router.shell.archive import from_line
from router.shell.records import decode
from tests.support.daemons import write_workspace
from tests.support.journals import begun, toggled
from tests.support.stores import opened

RECORDS = 1_203  # more than a segment needs at least


class Commands:
    """One workspace and its data directory."""

    def __init__(self, folder: Path) -> None:
        self.config = write_workspace(folder / "config", extra="archive: {keep: 1s}\n")
        self.data = folder / "data"

    def said(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401  # JSON
        """A command's JSON."""
        done = CliRunner().invoke(
            app, ["journal", *arguments, "--config", str(self.config), "--data", str(self.data), "--json"]
        )
        if isinstance(done.exception, RouterError):
            raise done.exception
        assert done.exit_code == code, done.output
        return json.loads(done.stdout.splitlines()[-1])  # before it the log, which the entry point sends elsewhere

    def fill(self) -> None:
        """A journal in the store."""

        async def fill() -> None:
            async with opened(self.data) as store:
                engine, journal = await begun(store)
                await toggled(engine, journal, RECORDS - 2)

        asyncio.run(fill())


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A journal, most of it archived."""
    made = Commands(tmp_path_factory.mktemp("commands"))
    made.fill()
    done = made.said("snapshot")
    assert (done["records"], done["archived"], done["trimmed"]) == (RECORDS, RECORDS, RECORDS)
    return made


def test_verify_reads_the_archive(commands: Commands) -> None:
    """What left the store is verified with the rest; there is nothing to accept."""
    found = commands.said("verify")
    assert (found["ok"], found["records"], found["archived"], found["snapshots"]) == (True, RECORDS, RECORDS, 1)
    assert found["losses"] == []
    assert commands.said("accept-loss") == {
        "lost": 0, "after": None, "seen": None, "missing": [], "problem": "", "accepted": None,
    }  # fmt: skip


def test_export_gives_the_records_themselves(commands: Commands, tmp_path: Path) -> None:
    """Records come out byte for byte, compressed if the name says so, and only those asked for."""
    target = tmp_path / "part.jsonl.gz"
    assert commands.said("export", "--to", str(target), "--first", "2", "--last", "40")["records"] == 39
    rows = [from_line(line) for line in gzip.decompress(target.read_bytes()).splitlines()]
    assert [decode(raw).n for _, raw in rows] == list(range(2, 41))
    assert rows[0][0] == "1-1"


def test_restore_fills_a_new_store(commands: Commands, tmp_path: Path) -> None:
    """Into the empty store of a new directory the archived records come back, the same journal; into no other."""
    fresh = Commands(tmp_path)
    shutil.copytree(commands.data / "archive", fresh.data / "archive")

    async def begin() -> None:
        async with opened(fresh.data):
            pass

    asyncio.run(begin())
    assert fresh.said("verify", code=1)["first_bad"] == 1
    assert fresh.said("restore") == {"records": RECORDS}
    again = fresh.said("verify")
    assert (again["ok"], again["state_hash"]) == (True, commands.said("verify")["state_hash"])
    with pytest.raises(RouterError, match="not empty"):
        fresh.said("restore")
