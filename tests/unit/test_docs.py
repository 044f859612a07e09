"""The documents say what the code does."""

from __future__ import annotations

from docs.generate import PAGE, generated


def test_the_diagrams_are_fresh() -> None:
    """The lifecycles in ARCHITECTURE.md are those of router/core/transitions.py."""
    page = PAGE.read_text()
    assert generated(page) == page, "run `python -m docs.generate`"
