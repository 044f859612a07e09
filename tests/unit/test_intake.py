"""Intake: gathering, limits, draining, and what callers see of the store's troubles."""

from __future__ import annotations

import asyncio

import pytest

from router.core.errors import BacklogFull, Draining, StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.shell.intake import Intake, IntakeLimits
from router.shell.store.entries import Group, Outcome


class FakeStore:
    """Answers each group with numbered ids, when it is let to."""

    def __init__(self) -> None:
        self.inbox_count = 0
        self.share = 0.0
        self.bytes = 0
        self.calls: list[list[Group]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def inbox_append_many(self, groups: list[Group]) -> list[Outcome]:
        """Note the call; answer when open."""
        self.calls.append(groups)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [[Appended(f"{len(self.calls)}-{entry.raw.decode()}") for entry in batch] for batch, _ in groups]

    async def inbox_length(self) -> int:
        """Return what was set."""
        return self.inbox_count

    async def inbox_bytes(self) -> int:
        """Return what was set."""
        return self.bytes

    async def memory_share(self) -> float:
        """Return what was set."""
        if self.error is not None:
            raise self.error
        return self.share


class FakeDisk:
    """Has room or not."""

    room = True

    def accepting(self) -> bool:
        """Return whether there is room."""
        return self.room


def entry(raw: str = "x", source: str = "email") -> InboxEntry:
    """Return some entry."""
    return InboxEntry(source=source, key=b"k" * 16, body=b"b" * 16, meta=b"", raw=raw.encode())


class TestGathering:
    """One round trip for many callers."""

    async def test_what_comes_while_one_is_under_way_goes_together(self) -> None:
        """The first goes at once; all who come meanwhile share the next round trip, each with an answer of its own."""
        store = FakeStore()
        store.open.clear()
        intake = Intake(store, FakeDisk())
        first = asyncio.create_task(intake.append([entry("a")]))
        while not store.calls:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(intake.append([entry(name), entry(name * 2)])) for name in "bcd"]
        await asyncio.sleep(0)
        store.open.set()
        assert await first == [Appended("1-a")]
        assert [await task for task in rest] == [[Appended(f"2-{n}"), Appended(f"2-{n * 2}")] for n in "bcd"]
        assert len(store.calls) == intake.batches == 2
        assert intake.accepted == 7
        await intake.drain()

    async def test_a_batch_is_bounded_by_count_and_by_bytes(self) -> None:
        """More than fits goes in the next round trip; one group larger than the bound goes alone."""
        store = FakeStore()
        limits = IntakeLimits(batch_entries_max=3, batch_bytes_max=100)
        intake = Intake(store, FakeDisk(), limits)
        sizes = [1, 1, 1, 1, 60, 60, 500, 1]
        await asyncio.gather(*(intake.append([entry("x" * size)]) for size in sizes))
        assert [[len(batch[0].raw) for batch, _ in call] for call in store.calls] == [
            [1, 1, 1],
            [1, 60],
            [60],
            [500],
            [1],
        ]
        await intake.drain()

    async def test_how_conflicts_are_treated_is_handed_on(self) -> None:
        """Each group says for itself whether a conflict is kept or refused."""
        store = FakeStore()
        intake = Intake(store, FakeDisk())
        await asyncio.gather(intake.append([entry()]), intake.append([entry()], conflict="refuse"))
        assert [conflict for _, conflict in store.calls[0]] == ["keep", "refuse"]
        await intake.drain()

    async def test_nothing_is_nothing(self) -> None:
        """An empty append asks nobody."""
        store = FakeStore()
        assert await Intake(store, FakeDisk()).append([]) == []
        assert store.calls == []

    async def test_a_digest_of_another_size_harms_its_caller_only(self) -> None:
        """A mistake in one entry is raised before it joins a batch with others'."""
        store = FakeStore()
        intake = Intake(store, FakeDisk())
        wrong = InboxEntry(source="email", key=b"short", body=b"b" * 16, meta=b"")
        outcomes = await asyncio.gather(intake.append([wrong]), intake.append([entry("a")]), return_exceptions=True)
        assert isinstance(outcomes[0], ValueError)
        assert outcomes[1] == [Appended("1-a")]
        await intake.drain()


