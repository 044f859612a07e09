"""What `usherd status` measures: nothing is overlooked on its way from the inbox to the outbox or back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from router.app.daemon import Daemon
from router.app.gauges import Gauges
from router.core.errors import StoreUnavailable


class Busy:
    """A daemon whose outbox has other lags while its inbox is counted; `away`: the store does not answer."""

    def __init__(self, before: int, entries: int, after: int) -> None:
        self.outbox = SimpleNamespace(lag=before)
        self.store = self
        self.away = False
        self._entries, self._after = entries, after

    async def inbox_length(self) -> int:
        """Count; meanwhile the outbox goes on."""
        if self.away:
            raise StoreUnavailable("away")
        self.outbox.lag = self._after
        return self._entries


async def measured(daemon: Busy) -> tuple[int, int]:
    """Inbox and outbox, as status would show them."""
    gauges = Gauges(cast("Daemon", daemon))
    await gauges.measure()
    return gauges._inbox_lag, gauges._outbox_lag  # noqa: SLF001


async def test_what_is_sent_while_the_inbox_is_counted_is_still_under_way() -> None:
    """Its report came into the inbox after that was counted; and what is new in the outbox is seen as well."""
    assert await measured(Busy(1, 0, 0)) == (0, 1)
    assert await measured(Busy(0, 0, 2)) == (0, 2)
    assert await measured(Busy(0, 3, 0)) == (3, 0)
    assert await measured(Busy(0, 0, 0)) == (0, 0)


async def test_a_store_that_is_away_leaves_what_was_counted_last() -> None:
    """Whoever asks is answered all the same."""
    daemon = Busy(0, 5, 0)
    gauges = Gauges(cast("Daemon", daemon))
    await gauges.measure()
    daemon.away, daemon.outbox.lag = True, 7
    await gauges.measure()
    assert (gauges._inbox_lag, gauges._outbox_lag) == (5, 7)  # noqa: SLF001
