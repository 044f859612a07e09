"""Outcomes nobody knows: replies lost after the store has applied what was asked, callers that went away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from router.core.errors import Fenced, StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.shell.disk import DiskGuard
from router.shell.intake import Intake
from router.shell.store import Store
from router.shell.store.commands import INLINE_BYTES_MAX
from router.shell.store.embedded import EmbeddedStore
from tests.support.stores import ROOMY, LossyWire, entry, running

LARGE = b"x" * (INLINE_BYTES_MAX + 1)


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """A running store."""
    async with running(tmp_path) as running_store:
        yield running_store


@pytest.fixture
async def wire(tmp_path: Path, embedded: EmbeddedStore) -> AsyncIterator[LossyWire]:
    """A wire to it that can lose replies."""
    async with LossyWire(tmp_path / "lossy.sock", embedded.socket) as lossy:
        yield lossy


@pytest.fixture
async def store(tmp_path: Path, embedded: EmbeddedStore, wire: LossyWire) -> AsyncIterator[Store]:
    """The store at the other end of that wire."""
    opened = await Store.open(
        wire.path, "acme", blobs=tmp_path / "blobs", user=embedded.user, password=embedded.password
    )
    yield opened
    await opened.close()


@pytest.fixture
async def seen(embedded: EmbeddedStore) -> AsyncIterator[Store]:
    """The same store, by a wire of its own that loses nothing."""
    opened = await embedded.open("acme")
    yield opened
    await opened.close()


async def unanswered(
    wire: LossyWire, asked: Coroutine[Any, Any, object], applied: Callable[[], Awaitable[bool]]
) -> None:
    """Ask, and be cut off without a reply once it is `applied`."""
    wire.replies = False
    asking = asyncio.create_task(asked)
    while not await applied():
        await asyncio.sleep(0.005)
    wire.hang_up()
    with pytest.raises(StoreUnavailable):
        await asking
    wire.replies = True


def holding(store: Store, entries: int) -> Callable[[], Awaitable[bool]]:
    """Whether the inbox has so many."""

    async def found() -> bool:
        return await store.inbox_length() == entries

    return found


class TestReplyLost:
    """The store has it, and nobody was told."""

    async def test_an_append_is_repeated_and_stored_once(self, store: Store, seen: Store, wire: LossyWire) -> None:
        """Without a reply the outcome is unknown, it is not sent again by itself, and a repetition is a duplicate."""
        await unanswered(wire, store.inbox_append([entry("a"), entry("b")]), holding(seen, 2))
        assert await store.inbox_length() == 2
        assert [answer.duplicate for answer in await store.inbox_append([entry("a"), entry("b")])] == [True, True]
        assert await store.inbox_length() == 2

    async def test_a_conflicting_append_is_repeated_and_flagged_once(
        self, store: Store, seen: Store, wire: LossyWire
    ) -> None:
        """The flagged entry of a known key with another body is itself deduplicated."""
        await store.inbox_append([entry("a")])
        await unanswered(wire, store.inbox_append([entry("a", body="other")]), holding(seen, 2))
        (answer,) = await store.inbox_append([entry("a", body="other")])
        assert (answer.duplicate, answer.conflict) == (True, True)
        assert await store.inbox_length() == 2

    async def test_the_file_of_an_unknown_append_is_kept(self, store: Store, seen: Store, wire: LossyWire) -> None:
        """A large entry whose reply was lost still has its bytes, and the repetition does not take them away."""
        await unanswered(wire, store.inbox_append([entry("a", raw=LARGE)]), holding(seen, 1))
        (answer,) = await store.inbox_append([entry("a", raw=LARGE)])
        assert answer.duplicate
        (item,) = await store.inbox_read("0-0", 10)
        assert item.raw == LARGE

    async def test_a_journal_batch_is_repeated_and_stored_once(
        self, store: Store, seen: Store, wire: LossyWire
    ) -> None:
        """Asked again, the store knows the batch; a leader that came between fences it."""
        batch = [("1-0", b"a"), ("1-1", b"b")]

        async def applied() -> bool:
            return await seen.journal_last() == "1-1"

        await unanswered(wire, store.journal_append("0-0", batch, {"m1": b"text"}), applied)
        await store.journal_append("0-0", batch, {"m1": b"text"})
        assert await store.journal_read("0-0", 10) == batch
        await store.journal_append("1-1", [("2-0", b"fence")])
        with pytest.raises(Fenced):
            await store.journal_append("0-0", batch, {"m1": b"text"})

    async def test_a_late_reply_answers_nobody_else(self, store: Store, embedded: EmbeddedStore) -> None:
        """After a call ran out of time its connection is not used again, so that no answer goes astray."""
        await store.blobs_put({f"m{n}": f"text {n}".encode() for n in range(20)})
        patience = store._wire._seconds_max  # noqa: SLF001
        for _ in range(3):
            os.kill(embedded.pid, signal.SIGSTOP)
            store._wire._seconds_max = 0.5  # noqa: SLF001
            with pytest.raises(StoreUnavailable):
                await store.blobs_get(["m0"])
            store._wire._seconds_max = patience  # noqa: SLF001
            os.kill(embedded.pid, signal.SIGCONT)
            names = [f"m{n}" for n in range(20)]
            found = await asyncio.gather(*(store.blobs_get([name]) for name in names))
            assert found == [{name: f"text {n}".encode()} for n, name in enumerate(names)]


class TestCallerGone:
    """A client that drops before its `250`."""

    async def test_a_cancelled_append_is_applied_exactly_once(
        self, tmp_path: Path, store: Store, seen: Store, wire: LossyWire
    ) -> None:
        """The entries go on without their caller; when the client sends them again they are known."""
        intake = Intake(store, DiskGuard(tmp_path, ROOMY))
        before_sending = asyncio.create_task(intake.append([entry("a")]))
        await asyncio.sleep(0)
        before_sending.cancel()
        while await store.inbox_length() == 0:
            pass
        wire.replies = False
        on_its_way = asyncio.create_task(intake.append([entry("b")]))
        while await seen.inbox_length() == 1:
            pass
        on_its_way.cancel()
        ended = await asyncio.gather(before_sending, on_its_way, return_exceptions=True)
        assert [type(outcome) for outcome in ended] == [asyncio.CancelledError, asyncio.CancelledError]
        wire.hang_up()
        wire.replies = True
        while (answers := await _retried(intake, [entry("a"), entry("b")])) is None:
            pass
        assert [answer.duplicate for answer in answers] == [True, True]
        assert await store.inbox_length() == 2
        await intake.drain()

    async def test_a_cancelled_store_call_is_applied_at_most_once(self, store: Store) -> None:
        """Cancelled at any moment, an append is there or not; asked again it is there once."""
        for number in range(50):
            call = asyncio.create_task(store.inbox_append([entry(f"m{number}")]))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        await store.inbox_append([entry(f"m{number}") for number in range(50)])
        assert await store.inbox_length() == 50


async def _retried(intake: Intake, entries: list[InboxEntry]) -> list[Appended] | None:
    try:
        return await intake.append(entries)
    except StoreUnavailable:
        return None


class TestManyAtOnce:
    """Group commit."""

    async def test_a_thousand_callers_get_their_own_answers(self, tmp_path: Path, embedded: EmbeddedStore) -> None:
        """1,000 appends at once, each with a twin, take few round trips, and each is stored once under its own id."""
        store = await embedded.open("acme")
        intake = Intake(store, DiskGuard(tmp_path, ROOMY))
        names = [f"m{number // 2}" for number in range(2000)]
        answers = await asyncio.gather(*(intake.append([entry(name, raw=name.encode())]) for name in names))
        ids = {name: answer.id for name, (answer,) in zip(names, answers, strict=True) if not answer.duplicate}
        assert len(ids) == 1000
        assert all(ids[name] == answer.id for name, (answer,) in zip(names, answers, strict=True))
        items = await store.inbox_read("0-0", 5000)
        assert {item.raw.decode(): item.id for item in items} == ids
        assert intake.batches <= 10
        assert (intake.accepted, intake.duplicates) == (1000, 1000)
        await intake.drain()
        await store.close()
