"""Collects the bytes after DATA up to the line with a dot, in linear time and bounded memory."""

from __future__ import annotations

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."
_RETURN = 13


class DataCollector:
    """Takes the stream in pieces of any size and gives the mail, dots unstuffed, all other bytes as they came.

    Only CR LF `.` CR LF ends a mail. A dot between bare line feeds or bare carriage returns is text: servers that
    took `LF . CR LF` for the end could be made to see a second, forged mail inside the first ("SMTP smuggling").
    Dots are unstuffed as the pieces come: looking through 25 MB at the end would hold everybody else up.
    """

    __slots__ = ("_first", "_kept", "_limit", "_line_begins", "_tail", "overflowed", "seen")

    def __init__(self, limit: int) -> None:
        """Keep up to `limit` bytes; of a longer mail nothing is kept."""
        self._kept = bytearray()  # unstuffed
        # As they came, and not looked at yet. The CR LF of the DATA command counts: a dot may stand in the first line.
        self._tail = b"\r\n"
        self._first = True  # the tail still begins with that CR LF
        self._line_begins = False  # what was kept last ended with CR LF
        self._limit = limit
        self.overflowed = False  # the mail is too long, or `discard` was called
        self.seen = 0  # bytes of this mail so far

    @property
    def held(self) -> int:
        """Bytes of memory in use."""
        return len(self._kept) + len(self._tail)

    def feed(self, data: bytes) -> bytes | None:
        """Take the next bytes of the stream.

        Gives None while the mail goes on; at its end the bytes that follow it (commands sent ahead), often none.
        """
        work = self._tail + data
        self.seen += len(data)
        end = work.find(_END)
        if end < 0:
            cut = max(0, len(work) - len(_END) + 1)
            if cut and work[cut - 1] == _RETURN:
                cut -= 1  # what is kept never ends within a line end
            self._keep(work[:cut])
            self._tail = work[cut:]
            if self.seen > self._limit + len(_END) - 2:
                self.discard()
            return None
        rest = work[end + len(_END) :]
        self.seen -= len(rest)
        self._keep(work[: end + 2])
        self._tail = b""
        if self.seen > self._limit + len(_END) - 2:
            self.discard()
        return rest

    def _keep(self, piece: bytes) -> None:
        """Add what came to what is kept, without the dots that the peer put before dots."""
        if not piece or self.overflowed:
            return
        stuffed = self._line_begins and piece.startswith(b".")
        self._line_begins = piece.endswith(b"\r\n")
        piece = piece.replace(_STUFFED, b"\r\n")
        skip = 2 if self._first else int(stuffed)
        self._first = False
        self._kept += memoryview(piece)[skip:]

    def discard(self) -> None:
        """Drop what is held, and whatever of this mail is still to come."""
        self.overflowed = True
        self._kept = bytearray()

    def take(self) -> bytes:
        """Give the mail once `feed` has found its end, and let go of it."""
        text = bytes(self._kept)
        self._kept = bytearray()
        return text
