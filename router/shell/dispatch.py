"""Commands from desks: stored like any other input, then answered once the journal holds what became of them.

An action may be taken at any node: whoever leads journals it, and the node that was asked hears of the record like
every other, by the id of its inbox entry. One that was answered long ago, or before a restart, is looked up.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import Protocol

import msgspec
import structlog

from router.core.decisions import Refuse
from router.core.errors import StoreUnavailable
from router.core.events import AgentEvent, CommandRefused, Event, WorkspaceChanged
from router.core.intake import stream_order
from router.core.ports import Inbox, InboxEntry
from router.desk.ports import Outcome
from router.shell.follower import Applied
from router.shell.journal import Journal
from router.shell.records import Record, decode

log = structlog.get_logger()

ANSWER_SECONDS_MAX = 20.0
OUTCOMES_KEPT_MAX = 10_000
PERSONAL = ("text", "to", "subject")  # fields that go into the raw part, never into meta


class PastStore(Protocol):
    """What looking records up asks of the store."""

    async def journal_get(self, record_id: str) -> bytes | None:
        """One record's bytes; None if the journal no longer holds it."""
        ...


class Known(Protocol):
    """How far the journal is known on this node."""

    @property
    def journal(self) -> Journal:
        """The place that is reached."""
        ...


class Past:
    """Finds what became of an inbox entry. Positions in the inbox only grow from record to record."""

    def __init__(self, store: PastStore, known: Known) -> None:
        self._store = store
        self._known = known

    async def record_of(self, inbox: str) -> Record | None:
        """The record of an entry that was journaled in its turn; None while there is none, or when it was archived.

        Asks for about log2(number of records) records. Raises StoreUnavailable.
        """
        journal = self._known.journal
        low, high, found = 1, journal.n, None
        while low <= high:
            middle = (low + high) // 2
            raw = await self._store.journal_get(journal.id_of(middle))
            record = None if raw is None else decode(raw, middle)
            if record is None or _order(record.inbox) < _order(inbox):
                low = middle + 1
            else:
                high, found = middle - 1, record
        return found if found is not None and found.event.inbox == inbox else None


class Dispatcher:
    """Implements the desk's `Commands`."""

    def __init__(self, inbox: Inbox, past: Past | None = None) -> None:
        """`past`: where outcomes are found that are not in memory."""
        self._inbox = inbox
        self._past = past
        self._waiting: dict[str, list[asyncio.Future[Outcome]]] = {}
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()

    async def act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Outcome:
        """Do `action` as `agent`; returns after it is journaled. The same `key` again gives the same outcome.

        Raises TransientError when it could not be stored, or when its outcome is not known in time.
        """
        [appended] = await self._inbox.append([command_entry(agent, action, fields, key)], conflict="refuse")
        if appended.conflict:
            return Outcome(ok=False, code="conflict", detail="this key was used for another action")
        outcome = await self.outcome(appended.id, earlier=appended.duplicate)
        return msgspec.structs.replace(outcome, entry=appended.id)

    async def outcome(self, entry: str, *, earlier: bool = False, seconds: float | None = None) -> Outcome:
        """What becomes of an inbox entry of ours. `earlier`: it may have been answered already.

        Raises StoreUnavailable when that is not known within `seconds`.
        """
        known = self._outcomes.get(entry)
        if known is not None:
            return known
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(entry, []).append(future)
        try:
            record = await self._past.record_of(entry) if earlier and self._past is not None else None
            if record is not None:
                return outcome_of(record.event, record.decisions)
            async with asyncio.timeout(ANSWER_SECONDS_MAX if seconds is None else seconds):
                return await future
        except TimeoutError:
            msg = "the action is stored; what became of it is not known yet"
            raise StoreUnavailable(msg) from None
        finally:
            others = self._waiting[entry]
            others.remove(future)
            if not others:
                del self._waiting[entry]

    def committed(self, applied: list[Applied]) -> None:
        """A listener: answer whoever waits here."""
        for one in applied:
            event = one.draft.event
            if event.inbox and isinstance(event, AgentEvent | CommandRefused | WorkspaceChanged):
                self._tell(event.inbox, outcome_of(event, one.draft.decisions))

    def _tell(self, entry: str, outcome: Outcome) -> None:
        self._outcomes[entry] = outcome
        if len(self._outcomes) > OUTCOMES_KEPT_MAX:
            self._outcomes.popitem(last=False)
        for future in self._waiting.get(entry, ()):
            if not future.done():
                future.set_result(outcome)


def _order(inbox: str) -> tuple[int, int]:
    return stream_order(inbox) or (0, 0)


def command_entry(agent: str, action: str, fields: dict[str, object], key: str) -> InboxEntry:
    """The inbox entry of an action; the same agent and key make the same entry."""
    personal = {name: fields[name] for name in PERSONAL if fields.get(name)}
    plain = {name: value for name, value in fields.items() if name not in PERSONAL}
    meta = msgspec.json.encode({**plain, "agent": agent, "action": action})
    raw = msgspec.json.encode(personal) if personal else b""
    identity = hashlib.sha256(b"command\0" + agent.encode() + b"\0" + key.encode()).digest()[:16]
    body = hashlib.sha256(meta + b"\0" + raw).digest()[:16]
    return InboxEntry(source="command", key=identity, body=body, meta=meta, raw=raw)


def outcome_of(event: Event, decisions: tuple[object, ...]) -> Outcome:
    """What an agent's action came to, in the desk's words."""
    contact = getattr(event, "contact", "")
    for decision in decisions:
        if isinstance(decision, Refuse):
            return Outcome(ok=False, code=decision.code, detail=decision.detail, contact=contact)
    return Outcome(ok=True, contact=contact)
