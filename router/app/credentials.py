"""API tokens, spent sign-in links and ended sessions, in the store so that all nodes of a workspace share them."""

from __future__ import annotations

import time
from typing import Protocol

import msgspec

from router.web.parts import TokenRecord

DOCUMENT = "tokens"
CACHED_SECONDS = 2.0
SESSIONS_CACHED_MAX = 10_000

_RECORDS = msgspec.json.Decoder(list[TokenRecord])


class Documents(Protocol):
    """What credentials ask of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Put `after` in the place of `before`, None for no document; False if there is another by now."""
        ...

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int) -> bool:
        """Keep it only if there is none of this name; forgotten after `ttl_ms`."""
        ...


class StoredCredentials:
    """Implements the web's `Credentials`."""

    def __init__(self, store: Documents) -> None:
        self._store = store
        self._cached: list[TokenRecord] = []
        self._read_at = float("-inf")
        self._sessions: dict[str, tuple[bool, float]] = {}  # whether it was ended, and when that was read

    async def tokens(self) -> list[TokenRecord]:
        """All tokens, at most CACHED_SECONDS old."""
        if time.monotonic() - self._read_at > CACHED_SECONDS:
            raw = await self._store.doc_get(DOCUMENT)
            self._cached = _RECORDS.decode(raw) if raw else []
            self._read_at = time.monotonic()
        return self._cached

    async def add_token(self, record: TokenRecord) -> None:
        """Keep a token; durable when it returns."""
        swapped = False
        while not swapped:  # of two at once, here or at another node, the second one adds to what the first one wrote
            raw = await self._store.doc_get(DOCUMENT)
            records = [*(_RECORDS.decode(raw) if raw else []), record]
            swapped = await self._store.doc_swap(DOCUMENT, raw, msgspec.json.encode(records))
        self._read_at = float("-inf")

    async def spend(self, link: str, until: int) -> bool:
        """True for the first caller with this link id, False for any later one; forgotten after `until` (ms)."""
        return await self._store.doc_put_new(f"link-{link}", b"1", _left(until))

    async def end(self, session: str, until: int) -> None:
        """Nobody comes in with this session id any more; durable when it returns, forgotten after `until` (ms)."""
        await self._store.doc_put_new(f"session-{session}", b"1", _left(until))
        self._sessions[session] = True, time.monotonic()

    async def ended(self, session: str) -> bool:
        """Whether a session was ended, as of at most CACHED_SECONDS ago."""
        over, read_at = self._sessions.get(session, (False, float("-inf")))
        if not over and time.monotonic() - read_at > CACHED_SECONDS:
            over = await self._store.doc_get(f"session-{session}") is not None
            if len(self._sessions) >= SESSIONS_CACHED_MAX:
                self._sessions.clear()
            self._sessions[session] = over, time.monotonic()
        return over


def _left(until: int) -> int:
    """Milliseconds for which the store has to remember something."""
    return max(1, until - time.time_ns() // 1_000_000)
