"""Judging the lines of a mail: is this an attribution, a rule, a header run? Each judgement looks at a bounded window.

Rules: a line is judged by its first `LINE_CHARS_MAX` characters, blanks and invisible marks removed; a wrapped
attribution is looked for over `ATTRIBUTION_LINES_MAX` lines, a header run over `HEADER_LINES_MAX`. So the work is
linear in the text whatever it holds. `Page.looks` counts the judgements; a test holds it to a multiple of the lines.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

from channels.email import phrases

LINE_CHARS_MAX: Final = 300
ATTRIBUTION_LINES_MAX: Final = 4
ATTRIBUTION_CHARS_MAX: Final = 420
HEADER_LINES_MAX: Final = 30
HEADERS_MIN: Final = 3
HEADER_GAP_MAX: Final = 8  # continuation lines between two headers: a long To, a wrapped Subject

# Marks without width (direction, joiners, BOM, soft hyphen) vanish; every kind of blank becomes a blank.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_BLANKS = re.compile("[\t\u00a0\u2007\u202f\u3000]")

_YEAR = re.compile(r"(?<!\d)(?:19|20|25)\d\d(?!\d)|\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2}(?!\d)")
_TIME = re.compile(r"\d{1,2} ?[:.hH時시点점] ?\d{2}(?!\d)|\d{1,2} ?(?:[ap]\.?m\b|uhr)")
_DAY = re.compile(r"(?<!\d)\d{1,2}[.,]? ?(?:[^\W\d_]{3,12}|[月월])")
_QUOTE_MARKS: Final = (">", "＞", "|>")  # noqa: RUF001 -- the wide one is written by Japanese programs
COLONS: Final = (":", "：", ":*", ": *")  # noqa: RUF001 -- likewise
_DASHES: Final = "-‐‑–—―_=*#•. \t─━﹣－＿"  # noqa: RUF001 -- what rules are drawn with


def unquote(line: str) -> str:
    """The line without one level of `>`."""
    bare = line.lstrip(" \t")
    if bare[:1] in {">", "＞"}:  # noqa: RUF001 -- the wide one is written by Japanese programs
        return bare[1:].removeprefix(" ")
    return line


class Page:
    """The lines of a text, as they are and as they are judged."""

    __slots__ = ("lines", "looks", "low", "seen")

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        judged = _BLANKS.sub(" ", text if text.isascii() else _INVISIBLE.sub("", text))
        self.lines = text.split("\n")
        self.seen = [line.strip()[:LINE_CHARS_MAX] for line in judged.split("\n")]
        self.low = [line.lower() for line in self.seen]
        self.looks = 0

    def __len__(self) -> int:
        return len(self.lines)

    def blank(self, i: int) -> bool:
        """Whether nothing can be seen on line i."""
        return not self.seen[i]

    def quoted(self, i: int) -> bool:
        """Whether line i begins with a quote mark."""
        return self.seen[i].startswith(_QUOTE_MARKS)

    def next_full(self, i: int) -> int:
        """The first line at or after i that is not blank; `len(self)` when there is none. Callers move past it."""
        while i < len(self.seen) and not self.seen[i]:
            self.looks += 1
            i += 1
        return i


def bare(text: str) -> str:
    """A line without the dashes, stars and blanks around it."""
    return text.strip(_DASHES).strip("<>[]").strip(_DASHES)


def rule_of(page: Page, i: int) -> str:
    """What a rule on line i announces: "original", "forwarded", "plain" (a rule without words), or "" (no rule)."""
    page.looks += 1
    low = page.low[i]
    if len(low) < _RULE_CHARS_MIN or not (low[0] in _RULE_STARTS or low.endswith(COLONS)):
        return ""
    word = bare(low)
    if not word:
        return "plain" if len(low) >= _BARE_RULE_CHARS_MIN and not low.strip("-_=—–─━＿ ") else ""  # noqa: RUF001
    lead = low.lstrip("*> ")
    dashed = lead[:2] in {"--", "__", "==", "—-", "-—"} or lead[:1] in "—–─━" or lead[:3] in {"-- ", "***"}  # noqa: RUF001
    if dashed and not (lead.startswith(_LONG_DASHES) or lead.rstrip("*: ")[-1:] in _DASHES):
        return ""  # an item of a list: "-- original message is lost"
    if dashed:
        # Rules are short: "----- Forwarded by Jane Doe/ACME on 3 May -----" is about the longest.
        if word.startswith(phrases.FORWARDED):
            return "forwarded"
        if word.startswith(phrases.ORIGINAL):
            return "original"
        if lead.endswith("--") and (_verb_last(word) >= 0 or ("@" in word and _verb_inside(word)[0] >= 0)):
            return "original"  # Lotus: -----"Jane Doe" wrote: -----
        return ""
    if low.rstrip("*").endswith(COLONS) and word.rstrip(":： *") in _FORWARDED_SET:  # noqa: RUF001
        return "forwarded"
    return ""


_RULE_CHARS_MIN: Final = 3
_LONG_DASHES: Final = ("----", "____", "====")
_BARE_RULE_CHARS_MIN: Final = 5
_INDENTS: Final = (" ", "\t")
_RULE_STARTS: Final = frozenset(_DASHES + ">")
_FORWARDED_SET: Final = frozenset(phrases.FORWARDED)
_ROLES: Final = {name: role for role, names in phrases.HEADER_NAMES.items() for name in names}
_NAME_CHARS_MAX: Final = max(map(len, _ROLES)) + 4


def header_of(line: str) -> tuple[str, str]:
    """The role ("from", "sent", "date", "to", "cc", "subject", "other") and value of a header line, or ("", "").

    `line` is a line as judged (`Page.seen`), with or without stars around the name.
    """
    start = line.lstrip("*> ")
    head = start[:_NAME_CHARS_MAX].replace("：", ":")  # noqa: RUF001 -- the wide colon of East Asian programs
    name, colon, _ = head.partition(":")
    if not colon:
        return "", ""
    role = _ROLES.get(name.strip(" *\t").lower(), "")
    return (role, start[len(name) + 1 :].strip(" *")) if role else ("", "")


class HeaderRun:
    """A run of header lines: which lines, and what they say."""

    __slots__ = ("end", "start", "values")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start  # first line after the run
        self.values: dict[str, str] = {}

    def sure(self) -> bool:
        """Whether these are a mail's headers and not a form that somebody filled in ("From: Berlin, To: Rome")."""
        roles = self.values
        if "from" not in roles or len(roles) < HEADERS_MIN:
            return False
        address = any("@" in value for value in roles.values())
        date = roles.get("date", "")
        dated = _YEAR.search(date) is not None or _TIME.search(date) is not None
        return address or "sent" in roles or ("subject" in roles and dated)


