"""The example workspace under `config/`, as text that can be written anew with other values and the same comments.

What a key means is said once, beside it in the example. A page of it is edited line by line, so that its comments,
its order and its blank lines stay; a section that gets a content of its own takes its comments from the example's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NewType

import yaml

import router
from skills.yaml_values import YamlFile

FOLDER = Path(router.__file__).resolve().parents[1] / "config"
COMMENTS_FROM = 32  # the column that comments begin at, where the line is short enough
NAMED = frozenset({"agents", "teams", "calendars", "topics", "tiers"})  # under these, keys are ids of somebody's own

_KEY = re.compile(r"(?P<head>\s*(?:- )?(?P<key>[\w.:-]+):)(?P<rest>.*)")

_LANGUAGE = re.compile(r"'(lang:\w+)'")

Flow = NewType("Flow", str)  # a value as YAML on one line


class Off(str):
    """A value as YAML on one line, of a key that stands commented out."""

    __slots__ = ()


Block = Flow | Off | Mapping[str, "Block"] | Sequence["Block"]


def flow(value: object) -> Flow:
    """A value as YAML on one line: `{refunds: 2}`, `[en, es]`, `"09:00-17:00"`."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return Flow(_LANGUAGE.sub(r"\1", text.removesuffix("...\n").strip()))  # a colon within a word needs no quotes


class Page:
    """One file of the example."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.name = name
        text = (folder / name).read_text("utf-8")
        self.lines = text.splitlines()
        self._comments = _comments(name, text)

    @property
    def text(self) -> str:
        """The page as it is now."""
        return "\n".join(self.lines) + "\n"

    def replace(self, old: str, new: str) -> None:
        """Put `new` where `old` stands, once. Raises LookupError if the example no longer says so."""
        for number, line in enumerate(self.lines):
            if old in line:
                self.lines[number] = line.replace(old, new, 1)
                return
        message = f"{self.name} of the example does not say: {old}"
        raise LookupError(message)

    def insert_below(self, start: str, line: str) -> None:
        """Put a line below the first one that begins so."""
        number = next(number for number, text in enumerate(self.lines) if text.startswith(start))
        self.lines.insert(number + 1, line)

    def put(self, path: str, value: Flow) -> None:
        """Give the key at a dotted path another value on its line, which keeps its comment."""
        number = self._line(path)
        found = _KEY.fullmatch(self.lines[number])
        assert found is not None
        _, comment = _split(self.lines[number])
        self.lines[number] = _beside(f"{found['head']} {value}", comment)

    def turn_on(self, line: str, value: Flow) -> None:
        """Make a key of what stands commented out as `# line: …`."""
        for number, text in enumerate(self.lines):
            indent, mark, rest = text.partition("# ")
            if mark and not indent.strip() and rest.startswith(f"{line}:"):
                _, comment = _split(rest)
                self.lines[number] = _beside(f"{indent}{line}: {value}", comment)
                return
        message = f"{self.name} of the example has no commented `{line}`"
        raise LookupError(message)

    def turn_off(self, key: str) -> None:
        """Comment out a key of the top level, and all that stands under it."""
        first, last = self._section(key)
        self.lines[first:last] = [
            _beside(f"# {content}".rstrip(), comment) for content, comment in map(_split, self.lines[first:last])
        ]

    def write(self, key: str, value: Block, *, below: Sequence[str] = ()) -> None:
        """Give a key of the top level another content; `below`: lines that follow it, commented out."""
        first, last = self._section(key)
        used: set[tuple[str, ...]] = set()
        lines = self._emitted({key: value}, (), 0, used)
        self.lines[first:last] = [*lines, *(f"# {line}".rstrip() for line in below)]

    def part(self, path: str) -> list[str]:
        """The lines of a key or a list's item at a dotted path: its own and all that stand deeper."""
        first = self._line(path)
        depth = _depth(self.lines[first])
        last = first + 1
        while last < len(self.lines) and self.lines[last].strip() and _depth(self.lines[last]) > depth:
            last += 1
        return self.lines[first:last]

    def _line(self, path: str) -> int:
        steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
        mark = YamlFile(self.name, self.text).marks.get(steps)
        if mark is None:
            message = f"{self.name} of the example has no key {path}"
            raise LookupError(message)
        return mark.line - 1

    def _section(self, key: str) -> tuple[int, int]:
        """The lines `[first, last)` of a key of the top level, without the blank lines and remarks after it."""
        first = self._line(key)
        last = first + 1
        while last < len(self.lines) and (not self.lines[last].strip() or self.lines[last][0] in " #"):
            last += 1
        while not self.lines[last - 1].strip() or self.lines[last - 1].startswith("#"):
            last -= 1
        return first, last

    def _emitted(
        self, value: Mapping[str, Block], path: tuple[str, ...], depth: int, used: set[tuple[str, ...]]
    ) -> list[str]:
        lines: list[str] = []
        for key, content in value.items():
            here = (*path, key)
            comment = self._comment(here, used)
            head = f"{'  ' * depth}{'# ' if isinstance(content, Off) else ''}{key}:"
            if isinstance(content, Mapping):
                lines.append(_beside(head, comment))
                lines += self._emitted(content, here, depth + 1, used)
            elif isinstance(content, str):
                lines.append(_beside(f"{head} {content}".rstrip(), comment))
            else:
                lines.append(_beside(head, comment))
                lines += self._items(content, here, depth + 1, used)
        return lines

    def _comment(self, path: tuple[str, ...], used: set[tuple[str, ...]]) -> str:
        """What is said of this very key, or of the first one of its sort; each is said once."""
        alike = _alike(path)
        for known in (path, alike):
            if known in self._comments and known not in used and alike not in used:
                used.update({path, alike} if alike[-1] != "*" else {path})
                return self._comments[known]
        return ""

    def _items(
        self, items: Sequence[Block], path: tuple[str, ...], depth: int, used: set[tuple[str, ...]]
    ) -> list[str]:
        lines: list[str] = []
        for item in items:
            if isinstance(item, Mapping):
                inner = self._emitted(item, (*path, "*"), depth + 1, used)
                lines += [f"{'  ' * depth}- {inner[0].lstrip()}", *inner[1:]]
            else:
                lines.append(f"{'  ' * depth}- {item}")
        return lines


