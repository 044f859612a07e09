"""No memory left, no disk left: refused in time, nothing torn, nothing acknowledged lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import pytest

from router.core.errors import BacklogFull, ConfigError, StoreUnavailable
from router.core.ports import InboxEntry
from router.shell.disk import DiskGuard, DiskLimits
from router.shell.intake import Intake, IntakeLimits
from router.shell.store import Store
from router.shell.store.embedded import EmbeddedStore
from tests.support.stores import ROOMY, entry, opened, running

MB = 1 << 20
LIMITS = DiskLimits(low_bytes=24 * MB, low_percent=0, ballast_bytes=8 * MB, store_bytes=4 * MB)


async def fill_documents(store: Store) -> None:
    """Keep documents until one is refused; buffers that the server frees may leave room for a few."""
    for number in range(1_000):
        await store.doc_put(f"x{number}", os.urandom(10_000))


class TestMemory:
    """`maxmemory` is reached."""

    async def test_a_batch_has_no_hole(self, tmp_path: Path) -> None:
        """Whole batches are refused and none is cut, whatever its size, when memory runs out in its middle."""
        async with opened(tmp_path, maxmemory=6 * MB) as store:
            last, n, stored = "0-0", 0, 0
            refused = 0
            for size in (50_000, 20_000, 5_000, 700):
                while True:
                    batch = [(f"1-{n + k}", os.urandom(size // 2) * 2) for k in range(7)]
                    try:
                        await store.journal_append(last if n else "0-0", batch, {f"m{n}": b"x" * size})
                    except StoreUnavailable:
                        refused += 1
                        assert await store.journal_length() == stored
                        assert await store.journal_last() == last
                        assert await store.blobs_get([f"m{n}"]) == {}
                        break
                    n, last, stored = n + 7, batch[-1][0], stored + 7
            assert refused == 4
            records = await store.journal_read("0-0", n + 1)
            assert [record for record, _ in records] == [f"1-{k}" for k in range(n)]

    async def test_an_inbox_call_is_all_or_none_and_deleting_works(self, tmp_path: Path) -> None:
        """Out of memory an append adds nothing and is not remembered; deleting makes room, and a lease can be kept."""
        async with opened(tmp_path, maxmemory=6 * MB) as store:
            await store.lease_acquire("leader", "n1", 60_000)
            ids: list[str] = []
            entries: list[InboxEntry] = []
            for size in (30_000, 3_000, 300, 1):
                for batch in itertools.count():
                    entries = [entry(f"{size}-{batch}-{k}", raw=os.urandom(size)) for k in range(5)]
                    try:
                        ids += [answer.id for answer in await store.inbox_append(entries)]
                    except StoreUnavailable:
                        break
            assert await store.inbox_length() == len(ids)
            assert len(ids) % 5 == 0
            assert await store.memory_share() > 0.9
            with pytest.raises(StoreUnavailable):
                await fill_documents(store)
            assert await store.lease_renew("leader", "n1", 60_000)
            assert await store.lease_release("leader", "n1")
            assert await store.lease_acquire("leader", "n2", 60_000)
            await store.inbox_delete(ids[: len(ids) // 2])
            assert not any(answer.duplicate for answer in await store.inbox_append(entries))

    async def test_intake_refuses_before_memory_is_short(self, tmp_path: Path) -> None:
        """Over its share the customers' messages are refused, and what agents do is let in."""
        async with opened(tmp_path, maxmemory=8 * MB) as store:
            intake = Intake(store, DiskGuard(tmp_path, ROOMY), IntakeLimits(store_memory_share_max=0.5))
            await store.blobs_put({f"m{k}": os.urandom(200_000) for k in range(20)})
            await intake.append([entry("a")])  # measures, and is let in meanwhile
            await intake.measured()
            with pytest.raises(BacklogFull, match="memory"):
                await intake.append([entry("a")])
            (answer,) = await intake.append([entry("b", source="command")])
            assert answer.id
            await intake.drain()


class SmallDisk(Protocol):
    """A disk that can be filled without harm to the machine."""

    folder: Path

    def guard(self) -> DiskGuard:
        """Return a guard that watches it."""
        ...

    def fill(self, free: int, store_pid: int) -> None:
        """Leave this many bytes free."""
        ...


