"""Access tokens: of a server that floods or drips, and of one that exchanges the right to ask each time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from channels.email import oauth
from channels.email.imap_cursor import Secret
from channels.email.imap_wire import MailboxLost, MailboxRefused
from channels.email.oauth import OAuthSettings, Tokens
from router.app.mailboxes import secret_of
from router.core.errors import StoreUnavailable
from router.shell.sealed import SealedSecret
from skills.email_model import Imap
from tests.support.shell_scene import ShellStore

MEGABYTE = 1_000_000


class Provider:
    """Answers 200 and goes on with `piece` after each `pause`, until 50 MB were taken or nobody listens."""

    def __init__(self, piece: bytes, pause: float = 0.0) -> None:
        self.taken = 0
        self._piece = piece
        self._pause = pause
        self._begun = False
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[Tokens]:
        """What asks it for tokens."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        async with server:
            yield Tokens(OAuthSettings(token_url=url, client_id="usherd", refresh_token="r3fresh"))
            if self._begun:
                await self._ended.wait()  # it sees that nobody listens

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begun = True
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # who asks may be gone by then
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


class Exchange:
    """A provider that gives another refresh token each time, and takes only the last it gave, or `right`."""

    def __init__(self, *right: str) -> None:
        self.right = set(right)
        self.asked: list[str] = []

    async def answer(self, _url: str, form: dict[str, str]) -> tuple[int, bytes]:
        """As `_posted`."""
        token = form["refresh_token"]
        self.asked.append(token)
        if token not in self.right:
            return 400, b'{"error": "invalid_grant"}'
        self.right = {f"given-{len(self.asked)}"}
        return 200, b'{"access_token": "a%d", "refresh_token": "given-%d"}' % (len(self.asked), len(self.asked))


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """The one that is asked."""
    made = Exchange("first")
    monkeypatch.setattr(oauth, "_posted", made.answer)
    return made


def mailbox(refresh: str = "first") -> Imap:
    """A mailbox whose right is this refresh token."""
    given = {"token_url": "https://login.example/token", "client_id": "usherd", "refresh_token": "${TOKEN}"}
    values = {"host": "imap.acme.example", "user": "help@acme.example", "oauth2": given}
    return Imap.model_validate(values, context={"env": {"TOKEN": refresh}, "folder": Path()})


def signing_in(store: ShellStore, refresh: str = "first", secret: bytes = b"s" * 32) -> Secret:
    """What a mailbox signs in with on a node over this store."""
    return secret_of(mailbox(refresh), partial(SealedSecret, store, secret))


async def test_an_exchanged_refresh_token_outlives_the_process(exchange: Exchange) -> None:
    """After a restart, or on another node, the one that was given last is used; the one before is worth nothing."""
    store = ShellStore()
    for _ in range(3):
        assert (await signing_in(store).reveal()).startswith("a")
    assert exchange.asked == ["first", "given-1", "given-2"]
    here, there = signing_in(store), signing_in(store)
    await here.reveal()
    await there.reveal()
    here.forget()
    await here.reveal()  # the other node has asked meanwhile
    assert exchange.asked[3:] == ["given-3", "given-4", "given-5"]


async def test_what_is_kept_is_sealed(exchange: Exchange) -> None:
    """Neither token stands in the store, and under another secret nothing is opened."""
    store = ShellStore()
    await signing_in(store).reveal()
    [(name, kept)] = store.documents.items()
    assert all(word not in name.encode() + kept for word in (b"given", b"first", b"help@"))
    exchange.right.add("first")
    await signing_in(store, secret=b"t" * 32).reveal()
    assert exchange.asked == ["first", "first"]
    store.documents[name] = kept[:-1] + bytes([kept[-1] ^ 1])
    exchange.right.add("first")
    await signing_in(store).reveal()
    assert exchange.asked[2:] == ["first"]


async def test_another_token_of_the_admins_counts_at_once(exchange: Exchange) -> None:
    """A right that was given anew has nothing to do with what was kept of the last; a dead one falls back on it."""
    store = ShellStore()
    await signing_in(store).reveal()
    exchange.right.add("second")
    await signing_in(store, "second").reveal()
    assert exchange.asked == ["first", "second"]
    exchange.right = {"second"}  # the provider forgot what it gave, and takes the admin's again
    await signing_in(store, "second").reveal()
    assert exchange.asked[2:] == ["given-2", "second"]
    exchange.right = set()
    with pytest.raises(MailboxRefused, match="invalid_grant"):
        await signing_in(store, "second").reveal()


async def test_a_store_that_is_away_loses_no_token(exchange: Exchange) -> None:
    """What could not be kept is remembered, used the next time and kept then."""
    store = ShellStore()
    tokens = signing_in(store)
    put, away = store.doc_put, True

    async def doc_put(name: str, value: bytes) -> None:
        if away:
            raise StoreUnavailable("away")
        await put(name, value)

    store.doc_put = doc_put  # type: ignore[method-assign]
    for _ in range(2):
        await tokens.reveal()
        tokens.forget()
    away = False
    await tokens.reveal()
    assert exchange.asked == ["first", "given-1", "given-2"]
    await signing_in(store).reveal()
    assert exchange.asked[-1] == "given-3"
