"""Collects the bytes after DATA up to the line with a dot, in linear time and bounded memory."""

from __future__ import annotations

_END = b"\r\n.\r\n"


class DataCollector:
    """Takes the stream in pieces of any size and gives the mail, dots unstuffed, all other bytes as they came.

    Only CR LF `.` CR LF ends a mail. A dot between bare line feeds or bare carriage returns is text: servers that
    took `LF . CR LF` for the end could be made to see a second, forged mail inside the first ("SMTP smuggling").
    """

    __slots__ = ("_buffer", "_limit", "overflowed", "seen")

    def __init__(self, limit: int) -> None:
        """Keep up to `limit` bytes; of a longer mail nothing is kept."""
        # The CR LF of the DATA command counts: a dot may stand in the first line.
        self._buffer = bytearray(b"\r\n")
        self._limit = limit
        self.overflowed = False  # the mail is too long, or `discard` was called
        self.seen = 0  # bytes of this mail so far

    @property
    def held(self) -> int:
        """Bytes of memory in use."""
        return len(self._buffer)

    def feed(self, data: bytes) -> bytes | None:
        """Take the next bytes of the stream.

        Gives None while the mail goes on; at its end the bytes that follow it (commands sent ahead), often none.
        """
        buffer = self._buffer
        searched = max(0, len(buffer) - len(_END) + 1)
        buffer += data
        self.seen += len(data)
        end = buffer.find(_END, searched)
        if end < 0:
            if self.overflowed or len(buffer) > self._limit + len(_END):
                self.discard()
            return None
        rest = bytes(memoryview(buffer)[end + len(_END) :])
        self.seen -= len(rest)
        if end > self._limit:
            self.discard()
        del buffer[end + 2 :]
        return rest

    def discard(self) -> None:
        """Drop what is held, and whatever of this mail is still to come."""
        self.overflowed = True
        del self._buffer[: -len(_END) + 1]

    def take(self) -> bytes:
        """Give the mail once `feed` has found its end, and let go of it."""
        text = bytes(memoryview(self._buffer)[2:])
        stuffed_at_start = text.startswith(b".")
        self._buffer = bytearray()
        text = text.replace(b"\r\n.", b"\r\n")
        return text[1:] if stuffed_at_start else text
