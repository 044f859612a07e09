"""The end of what somebody wrote: signature, what the phone added, disclaimers, a mailing list's footer.

Rules: only the end of a piece is looked at, at most `TAIL_LINES_MAX` lines; a closing ("Best regards, Jane") is the
writer's and stays; whatever is doubtful stays.
"""

from __future__ import annotations

import re
from typing import Final

from channels.email import phrases
from channels.email.split_lines import Page, bare

TAIL_LINES_MAX: Final = 60
SIGNATURE_LINES_MAX: Final = 20  # the custom says 4, companies say 15
RULED_LINES_MAX: Final = 16
CONTACT_LINES_MAX: Final = 8
DISCLAIMER_PARAGRAPHS_MAX: Final = 6
DISCLAIMER_CHARS_MIN: Final = 60

_DELIMITERS: Final = frozenset({"--", "—", "––", "-- *", "*--*"})  # noqa: RUF001 -- dashes as phones autocorrect them
_PHONE = re.compile(r"[+(]?\d[\d ()./-]{5,24}\d")
_ADDRESS = re.compile(r"<?(?:mailto:)?[^\s@<>,;:]{1,64}@[^\s@<>,;:]{3,80}>?")
_LINK = re.compile(r"<?(?:https?://|www\.)\S{3,200}>?")


def _shown(low: str) -> str:
    """A line without the address that a program put behind a link: "Outlook Mobile<https://…>"."""
    head, _, rest = low.partition("<")
    return head.strip(" *_") if rest.startswith(("http", "mailto:")) else low.strip(" *_")


def mobile(low: str) -> bool:
    """Whether a line (as judged, lower case) is one that a phone or a mail program adds: "Sent from my iPhone"."""
    line = _shown(low).strip("-–— \"'()[]")  # noqa: RUF001
    if not 6 <= len(line) <= 90 or line.endswith((",", "?", "!", ":")) or ", " in line or ". " in line:
        return False
    words = line.count(" ") + 1
    if words > 10:
        return False
    device = any(name in line for name in phrases.DEVICES)
    if line.startswith(phrases.SENT_FROM_START):
        return device or (words <= 7 and not line.endswith("."))
    if device and line.startswith(phrases.SENT_FROM_WEAK):
        return not line.startswith(_BARE_STARTS) or line.endswith(phrases.SENT_FROM_END)
    return device and line.rstrip(".。").endswith(phrases.SENT_FROM_END)


_BARE_STARTS: Final = ("iphone", "yahoo mail", "my mobile", "get")


def _contact(seen: str) -> bool:
    """Whether a line is nothing but a telephone number, an address or a link, with or without a label."""
    line = seen.strip(" *|•·")
    label, colon, rest = line.partition(":")
    if (colon and label.strip(" .").lower() in phrases.CONTACT_LABELS) or (
        label.partition(" ")[0].rstrip(".").lower() in phrases.CONTACT_LABELS and not colon
    ):
        line = rest.strip() if colon else line.partition(" ")[2].strip()
    return any(pattern.fullmatch(line) for pattern in (_PHONE, _ADDRESS, _LINK))


def _holds_contact(seen: str) -> bool:
    """Whether a line holds a telephone number, an address or a link."""
    return any(pattern.search(seen) for pattern in (_PHONE, _ADDRESS, _LINK))


def mark_tail(page: Page, start: int, end: int, marks: list[str], *, elsewhere: bool) -> None:
    """Mark signature lines with "s" and disclaimer lines with "d" in the piece [start, end) of `marks`.

    `elsewhere`: something new stands outside this piece, so all of it may be a signature.
    """
    while end > start and page.blank(end - 1):
        page.looks += 1
        end -= 1
    low_end = max(start, end - TAIL_LINES_MAX)
    for i in range(low_end, end):
        page.looks += 1
        if mobile(page.low[i]):
            marks[i] = "s"
    _mark_disclaimers(page, low_end, end, marks, elsewhere=elsewhere)
    at = _signature_start(page, low_end, end, marks)
    if at >= 0 and (elsewhere or low_end > start or "t" in marks[low_end:at]):
        for i in range(at, end):
            if marks[i] == "t":
                marks[i] = "s"


