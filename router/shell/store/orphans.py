"""Large values that nothing refers to, left by lost replies and crashes: swept up, but never too early.

A value is written before what refers to it. How old it is says a clock that nobody sets: after a jump of the wall clock
a file written this second would look an hour old, and the message it belongs to would be lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Orphans:
    """Names seen without a reference, and since when."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make one for each store; what it knows is forgotten with the process, and seen again."""
        self._monotonic = monotonic
        self._since: dict[str, float] = {}

    def ripe(self, found: list[str], seconds: float) -> list[str]:
        """Of all that nothing refers to now, those of which that was known `seconds` ago."""
        now = self._monotonic()
        self._since = {name: self._since.get(name, now) for name in found}
        return [name for name, since in self._since.items() if now - since >= seconds]
