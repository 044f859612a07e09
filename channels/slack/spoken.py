"""What people type in Slack, as customers are to read it: no entities, no `<…>`, no emoji codes."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.emoji import Emoji

_ANGLE = re.compile(r"<([^<>]*)>")
SOMEONE = "@someone"


def plain(text: str, name_of: Callable[[str], str] = lambda _: "") -> str:
    """Plain text of a message. `name_of` gives the name of a member id, or nothing."""
    shown = _ANGLE.sub(lambda found: _angle(found[1], name_of), text)
    unescaped = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return Emoji.replace(unescaped)


def _angle(inside: str, name_of: Callable[[str], str]) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        name = label or name_of(target[1:])
        return f"@{name}" if name else SOMEONE
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    address = target.removeprefix("mailto:").removeprefix("tel:")
    bare = re.sub(r"^https?://", "", address).rstrip("/")
    if not label or label.rstrip("/") in {address.rstrip("/"), bare}:
        return address
    return f"{label} ({address})"
