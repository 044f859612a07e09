"""One YAML text to plain values with the line of each key, built from libyaml's events.

YAML 1.2 in effect: every scalar is read as a string (`no`, `10:30` and `1.10` stay what was written) and typed later
by the model; only a plain empty value, `null` and `~` are None. Repeated keys, tags and merge keys are refused.

Events, not `yaml.compose`: 100 kB of `[` make compose overflow the C stack, which ends the process (tried with PyYAML
6.0.3). Here depth is counted on the way down, and values *after* aliases are counted, so a bomb of aliases is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from router.core.errors import ConfigError
from skills.findings import KeyPath, Mark

VALUES_MAX = 1_000_000  # of one file, aliases counted as often as they are used
DEPTH_MAX = 32

_QUOTED = frozenset({"'", '"', "|", ">"})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

# What libyaml says, and what an admin can do about it.
_REMEDIES = (
    ("mapping values are not allowed", "put quotes round a text that contains `: `, and indent the keys alike"),
    ("could not find expected ':'", "a key is followed by `: ` and its value"),
    ("did not find expected key", "indent the keys of one mapping alike"),
    ("did not find expected ',' or ']'", "close the list with `]`, with commas between its items"),
    ("did not find expected ',' or '}'", "close the mapping with `}`, with commas between its keys"),
    ("found unexpected end of stream", "a quotation mark is not closed"),
    ("found character that cannot start any token", "put quotes round a text that begins with @, % or `"),
    ("control characters are not allowed", "remove the control character"),
)


class YamlFile:
    """What one file holds: `values` (None: nothing), the `marks` of its keys and items, and the `errors` in it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.values: Any = None
        self.marks: dict[KeyPath, Mark] = {}
        self.errors: list[ConfigError] = []
        self._text = text
        self._anchors: dict[str, tuple[Any, int]] = {}  # name → value, values in it
        self._open: set[str] = set()  # anchors whose value is not complete yet
        self._count = 0
        self._read()

    def _read(self) -> None:
        loader = yaml.CBaseLoader(self._text)
        self._next: Callable[[], Any] = loader.get_event  # the stubs know neither tags nor anchors of events
        try:
            self._next()  # stream start
            if isinstance(self._next(), yaml.StreamEndEvent):
                return
            self.values = self._value(self._next(), (), 0)
            self._next()  # document end
            more = self._next()
            if not isinstance(more, yaml.StreamEndEvent):
                self._fail(more, "a second document begins", "one file is one document: remove the `---`")
        except _Stop:
            pass
        except yaml.YAMLError as error:
            self.errors.append(_plain(self.name, self._text, error))
        finally:
            loader.dispose()

    def _fail(self, event: Any, message: str, hint: str, code: str = "yaml") -> None:  # noqa: ANN401 (an event)
        line = event.start_mark.line + 1
        self.errors.append(ConfigError(message, file=self.name, line=line, hint=hint, code=code))

    def _value(self, event: Any, path: KeyPath, depth: int) -> Any:  # noqa: ANN401 (strings, lists, dicts)
        self._count += 1
        if self._count > VALUES_MAX:
            self._fail(event, f"more than {VALUES_MAX:,} values", "look for an alias of an alias of an alias")
            raise _Stop
        if depth > DEPTH_MAX:
            self._fail(event, f"nested more than {DEPTH_MAX} levels deep", "a bracket may not be closed")
            raise _Stop
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._fail(event, f"the tag `{event.tag}` means nothing here", "remove what begins with `!`")
        if event.anchor is None:
            return self._content(event, path, depth)
        before = self._count
        self._open.add(event.anchor)
        value = self._content(event, path, depth)
        self._open.discard(event.anchor)
        self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _alias(self, event: Any) -> Any:  # noqa: ANN401
        if event.anchor in self._open:
            self._fail(event, f"`*{event.anchor}` holds itself", "an alias may not stand inside its anchor")
            raise _Stop
        if event.anchor not in self._anchors:
            self._fail(
                event,
                f"`*{event.anchor}` has no `&{event.anchor}` above it in this file",
                "put quotes round a text that begins with `*`",
            )
            return None
        value, size = self._anchors[event.anchor]
        self._count += size
        return value

    def _content(self, event: Any, path: KeyPath, depth: int) -> Any:  # noqa: ANN401
        if isinstance(event, yaml.ScalarEvent):
            return None if event.value in _NULLS and event.style not in _QUOTED else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := self._next(), yaml.SequenceEndEvent):
                inner = (*path, len(items))
                self.marks[inner] = Mark(self.name, item.start_mark.line + 1)
                items.append(self._value(item, inner, depth + 1))
            return items
        values: dict[str, Any] = {}
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            self._pair(key_event, values, path, depth)
        return values

    def _pair(self, event: Any, values: dict[str, Any], path: KeyPath, depth: int) -> None:  # noqa: ANN401
        if not isinstance(event, yaml.ScalarEvent):
            self._fail(event, "a key must be a word", "put quotes round a key with brackets")
            raise _Stop  # what follows belongs to the odd key
        key = str(event.value)
        line = event.start_mark.line + 1 if event.start_mark else 0
        inner = (*path, key)
        mark = Mark(self.name, line)
        first = self.marks.setdefault(inner, mark)
        if key == "<<" and event.style not in _QUOTED:
            self._fail(event, "`<<` merges nothing in YAML 1.2", "write the keys out, or use an alias as a value")
            self._value(self._next(), inner, depth + 1)
        elif first is not mark:
            dotted = ".".join(map(str, inner))
            self._fail(
                event, f"`{dotted}` is set twice; first in line {first.line}", "keep one of the two", "duplicate"
            )
            self._value(self._next(), (*inner, "\0twice"), depth + 1)  # read on, but keep what came first
        else:
            values[key] = self._value(self._next(), inner, depth + 1)


class _Stop(Exception):
    """Reading on makes no sense; the error is noted."""


def _plain(name: str, text: str, error: yaml.YAMLError) -> ConfigError:
    """What libyaml complains of, in plain words, with the line and a remedy where one is known."""
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        line = min(mark.line + 1, text.count("\n") + 1)
    else:  # a ReaderError knows the position among the characters
        line = text.count("\n", 0, max(0, int(getattr(error, "position", 0)))) + 1
    at = text.split("\n")[line - 1] if line <= text.count("\n") + 1 else ""
    if "\t" in at[: len(at) - len(at.lstrip())]:
        return ConfigError("a tab indents this line", file=name, line=line, hint="indent with spaces", code="yaml")
    hint = next((remedy for words, remedy in _REMEDIES if words in said), None)
    return ConfigError(f"not YAML: {said}", file=name, line=line, hint=hint, code="yaml")
