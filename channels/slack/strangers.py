"""Somebody who is no agent does something at the desk: nothing is done, they are told, and the try is journaled."""

from __future__ import annotations

import structlog

from channels.slack import texts
from channels.slack.answering import Answering
from channels.slack.asking import WORDS
from channels.slack.homes import Homes
from channels.slack.reading import Deed
from router.desk.ports import Commands

log = structlog.get_logger()

AUDITED = frozenset(
    {"accept", "decline", "take", "resolve", "wake", "reopen", "let_in", "leave", "unblock"}
)  # under their own names
TRIED_MAX = 40  # characters of what was tried


class Strangers:
    """Deals with them."""

    def __init__(self, *, commands: Commands, answering: Answering, homes: Homes) -> None:
        self._commands = commands
        self._answering = answering
        self._homes = homes

    async def refuse(self, deed: Deed) -> None:
        """Tell whoever it was. Raises TransientError, Wait, Refusal."""
        log.warning("slack_not_an_agent", user=deed.user, did=deed.kind, action=deed.action)
        if deed.kind == "home":  # to look is no try
            await self._homes.stranger(deed.user)
            return
        who = f"slack:{deed.user}"
        if deed.kind == "press" and deed.action in AUDITED:
            fields: dict[str, object] = {name: deed.value[name] for name in ("contact", "offer") if name in deed.value}
            await self._commands.act(who, deed.action, fields, deed.key)
        else:
            await self._commands.act(who, "tried", {"reason": _tried(deed)}, deed.key)
        if deed.kind not in {"edit", "delete"}:
            await self._answering.say(deed, texts.NOT_AN_AGENT)


def _tried(deed: Deed) -> str:
    """What it was, in words of ours."""
    word = deed.text.partition(" ")[0].casefold()
    action = deed.action if deed.kind != "command" else word if word in WORDS else "other"
    return f"{deed.kind} {action}".strip()[:TRIED_MAX]
