"""The payloads of what people do: clicks, choices, submissions, commands, openings of the home."""

from __future__ import annotations

from router.sim.slack import shapes
from router.sim.slack.model import TEAM, Channel, Json, Message, User, View
from router.sim.slack.values import at_first, has_state
from router.sim.slack.workspace import Workspace

ECHOED = ("text", "value", "style", "confirm", "placeholder", "initial_option", "url")  # of an element, in its action


def common(kind: str, user: User) -> Json:
    """What every interactive payload begins with."""
    return {
        "type": kind,
        "team": {"id": TEAM, "domain": shapes.DOMAIN},
        "enterprise": None,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": shapes.APP,
        "token": shapes.TOKEN,
        "is_enterprise_install": False,
    }


def action_of(element: Json, state: Json | None, at: str) -> Json:
    """One action of a `block_actions` payload."""
    echoed = {key: element[key] for key in ECHOED if key in element}
    named = {"action_id": element["action_id"], "block_id": element["block_id"], "type": element["type"]}
    return {**named, **echoed, **(state or {}), "action_ts": at}


def state_of(elements: list[Json], known: dict[str, dict[str, Json]]) -> dict[str, dict[str, Json]]:
    """What stands in all elements that keep something, by block and action."""
    values: dict[str, dict[str, Json]] = {}
    for element in elements:
        if has_state(element):
            block, action = element["block_id"], element["action_id"]
            values.setdefault(block, {})[action] = known.get(block, {}).get(action) or at_first(element)
    return values


def in_message(space: Workspace, channel: Channel, message: Message, state: Json) -> Json:
    """Where an action took place: on this message."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    where = {"id": channel.id, "name": channel_name(channel)}
    if message.only_for is not None:
        return {"container": container, "channel": where, "state": {"values": state}}
    said = space.json_of(channel, message)
    return {"container": container, "channel": where, "message": said, "state": {"values": state}}


def in_view(view: View, state: Json) -> Json:
    """Where an action took place: in this view."""
    return {"container": {"type": "view", "view_id": view.id}, "view": shapes.view_json(view, state=state)}


def channel_name(channel: Channel) -> str:
    """How payloads name a channel."""
    return {"im": "directmessage", "group": "privategroup"}.get(channel.kind, channel.name)


def command_form(user: User, channel: Channel, command: str, text: str) -> Json:
    """What a slash command sends, but for its trigger and its response_url."""
    return {
        "token": shapes.TOKEN,
        "team_id": TEAM,
        "team_domain": shapes.DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": shapes.APP,
        "is_enterprise_install": "false",
    }


def home_opened(user: User, channel: Channel, tab: str, view: View | None, at: str) -> Json:
    """The event that somebody looks at the app's home or at their conversation with it."""
    event = {"type": "app_home_opened", "user": user.id, "channel": channel.id, "tab": tab, "event_ts": at}
    return {**event, "view": shapes.view_json(view)} if view is not None and tab == "home" else event
