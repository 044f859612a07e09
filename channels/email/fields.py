"""The header block of a mail or a part: where its fields begin and end, and where the body starts.

Fields are kept as the bytes received; nothing is decoded here. Mails whose header is broken in one of the usual ways
(a line without a colon, a wrapped address without indentation, an mbox "From " line, no blank line before the body)
are read as a person would.
"""

from __future__ import annotations

import re

from channels.email.limits import Limits

_NAME = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_BLANK_LINE = re.compile(rb"\n[ \t]*\r?\n")
# After a line that is no field, one of these says that the header goes on.
_KNOWN = re.compile(
    rb"(?:from|to|cc|bcc|subject|date|message-id|mime-version|content-[a-z-]{2,30}|received|reply-to|in-reply-to"
    rb"|references|return-path|sender|delivered-to|precedence|user-agent|list-[a-z]{2,20}|x-[a-z0-9-]{2,60})[ \t]*:",
    re.IGNORECASE,
)


class Fields:
    """The fields of one header block, in order; names are lower-case, values as received without the final newline."""

    __slots__ = ("first", "items", "notes")

    def __init__(self) -> None:
        self.items: list[tuple[str, bytes]] = []
        self.first: dict[str, bytes] = {}
        self.notes: list[str] = []

    def add(self, name: str, value: bytes) -> None:
        """Append a field."""
        self.items.append((name, value))
        self.first.setdefault(name, value)

    def extend(self, more: bytes) -> None:
        """Continue the last field with another line."""
        name, value = self.items[-1]
        longer = value + b"\n" + more
        self.items[-1] = (name, longer)
        if self.first[name] is value:
            self.first[name] = longer

    def get(self, name: str) -> bytes:
        """The first field of that name, or nothing."""
        return self.first.get(name, b"")

    def all(self, name: str) -> list[bytes]:
        """All fields of that name, top to bottom."""
        return [value for known, value in self.items if known == name] if name in self.first else []


def _goes_on(raw: bytes, position: int) -> bool:
    """Whether the line at `position` is a field that mails have: then the junk before it was not the body."""
    return _KNOWN.match(raw, position) is not None


def skip_to_body(raw: bytes, position: int) -> int:
    """Where the body starts, for a header that is not read: after the next blank line."""
    found = _BLANK_LINE.search(raw, position)
    return found.end() if found else len(raw)


def read(raw: bytes, start: int, limits: Limits) -> tuple[Fields, int]:
    """Read the header block at `start`; give its fields and the offset of the body. Linear; never raises."""
    fields = Fields()
    size = len(raw)
    position = start
    end_of_budget = start + limits.header_bytes_max
    pieces: list[bytes] = []  # of the field being read, so that long folds are joined once
    name = ""
    room = 0

    def close() -> None:
        if name:
            fields.add(name, b"\n".join(pieces))
            pieces.clear()

    while position < size:
        if position > end_of_budget or len(fields.items) >= limits.headers_max:
            fields.notes.append("the header is too long and was not read to its end")
            close()
            return fields, skip_to_body(raw, position - 1)
        newline = raw.find(b"\n", position)
        stop = size if newline < 0 else newline
        line = raw[position : min(stop, position + limits.field_bytes_max)]
        if stop - position > limits.field_bytes_max:
            fields.notes.append("a header field is too long and was cut")
        line = line.rstrip(b"\r")
        following = stop + 1
        if not line:
            close()
            return fields, min(following, size)
        match = None if line[:1] in {b" ", b"\t"} else _NAME.match(line)
        if match:
            close()
            name = match.group(1).decode("ascii").lower()
            room = limits.field_bytes_max
            pieces.append(line[match.end() :].lstrip(b" \t"))
        elif name and line[:1] in {b" ", b"\t"}:
            room -= len(line)
            if room > 0:
                pieces.append(line)
        elif position == start and line.startswith((b"From ", b">From ")):
            start = following  # an mbox separator
        elif not line.startswith(b"--") and _goes_on(raw, following):
            fields.notes.append("the header has a line that is no field")
            if name and b"@" in line:
                pieces.append(b" " + line)  # a wrapped list of addresses that lost its indentation
        else:
            close()
            if fields.items or position != start or not line.strip():
                fields.notes.append("no blank line between header and body")
            return fields, position if line.strip() else min(following, size)
        position = following
    close()
    return fields, size
