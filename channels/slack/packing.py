"""What lies in the inbox for one message of a customers' channel: a line of JSON, then the bytes of its files."""

from __future__ import annotations

import msgspec

from router.core.errors import PoisonError

SLACK = "slack"


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. `size` 0: it could not be had, and `problem` says why. `sha256` in hexadecimal digits."""

    name: str
    type: str
    size: int = 0
    sha256: str = ""
    problem: str = ""


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a customers' channel. `what`: say | edit | delete. `stamp`: of an edit, its own timestamp.

    `thread`: the timestamp of its thread's first message. `name`, `locale`: the writer's, as far as Slack told them;
    `outside`: they are of another organisation. `names`: of those whom the text mentions, by their ids.
    """

    what: str
    channel: str
    ts: str
    thread: str
    user: str
    text: str
    stamp: str = ""
    name: str = ""
    locale: str = ""
    outside: bool = False
    names: dict[str, str] = {}
    files: tuple[Fetched, ...] = ()


_POSTED = msgspec.json.Decoder(Posted)


def pack(posted: Posted, contents: tuple[bytes, ...] = ()) -> bytes:
    """The bytes of an inbox entry. JSON escapes line ends, so the first one ends the JSON."""
    return b"\n".join([msgspec.json.encode(posted), b"".join(contents)])


def unpack(raw: bytes) -> tuple[Posted, memoryview]:
    """What was posted, and the bytes of all files. Raises PoisonError for what `pack` never made."""
    end = raw.find(b"\n")
    try:
        posted = _POSTED.decode(raw[: end if end >= 0 else len(raw)])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PoisonError("it is no message of Slack's") from error
    contents = memoryview(raw)[end + 1 :] if end >= 0 else memoryview(b"")
    if len(contents) != sum(file.size for file in posted.files):
        raise PoisonError("its files are not whole")
    return posted, contents