class TestTrouble:
    """The store does not answer."""

    @pytest.mark.parametrize("error", [StoreUnavailable("gone"), OSError("odd"), KeyError("a mistake of ours")])
    async def test_callers_see_one_error_whatever_happened(self, error: Exception) -> None:
        """All who waited are told that the outcome is unknown; the next ones are served again."""
        store = FakeStore()
        intake = Intake(store, FakeDisk())
        store.error = error
        outcomes = await asyncio.gather(*(intake.append([entry(n)]) for n in "ab"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
        assert outcomes[0] is not outcomes[1]
        assert intake.failed == 2
        store.error = None
        assert await intake.append([entry("c")])
        await intake.drain()

    async def test_one_groups_trouble_is_its_own(self) -> None:
        """A group the store could not take fails alone."""

        class Picky(FakeStore):
            async def inbox_append_many(self, groups: list[Group]) -> list[Outcome]:
                outcomes = await super().inbox_append_many(groups)
                return [StoreUnavailable("no"), *outcomes[1:]]

        intake = Intake(Picky(), FakeDisk())
        outcomes = await asyncio.gather(*(intake.append([entry(n)]) for n in "ab"), return_exceptions=True)
        assert isinstance(outcomes[0], StoreUnavailable)
        assert outcomes[1] == [Appended("1-b")]
        await intake.drain()

    async def test_a_cancelled_caller_takes_nothing_back(self) -> None:
        """Its entries go on, in the order they came, and others are answered."""
        store = FakeStore()
        intake = Intake(store, FakeDisk())
        gone = asyncio.create_task(intake.append([entry("a")]))
        await asyncio.sleep(0)
        gone.cancel()
        assert await intake.append([entry("b")]) == [Appended("1-b")]
        assert [batch[0].raw for batch, _ in store.calls[0]] == [b"a", b"b"]
        assert gone.cancelled()
        await intake.drain()


class TestFull:
    """Refused before anything is stored."""

    async def refused(self, intake: Intake, reason: str) -> None:
        """Assert that customers' messages are refused for `reason`, and agents' actions and our own let in."""
        with pytest.raises(BacklogFull, match=reason):
            await intake.append([entry("a"), entry("b", source="command")])
        assert intake.refused == 2
        assert await intake.append([entry("b", source="command"), entry("c", source="internal")])
        await intake.drain()

    async def test_a_low_disk(self) -> None:
        """No room on the disk: not now."""
        disk = FakeDisk()
        disk.room = False
        await self.refused(Intake(FakeStore(), disk), "disk")

    async def test_too_many_entries(self) -> None:
        """The inbox holds as many as it may: not now."""
        store = FakeStore()
        store.inbox_count = 10
        await self.refused(Intake(store, FakeDisk(), IntakeLimits(inbox_entries_max=10)), "too many messages")

    @pytest.mark.parametrize(("share", "size", "reason"), [(0.71, 0, "memory"), (0.1, 2 << 30, "bytes")])
    async def test_too_much_memory(self, share: float, size: int, reason: str) -> None:
        """The store's memory, or the inbox's share of it, is used up: not now, until it is measured better."""
        store = FakeStore()
        store.share, store.bytes = share, size
        intake = Intake(store, FakeDisk())
        await intake.append([entry("first")])
        await intake.measured()
        await self.refused(intake, reason)

    async def test_room_again_is_noticed_without_a_message_let_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A refused append measures anew, so that a store that has room again is found."""
        monkeypatch.setattr("router.shell.intake.REFRESH_SECONDS", -1.0)
        store = FakeStore()
        store.share = 1.0
        intake = Intake(store, FakeDisk())
        await intake.append([entry("first")])
        await intake.measured()
        store.share = 0.1
        with pytest.raises(BacklogFull):
            await intake.append([entry("a")])
        await intake.measured()
        assert await intake.append([entry("a")])
        await intake.drain()

    async def test_too_much_in_this_process(self) -> None:
        """While the store is slow only so many bytes gather; even agents wait then. One large message fits alone."""
        store = FakeStore()
        store.open.clear()
        intake = Intake(store, FakeDisk(), IntakeLimits(gathered_bytes_max=100))
        large = asyncio.create_task(intake.append([entry("x" * 500)]))
        await asyncio.sleep(0)
        with pytest.raises(BacklogFull, match="waits to be stored"):
            await intake.append([entry("y", source="command")])
        store.open.set()
        assert await large
        assert await intake.append([entry("y")])
        await intake.drain()


class TestDraining:
    """The node stops."""

    async def test_what_was_taken_is_answered_and_nothing_new_let_in(self) -> None:
        """Draining returns when all callers have their answers; whoever comes later is refused."""
        store = FakeStore()
        store.open.clear()
        intake = Intake(store, FakeDisk())
        taken = [asyncio.create_task(intake.append([entry(n)])) for n in "abc"]
        await asyncio.sleep(0)
        draining = asyncio.create_task(intake.drain())
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            await intake.append([entry("late", source="command")])
        assert not draining.done()
        store.open.set()
        await draining
        assert all(task.done() and task.result() for task in taken)

    async def test_draining_at_rest_returns_at_once(self) -> None:
        """With nothing under way there is nothing to wait for; asked twice it is fine."""
        intake = Intake(FakeStore(), FakeDisk())
        await intake.drain()
        await intake.drain()
