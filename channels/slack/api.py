"""Slack's Web API, one call at a time: what may be tried again, what perhaps happened, and what Slack refuses.

Slack's client is told to repeat nothing by itself: a message whose answer was lost may have been posted.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError

from channels.slack.limits import Limits

log = structlog.get_logger()

READS = frozenset(
    {"conversations.history", "conversations.replies", "files.info", "users.info", "users.lookupByEmail", "auth.test"}
)
FORMS = frozenset({"files.getUploadURLExternal"})
PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "accesslimited",
    }
)
LIMITED_SECONDS = 30.0
AGAIN_SECONDS = 2.0
TOO_MANY = 429
BROKEN = 500


class Wait(Exception):
    """It was not done, and may be tried again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.1f} s")
        self.seconds = seconds


class Doubt(Wait):
    """Perhaps it was done: the answer was lost, or made no sense."""


class Refusal(Exception):
    """Slack will not do this, however often it is asked; `code` is Slack's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class WebClient(Protocol):
    """What of `slack_sdk.web.async_client.AsyncWebClient` is used; with `retry_handlers=[]`."""

    async def api_call(
        self,
        api_method: str,
        *,
        http_verb: str = "POST",
        data: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # as Slack's client has it
        """Call a method. Raises SlackApiError, aiohttp.ClientError, TimeoutError."""
        ...


class Api:
    """Calls within the limits."""

    def __init__(self, client: WebClient, limits: Limits) -> None:
        self._client = client
        self._limits = limits

    async def call(
        self, method: str, arguments: dict[str, Any], *, urgent: bool = False, patience: float = 0.0
    ) -> dict[str, Any]:
        """Slack's answer. Waits for the limits at most `patience` seconds. Raises Wait, Doubt or Refusal."""
        channel = str(arguments.get("channel") or arguments.get("channel_id") or "")
        while True:
            try:
                self.admit(method, channel, urgent=urgent)
            except Wait as wait:
                if wait.seconds > patience:
                    raise
                patience -= wait.seconds
                await asyncio.sleep(wait.seconds)
            else:
                return await self.send(method, arguments)

    def admit(self, method: str, channel: str = "", *, urgent: bool = False) -> None:
        """Count a call that `send` makes next. Raises Wait if it is too early, and counts nothing."""
        wait = self._limits.take(method, channel, urgent=urgent)
        if wait > 0:
            raise Wait(wait)

    async def send(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Slack's answer to a call that was admitted. Raises Wait, Doubt or Refusal."""
        try:
            answer = await self._client.api_call(method, **_sent(method, arguments))
        except SlackClientError as error:
            raise self._failed(method, error) from None
        except aiohttp.ClientConnectorError:
            raise Wait(AGAIN_SECONDS) from None  # nobody was reached
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("slack_no_answer", method=method, error=type(error).__name__)
            raise Doubt(AGAIN_SECONDS) from None
        data = answer.data
        if not isinstance(data, dict):
            raise Doubt(AGAIN_SECONDS)
        return data

    def _failed(self, method: str, error: SlackClientError) -> Exception:
        response = getattr(error, "response", None)
        status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
        data = getattr(response, "data", None)
        code = str(data.get("error") or "") if isinstance(data, dict) else ""
        if status == TOO_MANY or code in {"ratelimited", "rate_limited"}:
            seconds = _seconds(getattr(response, "headers", {}).get("Retry-After"))
            self._limits.pause(method, seconds)
            log.warning("slack_limited", method=method, seconds=seconds)
            return Wait(seconds)
        if status >= BROKEN or code in PASSING or not code:
            log.warning("slack_failed", method=method, status=status, code=code)
            return Doubt(AGAIN_SECONDS)
        return Refusal(code)


def _sent(method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if value is not None}
    if method in READS:
        plain = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
        return {"http_verb": "GET", "params": plain}
    return {"data": given} if method in FORMS else {"json": given}


def _seconds(header: str | None) -> float:
    try:
        return max(1.0, float(header or LIMITED_SECONDS))
    except ValueError:
        return LIMITED_SECONDS
