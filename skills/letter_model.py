"""How an admin writes what mails look like: pieces by language, whole layouts if they like, and what may stand in them.

Whatever a customer could put into a placeholder, a name or a subject, must not become a tag, an attribute or an
address: a layout in HTML is tried with marks in the place of all placeholders, and they may come out in texts only.
"""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, model_validator
from selectolax.lexbor import LexborHTMLParser

from skills.part import ChannelPart
from skills.placeholders import BRACED, only

VALUES = ("agent", "customer", "reference", "subject", "brand", "brand_url")
PIECES = ("reply_above", "header", "message", "signature", "footer")
IN_ATTRIBUTES = ("reference", "brand_url", "logo", "colour")  # nobody else chooses what these are
REPLY_ABOVE_CHARACTERS = (10, 60)  # fewer could be a customer's own words; more are wrapped when they are quoted
_TAGS = frozenset(
    {
        "a", "abbr", "address", "b", "big", "blockquote", "body", "br", "caption", "center", "code", "col",
        "colgroup", "dd", "div", "dl", "dt", "em", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
        "head", "header", "hr", "html", "i", "img", "li", "main", "ol", "p", "pre", "s", "section", "small",
        "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "colspan", "dir",
        "face", "height", "href", "id", "lang", "rel", "role", "rowspan", "size", "src", "style", "title",
        "valign", "width",
    }
)  # fmt: skip
_SCHEMES = ("https:", "http:", "mailto:", "tel:", "cid:", "#")
_STYLE = re.compile(r"url\s*\(|expression|javascript|@import|\\", re.IGNORECASE)
_MARK = re.compile(r"zq(\d+)qz")


def _https(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme != "https" or not parts.hostname or re.search(r"[\s\"'<>{}]", text.strip()):
        raise ValueError("must be an address that begins with https://")
    return text.strip()


def _one_line(text: str) -> str:
    low, high = REPLY_ABOVE_CHARACTERS
    if "\n" in text or not low <= len(text) <= high or not any(sign.isalpha() for sign in text) or text.startswith(">"):
        raise ValueError(f"is one line of {low} to {high} characters, as in: -- Please reply above this line --")
    return text


def _needs_message(text: str) -> str:
    if "{message}" not in text:
        raise ValueError("has no {message}: what was written would not be in the mail")
    return text


def safe(text: str) -> str:
    """HTML without anything that runs, loads by itself or can be made of a placeholder. Raises ValueError."""
    names = [found[1] for found in BRACED.finditer(text)]
    count = iter(range(len(names)))
    tree = LexborHTMLParser(BRACED.sub(lambda _: f"zq{next(count)}qz", text))
    visible: set[str] = set()
    for node in tree.root.traverse(include_text=True) if tree.root is not None else ():
        tag = node.tag or ""
        if tag == "-text":
            visible |= {names[int(found[1])] for found in _MARK.finditer(node.text_content or "")}
        if tag.startswith(("-", "!")):
            continue  # text, a comment, or what stands before everything
        if tag not in _TAGS:
            shown = _MARK.sub(lambda found: f"{{{names[int(found[1])]}}}", tag)
            raise ValueError(f"has the tag <{shown[:40]}>, which is unsafe in a mail, or dropped by mail programs")
        for name, value in node.attributes.items():
            _attribute(tag, name, value or "", names)
    if "message" in names and "message" not in visible:
        raise ValueError("has its {message} within a comment: what was written would not be shown")
    return text


def _attribute(tag: str, name: str, value: str, names: list[str]) -> None:
    if name not in _ATTRIBUTES:
        raise ValueError(f"has the attribute `{name[:40]}` at <{tag}>, which is unsafe in a mail, or dropped")
    for found in _MARK.finditer(value):
        if names[int(found[1])] not in IN_ATTRIBUTES:
            raise ValueError(f"has {{{names[int(found[1])]}}} within a tag: it may stand in texts only")
    if name in {"href", "src"} and not _MARK.match(value) and not value.strip().lower().startswith(_SCHEMES):
        raise ValueError(f"has an address that is none of https, mailto, tel and cid: `{value[:60]}`")
    if name == "style" and _STYLE.search(value):
        raise ValueError("has a style that loads or runs something")


Piece = Annotated[str, StringConstraints(max_length=10_000, strip_whitespace=True)]
Layout = Annotated[str, StringConstraints(min_length=1, max_length=100_000), AfterValidator(_needs_message)]


class Brand(ChannelPart):
    """Who the mails come from."""

    name: Annotated[str, StringConstraints(max_length=100, strip_whitespace=True, pattern=r"^[^\r\n]*$")] = ""
    """{brand}; the name beside the sender's address if left out."""
    url: Annotated[str, AfterValidator(_https)] | None = None
    """{brand_url}: your web site."""
    logo: Annotated[str, AfterValidator(_https)] | None = None
    """{logo}: the address of a picture, 40 pixels high; mail programs fetch it when they are allowed to."""
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{3}(?:[0-9A-Fa-f]{3})?$")] | None = None
    """{colour}: #0a5 or #00aa55."""


class LetterConfig(ChannelPart):
    """How mails look in one language. Filled in: {agent}, {customer}, {reference}, {subject}, {brand}, {brand_url}."""

    reply_above: Annotated[Piece, AfterValidator(_one_line), only()] | None = None
    """The first line; of what comes back, nothing below it is the customer's."""
    header: Annotated[Piece, only(*VALUES)] = ""
    """Stands above what the agent wrote."""
    signature: Annotated[Piece, only("signature", *VALUES)] = "{signature}"
    """Stands below it; {signature} is the agent's own."""
    footer: Annotated[Piece, only(*VALUES)] = ""
    """The end."""
    text: Annotated[Layout, only(*PIECES, *VALUES)] | None = None
    """The whole mail as plain text, made of {reply_above}, {header}, {message}, {signature} and {footer}."""
    html: Annotated[Layout, only(*PIECES, *VALUES, "logo", "colour"), AfterValidator(safe)] | None = None
    """The same as HTML, with {logo} and {colour}; no scripts, forms or styles from elsewhere."""

    @model_validator(mode="after")
    def _line_first(self) -> Self:
        """The line is of use only above all else."""
        for name, layout in (("text", self.text), ("html", self.html)):
            first = next((found[1] for found in BRACED.finditer(layout or "") if found[1] in PIECES), "")
            if self.reply_above and layout and first != "reply_above":
                raise ValueError(f"has a `reply_above`, so {{reply_above}} must stand above all else in `{name}`")
        return self
