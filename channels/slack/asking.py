"""`/usherd …`: questions and short orders, answered to the one who asks."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from channels.slack import modals, texts
from channels.slack.answering import listed
from channels.slack.card import due
from channels.slack.home import bar
from channels.slack.mrkdwn import cut, date, inline
from channels.slack.projection import Explain
from channels.slack.reading import Deed
from router.core.state import State
from router.desk import actions
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.ports import Commands
from router.desk.views import Answer, Found, Row

ROWS_MAX = 10
CUSTOMERS_MAX = 3
WORDS = frozenset({"", "help", "status", "away", "back", "queue", "take", "find", "explain", "new", "whatif"})
_SPAN = re.compile(r"(\d{1,4})\s*(m|min|h)")
_UNITS = {"m": 60_000, "min": 60_000, "h": 3_600_000}

Find = Callable[[str, str], Awaitable[Found]]
Later = Callable[[str, int], Awaitable[None]]  # an agent is to be available again at an instant; 0: when they say so


class Questions:
    """Answers commands. `find` searches; `later` remembers when somebody is back; `now` gives ms."""

    def __init__(
        self,
        *,
        desk: Desk,
        commands: Commands,
        explain: Explain,
        find: Find,
        later: Later,
        now: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._commands = commands
        self._explain = explain
        self._find = find
        self._later = later
        self._now = now

    async def answer(self, agent: str, deed: Deed) -> str:
        """What to say. Raises TransientError."""
        word, _, rest = deed.text.strip().partition(" ")
        rest = rest.strip()
        try:
            match word.casefold():
                case "" | "help":
                    return texts.COMMAND_HELP
                case "status":
                    return await self._status(agent)
                case "away":
                    return await self._away(agent, rest, deed)
                case "back":
                    return (await self._act(agent, "status", {"status": "available"}, deed.key)).message
                case "queue":
                    waiting = await self._desk.waiting(agent)
                    return self._rows(waiting.rows, texts.COMMAND_QUEUE_EMPTY, waiting.more)
                case "take":
                    return await self._take(agent, rest, deed.key)
                case "find":
                    return await self._found(agent, rest)
                case "explain":
                    return await self._why(agent, rest)
        except (NotVisible, NotOnRoster, KeyError):
            return texts.NOT_FOR_YOU
        return texts.COMMAND_UNKNOWN.format(word=inline(word, 40), help=texts.COMMAND_HELP)

    async def _act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Answer:
        state: State = self._desk.source.state
        answer = await actions.act(self._commands, self._desk.source.names, state, agent, action, fields, key)
        return msgspec.structs.replace(answer, message=cut(answer.message, 600))

    async def _status(self, agent: str) -> str:
        mine = await self._desk.mine(agent)
        return texts.COMMAND_STATUS.format(
            status=texts.STATUSES.get(mine.me.status, mine.me.status),
            since=date(mine.me.status_since, texts.HOME_SINCE_FORM, "a while"),
            bars=", ".join(bar(one) for one in mine.me.capacity),
            queue=mine.queue,
        )

    async def _away(self, agent: str, span: str, deed: Deed) -> str:
        found = _SPAN.fullmatch(span.casefold())
        if span and found is None:
            return texts.COMMAND_TIME
        answer = await self._act(agent, "status", {"status": "away"}, deed.key)
        if not answer.ok:
            return answer.message
        if found is None:
            await self._later(agent, 0)  # until they say so, whatever was said before
            return answer.message
        until = deed.at + int(found[1]) * _UNITS[found[2]]
        await self._later(agent, until)
        return texts.COMMAND_AWAY_UNTIL.format(until=date(until, texts.DUE_FORM, "later"))

    async def _take(self, agent: str, contact: str, key: str) -> str:
        if not contact:
            return texts.COMMAND_TAKE_WHAT
        return (await self._act(agent, "take", {"contact": contact}, key)).message

    async def _found(self, agent: str, words: str) -> str:
        if not words:
            return texts.COMMAND_FIND_WHAT
        found = await self._find(agent, words)
        people = [
            texts.COMMAND_CUSTOMER.format(who=inline(f"{one.name} {one.address}".strip(), 120), n=one.contacts)
            for one in found.customers[:CUSTOMERS_MAX]
        ]
        rows = self._rows(found.rows, "" if people else texts.COMMAND_FOUND_NOTHING, found.more)
        return "\n".join(one for one in (*people, rows) if one)

    async def _why(self, agent: str, contact: str) -> str:
        if not contact:
            return texts.COMMAND_EXPLAIN_WHAT
        found = self._desk.visible(agent, contact)
        return listed(modals.why_texts(self._desk.why(agent, await self._explain(found.id), found)))

    def _rows(self, rows: tuple[Row, ...], nothing: str, more: int) -> str:
        lines = [self._row(row) for row in rows[:ROWS_MAX]]
        left = len(rows) - len(lines) + more
        return "\n".join([*lines, *([texts.HOME_MORE.format(n=left)] if left else [])]) or nothing

    def _row(self, row: Row) -> str:
        return texts.COMMAND_ROW.format(
            id=row.id,
            who=inline(row.who, 60),
            subject=inline(row.subject, 100),
            due=due(row, self._now()) or texts.NO_PROMISE,
        )