_RAW = re.compile(
    r"(?:x-|content-|received|return-path|mime-version|message-id|dkim-|arc-|authentication-|thread-|user-agent|list-"
    r"|delivered-to)[\w-]{0,40} ?:"
)


def raw_headers(page: Page, run: HeaderRun) -> bool:
    """Whether a run belongs to headers as they travel, which somebody pasted; programs quote the shown ones only."""
    page.looks += 1
    for i in range(max(0, run.start - 1), min(run.end + 1, len(page))):
        page.looks += 1
        if _RAW.match(page.low[i]):
            return True
    above = page.lines[run.start - 1] if run.start else ""
    return above[:1] in _INDENTS and bool(above.strip()) and page.lines[run.start][:1] not in _INDENTS


def header_run(page: Page, start: int) -> HeaderRun | None:
    """The run of From/Sent/To/Subject lines that begins on line `start`, or None."""
    page.looks += 1
    role, value = header_of(page.seen[start])
    if not role or role == "other":
        return None
    run = HeaderRun(start)
    gap = 0
    last = ""
    for i in range(start, min(start + HEADER_LINES_MAX, len(page))):
        page.looks += 1
        role, value = header_of(page.seen[i])
        if role and role not in run.values:
            run.values[role] = value
            run.end, gap, last = i + 1, 0, role
            continue
        gap += 1
        if gap > HEADER_GAP_MAX or (page.blank(i) and gap > 1):
            break
        if gap == 1 and last == "subject" and not page.blank(i) and "sent" in run.values and "to" in run.values:
            break  # nothing comes after it in any program's order
    _take_value_below(page, run, last)
    _take_wrapped(page, run)
    _join_wrapped(page, run)
    return run if run.sure() else None


