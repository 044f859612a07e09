"""How our mails look: what was written, put into the texts of a workspace, as plain text and as HTML.

Pure, and no language of templates: a placeholder such as `{agent}` is replaced once, and what it is replaced with is
not looked at again, so that nothing a customer or an agent writes can become a placeholder or a tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

import msgspec

_BRACED = re.compile(r"\{(\w+)\}")
_BLANK_LINES = re.compile(r"(?:[ \t]*\n){3,}")
_NO_SIGNATURE = re.compile(r"^-- \n(?=[ \t]*\n|\Z)", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n+")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
PIECES = ("reply_above", "header", "message", "signature", "footer")  # what a layout is made of

LAYOUT = "{reply_above}\n\n{header}\n\n{message}\n\n-- \n{signature}\n\n{footer}"
_FACE = (
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5"
)
_QUIET = "color:#5f6368;font-size:12px"
_PARTS = {
    "reply_above": f'<p style="{_QUIET}">%s</p>',
    "header": '<div style="border-top:4px solid {colour};padding-top:8px">%s</div>',
    "message": "<div>%s</div>",
    "signature": '<div style="margin-top:20px">%s</div>',
    "footer": f'<div style="margin-top:20px;border-top:1px solid #dadce0;padding-top:8px;{_QUIET}">%s</div>',
}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one language. `text` and `html`: whole layouts, of `PIECES` and what is filled in; "": ours.

    `brand`: what {brand}, {brand_url}, {logo} and {colour} stand for.
    """

    reply_above: str = ""
    header: str = ""
    signature: str = "{signature}"
    footer: str = ""
    text: str = ""
    html: str = ""
    brand: dict[str, str] = {}


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """What one mail says. `signature`: the agent's own."""

    message: str
    agent: str = ""
    customer: str = ""
    reference: str = ""
    subject: str = ""
    signature: str = ""


class Rendered(msgspec.Struct, frozen=True):
    """A mail's two bodies."""

    text: str
    html: str


def render(look: Look, filling: Filling) -> Rendered:
    """The text and the HTML of a mail. The same for the same input, always."""
    values = dict(look.brand)
    values |= {name: _line(getattr(filling, name)) for name in ("agent", "customer", "reference", "subject")}
    pieces = {
        "reply_above": look.reply_above,
        "header": _filled(look.header, values).strip(),
        "message": filling.message.strip("\n").rstrip(),
        "signature": _filled(look.signature, values | {"signature": filling.signature}).strip(),
        "footer": _filled(look.footer, values).strip(),
    }
    return Rendered(_text(look.text or LAYOUT, values | pieces), _html(look, values, pieces))


def _line(text: str) -> str:
    """A name or a subject, which stands within a line."""
    return _BREAKS.sub(" ", text).strip()


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _BRACED.sub(lambda found: values.get(found[1], found[0]), template)


def _text(layout: str, values: Mapping[str, str]) -> str:
    """Empty pieces leave no holes: not two blank lines, and no mark of a signature above nothing.

    Only the layout is tidied, with a mark in the place of the words: what somebody wrote stays as it is.
    """
    shape = _filled(
        layout, {name: value if name not in PIECES else _mark(name, value) for name, value in values.items()}
    )
    shape = _BLANK_LINES.sub("\n\n", _NO_SIGNATURE.sub("", shape)).strip("\n")
    return "".join(
        values[piece[1:]] if piece.startswith("\x00") else piece for piece in re.split(r"(\x00\w+)\x00", shape)
    )


def _mark(name: str, value: str) -> str:
    return f"\x00{name}\x00" if value else ""


def _html(look: Look, values: Mapping[str, str], pieces: Mapping[str, str]) -> str:
    inner = {name: escape(value) for name, value in values.items()}
    blocks = {name: _paragraphs(text) for name, text in pieces.items()}
    if look.html:
        return _filled(look.html, inner | blocks)
    logo = (
        f'<p><img src="{inner["logo"]}" alt="{inner.get("brand", "")}" height="40"></p>\n' if inner.get("logo") else ""
    )
    colour = {"colour": inner.get("colour") or "#dadce0"}
    parts = [_filled(frame, colour) % blocks[name] for name, frame in _PARTS.items() if pieces[name]]
    at = 1 if pieces["reply_above"] else 0
    parts[at:at] = [logo.rstrip()] if logo else []
    return f'<div style="{_FACE}">\n' + "\n".join(parts) + "\n</div>\n"


def _paragraphs(text: str) -> str:
    """Words as HTML: a paragraph for each, their lines kept."""
    found = [piece.strip("\n") for piece in _PARAGRAPHS.split(text)]
    return "\n".join(f"<p>{escape(piece).replace(chr(10), '<br>' + chr(10))}</p>" for piece in found if piece.strip())
