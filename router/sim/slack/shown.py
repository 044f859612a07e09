"""What the page shows a person: channels, messages, home, modals, with every text already read into spans.

The page itself never reads markup: it makes text nodes of spans, so nothing anybody wrote can become part of the page.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from router.sim.slack.acting import state_of
from router.sim.slack.model import Channel, Json, Message, View
from router.sim.slack.mrkdwn import plain_spans, spans
from router.sim.slack.people import Person

if TYPE_CHECKING:
    from router.sim.slack.fake import FakeSlack

MESSAGES_MAX = 300  # of a channel, the newest


def workspace_shown(slack: FakeSlack, person: Person) -> Json:
    """Everything one person sees now."""
    space = slack.space
    mine = [one for one in space.channels.values() if person.id in one.members and one.kind != "im"]
    dm = person.dm
    return {
        "version": slack.version,
        "me": {"id": person.id, "name": person.user.name, "status": person.user.status_emoji},
        "app": {"id": slack.bot, "name": space.users[slack.bot].name},
        "people": {one.id: one.name for one in space.users.values()},
        "channels": [channel_shown(slack, person, one) for one in [dm, *mine]],
        "others": [
            {"id": one.id, "name": one.name}
            for one in space.channels.values()
            if one.kind == "channel" and person.id not in one.members
        ],
        "commands": sorted(space.manifest.commands),
        "home": view_shown(person.home) if person.home is not None else None,
        "modals": [view_shown(one) for one in space.modals.get(person.id, [])],
        "sockets": slack.sockets.count,
    }


def channel_shown(slack: FakeSlack, person: Person, channel: Channel) -> Json:
    """A channel with its newest messages."""
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "shared": bool(channel.shared_with),
        "messages": [message_shown(slack, person, one) for one in person.sees(channel)[-MESSAGES_MAX:]],
    }


def message_shown(slack: FakeSlack, person: Person, message: Message) -> Json:
    """A message as it is drawn."""
    channel = slack.space.channels[message.channel]
    # Slack draws the blocks; the text beside them is for notifications only.
    text = None if message.blocks else {"spans": spans(message.text, verbatim=True)}
    return {
        "ts": message.ts,
        "user": message.user,
        "called": message.username or "",
        "mine": message.user == person.id,
        "raw": message.said if message.user == person.id and message.blocks else "",
        "thread": message.thread_ts or message.ts,
        "replies": len(channel.threads(message.ts)) - 1 if message.thread_ts in {None, message.ts} else 0,
        "only_you": message.only_for is not None,
        "edited": message.edited is not None,
        "text": text,
        "blocks": [block_shown(one) for one in message.blocks or ()],
        "files": [{"id": one, "name": slack.space.files[one].name} for one in message.files],
        "reactions": [
            {"name": name, "count": len(users), "mine": person.id in users} for name, users in message.reactions.items()
        ],
    }


def view_shown(view: View) -> Json:
    """A view as it is drawn, with what stands in its fields."""
    sent = view.sent
    return {
        "id": view.id,
        "hash": view.hash,
        "title": sent["title"]["text"] if sent.get("title") else "",
        "submit": sent["submit"]["text"] if sent.get("submit") else "",
        "close": sent["close"]["text"] if sent.get("close") else "",
        "blocks": [block_shown(one) for one in view.blocks],
        "state": state_of(view.elements, view.entered),
    }


def block_shown(part: Json) -> Json:
    """A block, or a part of one, in which each text object has become its spans."""
    if part.get("type") == "rich_text":
        return {"type": "rich_text", "spans": _rich(part)}
    return {key: _shown(value) for key, value in part.items()}


def _shown(value: object) -> object:
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "mrkdwn":
        return {"spans": spans(value["text"], verbatim=bool(value.get("verbatim")))}
    if value.get("type") == "plain_text":
        said = html.unescape(value["text"])  # Slack reads its escapes in plain text too
        return {"spans": plain_spans(said, emoji=value.get("emoji", True)), "said": said}
    return {key: _shown(one) for key, one in value.items()}


def _rich(part: Json) -> list[Json]:
    """The text of what a person typed."""
    found: list[Json] = []
    for section in part["elements"]:
        for one in section.get("elements", ()):
            if one.get("type") == "text":
                found += plain_spans(one["text"])
    return found
