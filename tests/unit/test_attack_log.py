"""What a log must not give away, and what it must: no values of a failed function, but the place where it failed."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from router.shell import log


class Screen(io.StringIO):
    """A terminal, as far as logging can tell."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def fail(depth: int = 200) -> None:
    """Fails deep down, with a customer's words in every frame."""
    body = "-".join(["4111"] * 2)  # a value that must not be shown
    if depth:
        fail_on(depth - 1)
    raise ValueError("cannot deliver to ana.souza" + "@example.org" + body[:0])


def fail_on(depth: int) -> None:
    """The other half: frames that differ are not folded in a traceback."""
    fail(depth)


def logged(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> str:
    """What an error looks like in the log."""
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(json=as_json)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("it_failed", note="to \x1b[2Jben@example.org\nfaked line")
        logging.getLogger("foreign").exception("foreign failed")
    return stream.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_places_not_values(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    """On a terminal as in JSON an exception is logged without the values of its frames and without addresses."""
    shown = logged(Screen(), monkeypatch, as_json=as_json)
    assert "4111-4111" not in shown
    assert "ana.souza@" not in shown
    assert "ben@" not in shown
    assert "\x1b[2J" not in shown
    assert "\nfaked line" not in shown


@pytest.mark.parametrize("as_json", [True, False])
def test_a_long_traceback_keeps_its_end(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    """The frame that failed and the exception itself stand in the log, however deep the call was."""
    shown = logged(Screen(), monkeypatch, as_json=as_json)
    assert shown.count("ValueError") >= 2  # ours and the foreign logger's
    if as_json:
        lines = [json.loads(line) for line in shown.splitlines()]
        assert [line["event"] for line in lines] == ["it_failed", "foreign failed"]
        ours = lines[0]
        assert ours["exception"].rstrip().endswith("***@example.org")
        assert len(ours["exception"]) < 10_000


def test_values_in_lists_are_scrubbed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address or a secret inside a list or a mapping is blanked like any other."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(json=True)
    structlog.get_logger().info(
        "seen", who=["ana@example.org", ("ben@example.org",)], more={"token": "t0p", "to": "c@d.example"}
    )
    shown = stream.getvalue()
    for word in ("ana@", "ben@", "t0p", "c@d"):
        assert word not in shown
