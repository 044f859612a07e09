"""What lies in the inbox for one message: a line of JSON with the updates as received, then the bytes of its files."""

from __future__ import annotations

import msgspec

from router.core.errors import PoisonError

TELEGRAM = "telegram"


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. `size` 0: it could not be had, and `problem` says why. `sha256` in hexadecimal digits."""

    name: str
    type: str
    size: int = 0
    sha256: str = ""
    problem: str = ""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """One message: an update, or those of one album. `bot`: its id."""

    bot: int
    updates: tuple[msgspec.Raw, ...]
    files: tuple[Fetched, ...] = ()


_PACKED = msgspec.json.Decoder(Packed)


def pack(packed: Packed, contents: tuple[bytes, ...] = ()) -> bytes:
    """The bytes of an inbox entry. What is received is one line of JSON: a line end in it would be escaped."""
    return b"\n".join([msgspec.json.encode(packed), b"".join(contents)])


def unpack(raw: bytes) -> tuple[Packed, memoryview]:
    """What was sent, and the bytes of all files. Raises PoisonError for what `pack` never made."""
    end = raw.find(b"\n")
    try:
        packed = _PACKED.decode(raw[: end if end >= 0 else len(raw)])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PoisonError("it is no message of Telegram's") from error
    contents = memoryview(raw)[end + 1 :] if end >= 0 else memoryview(b"")
    if len(contents) != sum(file.size for file in packed.files):
        raise PoisonError("its files are not whole")
    return packed, contents
