"""The disk guard: when it refuses, when it frees its ballast, when it makes it again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from router.shell.disk import DiskGuard, DiskLimits

LIMITS = DiskLimits(low_bytes=1000, low_percent=5, ballast_bytes=64, store_bytes=16)


class FakeDisk:
    """A disk of 10,000 bytes on which a ballast takes its room."""

    def __init__(self, folder: Path, size: int = 10_000) -> None:
        self.folder = folder
        self.size = size
        self.others = 0  # bytes somebody else takes
        self.looks = 0

    def __call__(self, folder: Path) -> SimpleNamespace:
        """Measure."""
        assert folder == self.folder
        self.looks += 1
        ballast = self.folder / "ballast"
        taken = self.others + (ballast.stat().st_size if ballast.exists() else 0)
        return SimpleNamespace(f_frsize=1, f_blocks=self.size, f_bavail=max(0, self.size - taken))


@pytest.fixture
def disk(tmp_path: Path) -> FakeDisk:
    """A disk with room."""
    return FakeDisk(tmp_path)


@pytest.fixture
def guard(disk: FakeDisk) -> DiskGuard:
    """Its guard, with a ballast."""
    fresh = DiskGuard(disk.folder, LIMITS, measure=disk)
    fresh.look()
    fresh.restock()
    return fresh


def low_at(disk: FakeDisk, guard: DiskGuard, free: int) -> bool:
    """Let others take all but `free` bytes, look, and return whether that is low."""
    disk.others = 0
    disk.others = disk(disk.folder).f_bavail - free
    guard.look()
    return guard.low


def test_bytes_or_percent_whichever_is_more(disk: FakeDisk, guard: DiskGuard) -> None:
    """Below the bytes it is low; on a large disk the percentage counts."""
    assert not low_at(disk, guard, 1000)
    assert low_at(disk, guard, 999)
    disk.size = 100_000
    assert low_at(disk, guard, 4_999)
    assert not low_at(disk, guard, 5_000)
    assert guard.problems() == []


def test_low_keeps_the_ballast_and_critical_frees_it(disk: FakeDisk, guard: DiskGuard) -> None:
    """The ballast goes when less is free than it holds, and that much is free then."""
    ballast = disk.folder / "ballast"
    assert ballast.stat().st_size == 64
    assert low_at(disk, guard, 64)
    assert ballast.exists()
    assert low_at(disk, guard, 63)
    assert not ballast.exists()
    assert guard.free_bytes == 127
    assert "nearly full" in guard.problems()[0]


def test_the_ballast_is_made_again_without_flapping(disk: FakeDisk, guard: DiskGuard) -> None:
    """It is low until there is room for the ballast too, so that making it does not make it low again."""
    assert low_at(disk, guard, 10)
    assert low_at(disk, guard, 1063)
    guard.restock()
    assert not (disk.folder / "ballast").exists()
    assert not low_at(disk, guard, 1064)
    guard.restock()
    assert (disk.folder / "ballast").exists()
    assert not low_at(disk, guard, 1000)


def test_a_store_is_started_only_with_room(disk: FakeDisk, guard: DiskGuard) -> None:
    """The ballast is given up for the store; when even that is not enough it has to wait."""
    assert low_at(disk, guard, 0)
    assert guard.room_for_store()
    disk.others = disk.size - 15
    assert not guard.room_for_store()


def test_accepting_measures_now_and_then(disk: FakeDisk, guard: DiskGuard) -> None:
    """Asked a thousand times it measures a few times, and notices a disk that fills up by itself."""
    looks = disk.looks
    for _ in range(1000):
        assert guard.accepting()
    assert disk.looks - looks < 1000
    disk.others = disk.size
    while guard.accepting():
        pass


def test_an_unreadable_disk_counts_as_full(tmp_path: Path) -> None:
    """When it cannot be measured nothing is accepted."""

    def broken(folder: Path) -> SimpleNamespace:
        raise OSError(5, f"{folder} is gone")

    guard = DiskGuard(tmp_path, LIMITS, measure=broken)
    assert not guard.accepting()
    assert not guard.room_for_store()


def test_a_ballast_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Without room or right for the ballast the guard goes on without, and leaves no part of it."""
    guard = DiskGuard(
        tmp_path / "missing", LIMITS, measure=lambda _: SimpleNamespace(f_frsize=1, f_blocks=1, f_bavail=9999)
    )
    guard.look()
    guard.restock()
    assert guard.accepting()


async def test_it_watches_by_itself(disk: FakeDisk) -> None:
    """Running, it stocks the ballast and frees it without being asked."""
    guard = DiskGuard(disk.folder, LIMITS, measure=disk)
    watching = asyncio.create_task(guard.run())
    while not (disk.folder / "ballast").exists():
        await asyncio.sleep(0.01)
    disk.others = disk.size - 70
    while (disk.folder / "ballast").exists():
        await asyncio.sleep(0.01)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert guard.low
