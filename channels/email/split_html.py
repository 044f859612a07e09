"""New words of an HTML mail: the quote is found in the tree, then the plain splitter works on the text.

The tree is walked once, without recursion, into lines: those inside a quote that a mail program marked get `> ` in
front, so that answers between quotes, signatures and forwards follow the same rules as in plain text. Where a program
marks nothing (Outlook's From/Sent blocks, mail.ru's "… от …:"), the lines themselves tell.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from channels.email.split import Split, finish, mark_lines, split
from channels.email.split_lines import Page

HTML_CHARS_MAX: Final = 1_000_000
TAGS_MAX: Final = 50_000  # with those that end an element; a long newsletter has 10,000
DEPTH_MAX: Final = 1_000
TAG_CHARS_MAX: Final = 16_000  # from one `<` to the next
SIGNATURE_LINES_MAX: Final = 15
SIGNATURE_CHARS_MAX: Final = 1_200

_UNSEEN: Final = frozenset({
    "head", "style", "script", "title", "template", "svg",
    "math", "noscript", "iframe", "object", "select", "-comment", "!doctype",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd",
    "div", "dl", "dt", "fieldset", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "table", "tbody", "tr", "ul",
})  # fmt: skip
# These have no end, or end by themselves when the next begins.
_SHALLOW: Final = frozenset({
    "br", "hr", "img", "input", "meta", "link", "col", "area", "base", "wbr", "source", "embed", "param", "p",
    "td", "th", "tr", "option",
    "dd", "dt", "li",
})  # fmt: skip
_SPACED: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre", "blockquote"})
_JUDGED: Final = frozenset({"div", "blockquote", "hr", "span", "section", "table", "p", "a", "article", "td", "pre"})

# What a program calls the whole of the old mail.
_QUOTE_CLASSES: Final = frozenset({
    "yahoo_quoted", "protonmail_quote", "zmail_extra", "tutanota_quote",
    "front-blockquote", "sh-quoted-content", "clean_bq", "missive_quote",
    "ms-outlook-mobile-reference-message", "hs_reply", "mb_quoted",
    "quoted-text-wrapper", "iosymail-quoted", "k9mail-quote", "canary_quote",
})  # fmt: skip
_QUOTE_IDS: Final = (
    "yahoo_quoted",
    "olk_src_body_section",
    "mail-editor-reference-message-container",
    "isreplycontent",
    "replywrap",
)
_QUOTE_NAMES: Final = frozenset({"quote", "messagereplysection", "quoted-content"})
_QUOTE_MARKERS: Final = frozenset({"__quoted_text__", "__headers__"})
# From here on all is the old mail.
_CUT_IDS: Final = frozenset(
    {"divrplyfwdmsg", "x_divrplyfwdmsg", "appendonsend", "stopspelling", "zwchr", "reply-intro", "ms-outlook-reply"}
)
_CUT_CLASSES: Final = frozenset({"outlookmessageheader", "moz-email-headers-start"})
_ATTRIBUTION_CLASSES: Final = frozenset(
    {"gmail_attr", "moz-cite-prefix", "yahoo_quoted_begin", "protonmail_quote_header", "airmail_on"}
)
_SIGNATURE_CLASSES: Final = frozenset({
    "gmail_signature", "moz-signature", "protonmail_signature_block",
    "zmail_signature", "ms-outlook-mobile-signature", "tutanota_signature",
})  # fmt: skip
_SIGNATURE_IDS: Final = frozenset({"signature", "ms-outlook-mobile-signature", "composer_signature", "x_signature"})
_NO_BORDER = re.compile(r"border-left(?:-width|-style)?:(?:none|0)")


class _Lines:
    """Lines as they grow: text, whether quoted, whether in a signature, whether in an attribution."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []  # (text, kind); kind: "" | "q" quoted | "s" signature | "a" attribution
        self.words: list[str] = []
        self.space = False
        self.quotes = 0
        self.signatures = 0
        self.attributions = 0
        self.pre = 0
        self.cut = False
        self.lists: list[int] = []  # the next number of each list that is open; 0: bullets

    @property
    def kind(self) -> str:
        """What the line that is being written belongs to."""
        if self.quotes or self.cut:
            return "q"
        return "s" if self.signatures else "a" if self.attributions else ""

    def add(self, text: str) -> None:
        """Add a piece of text, white space collapsed."""
        if self.pre:
            first, *rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self.words.append(first)
            for line in rest:
                self.end(always=True)
                self.words.append(line)
            return
        words = text.split()
        if words:
            gap = " " if self.words and (self.space or text[0].isspace()) else ""
            self.words.append(gap + " ".join(words))
            self.space = text[-1].isspace()
        elif text:
            self.space = True

    def end(self, *, always: bool = False) -> None:
        """End the line; an empty one counts only with `always`."""
        if self.words or always:
            self.done.append(("".join(self.words).rstrip(), self.kind))
            self.words.clear()
        self.space = False

    def blank(self) -> None:
        """End the line and leave one line free."""
        self.end()
        if self.done and self.done[-1][0]:
            self.done.append(("", self.done[-1][1]))

    def cut_here(self) -> None:
        """All that follows is the old mail, if anything stands above."""
        self.end()
        self.cut = self.cut or any(text and kind in {"", "a"} for text, kind in self.done)


