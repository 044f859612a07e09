"""What-if for supervisors: a window that waits for the rehearsal of the waiting change, and then says what it found."""

from __future__ import annotations

import re
from collections import OrderedDict

import msgspec

from channels.slack import blocks, texts
from channels.slack.answering import Answering
from channels.slack.blocks import Json
from channels.slack.mrkdwn import cut
from channels.slack.work import Work
from router.core.errors import TransientError
from router.desk import rehearsals
from router.desk import texts as desk_texts
from router.desk.model import Desk
from router.desk.ports import Rehearsing
from router.desk.rights import leads

WEEK_MS = 7 * 86_400_000
_SPAN = re.compile(r"(\d{1,3})\s*(h|d)")
_UNITS = {"h": 3_600_000, "d": 86_400_000}


class Asked(msgspec.Struct, frozen=True):
    """In which window it is to be said, and how far to look back."""

    view: str
    since: int


class WhatIfs:
    """One node's. What is under way when the process ends is asked for again."""

    def __init__(self, *, desk: Desk, answering: Answering, rehearsing: Rehearsing | None) -> None:
        self._desk = desk
        self._answering = answering
        self._rehearsing = rehearsing
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self.work: Work[str] = Work("what-if", self._rehearse, 1)

    def waiting(self) -> bool:
        """Whether a change waits for its rehearsal."""
        return self._rehearsing is not None and self._rehearsing.waiting()

    def first(self, agent: str, span: str) -> tuple[Json, bool]:
        """The window to open at once, and whether there is more to come."""
        if not leads(self._desk.source.state, agent):
            return window([desk_texts.refusal("not-allowed", "", lambda _: None)]), False
        if span and _SPAN.fullmatch(span) is None:
            return window([texts.WHATIF_SPAN]), False
        if not self.waiting():
            return window([desk_texts.WHATIF_NONE]), False
        return window([texts.WHATIF_RUNS]), True

    def ask(self, view: str, span: str) -> None:
        """Begin, and say in that window what comes of it."""
        found = _SPAN.fullmatch(span)
        since = int(found[1]) * _UNITS[found[2]] if found is not None else WEEK_MS
        self._asked[view] = Asked(view, since)
        self.work.mark(view)

    async def _rehearse(self, view: str) -> None:
        asked = self._asked.pop(view, None)
        if asked is None or self._rehearsing is None:
            return
        try:
            found = await self._rehearsing.rehearse(asked.since)
        except TransientError as error:
            lines = [texts.WHATIF_FAILED.format(why=cut(str(error), 300))]
        else:
            lines = [cut(one, 400) for one in rehearsals.said(found)]
            lines += [desk_texts.WHATIF_IN_FORCE] if found.get("rehearsed") else []
        await self._answering.show(asked.view, window(lines))


def window(lines: list[str]) -> Json:
    """A window that only says something."""
    return blocks.modal(
        "usherd.shown", texts.WHATIF_TITLE, [blocks.section(one) for one in lines], close=texts.CLOSE, kept={}
    )
