"""Whether Slack was set up as it must be: what `usherd check --slack` finds out, changing nothing there."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from channels.slack.listening import web_client
from channels.slack.manifest import OPTIONAL, SCOPES
from router.app.slack import SlackRoster
from skills.channel_model import SlackChannel
from skills.model import WorkspaceConfig


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: `what` it is, whether it is right, and if not, what to do."""

    what: str
    ok: bool
    said: str = ""


async def try_slack(config: WorkspaceConfig) -> list[Found]:
    """Whether tokens, scopes, the team's channel and all agents are as they must be. Changes nothing in Slack."""
    settings = config.channels.slack
    if settings is None:
        return [Found(what="channels.slack", ok=False, said="the workspace has none: see docs/how-to/slack.md")]
    client = web_client(settings.bot_token.reveal(), settings.api)
    try:
        answer = await client.auth_test()
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        return [Found(what="bot_token", ok=False, said=_why(error, "take the Bot User OAuth Token, xoxb-…"))]
    found = [Found(what="bot_token", ok=True, said=f"{answer.get('team')}, as {answer.get('user')}")]
    granted = {one.strip() for one in _header(answer.headers, "x-oauth-scopes").split(",") if one.strip()}
    found.append(_scopes(granted))
    found += await _way_in(settings, client)
    named = (("team_channel", settings.team_channel), ("supervisors_channel", settings.supervisors_channel))
    found += [await _channel(client, channel, key) for key, channel in named if channel is not None]
    found += [await _channel(client, name, f"customers.{name}") for name in settings.customers]
    return [*found, *await _agents(config, client, str(answer.get("team_id") or ""))]


def _header(headers: Any, name: str) -> str:  # noqa: ANN401  # a mapping of aiohttp's
    return next((str(value) for key, value in dict(headers).items() if str(key).lower() == name), "")


def _why(error: Exception, remedy: str) -> str:
    if isinstance(error, SlackApiError):
        return f"Slack says {error.response.get('error') or 'nothing'}: {remedy}"
    return f"Slack was not reached ({type(error).__name__})"


async def _way_in(settings: SlackChannel, client: AsyncWebClient) -> list[Found]:
    if settings.app_token is None:
        return [Found(what="signing_secret", ok=True, said="only a request of Slack's can tell whether it is right")]
    try:
        await client.apps_connections_open(app_token=settings.app_token.reveal())
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = "make an app-level token with connections:write, and turn Socket Mode on"
        return [Found(what="app_token", ok=False, said=_why(error, remedy))]
    return [Found(what="app_token", ok=True, said="a socket can be opened")]


def _scopes(granted: set[str]) -> Found:
    missing = [scope for scope in SCOPES if scope not in granted]
    if not missing:
        return Found(what="scopes", ok=True, said="all there")
    if OPTIONAL.issuperset(missing):
        return Found(what="scopes", ok=True, said=f"all there that are needed; it could also have {', '.join(missing)}")
    return Found(what="scopes", ok=False, said=f"missing: {', '.join(missing)}; add them and install the app again")


async def _channel(client: AsyncWebClient, channel: str, what: str) -> Found:
    try:
        await client.conversations_history(channel=channel, limit=1)
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        return Found(what=what, ok=False, said=_why(error, "type `/invite @usherd` in that channel"))
    return Found(what=what, ok=True, said="the app is in it")


async def _agents(config: WorkspaceConfig, client: AsyncWebClient, team: str) -> list[Found]:
    addresses = SlackRoster(lambda: config).addresses()
    found: list[Found] = []
    for agent in config.agents:
        address = addresses.get(agent)
        what = f"agents.{agent}"
        if address is None:
            found.append(Found(what=what, ok=False, said="has neither `slack` nor `email`: they work at the web desk"))
            continue
        try:
            asked = client.users_lookupByEmail(email=address) if "@" in address else client.users_info(user=address)
            member = (await asked).get("user") or {}
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            found.append(Found(what=what, ok=False, said=_why(error, f"nobody there is {address}")))
            continue
        foreign = member.get("is_stranger") or member.get("team_id") not in {None, team}
        gone = member.get("deleted") or member.get("is_bot") or foreign
        said = f"{address} is no living member of this workspace" if gone else str(member.get("id"))
        found.append(Found(what=what, ok=not gone, said=said))
    return found
