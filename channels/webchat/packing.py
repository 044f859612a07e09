"""What lies in the inbox for one visitor's message: a line of JSON, then the bytes of the file, if there is one."""

from __future__ import annotations

import msgspec

from router.core.errors import PoisonError


class SentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside the message. `type` is only what the browser said; `sha256` in hexadecimal digits."""

    name: str
    type: str
    size: int
    sha256: str


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a visitor wrote. `client`: the widget's own id of it. `email`: where the answer shall go, of a form.

    `proof`: a signed link by which the visitor came.
    """

    visitor: str
    client: str
    text: str = ""
    name: str = ""
    email: str = ""
    proof: str = ""
    file: SentFile | None = None


_SAID = msgspec.json.Decoder(Said)


def pack(said: Said, content: bytes = b"") -> bytes:
    """The bytes of an inbox entry. JSON escapes line ends, so the first one ends the JSON."""
    return msgspec.json.encode(said) + b"\n" + content


def unpack(raw: bytes) -> tuple[Said, memoryview]:
    """What was said, and the file's bytes without copying them. Raises PoisonError for what `pack` never made."""
    end = raw.find(b"\n")
    try:
        said = _SAID.decode(raw[: end if end >= 0 else len(raw)])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PoisonError("it is no message of the web chat") from error
    content = memoryview(raw)[end + 1 :] if end >= 0 else memoryview(b"")
    if len(content) != (said.file.size if said.file is not None else 0):
        raise PoisonError("its file is not whole")
    return said, content