def _alike(path: Sequence[str | int]) -> tuple[str, ...]:
    """A path in which ids and places in lists are `*`."""
    steps: list[str] = []
    for step in path:
        own = bool(steps) and steps[-1] in NAMED
        steps.append("*" if isinstance(step, int) or own else step)
    return tuple(steps)


def _comments(name: str, text: str) -> dict[tuple[str, ...], str]:
    """What the example says beside each key, by its path and by that of its sort: the first that says so."""
    lines = text.splitlines()
    found: dict[tuple[str, ...], str] = {}
    taken: set[int] = set()
    for path, mark in YamlFile(name, text).marks.items():
        _, comment = _split(lines[mark.line - 1])
        if not comment or mark.line in taken:
            continue
        found.setdefault(tuple(map(str, path)), comment)
        if _alike(path)[-1] != "*":  # what is said of one team or agent holds for no other
            found.setdefault(_alike(path), comment)
        if not isinstance(path[-1], int):  # an item's line is its first key's too, which is where it is written
            taken.add(mark.line)
    return found


def _split(line: str) -> tuple[str, str]:
    """A line and its comment, which begins with `#`."""
    quoted = ""
    for place, sign in enumerate(line):
        if quoted:
            quoted = "" if sign == quoted else quoted
        elif sign in "\"'" and line[place - 1] in " [{,":
            quoted = sign
        elif sign == "#" and place and line[place - 1] == " ":
            return line[:place].rstrip(), line[place:]
    return line.rstrip(), ""


def _beside(line: str, comment: str) -> str:
    """A line with its comment, which stands in its column where that is free."""
    return f"{line:<{COMMENTS_FROM - 2}}  {comment}" if comment else line


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
