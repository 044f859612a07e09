"""What-if for supervisors: a window that waits for the rehearsal of the waiting change, and then says what it found."""

from __future__ import annotations

from collections import OrderedDict

from channels.slack import blocks, texts
from channels.slack.answering import Answering
from channels.slack.blocks import Json
from channels.slack.mrkdwn import cut
from channels.slack.work import Work
from router.desk import texts as desk_texts
from router.desk.rehearsals import WEEK_MS, WhatIf, span

LINE_MAX = 400


class WhatIfs:
    """One node's. What is under way when the process ends is asked for again."""

    def __init__(self, *, asked: WhatIf, answering: Answering) -> None:
        self._asked = asked
        self._answering = answering
        self._since: OrderedDict[str, int] = OrderedDict()  # by window: how many ms to look back
        self.work: Work[str] = Work("what-if", self._rehearse, 1)

    def waiting(self) -> bool:
        """Whether a change waits for its rehearsal."""
        return self._asked.waiting()

    def first(self, agent: str, text: str) -> tuple[Json, bool]:
        """The window to open at once, and whether there is more to come."""
        if not self._asked.may(agent):
            return window([desk_texts.refusal("not-allowed", "", lambda _: None)]), False
        if span(text) is None:
            return window([texts.WHATIF_SPAN]), False
        if not self.waiting():
            return window([desk_texts.WHATIF_NONE]), False
        return window([texts.WHATIF_RUNS]), True

    def ask(self, view: str, text: str) -> None:
        """Begin, and say in that window what comes of it."""
        self._since[view] = span(text) or WEEK_MS
        self.work.mark(view)

    async def _rehearse(self, view: str) -> None:
        since = self._since.pop(view, None)
        if since is None:
            return
        told = await self._asked.told(since)
        form = texts.NOTICE if told.failed else "{text}"
        await self._answering.show(view, window([form.format(text=cut(one, LINE_MAX)) for one in told.lines]))


def window(lines: list[str]) -> Json:
    """A window that only says something."""
    return blocks.modal(
        "usherd.shown", texts.WHATIF_TITLE, [blocks.section(one) for one in lines], close=texts.CLOSE, kept={}
    )
