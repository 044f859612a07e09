"""Posts that are made once.

Each is stored as *sending* first and carries its delivery's id in Slack's `metadata`. Only one whose outcome is in
doubt is looked up; a double that turns up is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from channels.slack.api import Api, Doubt, Refusal, Wait
from channels.slack.blocks import Json
from channels.slack.card import Post
from channels.slack.ports import Memory
from channels.slack.threads import Again, Sending, Thread, Told, digest

log = structlog.get_logger()

CARD = "card"
EVENT = "usherd"
LOOKED_THROUGH = 200  # messages, newest first
AGAIN_MS = 60_000  # after so long a late copy has come, if one comes


def metadata(contact: str, delivery: str) -> Json:
    """What lets a post be found again: in a conversation with many cards, by the contact as well."""
    return {"event_type": EVENT, "event_payload": {"contact": contact, "delivery": delivery}}


class Postings:
    """Posts, updates and deletes in threads. `clock` gives ms."""

    def __init__(self, api: Api, memory: Memory, clock: Callable[[], int]) -> None:
        self._api = api
        self._memory = memory
        self._clock = clock

    async def save(self, thread: Thread) -> None:
        """Remember a thread as it is. Raises StoreUnavailable, Fenced."""
        await self._memory.put(thread.name, msgspec.json.encode(thread))

    async def post(
        self, thread: Thread, delivery: str, post: Post, *, items: Sequence[str] = (), urgent: bool = False
    ) -> None:
        """Make a post once and remember where it stands. Raises Wait, Doubt, Refusal, StoreUnavailable, Fenced."""
        self._api.admit("chat.postMessage", thread.channel, urgent=urgent)
        thread.sending = Sending(delivery, tuple(items))
        await self.save(thread)
        arguments: dict[str, Any] = {
            "channel": thread.channel,
            "text": post.text,
            "blocks": list(post.blocks),
            "metadata": metadata(thread.contact, delivery),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if delivery != CARD:
            arguments["thread_ts"] = thread.ts
        try:
            answer = await self._api.send("chat.postMessage", arguments)
        except Doubt:
            log.warning("slack_post_in_doubt", contact=thread.contact, delivery=delivery)
            raise
        except (Wait, Refusal):
            thread.sending = None  # it was not made, so nothing need be looked up
            await self.save(thread)
            raise
        _adopt(thread, str(answer["ts"]), digest(post.digest))
        await self.save(thread)

    async def settle(self, thread: Thread) -> None:
        """Find out what became of a post whose outcome is unknown; afterwards it is made, or may be made.

        Raises Wait, Refusal, StoreUnavailable, Fenced.
        """
        sending = thread.sending
        if sending is None:
            return
        found = await self._copies(thread, sending.delivery)
        log.info("slack_post_settled", contact=thread.contact, delivery=sending.delivery, found=len(found))
        if found:
            _adopt(thread, found[0], "")
            await self.save(thread)
            for extra in found[1:]:
                await self._delete(thread, extra)
            return
        thread.sending = None
        thread.again.append(Again(sending.delivery, self._clock() + AGAIN_MS))
        await self.save(thread)

    async def late_copies(self, thread: Thread) -> None:
        """Delete copies that turned up of posts that were made anew. Raises like `settle`."""
        due = [one for one in thread.again if one.at <= self._clock()]
        for again in due:
            kept = {thread.ts, *(one.ts for one in thread.told)}
            for ts in await self._copies(thread, again.delivery):
                if ts not in kept:
                    await self._delete(thread, ts)
            thread.again.remove(again)
            await self.save(thread)

    async def _copies(self, thread: Thread, delivery: str) -> list[str]:
        """Where posts of this delivery stand, oldest first."""
        arguments: dict[str, Any] = {
            "channel": thread.channel,
            "limit": LOOKED_THROUGH,
            "include_all_metadata": True,
        }
        found: list[str] = []
        method = "conversations.history" if delivery == CARD else "conversations.replies"
        if delivery != CARD:
            arguments["ts"] = thread.ts
        while True:
            answer = await self._api.call(method, arguments, urgent=True)
            for message in answer.get("messages") or ():
                payload = (message.get("metadata") or {}).get("event_payload") or {}
                if (payload.get("contact"), payload.get("delivery")) == (thread.contact, delivery):
                    found.append(str(message["ts"]))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor or delivery == CARD:
                return sorted(found)
            arguments["cursor"] = cursor

    async def _delete(self, thread: Thread, ts: str) -> None:
        log.warning("slack_double_deleted", contact=thread.contact)
        await self.delete(thread.channel, ts)

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a post of ours; one that is gone is fine. Raises Wait, Refusal."""
        try:
            await self._api.call("chat.delete", {"channel": channel, "ts": ts}, urgent=True)
        except Refusal as refusal:
            if refusal.code != "message_not_found":
                raise

    async def delete_file(self, file: str) -> None:
        """Delete a file of ours; one that is gone is fine. Raises Wait, Refusal."""
        try:
            await self._api.call("files.delete", {"file": file}, urgent=True)
        except Refusal as refusal:
            if refusal.code not in {"file_not_found", "file_deleted"}:
                raise

    async def update(self, channel: str, ts: str, post: Post, *, urgent: bool = False) -> None:
        """Change a post of ours; one that somebody deleted stays so. Raises Wait, Refusal."""
        arguments = {"channel": channel, "ts": ts, "text": post.text, "blocks": list(post.blocks)}
        try:
            await self._api.call("chat.update", arguments, urgent=urgent)
        except Refusal as refusal:
            if refusal.code not in {"message_not_found", "cant_update_message"}:
                raise

    async def react(self, channel: str, ts: str, name: str, *, off: str = "") -> None:
        """Put a reaction on somebody's message, in place of another. Raises Wait, Refusal."""
        for method, emoji in (("reactions.remove", off), ("reactions.add", name)):
            if not emoji:
                continue
            try:
                await self._api.call(method, {"channel": channel, "timestamp": ts, "name": emoji})
            except Refusal as refusal:
                if refusal.code not in {"already_reacted", "no_reaction", "message_not_found", "too_many_reactions"}:
                    raise


def _adopt(thread: Thread, ts: str, shown: str) -> None:
    """The post under way stands at `ts` and shows content with this digest ("": not known)."""
    sending = thread.sending
    thread.sending = None
    if sending is None:
        return
    if sending.delivery == CARD:
        thread.ts, thread.card = ts, shown
    elif sending.items:
        thread.told.append(Told(ts=ts, items=sending.items, digest=shown))
    else:
        thread.news.append(sending.delivery)
