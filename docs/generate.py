"""Writes the parts of ARCHITECTURE.md that follow from the code: the diagrams of the lifecycles.

Run it as `python -m docs.generate`; a test fails when what it would write differs from what stands there.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router.core.transitions import CONTACT, DELIVERY, OFFER

PAGE = Path(__file__).resolve().parent.parent / "ARCHITECTURE.md"
Table = Mapping[Any, Mapping[str, enum.StrEnum]]  # the states of one lifecycle, and their steps
TABLES: dict[str, Table] = {
    "contact": CONTACT,
    "offer": OFFER,
    "delivery": DELIVERY,
}


def diagram(table: Table) -> str:
    """A lifecycle as a Mermaid state diagram; steps between the same two states share an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, steps in table.items():
        arrows: dict[str, list[str]] = {}
        for step, following in steps.items():
            arrows.setdefault(following, []).append(step)
        lines += [f"    {state} --> {following}: {', '.join(names)}" for following, names in arrows.items()]
        if not steps:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```"])


def generated(page: str) -> str:
    """`page` with every block between `<!-- NAME -->` and `<!-- /NAME -->` made anew."""
    for name, table in TABLES.items():
        head, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- /{name} -->")
        if not begin or not end:
            message = f"{PAGE.name} has no block called {name}"
            raise ValueError(message)
        page = f"{head}{begin}{diagram(table)}\n{end}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(generated(PAGE.read_text()))