def split_html(html: str, *markers: str) -> Split:
    """The parts of an HTML mail, as text: lines of quotes carry `> `. `markers` as for `split`.

    HTML beyond the limits or `DEPTH_MAX` is not parsed; its bare text is split.
    """
    if len(html) > HTML_CHARS_MAX or not _parsable(html):
        return split(_stripped(html[:HTML_CHARS_MAX]), *markers)
    body = LexborHTMLParser(html).body
    if body is None:
        return split("", *markers)
    done = _walk(body).done
    _settle(done)
    page = Page("\n".join(f"> {text}".rstrip() if kind == "q" else text for text, kind in done))
    marks = mark_lines(page, markers)
    if len(marks) == len(done):
        _mark_known(done, marks)
    return finish(page, marks)


_LONG_TAG = re.compile(rf"<[a-zA-Z][^<]{{{TAG_CHARS_MAX}}}")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})")


def _parsable(html: str) -> bool:
    """Whether the parser is up to it: its time grows with tags times depth and the square of a tag's attributes."""
    count = html.count("<")
    if len(html) > TAG_CHARS_MAX and _LONG_TAG.search(html):
        return False
    if count <= DEPTH_MAX:
        return True
    if count > TAGS_MAX:
        return False
    depth = 0
    for found in _TAG.finditer(html):
        if found[2].lower() not in _SHALLOW:
            depth += -1 if found[1] else 1
            if depth > DEPTH_MAX:
                return False
            depth = max(depth, 0)
    return True


