"""The durable store: Redis protocol, one implementation, embedded or at `store.url`."""

from __future__ import annotations

from router.shell.store.client import Store
from router.shell.store.entries import Group, InboxItem, Outcome

__all__ = ["Group", "InboxItem", "Outcome", "Store"]
