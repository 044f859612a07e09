"""What supervisors and admins ask of the running daemon. The JSON shapes are those of DESIGN.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from router.core import learning, prospects
from router.core.decisions import AssignTo, Explanation, OfferTo, QueueContact
from router.core.events import LeaderElected, LossAccepted, OfferAccepted
from router.core.ports import InboxEntry
from router.core.state import Contact
from router.core.transitions import ContactState
from router.shell.archive import Archive, History
from router.shell.clock import rfc3339
from router.shell.journal import JournalStore
from router.shell.leader import Leader
from router.shell.notes import Internal, internal_entry
from router.shell.records import Record, decode
from router.shell.recovery import as_of
from router.shell.shelf import Shelf
from router.shell.vault import Vault, raw_blob

RAW_CHARACTERS_SHOWN_MAX = 20_000


class OpsStore(JournalStore, Protocol):
    """What operations ask of the store."""

    async def journal_get(self, identifier: str) -> bytes | None:
        """One record's bytes."""
        ...


class Gauges(Protocol):
    """Numbers that `status` shows."""

    def __call__(self) -> dict[str, object]:
        """Keys of `usherd status`: inbox_lag, outbox_lag, channels, problems, …."""
        ...

    async def measure(self) -> None:
        """Bring those up to date that take a question to the store."""
        ...


