"""What `usherd status` and the metrics show of a running daemon."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from router.core.errors import TransientError
from router.shell.nodes import About

if TYPE_CHECKING:
    from router.app.daemon import Daemon

GAUGE_SECONDS = 0.5
MEASURE_SECONDS_MAX = 3.0  # whoever asks how things are hears of it also while the store is away


class Gauges:
    """Implements the shell's port of this name over one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._inbox_lag = self._outbox_lag = 0

    async def run(self) -> None:
        """Measure now and then, until cancelled."""
        while True:
            await self.measure()
            self._show()
            await asyncio.sleep(GAUGE_SECONDS)

    async def measure(self) -> None:
        """Measure what is under way; nothing is overlooked on its way from the inbox to the outbox or back."""
        outbox = self._daemon.outbox
        sending = outbox.lag
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(MEASURE_SECONDS_MAX):
                self._inbox_lag = await self._daemon.store.inbox_length()
        self._outbox_lag = max(sending, outbox.lag)  # what was sent meanwhile has its report in the inbox, not counted

    def about(self) -> About:
        """What this node says of itself to the others."""
        daemon = self._daemon
        url, able = daemon.url if daemon.http[1] else "", not daemon.in_force.problems()
        return About(url=url, records=daemon.leader.journal.n, able=able)

    def __call__(self) -> dict[str, object]:
        """Keys of `usherd status`."""
        daemon = self._daemon
        channels: dict[str, object] = {"http": {"listen": f"{daemon.http[0]}:{daemon.http[1]}"}}
        if daemon.smtp is not None:
            channels["email"] = {"listen": f"{daemon.smtp[0]}:{daemon.smtp[1]}", "received": daemon.receiver.mails}
        channels |= daemon.mailboxes.status()
        return {
            "inbox_lag": self._inbox_lag,
            "outbox_lag": self._outbox_lag,
            "leader": daemon.leader.lease.holder or None,
            "standbys": self._standbys(),
            "waiting": self._show(),
            "channels": channels,
            "problems": daemon.problems(),
        }

    def _show(self) -> int:
        """Bring the metrics up to date; gives how many contacts wait."""
        daemon, metrics = self._daemon, self._daemon.metrics
        waiting = sum(1 for one in daemon.leader.engine.state.contacts.values() if one.waiting_since is not None)
        metrics.inbox_lag.set(self._inbox_lag)
        metrics.outbox_lag.set(self._outbox_lag)
        metrics.waiting.set(waiting)
        metrics.clock_ahead.set((daemon.clock.node - daemon.clock.now()) / 1_000)
        metrics.leading.set(daemon.leader.leading)
        return waiting

    def _standbys(self) -> list[dict[str, object]]:
        """The nodes that live and do not lead, this one among them, and how far each has read."""
        known = {self._daemon.node: self.about(), **self._daemon.nodes.living()}
        known.pop(self._daemon.leader.lease.holder, None)
        return [{"node": name, "url": about.url, "records": about.records} for name, about in sorted(known.items())]
