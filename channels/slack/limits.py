"""Slack's rate limits: calls a minute per method, one message a second and channel; and what Slack itself says.

Sources: docs.slack.dev, "Rate limits" and each method's page. Nothing waits here: whoever may not call now is told for
how long, and does something else meanwhile. A fifth of each minute is kept for what a person waits for.

Whoever is told to wait is told of a place of their own: if thousands came back for the next one, each would have drawn
a card in vain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
WINDOW_SECONDS = 60.5
MESSAGE_SECONDS = 1.05
TOLD_SECONDS_MAX = 120.0  # of whoever waits some come no more, for what they wanted was done by another
URGENT_SHARE = 5  # one in so many calls is for urgent ones
SPECIAL = 240  # chat.postMessage: "several hundred a minute" for a workspace
DEFAULT = 20
PER_MINUTE = {
    "chat.postMessage": SPECIAL,
    "chat.update": 50,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "conversations.open": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "reactions.add": 50,
    "reactions.remove": 20,
    "users.info": 100,
    "users.lookupByEmail": 50,
    "views.open": 100,
    "views.update": 100,
    "views.publish": 100,
    "auth.test": 200,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "files.delete": 50,
    "files.info": 100,
}
PACED = frozenset({"chat.postMessage", "files.completeUploadExternal"})


class Limits:
    """Who may call what, when. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}
        self._paused: dict[str, float] = {}
        self._channels: dict[str, float] = {}
        self._promised: dict[tuple[str, bool], deque[float]] = {}  # places told of, by method and urgency
        self._ahead: dict[str, deque[float]] = {}  # and by channel

    def take(self, method: str, channel: str = "", *, urgent: bool = False) -> float:
        """Count a call; or the seconds until it may be tried, and nothing was counted."""
        now = self._clock()
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now - WINDOW_SECONDS:
            calls.popleft()
        allowed = PER_MINUTE.get(method, DEFAULT)
        if not urgent:
            allowed -= allowed // URGENT_SHARE
        waits = [self._paused.get(method, 0.0) - now]
        full, paced = len(calls) >= allowed, channel and method in PACED and self._channels.get(channel, 0.0) > now
        if full:
            told = _to_come(self._promised, (method, urgent), now)
            rounds, place = divmod(len(told), allowed)
            told.append(calls[len(calls) - allowed + place] + WINDOW_SECONDS * (1 + rounds))
            waits.append(told[-1] - now)
        if paced:
            told = _to_come(self._ahead, channel, now)
            told.append(self._channels[channel] + MESSAGE_SECONDS * len(told))
            waits.append(told[-1] - now)
        wait = max(waits)
        if wait > 0:
            return max(waits[0], min(wait, TOLD_SECONDS_MAX))
        calls.append(now)
        if channel and method in PACED:
            self._channels[channel] = now + MESSAGE_SECONDS
            if len(self._channels) > 2 * SPECIAL:
                self._channels = {name: at for name, at in self._channels.items() if at > now}
                self._ahead = {name: told for name, told in self._ahead.items() if told and told[-1] > now}
        return 0.0

    def pause(self, method: str, seconds: float) -> None:
        """Slack said so: this method is not called for so long."""
        self._paused[method] = max(self._paused.get(method, 0.0), self._clock() + seconds)


def _to_come(known: dict[K, deque[float]], key: K, now: float) -> deque[float]:
    """The places told of that are not over yet."""
    found = known.setdefault(key, deque())
    while found and found[0] <= now:
        found.popleft()
    return found