def _mark_disclaimers(page: Page, start: int, end: int, marks: list[str], *, elsewhere: bool) -> None:
    """Mark the last paragraphs that are disclaimers."""
    stop = end
    for _ in range(DISCLAIMER_PARAGRAPHS_MAX):
        while stop > start and (page.blank(stop - 1) or marks[stop - 1] == "s"):
            stop -= 1
        first = stop
        while first > start and not page.blank(first - 1) and marks[first - 1] != "s":
            page.looks += 1
            first -= 1
        if first == stop:
            return
        text = " ".join(page.low[first:stop])
        if not _disclaims(text):
            return
        if first == start and not elsewhere:
            return  # then it would be all there is
        for i in range(first, stop):
            marks[i] = "d"
        stop = first


def _disclaims(text: str) -> bool:
    """Whether a paragraph is a disclaimer."""
    head = text.lstrip("*-_ >\"'[(")
    if head.startswith(phrases.DISCLAIMERS_SURE):
        return True
    if len(text) < DISCLAIMER_CHARS_MIN:
        return False
    return sum(word in text for word in phrases.DISCLAIMERS) >= (2 if len(text) >= 2 * DISCLAIMER_CHARS_MIN else 3)


def _signature_start(page: Page, start: int, end: int, marks: list[str]) -> int:
    """The line on which a signature begins; -1 when there is none."""
    found = -1
    full = 0
    for i in range(end - 1, start - 1, -1):
        page.looks += 1
        if page.blank(i):
            continue
        full += marks[i] != "d"
        if full > SIGNATURE_LINES_MAX + 1:
            break
        if page.low[i] in _DELIMITERS:
            found = i
        elif full <= RULED_LINES_MAX + 1 and _ruled(page, i, end, marks):
            found = i
    return found if found >= 0 else _contact_block(page, start, end, marks)


def _ruled(page: Page, i: int, end: int, marks: list[str]) -> bool:
    """Whether line i is a rule with a signature or a list's footer below it, and nothing else."""
    low = page.low[i]
    if len(low) < 5 or bare(low) or low.strip("-_=—–─ *"):  # noqa: RUF001
        return False
    below = [k for k in range(i + 1, end) if not page.blank(k) and marks[k] == "t"]
    page.looks += len(below)
    if not below:
        return True
    if any(word in page.low[k] for k in below for word in phrases.FOOTER_WORDS):
        return True
    short = all(len(page.seen[k]) <= 70 and not page.seen[k].endswith(("?", "!", ":")) for k in below)
    return short and sum(_holds_contact(page.seen[k]) for k in below) >= 1


def _contact_block(page: Page, start: int, end: int, marks: list[str]) -> int:
    """The start of a last paragraph that is a name and ways to reach it; -1 when the last paragraph is something else."""
    stop = end
    while stop > start and (page.blank(stop - 1) or marks[stop - 1] != "t"):
        page.looks += 1
        stop -= 1
    first = stop
    while first > start and marks[first - 1] == "t" and not page.blank(first - 1):
        page.looks += 1
        first -= 1
        if stop - first > CONTACT_LINES_MAX:
            return -1
    above = first
    while above > start and page.blank(above - 1):
        above -= 1
    if above == start or page.seen[above - 1].endswith((":", "：")):  # noqa: RUF001 -- then the writer announced it
        return -1
    ways = sum(_contact(page.seen[k]) for k in range(first, stop))
    name = page.seen[first].strip("* ") if first < stop else ""
    words = name.split()
    named = 1 <= len(words) <= 5 and name[0].isupper() and not any(c.isdigit() or c in ":?!,;" for c in name)
    short = all(len(page.seen[k]) <= 60 for k in range(first, stop))
    return first if named and short and ways >= 2 and 2 * ways >= stop - first - 2 else -1
