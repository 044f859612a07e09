"""Commands from desks: stored like any other input, then answered once the journal holds what became of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

import msgspec
import structlog

from router.core.decisions import Refuse
from router.core.errors import StoreUnavailable
from router.core.ports import Inbox, InboxEntry
from router.desk.ports import Outcome
from router.shell.leader import Applied
from router.shell.understanding import Refused

log = structlog.get_logger()

ANSWER_SECONDS_MAX = 20.0
SETTLED_SECONDS = 1.0  # for an action stored by an earlier call, of which nobody here has heard
OUTCOMES_KEPT_MAX = 10_000
PERSONAL = ("text", "to", "subject")  # fields that go into the raw part, never into meta


class Dispatcher:
    """Implements the desk's `Commands`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: dict[bytes, asyncio.Future[Outcome]] = {}
        self._outcomes: OrderedDict[bytes, Outcome] = OrderedDict()

    async def act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Outcome:
        """Do `action` as `agent`; returns after it is journaled. The same `key` again gives the same outcome.

        Raises TransientError when it could not be stored, or when its outcome is not known in time.
        """
        entry = command_entry(agent, action, fields, key)
        waited_for = self._waiting.get(entry.key)
        future = waited_for or asyncio.get_running_loop().create_future()
        self._waiting[entry.key] = future
        try:
            [appended] = await self._inbox.append([entry], conflict="refuse")
            if appended.conflict:
                return Outcome(ok=False, code="conflict", detail="this key was used for another action")
            known = self._outcomes.get(entry.key)  # asked after the store: only it knows whether the action is the same
            if known is not None:
                return known
            settled = appended.duplicate and waited_for is None
            return await self._answer(future, seconds=SETTLED_SECONDS if settled else ANSWER_SECONDS_MAX)
        finally:
            if waited_for is None:
                self._waiting.pop(entry.key, None)

    async def _answer(self, future: asyncio.Future[Outcome], *, seconds: float) -> Outcome:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            msg = "the action is stored; what became of it is not known yet"
            raise StoreUnavailable(msg) from None

    def committed(self, applied: list[Applied]) -> None:
        """A listener of the leader: answer whoever waits."""
        for one in applied:
            if one.prepared.key:
                self._tell(one.prepared.key, outcome_of(one))

    def refused(self, key: bytes, refusal: Refused) -> None:
        """The leader could make nothing of a command."""
        self._tell(key, Outcome(ok=False, code=refusal.code, detail=refusal.detail))

    def _tell(self, key: bytes, outcome: Outcome) -> None:
        self._outcomes[key] = outcome
        if len(self._outcomes) > OUTCOMES_KEPT_MAX:
            self._outcomes.popitem(last=False)
        future = self._waiting.get(key)
        if future is not None and not future.done():
            future.set_result(outcome)


def command_entry(agent: str, action: str, fields: dict[str, object], key: str) -> InboxEntry:
    """The inbox entry of an action; the same agent and key make the same entry."""
    personal = {name: fields[name] for name in PERSONAL if fields.get(name)}
    plain = {name: value for name, value in fields.items() if name not in PERSONAL}
    meta = msgspec.json.encode({**plain, "agent": agent, "action": action})
    raw = msgspec.json.encode(personal) if personal else b""
    identity = hashlib.sha256(b"command\0" + agent.encode() + b"\0" + key.encode()).digest()[:16]
    body = hashlib.sha256(meta + b"\0" + raw).digest()[:16]
    return InboxEntry(source="command", key=identity, body=body, meta=meta, raw=raw)


def outcome_of(applied: Applied) -> Outcome:
    """What an agent's action came to, in the desk's words."""
    contact = getattr(applied.draft.event, "contact", "")
    for decision in applied.draft.decisions:
        if isinstance(decision, Refuse):
            return Outcome(ok=False, code=decision.code, detail=decision.detail, contact=contact)
    return Outcome(ok=True, contact=contact)
