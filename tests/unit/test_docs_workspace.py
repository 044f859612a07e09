"""The reference of the workspace's keys says what the models say, and every key has an example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs.workspace import PAGE, keys, missing, page
from router.app.incoming import Item, Known, read
from skills.model import WorkspaceConfig

HOW_TO = Path(PAGE).parent


def test_the_reference_is_fresh() -> None:
    """docs/how-to/workspace.md is what `python -m docs.workspace` writes."""
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run `python -m docs.workspace`"


def test_every_key_stands_in_it_with_an_example() -> None:
    """No key of the models is left out, and none is without a value to copy."""
    text = PAGE.read_text("utf-8")
    for path, _ in keys(WorkspaceConfig):
        name = ".".join(path).replace(".[]", "[]")
        assert f"`{name}`" in text, name
    assert missing() == [], "add it to MORE_EXAMPLES in docs/workspace.py, or to config/"


def test_a_page_without_its_block_is_noticed() -> None:
    """Where the block of keys is gone there is nothing to write, and it is said so."""
    with pytest.raises(ValueError, match="no block of keys"):
        page("# The workspace\n")


def test_the_lines_shown_can_be_imported(tmp_path: Path) -> None:
    """The example lines of docs/how-to/import.md are contacts, and their keys are those of the table."""
    text = (HOW_TO / "import.md").read_text("utf-8")
    [lines] = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "open.jsonl").write_text(lines)
    known = Known(topics=frozenset({"baggage"}), agents=frozenset({"ana"}), account=lambda _: None)
    found = list(read(tmp_path / "open.jsonl", known))
    assert [(type(one), getattr(one, "notes", None)) for one in found] == [(Item, ()), (Item, ())]
    described = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in text.splitlines() if line[:3] == "| `"))
    )
    assert {key for line in lines.splitlines() for key in json.loads(line)} <= described