def _take_value_below(page: Page, run: HeaderRun, last: str) -> None:
    """Add the line below the last header, where a program puts each value on a line below its name."""
    empty = sum(not value for value in run.values.values())
    below = last and not run.values[last] and empty >= HEADERS_MIN and run.end < len(page)
    run.end += bool(below and not page.blank(run.end) and not page.quoted(run.end))


def _take_wrapped(page: Page, run: HeaderRun) -> None:
    """Add the indented lines over which the last header of a run was wrapped."""
    if run.end == run.start or page.lines[run.end - 1][:1] in _INDENTS:
        return
    for i in range(run.end, min(run.end + HEADER_GAP_MAX, len(page))):
        page.looks += 1
        if page.blank(i) or page.lines[i][:1] not in _INDENTS:
            return
        run.end = i + 1


def _join_wrapped(page: Page, run: HeaderRun) -> None:
    """Give each header the lines that it was wrapped over."""
    last = ""
    for i in range(run.start, run.end):
        role, _ = header_of(page.seen[i])
        if role and last != role:
            last = role
        elif last and page.seen[i].lstrip("> "):
            run.values[last] += " " + page.seen[i].lstrip("> ")


# ---- attributions ----------------------------------------------------------------------------------------------


_THAI: Final = 0x0E00  # the first of the scripts that part no words, or glue endings to them


def _edge(char: str) -> bool:
    """Whether a phrase may begin or end beside this character: scripts without blanks have no edges."""
    return not char.isalpha() or ord(char) >= _THAI


_AFTER_VERB: Final = " *:：.。\"”'[](){}|"  # noqa: RUF001 -- the wide forms of East Asian programs
_LAST_VERBS: Final = frozenset(verb.rstrip(_AFTER_VERB) for verb in phrases.WROTE_LAST)
_LAST_VERB_LENGTHS: Final = sorted({len(verb) for verb in _LAST_VERBS}, reverse=True)


