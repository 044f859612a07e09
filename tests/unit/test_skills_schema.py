"""The JSON Schema that editors use is the one of the models."""

from __future__ import annotations

import json
from pathlib import Path

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
