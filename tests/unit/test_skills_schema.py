"""The JSON Schema that editors use is the one of the models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from skills import schema

ROOT = Path(__file__).parents[2]


def test_schema_in_config_is_not_stale() -> None:
    """config/schema/workspace.json is what `python -m skills.schema` writes."""
    assert (ROOT / schema.PATH).read_text("utf-8") == schema.text()


def test_schema_knows_durations_and_explains_keys() -> None:
    """An editor accepts `2h`, refuses unknown keys, and shows a sentence for each key."""
    found = json.loads(schema.text())
    sla = found["$defs"]["SlaConfig"]
    assert sla["properties"]["first_response"]["anyOf"][0]["type"] == "string"
    assert sla["additionalProperties"] is False
    assert "required" not in found
    parts = [found, *(part for part in found["$defs"].values() if "properties" in part)]
    assert [key for part in parts for key, value in part["properties"].items() if not value.get("description")] == []


def test_writing_makes_the_folder(tmp_path: Path) -> None:
    """The command writes the file, folders included."""
    schema.main(tmp_path / "a" / "w.json")
    assert (tmp_path / "a" / "w.json").read_text("utf-8") == schema.text()


TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def accepts(rule: dict[str, Any] | bool, value: Any, whole: dict[str, Any]) -> bool:  # noqa: ANN401 (any JSON)
    """Whether an editor would accept `value`: those keywords of JSON Schema that ours uses."""
    if isinstance(rule, bool):
        return rule
    if "$ref" in rule:
        return accepts(whole["$defs"][rule["$ref"].rpartition("/")[2]], value, whole)
    if "anyOf" in rule and not any(accepts(one, value, whole) for one in rule["anyOf"]):
        return False
    if "const" in rule and value != rule["const"]:
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if "type" in rule and not isinstance(value, TYPES[rule["type"]]):
        return False
    if isinstance(value, str):
        return re.search(rule.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return len(value) >= rule.get("minItems", 0) and all(
            accepts(rule.get("items", {}), one, whole) for one in value
        )
    if isinstance(value, dict):
        known = rule.get("properties", {})
        patterns = rule.get("patternProperties", {})
        rest = rule.get("additionalProperties", not patterns)
        return set(rule.get("required", ())) <= set(value) and all(
            accepts(known.get(key) or next((r for p, r in patterns.items() if re.search(p, key)), rest), inner, whole)
            for key, inner in value.items()
        )
    return rule.get("minimum", value) <= value <= rule.get("maximum", value) if isinstance(value, int) else True


def seen_by_editor(path: Path) -> Any:  # noqa: ANN401
    """A YAML file as an editor types it: numbers are numbers, dates are texts."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")), default=str))


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_editor_accepts_the_example(path: Path) -> None:
    """No line of the example workspace would be underlined."""
    found = json.loads(schema.text())
    for key, value in seen_by_editor(path).items():
        assert accepts(found, {key: value}, found), key


@pytest.mark.parametrize(
    "wrong",
    [
        {"topcs": {}},
        {"languages": []},
        {"languages": ["English"]},
        {"store": "embeded"},
        {"agents": {"ana": {"skills": {"billing": 6}}}},
        {"sla": {"default": {"first_response": "soon"}}},
        {"teams": {"a": {"assign": "ask"}}},
        {"rules": [{"require": {}}]},
        {"customers": {"tiers": {"gold": {"match": "bigco"}}}},
        {"channels": {"email": {"send": {"host": "h", "password": "hunter2"}}}},
    ],
)
def test_editor_underlines_what_is_wrong(wrong: dict[str, Any]) -> None:
    """What the loader refuses, an editor refuses already."""
    found = json.loads(schema.text())
    assert not accepts(found, wrong, found)