def _either(words: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the longest of the words, in one pass."""
    return re.compile("|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True)))


_INSIDE_VERB = _either(phrases.WROTE_INSIDE)
_ANY_VERB = _either(phrases.WROTE_INSIDE + phrases.WROTE_LAST)
INSIDE_VERBS_MAX: Final = 8  # places of one line at which a verb is looked at


def _verb_last(low: str) -> int:
    """Where the closing verb begins in a line without its colon; -1 when the line does not end with one."""
    low = low.rstrip(_AFTER_VERB)
    for length in _LAST_VERB_LENGTHS:
        at = len(low) - length
        if at >= 0 and low[at:] in _LAST_VERBS and (at == 0 or _edge(low[at - 1]) or _edge(low[at])):
            return at
    return -1


def _verb_inside(low: str, *, anywhere: bool = False) -> tuple[int, int]:
    """Where a verb begins and ends that may stand before name, address or date; (-1, -1) when there is none.

    `anywhere`: the line has all else that an attribution has, so any verb will do.
    """
    for found in itertools.islice((_ANY_VERB if anywhere else _INSIDE_VERB).finditer(low), INSIDE_VERBS_MAX):
        at, end = found.span()
        if (at == 0 or _edge(low[at - 1]) or _edge(low[at])) and (end == len(low) or _edge(low[end])):
            return at, end
    return -1, -1


_WORD = re.compile(r"[^\W\d_]+")


def _sentence(low: str, start: int, end: int) -> bool:
    """Whether a pronoun stands beside the verb: then it is a sentence of the writer's, not a program's line."""
    before = _WORD.findall(low[max(0, start - 24) : start])
    after = _WORD.match(low[end : end + 24].lstrip())
    return bool((before and before[-1] in phrases.PRONOUNS) or (after and after[0] in phrases.PRONOUNS))


def _starts(low: str) -> bool:
    """Whether a line begins as an attribution does: "On ", a date, a name with an address."""
    head = low.lstrip("*\"'“„«> ")
    word = head.split(" ", 1)[0].rstrip(",:")
    if word in _STARTER_WORDS or head.startswith(_STARTER_GLUED):
        return True
    first = head[:28]
    return bool(_YEAR.search(first) or _TIME.search(first) or _DAY.search(first))


_STARTER_WORDS: Final = frozenset(phrase for phrase in phrases.STARTERS if " " not in phrase)
_STARTER_GLUED: Final = (
    *(phrase + " " for phrase in phrases.STARTERS if " " in phrase),
    "בתאריך",
    "ב-",
    "في",
    "在",
    "于",
    "於",
    "เมื่อ",
)


def _evidence(low: str, *, quote_follows: bool, apart: bool) -> bool:
    """Whether a joined line is an attribution.

    `quote_follows`: the next line that is not blank begins with a quote mark; then little more is needed. `apart`: the
    next line is blank. Without quote marks all below would go, so only what no person types counts: an address in
    brackets beside a date, or a whole line of a program with date, time and closing verb, set apart.
    """
    colon = low.endswith(COLONS)
    if not colon and not quote_follows:
        return False
    address = low.find("@") >= 0
    day = _YEAR.search(low) is not None
    time = _TIME.search(low) is not None
    start, end = _verb_last(low), len(low)
    last = start >= 0
    if not last:
        start, end = _verb_inside(low, anywhere=address and day and time)
    if quote_follows:
        if start >= 0:
            return day or time or address or (colon and len(low) <= _SHORT_CHARS_MAX)
        whole = day and time and _starts(low)  # a tongue that no table has
        return colon and address and (whole or _closed(low))
    if start < 0:
        # Programs that write no verb: "2016-10-24 15:36 GMT+02:00 Jane <jane@x>:".
        return address and _closed(low) and (day or time)
    if _sentence(low, start, end):
        return False
    if address and (day or time):
        return _bracketed(low)
    if address:
        return (last and low[:start].rstrip(" \"'*,").endswith(_BRACKETS)) or _closed(low)
    return last and apart and day and time and _starts(low)


_SHORT_CHARS_MAX: Final = 80
_BRACKETS: Final = (">", ")", "]")


def _closed(low: str) -> bool:
    """Whether a line ends with an address in brackets and a colon."""
    return "<" in low and low.rstrip(' *:："').endswith(">")  # noqa: RUF001 -- the wide colon


def _bracketed(low: str) -> bool:
    """Whether an address stands in brackets: people seldom type it so."""
    at = low.rfind("@")
    return max(low.rfind("<", 0, at), low.rfind("(", 0, at), low.rfind("[", 0, at), low.rfind("mailto:", 0, at)) >= 0


def attribution_start(page: Page, end: int, floor: int, *, quote_follows: bool) -> int:
    """The first line of the attribution that closes on line `end`, not before line `floor`; -1 when there is none."""
    page.looks += 1
    low = page.low[end]
    if len(low) >= LINE_CHARS_MAX or not (low.endswith(COLONS) or (quote_follows and _verb_last(low) >= 0)):
        return -1
    apart = end + 1 >= len(page) or page.blank(end + 1)
    joined = ""
    found = -1
    for i in range(end, max(floor, end - ATTRIBUTION_LINES_MAX + 1) - 1, -1):
        page.looks += 1
        if not page.low[i] or page.quoted(i):
            break
        joined = page.low[i] + " " + joined if joined else page.low[i]
        if len(joined) > ATTRIBUTION_CHARS_MAX:
            break
        if (
            found < 0
            and _begins_here(page.low[i], one=i == end)
            and _evidence(joined, quote_follows=quote_follows, apart=apart)
        ):
            found = i
        elif found >= 0 and _wrapped_start(page.low[i]):
            return i
        if found >= 0 and _starts(page.low[i]):
            return found
    return found


def _wrapped_start(low: str) -> bool:
    """Whether a line is the first half of an attribution whose second half could stand alone ("Jane wrote:")."""
    return _starts(low) and _YEAR.search(low) is not None and not low.endswith((".", "!", "?"))


def _begins_here(low: str, *, one: bool) -> bool:
    """Whether an attribution may begin with this line; the only line of one may begin with a name too."""
    closing = low.find(">")
    if low.startswith(("<", ">")) or 0 <= closing < (low.find("<") if "<" in low else LINE_CHARS_MAX + 1):
        return False  # the rest of an address that was wrapped
    if _verb_last(low) == 0:
        return False  # only the verb was wrapped
    if _starts(low):
        return True
    verb = one and (_verb_last(low) > 0 or _verb_inside(low)[0] >= 0 or low.endswith(">:"))
    return verb or ("<" in low and (low.endswith("<") or "@" in low or _verb_inside(low)[0] >= 0))
