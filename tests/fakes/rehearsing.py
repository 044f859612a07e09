"""A change of the workspace that waits, without a journal to live through."""

from __future__ import annotations

import asyncio

from router.core.errors import TransientError


class Rehearsing:
    """`waits`: whether there is a change; `fails`: why its rehearsal comes to nothing; `gate`: it takes until then."""

    def __init__(self, *, waits: bool = False, fails: str = "") -> None:
        self.waits = waits
        self.fails = fails
        self.gate: asyncio.Event | None = None
        self.asked: list[int] = []

    def waiting(self) -> bool:
        """As it was said."""
        return self.waits

    async def rehearse(self, since_ms: int) -> dict[str, object]:
        """One contact goes elsewhere."""
        self.asked.append(since_ms)
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise TransientError(self.fails)
        figures = {"contacts": 9, "nobody": 0, "wait_mean": 40.0, "wait_p95": 200.0, "sla_attainment": 0.9}
        both = {"before": figures, "after": {**figures, "wait_mean": 30.0}}
        found = {"contacts": 9, "moved": 1, "same": False, "dead_ends": {"lost-pet": 2}, "rehearsed": True}
        return {**found, "wait": both, "waits": {"refund": both}}
