"""What strangers wrote reaches a terminal as text: no escape sequence, no markup, no turned direction."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from router.cli import output
from router.core.errors import ConfigError, PermanentError

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9b31mred\x7f\r\x08 \u202edrawkcab\u2066 [bold]loud[/bold] [/nothing] \\[x] :boom: end\\"
)
OBEYED = ("\x1b", "\x9b", "\x07", "\x7f", "\r", "\x08", "\u202e", "\u2066", "\ud800")


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> dict[str, io.StringIO]:
    """What goes to either stream, as a terminal without colours would get it."""
    output.wants_json(wanted=False)  # whatever a command that another test ran was asked for
    streams = {"out": io.StringIO(), "people": io.StringIO()}
    for name, stream in streams.items():
        old: Console = getattr(output, name)
        console = output.console(stream)
        assert type(console) is type(old)
        monkeypatch.setattr(output, name, console)
    return streams


def check(shown: str) -> None:
    """Nothing is left that a terminal obeys, and the words are all there."""
    assert not [sign for sign in OBEYED if sign in shown]
    for word in ("red", "drawkcab", "[bold]loud[/bold]", "[/nothing]", "\\[x]", ":boom:", "end\\"):
        assert word in shown


def test_a_table_shows_cells_as_they_are(screens: dict[str, io.StringIO]) -> None:
    """A subject with escape sequences and markup stands in a table as plain text."""
    output.table("contacts", ["subject"], [(HOSTILE,)])
    check(screens["out"].getvalue())


def test_a_mail_in_quarantine_is_shown_without_effect(screens: dict[str, io.StringIO]) -> None:
    """Escaped text keeps its lines and tabs, and nothing a terminal obeys."""
    output.out.print(output.escape(HOSTILE + "\n\tnext"))
    shown = screens["out"].getvalue()
    check(shown)
    assert "\n" in shown.rstrip("\n")


def test_an_error_quotes_without_effect(screens: dict[str, io.StringIO]) -> None:
    """Errors and their remedies quote hostile values as plain text, each on one line."""
    output.fail(ConfigError(HOSTILE, hint=HOSTILE, file="a.yaml", line=3))
    output.fail(PermanentError(HOSTILE))
    check(screens["people"].getvalue())


def test_a_sentence_is_bold_and_harmless(screens: dict[str, io.StringIO]) -> None:
    """What a sentence quotes is escaped even at the end of its own markup."""
    output.say(f"[bold]{output.escape(HOSTILE)}[/] stands")
    shown = screens["people"].getvalue()
    check(shown)
    assert "[/] stands" not in shown


def test_long_lines_are_not_cut_where_no_terminal_reads(screens: dict[str, io.StringIO]) -> None:
    """Ids and paths stay in one piece in a file or a pipe."""
    long = "1795309557678-0" * 30
    output.table("", ["message", "more"], [(long, long)])
    output.fail(ConfigError(long, hint=long))
    assert long in screens["out"].getvalue()
    assert long in screens["people"].getvalue()


def test_json_says_the_same_without_what_terminals_obey(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON escapes controls of the second set, direction marks and broken characters, and reads back unchanged."""
    value = {"subject": HOSTILE + "\ud800 ü 🧳"}
    output.give(value)
    shown = capsys.readouterr().out
    assert not [sign for sign in OBEYED if sign in shown]
    assert "ü 🧳" in shown
    assert json.loads(shown) == value


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    """Whatever the text, it can be printed, and what is printed can be encoded."""
    stream = io.StringIO()
    screen = output.console(stream)
    screen.print(output.escape(text))
    screen.print(f"[bold]{output.escape(text)}[/]")
    stream.getvalue().encode()
    assert output.plain(output.plain(text)) == output.plain(text)
