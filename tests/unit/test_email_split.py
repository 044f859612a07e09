"""New words of plain and HTML mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from channels.email.split import Forwarded, Split, forwarded, split
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
