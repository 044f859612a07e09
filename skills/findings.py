"""What is said to an admin about a workspace: where a key stands, errors all at once, findings, and "did you mean".

An error keeps a workspace from coming into force; a finding is only worth knowing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from router.core.errors import ConfigError

Key = str | int
KeyPath = tuple[Key, ...]  # ("agents", "ana", "skills"); list items by their index


class Mark(NamedTuple):
    """Where a key stands: the file's path inside the workspace folder, and the line, from 1."""

    file: str
    line: int


Marks = Mapping[KeyPath, Mark]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an admin should know; `code` is stable."""

    code: str
    message: str
    file: str | None = None
    line: int | None = None
    hint: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        """Keys as `usherd check --json` prints them: code, message, file, line, hint."""
        return asdict(self)


class ConfigErrors(ConfigError):
    """All that keeps a workspace from coming into force, in the order of files and lines.

    `errors` holds at least one ConfigError; the fields of the first are this error's own.
    """

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        ordered = sorted(errors, key=lambda e: (e.file or "", e.line or 0))
        if not ordered:
            message = "a ConfigErrors without errors"
            raise ValueError(message)
        first = ordered[0]
        super().__init__(first.message, file=first.file, line=first.line, hint=first.hint, code=first.code)
        self.errors = tuple(ordered)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def locate(marks: Marks, path: Sequence[Key]) -> Mark | None:
    """The mark of `path`, or of the nearest key around it; steps that stand in no file are skipped."""
    found: KeyPath = ()
    for step in path:
        if (*found, step) in marks:
            found = (*found, step)
    return marks.get(found)


def error_at(
    marks: Marks, path: Sequence[Key], message: str, *, hint: str | None = None, code: str = "config"
) -> ConfigError:
    """A ConfigError that names the file and line of `path`."""
    mark = locate(marks, path)
    return ConfigError(message, file=mark and mark.file, line=mark and mark.line, hint=hint, code=code)


def finding_at(marks: Marks, path: Sequence[Key], code: str, message: str, hint: str | None = None) -> Finding:
    """A Finding that names the file and line of `path`."""
    mark = locate(marks, path)
    return Finding(code, message, mark and mark.file, mark and mark.line, hint)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a slip of, or None. Upper and lower case are alike."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def unknown(what: str, word: str, known: Iterable[str]) -> tuple[str, str]:
    """(message, hint) for a name that is not defined: "unknown skill `refnds`; did you mean `refunds`?"."""
    names = sorted(known)
    meant = nearest(word, names)
    if meant is not None:
        return f"unknown {what} `{word}`; did you mean `{meant}`?", f"write `{meant}`, or define `{word}`"
    some = ", ".join(f"`{name}`" for name in names[:12]) + (", …" if len(names) > 12 else "")  # noqa: PLR2004
    return f"unknown {what} `{word}`", f"known are {some}" if names else f"no {what} is defined"
