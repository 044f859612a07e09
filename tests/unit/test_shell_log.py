"""Logs: no secret, no address, no body."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from router.shell import log


@pytest.mark.parametrize(
    ("value", "gone"),
    [
        ("451 for ana.souza+x@example.org", "ana.souza"),
        ("Authorization: Bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
        ("https://api.telegram.example/bot123456789:AAbbCCddEEffGGhhII/getMe", "AAbbCCddEEffGGhhII"),
    ],
)
def test_addresses_and_tokens_are_scrubbed(value: str, gone: str) -> None:
    """The local part of an address and whatever follows `bearer` or `bot` does not stay."""
    assert gone not in log.scrub(value)


@given(st.text(max_size=300))
def test_scrubbing_takes_any_text(value: str) -> None:
    """Any text is scrubbed without an error and does not get longer than its replacement marks make it."""
    assert isinstance(log.scrub(value), str)


def test_secret_fields_are_blanked() -> None:
    """Fields whose name says secret or body hold nothing but stars."""
    fields = log.redact(None, "info", {"event": "x", "password": "p", "text": "dear sirs", "contact": "c1"})
    assert fields == {"event": "x", "password": "***", "text": "***", "contact": "c1"}


def test_lines_are_json_with_stable_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our events and foreign log records alike become JSON lines that are redacted."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(json=True)
    structlog.get_logger().info("ready", who="ana@example.org")
    logging.getLogger("foreign").warning("saw %s", "ben@example.org")
    ours, foreign = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["who"], ours["level"]) == ("ready", "***@example.org", "info")
    assert "ben" not in foreign["event"]
