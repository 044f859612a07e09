"""Asking for an access token of a server that floods or drips: it holds up one mailbox and fills no memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from channels.email import oauth
from channels.email.imap_wire import MailboxLost, MailboxRefused
from channels.email.oauth import OAuthSettings, Tokens

MEGABYTE = 1_000_000


class Provider:
    """Answers 200 and goes on with `piece` after each `pause`, until 50 MB were taken or nobody listens."""

    def __init__(self, piece: bytes, pause: float = 0.0) -> None:
        self.taken = 0
        self._piece = piece
        self._pause = pause
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[Tokens]:
        """What asks it for tokens."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        async with server:
            yield Tokens(OAuthSettings(token_url=url, client_id="usherd", refresh_token="r3fresh"))
            await self._ended.wait()  # it sees that nobody listens

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
            while self.taken < 50 * MEGABYTE and not writer.is_closing():
                writer.write(self._piece)
                await writer.drain()
                self.taken += len(self._piece)
                await asyncio.sleep(self._pause)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._ended.set()


async def test_a_flood_is_no_token_and_fills_no_memory() -> None:
    """Of an answer without end little is taken; an admin is told that it is none of OAuth2."""
    provider = Provider(b" " * 65_536)
    async with provider.tokens() as tokens:
        with pytest.raises(MailboxRefused, match="none of OAuth2"):
            await tokens.reveal()
    assert provider.taken < 30 * MEGABYTE  # what fits between the two besides


async def test_a_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes byte by byte, each in time, ends with the patience for all of it."""
    monkeypatch.setattr(oauth, "ANSWER_SECONDS_MAX", 0.2)
    async with Provider(b" ", pause=0.01).tokens() as tokens:
        with pytest.raises(MailboxLost, match="cannot be reached"):
            async with asyncio.timeout(60):
                await tokens.reveal()
