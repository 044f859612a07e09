"""Trigger ids and response URLs: what an app may do for a short while after somebody has clicked or typed a command."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from router.sim.slack.asking import Refused
from router.sim.slack.chatting import checked_blocks
from router.sim.slack.model import Channel, Message
from router.sim.slack.rules import Rules
from router.sim.slack.workspace import Workspace


@dataclass(slots=True)
class Turn:
    """A click or a command: who did it, where, on which message."""

    user: str
    channel: Channel
    message: Message | None
    until: float
    left: int


class Turns:
    """What people did a moment ago."""

    def __init__(self, space: Workspace, rules: Rules) -> None:
        self._space = space
        self._rules = rules
        self._triggers: dict[str, tuple[str, float]] = {}
        self._used: set[str] = set()
        self._turns: dict[str, Turn] = {}

    def trigger(self, user: str) -> str:
        """A trigger_id, good for three seconds and one view."""
        name = f"{len(self._triggers) + 1}.{int(self._space.now() * 1000)}.{secrets.token_hex(16)}"
        self._triggers[name] = (user, self._space.now() + self._rules.trigger)
        return name

    def exchange(self, trigger: object) -> str:
        """Give the user of a trigger_id, once."""
        if not isinstance(trigger, str) or trigger not in self._triggers:
            raise Refused("invalid_trigger_id" if trigger else "invalid_arguments")
        if trigger in self._used:
            raise Refused("exchanged_trigger_id")
        user, until = self._triggers[trigger]
        if self._space.now() > until:
            raise Refused("expired_trigger_id")
        self._used.add(trigger)
        return user

    def address(self, user: str, channel: Channel, message: Message | None) -> str:
        """A response_url, good for half an hour and five uses."""
        name = secrets.token_hex(12)
        until = self._space.now() + self._rules.response_url
        self._turns[name] = Turn(user, channel, message, until, self._rules.response_url_uses)
        return f"{self._space.base_url()}/actions/{name}"

    def respond(self, name: str, body: object) -> None:
        """Do what an app posts to a response_url. Raises Refused."""
        turn = self._turns.get(name)
        if not isinstance(body, dict):
            raise Refused("invalid_payload")
        if turn is None or turn.until < self._space.now():
            raise Refused("expired_url")
        if turn.left <= 0:
            raise Refused("used_url")
        turn.left -= 1
        if body.get("delete_original"):
            self._delete(turn)
            return
        blocks = checked_blocks(body.get("blocks"))
        text = body.get("text", "")
        if not blocks and not text:
            raise Refused("no_text")
        if body.get("replace_original") and turn.message is not None:
            self._replace(turn.channel, turn.message, text, blocks)
        else:
            self.say(turn.user, turn.channel, {**body, "blocks": blocks})

    def say(self, user: str, channel: Channel, body: dict[str, Any]) -> None:
        """Show an answer to who acted, or `in_channel` to all."""
        space = self._space
        message = space.new_message(
            channel,
            space.bot,
            str(body.get("text", "")),
            blocks=body.get("blocks"),
            thread_ts=body.get("thread_ts"),
            by_app=True,
        )
        if body.get("response_type") == "in_channel":
            space.post(channel, message)
        else:
            message.only_for = user
            space.whisper(message)

    def _delete(self, turn: Turn) -> None:
        message = turn.message
        if message is not None and message in self._space.whispers:
            self._space.whispers.remove(message)
            self._space.changed()
        elif message is not None and message.ts in turn.channel.messages:
            self._space.delete(turn.channel, turn.channel.messages[message.ts])

    def _replace(self, channel: Channel, message: Message, text: str, blocks: list[dict[str, Any]] | None) -> None:
        if message in self._space.whispers:
            message.text, message.blocks = text, blocks
            self._space.changed()
        elif message.ts in channel.messages:
            self._space.change(channel, channel.messages[message.ts], self._space.bot, text=text, blocks=blocks)
