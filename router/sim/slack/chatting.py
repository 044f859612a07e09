"""The methods `chat.*` and `reactions.*`."""

from __future__ import annotations

from typing import Any

from router.sim.slack.asking import Asked, Refused, invalid, method
from router.sim.slack.blocks import message_too_long, problems_of_blocks
from router.sim.slack.model import Channel, Json, Message, filled

TEXT_MAX = 40_000
UPDATE_MAX = 4_000
ATTACHMENTS_MAX = 100
# What the message in the answer of chat.update does not have, unlike that in a history.
NOT_AFTER_UPDATE = frozenset(
    {"ts", "thread_ts", "reply_count", "reply_users", "reply_users_count", "latest_reply", "is_locked", "subscribed"}
)
POST = "channel text blocks attachments thread_ts metadata unfurl_links unfurl_media mrkdwn parse link_names \
reply_broadcast username icon_url icon_emoji as_user"


@method("chat.postMessage", tier=None, args=POST)
def _post(asked: Asked) -> Json:
    asked.need("chat:write")
    channel, space = asked.channel(), asked.space
    content = content_of(asked, TEXT_MAX)
    thread = thread_of(asked, channel)
    if {"username", "icon_url", "icon_emoji"} & asked.args.keys():
        asked.need("chat:write.customize")
    asked.message_goes_to(channel)
    message = space.new_message(
        channel,
        space.bot,
        content["text"],
        blocks=content["blocks"],
        attachments=content["attachments"],
        thread_ts=thread,
        metadata=content["metadata"],
        by_app=True,
        username=asked.string("username", "") or None,
        subtype="bot_message" if asked.string("username", "") else None,
        unfurl=asked.flag("unfurl_links") or asked.flag("unfurl_media", default=True),
        broadcast=asked.flag("reply_broadcast"),
    )
    space.post(channel, message)
    said = space.json_of(channel, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": said}


@method("chat.postEphemeral", tier=4, args="channel user text blocks attachments thread_ts parse link_names as_user")
def _whisper(asked: Asked) -> Json:
    asked.need("chat:write")
    channel, space = asked.channel(), asked.space
    whom = asked.user()
    if whom.id not in channel.members:
        raise Refused("user_not_in_channel")
    content = content_of(asked, TEXT_MAX)
    if space.bot not in channel.members:
        raise Refused("not_in_channel")
    message = space.new_message(
        channel,
        space.bot,
        content["text"],
        blocks=content["blocks"],
        attachments=content["attachments"],
        thread_ts=thread_of(asked, channel),
        by_app=True,
        only_for=whom.id,
    )
    space.whisper(message)
    return {"message_ts": message.ts}


@method("chat.update", tier=3, args="channel ts text blocks attachments metadata parse link_names as_user file_ids")
def _update(asked: Asked) -> Json:
    asked.need("chat:write")
    channel, space = asked.channel(), asked.space
    message = own_message(asked, channel, "cant_update_message")
    content = content_of(asked, UPDATE_MAX, update=True)
    given: dict[str, Any] = {name: content[name] for name in ("blocks", "attachments") if name in asked.args}
    if "text" in asked.args:
        given["text"] = content["text"]
    if "metadata" in asked.args:
        given["metadata"] = content["metadata"] or None
    space.change(channel, message, space.bot, **given)
    said = {key: value for key, value in space.json_of(channel, message).items() if key not in NOT_AFTER_UPDATE}
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": said}


@method("chat.delete", tier=3, args="channel ts as_user")
def _delete(asked: Asked) -> Json:
    asked.need("chat:write")
    channel = asked.channel()
    message = own_message(asked, channel, "cant_delete_message")
    asked.space.delete(channel, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.getPermalink", tier=None, args="channel message_ts")
def _link(asked: Asked) -> Json:
    channel = asked.channel()
    message = asked.space.find(channel, asked.string("message_ts", missing="message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    link = f"{asked.space.base_url()}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": link}


@method("reactions.add", tier=3, args="channel name timestamp")
def _react(asked: Asked) -> Json:
    return _reaction(asked, remove=False)


@method("reactions.remove", tier=2, args="channel name timestamp")
def _unreact(asked: Asked) -> Json:
    return _reaction(asked, remove=True)


def _reaction(asked: Asked, *, remove: bool) -> Json:
    asked.need("reactions:write")
    channel = asked.channel()
    name = asked.string("name", missing="no_reaction" if remove else "invalid_name").strip(":")
    message = asked.space.find(channel, asked.string("timestamp", missing="no_item_specified"))
    if message is None:
        raise Refused("message_not_found")
    if not asked.space.react(channel, message, asked.space.bot, name, remove=remove):
        raise Refused("no_reaction" if remove else "already_reacted")
    return {}


def own_message(asked: Asked, channel: Channel, error: str) -> Message:
    """The app's own message that `ts` names."""
    message = asked.space.find(channel, asked.string("ts", missing="message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    if message.user != asked.space.bot or message.subtype == "tombstone":
        raise Refused(error)
    return message


def thread_of(asked: Asked, channel: Channel) -> str | None:
    """The thread that a message goes to: the head of the thread even if a reply is named."""
    wanted = asked.string("thread_ts", "")
    if not wanted:
        return None
    head = asked.space.find(channel, wanted)
    if head is None:
        raise Refused("thread_not_found")
    return head.thread_ts or head.ts


def content_of(asked: Asked, most: int, *, update: bool = False) -> Json:
    """The text, blocks, attachments and metadata of a message, as far as Slack takes them."""
    text = asked.string("text", "")
    blocks = asked.structure("blocks", error="invalid_blocks_format")
    attachments = asked.structure("attachments", error="invalid_attachments")
    if not text and not blocks and not attachments and not (update and "metadata" in asked.args):
        raise Refused("no_text")
    if len(text) > most:
        raise Refused("msg_too_long")
    if attachments is not None and (not isinstance(attachments, list) or len(attachments) > ATTACHMENTS_MAX):
        raise Refused("too_many_attachments" if isinstance(attachments, list) else "invalid_attachments")
    return {
        "text": text,
        "blocks": checked_blocks(blocks),
        "attachments": attachments or None,
        "metadata": _metadata(asked),
    }


def checked_blocks(blocks: object) -> list[Json] | None:
    """The blocks of a message with the ids that Slack gives. Raises Refused."""
    if not blocks:
        return None
    problems = problems_of_blocks(blocks, "message")
    if problems:
        messages = [f"[ERROR] {one}" for one in problems]
        raise Refused("invalid_blocks", errors=problems, response_metadata={"messages": messages})
    assert isinstance(blocks, list)
    if message_too_long(blocks):
        raise Refused("msg_blocks_too_long")
    return filled(blocks)


def _metadata(asked: Asked) -> Json | None:
    value = asked.structure("metadata", error="invalid_metadata_format")
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or value.keys() != {"event_type", "event_payload"}:
        raise invalid("event_type and event_payload", error="invalid_metadata_schema")
    return value
