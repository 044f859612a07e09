"""Asks other programs about a mail: rspamd whether it is spam, clamd whether something in it does harm.

rspamd is asked by its `POST /checkv2`: the mail as it came, answered by JSON with an `action`. clamd by `INSTREAM`:
pieces behind their length in four bytes, an empty one at the end, answered by one line.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import msgspec

from router.core.errors import TransientError

SPAM_ACTIONS = frozenset({"add header", "rewrite subject", "quarantine", "discard", "reject"})
ANSWER_BYTES_MAX = 1 << 20  # rspamd names every rule that fitted
LINE_BYTES_MAX = 4_096
PIECE_BYTES = 1 << 16
NAME_CHARACTERS_MAX = 100


class Unfiltered(TransientError):
    """The program did not say. The text holds nothing of the mail."""

    code = "unfiltered"


class TooLarge(Unfiltered):
    """It looks at no mail of that size."""

    code = "too_large"


class _Answer(msgspec.Struct):
    action: str
    score: float = 0.0
    required_score: float = 0.0


async def spam(client: httpx.AsyncClient, url: str, raw: bytes, sender: str) -> str:
    """Why rspamd takes a mail for spam, in a few words; "" where it does not. Raises Unfiltered."""
    headers = {"From": sender} if sender.isascii() and sender.isprintable() else {}
    said = bytearray()
    try:
        async with client.stream("POST", f"{url}/checkv2", content=raw, headers=headers) as answer:
            async for piece in answer.aiter_raw():
                said += piece
                if len(said) > ANSWER_BYTES_MAX:
                    raise Unfiltered("it answers too much")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unfiltered(type(error).__name__) from error
    if not answer.is_success:
        raise Unfiltered(f"it answers {answer.status_code}")
    try:
        found = msgspec.json.decode(said, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unfiltered("its answer is not that of rspamd") from error
    return f"{found.score:.1f} of {found.required_score:.1f}" if found.action in SPAM_ACTIONS else ""


async def harm(address: str, raw: bytes) -> str:
    """What clamd finds in a mail, by its name for it; "" for nothing. Raises Unfiltered.

    `address`: the path of its socket, or host:port.
    """
    try:
        reader, writer = await _connected(address)
        try:
            said = await _scanned(reader, writer, raw)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except OSError as error:
        raise Unfiltered(type(error).__name__) from error
    text = said.rstrip(b"\0\r\n").decode("ascii", "replace").removeprefix("stream: ")
    if text == "OK":
        return ""
    if text.endswith(" FOUND"):
        return "".join(sign for sign in text.removesuffix(" FOUND") if sign.isprintable())[:NAME_CHARACTERS_MAX]
    if "size limit exceeded" in text:
        raise TooLarge("it is over its StreamMaxLength")
    raise Unfiltered("its answer is not that of clamd")


async def _connected(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address, limit=LINE_BYTES_MAX)
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=LINE_BYTES_MAX)


async def _scanned(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> bytes:
    """The answer: it may come, and the connection end, before all was sent."""
    writer.write(b"zINSTREAM\0")
    view = memoryview(raw)
    with suppress(ConnectionError):
        for start in range(0, len(raw), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            writer.write(len(piece).to_bytes(4, "big"))
            writer.write(piece)
            await writer.drain()
        writer.write(bytes(4))
        await writer.drain()
    return await reader.read(LINE_BYTES_MAX) if not reader.at_eof() else b""
