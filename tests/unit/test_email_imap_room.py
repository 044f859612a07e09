"""Room for mails: what many mailboxes fetch at once has a bound, in order, and large mails hold up no small ones."""

from __future__ import annotations

import asyncio
import random

import pytest

from channels.email.imap_room import LARGE_BYTES, Room

MEGABYTE = 1 << 20


async def turns(count: int = 20) -> None:
    """Let all that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_than_the_bound_is_held_and_all_come_to_it() -> None:
    """A hundred mailboxes with groups of all sizes, some of which give up: never over the bound, none is left out."""
    chance = random.Random(1)
    room, held, most, done = Room(10 * MEGABYTE), 0, 0, 0

    async def fetch(size: int, *, quits: bool) -> None:
        nonlocal held, most, done
        async with asyncio.timeout(None if not quits else 0), room.hold(size):
            held += size
            most = max(most, held)
            try:
                await turns(chance.randrange(5))
            finally:
                held -= size
        done += 1

    sizes = [chance.randrange(LARGE_BYTES) for _ in range(100)]
    ends = await asyncio.gather(
        *(fetch(size, quits=number % 7 == 3) for number, size in enumerate(sizes)), return_exceptions=True
    )
    assert {type(end) for end in ends} <= {type(None), TimeoutError}
    assert done >= 100 - 15
    assert 8 * MEGABYTE < most <= 10 * MEGABYTE
    async with asyncio.timeout(60), room.hold(4 * MEGABYTE), room.hold(4 * MEGABYTE), room.hold(2 * MEGABYTE):
        pass  # all of it was given back


async def test_large_mails_have_places_of_their_own() -> None:
    """Two large mails that come in drips keep a third waiting, and no small one."""
    room, drip = Room(), asyncio.Event()
    begun: list[str] = []

    async def fetch(name: str, size: int) -> None:
        async with room.hold(size):
            begun.append(name)
            if size > LARGE_BYTES:
                await drip.wait()

    tasks = [asyncio.create_task(fetch(f"large {number}", 25 * MEGABYTE)) for number in range(3)]
    await turns()
    await fetch("small", MEGABYTE)
    assert begun == ["large 0", "large 1", "small"]
    drip.set()
    await asyncio.gather(*tasks)
    assert begun[-1] == "large 2"


async def test_who_gives_up_lets_the_next_in() -> None:
    """A mailbox that is taken off the list while it waits holds up nobody behind it."""
    room = Room(4 * MEGABYTE)
    async with room.hold(3 * MEGABYTE):
        first = asyncio.create_task(_held(room, 2 * MEGABYTE))
        await turns()
        second = asyncio.create_task(_held(room, MEGABYTE))
        await turns()
        assert not second.done()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 60)


async def _held(room: Room, size: int) -> None:
    async with room.hold(size):
        pass
