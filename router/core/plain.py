"""Words of strangers as they may stand in a message: without what hides, reorders or breaks what people read.

One place for it, so that every channel whose texts come as they were typed is as strict as the others.
"""

from __future__ import annotations

import re

SUBJECT_CHARACTERS_MAX = 70
_TEXT_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LINE_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """A text of several lines: other line ends and control characters replaced, stripped."""
    return _TEXT_CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def one_line(name: str, most: int) -> str:
    """A name somebody gave themselves: one line of `most` characters, without control and direction characters."""
    return " ".join(_LINE_CONTROLS.sub(" ", name).split())[:most].strip()


def first_words(text: str) -> str:
    """The first words: what lists show of a message, and what the subject of a mailed answer says."""
    words = " ".join(text.split())
    if len(words) <= SUBJECT_CHARACTERS_MAX:
        return words
    return words[:SUBJECT_CHARACTERS_MAX].rsplit(" ", 1)[0].rstrip(" .,;:") + "…"
