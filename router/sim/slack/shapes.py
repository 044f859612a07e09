"""People, channels, messages, files and views as the JSON that Slack sends; held to its own samples by a test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from router.sim.slack.model import TEAM, Channel, File, Json, Message, User, View

APP, BOT, DOMAIN, TEAM_NAME = "A0FAKE001", "B0FAKE001", "fakehouse", "Fake house"
TOKEN = "verification-token-of-old"  # noqa: S105  # Slack still sends it; signatures have taken its place
MIME = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "txt": "text/plain",
    "csv": "text/csv",
    "zip": "application/zip",
    "eml": "message/rfc822",
}


def user_json(user: User, *, with_email: bool = True) -> Json:
    """A person as `users.info` gives them; the address only to those who hold `users:read.email`."""
    zone = ZoneInfo(user.tz)
    offset = datetime.now(UTC).astimezone(zone).utcoffset()
    return {
        "id": user.id,
        "team_id": user.team,
        "name": user.name,
        "deleted": user.deleted,
        "color": "9f69e7",
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz,
        "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
        "profile": profile_json(user, with_email=with_email),
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": user.updated,
        "is_email_confirmed": not user.is_bot,
        "who_can_share_contact_card": "EVERYONE",
        **({"is_stranger": True} if user.team != TEAM else {}),
    }


def profile_json(user: User, *, with_email: bool = True) -> Json:
    """A person's profile, status included."""
    names = user.real_name.split(maxsplit=1)
    profile: Json = {
        "title": "",
        "phone": "",
        "skype": "",
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "status_text": user.status_text,
        "status_emoji": user.status_emoji,
        "status_expiration": user.status_expiration,
        "status_text_canonical": "",
        "avatar_hash": "g0",
        "first_name": names[0] if names else "",
        "last_name": names[1] if len(names) > 1 else "",
        "team": user.team,
    }
    if user.is_bot:
        profile |= {"bot_id": BOT, "api_app_id": APP, "always_active": True}
    elif with_email and user.team == TEAM:
        profile["email"] = user.email
    return profile


def channel_json(channel: Channel, bot: str, *, listed: bool = False, count: bool = False) -> Json:
    """A channel as `conversations.info` gives it; `conversations.list` says a little more, and counts members."""
    common: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_im": channel.kind == "im",
        "is_org_shared": False,
        "context_team_id": TEAM,
        "updated": channel.created * 1000,
    }
    if channel.kind == "im":
        alive = {"is_user_deleted": False} if listed else {}
        return {**common, "user": next(one for one in channel.members if one != bot), **alive}
    return {
        **common,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_mpim": False,
        "is_private": channel.kind == "group",
        "is_general": False,
        "is_shared": bool(channel.shared_with),
        "is_ext_shared": bool(channel.shared_with),
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "pending_connected_team_ids": [],
        "shared_team_ids": [TEAM, *channel.shared_with],
        "is_member": bot in channel.members,
        "unlinked": 0,
        "creator": channel.creator,
        "previous_names": [],
        **({"num_members": len(channel.members)} if listed or count else {}),
        "topic": {"value": channel.topic, "creator": channel.creator, "last_set": channel.created},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def file_json(file: File, base_url: str) -> Json:
    """A file as messages and `files.info` carry it."""
    kind = file.name.rsplit(".", 1)[-1].lower() if "." in file.name else "binary"
    private = f"{base_url}/files-pri/{TEAM}-{file.id}/{file.name}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": MIME.get(kind, "application/octet-stream"),
        "filetype": kind if kind in MIME else "binary",
        "pretty_type": kind.upper() if kind in MIME else "Binary",
        "user": file.user,
        "user_team": TEAM,
        "editable": False,
        "size": file.size,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": False,
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": private,
        "url_private_download": private,
        "permalink": f"{base_url}/files/{file.user}/{file.id}",
        "file_access": "visible",
    }


def file_stub(name: str) -> Json:
    """A file in an event from a shared channel (docs.slack.dev, "Slack Connect")."""
    return {
        "id": name,
        "mode": "file_access",
        "file_access": "check_file_info",
        "created": 0,
        "timestamp": 0,
        "user": "",
    }


def bot_profile() -> Json:
    """Who the app is, as it stands in its messages."""
    return {"id": BOT, "app_id": APP, "name": "usherd", "deleted": False, "updated": 1, "team_id": TEAM}


def message_json(
    message: Message,
    *,
    files: Iterable[Json] = (),
    replies: Iterable[Message] = (),
    parent: Message | None = None,
    metadata: bool = False,
    team: str = TEAM,
) -> Json:
    """A message as histories and events carry it; `replies` if it heads a thread, `parent` if it is in one."""
    said: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": team}
    if team != TEAM:
        said |= {"user_team": team, "source_team": team}
    optional = {
        "subtype": message.subtype,
        "client_msg_id": message.client_msg_id,
        "username": message.username,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "thread_ts": message.thread_ts,
        "files": list(files) or None,
        "metadata": message.metadata if metadata else None,
    }
    said |= {key: value for key, value in optional.items() if value is not None}
    if message.files:
        said |= {"upload": False}
    if message.by_app:
        said |= {"bot_id": BOT, "app_id": APP, "bot_profile": bot_profile()}
    if message.edited is not None:
        said["edited"] = {"user": message.edited[0], "ts": message.edited[1]}
    if message.reactions:
        said["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)} for name, users in message.reactions.items()
        ]
    if parent is not None and parent.ts != message.ts:
        said["parent_user_id"] = parent.user
    return said | _head_of_thread(message, list(replies))


def _head_of_thread(message: Message, replies: list[Message]) -> Json:
    if not replies:
        return {}
    writers = list(dict.fromkeys(one.user for one in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(writers),
        "latest_reply": replies[-1].ts,
        "reply_users": writers,
        "is_locked": False,
        "subscribed": False,
    }


def view_json(view: View, *, state: Json | None = None) -> Json:
    """A view as answers and payloads carry it."""
    sent = view.sent
    home = sent["type"] == "home"
    return {
        "id": view.id,
        "team_id": TEAM,
        "type": sent["type"],
        "blocks": sent["blocks"],
        "private_metadata": sent.get("private_metadata", ""),
        "callback_id": sent.get("callback_id", ""),
        "external_id": sent.get("external_id", ""),
        "state": {"values": {} if state is None else state},
        "hash": view.hash,
        "title": sent.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": bool(sent.get("clear_on_close", False)),
        "notify_on_close": bool(sent.get("notify_on_close", False)),
        "close": None if home else sent.get("close"),
        "submit": None if home else sent.get("submit"),
        "previous_view_id": view.previous,
        "root_view_id": view.root,
        "app_id": APP,
        "app_installed_team_id": TEAM,
        "bot_id": BOT,
    }


def envelope(event: Json, *, event_id: str, at: int, bot: str, shared: bool) -> dict[str, Any]:
    """What an event is wrapped in, over sockets and HTTP alike."""
    return {
        "token": TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": at,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": bot,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{event_id}",
    }
