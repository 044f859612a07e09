"""What people wrote while nobody listened: Slack gives an event up after six minutes, so it is read from the threads.

Agents' threads are read, and customers' channels whole: what was said there, and what was worded anew. A message has
the same key whether Slack sent it or it was read, so that what came both ways is one.

What was deleted is seen by comparing, after a gap in which Slack may have given that up: what stands at the desk and no
longer in its thread. It counts only where something older still stands in the channel, for a workspace may let
messages go by age, and on a free plan none are shown after a while; nobody deleted those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from channels.slack.api import Api, Refusal
from channels.slack.comparing import Had
from channels.slack.people import People
from channels.slack.work import Work

log = structlog.get_logger()

HANDS = 1
CHANNEL = "#"  # no agent's name begins so
COMPARED = "-"  # nor so
LOST_MS = 60_000  # an event is sent again after a minute
PATIENCE_SECONDS = 300.0  # nobody waits for it, and who began anew at every limit would never come to an end
PAGES_MAX = 5
PAGE = 200
MARGIN_MS = 60_000  # clocks differ, and what came last may not have been stored

Take = Callable[[Mapping[str, Any]], Awaitable[object]]
Known = Callable[[str], Awaitable[Mapping[str, Sequence[Had]]]]  # what should stand in a channel, by thread


class CatchingUp:
    """One node's. `take` stores a payload as if Slack had sent it.

    `agents` lists those to read after, `channels` the ids of customers' channels.
    """

    def __init__(
        self,
        *,
        api: Api,
        people: People,
        take: Take,
        agents: Callable[[], list[str]],
        channels: Callable[[], Sequence[str]],
        known: Known,
    ) -> None:
        self._api = api
        self._people = people
        self._take = take
        self._agents = agents
        self._channels = channels
        self._known = known
        self._left: dict[str, tuple[str, dict[str, Sequence[Had]]]] = {}  # by channel: its oldest, and what to compare
        self._since: dict[str, int] = {}
        self.work: Work[str] = Work("catching up", self._read, HANDS)

    def begin(self, since: int, now: int) -> None:
        """Read what was written since an instant until now (ms)."""
        log.info("slack_catches_up", since=since)
        for key in (*self._agents(), *(f"{CHANNEL}{channel}" for channel in self._channels())):
            self._since[key] = min(since - MARGIN_MS, self._since.get(key, since))
            self.work.mark(key)
        for channel in self._channels() if now - since > LOST_MS else ():
            self._left.pop(channel, None)
            self.work.mark(f"{COMPARED}{channel}")

    async def _read(self, key: str) -> None:
        """Read one agent's threads, or one channel, or compare it. Raises Wait, Refusal, StoreUnavailable."""
        if key.startswith(COMPARED):
            await self._compare(key.removeprefix(COMPARED))
            return
        if key.startswith(CHANNEL):
            await self._read_channel(key.removeprefix(CHANNEL), _timestamp(self._since.get(key, 0)))
            self._since.pop(key, None)
            return
        agent = key
        seat, since = self._people.seat(agent), self._since.get(agent)
        if seat is None or not seat.dm or since is None:
            return
        after = _timestamp(since)
        for head in await self._heads(seat.dm):
            if str(head.get("latest_reply") or "") > after:
                for message in await self._replies(seat.dm, str(head["ts"]), after):
                    if message.get("user") == seat.user and str(message.get("ts")) > after:
                        await self._tell(seat.dm, "im", message)
        self._since.pop(agent, None)

    async def _read_channel(self, channel: str, after: str) -> None:
        """Read what was said or worded anew in a channel after an instant, thread by thread, oldest first."""
        for head in reversed(await self._heads(channel)):
            messages = [head]
            if str(head.get("latest_reply") or "") > after:
                messages += await self._replies(channel, str(head["ts"]), after)
            for message in messages:
                if str(message.get("ts")) > after:
                    await self._tell(channel, "channel", message)
                if _edited(message) > after:  # also of one that came in before, a moment ago
                    await self._tell_edit(channel, message)

    async def _compare(self, channel: str) -> None:
        """Tell of what is gone from a channel's threads; what was compared once is not read again after a Wait."""
        if channel not in self._left:
            oldest = min((str(one.get("ts")) for one in await self._heads(channel)), default="")
            self._left[channel] = (oldest, dict(await self._known(channel)) if oldest else {})
        oldest, left = self._left[channel]
        while left:
            thread = next(iter(left))
            there = await self._standing(channel, thread)
            gone = [one for one in left[thread] if one.ts not in there and one.ts > oldest] if there is not None else []
            for one in gone:
                await self._tell_gone(channel, thread, one)
            del left[thread]
        self._left.pop(channel, None)

    async def _standing(self, channel: str, thread: str) -> set[str] | None:
        """What stands in a thread; None if it is too long to be read to its end."""
        arguments = {"channel": channel, "ts": thread, "limit": PAGE, "cursor": None}
        found: set[str] = set()
        for _ in range(PAGES_MAX):
            try:
                answer = await self._api.call("conversations.replies", arguments, patience=PATIENCE_SECONDS)
            except Refusal as refusal:
                if refusal.code == "thread_not_found":
                    return set()
                raise
            messages = answer.get("messages") or ()
            found |= {str(one.get("ts")) for one in messages if one.get("subtype") != "tombstone"}
            arguments["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if arguments["cursor"] is None:
                return found
        return None

    async def _tell_gone(self, channel: str, thread: str, one: Had) -> None:
        before = {"user": one.user, "ts": one.ts, "thread_ts": thread, "text": ""}
        event = {"type": "message", "subtype": "message_deleted", "channel": channel, "channel_type": "channel"}
        gone = {**event, "deleted_ts": one.ts, "previous_message": before}
        await self._take({"type": "event_callback", "event_id": f"{channel} {one.ts} gone", "event": gone})

    async def _tell(self, channel: str, kind: str, message: Mapping[str, Any]) -> None:
        event = {**message, "type": "message", "channel": channel, "channel_type": kind}
        await self._take({"type": "event_callback", "event_id": "", "event": event})

    async def _tell_edit(self, channel: str, message: Mapping[str, Any]) -> None:
        before = {
            name: message.get(name) for name in ("user", "bot_id", "ts", "thread_ts")
        }  # what it said is not known
        event = {"type": "message", "subtype": "message_changed", "channel": channel, "channel_type": "channel"}
        key = f"{channel} {message.get('ts')} {_edited(message)}"
        changed = {**event, "message": message, "previous_message": before}
        await self._take({"type": "event_callback", "event_id": key, "event": changed})

    async def _replies(self, channel: str, thread: str, after: str) -> list[Mapping[str, Any]]:
        """What was said in a thread after an instant, or worded anew, but for its head."""
        arguments = {"channel": channel, "ts": thread, "limit": PAGE, "cursor": None}
        found: list[Mapping[str, Any]] = []
        for _ in range(PAGES_MAX):
            answer = await self._api.call("conversations.replies", arguments, patience=PATIENCE_SECONDS)
            found += [
                one
                for one in answer.get("messages") or ()
                if str(one.get("ts")) not in {"", thread} and max(str(one.get("ts")), _edited(one)) > after
            ]
            arguments["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if arguments["cursor"] is None:
                break
        return found

    async def _heads(self, channel: str) -> list[Mapping[str, Any]]:
        """The first messages of a conversation's threads, newest first, as far back as is looked."""
        found: list[Mapping[str, Any]] = []
        cursor = None
        for _ in range(PAGES_MAX):
            arguments = {"channel": channel, "limit": PAGE, "cursor": cursor}
            answer = await self._api.call("conversations.history", arguments, patience=PATIENCE_SECONDS)
            found += answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                break
        return found


def _timestamp(instant: int) -> str:
    return f"{instant // 1000}.{instant % 1000:03d}000"


def _edited(message: Mapping[str, Any]) -> str:
    return str((message.get("edited") or {}).get("ts") or "")
