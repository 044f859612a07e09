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
CONTACTS_MIN: Final = 2
RULE_CHARS_MIN: Final = 5
SHORT_CHARS_MAX: Final = 64
NAME_WORDS_MAX: Final = 5
DISCLAIMER_PARAGRAPHS_MAX: Final = 6
SENTENCE_CHARS: Final = 40  # a line this long that ends with a full stop is a sentence
MOBILE_CHARS: Final = (6, 90)
MOBILE_WORDS_MAX: Final = 10
MOBILE_SENTENCE_WORDS_MAX: Final = 6  # with a full stop: "Sent from my Samsung Galaxy smartphone."
DISCLAIMER_CHARS_MIN: Final = 60

_DELIMITERS: Final = frozenset({"--", "—", "––", "-- *", "*--*"})  # noqa: RUF001 -- dashes as phones autocorrect them
_PHONE = re.compile(r"[+(]\d[\d ()./-]{5,24}\d|0\d[\d ()./-]{4,24}\d|\d{1,5}[ ./-]\d[\d ()./-]{3,24}\d")
_ADDRESS = re.compile(r"<?(?:mailto:)?[^\s@<>,;:]{1,64}@[^\s@<>,;:]{3,80}>?")
_LINK = re.compile(r"<?(?:https?://|www\.)\S{3,200}>?")


def _shown(low: str) -> str:
    """A line without the address that a program put behind a link: "Outlook Mobile<https://…>"."""
    head, _, rest = low.partition("<")
    return head.strip(" *_") if rest.startswith(("http", "mailto:")) else low.strip(" *_")


def mobile(low: str) -> bool:
    """Whether a line (as judged, lower case) is one that a phone or a mail program adds: "Sent from my iPhone"."""
    line = _shown(low).strip("-–— \"'()[]")  # noqa: RUF001
    if not line.startswith(_MOBILE_STARTS) and not line.rstrip(".。").endswith(phrases.SENT_FROM_END):
        return False
    words = line.count(" ") + 1
    if not MOBILE_CHARS[0] <= len(line) <= MOBILE_CHARS[1] or words > MOBILE_WORDS_MAX:
        return False
    device = any(name in line for name in phrases.DEVICES)
    clauses = ", " in line or ". " in line
    if line.endswith((",", "?", "!", ":")) or (clauses and line.endswith(".")):
        return False
    if device and not clauses and line.rstrip(".。").endswith(phrases.SENT_FROM_END):
        return True
    if line.startswith(phrases.SENT_FROM_START):
        few = words <= (MOBILE_SENTENCE_WORDS_MAX if line.endswith(".") else MOBILE_WORDS_MAX)
        return few if device else words <= MOBILE_WORDS_MAX - 3 and not clauses and not line.endswith(".")
    named = device and not clauses and line.startswith(phrases.SENT_FROM_WEAK)
    return named and words <= (MOBILE_SENTENCE_WORDS_MAX if line.endswith(".") else MOBILE_WORDS_MAX)


_MOBILE_STARTS: Final = phrases.SENT_FROM_START + phrases.SENT_FROM_WEAK


def _contact(seen: str) -> bool:
    """Whether a line is nothing but a telephone number, an address or a link, with or without a label."""
    line = seen.strip(" *|•·")
    label, colon, rest = line.partition(":")
    if (colon and label.strip(" .").lower() in phrases.CONTACT_LABELS) or (
        label.partition(" ")[0].rstrip(".").lower() in phrases.CONTACT_LABELS and not colon
    ):
        line = rest.strip() if colon else line.partition(" ")[2].strip()
    return any(pattern.fullmatch(line) for pattern in (_PHONE, _ADDRESS, _LINK))


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
        delimited = page.low[i] in _DELIMITERS and _signs(page, i, end, marks)
        if delimited or (full <= RULED_LINES_MAX + 1 and _ruled(page, i, end, marks)):
            found = i
    return found if found >= 0 else _contact_block(page, start, end, marks)


def _signs(page: Page, i: int, end: int, marks: list[str]) -> bool:
    """Whether a signature can stand below the delimiter on line i; without its blank ("-- ") people type it too."""
    below = [k for k in range(i + 1, end) if marks[k] == "t"]
    page.looks += len(below)
    if any(page.low[k].startswith(("ps:", "p.s.", "ps ")) for k in below):
        return False
    if page.lines[i] == "-- ":
        return True
    sentences = sum(page.seen[k].endswith((".", "!")) and len(page.seen[k]) > SENTENCE_CHARS for k in below)
    return sentences <= 1 and not any(page.seen[k].endswith("?") for k in below)


def _ruled(page: Page, i: int, end: int, marks: list[str]) -> bool:
    """Whether line i is a rule with a signature or a list's footer below it, and nothing else."""
    low = page.low[i]
    if len(low) < RULE_CHARS_MIN or bare(low) or low.strip("-_=—–─ *"):  # noqa: RUF001
        return False
    below = [k for k in range(i + 1, end) if not page.blank(k) and marks[k] == "t"]
    page.looks += len(below)
    if any(word in page.low[k] for k in below for word in phrases.FOOTER_WORDS):
        return True
    short = all(len(page.seen[k]) <= SHORT_CHARS_MAX and not page.seen[k].endswith(("?", "!", ":")) for k in below)
    return short and sum(_contact(page.seen[k]) for k in below) >= CONTACTS_MIN


def _contact_block(page: Page, start: int, end: int, marks: list[str]) -> int:
    """The start of a last paragraph that is a name and ways to reach it; -1 when it is something else."""
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
    named = (
        1 <= len(words) <= NAME_WORDS_MAX and name[0].isupper() and not any(c.isdigit() or c in ":?!,;" for c in name)
    )
    short = all(len(page.seen[k]) <= SHORT_CHARS_MAX for k in range(first, stop))
    return first if named and short and ways >= CONTACTS_MIN and 2 * ways >= stop - first - 2 else -1
