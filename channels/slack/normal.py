"""A message of a customers' channel in normal form. Plain work on plain data: it loads nothing of Slack's.

A writer is `slack:<member id>`, a place to answer to `slack:<channel id>/<the thread's first message>`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from channels.slack import spoken, texts
from channels.slack.packing import SLACK, Posted, unpack
from router.core.errors import PoisonError
from router.core.message import Address, Attachment, Message
from router.core.plain import clean, first_words, one_line

NAME_CHARACTERS_MAX = 120
_PLACE = re.compile(r"slack:([CG][A-Z0-9]{6,30})/([0-9]{9,11}\.[0-9]{6})")


def normalise(raw: bytes, meta: bytes) -> Message:  # noqa: ARG001 - the shape of every channel's `normalise`
    """Read an entry as a message. Raises PoisonError if it is none."""
    posted, _ = unpack(raw)
    own = external(posted.channel, posted.ts)
    who = one_line(posted.name, NAME_CHARACTERS_MAX) or texts.CUSTOMER_NO_NAME
    gone = posted.what == "delete"
    said = texts.CUSTOMER_DELETED if gone else spoken.plain(posted.text, lambda user: posted.names.get(user, ""))
    text = clean(said)
    return Message(
        channel=SLACK,
        from_=Address(address=f"{SLACK}:{posted.user}", name=who),
        reply_to=(Address(address=f"{SLACK}:{posted.channel}/{posted.thread}", name=who),),
        subject=first_words(text or ", ".join(file.name for file in posted.files)),
        sent_at=_instant(posted.stamp or posted.ts),
        text=text,
        full_text=text,
        attachments=tuple(
            Attachment(filename=file.name, content_type=file.type, size=file.size, sha256=file.sha256, part=part)
            for part, file in enumerate(posted.files)
            if file.size
        ),
        message_id=own,
        in_reply_to=external(posted.channel, posted.thread) if posted.thread != posted.ts else None,
        auto="deleted" if gone else None,
        warnings=tuple(_warnings(posted)),
        revises=own if posted.what != "say" else None,
        language=posted.locale,
    )


def extract(raw: bytes, part: int) -> tuple[str, str, bytes]:
    """A file that a customer sent: its safe name, content type and bytes. Raises PoisonError if there is none."""
    posted, contents = unpack(raw)
    if not 0 <= part < len(posted.files) or not posted.files[part].size:
        raise PoisonError(f"the message has no file {part}")
    begin = sum(file.size for file in posted.files[:part])
    file = posted.files[part]
    return file.name, file.type, bytes(contents[begin : begin + file.size])


def external(channel: str, ts: str) -> str:
    """What a message is called outside: a timestamp is one channel's."""
    return f"{SLACK}:{channel}:{ts}"


def thread_of(message: Message) -> str:
    """The thread that a message stands in, by the id of its first message."""
    return message.in_reply_to or message.message_id or ""


def place_of(address: str) -> tuple[str, str] | None:
    """The (channel, thread) that an address is; None for another channel's."""
    found = _PLACE.fullmatch(address)
    return (found[1], found[2]) if found is not None else None


def _warnings(posted: Posted) -> list[str]:
    found = [file.problem for file in posted.files if file.problem]
    if not posted.name:
        found.append(texts.CUSTOMER_NOT_KNOWN)
    if posted.outside:
        found.append(texts.CUSTOMER_OUTSIDE)
    return found


def _instant(ts: str) -> str | None:
    try:
        return datetime.fromtimestamp(int(ts.partition(".")[0]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
