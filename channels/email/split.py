"""Which words of a mail are new: one pass over the lines of a plain text, then a look at the ends of what is left.

Rules, in this order (CHANNELS.md, "E-mail in"):

1. Our own marker wins: from its line on all is quoted.
2. A rule ("-----Original Message-----") or a run of From/Sent/To/Subject lines: all below is quoted.
3. An attribution ("On …, somebody wrote:", also wrapped): the `>` lines below are quoted; without such lines, all is.
4. `>` lines are quoted. Text below or between them is an answer and stays; lines answered to stay with it.
5. Signatures, what phones add, and disclaimers are taken from the ends of what is left.
6. A mail that is nothing but a forward: the forwarded words are the new ones.

When in doubt a line stays: a quote that is shown costs a glance, a word of the customer that is not shown costs the
customer.
Every line that is not blank comes out in exactly one of `new`, `quoted`, `signature` and `disclaimer`, in its order.
The work is linear; the text in full is kept by the caller, who shows it when `new` is empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from channels.email import phrases
from channels.email.split_forward import Forwarded, forward_at, forwarded
from channels.email.split_lines import (
    COLONS,
    HeaderRun,
    Page,
    attribution_start,
    bare,
    header_run,
    raw_headers,
    rule_of,
    unquote,
)
from channels.email.split_tail import mark_tail

__all__ = ["Forwarded", "Split", "forwarded", "split"]

CONTEXT_LINES_MAX: Final = 20  # of a quote that is kept above its answer
SNIP_CHARS_MAX: Final = 12
ATTRIBUTION_GAP_MAX: Final = 8  # blank lines between an attribution and the quote
RULE_GAP_MAX: Final = 3  # blank lines between a rule and the headers below it
LATE_QUOTE_LINES_MAX: Final = 10  # from an attribution to the first `>`, when an answer stands between

_AROUND: Final = re.compile(r"[\W_]+")


class Split(msgspec.Struct, frozen=True):
    """A mail's text in parts; each is lines joined by newlines, blank lines at both ends removed."""

    new: str
    """What the writer wrote: with `inline`, with the quoted lines that the answers belong to."""
    quoted: str
    signature: str
    disclaimer: str = ""
    forwarded: Forwarded | None = None
    inline: bool = False
    """Answers stand between quoted lines."""


def split(text: str, *markers: str) -> Split:
    """The parts of a plain text.

    Args:
        text: the body, decoded, any line ends.
        markers: our own "reply above this line" texts, in each language that we write in.
    """
    page = Page(text)
    return finish(page, mark_lines(page, markers))


def finish(page: Page, marks: list[str]) -> Split:
    """Signatures, context and the parts, from the marks of `mark_lines`."""
    pieces = _pieces(page, marks)
    written = [piece for piece in pieces if piece[0] == "t"]
    if written:
        mark_tail(page, *written[0][1:], marks, elsewhere=False)
    if len(written) > 1:
        mark_tail(page, *written[-1][1:], marks, elsewhere=True)
    inline = _keep_context(page, marks, pieces)
    whole = _promote(page, marks)
    return Split(
        new=_join(page, marks, "tcf"),
        quoted=_join(page, marks, "qa"),
        signature=_join(page, marks, "s"),
        disclaimer=_join(page, marks, "d"),
        forwarded=whole,
        inline=inline,
    )


# ---- marks: t text, q quoted, a attribution or header, s signature, d disclaimer, c context, f forwarded, "" blank ---


def mark_lines(page: Page, markers: Sequence[str]) -> list[str]:
    """One mark per line: "t", "q", "a" or "" for a blank line."""
    count = _marker_line(page, markers)
    marks = _mark(page, count)
    if count < len(page) and page.quoted(count):
        whole = _mark(page, len(page))
        if "t" not in marks or "t" in whole[count:]:
            return whole  # written below our quoted mail, or between its lines, against what the marker asks for
    return marks


