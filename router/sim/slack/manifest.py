"""What an app may do and is told: its manifest, as an admin pastes it into Slack, read the way Slack reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# An event is only sent to an app that has subscribed to it and holds the scope (docs.slack.dev, "Event types").
EVENT_SCOPES: dict[str, frozenset[str]] = {
    "app_home_opened": frozenset(),
    "app_mention": frozenset({"app_mentions:read"}),
    "file_shared": frozenset({"files:read"}),
    "member_joined_channel": frozenset({"channels:read", "groups:read"}),
    "member_left_channel": frozenset({"channels:read", "groups:read"}),
    "message.channels": frozenset({"channels:history"}),
    "message.groups": frozenset({"groups:history"}),
    "message.im": frozenset({"im:history"}),
    "reaction_added": frozenset({"reactions:read"}),
    "reaction_removed": frozenset({"reactions:read"}),
    "team_join": frozenset({"users:read"}),
    "user_change": frozenset({"users:read"}),
    "user_profile_changed": frozenset({"users:read"}),
    "user_status_changed": frozenset({"users:read"}),
}
ALL_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "chat:write.customize",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:read",
    "reactions:write",
    "team:read",
    "users.profile:read",
    "users:read",
    "users:read.email",
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of an app's manifest that decide what happens."""

    scopes: frozenset[str]
    events: frozenset[str]
    commands: frozenset[str]
    interactive: bool
    sockets: bool
    home_tab: bool
    messages_tab: bool  # people may write to the app
    name: str = "usherd"

    def hears(self, event: str) -> bool:
        """Whether the app is told of such an event (`message.im`, `reaction_added` …)."""
        needed = EVENT_SCOPES[event]
        return event in self.events and (not needed or bool(needed & self.scopes))


def read_manifest(manifest: Mapping[str, Any]) -> Manifest:
    """Read a manifest. Raises ValueError for an event that Slack does not know or an app without bot scopes."""
    features: Mapping[str, Any] = manifest.get("features", {})
    settings: Mapping[str, Any] = manifest.get("settings", {})
    home: Mapping[str, Any] = features.get("app_home", {})
    scopes = frozenset(manifest.get("oauth_config", {}).get("scopes", {}).get("bot", ()))
    events = frozenset(settings.get("event_subscriptions", {}).get("bot_events", ()))
    if not scopes:
        raise ValueError("oauth_config.scopes.bot is missing")
    unknown = sorted(events - EVENT_SCOPES.keys())
    if unknown:
        raise ValueError(f"no such event: {', '.join(unknown)}")
    return Manifest(
        scopes=scopes,
        events=events,
        commands=frozenset(one["command"] for one in features.get("slash_commands", ())),
        interactive=bool(settings.get("interactivity", {}).get("is_enabled", False)),
        sockets=bool(settings.get("socket_mode_enabled", False)),
        home_tab=bool(home.get("home_tab_enabled", False)),
        messages_tab=bool(home.get("messages_tab_enabled", False)) and not home.get("messages_tab_read_only_enabled"),
        name=str(manifest.get("display_information", {}).get("name", "usherd")),
    )


def everything() -> dict[str, Any]:
    """A manifest with every scope and event that this Slack knows, for tests that are about something else."""
    return {
        "display_information": {"name": "usherd"},
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "usherd", "always_online": True},
            "slash_commands": [{"command": "/usherd", "description": "your desk"}],
        },
        "oauth_config": {"scopes": {"bot": list(ALL_SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": sorted(EVENT_SCOPES)},
            "interactivity": {"is_enabled": True},
            "socket_mode_enabled": True,
        },
    }