_UNREAD = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|head|template)(?![a-zA-Z0-9]).*?(?:</\1(?![a-zA-Z0-9])[^<>]*>?|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_BLOCK_TAG = re.compile(
    r"</?(?:blockquote|br|div|h[1-6]|hr|li|ol|p|pre|table|tr|ul)(?![a-zA-Z0-9])[^<>]*>?", re.IGNORECASE
)
_ANY_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>?")


def _stripped(html: str) -> str:
    """Text without a parser, in one pass."""
    return unescape(_ANY_TAG.sub("", _BLOCK_TAG.sub("\n", _UNREAD.sub(" ", html))))


def _walk(body: LexborNode) -> _Lines:
    """The lines of a tree, in one pass with a stack of our own."""
    lines = _Lines()
    stack: list[LexborNode | tuple[str, str]] = [body]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            _close(lines, *item)
            continue
        if item.next is not None and item.mem_id != body.mem_id:
            stack.append(item.next)
        tag = item.tag or ""
        if tag == "-text":
            lines.add(item.text_content or "")
            continue
        if tag in _UNSEEN:
            continue
        role = _role(item, tag) if tag in _JUDGED else ""
        _open(lines, tag, role)
        stack.append((tag, role))
        if item.child is not None:
            stack.append(item.child)
    lines.end()
    return lines


def _open(lines: _Lines, tag: str, role: str) -> None:
    """Begin an element."""
    if tag == "br":
        lines.end(always=True)
    elif tag in _SPACED:
        lines.blank()
    elif tag in _BLOCKS or role:
        lines.end()
    elif tag in {"td", "th"} and lines.words:
        lines.space = True
    if tag in {"ul", "ol"}:
        lines.lists.append(int(tag == "ol"))
    elif tag == "li":
        number = lines.lists[-1] if lines.lists else 0
        lines.words.append(f"{number}. " if number else "- ")
        if number:
            lines.lists[-1] += 1
    elif tag == "pre":
        lines.pre += 1
    if role == "cut":
        lines.cut_here()
    lines.quotes += role == "q"
    lines.signatures += role == "s"
    lines.attributions += role == "a"


def _close(lines: _Lines, tag: str, role: str) -> None:
    """End an element."""
    if tag in _SPACED:
        lines.blank()
    elif tag in _BLOCKS or role:
        lines.end()
    if tag in {"ul", "ol"} and lines.lists:
        lines.lists.pop()
    lines.pre -= tag == "pre"
    lines.quotes -= role == "q"
    lines.signatures -= role == "s"
    lines.attributions -= role == "a"


def _role(node: LexborNode, tag: str) -> str:
    """What a mail program says an element is: "q" quote, "a" attribution, "s" signature, "cut", or ""."""
    said = {name: (value or "").lower() for name, value in node.attributes.items()}
    if not said:
        return ""
    classes = set(said.get("class", "").split())
    name = said.get("id", "")
    if name in _CUT_IDS or classes & _CUT_CLASSES or said.get("data-marker") == "__divider__":
        return "cut"
    if (
        classes & _QUOTE_CLASSES
        or name.startswith(_QUOTE_IDS)
        or said.get("name") in _QUOTE_NAMES
        or said.get("data-marker") in _QUOTE_MARKERS
        or (tag == "blockquote" and _cites(said, classes))
    ):
        return "q"
    if classes & _ATTRIBUTION_CLASSES:
        return "a"
    if (
        classes & _SIGNATURE_CLASSES
        or name in _SIGNATURE_IDS
        or said.get("data-smartmail") == "gmail_signature"
        or said.get("data-signatureblock") == "true"
    ):
        return "s"
    return ""


def _cites(said: dict[str, str], classes: set[str]) -> bool:
    """Whether a blockquote cites a mail: an indent that the writer made is a blockquote too."""
    style = said.get("style", "").replace(" ", "")
    if _NO_BORDER.search(style) or "border:none" in style:
        return said.get("type") == "cite" and "cite" in said
    return (
        said.get("type") == "cite"
        or "cite" in said
        or any("quote" in name or "cite" in name for name in classes)
        or "border-left" in style
    )


def _settle(done: list[tuple[str, str]]) -> None:
    """Blank lines at the ends of a quote leave it; what is marked as an attribution counts only above a quote."""
    follows = ""
    for i in range(len(done) - 1, -1, -1):
        text, kind = done[i]
        if not text:
            done[i] = ("", kind if kind == follows == "q" and i and done[i - 1][1] == "q" else "")
        elif kind == "a" and follows not in {"q", "a"}:
            done[i] = (text, "")  # a forward's headers stand in the same element
            follows = ""
        else:
            follows = kind


def _mark_known(done: list[tuple[str, str]], marks: list[str]) -> None:
    """Mark attributions, and signatures when they are short and something else is new, as their programs say."""
    for i, (text, kind) in enumerate(done):
        if kind == "a" and text and marks[i] == "t":
            marks[i] = "a"
    lines = [i for i, (text, kind) in enumerate(done) if kind == "s" and marks[i] == "t" and text]
    size = sum(len(done[i][0]) for i in lines)
    if len(lines) <= SIGNATURE_LINES_MAX and size <= SIGNATURE_CHARS_MAX and marks.count("t") > len(lines):
        for i in lines:
            marks[i] = "s"
