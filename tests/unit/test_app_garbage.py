"""The schedule on which a daemon looks for cyclic garbage."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from router.app import garbage


class Knot:
    """An object that holds itself: only the collector can free it."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A schedule of milliseconds; what was frozen is thawed at the end."""
    monkeypatch.setattr(garbage, "FULL_SECONDS", 0.02)
    monkeypatch.setattr(garbage, "QUIET_SECONDS", 0.005)
    monkeypatch.setattr(garbage, "QUIET_LOOKS_MAX", 5)
    before = gc.get_freeze_count()
    yield
    if gc.get_freeze_count() > before:
        gc.unfreeze()


async def _freed(found: weakref.ref[Knot]) -> bool:
    for _ in range(500):
        if found() is None:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("step", [0, 1])
async def test_old_garbage_is_collected_by_the_schedule_alone(step: int) -> None:
    """Garbage that has grown old is freed, in quiet and, a little later, in a rush; Python's own way comes back."""
    before, done = gc.get_threshold(), 0

    def count() -> int:
        nonlocal done
        done += step
        return done

    task = asyncio.create_task(garbage.collect(count))
    await asyncio.sleep(0)
    assert gc.get_threshold()[2] == garbage.NEVER
    knot = Knot()
    gc.collect(1)  # it is old now
    seen = weakref.ref(knot)
    del knot
    assert await _freed(seen)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gc.get_threshold() == before
