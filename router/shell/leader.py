"""The leader: takes what stands in the inbox, in order, and makes it real, one journal append at a time.

Every node follows the journal with an engine that is always current, and tries to get the lease. Whoever gets it reads
to the end, appends the fence, and leads with the very engine it has. Reading and understanding run ahead of applying;
applying and appending are one thing at a time. After the append, and only then, everybody hears of it. An engine that
is ahead of the journal when its node is fenced, or that failed, is thrown away and had again from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog

from router.core.engine import Engine
from router.core.errors import Fenced, JournalBroken, RouterError, StoreUnavailable
from router.core.events import ClockJumped, Event, MessageDeferred, TimePassed, WorkspaceChanged
from router.core.state import State
from router.core.values import Workspace
from router.shell.ahead import READ_MESSAGES_MAX, Ahead, InboxStore
from router.shell.asked import Asked, Happen, NotLeading
from router.shell.buggify import point
from router.shell.clock import Clock, wall_ms
from router.shell.follower import Applied, Follower, FollowerStore, Recover
from router.shell.journal import Drafted, Journal
from router.shell.lease import Lease, LeaseStore
from router.shell.reader import Begun, Reader
from router.shell.recovery import REMEDY
from router.shell.recovery import recover as recover_all
from router.shell.sweeping import Sweeper, SweeperStore
from router.shell.timekeeping import Attendance, AttendanceStore
from router.shell.understanding import Prepared
from router.shell.vault import Plain, Vault
from router.shell.yielding import PATIENCE_SECONDS, Yielded, until_yielding

log = structlog.get_logger()

FOLLOW_BLOCK_MS = 200
ATTENDANCE_SECONDS = 1.0
HORIZON_MS_MIN = 200 * 86_400_000  # calendars that reach less far are expanded anew
HORIZON_LOOK_MS = 3_600_000
RETRY_SECONDS = 0.2
REBUILD_SECONDS_MAX = 30.0


class LeaderStore(FollowerStore, LeaseStore, SweeperStore, AttendanceStore, InboxStore, Protocol):
    """What the leader asks of the store."""


Compile = Callable[[int, str], Awaitable[tuple[str, Workspace]]]  # (now, version in force) -> what is to be in force
Compose = Callable[[Prepared, Drafted], list[Plain]]  # blobs of what a record's decisions say by themselves


class Rebuild(RouterError):
    """The engine refused an event with an error of its own: start over from the journal, without that entry."""

    code = "rebuild"


class Leader:
    """One node's part: it follows, and leads while the lease is its own."""

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
        self.follower = Follower(store, recover or partial(recover_all, store))
        self.listeners = self.follower.listeners  # who hears of each commit, whoever made it
        self.lease = Lease(store, "leader", node)
        self.leading = False
        self.compose: Compose = lambda _, __: []
        self.classified: Callable[[Workspace], Workspace] = lambda workspace: workspace  # as the topics are told now
        self.yields: Callable[[], bool] = bool  # whether another node should lead; none need
        self.poisoned: set[str] = set()
        self._store = store
        self._vault = vault
        self._reader = reader
        reader.epoch = lambda: self.engine.state.epoch
        self._compile = compile_workspace
        self._node = node
        self._clock = clock or Clock()
        self._attendance = Attendance(store, self._clock)
        self._sweeper = Sweeper(store)
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._started = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._look_at = 0  # when to see next how far the calendars reach
        self._setbacks = 0  # how often in a row the engine failed where leaving an entry out does not help
        self._news = asyncio.Event()  # there may be something to journal
        self._ahead = self._look_into_inbox()
        self._asked = Asked()

    @property
    def engine(self) -> Engine:
        """The node's engine; ahead of the journal while an append is under way, see `settled`."""
        return self.follower.engine

    @property
    def journal(self) -> Journal:
        """The place in the journal that is reached."""
        return self.follower.journal

    async def settled(self) -> State:
        """The state as the journal has it, good until the next await. Raises StoreUnavailable."""
        return await self.follower.settled()

    async def ready(self) -> None:
        """Wait until this node leads."""
        await self._ready.wait()

    async def started(self) -> None:
        """Wait until this node leads, or is current while another one leads."""
        await self._started.wait()

    def stop(self) -> None:
        """Finish the batch at hand and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Follow and lead until `stop`; after a fence or a doubt, begin again. Raises JournalBroken."""
        while not self._stopping.is_set():
            try:
                await self._follow()
                if not self._stopping.is_set():
                    await self._lead()
            except StoreUnavailable as error:
                log.warning("leader_waits_for_store", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except (Fenced, Rebuild, Yielded) as error:
                log.warning("leader_begins_again", code=error.code, error=str(error))
                if isinstance(error, Yielded):
                    with suppress(StoreUnavailable):  # then it ends by itself
                        await self.lease.release()
                await self._pause(min(RETRY_SECONDS * 2 ** min(self._setbacks, 10), REBUILD_SECONDS_MAX))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    # -- following -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Apply what others write until the lease is ours, or we are to stop."""
        if not self.follower.current:
            await self.follower.begin()
        while not self._stopping.is_set():
            if await self.lease.look(PATIENCE_SECONDS if self.yields() else 0.0):
                return
            if self.lease.holder:
                self._started.set()
            await self.follower.read_on(FOLLOW_BLOCK_MS)

    # -- leading ---------------------------------------------------------------------------------------------------

    async def _lead(self) -> None:
        works = (
            self._keep_lease(),
            until_yielding(self.yields),
            self._sweeper.run(),
            self._note_attendance(),
        )
        helpers = [asyncio.create_task(work) for work in works]
        try:
            await self._fence()
            await self._sweeper.tidy(self.engine.state)
            await self._bring_workspace()
            self._ahead = self._look_into_inbox()
            helpers.append(asyncio.create_task(self._ahead.read(self.engine.state.inbox)))
            helpers.append(asyncio.create_task(self._ahead.ripen()))
            self._resume_deferred()
            self.leading = True
            self._ready.set()
            self._started.set()
            log.info("leading", epoch=self.engine.state.epoch, records=self.engine.state.n)
            await self._loop(helpers)
        finally:
            self.leading = False
            self._ready.clear()
            self._asked.give_up()
            self._vault.forget()  # the next leader may put other words in their place
            if self.follower.ahead:
                self.follower.throw_away()
            for task in (*helpers, *self._background):  # what was deferred is brought back by whoever leads next
                task.cancel()
            self._ahead.give_up()
            for task in helpers:  # one that failed raises here
                with suppress(asyncio.CancelledError, RouterError):
                    await task

    async def _keep_lease(self) -> None:
        await self.lease.keep()
        msg = "another node holds the lease"
        raise Fenced(msg)

    async def _note_attendance(self) -> None:
        while True:
            await asyncio.sleep(ATTENDANCE_SECONDS)
            if self.leading:
                with suppress(StoreUnavailable):
                    await self._attendance.note()

    async def _fence(self) -> None:
        """Read to the end and begin an epoch. Raises Fenced if somebody wrote meanwhile: then there is more to read."""
        while await self.follower.read_on():
            pass
        at = self._clock.reach(self.engine.state.at)
        alone = await self._attendance.lacking(self.engine.state, at)
        await point("leader.before_fence")
        try:
            draft = await self.journal.fence(self.engine, node=self._node, at=at - alone, wall=wall_ms())
        except Fenced as error:
            if await self.follower.read_on():
                raise
            here = self.journal
            raise JournalBroken(f"the journal ended with {here.last_id}, and does no more{REMEDY}", here.n) from error
        await point("leader.after_fence")
        await self.follower.stand([Applied(Prepared(event=draft.event), draft)])
        if alone:
            jump = ClockJumped(at=self._clock.now(), by_ms=alone, taken=True)
            await self._commit([Prepared(event=jump)])

    async def _bring_workspace(self) -> None:
        state = self.engine.state
        version, workspace = await self._compile(self._clock.now(), state.version)
        known = (state.version, *_classified(state.workspace))
        if (version, *_classified(workspace)) != known or _ends_soon(state.workspace, self._clock.now()):
            await self._commit([Prepared(event=self._changed(version, workspace)(self._clock.now()))])
        self._look_at = self._clock.now() + HORIZON_LOOK_MS

    @staticmethod
    def _changed(version: str, workspace: Workspace, base: str | None = None) -> Happen:
        return lambda at: WorkspaceChanged(at=at, version=version, workspace=workspace, base=base)

    async def propose(self, version: str, workspace: Workspace, base: str | None = None) -> Drafted:
        """Put a workspace in force, if `base` is (None: in any case); it is journaled when this returns.

        Raises NotLeading.
        """
        return await self.record(self._changed(version, workspace, base))

    async def record(self, happen: Happen) -> Drafted:
        """Journal what was found out beside the inbox; gives what the engine made of it. Raises NotLeading."""
        if not self.leading:
            raise NotLeading("this node does not lead")
        done = self._asked.put(happen)
        self._news.set()
        return await done

    def _resume_deferred(self) -> None:
        for message in self.engine.state.deferred:
            self._spawn(self._reader.resume(message))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _look_into_inbox(self) -> Ahead:
        return Ahead(self._store, self._reader, self.poisoned, self._news)

    async def _loop(self, helpers: list[asyncio.Task[None]]) -> None:
        while not self._stopping.is_set():
            for task in helpers:
                if task.done():
                    task.result()
            prepared = await self._understand(await self._turn())
            await self._look_ahead()
            asked = self._asked.take(self._clock.now())
            self._asked.answer(await self._commit([*prepared, *asked, *self._time()]))

    async def _look_ahead(self) -> None:
        """Have the calendars expanded before they end; it takes a thread its time."""
        now = self._clock.now()
        if now >= self._look_at:
            self._look_at = now + HORIZON_LOOK_MS
            if _ends_soon(self.engine.state.workspace, now):
                self._spawn(self._expand(now))

    async def _expand(self, now: int) -> None:
        base = self.engine.state.version
        version, workspace = await self._compile(now, base)
        if workspace is self.engine.state.workspace:
            return  # this node cannot expand it

        def happen(at: int) -> WorkspaceChanged:  # a model may have come into force since it was compiled
            return WorkspaceChanged(at=at, version=version, workspace=self.classified(workspace), base=base)

        with suppress(NotLeading):
            await self.record(happen)

    def _time(self) -> list[Prepared]:
        """A jump of the clock whose turn has come, and that time has passed where something is due."""
        found: list[Event] = []
        jump = self._clock.take_jump()
        if jump is not None:
            found.append(ClockJumped(at=self._clock.now(), by_ms=jump.by_ms, taken=jump.taken))
        now = self._clock.now()
        timer = self.engine.next_timer()
        if timer is not None and timer <= now:
            found.append(TimePassed(at=now))
        return [Prepared(event=event) for event in found]

    async def _turn(self) -> list[Begun]:
        """What is ripe, as soon as there is any; nothing when something else is to be journaled before that."""
        timer = self.engine.next_timer()
        wait = 0.2 if timer is None else max(0.0, min(0.2, (timer - self._clock.now()) / 1_000))
        if not (ripe := self._ahead.take(READ_MESSAGES_MAX)) and not self._asked:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
            ripe = self._ahead.take(READ_MESSAGES_MAX)
        self._news.clear()
        return ripe

    async def _understand(self, ripe: list[Begun]) -> list[Prepared]:
        """The events of entries, by the state as it is journaled: nothing is applied while anything is waited for."""
        found = []
        for begun in ripe:
            await point("leader.before_understanding")
            prepared = await self._reader.finish(begun, self.engine.state, self._clock)
            if prepared.event is None:
                self._sweeper.forget(prepared.finished)
            else:
                found.append(prepared)
            if isinstance(prepared.event, MessageDeferred):
                self._spawn(self._reader.resume_when(begun))
        return found

    async def _commit(self, prepared: list[Prepared]) -> list[Applied]:
        """Apply, append, tell. The engine is ahead of the journal only from here until the store has answered."""
        if not prepared:
            return []
        await self._have_keys(prepared)
        await point("leader.before_apply")
        self.follower.run_ahead()
        applied = [self._apply(one, one.event) for one in prepared if one.event is not None]
        await point("leader.before_append")
        blobs = await self._lock(prepared)
        await self.journal.append([one.draft for one in applied], blobs, wall=wall_ms())
        await point("leader.after_append")
        self._setbacks = 0
        self._vault.journaled([blob for one in prepared for blob in one.blobs])
        self._sweeper.forget([identifier for one in applied for identifier in one.prepared.finished])
        await self.follower.stand(applied)
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

    async def _have_keys(self, prepared: list[Prepared]) -> None:
        """Fetch the keys of what is to be locked, however long that takes."""
        while True:
            try:
                await self._vault.prepare({blob.identity for one in prepared for blob in one.blobs})
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _lock(self, prepared: list[Prepared]) -> dict[str, bytes]:
        await self._have_keys(prepared)  # also of what the engine's decisions say by themselves
        plain = [blob for one in prepared for blob in one.blobs]
        return dict([await self._vault.lock_blob(blob.blob, blob.identity, blob.plain) for blob in plain])


def _classified(workspace: Workspace) -> tuple[int, int, str]:
    """What a workspace says of the classifier in use."""
    return workspace.topic_threshold, workspace.topic_also, workspace.topic_model


def _ends_soon(workspace: Workspace, now: int) -> bool:
    """Whether calendars do not reach far enough."""
    horizon = min((intervals[-1][1] for intervals in workspace.calendars.values() if intervals), default=1 << 62)
    return horizon < now + HORIZON_MS_MIN
