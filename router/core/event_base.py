"""What all events have."""

from __future__ import annotations

import msgspec


class EventBase(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at: int
    inbox: str = ""
