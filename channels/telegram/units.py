"""Telegram counts UTF-16 units: a letter is one, most emoji are two. Long texts are split where a reader would."""

from __future__ import annotations

import re

TEXT_UNITS_MAX = 4_096
CAPTION_UNITS_MAX = 1_024
_ENDS = (re.compile(r"\n\n+"), re.compile(r"\n"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))  # noqa: RUF001


def units(text: str) -> int:
    """How long a text is for Telegram."""
    return len(text) + sum(character > "\uffff" for character in text)


def pieces(text: str, limit: int = TEXT_UNITS_MAX) -> list[str]:
    """A text in pieces of at most `limit` units, none of them blank; parted at paragraphs, lines, sentences, blanks.

    Nothing but the blanks between two pieces is left out.
    """
    found: list[str] = []
    rest = text.strip()
    while units(rest) > limit:
        head = _head(rest, limit)
        end, begin = _parting(head, rest)
        found.append(rest[:end].rstrip())
        rest = rest[begin:].lstrip()
    return [*found, rest] if rest else found


def _head(text: str, limit: int) -> str:
    """As much of the beginning as there is room for; a character is never cut in two."""
    room = limit
    for place, character in enumerate(text):
        room -= 2 if character > "\uffff" else 1
        if room < 0:
            return text[:place]
    return text


def _parting(head: str, text: str) -> tuple[int, int]:
    """Where the piece ends and where the next begins: in the second half of the room, else right at its end."""
    if text[len(head)].isspace():  # the limit falls between two words
        return len(head), len(head)
    for pattern in _ENDS:
        last = None
        for last in pattern.finditer(head, len(head) // 2):  # noqa: B007  # the last one is what is wanted
            pass
        if last is not None and head[: last.start()].strip():
            return last.start(), last.end()
    return len(head), len(head)
