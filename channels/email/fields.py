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


class _Reader:
    """Reads one header block line by line; `name` and `pieces` are of the field that may still be continued."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw = raw
        self.limits = limits
        self.fields = Fields()
        self.name = ""
        self.pieces: list[bytes] = []  # joined once, so that a field of many folds costs no square
        self.room = 0

    def close(self) -> None:
        """Store the field that was being read."""
        if self.name:
            self.fields.add(self.name, b"\n".join(self.pieces))
            self.pieces.clear()
            self.name = ""

    def take(self, line: bytes) -> bool:
        """Take a line that is a field or continues one; say whether it was."""
        if line[:1] in {b" ", b"\t"}:
            if not self.name:
                return False
            self.room -= len(line)
            if self.room > 0:
                self.pieces.append(line)
            return True
        match = _NAME.match(line)
        if match is None:
            return False
        self.close()
        self.name = match.group(1).decode("ascii").lower()
        self.room = self.limits.field_bytes_max
        self.pieces.append(line[match.end() :].lstrip(b" \t"))
        return True

    def goes_on(self, line: bytes, position: int, *, first: bool) -> bool:
        """Whether the header goes on at `position`, after a line that is no field."""
        if first and line.startswith((b"From ", b">From ")):
            return True  # an mbox separator
        if line.startswith(b"--") or not _goes_on(self.raw, position):
            return False
        self.fields.notes.append("the header has a line that is no field")
        if self.name and b"@" in line:
            self.pieces.append(b" " + line)  # a wrapped list of addresses that lost its indentation
        return True

    def run(self, start: int) -> int:
        """Read from `start`; give the offset of the body."""
        raw, limits, notes = self.raw, self.limits, self.fields.notes
        size = len(raw)
        position = start
        while position < size:
            if position > start + limits.header_bytes_max or len(self.fields.items) >= limits.headers_max:
                notes.append("the header is too long and was not read to its end")
                return skip_to_body(raw, position - 1)
            newline = raw.find(b"\n", position)
            stop = size if newline < 0 else newline
            line = raw[position : min(stop, position + limits.field_bytes_max)].rstrip(b"\r")
            if stop - position > limits.field_bytes_max:
                notes.append("a header field is too long and was cut")
            following = min(stop + 1, size)
            if not line:
                return following
            if not self.take(line) and not self.goes_on(line, following, first=position == start):
                if not line.strip():
                    return following
                notes.append("no blank line stands between header and body")
                return position
            position = following
        return size


def read(raw: bytes, start: int, limits: Limits) -> tuple[Fields, int]:
    """Read the header block at `start`; give its fields and the offset of the body. Linear; never raises."""
    reader = _Reader(raw, limits)
    body = reader.run(start)
    reader.close()
    return reader.fields, body
