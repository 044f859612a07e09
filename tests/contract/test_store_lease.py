"""Leases over the real store: one owner at a time, taken over when it is gone, whatever the store's clock says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.core.errors import StoreUnavailable
from router.shell import lease as lease_module
from router.shell.lease import Lease
from router.shell.store import Store
from tests.support.stores import opened


class Watch:
    """A clock that nobody sets but the test."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An embedded store."""
    async with opened(tmp_path) as found:
        yield found


def sure(lease: Lease) -> bool:
    """Whether it is held for certain, asked anew."""
    return lease.held


async def looks(lease: Lease, watch: Watch, seconds: float) -> bool:
    """Look as a standby does, for so long; whether it got the lease."""
    until = watch.now + seconds
    while watch.now < until:
        watch.now += lease_module.LOOK_SECONDS
        if await lease.look():
            return True
    return False


async def test_one_of_two_has_it_and_the_other_gets_it_when_it_is_given_back(store: Store) -> None:
    """The second owner waits as long as the first keeps it, and has it two looks after it was given back."""
    watch = Watch()
    first, second = (Lease(store, "leader", name, monotonic=watch) for name in ("n1", "n2"))
    assert await first.look()
    assert (sure(first), sure(second)) == (True, False)
    for _ in range(30):
        assert await store.lease_renew("leader", "n1", lease_module.TTL_MS)
        assert not await looks(second, watch, 0.5)
    assert second.holder == "n1"
    await first.release()
    assert not sure(first)
    assert await looks(second, watch, 0.6)
    assert (sure(second), second.holder) == (True, "n2")


async def test_a_lease_that_the_stores_clock_keeps_for_ever_is_taken_when_nobody_keeps_it(store: Store) -> None:
    """An owner that is gone loses the lease by the watch of whoever waits, though the store would keep it for a day."""
    watch = Watch()
    await store.lease_acquire("leader", "gone", 86_400_000)
    second = Lease(store, "leader", "n2", monotonic=watch)
    assert not await looks(second, watch, lease_module.UNCHANGED_SECONDS_MAX)
    assert await looks(second, watch, 1.0)
    assert await store.lease_owner("leader") == "n2"


async def test_time_in_which_the_store_was_away_does_not_count(store: Store) -> None:
    """After a minute without an answer the owner is not taken for gone: nobody could keep anything."""
    watch = Watch()
    await store.lease_acquire("leader", "n1", 86_400_000)
    second = Lease(store, "leader", "n2", monotonic=watch)
    assert not await second.look()
    watch.now += 60.0
    assert not await looks(second, watch, 1.0)


async def test_one_who_took_it_at_the_same_moment_wins_alone(store: Store) -> None:
    """Of two who find the same stale value one gets the lease: the value is compared in the store."""
    await store.lease_acquire("leader", "gone", 86_400_000)
    value = await store.lease_value("leader")
    assert value is not None
    assert await store.lease_acquire("leader", "n2", 3_000, value)
    assert not await store.lease_acquire("leader", "n3", 3_000, value)
    assert await store.lease_owner("leader") == "n2"


async def test_keeping_it_says_when_it_is_doubtful_and_ends_when_another_has_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps a lease is told once it is not certainly theirs, and `keep` returns when another took it."""
    monkeypatch.setattr(lease_module, "KEEP_SECONDS", 0.01)
    watch = Watch()
    first = Lease(store, "reader", "n1", monotonic=watch)
    assert await first.look()
    doubts: list[bool] = []
    keeping = asyncio.create_task(first.keep(lambda: doubts.append(first.held)))
    renew = store.lease_renew
    away = True

    async def unsure(name: str, owner: str, ttl_ms: int) -> bool:
        if away:
            raise StoreUnavailable("away")
        return await renew(name, owner, ttl_ms)

    monkeypatch.setattr(store, "lease_renew", unsure)
    watch.now += 60.0
    async with asyncio.timeout(20):
        while not doubts:
            await asyncio.sleep(0.01)
        away = False
        while not sure(first):
            await asyncio.sleep(0.01)
        value = await store.lease_value("reader")
        while not await store.lease_acquire("reader", "n2", 60_000, value or ""):
            value = await store.lease_value("reader")
        await keeping
    assert not sure(first)
    assert doubts == [False, False]


async def test_a_slower_pace_makes_all_its_times_longer(store: Store) -> None:
    """At a pace of four it is held four times as long, and one that is not kept is taken over four times as late."""
    watch = Watch()
    slow = Lease(store, "imap:1", "n1", pace=4, monotonic=watch)
    waiting = Lease(store, "imap:1", "n2", pace=4, monotonic=watch)
    assert await slow.look()
    watch.now += 3 * lease_module.TTL_MS / 1_000
    assert sure(slow)
    watch.now += lease_module.TTL_MS / 1_000
    assert not sure(slow)
    begun = watch.now
    assert await looks(waiting, watch, 10 * lease_module.UNCHANGED_SECONDS_MAX)
    assert watch.now - begun >= 4 * lease_module.UNCHANGED_SECONDS_MAX
