"""Other people's words as Slack may show them: escaped, cut under its limits, unable to ping or to mask a link.

Slack reads `<…>` in a text as a mention, a link or a date, and nothing else pings. So whatever comes from outside has
`&`, `<` and `>` escaped, and each text object is sent as `verbatim`, so that Slack makes no links of plain words.
Limits are counted in UTF-16 units, the strictest reading of "characters".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ELLIPSIS = "…"
NOTHING = "\u2013"  # a dash, where there is nothing to show
_ALIKE = (("*", "\u2217"), ("_", "\uff3f"), ("~", "\u223c"), ("`", "\u02cb"))
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Marks that turn the reading direction of what follows: one at the end of a name would mirror our own words.
_TURNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DROPPED = re.compile(f"[{_TURNS}\x00-\x08\x0b-\x1f\x7f-\x9f]")  # but for line breaks and tabs
_LONE = re.compile("[\ud800-\udfff]")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u115f\u1160\u3164\uffa0\u180e\u2800"


def clean(text: str) -> str:
    """Without control characters, lone surrogates and marks that turn the reading direction; lines end in LF."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _LONE.sub("\ufffd", _DROPPED.sub("", plain))


def seen(text: str) -> bool:
    """Whether anything can be seen of it: Slack refuses a text of blanks."""
    return any(not char.isspace() and char not in _INVISIBLE for char in text)


def escape(text: str) -> str:
    """`&`, `<` and `>` as Slack wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def units(text: str) -> int:
    """How many characters Slack counts at most."""
    return len(text) if text.isascii() else len(text) + sum(char > "\uffff" for char in text)


def _cost(char: str) -> int:
    escaped = _ESCAPES.get(char)
    return len(escaped) if escaped else 1 + (char > "\uffff")


def _fitting(text: str, limit: int) -> int:
    """How many characters of `text` have room in `limit` units once escaped."""
    if units(escape(text)) <= limit:
        return len(text)
    used = 0
    for place, char in enumerate(text):
        used += _cost(char)
        if used > limit:
            return place
    return len(text)


def cut(text: str, limit: int) -> str:
    """Cleaned and escaped, in at most `limit` units; a cut ends in an ellipsis."""
    cleaned = clean(text).strip()
    if _fitting(cleaned, limit) == len(cleaned):
        return escape(cleaned)
    return escape(cleaned[: _fitting(cleaned, limit - 1)].rstrip()) + ELLIPSIS


def plain(text: str, limit: int, empty: str = NOTHING) -> str:
    """For a `plain_text` object: one line, cut, never empty. Slack decodes its escapes there as well."""
    line = " ".join(clean(text).split())
    return cut(line, limit) if seen(line) else empty


def inline(text: str, limit: int = 200, empty: str = NOTHING) -> str:
    """A name or a subject within a line of ours: one line, and no mark of it begins bold or code."""
    line = " ".join(clean(text).split())
    if not seen(line):
        return empty
    for mark, alike in _ALIKE:
        line = line.replace(mark, alike)
    return cut(line, limit)


def pieces(text: str, size: int) -> Iterator[str]:
    """The whole of a text, escaped, in pieces of at most `size` units; broken between lines or words if it can be."""
    rest = clean(text).strip("\n")
    while seen(rest):
        end = _fitting(rest, size)
        if end < len(rest):
            half = end // 2
            line, word = rest.rfind("\n", half, end), rest.rfind(" ", half, end)
            end = line if line > 0 else word if word > 0 else end
        piece = rest[:end]
        if seen(piece):
            yield escape(piece)
        rest = rest[end:].lstrip("\n")


def date(instant: int, form: str, fallback: str) -> str:
    """An instant (ms) in the reader's own time zone; `form`: Slack's tokens, as `{date_short_pretty} {time}`."""
    return f"<!date^{instant // 1000}^{form}|{escape(fallback)}>"
