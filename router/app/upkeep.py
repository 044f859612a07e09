"""Looking after the journal: what was seen of it is kept, snapshots are taken, old records put away.

One node at a time sees to it, the one with the lease; a standby rather than the leader, which waits longer. The work
itself is a process of its own, at a low priority (archivist.py).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from prometheus_client import Gauge

from router.app.archivist import Done, Job
from router.app.shelves import FOLDER, may_trim, place_of, shelf_of
from router.core.engine import Engine
from router.core.errors import ConfigError, StoreUnavailable
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.clock import wall_ms
from router.shell.journal import Journal
from router.shell.leader import Leader
from router.shell.metrics import Metrics
from router.shell.records import Position
from router.shell.recovery import recover
from router.shell.store.client import Store
from router.shell.witness import Witness
from skills.model import WorkspaceConfig

log = structlog.get_logger()

LEASE = "snapshots"
LEASE_MS = 60_000
LOOK_SECONDS = 15.0
DUE: tuple[tuple[int, float], ...] = (
    (20_000, 0.0),
    (5_000, 60.0),
    (1_000, 600.0),
    (1, 21_600.0),
)  # new records, s since the last one
LEADER_PATIENCE = 1.5  # times as much: a standby is preferred
LONG_REPLAY = 20_000  # records after the newest snapshot: a start that went through so many leaves one itself
AGAIN_SECONDS = 300.0  # after a failure
WHOLE_SECONDS = 86_400.0  # how often the whole chain in the store is checked
LEAVE_SECONDS_MAX = 5.0


class Upkeep:
    """One node's part in it."""

    def __init__(self, config: WorkspaceConfig, data: Path, store: Store, node: str) -> None:
        """Raises ConfigError if the shelf cannot be had."""
        self.shelf = shelf_of(config, data)
        self.witness = Witness(data, store)
        self.look_seconds = LOOK_SECONDS
        self.due = DUE
        self.long_replay = LONG_REPLAY
        self._config = config
        self._data = data
        self._store = store
        self._node = node
        self._problem = ""
        self._newest = 0  # record of the newest snapshot
        self._since = time.monotonic()  # when that was found
        self._not_before = 0.0
        self._whole_at = 0.0
        self._child: asyncio.subprocess.Process | None = None
        self._checked: Gauge | None = None
        self._failed: Gauge | None = None

    def problems(self) -> list[str]:
        """What status shows."""
        return [self._problem] if self._problem else []

    def measure(self, metrics: Metrics) -> None:
        """Show in the metrics how far the journal was replayed and compared, and whether that failed."""
        self._checked = Gauge(
            "usherd_journal_checked_record", "Record up to which replay was compared", registry=metrics.registry
        )
        self._failed = Gauge(
            "usherd_journal_check_failed", "1: replaying the journal failed, see status", registry=metrics.registry
        )

    async def recover(self) -> tuple[Engine, Journal]:
        """Engine and journal as the store and the shelf have them. Raises JournalBroken, StoreUnavailable.

        What took long is not done twice: a machine that is too busy for the process that takes snapshots, or a node
        that is killed again and again before it is through, would start more slowly each time.
        """
        began = time.monotonic()
        engine, journal = await recover(self._store, self.shelf, witness=self.witness)
        log.info("recovered", records=journal.n, seconds=round(time.monotonic() - began, 3))
        await self._leave_state(engine, journal.position, ahead=self.long_replay)
        return engine, journal

    # -- while it runs -----------------------------------------------------------------------------------------------

    async def keep_witness(self, leader: Leader) -> None:
        """Note once a second how far the journal stands, until cancelled."""
        await self.witness.note(leader.journal.position, leading=leader.leading)
        await self.witness.run(lambda: (leader.journal.position, leader.leading))

    async def keep_snapshots(self, leader: Leader) -> None:
        """Have a snapshot taken when it is due and nobody else does, until cancelled."""
        while True:
            await asyncio.sleep(self.look_seconds)
            try:
                await self.look(leader)
            except (StoreUnavailable, ConfigError, OSError) as error:
                log.warning("snapshot_failed", error=str(error))
                self._not_before = time.monotonic() + AGAIN_SECONDS

    async def look(self, leader: Leader) -> None:
        """Have a snapshot taken if it is due now. Raises StoreUnavailable, ConfigError, OSError."""
        if await self._is_due(leader) and await self._store.lease_acquire(LEASE, self._node, LEASE_MS):
            try:
                await self._take()
            finally:
                await self._store.lease_release(LEASE, self._node)

    async def _is_due(self, leader: Leader) -> bool:
        now = time.monotonic()
        if now < self._not_before:
            return False
        records = leader.journal.n - self._newest
        patience = LEADER_PATIENCE if leader.leading else 1.0
        if not any(records >= some * patience and now - self._since >= s * patience for some, s in self.due):
            return False
        labels = await snapshots.listed(self.shelf)  # somebody else may have taken one
        newest = labels[0].n if labels else 0
        if newest > self._newest:
            self._newest, self._since = newest, now
            return False
        return True

    async def _take(self) -> None:
        whole = time.monotonic() >= self._whole_at
        done = await self._asked(job_of(self._config, self._data, self._node, check_all=whole))
        if done.problem:
            self._problem = f"the journal does not check: {done.problem}"
            self._not_before = time.monotonic() + AGAIN_SECONDS
            log.error("journal_check_failed", problem=done.problem, record=done.first_bad)
        else:
            self._problem = ""
            self._newest, self._since = done.n, time.monotonic()
            self._whole_at = time.monotonic() + WHOLE_SECONDS if whole else self._whole_at
            log.info(
                "snapshot_taken", records=done.n, archived=done.archived, trimmed=done.trimmed, seconds=done.seconds
            )
        if self._checked is not None and self._failed is not None:
            self._failed.set(bool(done.problem))
            if not done.problem:
                self._checked.set(done.n)

    async def _asked(self, job: Job) -> Done:
        """The archivist's answer; the lease is kept as long as it works. Ends it if we are cancelled."""
        child = self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "router.app.archivist"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        keeping = asyncio.create_task(self._keep_lease())
        try:
            if child.stdin is None or child.stdout is None:
                raise OSError("no pipes")
            child.stdin.write(msgspec.json.encode(job) + b"\n")
            await child.stdin.drain()
            answer = await child.stdout.readline()
            if not answer:
                return Done(problem="the process that replays it ended without an answer")
            return msgspec.json.decode(answer, type=Done)
        finally:
            keeping.cancel()
            self._child = None
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 3_000)
            with suppress(StoreUnavailable):
                await self._store.lease_renew(LEASE, self._node, LEASE_MS)

    # -- at the end --------------------------------------------------------------------------------------------------

    async def leave(self, engine: Engine, at: Position, *, led: bool) -> None:
        """Note how far the journal stood; a leader leaves its state, and the next start need replay nothing."""
        await self.witness.note(at, leading=led)
        if led and engine.state.n == at.n:
            await self._leave_state(engine, at, ahead=1)

    async def _leave_state(self, engine: Engine, at: Position, *, ahead: int) -> None:
        """Put the state on the shelf if the newest there is `ahead` records behind it, or more."""
        header = snapshots.header_of(engine.state, at, engine=ENGINE, node=self._node, wall=wall_ms(), checked=False)
        try:
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                labels = await snapshots.listed(self.shelf)
                if at.n - (labels[0].n if labels else 0) >= ahead:
                    await snapshots.put(self.shelf, header, engine.state)
        except (TimeoutError, StoreUnavailable, ConfigError, OSError) as error:
            log.warning("no_snapshot_left", error=str(error))


def job_of(config: WorkspaceConfig, data: Path, node: str, *, check_all: bool) -> Job:
    """What the archivist of a workspace is asked."""
    archive = config.archive
    return Job(
        data=str(data.absolute()),
        workspace=config.workspace,
        node=node,
        place=place_of(archive, data.absolute() / FOLDER),
        url=config.store.url.reveal() if config.store.url else "",
        trim_url=archive.trim_url.reveal() if archive.trim_url else "",
        snapshots=archive.snapshots,
        keep_ms=archive.keep if may_trim(config) else None,
        check_all=check_all,
    )