def _mark(page: Page, count: int) -> list[str]:
    """As `mark_lines`; all from line `count` on is quoted."""
    marks = [""] * len(page)
    for i in range(count, len(page)):
        marks[i] = "" if page.blank(i) else "q"
    i = 0
    floor = 0  # lines above belong to something else already
    written = False
    while i < count:
        page.looks += 1
        if page.blank(i):
            i += 1
            continue
        if page.quoted(i):
            marks[i] = "q"
            i = floor = i + 1
            continue
        end, hard = _header_end(page, i, count, marks, floor, written=written)
        if not end:
            marks[i] = "t"
            written = True
            i += 1
            continue
        if hard:
            for k in range(end, len(page)):
                marks[k] = "" if page.blank(k) else "q"
            break
        i = floor = end
    return marks


def _marker_line(page: Page, markers: Sequence[str]) -> int:
    """The first line that begins with a marker of ours; the number of lines when none does.

    Quote marks and what programs put around bold text do not count. A sentence that speaks of the marker is none.
    """
    wanted = tuple(core for marker in markers for low in Page(marker).low[:1] if (core := _bare_start(low) or low))
    if not wanted:
        return len(page)
    for i, low in enumerate(page.low):
        if low.startswith(wanted) or _bare_start(low).startswith(wanted):
            return i
    return len(page)


def _bare_start(low: str) -> str:
    found = _AROUND.match(low)
    return low[found.end() :] if found is not None else low


def _header_end(page: Page, i: int, count: int, marks: list[str], floor: int, *, written: bool) -> tuple[int, bool]:
    """(line after what announces a quote at line i, whether all below is quoted); (0, False) when line i does not."""
    rule = rule_of(page, i)
    run = None
    if rule:
        below = _next_full(page, i, RULE_GAP_MAX)
        run = header_run(page, below) if below < count and not page.quoted(below) else None
        if rule == "plain" and run is None:
            return 0, False
    elif bare(page.low[i]) in _TITLES:
        below = _next_full(page, i, RULE_GAP_MAX)
        run = header_run(page, below) if below < count else None
        if run is None:
            return 0, False
    else:
        run = header_run(page, i)
        if run is not None and raw_headers(page, run):
            run = None
    if rule or run is not None:
        return _after_header(page, i, rule, run, marks, written=written)
    return _after_attribution(page, i, count, marks, floor)


_TITLES: Final = frozenset(phrases.ORIGINAL + phrases.FORWARDED)


def _next_full(page: Page, i: int, gap: int) -> int:
    """The next line after i that is not blank, at most `gap` blank lines away; else the number of lines."""
    for k in range(i + 1, min(i + gap + 2, len(page))):
        page.looks += 1
        if not page.blank(k):
            return k
    return len(page)


def _after_header(
    page: Page, i: int, rule: str, run: HeaderRun | None, marks: list[str], *, written: bool
) -> tuple[int, bool]:
    """As `_header_end`, for a rule or a header run."""
    end = run.end if run is not None else i + 1
    for k in range(i, end):
        marks[k] = "" if page.blank(k) else "a"
    below = page.next_full(end)
    if below < len(page) and page.quoted(below):
        return end, False
    alone = not written and (rule == "forwarded" or run is not None) and rule != "original"
    return end, not alone


def _after_attribution(page: Page, i: int, count: int, marks: list[str], floor: int) -> tuple[int, bool]:
    """As `_header_end`, for an attribution that closes on line i."""
    if page.low[i].endswith(COLONS):
        below = _next_full(page, i, ATTRIBUTION_GAP_MAX)
    else:
        below = i + 1  # without a colon, only right above the quote
        if below < count and not page.quoted(below):
            return 0, False
    quote_follows = below < len(page) and (page.quoted(below) or below >= count)
    start = attribution_start(page, i, floor, quote_follows=quote_follows)
    if start < 0:
        return 0, False
    for k in range(start, i + 1):
        marks[k] = "a"
    return i + 1, not (quote_follows or below >= len(page) or _late_quote(page, i + 1, count))


