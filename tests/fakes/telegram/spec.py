"""Holds what goes over the wire to what Telegram documents: names, types, and what must be there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakes.telegram.world import Json

PLAIN: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "String": str,
    "Boolean": bool,
    "True": bool,
    "Float": (int, float),
}
LIST = "Array of "


class Spec:
    """The Bot API in `api.json` (https://github.com/PaulSonOfLars/telegram-bot-api-spec)."""

    def __init__(self, path: Path) -> None:
        found = json.loads(path.read_text("utf-8"))
        self.types: Json = found["types"]
        self.methods: Json = {name.lower(): method for name, method in found["methods"].items()}

    def object(self, name: str, value: Any, at: str = "") -> Iterator[str]:  # noqa: ANN401  # JSON
        """What is wrong with an object of a documented type."""
        where = at or name
        if not isinstance(value, dict):
            yield f"{where}: {name} is an object"
            return
        subtypes = self.types[name].get("subtypes")
        if subtypes:
            wrong = [list(self.object(one, value, where)) for one in subtypes]
            yield from () if not all(wrong) else [f"{where}: none of {', '.join(subtypes)}"]
            return
        yield from self._fields(self.types[name].get("fields", []), value, where)

    def result(self, method: str, value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
        """What is wrong with the result of a method."""
        yield from self._one_of(self.methods[method.lower()]["returns"], value, method)

    def request(self, method: str, asked: Json, files: frozenset[str]) -> Iterator[str]:
        """What is wrong with a request. A parameter in a form is text; what is no text stands in it as JSON."""
        known = {field["name"]: field for field in self.methods[method.lower()].get("fields", [])}
        for name in asked:
            if name not in known:
                yield f"{method}: there is no parameter `{name}`"
        for name, field in known.items():
            if name not in asked:
                if field["required"] and name not in files:
                    yield f"{method}: `{name}` is missing"
                continue
            if name in asked and "InputFile" not in field["types"]:
                yield from self._one_of(field["types"], _plain(asked[name], field["types"]), f"{method}.{name}")

    def _fields(self, fields: list[Json], value: Json, where: str) -> Iterator[str]:
        known = {field["name"]: field for field in fields}
        yield from (f"{where}: there is no `{name}`" for name in value if name not in known)
        for name, field in known.items():
            if name in value:
                yield from self._one_of(field["types"], value[name], f"{where}.{name}")
            elif field["required"]:
                yield f"{where}: `{name}` is missing"

    def _one_of(self, kinds: list[str], value: Any, where: str) -> Iterator[str]:  # noqa: ANN401  # JSON
        wrong = [list(self._typed(kind, value, where)) for kind in kinds]
        yield from () if not all(wrong) else wrong[0]

    def _typed(self, kind: str, value: Any, where: str) -> Iterator[str]:  # noqa: ANN401  # JSON
        if kind.startswith(LIST):
            if not isinstance(value, list):
                yield f"{where}: {kind} is a list"
                return
            for number, one in enumerate(value):
                yield from self._typed(kind.removeprefix(LIST), one, f"{where}[{number}]")
        elif kind in PLAIN:
            right = isinstance(value, PLAIN[kind]) and (isinstance(value, bool) == (kind in {"Boolean", "True"}))
            yield from () if right else [f"{where}: {value!r} is no {kind}"]
        else:
            yield from self.object(kind, value, where)


def _plain(value: Any, kinds: list[str]) -> Any:  # noqa: ANN401  # JSON
    if not isinstance(value, str) or kinds == ["String"]:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
