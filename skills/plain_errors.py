"""What pydantic complains of, in plain words: which key, in which file and line, what is wrong, what to do."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from router.core.errors import ConfigError
from skills.findings import Key, Marks, error_at, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOULD_BE = {
    "dict_type": "must be a mapping of keys and values",
    "model_type": "must be a mapping of keys and values",
    "model_attributes_type": "must be a mapping of keys and values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "date_from_datetime_parsing": "must be a date such as 2026-12-24",
    "date_parsing": "must be a date such as 2026-12-24",
}
_NAME_HINT = "names are letters, digits, `-`, `_` and `.`, beginning with a letter or digit"


def plain_errors(model: type[BaseModel], details: Sequence[ErrorDetails], marks: Marks) -> list[ConfigError]:
    """One ConfigError for each of pydantic's errors against `model`."""
    return [_plain(model, detail, marks) for detail in details if not _follows(detail, details)]


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """A list is not also too short because its only item is wrong."""
    where = detail["loc"]
    inside = (d for d in details if len(d["loc"]) > len(where) and d["loc"][: len(where)] == where)
    return detail["type"] == "too_short" and any(inside)


def _plain(model: type[BaseModel], detail: ErrorDetails, marks: Marks) -> ConfigError:
    path = tuple(step for step in detail["loc"] if step != "[key]")
    kind, given = detail["type"], detail["input"]
    key = ".".join(map(str, path)) or "the workspace"
    if kind == "extra_forbidden":
        return _unknown_key(model, path, marks)
    if kind == "missing":
        return error_at(marks, path, f"`{key}` is missing", hint=f"add `{path[-1]}:`", code="missing")
    if given is None:
        hint = "give it a value, or remove the key"
        return error_at(marks, path, f"`{key}` is empty", hint=hint, code="empty")
    message, remedy = _words(kind, detail)
    shown = f", not `{str(given)[:60]}`" if kind in _SHOULD_BE and isinstance(given, str) else ""
    return error_at(marks, path, f"`{key}` {message}{shown}", hint=remedy, code="value")


def _words(kind: str, detail: ErrorDetails) -> tuple[str, str | None]:
    context: dict[str, Any] = detail.get("ctx") or {}
    given = str(detail["input"])[:60]
    if kind in _SHOULD_BE:
        return _SHOULD_BE[kind], None
    if kind == "value_error":
        return str(context.get("error", detail["msg"])), None
    if kind in {"literal_error", "enum"}:
        expected = str(context.get("expected", ""))
        meant = nearest(given, expected.replace(" or ", ", ").replace("'", "").split(", "))
        asked = f"; did you mean `{meant}`?" if meant else ""
        return f"must be {expected.replace(chr(39), '')}, not `{given}`{asked}", None
    if kind in {"greater_than_equal", "less_than_equal"}:
        limit = context.get("ge", context.get("le"))
        return f"must be {'at least' if 'ge' in context else 'at most'} {limit}, not {given}", None
    if kind == "string_pattern_mismatch":
        return f"is not a name that can stand here: `{given}`", _NAME_HINT
    if kind == "string_too_short":
        return "is an empty text", "give it a value, or remove it"
    if kind == "too_short":
        return f"needs at least {context.get('min_length', 1)}", None
    message = str(detail["msg"])
    return message[:1].lower() + message[1:], None


def _unknown_key(model: type[BaseModel], path: tuple[Key, ...], marks: Marks) -> ConfigError:
    known = _keys_at(model, path[:-1])
    word = str(path[-1])
    around = ".".join(map(str, path[:-1]))
    inside = f" in `{around}`" if around else ""
    meant = nearest(word, known)
    asked = f"; did you mean `{meant}`?" if meant else ""
    hint = f"keys here are {', '.join(known)}" if known else "no key can stand here"
    return error_at(marks, path, f"unknown key `{word}`{inside}{asked}", hint=hint, code="unknown_key")


def _keys_at(model: type[BaseModel], path: Sequence[Key]) -> list[str]:
    """The keys that the model at `path` knows; [] where it is no model."""
    found: Any = model
    for step in path:
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = found.model_fields.get(str(step))
            found = None if field is None else field.annotation
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        elif get_origin(found) in {tuple, list}:
            found = get_args(found)[0]
        found = _bare(found)
    return sorted(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else []


def _bare(annotation: Any) -> Any:  # noqa: ANN401 (types have no common type)
    """Without Annotated and `| None`."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in {Union, types.UnionType}:
        return next((_bare(a) for a in get_args(annotation) if a is not type(None)), None)
    return annotation
