"""How commands speak: tables and sentences for people, JSON for scripts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from rich import markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.core.errors import ConfigError, RouterError

# What a terminal obeys, what turns the direction of a line, and halves of characters, which cannot be written.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_OBEYED_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNBOUNDED_WIDTH = 100_000  # columns, where no terminal reads: nothing is folded


def console(file: IO[str] | None = None, *, stderr: bool = False) -> Console:
    """A screen for people: no highlighting, no emoji names; as wide as needed unless a terminal shows it."""
    made = Console(file=file, stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = _UNBOUNDED_WIDTH
    return made


people = console(stderr=True)
out = console()


class _Wish:
    """Whether this call was asked for JSON; one command a process."""

    json = False


def wants_json(wanted: bool) -> None:  # set from the flag of that name
    """Remember the flag --json."""
    _Wish.json = wanted


def is_json() -> bool:
    """Whether to answer in JSON."""
    return _Wish.json


def give(value: object) -> None:
    """One JSON value on stdout, on a line of its own where it is short."""
    said = json.dumps(value, ensure_ascii=False, default=str)
    sys.stdout.write(_OBEYED_IN_JSON.sub(lambda sign: f"\\u{ord(sign.group()):04x}", said) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers stand to the right. Cells are plain text: no markup, nothing a terminal obeys."""
    shown = Table(
        title=Text(plain(title)), title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    cells = [list(row) for row in rows]
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[place], int | float) for row in cells)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row))
    out.print(shown)


@contextmanager
def counting(step: str) -> Iterator[Callable[[str, int], None]]:
    """A line that tells a person at a terminal what is done and how far it is; gives what tells it."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}")
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task(step, total=None)
        yield lambda now, number: bar.update(task, description=now, completed=number)


def say(text: str) -> None:
    """A sentence for a person."""
    people.print(text)


def fail(error: RouterError) -> None:
    """An error: a sentence with a remedy, or the JSON form of DESIGN.md."""
    if _Wish.json:
        give({"error": described(error)})
        return
    for one in getattr(error, "errors", (error,)):
        people.print(f"[bold red]error:[/] {escape(_sentence(one))}")
        hint = getattr(one, "hint", None)
        if hint:
            people.print(f"  [dim]try:[/] {escape(hint)}")


def described(error: RouterError) -> dict[str, Any]:
    """`{code, message, file, line, hint}`."""
    if isinstance(error, ConfigError):
        return {
            "code": error.code,
            "message": error.message,
            "file": error.file,
            "line": error.line,
            "hint": error.hint,
        }
    return {"code": error.code, "message": str(error), "file": None, "line": None, "hint": None}


def escape(text: str) -> str:
    """`text`, whoever wrote it, as people may see it: no markup, and nothing that a terminal obeys."""
    return markup.escape(plain(text))


def plain(text: str) -> str:
    """`text` with signs in place of control characters and of those that turn a line; line ends and tabs stay."""
    return _OBEYED.sub(_visible, text.replace("\r\n", "\n"))


def _visible(sign: re.Match[str]) -> str:
    code = ord(sign.group())
    if code < ord(" "):
        return chr(0x2400 + code)  # the picture of this control character
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"  # noqa: PLR2004


def _sentence(error: RouterError) -> str:
    if isinstance(error, ConfigError):
        where = f"{error.file}:{error.line}: " if error.file and error.line else f"{error.file}: " if error.file else ""
        return f"{where}{error.message}"
    return str(error) or error.code