class Ops:
    """Implements the desk's `Operations`."""

    def __init__(
        self,
        *,
        store: OpsStore,
        leader: Leader,
        vault: Vault,
        tell: Callable[[InboxEntry], Awaitable[None]],
        gauges: Gauges,
        node: str,
        shelf: Shelf | None = None,
    ) -> None:
        """`shelf`: where old records and snapshots lie, for questions about what is long ago."""
        self._store = store if shelf is None else History(store, Archive(shelf))
        self._shelf = shelf
        self._leader = leader
        self._vault = vault
        self._tell = tell
        self._gauges = gauges
        self._node = node
        self._retries = 0

    async def measured(self) -> dict[str, object]:
        """The JSON of `usherd status`; nothing in it is older than the question."""
        await self._gauges.measure()
        return self.status()

    def status(self) -> dict[str, object]:
        """The same, with numbers of a moment ago."""
        state, journal = self._leader.engine.state, self._leader.journal
        return {
            "node": self._node,
            "leader": state.node if self._leader.leading else None,
            "epoch": state.epoch,
            "mode": "shadow" if state.workspace.shadow else "live",
            "config": state.version,
            "journal": {
                "records": journal.n,
                "last": journal.last_id,
                "losses": [_lost(n, fence) for n, fence in journal.losses],
            },
            **self._gauges(),
        }

    async def explain(self, contact: str, *, full: bool) -> dict[str, object]:
        """The JSON of `usherd explain`: the last decision about who gets the contact. Raises KeyError."""
        found = (await self._leader.settled()).contacts[contact]
        record = await self._record(found.decided_at) if found.decided_at else None
        if record is None:
            return self._with_outlook(explained(found, None, None, self._leader.engine.explain(contact)), found)
        weighed = await self._weighed(found, record)
        await self._leader.settled()
        answer = self._with_outlook(explained(found, record, weighed), found)
        if full:
            answer |= await self._as_it_was(found, weighed or record)
        return answer

    def _with_outlook(self, answer: dict[str, object], contact: Contact) -> dict[str, object]:
        """What would have changed it, as things stand now; of what waits, who could take it, and when likely.

        What it is expected to take, and how its customer sounds, count whoever it goes to.
        """
        engine = self._leader.engine
        spread = learning.spread(engine.state, contact)
        answer["moods"] = list(contact.moods)
        answer["effort_seconds"] = {
            "expected": learning.expected(engine.state, contact) // 1_000,
            "spread": None if spread is None else [ms // 1_000 for ms in spread],
        }
        answer["would_have"] = [msgspec.to_builtins(one) for one in engine.would_have(contact.id)]
        if contact.state is ContactState.WAITING:
            outlook = engine.prospects(contact.id)
            answer["ahead"] = outlook.ahead
            answer["likely_at"] = None if outlook.likely_at is None else rfc3339(outlook.likely_at)
            answer["could"] = [
                {"agent": one.agent, "at": None if one.at is None else rfc3339(one.at), "why": one.why}
                for one in outlook.could
            ]
        return answer

    async def _weighed(self, contact: Contact, decided: Record) -> Record | None:
        """The record of the offer that an agent accepted: there the agents were compared."""
        if not isinstance(decided.event, OfferAccepted) or not contact.offered_at:
            return None
        return await self._record(contact.offered_at)

    async def _record(self, n: int) -> Record | None:
        """A record by number; None while the engine has decided and the journal has not got it yet."""
        if n > self._leader.journal.n:
            return None
        raw = await self._store.journal_get(self._leader.journal.id_of(n))
        return None if raw is None else decode(raw, n)

    async def _as_it_was(self, contact: Contact, weighed: Record) -> dict[str, object]:
        """Every agent as they stood when `weighed` compared them, and what would have changed it, by replaying to it.

        Those that the record itself names where that would take too long: the first five.
        """
        made = _decided(weighed, contact.id)
        if made is None or made.explanation is None:
            return {"candidates": []}
        engine = await as_of(self._store, self._shelf, weighed.n)
        if engine is None:
            return {"candidates": [msgspec.to_builtins(candidate) for candidate in made.explanation.candidates]}
        engine.state.at = max(engine.state.at, weighed.event.at)  # an engine of our own: they had been idle until then
        known = engine.state.contacts.get(contact.id, contact)
        found = engine.candidates(made.explanation.requirement, made.explanation.kind, known.team)
        changes = prospects.would_have(engine.index, contact, before=True)
        return {
            "candidates": [msgspec.to_builtins(candidate) for candidate in found],
            "would_have": [msgspec.to_builtins(change) for change in changes],
        }

    async def quarantine(self, message: str | None = None) -> dict[str, object]:
        """`{"quarantine": […]}`, or one item with its raw text. Raises KeyError when unknown."""
        state = await self._leader.settled()
        if message is None:
            shown = await self._vault.messages(list(state.quarantined))
            return {
                "quarantine": [
                    {
                        "id": name,
                        "contact": contact,
                        "reason": shown[name].warnings[0] if name in shown and shown[name].warnings else "",
                        "at": rfc3339(state.contacts[contact].opened_at),
                    }
                    for name, contact in state.quarantined.items()
                ]
            }
        contact = state.quarantined[message]
        blob = raw_blob(message)
        raw = (await self._vault.open([blob])).get(blob, b"")
        text = raw[:RAW_CHARACTERS_SHOWN_MAX].decode("utf-8", "backslashreplace")
        return {"id": message, "contact": contact, "size": len(raw), "raw": text}

    async def retry(self, message: str) -> dict[str, object]:
        """Have a quarantined message read once more. Raises KeyError when unknown."""
        contact = self._leader.engine.state.quarantined[message]
        self._retries += 1
        note = Internal(what="retry", message=message)
        await self._tell(internal_entry(note, distinct=f"{self._leader.journal.n}.{self._retries}"))
        return {"id": message, "contact": contact, "queued": True}


def _lost(n: int, fence: LeaderElected) -> dict[str, object]:
    """What an admin said to go on without, at record `n`."""
    loss = fence.loss or LossAccepted(after=n - 1, seen=n - 1)
    return {"record": n, "at": rfc3339(fence.at), "after": loss.after, "lost": loss.seen - loss.after}


def explained(
    contact: Contact, record: Record | None, weighed: Record | None, now: Explanation | None = None
) -> dict[str, object]:
    """The keys of `usherd explain`.

    `record` decided last; `weighed` is the one that compared the agents, where that is another: the offer that was
    accepted. Before anything was decided, `now` is what the engine would do.
    """
    decision, agent, explanation = "waiting", contact.agent, now
    made = _decided(record, contact.id)
    if made is not None:
        decision = {OfferTo: "offer", AssignTo: "assign", QueueContact: "wait"}[type(made)]
        agent = None if isinstance(made, QueueContact) else made.agent
        offered = _decided(weighed, contact.id)
        explanation = made.explanation if offered is None else offered.explanation
    return {
        "contact": contact.id,
        "record": record.n if record else None,
        "at": rfc3339(record.event.at) if record else None,
        "decision": decision,
        "agent": agent,
        "deciding": explanation.deciding if explanation else "",
        "candidates": [msgspec.to_builtins(one) for one in explanation.candidates] if explanation else [],
        "ruled_out": dict(explanation.ruled_out) if explanation else {},
        "relaxation": explanation.relaxation if explanation else 0,
        "reserve": list(explanation.reserve) if explanation else [],
        "sticky": explanation.sticky if explanation else None,
        "manual": explanation.manual if explanation else False,
        "requirement": {"must": dict(contact.requirement.must), "prefer": dict(contact.requirement.prefer)},
        "config": record.config if record else None,
        "would_have": [],
    }


def _decided(record: Record | None, contact: str) -> OfferTo | AssignTo | QueueContact | None:
    """What a record decided last about who gets a contact."""
    found = None
    for made in record.decisions if record is not None else ():
        if isinstance(made, OfferTo | AssignTo | QueueContact) and made.contact == contact:
            found = made
    return found
