"""Slack's own Python framework against the fake, unchanged: over sockets and over signed requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.async_app import AsyncAck, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.sim.slack import FakeSlack
from tests.fakes.slack.contact import QUICK, a_contact
from tests.fakes.slack.raw_app import button, field, modal, option, section

Json = dict[str, Any]


def an_app(slack: FakeSlack) -> AsyncApp:
    """A small help desk: a card with a button, a modal, a home, a command."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    app = AsyncApp(client=client, signing_secret=slack.signing_secret, process_before_response=True)

    @app.event("message")
    async def written(event: Json, say: AsyncSay) -> None:
        if not event.get("subtype"):
            blocks = [
                section(f"card for {event['text']}"),
                {"type": "actions", "elements": [button("accept", "Accept", value="7")]},
            ]
            await say(text="card", blocks=blocks, thread_ts=event["ts"])

    @app.action("accept")
    async def accepted(ack: AsyncAck, respond: AsyncRespond, action: Json) -> None:
        await ack()
        await respond(text=f"accepted {action['value']}", replace_original=True)

    @app.command("/usherd")
    async def commanded(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack(text=f"you said {body['text']}")
        menu = {"type": "external_select", "action_id": "agent", "min_query_length": 1}
        why = {"type": "plain_text_input", "action_id": "text"}
        view = modal(field("whom", menu), field("why", why), callback_id="transfer")
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.options("agent")
    async def offered(ack: AsyncAck, payload: Json) -> None:
        await ack(options=[option(f"{payload['value']}-1", "One"), option(f"{payload['value']}-2", "Two")])

    @app.view("transfer")
    async def transferred(ack: AsyncAck, view: Json, client: AsyncWebClient, body: Json) -> None:
        values = view["state"]["values"]
        if values["why"]["text"]["value"] == "no":
            await ack(response_action="errors", errors={"why": "Say more."})
            return
        await ack()
        whom = values["whom"]["agent"]["selected_option"]["value"]
        await client.chat_postMessage(channel=body["user"]["id"], text=f"went to {whom}")

    @app.event("app_home_opened")
    async def at_home(event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [section("Your desk")]})

    return app


@asynccontextmanager
async def over_sockets(slack: FakeSlack, app: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    """The app over one socket."""
    web = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=web)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await slack.until(lambda: slack.sockets.count)
    try:
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def over_http(slack: FakeSlack, app: AsyncApp) -> AsyncIterator[None]:
    """The app behind an address that Slack posts to."""
    handler = AsyncSlackRequestHandler(app)

    async def receive(request: Request) -> Response:
        return await handler.handle(request)

    listener = socket.create_server(("127.0.0.1", 0))
    routes = [Route("/slack/events", receive, methods=["POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none"))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events"
    verified = await slack.verifies(url)
    slack.request_url = url
    assert verified == (slack.deliveries.secret == slack.signing_secret)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def test_bolt_serves_a_whole_contact_over_a_socket() -> None:
    """Events, clicks, response URLs, options, commands, modals and homes work with slack-bolt over Socket Mode."""
    async with FakeSlack(rules=QUICK) as slack:
        slack.add_user("ana")
        async with over_sockets(slack, an_app(slack)):
            await a_contact(slack)


async def test_bolt_serves_a_whole_contact_over_signed_requests() -> None:
    """The same works over HTTP: slack-bolt accepts the fake's signatures."""
    async with FakeSlack(rules=QUICK) as slack:
        slack.add_user("ana")
        async with over_http(slack, an_app(slack)):
            await a_contact(slack)


async def test_bolt_refuses_what_another_signs() -> None:
    """A request signed with another secret is not acknowledged, and given up after the retries."""
    async with FakeSlack(rules=QUICK) as slack:
        ana = slack.add_user("ana")
        app = an_app(slack)
        slack.deliveries.secret = "another"
        async with over_http(slack, app):
            await ana.writes("hello")
            await slack.settled()
            assert len(slack.deliveries.given_up) == 1
            assert [one.said for one in ana.sees()] == ["hello"]


async def test_bolt_comes_back_when_asked_to_leave_its_socket() -> None:
    """After `refresh_requested` slack-sdk opens a new socket, and events reach it."""
    async with FakeSlack(rules=QUICK) as slack:
        ana = slack.add_user("ana")
        async with over_sockets(slack, an_app(slack)):
            await slack.disconnects("refresh_requested")
            await slack.until(lambda: slack.sockets.greeted >= 2 and slack.sockets.count == 1)
            written = await ana.writes("still there?")
            await slack.until(lambda: len(ana.thread(written)) == 2)


async def test_files_go_up_and_come_down_with_slack_sdk() -> None:
    """`files_upload_v2` shares a file in a thread; its bytes come back to who shows the token, to others a page."""
    async with FakeSlack(rules=QUICK) as slack:
        ana = slack.add_user("ana")
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        written = await ana.writes("the file?")
        await client.files_upload_v2(
            content=b"\x00\x01", filename="a.bin", title="A", channel=ana.dm.id, thread_ts=written.ts
        )
        shared = ana.thread(written)[1]
        told = await client.files_info(file=shared.files[0])
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as http:
            url = told["file"]["url_private_download"]
            mine = await http.get(url, headers={"Authorization": f"Bearer {slack.bot_token}"})
            theirs = await http.get(url)
        assert mine.content == b"\x00\x01"
        assert theirs.status_code == 200
        assert b"Sign in" in theirs.content
