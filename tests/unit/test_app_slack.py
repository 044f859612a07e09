"""Slack tied to the shell: what is not signed gets no further, what fails is begun ever more slowly, answers go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from unittest.mock import AsyncMock, Mock, patch

import httpx
import pytest
from fastapi import FastAPI
from slack_sdk.signature import SignatureVerifier

from channels.slack import (
    alerts,
    arriving,
    away,
    digests,
    lapses,
    losses,
    nudges,
    own_status,
    people,
    taking_back,
    threads,
)
from channels.slack.letters import Letter, Letters, Outcome
from channels.slack.listening import bolt, web_client
from router.app.slack import SlackPart, SlackSender
from router.core.errors import StoreUnavailable
from router.core.message import Address, Message
from router.core.transitions import DeliveryState
from router.shell.outbox import Resuming
from skills.channel_model import SlackChannel
from skills.secret import Secret

SECRET = "5" * 32
REMEMBERED = (
    alerts.PREFIX, arriving.PREFIX, away.PREFIX, digests.DAY, digests.DUE, digests.TOLD, lapses.PREFIX, losses.PREFIX,
    nudges.PREFIX, own_status.PREFIX, people.PREFIX, taking_back.PREFIX, threads.LINE, threads.PREFIX,
)  # fmt: skip
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


async def test_a_desk_that_fails_at_once_is_begun_ever_more_slowly() -> None:
    """Twice as long each time, up to a minute; one that was sound for a while, or ended well, begins anew at once."""
    settings = SlackChannel(bot_token=Secret("b", "xoxb-1"), signing_secret=Secret("s", SECRET))
    part = SlackPart(Mock(leader=Mock(ready=AsyncMock())), settings)
    clock, slept = [0.0], []
    ends: list[tuple[float, Exception | None]] = [(1.0, StoreUnavailable("away"))] * 6
    ends += [(1.0, RuntimeError("a mistake")), (1.0, None), (1.0, StoreUnavailable("away"))]
    ends.append((61.0, StoreUnavailable("away")))

    async def lead(_: int) -> None:
        lasted, error = ends.pop(0)
        clock[0] += lasted
        if error is not None:
            raise error

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if not ends:
            raise asyncio.CancelledError

    with (
        patch.object(part, "_lead", lead),
        patch("router.app.slack.asyncio.sleep", sleep),
        patch("router.app.slack.time", Mock(monotonic=lambda: clock[0])),
        pytest.raises(asyncio.CancelledError),
    ):
        await part.run()
    assert slept == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 1.0, 2.0, 1.0]


def answer(*to: str) -> Message:
    """An answer of Ana's."""
    places = tuple(Address(address=one) for one in to)
    sender = Address(address="help@acme.example", name="Ana Souza")
    return Message(channel="slack", from_=sender, to=places, text="Hello", message_id="u.c1.9-0@acme.example")


async def test_an_answer_goes_into_the_thread_it_is_addressed_to() -> None:
    """Under the agent's name; tried again, it is looked for first. One for another place fails."""
    letters = Mock(spec=Letters, send=AsyncMock(return_value=Outcome(state="deferred", text="x", wait_ms=7)))
    sender = SlackSender(letters, Mock())
    sent = await sender.send(answer("slack:C034EF5GH/1700000000.000100"))
    assert (sent.state, sent.detail, sent.wait_ms) == (DeliveryState.DEFERRED, "x", 7)
    assert isinstance(sender, Resuming)
    await sender.resume(answer("slack:C034EF5GH/1700000000.000100"))
    wanted = Letter(
        key="u.c1.9-0@acme.example", channel="C034EF5GH", thread="1700000000.000100", name="Ana Souza", text="Hello"
    )
    assert [(one.args[0], one.kwargs["again"]) for one in letters.send.call_args_list] == [
        (wanted, False),
        (wanted, True),
    ]
    for places in ((), ("slack:U034EF5GH",), ("a@b.example",), ("slack:C034EF5GH/1700000000.000100",) * 2):
        assert (await sender.send(answer(*places))).state is DeliveryState.FAILED
    assert sender.retry_after(1, 0) == 2_000


def test_each_part_remembers_under_names_of_its_own() -> None:
    """All share one memory: no name of one part begins as another's do, or it would read what it did not write."""
    assert [(one, other) for one in REMEMBERED for other in REMEMBERED if one != other and one.startswith(other)] == []
    assert len(set(REMEMBERED)) == len(REMEMBERED)
