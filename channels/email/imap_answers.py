r"""What IMAP servers answer, as values. Pure; whatever is not understood is left out, and nothing raises.

aioimaplib gives an answer as its lines without `* `, literals as `bytearray`s between them. Answers nobody asked for
(flags that another client set) stand among the others.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone

import msgspec

_UID = re.compile(rb"[( ]UID (\d{1,10})\b")
_SIZE = re.compile(rb"[( ]RFC822\.SIZE (\d{1,20})\b")
_DATE = re.compile(rb'[( ]INTERNALDATE "([^"]{10,40})"')
_FLAGS = re.compile(rb"[( ]FLAGS \(([^()]*)\)")
_FETCH = re.compile(rb"\d+ FETCH \(")
_BODY = re.compile(rb'[( ]BODY\[[^\]]*\](?:<\d+>)? (?:"((?:[^"\\]|\\.)*)"|(NIL)|\{\d+\}$)', re.IGNORECASE)
_CODE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]")
_PERMANENT = re.compile(rb"\[PERMANENTFLAGS \(([^()]*)\)\]")
_WHEN = re.compile(r" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

Line = bytes | bytearray


class Opened(msgspec.Struct, frozen=True):
    """A mailbox that was opened. `next_uid` 0: the server did not say. `keywords`: whether flags of ours are kept."""

    validity: int
    next_uid: int
    keywords: bool


class About(msgspec.Struct, frozen=True):
    """What is known of a mail before it is fetched. `arrived`: milliseconds of UTC, 0 if it cannot be told."""

    uid: int
    size: int
    arrived: int
    flags: frozenset[str]


def opened(lines: Sequence[Line]) -> Opened:
    """The answer to SELECT or EXAMINE; a validity of 0: the server keeps no UIDs."""
    codes: dict[bytes, int] = {}
    keywords = False
    for line in lines:
        codes |= {name: int(number) for name, number in _CODE.findall(line)}
        if found := _PERMANENT.search(line):
            keywords = rb"\*" in found[1].split()
    return Opened(codes.get(b"UIDVALIDITY", 0), codes.get(b"UIDNEXT", 0), keywords)


def uids(lines: Sequence[Line]) -> list[int]:
    """The answer to UID SEARCH, sorted; the last line is the server's closing word."""
    return sorted({int(word) for line in lines[:-1] for word in line.split() if word.isdigit()})


def abouts(lines: Sequence[Line]) -> dict[int, About]:
    """The answer to UID FETCH of sizes, dates and flags, by UID."""
    found: dict[int, About] = {}
    for line in lines:
        uid, size = _UID.search(line), _SIZE.search(line)
        if uid is None or size is None:
            continue
        date, flags = _DATE.search(line), _FLAGS.search(line)
        names = flags[1].decode("ascii", "replace").lower().split() if flags else ()
        arrived = milliseconds(date[1].decode("ascii", "replace")) if date else 0
        found[int(uid[1])] = About(int(uid[1]), int(size[1]), arrived, frozenset(names))
    return found


def bodies(lines: Sequence[Line]) -> dict[int, bytes]:
    """The answer to UID FETCH of bodies, by UID, which may stand before the body or after it."""
    found: dict[int, bytes] = {}
    for answer in _answers(lines):
        words = b" ".join(bytes(line) for line in answer if isinstance(line, bytes))
        uid = _UID.search(words)
        literal = next((bytes(line) for line in answer if isinstance(line, bytearray)), None)
        if literal is None and (body := _BODY.search(words)) and body[1] is not None:
            literal = re.sub(rb"\\(.)", rb"\1", body[1])
        if uid is not None and literal is not None:
            found[int(uid[1])] = literal
    return found


def _answers(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines of each FETCH answer."""
    answer: list[Line] = []
    for line in lines:
        if isinstance(line, bytes) and _FETCH.match(line):
            if answer:
                yield answer
            answer = [line]
        elif answer:
            answer.append(line)
    if answer:
        yield answer


def milliseconds(internal_date: str) -> int:
    """An INTERNALDATE such as `17-Jul-2026 02:44:25 -0700`; 0 if it is none."""
    found = _WHEN.fullmatch(internal_date)
    if found is None or found[2].lower() not in _MONTHS:
        return 0
    day, _, year, hour, minute, second, sign, off_hours, off_minutes = found.groups()
    offset = timedelta(hours=int(off_hours), minutes=int(off_minutes)) * (-1 if sign == "-" else 1)
    try:
        month = _MONTHS.index(found[2].lower()) + 1
        at = datetime(int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
        return int(at.timestamp() * 1_000)
    except (ValueError, OverflowError):
        return 0


def uid_set(numbers: Sequence[int]) -> str:
    """Sorted UIDs as IMAP writes them: `3:7,9`."""
    parts: list[str] = []
    first = last = None
    for number in [*numbers, None]:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None:
            parts.append(str(first) if first == last else f"{first}:{last}")
        first = last = number
    return ",".join(parts)


def quoted(text: str) -> str:
    """A text as an IMAP string; names of mailboxes go through `mailbox_name` first."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox_name(name: str) -> str:
    """A mailbox's name in modified UTF-7 (RFC 3501, 5.1.3), quoted: `Entwürfe` is `Entw&APw-rfe` there."""
    parts: list[str] = []
    for run in re.findall(r"[ -~]+|[^ -~]+", name):
        if run.isascii() and run.isprintable():
            parts.append(run.replace("&", "&-"))
        else:
            encoded = base64.b64encode(run.encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",")
            parts.append(f"&{encoded}-")
    return quoted("".join(parts))
