"""What was found out beside the inbox and is to be journaled: by the leader, in this epoch of its, or not at all.

Whoever asks waits for the record. It is told when the node stops leading first: what is journaled hours later, when
the node happens to lead again, would be about a state that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from router.core.errors import TransientError
from router.core.events import Event
from router.shell.follower import Applied
from router.shell.journal import Drafted
from router.shell.understanding import Prepared

Happen = Callable[[int], Event]  # what was found out, once its time is known


class NotLeading(TransientError):
    """This node does not lead, or no longer does: nothing was journaled, as far as it knows.

    It may stand all the same, where the store's answer was lost and another node was faster: whoever tries again looks
    at what is in force first, or names what it replaces.
    """

    code = "not_leading"


class Asked:
    """What waits for its turn, in order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Happen, asyncio.Future[Drafted]]] = []
        self._taken: list[tuple[Prepared, asyncio.Future[Drafted]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, happen: Happen) -> asyncio.Future[Drafted]:
        """Have it journaled; gives what the engine made of it, or raises NotLeading."""
        done: asyncio.Future[Drafted] = asyncio.get_running_loop().create_future()
        self._waiting.append((happen, done))
        return done

    def take(self, now: int) -> list[Prepared]:
        """The events of all that waits; `answer` or `give_up` follows."""
        waiting, self._waiting = self._waiting, []
        self._taken = [(Prepared(event=happen(now)), done) for happen, done in waiting if not done.done()]
        return [prepared for prepared, _ in self._taken]

    def answer(self, applied: list[Applied]) -> None:
        """They stand in the journal: tell whoever waits."""
        drafts = {id(one.prepared): one.draft for one in applied}
        taken, self._taken = self._taken, []
        for prepared, done in taken:
            if not done.done():
                done.set_result(drafts[id(prepared)])

    def give_up(self) -> None:
        """This node no longer leads."""
        for _, done in (*self._waiting, *self._taken):
            if not done.done():
                done.set_exception(NotLeading("this node no longer leads"))
                done.exception()  # nobody need wait for it
        self._waiting, self._taken = [], []
