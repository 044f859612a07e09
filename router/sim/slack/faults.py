"""What may go wrong on demand: refusals, failures, silence, sockets that lead nowhere, events late or many times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["refuse", "fail", "hang"]


@dataclass(slots=True)
class Fault:
    """One of them, for calls of `method` ("*": any; `upload`, `download`, `response_url`), so many `times`."""

    kind: Kind
    method: str
    times: int
    error: str = ""
    retry_after: int = 1
    status: int = 500
    seconds: float = 0.0
    after: bool = False  # the call is carried out first


@dataclass(slots=True)
class Faults:
    """The faults that are still to happen."""

    waiting: list[Fault] = field(default_factory=list)
    dead: int = 0  # sockets to name that nobody listens on
    late: int = 0  # events to deliver as their first retry only
    copies: int = 1  # of each event

    def refuse(self, method: str, error: str, *, retry_after: int = 1, times: int = 1) -> None:
        """Answer with one of Slack's errors; `ratelimited` comes as 429 with Retry-After."""
        self.waiting.append(Fault("refuse", method, times, error=error, retry_after=retry_after))

    def fail(self, method: str, *, status: int = 500, times: int = 1, after: bool = False) -> None:
        """Answer with a status of HTTP and no JSON; with `after` the call is carried out all the same."""
        self.waiting.append(Fault("fail", method, times, status=status, after=after))

    def hang(self, method: str, *, seconds: float = 20.0, times: int = 1, after: bool = False) -> None:
        """Say nothing for a while; with `after` the call is carried out at once."""
        self.waiting.append(Fault("hang", method, times, seconds=seconds, after=after))

    def dead_sockets(self, times: int = 1) -> None:
        """Give out addresses of sockets that nobody listens on."""
        self.dead = times

    def only_retries(self, times: int = 1) -> None:
        """Lose the first try of the next events."""
        self.late = times

    def repeat_events(self, copies: int) -> None:
        """Deliver each event so many times, under the same id."""
        self.copies = copies

    def clear(self) -> None:
        """Have no more faults."""
        self.waiting.clear()
        self.dead, self.late, self.copies = 0, 0, 1

    def next(self, method: str) -> Fault | None:
        """Take the fault that strikes this call."""
        for fault in self.waiting:
            if fault.method in {method, "*"}:
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None

    def takes_first_try(self) -> bool:
        """Whether an event's first try is lost."""
        if not self.late:
            return False
        self.late -= 1
        return True
