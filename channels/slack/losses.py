"""Deeds that Slack or we could not carry out however often they were tried: whoever did one is told, and it is over.

What is lost is remembered until it was told: while Slack is away nobody can be told anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from channels.slack import texts
from channels.slack.api import Api, Doubt, Refusal
from channels.slack.blocks import section
from channels.slack.mrkdwn import cut, date
from channels.slack.people import People
from channels.slack.ports import Memory
from channels.slack.reading import Deed
from channels.slack.threads import Thread
from channels.slack.work import Work

log = structlog.get_logger()

PREFIX = "lost:"
HANDS = 1
DOUBTS_MAX = 3
TOLD = frozenset({"press", "submit", "say", "react", "command"})  # of what else is lost nobody waits for anything


class Lost(msgspec.Struct, kw_only=True):
    """What somebody did, and why nothing came of it. `code`: Slack's word, "": a mistake of ours."""

    key: str
    kind: str
    user: str
    at: int
    code: str = ""
    channel: str = ""
    thread: str = ""


NO_ANSWER = "no_answer"  # what stands for Slack's word where it says none
CODE_MAX = 60

_LOST = msgspec.json.Decoder(Lost)


class Losses:
    """One node's. `at` gives the contact's thread that stands at a (channel, timestamp)."""

    def __init__(self, *, api: Api, people: People, memory: Memory, at: Callable[[str, str], Thread | None]) -> None:
        self._api = api
        self._people = people
        self._memory = memory
        self._at = at
        self._lost: dict[str, Lost] = {}
        self._doubts: dict[str, int] = {}
        self.work: Work[str] = Work("losses", self._tell, HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take up what was not told yet."""
        for name, raw in kept.items():
            if name.startswith(PREFIX):
                self._lost[name] = _LOST.decode(raw)
                self.work.mark(name)

    async def note(self, deed: Deed, code: str) -> None:
        """Nothing came of a deed. Raises StoreUnavailable, Fenced."""
        if deed.kind not in TOLD:
            return
        thread = deed.thread or deed.ts
        lost = Lost(
            key=deed.key, kind=deed.kind, user=deed.user, at=deed.at, code=code, channel=deed.channel, thread=thread
        )
        name = f"{PREFIX}{deed.kind} {deed.key}"
        await self._memory.put(name, msgspec.json.encode(lost))
        self._lost[name] = lost
        self.work.mark(name)

    async def _tell(self, name: str) -> None:
        """Say so in the contact's thread, or in the conversation with the app. Raises Wait, StoreUnavailable."""
        lost = self._lost.get(name)
        if lost is None:
            return
        agent = await self._people.agent_of(lost.user)
        seat = await self._people.found(agent) if agent is not None else None
        if seat is not None:
            thread = self._at(lost.channel, lost.thread)
            inside = thread is not None and thread.channel == seat.dm
            form = texts.LOST_SAID if lost.kind == "say" else texts.LOST_DONE
            text = form.format(when=date(lost.at, texts.WROTE_FORM, "a moment ago"), why=_why(lost.code))
            arguments = {
                "channel": seat.dm,
                "text": text,
                "blocks": [section(text)],
                "thread_ts": lost.thread if inside else None,
                "unfurl_links": False,
                "unfurl_media": False,
            }
            await self._say(name, arguments)
        await self._memory.delete([name])
        self._lost.pop(name, None)
        self._doubts.pop(name, None)

    async def _say(self, name: str, arguments: dict[str, Any]) -> None:
        """Say it; if Slack's answer is lost once more, the first stands there: a double is better than silence."""
        try:
            await self._api.call("chat.postMessage", arguments, urgent=True)
        except Doubt:
            doubts = self._doubts[name] = self._doubts.get(name, 0) + 1
            if doubts < DOUBTS_MAX:
                raise
        except Refusal as refusal:
            log.warning("slack_loss_not_told", code=refusal.code)


def _why(code: str) -> str:
    if code == NO_ANSWER:
        return texts.LOST_NO_ANSWER
    return texts.LOST_BY_SLACK.format(code=cut(code.replace("`", ""), CODE_MAX)) if code else texts.LOST_BY_US
