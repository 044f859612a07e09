"""Mails inside mails: who wrote the mail that somebody forwarded, when, and what it said.

Rules: the first forward wins; a value that its program wrapped is joined; nothing here is trusted, it is what the text
says. A text without a rule ("---------- Forwarded message") is a forward when it begins with a run of headers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from channels.email.split_lines import HeaderRun, Page, header_run, rule_of, unquote

RULE_LINES_MAX: Final = 3  # from a rule to the headers below it


class Forwarded(msgspec.Struct, frozen=True):
    """A forwarded mail as its headers in the text tell it; what they do not tell is empty."""

    from_address: str
    from_name: str
    subject: str
    date: str
    """As written; in any language."""
    text: str
    """Its body, without one level of `>` when all of it is quoted."""


class Found(NamedTuple):
    """A forwarded mail and the first line of its body."""

    forwarded: Forwarded
    body: int


def forwarded(text: str) -> Forwarded | None:
    """The mail that `text` forwards or quotes with its headers; None when there is no such run of headers."""
    page = Page(text)
    found = forward_at(page, None)
    return found.forwarded if found else None


def forward_at(page: Page, marks: list[str] | None) -> Found | None:
    """The first forward.

    Args:
        page: the text.
        marks: the splitter's marks: then only a forward that says so, or one at the top of the text, counts. None:
            any run of headers counts.
    """
    top = True
    announced = -1
    for i in range(len(page)):
        page.looks += 1
        if page.blank(i) or page.low[i] in {">", "> >"}:
            continue
        if marks is not None and marks[i] == "t":
            top = False
            continue
        rule = rule_of(page, i)
        if rule == "forwarded":
            announced = i
            continue
        run = header_run(page, i) if marks is None or top or announced >= 0 else None
        if run is not None:
            return _read(page, run)
        if announced >= 0 and i - announced > RULE_LINES_MAX:
            announced = -1
        top = top and bool(rule)
    return None


def _read(page: Page, run: HeaderRun) -> Found:
    """The forward whose headers are `run`."""
    address, name = _person(run.values.get("from", ""))
    body = run.end
    lines = page.lines[body:]
    if page.quoted(run.start):
        quoted: list[str] = []
        for i in range(body, len(page)):
            if not page.quoted(i) and not page.blank(i):
                break
            quoted.append(unquote(page.lines[i]))
        lines = quoted
    return Found(
        Forwarded(
            from_address=address,
            from_name=name,
            subject=run.values.get("subject", "").strip(),
            date=(run.values.get("date") or run.values.get("sent") or "").strip(),
            text="\n".join(lines).strip(),
        ),
        body,
    )


def _person(value: str) -> tuple[str, str]:
    """(address, name) of a From value as programs write it in texts: `Jane <j@x>`, `Jane [mailto:j@x]`, `j@x`."""
    address = ""
    for piece in value.replace("<", " ").replace(">", " ").replace("[", " ").replace("]", " ").split():
        word = piece.strip("()\"',;*").removeprefix("mailto:").rstrip(".")
        if "@" in word and not word.startswith("@") and not word.endswith("@"):
            address = word
            break
    cut = min((at for at in (value.find("<"), value.find("["), value.find("(")) if at >= 0), default=len(value))
    name = value[:cut].strip(" \"'*")
    return address, "" if "@" in name else name
