"""Inbox entries are begun as soon as they are read, ripened while others have their turn, and finished in their own.

What is not understood after DEFER_SECONDS is journaled as deferred, so that nobody behind it waits; it comes back as
an internal entry under its first id. Large input is deferred at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from router.core.errors import PermanentError, StoreUnavailable, TransientError
from router.core.events import CommandRefused, ErasureDone, MessageDeferred
from router.core.ports import Inbox, InboxEntry
from router.core.state import State
from router.shell.actions import Actions
from router.shell.buggify import point
from router.shell.channel import Channel
from router.shell.clock import Clock
from router.shell.notes import UNDERSTOOD, Internal, erased, internal_entry, note_of, read_note, reported
from router.shell.store.entries import InboxItem
from router.shell.understanding import Facts, Prepared, Refused, Source, received, released, sender_of, source_of
from router.shell.vault import Plain, Vault, raw_blob
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

    async def inbox_heads(self, ids: list[str]) -> list[InboxItem]:
        """The same without bytes that are too large to lie in the store."""
        ...

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs, replacing those of the same name; durable when it returns."""
        ...


class Begun(msgspec.Struct):
    """An entry that was read; `future` is the worker's answer where one was asked, due at `deadline` (loop time).

    `understood`: a message's meaning, known before its turn. `originals`: of a deferred message that came back, its
    first entry, unless it is in its place. `ripe`: nothing has to be waited for in its turn.
    """

    entry: InboxItem
    deadline: float = 0.0
    future: asyncio.Future[Understood] | None = None
    understood: Understood | None = None
    originals: list[InboxItem] | None = None
    poisoned: bool = False
    ripe: bool = False

    def is_ready(self, now: float) -> bool:
        """Whether there is an answer, or none is waited for any longer."""
        return self.future is None or self.future.done() or now >= self.deadline


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

    def begin(self, items: list[InboxItem], poisoned: set[str]) -> list[Begun]:
        """Start on entries just read; messages from hostile channels go to the workers."""
        loop = asyncio.get_running_loop()
        begun = [Begun(entry=item, poisoned=item.id in poisoned) for item in items]
        hostile = [one for one in begun if self._is_hostile(one.entry.source) and not one.entry.absent]
        now = loop.time()
        raws = [_raw_of(one.entry, self.channels[one.entry.source]) for one in hostile]
        for one, future in zip(hostile, self._workers.understand(raws), strict=True):
            one.future = future
            one.deadline = now + (0.0 if len(one.entry.raw) >= LARGE_BYTES_MIN else DEFER_SECONDS)
        return begun

    async def ripen(self, ready: list[Begun]) -> None:
        """Do for entries what can be done before their turn, so that nothing is waited for in it. Decides nothing.

        Keys are fetched for many at once; those that cannot be had now are asked for again in their turn.
        """
        returned = {}
        identities = set()
        for one in ready:
            if one.poisoned or one.entry.absent or one.entry.lost:
                continue
            if one.entry.source == "internal":
                note = note_of(one.entry.meta)
                if note is not None and note.what == "understood" and note.kept:
                    returned[note.message] = one
            elif (channel := self.channels.get(one.entry.source)) is not None:
                with suppress(Exception):  # its turn meets the same again, and says so
                    identities |= self._foresee(one, channel)
                await asyncio.sleep(0)
        if returned:
            for original in await self._insist_heads(list(returned)):
                returned[original.id].originals = [original]
        with suppress(StoreUnavailable):
            await self._vault.prepare(identities)

    def _foresee(self, one: Begun, channel: Channel) -> set[str]:
        """Understand a message, here where no worker is needed; whose key will lock it."""
        if one.future is None:
            one.understood = self._workers.here(Raw(one.entry.raw, one.entry.meta, channel.normalise))
        elif one.future.done():
            one.understood = one.future.result()
        message = one.understood.message if one.understood is not None else None
        return set() if message is None else {sender_of(message, _source(channel, one.entry), self.facts.secret)}

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
            note = read_note(entry.meta)
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
            return await self._internal(begun, state, clock)
        channel = self.channels.get(entry.source)
        if channel is None:
            log.error("unknown_source", entry=entry.id, source=entry.source)
            channel = self.channels["email"]
            return self._problem(entry, channel, f"no channel is called {entry.source}", clock)
        return self._message(begun, channel, clock)

    async def _patiently(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        """A command's event; reading what it answers may have to wait for the store."""
        entry = begun.entry
        while True:
            try:
                return await self._actions.prepare(entry.id, entry.meta, entry.raw, state, clock.now())
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _message(self, begun: Begun, channel: Channel, clock: Clock) -> Prepared:
        entry = begun.entry
        if entry.lost:
            return self._problem(entry, channel, "its file is gone from the blob folder", clock)
        if begun.understood is None and not entry.absent:  # it failed, or came late and in time for its turn
            self._foresee(begun, channel)
        if begun.understood is None:
            return Prepared(event=MessageDeferred(at=clock.now(), inbox=entry.id, message=entry.id))
        return received(_source(channel, entry), begun.understood, entry.raw, channel, self.facts, clock.now())

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
        kept = len(original.raw) >= LARGE_BYTES_MIN
        try:
            if kept:
                await self._keep_raw(original, understood)
        except Exception as error:  # its turn meets the same again, and quarantines it
            log.exception("large_message_not_kept", message=original.id, error=type(error).__name__)
            kept = False
        note = Internal(what="understood", message=original.id, kept=kept)
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

    async def _insist_heads(self, ids: list[str]) -> list[InboxItem]:
        while True:
            try:
                return await self._store.inbox_heads(ids)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _internal(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        entry = begun.entry
        note = read_note(entry.meta)
        match note.what:
            case "understood":
                return await self._returned(begun, note, clock)
            case "retry":
                self._reread(entry, note, state)
                return Prepared(event=None, finished=[entry.id])
            case "reread":
                return self._released(entry, note, state, clock)
            case "workspace":
                self.proposed(entry.id, note)
                return Prepared(event=None, finished=[entry.id])
            case "delivery":
                return Prepared(event=reported(entry.id, note, clock.now()), finished=[entry.id])
            case "erase":
                return Prepared(event=erased(entry.id, note, clock.now()), finished=[entry.id])
            case "erased":
                done = ErasureDone(at=clock.now(), inbox=entry.id, erasure=note.message, problem=note.state)
                return Prepared(event=done, finished=[entry.id])
            case _:
                log.error("unknown_internal_entry", entry=entry.id, what=note.what)
                return Prepared(event=None, finished=[entry.id])

    async def _returned(self, begun: Begun, note: Internal, clock: Clock) -> Prepared:
        entry = begun.entry
        originals = await self._insist_get([note.message]) if begun.originals is None else begun.originals
        if not originals:  # brought back twice; the first time did it
            return Prepared(event=None, finished=[entry.id])
        original = originals[0]
        channel = self.channels[original.source]
        source = _source(channel, original, inbox=entry.id)
        understood = UNDERSTOOD.decode(entry.raw)
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
        return released(source, UNDERSTOOD.decode(entry.raw), self.facts, clock.now())


def _nothing(_: str, __: Internal) -> None:
    """Nobody here takes proposals; who made one asks again."""


def _refused(entry: InboxItem, refusal: Refused, clock: Clock) -> Prepared:
    """Journaled too: whoever waits for an answer may be at another node, or ask again after a restart."""
    event = CommandRefused(at=clock.now(), inbox=entry.id, code=refusal.code, detail=refusal.detail)
    return Prepared(event=event, finished=[entry.id])


def _raw_of(entry: InboxItem, channel: Channel) -> Raw:
    """What a worker is given; what lies in a file it reads there."""
    raw = b"" if entry.path else entry.raw
    return Raw(raw, entry.meta, channel.normalise, path=entry.path, size=len(entry.raw))


def _source(channel: Channel, entry: InboxItem, *, inbox: str = "") -> Source:
    return source_of(channel, inbox=inbox or entry.id, message=entry.id, meta=entry.meta, conflict=entry.conflict)
