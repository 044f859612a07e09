"""Figures for whoever watches: counters of the journey, and how long it took."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from router.core.decisions import NotifySupervisors, OfferTo, OpenContact, Refuse
from router.core.events import DeliveryReported, MessageDeferred, MessageQuarantined, MessageReceived, WorkspaceChanged
from router.shell.clock import wall_ms
from router.shell.follower import Applied

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """A listener of the leader. All names begin with `usherd_`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter("usherd_records", "Journal records written", ["event"], registry=self.registry)
        self.decisions = Counter("usherd_decisions", "Decisions taken", ["decision"], registry=self.registry)
        self.messages = Counter("usherd_messages", "Messages understood", ["channel", "auto"], registry=self.registry)
        self.deferred = Counter("usherd_deferred", "Messages that were not understood in time", registry=self.registry)
        self.quarantined = Counter("usherd_quarantined", "Messages that could not be read", registry=self.registry)
        self.deliveries = Counter("usherd_deliveries", "Delivery reports", ["state"], registry=self.registry)
        self.alarms = Counter("usherd_alarms", "What supervisors are told of", ["reason"], registry=self.registry)
        self.offer_seconds = Histogram(
            "usherd_offer_seconds",
            "From a message's acknowledgement to the offer that it led to at once",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.inbox_lag = Gauge("usherd_inbox_lag", "Entries stored and not yet journaled", registry=self.registry)
        self.outbox_lag = Gauge("usherd_outbox_lag", "Replies not yet sent for good", registry=self.registry)
        self.workspace = Gauge(
            "usherd_workspace_info", "The workspace in force, by its version", ["version"], registry=self.registry
        )
        self.clock_ahead = Gauge(
            "usherd_clock_ahead_seconds",
            "The node's clock less engine time: past 60 it jumped",
            registry=self.registry,
        )
        self.leading = Gauge("usherd_leading", "1 on the node that leads, 0 on a standby", registry=self.registry)
        self.waiting = Gauge("usherd_waiting", "Contacts that wait for an agent", registry=self.registry)

    def committed(self, applied: list[Applied]) -> None:
        """Count a commit."""
        for one in applied:
            event = one.draft.event
            self.records.labels(type(event).__name__).inc()
            for decision in one.draft.decisions:
                name = f"Refuse:{decision.code}" if isinstance(decision, Refuse) else type(decision).__name__
                if isinstance(decision, NotifySupervisors):
                    self.alarms.labels(decision.reason).inc()
                self.decisions.labels(name).inc()
            if isinstance(event, MessageReceived):
                self.messages.labels(event.channel, event.auto or "none").inc()
                self._journey(event, one)
            elif isinstance(event, MessageDeferred):
                self.deferred.inc()
            elif isinstance(event, MessageQuarantined):
                self.quarantined.inc()
            elif isinstance(event, DeliveryReported):
                self.deliveries.labels(event.state).inc()
            elif isinstance(event, WorkspaceChanged):
                self.workspace.clear()
                self.workspace.labels(event.version).set(1)

    def _journey(self, event: MessageReceived, one: Applied) -> None:
        opened = {made.contact for made in one.draft.decisions if isinstance(made, OpenContact)}
        if any(isinstance(made, OfferTo) and made.contact in opened for made in one.draft.decisions):
            stored_at = int(event.message.partition("-")[0])  # the store's clock, in the entry's id
            self.offer_seconds.observe(max(0, wall_ms() - stored_at) / 1_000)