class MountedDisk:
    """A real small file system; root may mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "usherd-test", folder], check=True)

    def guard(self) -> DiskGuard:
        """Return a guard with small limits and the real measure."""
        return DiskGuard(self.folder, LIMITS)

    def fill(self, free: int, store_pid: int) -> None:
        """Write or shorten a file until `free` bytes are left."""
        del store_pid
        with (self.folder / "filler").open("ab") as file:
            space = os.statvfs(self.folder)
            size = file.tell() + space.f_bavail * space.f_frsize - free
            file.truncate(max(0, size))
            os.posix_fallocate(file.fileno(), 0, max(1, size))

    def close(self) -> None:
        """Unmount."""
        subprocess.run(["umount", "-l", self.folder], check=True)


class LimitedDisk:
    """The same for those who may not mount: the store may write no longer files, and the guard is told a number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free = 90 * MB

    def guard(self) -> DiskGuard:
        """Return a guard with small limits and a measure that is told."""
        return DiskGuard(self.folder, LIMITS, measure=self._measure)

    def _measure(self, folder: Path) -> SimpleNamespace:
        del folder
        ballast = LIMITS.ballast_bytes if (self.folder / "ballast").exists() else 0
        return SimpleNamespace(f_frsize=1, f_blocks=96 * MB, f_bavail=max(0, self.free - ballast))

    def fill(self, free: int, store_pid: int) -> None:
        """Tell the guard; with nothing left, stop the store from writing."""
        self.free = free + (LIMITS.ballast_bytes if (self.folder / "ballast").exists() else 0)
        if free == 0 and store_pid:
            resource.prlimit(store_pid, resource.RLIMIT_FSIZE, (1, 1))

    def close(self) -> None:
        """Nothing to undo: the limit died with the store."""


def may_mount(folder: Path) -> bool:
    """Tell whether a file system can be mounted here."""
    if os.geteuid() != 0:
        return False
    mounted = subprocess.run(["mount", "-t", "tmpfs", "usherd-test", folder], capture_output=True, check=False)
    return mounted.returncode == 0 and subprocess.run(["umount", folder], check=False).returncode == 0


@pytest.fixture(params=["mounted", "limited"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk of each kind; where mounting is not allowed both are of the second kind."""
    folder = tmp_path / "disk"
    folder.mkdir()
    kind = MountedDisk if request.param == "mounted" and may_mount(folder) else LimitedDisk
    small = kind(folder)
    yield small
    small.close()


async def append_until_refused(store: Store, prefix: str) -> list[str]:
    """Append until the store does not answer; return the names that were acknowledged."""
    names: list[str] = []
    while True:
        name = f"{prefix}-{len(names)}"
        try:
            await store.inbox_append([entry(name, raw=os.urandom(50_000))])
        except StoreUnavailable:
            return names
        names.append(name)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():
        await asyncio.sleep(0.01)


class TestDisk:
    """The disk fills up."""

    async def test_refused_before_the_store_notices_then_healed(self, disk: SmallDisk) -> None:
        """Low: refused. Critical: ballast freed, the store works on. Full: it waits. Room again: all is there."""
        guard = disk.guard()
        guard.restock()
        async with running(disk.folder, guard=guard) as embedded:
            store = await embedded.open("acme")
            intake = Intake(store, guard)
            await intake.append([entry("first")])

            disk.fill(LIMITS.low_bytes - MB, embedded.pid)
            guard.look()
            with pytest.raises(BacklogFull, match="disk"):
                await intake.append([entry("low")])
            assert guard.problems()
            assert (disk.folder / "ballast").exists()

            disk.fill(MB, embedded.pid)
            guard.look()
            assert not (disk.folder / "ballast").exists()
            await store.journal_append("0-0", [("1-0", b"r" * 2 * MB)])
            await intake.append([entry("resolve", source="command")])

            disk.fill(0, embedded.pid)
            names = await append_until_refused(store, "full")
            await until(lambda: "disk is full" in (embedded.problem or ""))
            with pytest.raises(StoreUnavailable):
                await store.inbox_append([entry("nobody home")])

            disk.fill(60 * MB, 0)
            await until(lambda: embedded.problem is None)
            guard.look()
            guard.restock()
            assert (disk.folder / "ballast").exists()
            assert guard.problems() == []
            stored = {item.key for item in await store.inbox_read("0-0", 10_000)}
            assert {entry(name).key for name in ["first", "resolve", *names]} <= stored
            assert await store.journal_last() == "1-0"
            await intake.append([entry("low")])
            await intake.drain()
            await store.close()

    async def test_a_full_disk_at_the_start_is_told(self, disk: SmallDisk) -> None:
        """With no room for a store the daemon says so and does not start one that would die."""
        disk.fill(MB, 0)
        with pytest.raises(ConfigError, match="is full"):
            await EmbeddedStore(disk.folder, guard=disk.guard()).start()

    async def test_a_large_message_that_does_not_fit_is_not_acknowledged(self, disk: SmallDisk) -> None:
        """A file that could not be written leaves no part of itself, and the sender is told to come again."""
        async with running(disk.folder, guard=disk.guard()) as embedded:
            store = await embedded.open("acme")
            await store.inbox_append([entry("small")])
            (disk.folder / "blobs").mkdir()
            disk.fill(2 * MB, 0)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            if isinstance(disk, LimitedDisk):
                resource.setrlimit(resource.RLIMIT_FSIZE, (MB, before[1]))
            try:
                with pytest.raises(StoreUnavailable, match="large value"):
                    await store.inbox_append([entry("large", raw=b"x" * 5 * MB)])
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert list((disk.folder / "blobs").iterdir()) == []
            assert await store.inbox_length() == 1
            await store.close()
