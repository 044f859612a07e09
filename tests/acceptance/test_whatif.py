"""`usherd whatif` on the journal of a demo that ran: nothing changes by itself, lost room moves contacts."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_demo import Place, empty_place

SAMPLE = Path(__file__).parents[2] / "router/sim/sample/workspace"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Somewhere empty to run it."""
    with empty_place(tmp_path) as found:
        yield found


async def asked(place: Place, *arguments: str) -> Any:  # noqa: ANN401  # JSON
    """What a command says in JSON."""
    process = place.start(*arguments, "--json")
    out, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, place.errors.read_text()[-4_000:] + out.decode()
    return json.loads(out)


async def test_a_change_is_rehearsed_on_what_was_recorded(place: Place, tmp_path: Path) -> None:
    """The same workspace changes nothing; without one agent's room others get their contacts; the journal is whole."""
    data = tmp_path / "kept"
    await asked(place, "demo", "--seconds", "12", "--data", str(data))
    usual = ("whatif", "--config", str(SAMPLE), "--data", str(data), "--since", "1h")
    same = await asked(place, *usual, "--new", str(SAMPLE))
    assert same["same"]
    assert same["moved"] == 0
    assert same["contacts"] >= 30
    topic, agent = _most(same)
    new = tmp_path / "new"
    shutil.copytree(SAMPLE, new)
    _has_no_room(new, agent)
    other = await asked(place, *usual, "--new", str(new), "--reclassify")
    assert not other["same"]
    assert other["moved"] > 0
    assert all(move["after"] != agent for move in other["moves"])
    assert other["reclassified"] >= other["contacts"]
    assert other["load"][agent]["after"] == 0
    assert topic in other["waits"]
    checked = await asked(place, "check", "--config", str(SAMPLE), "--data", str(data))
    ahead = checked["coverage"]
    assert ahead["missing"] is None
    assert ahead["demand"]["contacts"] >= same["contacts"]
    assert max(group["load"] for group in ahead["groups"]) == pytest.approx(max(ahead["load"].values()), abs=1e-3)
    verdict = await asked(place, "journal", "verify", "--config", str(SAMPLE), "--data", str(data))
    assert verdict["ok"]
    sys.stdout.write(f"{other['moved']} of {other['contacts']} moved\n")


def _most(found: dict[str, Any]) -> tuple[str, str]:
    """The topic with most contacts, and the agent with most work."""
    topic = max(found["waits"], key=lambda name: found["waits"][name]["before"]["contacts"])
    return topic, max(found["load"], key=lambda name: found["load"][name]["before"] or 0)


def _has_no_room(folder: Path, agent: str) -> None:
    """Let an agent take nothing any more."""
    path = folder / "agents.yaml"
    before, _, after = path.read_text().partition(f"  {agent}:")
    after = re.sub(r"capacity: {[^}]*}", "capacity: {chat: 0, email: 0, messaging: 0}", after, count=1)
    path.write_text(f"{before}  {agent}:{after}")
