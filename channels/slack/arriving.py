"""What people did, from the moment it is on disk until it is carried out: each once, those of one contact in order.

A deed is stored under Slack's own id for it before Slack is told that it came. What a crash leaves undone is done after
the next start; the desk's commands have the same id as their key, so that nothing is done twice.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog

from channels.slack.api import Doubt, Refusal, Wait
from channels.slack.losses import NO_ANSWER
from channels.slack.ports import Memory
from channels.slack.reading import Deed, read
from channels.slack.work import URGENT, Work
from router.core.errors import Fenced, StoreUnavailable, TransientError

log = structlog.get_logger()

PREFIX = "in:"
HANDS = 16
APART_HANDS = 6
TRIES_MAX = 3  # of a deed on which we fail ourselves
DOUBTS_MAX = 6  # of one that Slack neither does nor refuses: after two seconds, then twice as long, a minute in all
DONE_KEPT = 5_000
AMENDS = frozenset({"edit", "delete"})
WRITTEN = frozenset({"say", "edit", "delete"})
NOT_SENT_AGAIN = frozenset({"press", "submit", "command"})  # what Slack shows as failed

_DEED = msgspec.json.Decoder(Deed)


class Arrivals:
    """Stores deeds and has them carried out. `clock` gives ms."""

    def __init__(
        self,
        *,
        memory: Memory,
        carry_out: Callable[[Deed], Awaitable[None]],
        concerns: Callable[[Deed], bool],
        lane_of: Callable[[Deed], str],
        apart: Callable[[Deed], bool],
        lose: Callable[[Deed, str], Awaitable[None]],
        clock: Callable[[], int],
        bot: str,
    ) -> None:
        """`concerns`: whether a deed is any of ours, asked before it is stored.

        `lane_of`: deeds of one lane are done in order. `apart`: whether one is done by hands of its own, so that many
        of its kind hold up nobody at the desk. `lose`: a deed of which nothing came, and Slack's word for why. `bot`:
        our own member id, whose deeds are none.
        """
        self._concerns = concerns
        self._lane_of = lane_of
        self._apart = apart
        self._lose = lose
        self._memory = memory
        self._carry_out = carry_out
        self._clock = clock
        self._bot = bot
        self._lanes: dict[str, deque[Deed]] = {}
        self._waiting: set[str] = set()
        self._done: OrderedDict[str, None] = OrderedDict()
        self._tries: dict[str, int] = {}
        self._failed: set[str] = set()  # shown as failed, and perhaps stored
        self.work: Work[str] = Work("deeds", self._lane, HANDS)
        self.work_apart: Work[str] = Work("messages", self._lane, APART_HANDS)

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take up what an earlier process left undone, oldest first."""
        left = [_DEED.decode(raw) for name, raw in kept.items() if name.startswith(PREFIX)]
        for deed in sorted(left, key=lambda one: (one.at, one.ts)):
            self._queue(deed)

    async def take(self, payload: Mapping[str, Any]) -> list[Deed]:
        """Store what is in a payload; when this returns Slack may be told. Raises StoreUnavailable."""
        found = read(payload, self._bot)
        for deed in found:
            deed.at, deed.apart = self._clock(), self._apart(deed)
            name = _name(deed)
            if name in self._done or name in self._waiting or not self._concerns(deed):
                continue
            self._failed.discard(name)
            if await self._amended(deed, name):
                continue
            try:
                await self._memory.add(name, msgspec.json.encode(deed))
            except StoreUnavailable:
                if deed.kind in NOT_SENT_AGAIN:
                    self._failed.add(name)
                raise
            self._queue(deed)  # also what was there: perhaps the store kept it and could not say so
        return found

    async def _amended(self, deed: Deed, name: str) -> bool:
        """Whether what was changed or deleted has not gone out yet: then it goes out so, or not at all.

        What a customer changed is told as such. Raises StoreUnavailable, Fenced.
        """
        if deed.kind not in AMENDS or deed.apart:
            return False
        lane = self._lanes.get(self._lane_of(deed), ())
        held = next(
            (one for one in lane if one.kind == "say" and (one.channel, one.ts) == (deed.channel, deed.ts)), None
        )
        if held is None or held.going:
            return False
        text, undone = held.text, held.undone
        held.text, held.undone = (deed.text, undone) if deed.kind == "edit" else (text, True)
        try:
            await self.keep(held)
        except StoreUnavailable:
            held.text, held.undone = text, undone
            raise
        self._done[name] = None
        self.work.mark(self._lane_of(held), URGENT)
        return True

    def held(self, key: str) -> Deed | None:
        """What was sent from a window and is not carried out yet, by its key."""
        waiting = (one for lane in self._lanes.values() for one in lane)
        return next((one for one in waiting if one.kind == "submit" and one.key == key), None)

    async def forget_failed(self) -> None:
        """Forget clicks that failed in front of their makers: the store may have kept them. Raises like `keep`."""
        names = [name for name in self._failed if name not in self._waiting]
        if names:
            await self._memory.delete(names)
            self._failed.difference_update(names)

    def _queue(self, deed: Deed) -> None:
        name = _name(deed)
        if name not in self._waiting:
            self._waiting.add(name)
            lane = self._lane_of(deed)
            queue = self._lanes.setdefault(lane, deque())
            if deed.kind not in WRITTEN:
                for one in queue:
                    one.hurry = True  # who goes on is not held up by what they wrote before
            queue.append(deed)
            (self.work_apart if deed.apart else self.work).mark(lane, URGENT)

    async def _lane(self, lane: str) -> None:
        """Carry out what stands in a lane, in order."""
        queue = self._lanes.get(lane)
        while queue:
            deed = queue[0]
            await self._one(deed)
            name = _name(deed)
            await self._memory.delete([name])
            queue.popleft()
            self._waiting.discard(name)
            self._tries.pop(name, None)
            self._done[name] = None
            while len(self._done) > DONE_KEPT:
                self._done.popitem(last=False)
        self._lanes.pop(lane, None)

    async def _one(self, deed: Deed) -> None:
        """Carry one out, or give it up: what cannot be done holds up what comes after it no longer."""
        try:
            await self._carry_out(deed)
        except Doubt as doubt:  # Slack is there, and does not do it
            tries = self._tried(deed)
            if tries < DOUBTS_MAX:
                raise Wait(doubt.seconds * 2 ** (tries - 1)) from None
            log.warning("slack_deed_given_up", deed=deed.kind, action=deed.action)
            await self._lose(deed, NO_ANSWER)
        except (Wait, Fenced, TransientError):
            raise
        except Refusal as refusal:
            log.warning("slack_deed_refused", deed=deed.kind, action=deed.action, code=refusal.code)
            await self._lose(deed, refusal.code)
        except Exception as error:
            if deed.apart:  # a customer's words are never given up
                raise
            tries = self._tried(deed)
            log.exception("slack_deed_failed", deed=deed.kind, action=deed.action, error=type(error).__name__)
            if tries < TRIES_MAX:
                raise Wait(float(tries)) from None
            await self._lose(deed, "")

    def _tried(self, deed: Deed) -> int:
        """Count a try in vain; gives how many there were."""
        name = _name(deed)
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        return tries

    async def keep(self, deed: Deed) -> None:
        """Store a deed with what was found out of it, for a second try. Raises StoreUnavailable, Fenced."""
        await self._memory.put(_name(deed), msgspec.json.encode(deed))


def _name(deed: Deed) -> str:
    return PREFIX + hashlib.blake2b(f"{deed.kind} {deed.key}".encode(), digest_size=16).hexdigest()
