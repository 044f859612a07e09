"""A figure, its target, and how a section shows its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured thing. `target` is said in words; `met` None: there is none."""

    name: str
    value: str
    target: str = ""
    met: bool | None = None


def show(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """Print a section."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False)
    for column in ("", "measured", "target", ""):
        table.add_column(column, overflow="fold")
    for figure in figures:
        mark = {True: "[green]met[/]", False: "[bold red]missed[/]", None: ""}[figure.met]
        table.add_row(figure.name, figure.value, figure.target, mark)
    console.print(table)
    console.print()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank); 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
