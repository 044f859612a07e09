"""How commands speak: tables and sentences for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from router.core.errors import ConfigError, RouterError

people = Console(stderr=True, highlight=False)
out = Console(highlight=False)


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
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers stand to the right."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    cells = [list(row) for row in rows]
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[place], int | float) for row in cells)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(shown)


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
    """`text` with nothing in it that rich takes for markup."""
    return text.replace("[", "\\[")


def _sentence(error: RouterError) -> str:
    if isinstance(error, ConfigError):
        where = f"{error.file}:{error.line}: " if error.file and error.line else f"{error.file}: " if error.file else ""
        return f"{where}{error.message}"
    return str(error) or error.code
