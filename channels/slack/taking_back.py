"""Answers of ours in the threads of customers who were erased: deleted, as far as Slack lets us.

What is to go is noted before the words are gone that say where it stands, and done whenever Slack can be reached. The
note holds a thread and the names of answers in Slack's `metadata`: nothing of anybody. Once they are deleted it is
looked once more, for an answer that was on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog

from channels.slack.api import Api, Refusal, Wait
from channels.slack.letters import PASSING, answer_id
from channels.slack.normal import place_of
from channels.slack.ports import Memory
from channels.slack.work import Work
from router.core.message import Message

log = structlog.get_logger()

PREFIX = "erased:"
ANSWERS_MAX = 500  # named by one note
PAGE = 200
PATIENCE_SECONDS = 300.0
AGAIN_SECONDS = 60.0
GONE = frozenset({"message_not_found", "file_not_found", "file_deleted"})


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that stand in a thread."""

    channel: str
    thread: str
    answers: tuple[str, ...]


_STANDING = msgspec.json.Decoder(Standing)


def notes(messages: Iterable[Message]) -> dict[str, bytes]:
    """What is to be remembered of messages that are erased, by name: those of them that were sent into a thread."""
    found: dict[tuple[str, str], list[str]] = {}
    for message in messages:
        place = place_of(message.to[0].address) if len(message.to) == 1 else None
        if place is not None and message.message_id:
            found.setdefault(place, []).append(answer_id(message.message_id))
    listed = [
        Standing(channel=channel, thread=thread, answers=tuple(answers[start : start + ANSWERS_MAX]))
        for (channel, thread), answers in found.items()
        for start in range(0, len(answers), ANSWERS_MAX)
    ]
    return {f"{PREFIX}{one.channel} {one.thread} {one.answers[0]}": msgspec.json.encode(one) for one in listed}


class TakingBack:
    """One node's. `me`: our own member id."""

    def __init__(self, api: Api, memory: Memory, me: Callable[[], str]) -> None:
        self._api = api
        self._memory = memory
        self._me = me
        self._left: dict[str, Standing] = {}
        self._once: set[str] = set()  # deleted, and to be looked for once more
        self.work: Work[str] = Work("taking back", self._take_back, 1)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was noted."""
        for name, raw in kept.items():
            if name.startswith(PREFIX):
                self.add(name, raw)

    def add(self, name: str, raw: bytes) -> None:
        """Delete what a note says, which is stored already."""
        self._left[name] = _STANDING.decode(raw)
        self.work.mark(name)

    async def _take_back(self, name: str) -> None:
        """Delete the answers of one note. Raises Wait, Refusal, StoreUnavailable, Fenced."""
        one = self._left.get(name)
        if one is None:
            return
        for message in await self._ours(one):
            for file in message.get("files") or ():
                await self._delete("files.delete", {"file": str(file.get("id"))}, one)
            await self._delete("chat.delete", {"channel": one.channel, "ts": str(message.get("ts"))}, one)
        if name not in self._once:
            self._once.add(name)
            raise Wait(AGAIN_SECONDS)
        await self._memory.delete([name])
        self._once.discard(name)
        self._left.pop(name, None)

    async def _ours(self, one: Standing) -> list[dict[str, Any]]:
        """The messages of these answers: their words say so, and the files that came after them are theirs."""
        found: list[dict[str, Any]] = []
        last = ""
        for message in await self._thread(one):
            told = (message.get("metadata") or {}).get("event_payload") or {}
            last = str(told.get("answer") or last)
            files = message.get("user") == self._me() and bool(message.get("files"))
            if last in one.answers and (told.get("answer") or files):
                found.append(message)
        return found

    async def _thread(self, one: Standing) -> list[dict[str, Any]]:
        """All that stands in a thread; nothing where it is out of our reach."""
        arguments = {"channel": one.channel, "ts": one.thread, "limit": PAGE, "include_all_metadata": True}
        found: list[dict[str, Any]] = []
        while True:
            try:
                answer = await self._api.call("conversations.replies", arguments, patience=PATIENCE_SECONDS)
            except Refusal as refusal:
                if refusal.code in PASSING:
                    raise
                if refusal.code != "thread_not_found":
                    _stays(one, refusal)
                return []
            found += answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return found
            arguments["cursor"] = cursor

    async def _delete(self, method: str, arguments: dict[str, str], one: Standing) -> None:
        try:
            await self._api.call(method, arguments, patience=PATIENCE_SECONDS)
        except Refusal as refusal:
            if refusal.code in PASSING:
                raise
            if refusal.code not in GONE:
                _stays(one, refusal)


def _stays(one: Standing, refusal: Refusal) -> None:
    log.warning("slack_answers_stay", channel=one.channel, thread=one.thread, code=refusal.code)
