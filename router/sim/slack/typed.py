"""What Slack makes of what a person types: `&<>` escaped, addresses and links in brackets, names and emoji as codes.

An app that hands such text on to somebody outside has to undo it, so the fake does it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

from router.sim.slack.model import Channel, Json, User

EMOJI = {"🙂": "slightly_smiling_face", "👍": "+1", "🎉": "tada", "❤️": "heart", "👀": "eyes", "✅": "white_check_mark"}
WORD = re.compile(
    r"(?P<url>https?://[^\s<>|]+)"
    r"|(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?<![\w/.@-])(?P<site>(?:[\w-]+\.)+(?:com|org|net|de|io|example)(?:/[^\s<>|]*)?)"
    r"|(?<!\w)@(?P<name>[a-z0-9._-]+)"
    r"|(?<!\w)#(?P<channel>[a-z0-9_-]+)"
)


def typed(text: str, users: Iterable[User], channels: Iterable[Channel]) -> str:
    """Give the text as Slack stores it."""
    people = {one.name: one.id for one in users}
    places = {one.name: one.id for one in channels if one.kind != "im"}

    def word(match: re.Match[str]) -> str:
        whole = match[0]
        if match["url"]:
            return f"<{whole}>"
        if match["mail"]:
            return f"<mailto:{whole}|{whole}>"
        if match["site"]:
            return f"<http://{whole}|{whole}>"
        if match["name"]:
            if match["name"] in {"here", "channel", "everyone"}:
                return f"<!{match['name']}>"
            return f"<@{people[match['name']]}>" if match["name"] in people else whole
        return f"<#{places[match['channel']]}|>" if match["channel"] in places else whole

    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    linked = WORD.sub(word, escaped)
    for sign, name in EMOJI.items():
        linked = linked.replace(sign, f":{name}:")
    return linked


def rich(text: str, seed: str) -> list[Json]:
    """The rich_text block that Slack puts beside what a person typed."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "block_id": seed[-5:], "elements": [section]}]


def client_id(seed: str) -> str:
    """The id that a person's client gives to a message."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, seed))
