"""Asking a running daemon, over its HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from router.app.local import find
from router.core.errors import ConfigError, PermanentError, TransientError

SECONDS_MAX = 60.0
UNAUTHORIZED = (401, 403)
GONE = 404


def address(data: Path, url: str | None, token: str | None) -> tuple[str, str]:
    """(URL, token) of the daemon of a data directory, or of the one at an address. Raises ConfigError without one."""
    if url is None:
        running = find(data)
        url, token = running.url, running.token
    elif token is None:
        raise ConfigError("--url needs a token", hint="set USHERD_TOKEN, made by `usherd token create --scope read`")
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r} is no address of a daemon", hint="write it as http://host:port")
    if not token.isascii() or not token.isprintable():
        raise ConfigError("the token holds characters that no token has", hint="copy it again")
    return url.rstrip("/"), token


class Daemon:
    """The daemon that a command talks to: the one of a data directory, or the one at an address."""

    def __init__(self, data: Path, url: str | None, token: str | None) -> None:
        """Raises ConfigError if there is none."""
        self._url, known = address(data, url, token)
        self._headers = {"Authorization": f"Bearer {known}"}

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The JSON at `path`. Raises PermanentError with the daemon's own words."""
        wanted = {name: str(value).lower() for name, value in query.items() if value not in (None, False)}
        return self._ask("GET", path, params=wanted)

    def file(self, path: str) -> bytes | None:
        """The bytes at `path`; None where they are gone. Raises TransientError."""
        try:
            answer = httpx.get(self._url + path, headers=self._headers, timeout=SECONDS_MAX, trust_env=False)
        except httpx.TransportError as error:
            raise TransientError(f"the daemon at {self._url} does not answer ({type(error).__name__})") from error
        if answer.status_code == GONE:
            return None
        if not answer.is_success:  # it may be there: what is made of files must not go without it unnoticed
            raise TransientError(f"the daemon at {self._url} does not give a file now ({answer.status_code})")
        return answer.content

    def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """The JSON answer to `body`."""
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **rest: Any) -> dict[str, Any]:  # handed on to httpx
        try:
            answer = httpx.request(
                method, self._url + path, headers=self._headers, timeout=SECONDS_MAX, trust_env=False, **rest
            )
        except httpx.InvalidURL as error:
            raise ConfigError(f"{self._url} is no address ({error})", hint="write it as http://host:port") from None
        except httpx.TransportError as error:
            raise TransientError(f"the daemon at {self._url} does not answer ({type(error).__name__})") from error
        try:
            found: dict[str, Any] = answer.json()
            problem = {} if answer.is_success else found["error"]
        except (ValueError, KeyError, TypeError):
            raise PermanentError(f"what answers at {self._url} is no usherd ({answer.status_code})") from None
        if answer.is_success:
            return found
        message = f"{problem['message']}" + (f" ({problem['hint']})" if problem.get("hint") else "")
        if answer.status_code in UNAUTHORIZED:
            raise ConfigError(message, code=problem["code"])
        raise PermanentError(message)
