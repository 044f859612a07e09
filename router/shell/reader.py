"""Reading ahead: each inbox entry is begun as soon as it is read and finished in its turn.

What is not understood after DEFER_SECONDS is journaled as deferred, so that nobody behind it waits; it comes back as
an internal entry under its first id. Large input is deferred at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from router.core.errors import PermanentError, StoreUnavailable, TransientError
from router.core.events import CommandRefused, CustomerErased, DeliveryReported, ErasureDone, MessageDeferred
from router.core.ports import Inbox, InboxEntry
from router.core.state import State
from router.shell.actions import Actions
from router.shell.buggify import point
from router.shell.channel import Channel
from router.shell.clock import Clock
from router.shell.store.entries import InboxItem
from router.shell.understanding import Facts, Plain, Prepared, Refused, Source, received, released, sender_of, source_of
from router.shell.vault import Vault, raw_blob
from router.shell.workers import Raw, Understood, Workers

log = structlog.get_logger()

DEFER_SECONDS = 0.25
LARGE_BYTES_MIN = 256 << 10
RETRY_SECONDS = 0.5
FAILED = "usherd failed on it; this was logged"


class ReaderStore(Protocol):
    """What reading ahead asks of the store."""

    async def inbox_get(self, ids: list[str]) -> list[InboxItem]:
        """Entries by id; those that are gone are left out."""
        ...

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs, replacing those of the same name; durable when it returns."""
        ...


class Begun(msgspec.Struct):
    """An entry that was read; `future` is the worker's answer where one was asked, due at `deadline` (loop time)."""

    entry: InboxItem
    deadline: float = 0.0
    future: asyncio.Future[Understood] | None = None
    poisoned: bool = False


class Batch(msgspec.Struct):
    """Entries read together, in order."""

    items: list[Begun]


class Internal(msgspec.Struct, kw_only=True):
    """What usherd tells itself through the inbox.

    `what`: understood | delivery | retry | reread | erase | erased | workspace. `kept`: the message's bytes are in
    their blob already. To erase: `customer`, `contact` or `identities` say whom, `times` as in CustomerErased.
    `version`, `base`: of a workspace that a node proposes.
    """

    what: str
    message: str
    contact: str = ""
    state: str = ""
    kept: bool = False
    customer: str = ""
    identities: tuple[str, ...] = ()
    times: int = 0
    version: str = ""
    base: str = ""


_INTERNAL = msgspec.json.Decoder(Internal)
_UNDERSTOOD = msgspec.json.Decoder(Understood)


def internal_entry(note: Internal, raw: bytes = b"", *, distinct: str = "") -> InboxEntry:
    """The inbox entry of an internal note; `distinct` tells repeated ones apart."""
    meta = msgspec.json.encode(note)
    key = hashlib.sha256(b"internal\0" + meta + b"\0" + distinct.encode()).digest()[:16]
    return InboxEntry(source="internal", key=key, body=key, meta=meta, raw=raw)


