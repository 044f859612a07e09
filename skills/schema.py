"""Writes the JSON Schema of a workspace, for editors: `python -m skills.schema` writes config/schema/workspace.json.

A file holds any part of a workspace, so no key of the top level is required of each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from skills.model import WorkspaceConfig

PATH = Path("config/schema/workspace.json")


def text() -> str:
    """The schema as it should stand in the file."""
    schema = WorkspaceConfig.model_json_schema()
    schema.pop("required", None)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "usherd workspace"}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main(path: Path = PATH) -> None:
    """Write the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), "utf-8")
    sys.stderr.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
