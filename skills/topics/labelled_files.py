"""Labelled texts from files: CSV with `text,label`, several labels joined by `|`; JSON Lines with `text`, `topics`.

The label `oos`, or none at all, says that a text is about none of the topics.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from router.core.errors import ConfigError
from skills.topics.training import Labelled

OUT_OF_SCOPE = "oos"
FIELD_CHARACTERS_MAX = 1 << 24  # a megabyte of one letter is a text; csv's own limit is 128 kB


def read_labelled(path: Path) -> list[Labelled]:
    """The labelled texts of a file. Raises ConfigError with the line of what is wrong."""
    content = _content(path)
    rows = _json_lines(path, content) if path.suffix == ".jsonl" else _csv(path, content, labelled=True)
    found = [Labelled(text, _topics(label)) for text, label in rows]
    if not found:
        raise ConfigError("the file holds no text", file=str(path), hint="one row for each text, below `text,label`")
    return found


def read_texts(path: Path) -> list[str]:
    """The texts of a file, labelled or not; of a file that is neither CSV nor JSON Lines, its lines."""
    content = _content(path)
    if path.suffix == ".jsonl":
        return [text for text, _ in _json_lines(path, content)]
    if path.suffix == ".csv":
        return [text for text, _ in _csv(path, content, labelled=False)]
    return [line for line in content.splitlines() if line.strip()]


def _topics(label: str) -> tuple[str, ...]:
    named = dict.fromkeys(part.strip() for part in label.split("|"))
    return tuple(name for name in named if name and name != OUT_OF_SCOPE)


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            "not UTF-8", file=str(path), line=line, hint="save it as UTF-8: iconv -f LATIN1 -t UTF-8"
        ) from None
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}", hint="name a CSV file with `text,label`") from None


def _csv(path: Path, content: str, *, labelled: bool) -> Iterator[tuple[str, str]]:
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    begun = 1
    try:
        head = [name.strip() for name in next(reader, [])]
        wanted = ("text", "label") if labelled else ("text",)
        missing = [name for name in wanted if name not in head]
        if missing:
            said = f"the first line names no column {' and no column '.join(f'`{name}`' for name in missing)}"
            raise ConfigError(said, file=str(path), line=1, hint="begin with a line `text,label`")
        text, label = head.index("text"), head.index("label") if labelled else head.index("text")
        begun = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(head):
                raise ConfigError(
                    f"{len(row)} columns where the first line names {len(head)}",
                    file=str(path),
                    line=begun,
                    hint='put a text that holds commas or line ends between quotes (")',
                )
            if row:
                yield row[text], row[label]
            begun = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(
            f"not CSV: {error}", file=str(path), line=begun, hint="check the quotes of this row"
        ) from None


def _json_lines(path: Path, content: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield "" + row["text"], "|".join(row.get("topics", row.get("intents", [])))
        except (ValueError, TypeError, KeyError, AttributeError):
            hint = 'each line is {"text": "…", "topics": ["…"]}'
            raise ConfigError("not a labelled text", file=str(path), line=number, hint=hint) from None
