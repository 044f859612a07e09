"""Ten seconds to take an answer back: it is on disk, and goes out when they are over or its maker goes on to something.

What was written in a thread is taken back by deleting it there, and changed by changing it; what was written in a
window has a button.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from channels.slack import blocks, texts
from channels.slack.api import Wait
from channels.slack.blocks import Json
from channels.slack.card import action_id
from channels.slack.reading import Deed

Tell = Callable[[str, Json], Awaitable[None]]  # a sentence, and the button beside it


class Holding:
    """One node's. `hold_ms`: how long; `find`: what is held, by its key; `remember` keeps a deed that was changed."""

    def __init__(
        self,
        *,
        hold_ms: Callable[[], int],
        find: Callable[[str], Deed | None],
        remember: Callable[[Deed], Awaitable[None]],
        now: Callable[[], int],
    ) -> None:
        self._hold_ms = hold_ms
        self._find = find
        self._remember = remember
        self._now = now

    async def passed(self, deed: Deed, tell: Tell | None = None) -> bool:
        """Whether it goes out now; False if it was taken back. Raises Wait while neither is settled.

        `tell`: says once that it can be taken back.
        """
        if deed.undone:
            return False
        span = self._hold_ms()
        left = min(deed.at + span - self._now(), span)  # a clock that was set back holds nothing for longer
        if deed.going or left <= 0:
            deed.going = True
            return True
        if deed.hurry:
            await self._goes_early(deed)
            return True
        if tell is not None and not deed.told:
            deed.told = True
            button = blocks.button(texts.BUTTONS["undo"], action_id("undo"), {"deed": deed.key})
            await tell(texts.HELD.format(n=-(-left // 1_000)), button)
        raise Wait(left / 1_000)

    async def _goes_early(self, deed: Deed) -> None:
        """Keep on disk that it is too late: after a crash right now its time would not be over yet."""
        deed.going = True
        try:
            await self._remember(deed)
        except BaseException:
            deed.going = False
            raise

    async def take_back(self, key: str, user: str) -> bool:
        """Take back what this person wrote; False if it is too late. Raises StoreUnavailable, Fenced."""
        held = self._find(key)
        if held is None or held.user != user or held.going:
            return False
        held.undone = True
        await self._remember(held)
        return True


def hint(hold_ms: int) -> str:
    """What a card says of it; nothing where answers are not held."""
    return texts.HOLD_HINT.format(n=-(-hold_ms // 1_000)) if hold_ms else ""