class Reader:
    """Begins and finishes inbox entries."""

    def __init__(
        self,
        *,
        store: ReaderStore,
        inbox: Inbox,
        vault: Vault,
        workers: Workers,
        actions: Actions,
        channels: dict[str, Channel],
        facts: Facts,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._vault = vault
        self._workers = workers
        self._actions = actions
        self.channels = channels
        self.facts = facts
        self.proposed: Callable[[str, Internal], None] = _nothing  # a node proposes a workspace
        self._rereading: set[asyncio.Task[None]] = set()

    def begin(self, items: list[InboxItem], poisoned: set[str]) -> Batch:
        """Start on entries just read; messages from hostile channels go to the workers."""
        loop = asyncio.get_running_loop()
        begun = [Begun(entry=item, poisoned=item.id in poisoned) for item in items]
        hostile = [one for one in begun if self._is_hostile(one.entry.source) and not one.entry.absent]
        now = loop.time()
        raws = [_raw_of(one.entry, self.channels[one.entry.source]) for one in hostile]
        for one, future in zip(hostile, self._workers.understand(raws), strict=True):
            one.future = future
            one.deadline = now + (0.0 if len(one.entry.raw) >= LARGE_BYTES_MIN else DEFER_SECONDS)
        return Batch(begun)

    def _is_hostile(self, source: str) -> bool:
        channel = self.channels.get(source)
        return channel is not None and channel.hostile

    async def finish(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        """The event of an entry, in its turn. Never raises for what the entry says."""
        entry = begun.entry
        try:
            return await self._finish(begun, state, clock)
        except Refused as refusal:
            return _refused(entry, refusal, clock)
        except StoreUnavailable:
            raise  # not the entry's fault
        except Exception as error:
            log.exception("entry_failed", entry=entry.id, source=entry.source, error=type(error).__name__)
            return await self._given_up(entry, clock)

    async def _given_up(self, entry: InboxItem, clock: Clock) -> Prepared:
        """The end of an entry on which usherd itself fails: it must not come back for ever, nor vanish unseen."""
        if entry.source == "command":
            return _refused(entry, Refused("internal"), clock)
        if entry.source != "internal":
            return self._problem(entry, self.channels.get(entry.source, self.channels["email"]), FAILED, clock)
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            note = _INTERNAL.decode(entry.meta)
            originals = await self._insist_get([note.message]) if note.what == "understood" else []
            for original in originals:
                channel = self.channels.get(original.source, self.channels["email"])
                return self._problem(original, channel, FAILED, clock, inbox=entry.id)
        return Prepared(event=None, finished=[entry.id])

    async def _finish(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        entry = begun.entry
        if entry.absent and entry.source in {"command", "internal"}:
            found = await self._insist_get([entry.id])
            if not found:  # it was dealt with before
                return Prepared(event=None, finished=[entry.id])
            entry = begun.entry = found[0]
        if begun.poisoned:
            return await self._given_up(entry, clock)
        if entry.source == "command":
            return await self._patiently(begun, state, clock)
        if entry.source == "internal":
            return await self._internal(entry, state, clock)
        channel = self.channels.get(entry.source)
        if channel is None:
            log.error("unknown_source", entry=entry.id, source=entry.source)
            channel = self.channels["email"]
            return self._problem(entry, channel, f"no channel is called {entry.source}", clock)
        return await self._message(begun, channel, clock)

    async def _patiently(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        """A command's event; reading what it answers may have to wait for the store."""
        entry = begun.entry
        while True:
            try:
                return await self._actions.prepare(entry.id, entry.meta, entry.raw, state, clock.now())
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _message(self, begun: Begun, channel: Channel, clock: Clock) -> Prepared:
        entry = begun.entry
        if entry.lost:
            return self._problem(entry, channel, "its file is gone from the blob folder", clock)
        if entry.absent:
            return Prepared(event=MessageDeferred(at=clock.now(), inbox=entry.id, message=entry.id))
        source = _source(channel, entry)
        if begun.future is None:
            understood = self._workers.here(Raw(entry.raw, entry.meta, channel.normalise))
            return received(source, understood, entry.raw, channel, self.facts, clock.now())
        wait = max(0.0, begun.deadline - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait([begun.future], timeout=wait)
        if not done:
            return Prepared(event=MessageDeferred(at=clock.now(), inbox=entry.id, message=entry.id))
        return received(source, begun.future.result(), entry.raw, channel, self.facts, clock.now())

    def _problem(self, entry: InboxItem, channel: Channel, problem: str, clock: Clock, *, inbox: str = "") -> Prepared:
        understood = Understood(problem=problem)
        return received(_source(channel, entry, inbox=inbox), understood, entry.raw, channel, self.facts, clock.now())

    async def resume_when(self, begun: Begun) -> None:
        """Bring a deferred message back when the worker has answered, or its bytes can be had again."""
        if begun.entry.absent:
            await self.resume(begun.entry.id)
        elif begun.future is not None:
            await self._bring_back(begun.entry, await begun.future)

    async def resume(self, message: str) -> None:
        """Understand a deferred message anew, after a restart."""
        items = await self._insist_get([message])
        for item in items:
            [future] = self._workers.understand([_raw_of(item, self.channels[item.source])])
            await self._bring_back(item, await future)

    async def _bring_back(self, original: InboxItem, understood: Understood) -> None:
        """Put a deferred message behind what came meanwhile; if it is large its bytes are stored before its turn."""
        large = len(original.raw) >= LARGE_BYTES_MIN
        if large:
            await self._keep_raw(original, understood)
        note = Internal(what="understood", message=original.id, kept=large)
        await point("reader.before_return")
        await self.tell(internal_entry(note, msgspec.json.encode(understood)))
        await point("reader.after_return")

    async def _keep_raw(self, original: InboxItem, understood: Understood) -> None:
        channel = self.channels[original.source]
        blobs = received(_source(channel, original), understood, original.raw, channel, self.facts, 0).blobs
        await self._insist_put(next(blob for blob in blobs if blob.blob == raw_blob(original.id)))

    async def _insist_put(self, blob: Plain) -> None:
        while True:
            try:
                await self._vault.prepare({blob.identity})
                await self._store.blobs_put(dict([await self._vault.lock_blob(blob.blob, blob.identity, blob.plain)]))
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def tell(self, entry: InboxEntry) -> None:
        """Put an internal entry into the inbox, however long that takes."""
        while True:
            try:
                await self._inbox.append([entry])
            except TransientError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _insist_get(self, ids: list[str]) -> list[InboxItem]:
        while True:
            try:
                return await self._store.inbox_get(ids)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _internal(self, entry: InboxItem, state: State, clock: Clock) -> Prepared:
        note = _INTERNAL.decode(entry.meta)
        match note.what:
            case "understood":
                return await self._returned(entry, note, clock)
            case "retry":
                self._reread(entry, note, state)
                return Prepared(event=None, finished=[entry.id])
            case "reread":
                return self._released(entry, note, state, clock)
            case "workspace":
                self.proposed(entry.id, note)
                return Prepared(event=None, finished=[entry.id])
            case "delivery":
                event = DeliveryReported(
                    at=clock.now(), inbox=entry.id, message=note.message, contact=note.contact, state=note.state
                )
                return Prepared(event=event, finished=[entry.id])
            case "erase":
                return Prepared(event=_erased(entry, note, clock.now()), finished=[entry.id])
            case "erased":
                done = ErasureDone(at=clock.now(), inbox=entry.id, erasure=note.message, problem=note.state)
                return Prepared(event=done, finished=[entry.id])
            case _:
                log.error("unknown_internal_entry", entry=entry.id, what=note.what)
                return Prepared(event=None, finished=[entry.id])

    async def _returned(self, entry: InboxItem, note: Internal, clock: Clock) -> Prepared:
        originals = await self._insist_get([note.message])
        if not originals:  # brought back twice; the first time did it
            return Prepared(event=None, finished=[entry.id])
        original = originals[0]
        channel = self.channels[original.source]
        source = _source(channel, original, inbox=entry.id)
        understood = _UNDERSTOOD.decode(entry.raw)
        prepared = received(source, understood, original.raw, channel, self.facts, clock.now())
        if note.kept:
            prepared.blobs = [blob for blob in prepared.blobs if blob.blob != raw_blob(note.message)]
        return prepared

    def _reread(self, entry: InboxItem, note: Internal, state: State) -> None:
        """Begin to read a quarantined message once more; nobody waits for what may take a worker's whole time.

        If the process ends meanwhile the message is still in quarantine, and can be asked for again.
        """
        contact = state.contacts.get(state.quarantined.get(note.message, ""))
        channel = self.channels.get(contact.channel) if contact is not None else None
        if channel is not None:
            task = asyncio.create_task(self._read_again(entry.id, note.message, channel))
            self._rereading.add(task)
            task.add_done_callback(self._rereading.discard)

    async def _read_again(self, asked: str, message: str, channel: Channel) -> None:
        try:
            raw = await self._insist_raw(message)
        except PermanentError as error:
            log.warning("quarantined_message_lost", message=message, error=str(error))
            return
        if raw is None:
            return  # erased
        item = Raw(raw, b"{}", channel.normalise)
        understood = await self._workers.understand([item])[0] if channel.hostile else self._workers.here(item)
        if understood.message is not None:  # its bytes belong to whoever wrote them, and go when those are erased
            source = Source(inbox=asked, message=message, channel=channel.name, kind="", account="")
            await self._insist_put(
                Plain(raw_blob(message), sender_of(understood.message, source, self.facts.secret), raw)
            )
        note = Internal(what="reread", message=message)
        await self.tell(internal_entry(note, msgspec.json.encode(understood), distinct=asked))

    async def _insist_raw(self, message: str) -> bytes | None:
        blob = raw_blob(message)
        while True:
            try:
                return (await self._vault.open([blob])).get(blob)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _released(self, entry: InboxItem, note: Internal, state: State, clock: Clock) -> Prepared:
        contact = state.contacts.get(state.quarantined.get(note.message, ""))
        if contact is None:  # read again twice, or closed meanwhile
            return Prepared(event=None, finished=[entry.id])
        source = Source(
            inbox=entry.id,
            message=note.message,
            channel=contact.channel,
            kind=contact.kind,
            account=contact.account,
        )
        return released(source, _UNDERSTOOD.decode(entry.raw), self.facts, clock.now())


def _nothing(_: str, __: Internal) -> None:
    """Nobody here takes proposals; who made one asks again."""


def _refused(entry: InboxItem, refusal: Refused, clock: Clock) -> Prepared:
    """Journaled too: whoever waits for an answer may be at another node, or ask again after a restart."""
    event = CommandRefused(at=clock.now(), inbox=entry.id, code=refusal.code, detail=refusal.detail)
    return Prepared(event=event, finished=[entry.id])


def _erased(entry: InboxItem, note: Internal, at: int) -> CustomerErased:
    return CustomerErased(
        at=at,
        inbox=entry.id,
        erasure=entry.id,
        customer=note.customer,
        contact=note.contact,
        identities=note.identities,
        times=note.times,
    )


def _raw_of(entry: InboxItem, channel: Channel) -> Raw:
    """What a worker is given; what lies in a file it reads there."""
    raw = b"" if entry.path else entry.raw
    return Raw(raw, entry.meta, channel.normalise, path=entry.path, size=len(entry.raw))


def _source(channel: Channel, entry: InboxItem, *, inbox: str = "") -> Source:
    return source_of(channel, inbox=inbox or entry.id, message=entry.id, meta=entry.meta, conflict=entry.conflict)
