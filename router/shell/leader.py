"""The leader: takes what stands in the inbox, in order, and makes it real, one journal append at a time.

Reading and understanding run ahead of applying; applying and appending are one thing at a time. After the append, and
only then, everybody hears of it. If anything is in doubt the engine is thrown away and rebuilt from the journal.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Protocol

import msgspec
import structlog

from router.core.engine import Engine
from router.core.errors import Fenced, RouterError, StoreUnavailable
from router.core.events import ClockJumped, Event, MessageDeferred, TimePassed, WorkspaceChanged
from router.core.values import Workspace
from router.shell.buggify import point
from router.shell.clock import Clock, Jump, wall_ms
from router.shell.journal import Drafted, Journal, JournalStore
from router.shell.reader import Batch, Reader
from router.shell.recovery import recover as recover_all
from router.shell.store.entries import InboxItem
from router.shell.timekeeping import Attendance, AttendanceStore
from router.shell.understanding import Plain, Prepared, Refused
from router.shell.vault import Vault

log = structlog.get_logger()

READ_MESSAGES_MAX = 64
READ_BLOCK_MS = 500
AHEAD_BATCHES_MAX = 2
SWEEP_ENTRIES_MAX = 512
LEASE_MS = 5_000
LEASE_RENEW_SECONDS = 1.0
HORIZON_MS_MIN = 200 * 86_400_000  # calendars that reach less far are expanded anew
HORIZON_LOOK_MS = 3_600_000
RETRY_SECONDS = 0.2
REBUILD_SECONDS_MAX = 30.0


class LeaderStore(JournalStore, AttendanceStore, Protocol):
    """What the leader asks of the store, besides the journal."""

    async def inbox_read(self, after: str, count: int, block_ms: int) -> list[InboxItem]:
        """Entries after an id, in order, waiting for the first at most `block_ms`."""
        ...

    async def inbox_delete(self, ids: list[str]) -> None:
        """Forget entries that are in their place."""
        ...

    async def lease_acquire(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` holds the lease now."""
        ...

    async def lease_renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` still held it."""
        ...


class Applied(msgspec.Struct, frozen=True):
    """What the engine made of an entry; on disk by the time that listeners hear of it."""

    prepared: Prepared
    draft: Drafted


Listener = Callable[[list[Applied]], None]
Compile = Callable[[int], tuple[str, Workspace]]
Recover = Callable[[], Awaitable[tuple[Engine, Journal]]]
Compose = Callable[[Prepared, Drafted], list[Plain]]  # blobs of what a record's decisions say by themselves


class Rebuild(RouterError):
    """The engine refused an event with an error of its own: start over from the journal, without that entry."""

    code = "rebuild"


class Leader:
    """One node's claim to lead, and the loop of the one that does."""

    def __init__(
        self,
        *,
        store: LeaderStore,
        vault: Vault,
        reader: Reader,
        compile_workspace: Compile,
        node: str,
        recover: Recover | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`recover`: how engine and journal are had again, if not from the first record on. `clock`: the node's."""
        self.engine = Engine()
        self.journal = Journal(store)
        self.leading = False
        self.listeners: list[Listener] = []
        self.refusals: list[Callable[[bytes, Refused], None]] = []
        self.compose: Compose = _nothing
        self.poisoned: set[str] = set()
        self._store = store
        self._vault = vault
        self._reader = reader
        self._compile = compile_workspace
        self._node = node
        self._recover = recover or partial(recover_all, store)
        self._clock = clock or Clock()
        self._attendance = Attendance(store, self._clock)
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._look_at = 0  # when to see next how far the calendars reach
        self._setbacks = 0  # how often in a row the engine failed where leaving an entry out does not help
        self._ahead: asyncio.Queue[Batch] = asyncio.Queue(AHEAD_BATCHES_MAX)
        self._proposed: list[tuple[str, Workspace, asyncio.Future[None]]] = []
        self._done: list[str] = []  # entries that are in their place and may be deleted
        self._done_news = asyncio.Event()

    async def ready(self) -> None:
        """Wait until this node leads."""
        await self._ready.wait()

    def stop(self) -> None:
        """Finish the batch at hand and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Lead until `stop`; after a fence or a doubt, begin again. Raises JournalBroken."""
        while not self._stopping.is_set():
            try:
                await self._lead()
            except StoreUnavailable as error:
                log.warning("leader_waits_for_store", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except (Fenced, Rebuild) as error:
                log.warning("leader_begins_again", code=error.code, error=str(error))
                await self._pause(min(RETRY_SECONDS * 2 ** min(self._setbacks, 10), REBUILD_SECONDS_MAX))
            finally:
                self.leading = False
                self._ready.clear()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _lead(self) -> None:
        if not await self._store.lease_acquire("leader", self._node, LEASE_MS):
            await asyncio.sleep(RETRY_SECONDS)
            return
        lease = asyncio.create_task(self._keep_lease())
        sweeper = asyncio.create_task(self._sweep())
        reader: asyncio.Task[None] | None = None
        try:
            self.engine, self.journal = await self._recover()
            gc.collect()
            gc.freeze()  # what was replayed lives long: looking at it in each collection would cost tens of ms
            at = self._clock.reach(self.engine.state.at)
            alone = await self._attendance.lacking(self.engine.state, at)
            await point("leader.before_fence")
            await self.journal.fence(self.engine, node=self._node, at=at - alone, wall=wall_ms())
            await point("leader.after_fence")
            if alone:
                await self._append([self._jump(Jump(alone, taken=True))])
            await self._tidy()
            await self._bring_workspace()
            self._ahead = asyncio.Queue(AHEAD_BATCHES_MAX)
            reader = asyncio.create_task(self._read_ahead(self._ahead, self.engine.state.inbox))
            self._resume_deferred()
            self.leading = True
            self._ready.set()
            log.info("leading", epoch=self.engine.state.epoch, records=self.engine.state.n)
            await self._loop((lease, sweeper, reader))
        finally:
            for task in (lease, sweeper, reader):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError, RouterError):
                        await task

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEW_SECONDS)
            try:
                await point("leader.lease_renew")
                held = await self._store.lease_renew("leader", self._node, LEASE_MS)
                if self.leading:
                    await self._attendance.note()
            except StoreUnavailable:
                continue
            if not held and not await self._store.lease_acquire("leader", self._node, LEASE_MS):
                msg = "another node holds the lease"
                raise Fenced(msg)

    def _jump(self, jump: Jump) -> Applied:
        """Journaled, because it moves along what is counted in people's attention."""
        event = ClockJumped(at=self._clock.now(), by_ms=jump.by_ms, taken=jump.taken)
        return self._apply(Prepared(event=event), event)

    async def _tidy(self) -> None:
        """Forget entries that were journaled but not deleted before the last leader ended."""
        after, end = "0-0", self.engine.state.inbox
        while items := await self._store.inbox_read(after, READ_MESSAGES_MAX, 0):
            old = [item.id for item in items if _order(item.id) <= _order(end)]
            done = [identifier for identifier in old if identifier not in self.engine.state.deferred]
            if done:
                await self._store.inbox_delete(done)
            if len(old) < len(items):
                return
            after = items[-1].id

    async def _bring_workspace(self) -> None:
        version, workspace = self._compile(self._clock.now())
        if version != self.engine.state.version or self._ends_soon():
            await self._append([self._change(version, workspace)])
        self._look_at = self._clock.now() + HORIZON_LOOK_MS

    def _ends_soon(self) -> bool:
        """Whether calendars do not reach far enough."""
        return _horizon(self.engine.state.workspace) < self._clock.now() + HORIZON_MS_MIN

    def _change(self, version: str, workspace: Workspace) -> Applied:
        event = WorkspaceChanged(at=self._clock.now(), version=version, workspace=workspace)
        return self._apply(Prepared(event=event), event)

    async def propose(self, version: str, workspace: Workspace) -> None:
        """Put a workspace in force; when this returns it is journaled. Waits while nobody leads."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._proposed.append((version, workspace, done))
        with suppress(asyncio.QueueFull):  # then the loop is at work and sees it soon
            self._ahead.put_nowait(Batch([]))
        await done

    def _resume_deferred(self) -> None:
        for message in self.engine.state.deferred:
            self._spawn(self._reader.resume(message))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _read_ahead(self, ahead: asyncio.Queue[Batch], cursor: str) -> None:
        while True:
            try:
                items = await self._store.inbox_read(cursor, READ_MESSAGES_MAX, READ_BLOCK_MS)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if items:
                await point("leader.read")
                cursor = items[-1].id
                await ahead.put(self._reader.begin(items, self.poisoned))

    async def _loop(self, helpers: tuple[asyncio.Task[None], ...]) -> None:
        while not self._stopping.is_set():
            for task in helpers:
                if task.done():
                    task.result()
            batch = await self._next(self._ahead)
            applied = [] if batch is None else await self._apply_batch(batch)
            proposed = self._proposed[:]
            applied += [self._change(version, workspace) for version, workspace, _ in proposed]
            jump = self._clock.take_jump()
            applied += [self._jump(jump)] if jump is not None else []
            now = self._clock.now()
            if now >= self._look_at:
                self._look_at = now + HORIZON_LOOK_MS
                applied += [self._change(*self._compile(now))] if self._ends_soon() else []
            timer = self.engine.next_timer()
            if timer is not None and timer <= now:
                event = TimePassed(at=now)
                applied.append(self._apply(Prepared(event=event), event))
            if applied:
                await self._append(applied)
            del self._proposed[: len(proposed)]
            for _, _, done in proposed:
                if not done.done():
                    done.set_result(None)

    async def _next(self, ahead: asyncio.Queue[Batch]) -> Batch | None:
        timer = self.engine.next_timer()
        wait = 0.2 if timer is None else max(0.0, min(0.2, (timer - self._clock.now()) / 1_000))
        try:
            return ahead.get_nowait()
        except asyncio.QueueEmpty:
            pass
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                return await ahead.get()
        return None

    async def _apply_batch(self, batch: Batch) -> list[Applied]:
        applied = []
        for begun in batch.items:
            await point("leader.before_understanding")
            prepared = await self._reader.finish(begun, self.engine.state, self._clock)
            await point("leader.before_apply")
            event = prepared.event
            if event is not None:
                applied.append(self._apply(prepared, event))
            else:
                self._forget(prepared.finished)
            if prepared.refused is not None:
                for tell in self.refusals:
                    tell(prepared.key, prepared.refused)
            if isinstance(event, MessageDeferred):
                self._spawn(self._reader.resume_when(begun))
        return applied

    def _apply(self, prepared: Prepared, event: Event) -> Applied:
        try:
            decisions = self.engine.apply(event)
            state = self.engine.state
            draft = Drafted(state.n, event, decisions, state.version, state.inbox)
            prepared.blobs += self.compose(prepared, draft)
        except Exception as error:
            self._setbacks = self._setbacks + 1 if event.inbox in {"", *self.poisoned} else 0
            self.poisoned.add(event.inbox)
            log.exception("engine_refused_event", event_type=type(event).__name__, entry=event.inbox)
            msg = f"{type(event).__name__} from entry {event.inbox}"
            raise Rebuild(msg) from error
        return Applied(prepared, draft)

    async def _append(self, applied: list[Applied]) -> None:
        await point("leader.before_append")
        blobs = await self._lock([blob for one in applied for blob in one.prepared.blobs])
        await self.journal.append([one.draft for one in applied], blobs, wall=wall_ms())
        await point("leader.after_append")
        self._setbacks = 0
        self._forget([identifier for one in applied for identifier in one.prepared.finished])
        for listener in self.listeners:
            try:
                listener(applied)
            except Exception as error:  # what is journaled stands, and the others must hear of it
                log.exception("listener_failed", error=type(error).__name__)

    async def _lock(self, plain: list[Plain]) -> dict[str, bytes]:
        while True:
            try:
                await self._vault.prepare({blob.identity for blob in plain})
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                break
        return dict([await self._vault.lock_blob(blob.blob, blob.identity, blob.plain) for blob in plain])

    def _forget(self, ids: list[str]) -> None:
        self._done += ids
        self._done_news.set()

    async def _sweep(self) -> None:
        """Delete finished entries, many at once, however long the store takes; off the way of everything else."""
        while True:
            await self._done_news.wait()
            self._done_news.clear()
            while ids := self._done[:SWEEP_ENTRIES_MAX]:
                try:
                    await point("leader.before_sweep")
                    await self._store.inbox_delete(ids)
                    await point("leader.after_sweep")
                except StoreUnavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    del self._done[: len(ids)]


def _nothing(_: Prepared, __: Drafted) -> list[Plain]:
    return []


def _order(identifier: str) -> tuple[int, int]:
    milliseconds, _, sequence = identifier.partition("-")
    return int(milliseconds), int(sequence or 0)


def _horizon(workspace: Workspace) -> int:
    """The instant that all calendars reach; for ever, where there are none."""
    return min((intervals[-1][1] for intervals in workspace.calendars.values() if intervals), default=1 << 62)
