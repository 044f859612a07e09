"""Timers of agents' shifts and of contacts: one each, its next. What was put off stays in the heap and is skipped."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

STALE_MAX = 1_000  # entries of the heap that no longer hold, besides as many as hold
SHIFT, CONTACT, RAMP, INCIDENT = 0, 1, 2, 3  # groups; of those due at one instant, shifts turn first

TimerKey = tuple[int, str]  # group; id of the agent or contact


class Timers:
    """A heap of instants, and which of them hold, by group and id."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, int, str]] = []
        self.due: tuple[dict[str, int], ...] = ({}, {}, {}, {})

    def __len__(self) -> int:
        """Entries of the heap, those included that no longer hold."""
        return len(self.heap)

    def clear(self, *, but: int | None = None) -> None:
        """Forget all timers but those of one group."""
        if but is None:
            self.heap.clear()
        for group, due in enumerate(self.due):
            if group != but:
                due.clear()

    def arm(self, group: int, name: str, seq: int, at: int | None) -> None:
        """Set a timer instead of the one it had; None: it has none. `seq` orders those due at one instant."""
        due = self.due[group]
        if due.get(name) == at:
            return
        if at is None:
            del due[name]
            return
        due[name] = at
        heappush(self.heap, (at, group, seq, name))
        if len(self.heap) > 2 * sum(map(len, self.due)) + STALE_MAX:  # of long ago put off, and never due
            self.heap = [one for one in self.heap if self.due[one[1]].get(one[3]) == one[0]]
            heapify(self.heap)

    def first(self) -> int | None:
        """The instant of the first timer; in the past if it is overdue."""
        while self.heap:
            at, group, _, name = self.heap[0]
            if self.due[group].get(name) == at:
                return at
            heappop(self.heap)
        return None

    def pop(self) -> TimerKey:
        """Take the timer that `first` told of."""
        _, group, _, name = heappop(self.heap)
        del self.due[group][name]
        return group, name
