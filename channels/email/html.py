"""HTML: cleaned for showing, and turned into the text a person would read.

nh3 removes what could run, load or dress up as ours; remote images lose their source, so that nothing is fetched and
no sender learns who read. inscriptis turns the clean HTML into text; it drops what lies deeper than its parser
reaches and pads wide tables to any length, so hostile or odd HTML goes through selectolax instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from html import unescape

import inscriptis
import nh3
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from selectolax.lexbor import LexborHTMLParser

from channels.email.limits import Limits

_TAGS = frozenset(nh3.ALLOWED_TAGS) - {"map", "area"} | {"font", "center", "big"}
_DROPPED_WHOLE = {"script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math", "select"}
_ATTRIBUTES = {
    **{tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items() if tag not in {"map", "area"}},
    "img": {"src", "alt", "width", "height"},
    "*": {"dir", "lang", "title", "align"},
}
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})")
_LONG_TAG = re.compile(r"<[a-zA-Z][^<>]{16000}")
_DATA_URI = re.compile(r"""(=\s{0,4})(?:"\s{0,4}data:[^"<>]*"|'\s{0,4}data:[^'<>]*')""", re.IGNORECASE)
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr", "source", "embed", "param"}
)
_ENDS_ITSELF = frozenset({"p", "td", "th", "tr", "option", "dd", "dt"})
_BREAK = "\x01"  # stands for a line break while the white space of the source is still to be collapsed
_BLOCK_TAG = re.compile(
    r"</?(?:address|article|aside|blockquote|br|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main"
    r"|nav|ol|p|pre|section|table|tr|ul)(?![a-zA-Z0-9])[^<>]*>?",
    re.IGNORECASE,
)
_UNREAD = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|head|template|svg|math)(?![a-zA-Z0-9]).*?(?:</\1(?![a-zA-Z0-9])|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_ANY_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>?")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BREAKS = re.compile(rf"[ ]?{_BREAK}[ {_BREAK}]*")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_BLANK_LINES = re.compile(r"\n{3,}")
_CELL = re.compile(r"<(?:/?t[dhr]|br|/?p|/?div)", re.IGNORECASE)
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False, display_images=False)
_TABLE_CHARS_MAX = 2_000_000  # of padding that tables may cost
_AMPERSANDS_MAX = 20_000  # nh3 takes time by the square of them
_DEPTH_MAX = 1_000  # nh3 and selectolax take time by the square of the depth


class Cleaned:
    """HTML in three forms: `html` safe to show, `source` fit to be parsed again, and its `text`, read when asked for.

    The first two are empty where a parser would need too long.
    """

    def __init__(self) -> None:
        self.html = ""
        self.source = ""
        self.tags = 0
        self.warnings: list[str] = []
        self.reader: Callable[[], str] = str

    @cached_property
    def text(self) -> str:
        """The words, blocks on lines of their own, at most one empty line between them."""
        return self.reader()


def _no_remote_image(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not value.lower().startswith("cid:"):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags=_DROPPED_WHOLE - {"noscript"},
    attributes=_ATTRIBUTES,
    attribute_filter=_no_remote_image,
    url_schemes=_SCHEMES,
    link_rel="noopener noreferrer nofollow",
)


def _shape(html: str, tags_max: int) -> tuple[int, int]:
    """The number of tags and an upper bound of their depth; stops counting once a limit is passed."""
    count = depth = deepest = 0
    for found in _TAG.finditer(html):
        count += 1
        name = found.group(2).lower()
        if found.group(1):
            depth -= depth > 0 and name not in _ENDS_ITSELF
        elif name not in _VOID and name not in _ENDS_ITSELF:
            depth += 1
            deepest = max(deepest, depth)
        if count > tags_max:
            break
    return count, deepest


def read(html: str, limits: Limits, *, tags_max: int | None = None) -> Cleaned:
    """Clean HTML and read its text. What is too long is cut; what is too odd to be parsed is read as text alone.

    `tags_max` is what other parts of the same mail left of the limit.
    """
    out = Cleaned()
    if "data:" in html:
        html = _DATA_URI.sub(r'\1""', html)
    if len(html) > limits.html_chars_max:
        html = html[: limits.html_chars_max]
        out.warnings.append("the HTML is too long and was cut")
    tags_max = limits.html_tags_max if tags_max is None else tags_max
    out.tags, deepest = _shape(html, tags_max)
    odd = out.tags > tags_max or deepest > _DEPTH_MAX or html.count("&") > _AMPERSANDS_MAX
    if odd or _LONG_TAG.search(html):
        out.warnings.append("the HTML is too odd to be shown; only its text was taken")
        out.reader = lambda: _tidy(_stripped(html), breaks=True)
        return out
    out.source = html
    out.html = safe = _CLEANER.clean(html)
    if deepest > limits.html_depth_max or _table_cost(safe) > _TABLE_CHARS_MAX:
        out.reader = lambda: _tidy(_by_selectolax(_marked(safe)), breaks=True)
    else:
        out.reader = lambda: _tidy(inscriptis.get_text(safe, _CONFIG), breaks=False)
    return out


def _marked(html: str) -> str:
    """The same HTML with a sign in place of each tag that begins or ends a block."""
    return _BLOCK_TAG.sub(_BREAK, html)


def _tidy(text: str, *, breaks: bool) -> str:
    """No white space at the ends of lines, and at most one empty line in a row."""
    if breaks:
        text = _BREAKS.sub(lambda found: "\n" * min(2, found.group().count(_BREAK)), _SPACE.sub(" ", text))
    text = _LINE_ENDS.sub("\n", text.replace("\u00a0", " "))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _table_cost(html: str) -> int:
    """An upper bound of what padding the cells to their columns' widths may cost, in characters."""
    rows = html.count("<tr")
    return rows * max(map(len, _CELL.split(html))) if rows else 0


def _by_selectolax(html: str) -> str:
    body = LexborHTMLParser(html).body
    return body.text(deep=True) if body is not None else ""


def _stripped(html: str) -> str:
    """Text without any parser, in one pass: for what would cost a parser too much."""
    return unescape(_ANY_TAG.sub("", _marked(_UNREAD.sub(" ", html))))
