"""Rates and counts of the chat: buckets by visitor and by address, kept in memory and forgotten once full again."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from router.web.chat_parts import ChatLimits

BUCKETS_MAX = 50_000

MINUTE = 60.0
HOUR = 3_600.0


class Buckets:
    """One bucket a name: holds `size()` drops, and fills at as many in `seconds`. At most BUCKETS_MAX are kept.

    Those used longest ago go first: they are full again soonest.
    """

    def __init__(self, size: Callable[[], int], seconds: float, now: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Take a drop: 0.0 if there was one, else the seconds until there is. Nothing is taken then."""
        now, size = self._now(), float(self._size())
        per_second = size / self._seconds
        level, then = self._levels.pop(name, (size, now))
        level = min(size, level + (now - then) * per_second)
        enough = level >= 1.0
        self._levels[name] = (level - 1.0 if enough else level, now)
        if len(self._levels) > BUCKETS_MAX:
            self._levels.popitem(last=False)
        return 0.0 if enough else (1.0 - level) / per_second


class Counts:
    """How many of something there are by name, and in all."""

    def __init__(self, each_max: Callable[[], int], all_max: Callable[[], int]) -> None:
        self._each_max = each_max
        self._all_max = all_max
        self._held: dict[str, int] = {}
        self._all = 0

    def enter(self, name: str) -> bool:
        """One more, unless there are too many. Whoever entered must leave."""
        if self._all >= self._all_max() or self._held.get(name, 0) >= self._each_max():
            return False
        self._held[name] = self._held.get(name, 0) + 1
        self._all += 1
        return True

    def leave(self, name: str) -> None:
        """One less."""
        self._all -= 1
        left = self._held[name] - 1
        if left:
            self._held[name] = left
        else:
            del self._held[name]

    def __len__(self) -> int:
        return self._all


class Gate:
    """All limits of the chat in one place. `wait_…` gives whole seconds to wait, 0 for go on.

    `limits` are asked for at each use, `now` is seconds of a clock that only goes forward.
    """

    def __init__(self, limits: Callable[[], ChatLimits], now: Callable[[], float]) -> None:
        self._messages = Buckets(lambda: limits().messages_per_minute, MINUTE, now)
        self._address_messages = Buckets(lambda: limits().address_messages_per_minute, MINUTE, now)
        self._files = Buckets(lambda: limits().files_per_hour, HOUR, now)
        self._forms = Buckets(lambda: limits().forms_per_hour, HOUR, now)
        self._visitors = Buckets(lambda: limits().visitors_per_hour, HOUR, now)
        self._frames = Buckets(lambda: limits().frames_per_minute, MINUTE, now)
        self.connections = Counts(lambda: limits().address_connections, lambda: limits().connections)
        self.uploads = Counts(lambda: limits().address_uploads, lambda: limits().uploads)

    def wait_message(self, visitor: str, address: str) -> int:
        """For one more message."""
        return _whole(self._messages.take(visitor) or self._address_messages.take(address))

    def wait_file(self, visitor: str, address: str) -> int:
        """For one more file, which is a message as well."""
        return _whole(self._files.take(visitor)) or self.wait_message(visitor, address)

    def wait_form(self, visitor: str, address: str) -> int:
        """For one more form, which is a message as well."""
        return _whole(self._forms.take(address)) or self.wait_message(visitor, address)

    def wait_visitor(self, address: str) -> int:
        """For one more new visitor."""
        return _whole(self._visitors.take(address))

    def frame(self, line: str) -> bool:
        """Whether a line may say one more thing."""
        return self._frames.take(line) == 0.0


def _whole(seconds: float) -> int:
    return math.ceil(seconds)
