"""Points at which tests break the process: what the environment says, and that each point is a place in the code."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

import router
from router.core.errors import ConfigError, StoreUnavailable
from router.shell import buggify
from router.shell.buggify import POINTS, Mischief, parse, point

READ, SENT = "leader.read", "outbox.after_send"


def test_every_point_stands_in_the_code_once_and_every_one_there_is_listed() -> None:
    """Otherwise a test would wait for what never comes, or a place would never be tried."""
    folder = Path(router.__file__).parent
    found = [name for path in folder.rglob("*.py") for name in re.findall(r'\bpoint\("([^"]+)"\)', path.read_text())]
    assert sorted(found) == sorted(POINTS)


async def test_off_a_point_does_nothing() -> None:
    """As in production."""
    assert os.environ.get(buggify.VARIABLE) is None
    await point(READ)
    await point("no such point")


def test_the_environment_says_where_what_and_when() -> None:
    """One or many; the n-th time, or a share of all; how slow."""
    found, _ = parse(f"{READ}:kill, {SENT}:delay=1.5:0.25;7")
    assert (found[READ].action, found[READ].nth, found[READ].share) == ("kill", 1, 0.0)
    assert (found[SENT].action, found[SENT].seconds, found[SENT].nth, found[SENT].share) == ("delay", 1.5, 0, 0.25)
    assert parse(f"{READ}:raise:3")[0][READ].nth == 3


@pytest.mark.parametrize("text", ["nowhere:kill", f"{READ}:explode", f"{READ}:kill:soon", f"{READ}:delay=x", READ])
def test_a_slip_in_the_environment_is_told(text: str) -> None:
    """A daemon that was to be broken and is not would pass every test."""
    with pytest.raises(ConfigError, match="USHERD_BUGGIFY"):
        parse(text)


def test_it_strikes_at_the_nth_time_and_no_other() -> None:
    """Raising as the store would, and only there."""
    mischief = Mischief(f"{READ}:raise:3")
    assert [mischief.strike(name) for name in (READ, SENT, READ)] == [0.0, 0.0, 0.0]
    with pytest.raises(StoreUnavailable):
        mischief.strike(READ)
    assert mischief.strike(READ) == 0.0


def test_a_share_is_decided_by_the_seed() -> None:
    """The same seed strikes at the same times."""
    runs = []
    for seed in (1, 1, 2):
        mischief = Mischief(f"{READ}:delay=2:0.3;{seed}")
        runs.append([mischief.strike(READ) for _ in range(200)])
    assert runs[0] == runs[1] != runs[2]
    assert 30 < runs[0].count(2.0) < 90


def test_kill_is_this_process_and_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tidied up before."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    Mischief(f"{READ}:kill").strike(READ)
    assert killed == [(os.getpid(), signal.SIGKILL)]


async def test_switched_on_a_point_strikes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function that stands in the code is the one that breaks."""
    monkeypatch.setattr(buggify, "_mischief", Mischief(f"{READ}:raise,{SENT}:delay=0.001"))
    await point(SENT)
    with pytest.raises(StoreUnavailable):
        await point(READ)
