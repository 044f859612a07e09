"""Somebody who presses Ctrl-C before the daemon has come up, or looks for what was already told."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from router.app.daemon import Daemon
from router.cli.commands import app
from skills.workspace import load

WORKSPACE = """
workspace: acme
languages: [en]
agents: {ana: {skills: {lang:en: 5}, capacity: {email: 6}}}
teams: {triage: {members: [ana]}}
topics: {refund: {examples: [my money back], keywords: [refund]}}
"""
WAIT_SECONDS_MAX = 20  # a guard against hanging


class Stuck(Daemon):
    """One whose start takes for ever: its store does not answer, or another node leads."""

    cleaned = False

    async def start(self) -> None:
        """Wait; be told to stop."""
        os.kill(os.getpid(), self.number)
        try:
            await asyncio.Event().wait()
        finally:
            self.cleaned = True

    number = signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_can_be_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end a daemon that has not come up yet, at once and without a traceback."""
    (tmp_path / "w.yaml").write_text(WORKSPACE)
    daemon = Stuck(load(tmp_path), tmp_path / "data")
    daemon.number = number
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await daemon.run()
    finally:
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(one)
    assert daemon.cleaned


def test_the_version_is_told() -> None:
    """`usherd --version` says which one it is."""
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("usherd ")
