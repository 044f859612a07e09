"""Access tokens for mailboxes that want OAuth2: asked for with a refresh token, or with the program's own right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import httpx
import msgspec
import structlog

from channels.email.imap_wire import MailboxLost, MailboxRefused
from router.core.errors import StoreUnavailable

_log = structlog.get_logger()

ANSWER_SECONDS_MAX = 30.0  # for the whole answer
ANSWER_BYTES_MAX = 65_536
EARLY_SECONDS = 60.0  # a token that ends sooner than that is replaced
USUAL_SECONDS = 3_600.0


class OAuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where tokens are had, and by what right. Without a refresh token: `client_credentials` (RFC 6749, 4.4)."""

    token_url: str
    client_id: str
    client_secret: str = ""
    refresh_token: str = ""
    scope: str = ""

    def __repr__(self) -> str:
        return f"OAuthSettings({self.token_url!r})"


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | str = USUAL_SECONDS
    refresh_token: str = ""


class _Problem(msgspec.Struct):
    error: str = ""


class Kept(Protocol):
    """Where the refresh token is kept that a provider gave in exchange for the last. Both raise StoreUnavailable."""

    async def load(self) -> str:
        """The one kept last; "" for none."""
        ...

    async def save(self, value: str) -> None:
        """Keep another."""
        ...


class Tokens:
    """Implements `Secret`: a token that is good for another minute at least.

    Some providers exchange the refresh token each time, and the one before is worth nothing then: what came last is
    `kept`, and looked up before each question, as another node may have asked meanwhile.
    """

    token = True

    def __init__(
        self, settings: OAuthSettings, kept: Kept | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._kept = kept
        self._refresh = settings.refresh_token
        self._unsaved = False
        self._token = ""
        self._until = float("-inf")
        self._monotonic = monotonic

    async def reveal(self) -> str:
        """A token. Raises MailboxRefused if the right is gone, MailboxLost if there was no answer, StoreUnavailable."""
        if self._monotonic() < self._until - EARLY_SECONDS:
            return self._token
        if self._kept is not None and not self._unsaved:
            self._refresh = await self._kept.load() or self._settings.refresh_token
        asked = self._monotonic()
        answer = await self._asked()
        self._token = answer.access_token
        try:
            self._until = asked + float(answer.expires_in)
        except ValueError:
            self._until = asked + USUAL_SECONDS
        if answer.refresh_token and answer.refresh_token != self._refresh:
            self._refresh, self._unsaved = answer.refresh_token, True
        await self._save()
        return self._token

    async def _save(self) -> None:
        """Keep what was given in exchange. While the store is away it is remembered here, and kept the next time."""
        if self._kept is None or not self._unsaved:
            return
        try:
            await self._kept.save(self._refresh)
            self._unsaved = False
        except StoreUnavailable:
            _log.warning("refresh_token_not_kept", token_url=self._settings.token_url)

    async def _asked(self) -> _Answer:
        """An answer by the token that is kept, else by the one that the admin gave: it may be newer than that."""
        try:
            return await self._ask()
        except MailboxRefused:
            if self._refresh == self._settings.refresh_token or not self._settings.refresh_token:
                raise
            self._refresh, self._unsaved = self._settings.refresh_token, False
            return await self._ask()

    def forget(self) -> None:
        """The server did not take it: ask for a new one next time."""
        self._until = float("-inf")

    async def _ask(self) -> _Answer:
        settings = self._settings
        form = {"client_id": settings.client_id, "grant_type": "client_credentials"}
        if self._refresh:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh}
        optional = {"client_secret": settings.client_secret, "scope": settings.scope}
        form |= {name: value for name, value in optional.items() if value}
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                status, content = await _posted(settings.token_url, form)
        except (httpx.HTTPError, TimeoutError) as error:
            raise MailboxLost(f"no OAuth2 token: the server cannot be reached ({type(error).__name__})") from None
        if status >= 500 or status == 429:  # noqa: PLR2004 (HTTP's own)
            raise MailboxLost(f"no OAuth2 token: the server answers {status}")
        try:
            if status != 200:  # noqa: PLR2004 (HTTP's own)
                problem = msgspec.json.decode(content, type=_Problem).error[:60]
                raise MailboxRefused(
                    f"no OAuth2 token: {status} {problem}",
                    "sign in anew, and put the new token where it is read",
                )
            return msgspec.json.decode(content, type=_Answer)
        except msgspec.MsgspecError:
            raise MailboxRefused(
                f"no OAuth2 token: the answer {status} is none of OAuth2", "check `oauth2.token_url`"
            ) from None


async def _posted(url: str, form: dict[str, str]) -> tuple[int, bytes]:
    """The status, and of the answer no more than a token needs. Raises HTTPError."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    trust = await asyncio.to_thread(httpx.create_ssl_context)  # reads every root certificate: 50 ms
    content = b""
    async with (
        httpx.AsyncClient(timeout=ANSWER_SECONDS_MAX, follow_redirects=False, verify=trust) as client,
        client.stream("POST", url, data=form, headers=headers) as answer,
    ):
        async for piece in answer.aiter_raw():
            content += piece
            if len(content) > ANSWER_BYTES_MAX:
                break
    return answer.status_code, content
