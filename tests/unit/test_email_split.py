"""New words of plain and HTML mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from channels.email.split import Split, split
from channels.email.split_html import split_html

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).with_name("split_cases.yaml")).read_text(encoding="utf-8"))


def _solid(text: str) -> str:
    return "".join(text.split())


def _parts(case: dict[str, Any]) -> Split:
    marker = case.get("marker", "")
    return split_html(case["html"], marker) if "html" in case else split(case["text"], marker)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['lang']}-{case['client']}" for case in CASES])
def test_cases(case: dict[str, Any]) -> None:
    """Each case of split_cases.yaml comes out as it says there."""
    parts = _parts(case)
    for key in ("new", "signature", "disclaimer", "quoted"):
        if key in case:
            assert _solid(getattr(parts, key)) == _solid(case[key]), (key, parts)
        for words in case.get(f"{key}_has", ()):
            assert _solid(words) in _solid(getattr(parts, key)), (key, parts)
    if "inline" in case:
        assert parts.inline == case["inline"]
    for key, value in case.get("forwarded", {}).items():
        assert parts.forwarded is not None
        assert getattr(parts.forwarded, key) == value


LINES: dict[str, list[str]] = yaml.safe_load((Path(__file__).with_name("split_lines.yaml")).read_text(encoding="utf-8"))


@pytest.mark.parametrize("attribution", LINES["attributions"] + LINES["attributions_of_marked_quotes"])
@pytest.mark.parametrize("above", ["New words here.\n\nBye\n\n", "New words here.\nBye\n"])
def test_attributions_of_marked_quotes(attribution: str, above: str) -> None:
    """A known attribution above lines with quote marks goes with them."""
    parts = split(f"{above}{attribution}\n\n> Old words.\n>\n> More.\n")
    assert parts.new.split() == ["New", "words", "here.", "Bye"]


@pytest.mark.parametrize("attribution", LINES["attributions"])
@pytest.mark.parametrize("below", ["\n\nOld words.\n\nMore.\n", "\nOld words.\nMore.\n"])
def test_attributions_of_plain_quotes(attribution: str, below: str) -> None:
    """All below a known attribution is quoted when no line carries a quote mark."""
    assert split(f"New words here.\n\nBye\n\n{attribution}{below}").new.split() == ["New", "words", "here.", "Bye"]


@pytest.mark.parametrize("line", LINES["phones"])
def test_what_phones_add(line: str) -> None:
    """A line that a phone or a mail program adds is a signature, below the words and above a quote."""
    assert split(f"Hello there.\n\n{line}\n").signature == line
    parts = split(f"Hello there.\n\n{line}\n\nOn 3/4/25 09:12, Acme <help@acme.example> wrote:\n> Old\n")
    assert (parts.new, parts.signature) == ("Hello there.", line)


@pytest.mark.parametrize("line", LINES["not_phones"])
def test_what_people_write_like_phones(line: str) -> None:
    """A sentence that begins like a phone's line stays."""
    assert split(f"Hello there.\n\n{line}\n").new == f"Hello there.\n\n{line}"


@pytest.mark.parametrize("text", LINES["kept"])
def test_people_are_heard(text: str) -> None:
    """Nothing goes from what people write."""
    assert split(text).new == text.strip()
