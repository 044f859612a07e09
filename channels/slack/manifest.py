"""The app as Slack is to make it: what it may do, each with its reason, and what it is told."""

from __future__ import annotations

from typing import Any

SCOPES = {
    "chat:write": "post and change cards and notices, answer one person alone",
    "chat:write.customize": "answers to customers stand under the agent's name; without it, the name stands in them",
    "im:write": "open the conversation between an agent and the app",
    "im:history": "hear what agents write in its threads; find a post of its own whose outcome is in doubt",
    "users:read": "know of a click whether its maker is a living member of this workspace",
    "users:read.email": "find agents by the address that the workspace's YAML names",
    "commands": "take `/usherd`",
    "reactions:read": "emoji on a card accept and resolve",
    "reactions:write": "mark an agent's answer as delivered or not",
    "files:read": "fetch the files that an agent sends with an answer, or a customer with a message",
    "files:write": "put a customer's files into the agent's thread when asked to, an agent's into the customer's",
    "channels:history": "hear customers in their channels; find a post of its own there whose outcome is in doubt",
    "groups:history": "the same, where a channel is private",
}
OPTIONAL = frozenset({"chat:write.customize"})  # all works without it
EVENTS = {
    "app_home_opened": "an agent looks at the app's Home",
    "message.im": "an agent writes in a thread",
    "message.channels": "a customer writes in a channel that the app was invited to",
    "message.groups": "the same, where that channel is private",
    "reaction_added": "an agent puts an emoji on a card",
    "user_change": "a member's address changed, or they left: who is who is asked anew",
}
COMMAND = "/usherd"


def manifest(url: str = "") -> dict[str, Any]:
    """The app's manifest. `url`: where Slack is to call /slack/events; "": Socket Mode."""
    command = {"command": COMMAND, "description": "your status, the queue, and help", "usage_hint": "help"}
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    if url:
        address = f"{url.rstrip('/')}/slack/events"
        command["url"] = events["request_url"] = interactivity["request_url"] = address
    return {
        "display_information": {"name": "usherd", "description": "Customers' contacts, one thread each"},
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "usherd", "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }
