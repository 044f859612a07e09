"""Slack's times and limits in one place: what a test may shorten, and how a limit is counted.

Sources: docs.slack.dev, "Rate limits" (tiers per method, app and workspace; one message a second and channel, in
short bursts more), "Socket Mode", "Events API" (three seconds, then retries at once, after a minute and after five).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# Calls a minute that are always allowed. Tier 1 is "1+", with "a small amount of burst" tolerated; of it is only
# apps.connections.open, which slack-sdk itself calls two or three times for each refresh of a socket.
TIERS = {1: 10, 2: 20, 3: 50, 4: 100}
SPECIAL = 300  # "several hundred a minute" for what has a tier of its own


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds unless the name says otherwise."""

    ack: float = 3.0  # then an event is sent again, and a click is shown as failed
    trigger: float = 3.0  # a trigger_id opens a view for so long, and once
    ticket: float = 30.0  # the address of a socket, once
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)  # of events only, after the try before
    minute: float = 60.0  # what the tiers count in
    message_pace: float = 1.0  # between two messages to one channel
    message_burst: int = 2  # so many at once: a client that keeps the pace is not punished for jitter
    response_url: float = 1800.0
    response_url_uses: int = 5
    sockets_max: int = 10
    tier_scale: int = 1  # multiplies what the tiers allow


@dataclass(slots=True)
class Bucket:
    """One message a `pace`, `burst` of them at once."""

    pace: float
    burst: int
    full_at: float = 0.0

    def take(self, now: float) -> float:
        """Take one; gives the seconds to wait if there is none."""
        start = max(self.full_at, now)
        wait = start - now - self.pace * (self.burst - 1)
        if wait > 1e-9:  # noqa: PLR2004  # rounding
            return wait
        self.full_at = start + self.pace
        return 0.0


@dataclass(slots=True)
class Limiter:
    """Counts calls per method in a sliding minute, and messages per channel."""

    rules: Rules
    now: Callable[[], float]
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _channels: dict[str, Bucket] = field(default_factory=dict)

    def call(self, method: str, tier: int | None) -> int | None:
        """Count a call; gives whole seconds to wait if it is one too many. `tier` None: special."""
        allowed = (SPECIAL if tier is None else TIERS[tier]) * self.rules.tier_scale
        now, times = self.now(), self._calls.setdefault(method, deque())
        while times and times[0] <= now - self.rules.minute:
            times.popleft()
        if len(times) >= allowed:
            return max(1, math.ceil(times[0] + self.rules.minute - now))
        times.append(now)
        return None

    def message(self, channel: str) -> int | None:
        """Count a message to a channel; gives whole seconds to wait if it comes too soon."""
        bucket = self._channels.setdefault(channel, Bucket(self.rules.message_pace, self.rules.message_burst))
        wait = bucket.take(self.now())
        return max(1, math.ceil(wait)) if wait > 0 else None
