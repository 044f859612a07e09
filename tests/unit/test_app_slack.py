"""The address that Slack calls: what is not signed gets no further than the check of its signature."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from fastapi import FastAPI
from slack_sdk.signature import SignatureVerifier

from channels.slack.listening import bolt, web_client
from router.app.slack import SlackPart
from skills.channel_model import SlackChannel
from skills.secret import Secret

SECRET = "5" * 32
TAKEN: list[Mapping[str, Any]] = []


def address() -> httpx.AsyncClient:
    """A client of it; what comes through is in `TAKEN`."""

    async def take(payload: Mapping[str, Any]) -> dict[str, Any]:
        TAKEN.append(payload)
        return {}

    settings = SlackChannel(bot_token=Secret("b", "xoxb-1"), signing_secret=Secret("s", SECRET))
    part = SlackPart(Mock(), settings)
    part._desk = Mock(app=bolt(web_client("xoxb-1", "http://127.0.0.1:9/"), take, SECRET))  # noqa: SLF001 (as while this node leads)
    app = FastAPI()
    for page in part.pages:
        app.include_router(page)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def signed(body: str, at: int) -> dict[str, str]:
    """Headers as Slack makes them."""
    made = SignatureVerifier(SECRET).generate_signature(timestamp=str(at), body=body)
    return {
        "x-slack-request-timestamp": str(at),
        "x-slack-signature": str(made),
        "content-type": "application/json",
    }


BODY = '{"type":"event_callback"}'
NOW = int(time.time())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, signed(BODY, NOW) | {"x-slack-signature": "v0=" + "0" * 64}),
        (BODY, signed(BODY, NOW) | {"x-slack-signature": b"v0=\xe9".decode("latin-1")}),
        (BODY, signed(BODY, NOW) | {"x-slack-request-timestamp": "soon"}),
        (BODY, signed(BODY, NOW - 3_600)),
        (BODY, signed(BODY, NOW + 3_600)),
        ("[1]", {"content-type": "application/json"}),
        ("payload={", {"content-type": "application/x-www-form-urlencoded"}),
        ('{"ssl_check":"1","type":"event_callback"}', {"content-type": "application/json"}),
    ],
)
async def test_what_is_not_signed_is_refused(body: str, headers: dict[str, str]) -> None:
    """No signature, another's, one of an hour ago, or what is no request at all: 401, and nothing is read of it."""
    TAKEN.clear()
    async with address() as client:
        answer = await client.post(
            "/slack/events",
            content=body,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        )
    assert answer.status_code == 401
    assert TAKEN == []


async def test_what_slack_signed_comes_through() -> None:
    """A signature of this minute."""
    TAKEN.clear()
    async with address() as client:
        answer = await client.post("/slack/events", content=BODY, headers=signed(BODY, int(time.time())))
    assert answer.status_code == 200
    assert TAKEN == [{"type": "event_callback"}]