def _late_quote(page: Page, start: int, count: int) -> bool:
    """Whether `>` lines without an attribution of their own come soon: then what stands between is an answer."""
    for i in range(start, min(start + LATE_QUOTE_LINES_MAX, count)):
        page.looks += 1
        if page.quoted(i):
            return not any(
                page.low[k].endswith(":") or attribution_start(page, k, start, quote_follows=True) >= 0
                for k in range(max(start, i - 3), i)
                if not page.blank(k)
            )
    return False


# ---- answers between quotes --------------------------------------------------------------------------------------


def _pieces(page: Page, marks: list[str]) -> list[tuple[str, int, int]]:
    """The runs of ("t" | "q", first line, line after), blank lines inside; attributions count as quoted."""
    pieces: list[tuple[str, int, int]] = []
    for i, mark in enumerate(marks):
        if not mark:
            continue
        kind = "q" if mark in "qa" else "t"
        if kind == "t" and _snip(page.low[i]) and pieces and pieces[-1][0] == "q":
            marks[i] = kind = "q"
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1], i + 1)
        else:
            pieces.append((kind, i, i + 1))
    return pieces


def _snip(low: str) -> bool:
    """Whether a line only says that something was cut out of the quote."""
    word = low.strip("[](){}<>- ")
    return word in phrases.SNIPS or (len(low) <= SNIP_CHARS_MAX and not low.strip("[](){}<>.…"))


def _keep_context(page: Page, marks: list[str], pieces: list[tuple[str, int, int]]) -> bool:
    """Mark quoted lines above an answer as context ("c"); whether answers stand between quotes."""
    real = [
        (kind, start, end)
        for kind, start, end in pieces
        if kind == "q" or any(marks[i] == "t" for i in range(start, end))
    ]
    answered = [at for at in range(len(real) - 1) if real[at][0] == "q" and real[at + 1][0] == "t"]
    between = any(at + 2 < len(real) for at in answered)
    kept = False
    for at in answered:
        _, start, end = real[at]
        attributed = any(marks[i] == "a" for i in range(start, end))
        if between or not attributed:
            kept = _mark_context(page, marks, start, end) or kept
    return kept


def _mark_context(page: Page, marks: list[str], start: int, end: int) -> bool:
    """Mark the last lines of one quote as context, at most `CONTEXT_LINES_MAX` of them."""
    first = end
    for i in range(end - 1, max(start, end - CONTEXT_LINES_MAX) - 1, -1):
        if marks[i] == "a":
            break
        first = i
    if first > start and marks[first - 1] != "a":
        # Too long to keep whole: begin with a paragraph.
        cut = next((i for i in range(first, end - 1) if not page.seen[i].strip("> ")), first)
        first = cut + 1 if cut > first else first
    kept = False
    for i in range(first, end):
        if marks[i] == "q":
            marks[i] = "c"
            kept = True
    return kept


# ---- forwards ------------------------------------------------------------------------------------------------------


def _promote(page: Page, marks: list[str]) -> Forwarded | None:
    """The forward that the mail holds; when the writer added nothing, its words become the new ones ("f")."""
    found = forward_at(page, marks)
    if found is None:
        return None
    if not any(mark and mark in "tcs" for mark in marks):
        for i in range(found.body, len(page)):
            if marks[i] == "q":
                marks[i] = "f"
    return found.forwarded


def _join(page: Page, marks: list[str], kinds: str) -> str:
    """The lines with one of these marks; blank lines go with the line above, and stand between what was apart."""
    out: list[str] = []
    mark = ""
    before = -1
    for i, line in enumerate(page.lines):
        if marks[i]:
            mark = marks[i]
            if mark not in kinds:
                continue
            if out and before != i - 1 and out[-1].strip():
                out.append("")
            before = i
            out.append(unquote(line) if mark == "f" else line)
        elif mark and mark in kinds and out:
            out.append(line)
            before = i
    return "\n".join(out).strip("\n").rstrip()
