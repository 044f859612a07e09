"""Inbox entries are begun as soon as they are read, ripened while others have their turn, and finished in their own.

What is not understood after DEFER_SECONDS is journaled as deferred, so that nobody behind it waits; it comes back as
an internal entry under its first id. Large input is deferred at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import msgspec
import structlog

from router.core.errors import PermanentError, StoreUnavailable
from router.core.events import CommandRefused, MessageDeferred
from router.core.message import Message
from router.core.ports import Inbox, InboxEntry
from router.core.state import State
from router.shell.actions import Actions
from router.shell.buggify import point
from router.shell.channel import Channel
from router.shell.clock import Clock
from router.shell.insistent import Insistent, InsistentStore, insisted
from router.shell.notes import UNDERSTOOD, Internal, internal_entry, note_of, read_note, told
from router.shell.store.entries import InboxItem
from router.shell.understanding import (
    Facts,
    Prepared,
    Refused,
    Source,
    auto_of,
    received,
    released,
    sender_of,
    source_of,
)
from router.shell.vault import Plain, Vault, raw_blob
from router.shell.workers import Raw, Understood, Workers

log = structlog.get_logger()

DEFER_SECONDS = 0.25
LARGE_BYTES_MIN = 256 << 10
RETRY_SECONDS = 0.5
RESUMED_AT_ONCE_MAX = 4  # large messages that are read into memory again after a restart
FAILED = "usherd failed on it; this was logged"


class Begun(msgspec.Struct):
    """An entry that was read; `future` is the worker's answer where one was asked, due at `deadline` (loop time).

    `note`: of an internal entry. `understood`: a message's meaning, known before its turn. `originals`: of a deferred
    message that came back, its first entry, unless that is gone. `ripe`: nothing has to be waited for in its turn.
    """

    entry: InboxItem
    note: Internal | None = None
    deadline: float = 0.0
    future: asyncio.Future[Understood] | None = None
    understood: Understood | None = None
    originals: list[InboxItem] | None = None
    poisoned: bool = False
    ripe: bool = False

    def is_ready(self, now: float) -> bool:
        """Whether there is an answer, or none is waited for any longer."""
        return self.future is None or self.future.done() or now >= self.deadline

    @property
    def returns(self) -> str:
        """The deferred message that it brings back, or ""."""
        return self.note.message if self.note is not None and self.note.what == "understood" else ""

    @property
    def erases(self) -> bool:
        """Whether somebody is to be erased."""
        return self.note is not None and self.note.what == "erase"


class Reader:
    """Begins and finishes inbox entries."""

    def __init__(
        self,
        *,
        store: InsistentStore,
        inbox: Inbox,
        vault: Vault,
        workers: Workers,
        actions: Actions,
        channels: dict[str, Channel],
        facts: Facts,
    ) -> None:
        self._inbox = inbox
        self._vault = vault
        self._insistent = Insistent(store, vault)
        self._workers = workers
        self._actions = actions
        self.channels = channels
        self.facts = facts
        self.proposed: Callable[[str, Internal], None] = _nothing  # a node proposes a workspace
        self.epoch: Callable[[], int] = int  # in which this node leads, or led last
        self.ask: Callable[[Iterable[str]], Awaitable[None]] = (
            _nobody_asks  # of which tier who writes is; never for long
        )
        self.sift: Callable[[InboxItem, asyncio.Future[Understood]], asyncio.Future[Understood]] = _as_read
        self.rereading: set[asyncio.Task[None]] = set()
        self._resumed = asyncio.Semaphore(RESUMED_AT_ONCE_MAX)

    def begin(self, items: list[InboxItem], poisoned: set[str]) -> list[Begun]:
        """Start on entries just read; messages from hostile channels go to the workers."""
        loop = asyncio.get_running_loop()
        begun = [Begun(entry=item, note=_note(item), poisoned=item.id in poisoned) for item in items]
        hostile = [one for one in begun if self._is_hostile(one.entry.source) and not one.entry.absent]
        now = loop.time()
        raws = [_raw_of(one.entry, self.channels[one.entry.source]) for one in hostile]
        for one, future in zip(hostile, self._workers.understand(raws), strict=True):
            one.future = self.sift(one.entry, future)
            one.deadline = now + (0.0 if len(one.entry.raw) >= LARGE_BYTES_MIN else DEFER_SECONDS)
        return begun

    async def ripen(self, ready: list[Begun]) -> None:
        """Do for entries what can be done before their turn, so that nothing is waited for in it. Decides nothing.

        Keys are fetched for many at once; those that cannot be had now are asked for again in their turn.
        """
        returned: dict[str, list[Begun]] = {}
        identities: set[str] = set()
        writers: list[str] = []
        for one in ready:
            if one.poisoned or one.entry.absent or one.entry.lost:
                continue
            if one.entry.source == "internal":
                if one.returns and one.note is not None and one.note.kept:
                    returned.setdefault(one.returns, []).append(one)
            elif (channel := self.channels.get(one.entry.source)) is not None:
                with suppress(Exception):  # its turn meets the same again, and says so
                    if (message := self._foresee(one, channel)) is not None:
                        identities.add(sender_of(message, _source(channel, one.entry), self.facts.secret))
                        writers += _writer(message)
                await asyncio.sleep(0)
        if returned:
            for original in await self._insistent.heads(list(returned)):
                for one in returned[original.id]:
                    one.originals = [original]
        with suppress(StoreUnavailable):
            await self._vault.prepare(identities)
        await self.ask(writers)

    def _foresee(self, one: Begun, channel: Channel) -> Message | None:
        """Understand a message, here where no worker is needed."""
        if one.future is None:
            one.understood = self._workers.here(Raw(one.entry.raw, one.entry.meta, channel.normalise))
        elif one.future.done():
            one.understood = one.future.result()
        return one.understood.message if one.understood is not None else None

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
            return await self._given_up(begun, state, clock)

    async def _given_up(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        """The end of an entry on which usherd itself fails: it must not come back for ever, nor vanish unseen."""
        entry = begun.entry
        if entry.source == "command":
            return _refused(entry, Refused("internal"), clock)
        if entry.source != "internal":
            return self._problem(entry, self.channels.get(entry.source, self.channels["email"]), FAILED, clock)
        if begun.returns in state.deferred:
            for original in await self._insistent.get([begun.returns]):
                channel = self.channels.get(original.source, self.channels["email"])
                return self._problem(original, channel, FAILED, clock, inbox=entry.id)
        return Prepared(event=None, finished=[entry.id])

    async def _finish(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        entry = begun.entry
        if entry.absent and entry.source in {"command", "internal"}:
            found = await self._insistent.get([entry.id])
            if not found:  # it was dealt with before
                return Prepared(event=None, finished=[entry.id])
            entry = begun.entry = found[0]
        if begun.poisoned:
            return await self._given_up(begun, state, clock)
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
        epoch = self.epoch()
        if begun.entry.absent:
            await self.resume(begun.entry.id)
        elif begun.future is not None:
            await self._bring_back(begun.entry, await begun.future, epoch)

    async def resume(self, message: str) -> None:
        """Understand a deferred message anew, after a restart."""
        epoch = self.epoch()
        async with self._resumed:
            for item in await self._insistent.get([message]):
                [future] = self._workers.understand([_raw_of(item, self.channels[item.source])])
                await self._bring_back(item, await self.sift(item, future), epoch)

    async def _bring_back(self, original: InboxItem, understood: Understood, epoch: int) -> None:
        """Put a deferred message behind what came meanwhile; if it is large its bytes are stored before its turn."""
        kept = len(original.raw) >= LARGE_BYTES_MIN
        await self.ask(_writer(understood.message))
        try:
            if kept and not await self._keep_raw(original, understood, epoch):
                return
        except Exception as error:  # its turn meets the same again, and quarantines it
            log.exception("large_message_not_kept", message=original.id, error=type(error).__name__)
            kept = False
        if self._vault.is_gone(original.id):  # it came back by an earlier note, and was erased: not a word of it again
            return
        note = Internal(what="understood", message=original.id, kept=kept)
        entry = internal_entry(note, msgspec.json.encode(understood))
        await insisted(lambda: self._return(entry))

    async def _return(self, entry: InboxEntry) -> None:
        await point("reader.before_return")
        await self._inbox.append([entry])
        await point("reader.after_return")

    async def _keep_raw(self, original: InboxItem, understood: Understood, epoch: int) -> bool:
        channel = self.channels[original.source]
        blobs = received(_source(channel, original), understood, original.raw, channel, self.facts, 0).blobs
        raw = next(blob for blob in blobs if blob.blob == raw_blob(original.id))
        return await self._insistent.put_raw(original.id, raw, epoch)

    async def tell(self, entry: InboxEntry) -> None:
        """Put an internal entry into the inbox, however long that takes."""
        await insisted(lambda: self._inbox.append([entry]))

    async def _internal(self, begun: Begun, state: State, clock: Clock) -> Prepared:
        entry = begun.entry
        note = read_note(entry.meta)
        if (event := told(entry.id, note, clock.now())) is not None:
            return Prepared(event=event, finished=[entry.id])
        match note.what:
            case "understood":
                return await self._returned(begun, note, state, clock)
            case "retry":
                self._reread(entry, note, state)
                return Prepared(event=None, finished=[entry.id])
            case "reread":
                return self._released(entry, note, state, clock)
            case "workspace":
                self.proposed(entry.id, note)
                return Prepared(event=None, finished=[entry.id])
            case "mark" | "claim":
                return Prepared(event=None, finished=[entry.id])
            case _:
                log.error("unknown_internal_entry", entry=entry.id, what=note.what)
                return Prepared(event=None, finished=[entry.id])

    async def _returned(self, begun: Begun, note: Internal, state: State, clock: Clock) -> Prepared:
        entry = begun.entry
        if note.message not in state.deferred:  # brought back twice; it may be erased since the first time
            return Prepared(event=None, finished=[entry.id])
        originals = await self._insistent.get([note.message]) if begun.originals is None else begun.originals
        if not originals:
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
            task = asyncio.create_task(self._read_again(entry.id, note.message, channel, self.epoch()))
            self.rereading.add(task)
            task.add_done_callback(self.rereading.discard)

    async def _read_again(self, asked: str, message: str, channel: Channel, epoch: int) -> None:
        try:
            raw = await self._insistent.raw(message)
        except PermanentError as error:
            log.warning("quarantined_message_lost", message=message, error=str(error))
            return
        if raw is None:
            return  # erased
        item = Raw(raw, b"{}", channel.normalise)
        understood = await self._workers.understand([item])[0] if channel.hostile else self._workers.here(item)
        if understood.message is not None:  # its bytes belong to whoever wrote them, and go when those are erased
            source = Source(inbox=asked, message=message, channel=channel.name, kind="", account="")
            theirs = Plain(raw_blob(message), sender_of(understood.message, source, self.facts.secret), raw)
            if not await self._insistent.put_raw(message, theirs, epoch):
                return
        note = Internal(what="reread", message=message)
        await self.tell(internal_entry(note, msgspec.json.encode(understood), distinct=asked))

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


def _as_read(_: InboxItem, reading: asyncio.Future[Understood]) -> asyncio.Future[Understood]:
    """No filter looks at it."""
    return reading


async def _nobody_asks(_: Iterable[str]) -> None:
    """Tiers stand in the workspace."""


def _writer(message: Message | None) -> list[str]:
    """Whose tier counts: nobody's, of what a machine wrote."""
    if message is None or message.rates or auto_of(message) is not None or not message.from_.address:
        return []
    return [message.from_.address]


def _note(entry: InboxItem) -> Internal | None:
    return note_of(entry.meta) if entry.source == "internal" else None


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
