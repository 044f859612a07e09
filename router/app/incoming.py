"""Reads contacts out of what another system exported: JSON Lines, or an mbox of raw mails.

An item is what one request to the daemon carries. What cannot be read is an `Odd`, with its place and the reason, and
the rest goes on. The same export gives the same keys, so that a second import adds nothing.
"""

from __future__ import annotations

import hashlib
import json
import mailbox
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email import policy
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import msgspec

from router.core.errors import ConfigError

TEXT_CHARACTERS_MAX = 190_000  # of one contact, its history included; the daemon takes 200,000
MESSAGES_MAX = 1_000
LINE_BYTES_MAX = 10_000_000
RECIPIENT_FIELDS = ("delivered-to", "x-original-to", "to", "cc")

_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a conversation. `direction`: in (the customer) or out (us)."""

    text: str = ""
    at: datetime | None = None
    sender: Any = msgspec.field(default=None, name="from")
    direction: str = "in"


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """One line of JSON Lines: an open contact. Only `from` and some words are needed."""

    id: str | int | None = None
    channel: str = "http"
    kind: str = "email"
    account: str = ""
    sender: Any = msgspec.field(default=None, name="from")
    subject: str | None = None
    text: str | None = None
    at: datetime | None = None
    language: str | None = None
    tags: list[str] = []
    assignee: str | None = None
    messages: list[Line] = []


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One contact to hand in: JSON for `POST /v1/messages`, or a raw mail for `POST /v1/mails`."""

    file: str
    place: int  # the line, or the number of the mail, from 1
    id: str
    message: dict[str, Any] | None = None
    key: str = ""
    mail: bytes = b""
    account: str = ""
    assignee: str | None = None
    notes: tuple[str, ...] = ()


class Odd(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out, and why."""

    file: str
    place: int
    id: str
    reason: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the running workspace knows. `account`: which of its addresses a mail to this one comes to, or None."""

    topics: frozenset[str]
    agents: frozenset[str]
    account: Callable[[str], str | None]


_EXPORT = msgspec.json.Decoder(Export)
_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(Export))


def read(path: Path, known: Known) -> Iterator[Item | Odd]:
    """The contacts in a file, in its order. Raises ConfigError if there is no such file."""
    try:
        with path.open("rb") as file:
            head = file.read(5)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", file=str(path), hint="name .jsonl or .mbox files"
        ) from None
    if head == b"From " or path.suffix == ".mbox":
        yield from read_mbox(path, known)
    else:
        yield from read_lines(path, known)


def how_many(path: Path) -> int:
    """About how many contacts a file holds, for a progress bar: lines, or lines that begin a mail."""
    with path.open("rb") as file:
        begins = file.read(5) == b"From " or path.suffix == ".mbox"
        file.seek(0)
        return sum(1 for line in file if (line.startswith(b"From ") if begins else line.strip()))


# -- JSON Lines ----------------------------------------------------------------------------------------------------


def read_lines(path: Path, known: Known) -> Iterator[Item | Odd]:
    """One contact a line; empty lines are passed over."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where: dict[str, Any] = {"file": str(path), "place": number}
            try:
                yield _item(line, known, where)
            except (ValueError, msgspec.MsgspecError, RecursionError) as error:
                yield Odd(**where, id="", reason=_reason(error))


def _item(line: bytes, known: Known, where: Mapping[str, Any]) -> Item:
    """The item of one line. Raises ValueError with what is wrong."""
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"the line is longer than {LINE_BYTES_MAX:,} bytes")
    export = _EXPORT.decode(line.strip().removeprefix(b"\xef\xbb\xbf"))
    sender = _address(export.sender) or next(
        (found for one in export.messages if one.direction != "out" and (found := _address(one.sender))), None
    )
    if sender is None:
        raise ValueError("it has no `from`: nobody to answer")
    if len(export.messages) > MESSAGES_MAX:
        raise ValueError(f"it has more than {MESSAGES_MAX:,} messages")
    text, at = _conversation(export, sender)
    if not text.strip():
        raise ValueError("it says nothing: neither `text` nor `messages` have words")
    named = str(export.id) if export.id is not None else ""
    message: dict[str, Any] = {
        "channel": export.channel,
        "kind": export.kind,
        "from": sender,
        "subject": " ".join((export.subject or "").split())[:1_000],
        "text": text,
        "quiet": True,
    }
    topics, notes = _topics(export.tags, known)
    notes += [f"unknown key `{key}`" for key in json.loads(line) if key not in _FIELDS]
    if export.assignee is not None and export.assignee not in known.agents:
        notes.append(f"nobody is called `{export.assignee}` here")
    more = {
        "account": export.account,
        "language": export.language,
        "topics": topics,
        "message_id": named,
        "thread": named[:200],
        "sent_at": None if at is None else _aware(at).isoformat(),
    }
    message |= {key: value for key, value in more.items() if value}
    return Item(
        **where,
        id=named,
        message=message,
        key=f"import-{hashlib.sha256(named.encode() or line.strip()).hexdigest()[:40]}",
        assignee=export.assignee if export.assignee in known.agents else None,
        notes=tuple(notes),
    )


def _address(given: Any) -> dict[str, str] | None:  # noqa: ANN401 (what somebody exported)
    """`Ada <ada@example.org>`, `+4930123` or {"address", "name"} as the daemon takes it."""
    if isinstance(given, dict):
        address, name = str(given.get("address") or ""), str(given.get("name") or "")
    elif isinstance(given, str):
        [(name, address), *_] = getaddresses([given]) if "@" in given else [("", given)]
    else:
        return None
    address = address.strip()
    return {"address": address, "name": " ".join(name.split())[:200]} if address else None


def _conversation(export: Export, sender: Mapping[str, str]) -> tuple[str, datetime | None]:
    """The customer's last words, and below them what was said before, newest first; and when they were said."""
    lines = sorted(export.messages, key=lambda one: (one.at is not None, _instant(one.at)))
    if export.text:
        opening = Line(text=export.text, at=export.at)
        lines = [*lines, opening] if not lines or _instant(export.at) >= _instant(lines[-1].at) else [opening, *lines]
    heard = [one for one in lines if one.direction != "out" and one.text.strip()]
    if not heard:
        return "", export.at
    last = heard[-1]
    earlier = (one for one in reversed(lines) if one is not last and one.text.strip())
    parts = [last.text.strip(), *(f"[{_heading(one, sender)}]\n{one.text.strip()}" for one in earlier)]
    text = "\n\n".join(parts)
    if len(text) > TEXT_CHARACTERS_MAX:
        text = f"{text[:TEXT_CHARACTERS_MAX]}\n\n[what was said before that was too long to import]"
    return text, last.at or export.at


def _heading(one: Line, sender: Mapping[str, str]) -> str:
    """Who said it, and when."""
    found = _address(one.sender) or ({"name": "we", "address": ""} if one.direction == "out" else sender)
    who = found["name"] or found["address"]
    return f"{who}, {_aware(one.at):%Y-%m-%d %H:%M %Z}" if one.at is not None else who


def _instant(at: datetime | None) -> float:
    """For sorting; what has no time is oldest."""
    return float("-inf") if at is None else _aware(at).timestamp()


def _aware(at: datetime) -> datetime:
    """A time without a zone is UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _topics(tags: list[str], known: Known) -> tuple[list[str], list[str]]:
    """Tags that are topics here, written as they are here; and a note on each other."""
    by_folded = {topic.casefold(): topic for topic in known.topics}
    found: list[str] = []
    notes: list[str] = []
    for tag in tags:
        topic = by_folded.get(tag.strip().casefold()) or by_folded.get("-".join(tag.split()).casefold())
        if topic is None:
            notes.append(f"no topic is called `{tag}` here")
        elif topic not in found:
            found.append(topic)
    return found[:20], notes


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"not as it should be: {error}"
    if isinstance(error, msgspec.DecodeError | RecursionError | UnicodeDecodeError):
        return f"not JSON: {error}"
    return str(error)


# -- mbox ----------------------------------------------------------------------------------------------------------


def read_mbox(path: Path, known: Known) -> Iterator[Item | Odd]:
    """Each mail as it was received: mbox's quoting undone, line ends as SMTP has them."""
    box = mailbox.mbox(path, create=False)
    try:
        for number, key in enumerate(box.iterkeys(), 1):
            raw = _LINE_END.sub(b"\r\n", _QUOTED_FROM.sub(rb"\1", box.get_bytes(key)))
            yield _mail(raw, known, {"file": str(path), "place": number})
    finally:
        box.close()


def _mail(raw: bytes, known: Known, where: Mapping[str, Any]) -> Item | Odd:
    try:
        header = BytesHeaderParser(policy=policy.compat32).parsebytes(raw.partition(b"\r\n\r\n")[0])
        named = str(header.get("message-id", "")).strip()
        written = [address for _, address in getaddresses([str(header.get("from", ""))])]
        to = [str(value) for field in RECIPIENT_FIELDS for value in header.get_all(field, [])]
        addressed = [address for _, address in getaddresses(to)]
    except (ValueError, LookupError, TypeError, RecursionError):  # the daemon's parser makes more of it
        named, written, addressed = "", [], []
    if not raw.strip():
        return Odd(**where, id=named, reason="the mail is empty")
    if any(known.account(address) for address in written):
        return Odd(**where, id=named, reason="we wrote it ourselves")
    account = next((found for address in addressed if (found := known.account(address))), "")
    return Item(**where, id=named, mail=raw, account=account)
