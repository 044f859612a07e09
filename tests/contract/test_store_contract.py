"""What the store promises, the same for the embedded one and for one at a URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.core.errors import ConfigError, Fenced
from router.core.ports import Appended
from router.shell.store import Store
from router.shell.store.commands import INLINE_BYTES_MAX, Keys
from tests.support.stores import at_url, entry, opened, passed_on


@pytest.fixture(params=["embedded", "url"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of each kind."""
    async with (opened if request.param == "embedded" else at_url)(tmp_path) as either:
        yield either


class TestInbox:
    """Entries, duplicates, conflicts."""

    async def test_entries_come_back_in_order_as_they_were(self, store: Store) -> None:
        """What was appended is read back unchanged, in order, under the ids that were answered."""
        answers = await store.inbox_append([entry("a", raw=b"\x00\r\nA"), entry("b", source="http")])
        items = await store.inbox_read("0-0", 10)
        assert [item.id for item in items] == [answer.id for answer in answers]
        assert [(item.source, item.raw) for item in items] == [("email", b"\x00\r\nA"), ("http", b"hello")]
        assert items[0].key == entry("a").key
        assert items[0].meta == entry("a").meta
        assert not items[0].conflict

    async def test_a_duplicate_is_answered_with_its_first_id(self, store: Store) -> None:
        """The same key and body add nothing, and the answer names the first entry, even within one call."""
        (first,) = await store.inbox_append([entry("a")])
        again = await store.inbox_append([entry("a"), entry("b"), entry("b")])
        assert again[0] == Appended(first.id, duplicate=True)
        assert again[2] == Appended(again[1].id, duplicate=True)
        assert await store.inbox_length() == 2

    async def test_a_deleted_entry_is_still_known(self, store: Store) -> None:
        """A sender that comes again after its message was worked off does not open it anew."""
        (first,) = await store.inbox_append([entry("a")])
        await store.inbox_delete([first.id])
        assert await store.inbox_append([entry("a")]) == [Appended(first.id, duplicate=True)]
        assert await store.inbox_length() == 0

    async def test_yesterdays_entry_is_still_known(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A duplicate is recognised over midnight, six days later, and after a clock that was a day ahead."""
        (first,) = await store.inbox_append([entry("a")])
        real = Keys.seen
        for days in (1, 6, -1):
            monkeypatch.setattr(Keys, "seen", lambda self, now, d=days: real(self, now + d * 86_400_000))
            assert await store.inbox_append([entry("a")]) == [Appended(first.id, duplicate=True)]

    async def test_a_conflict_is_kept_and_flagged_once(self, store: Store) -> None:
        """The same key with another body becomes one flagged entry, however often it is sent."""
        await store.inbox_append([entry("a")])
        (other,) = await store.inbox_append([entry("a", body="other")])
        assert other.conflict
        assert not other.duplicate
        again = await store.inbox_append([entry("a", body="other")])
        assert again == [Appended(other.id, duplicate=True, conflict=True)]
        assert [item.conflict for item in await store.inbox_read("0-0", 10)] == [False, True]

    async def test_a_refused_conflict_adds_nothing_at_all(self, store: Store) -> None:
        """When conflicts are refused, one of them keeps the whole call out."""
        (first,) = await store.inbox_append([entry("a")])
        answers = await store.inbox_append([entry("b"), entry("a", body="other")], conflict="refuse")
        assert answers[1] == Appended(first.id, conflict=True)
        assert answers[0].id == ""
        assert await store.inbox_length() == 1
        (later,) = await store.inbox_append([entry("b")], conflict="refuse")
        assert not later.duplicate

    async def test_groups_of_one_round_trip_are_answered_each(self, store: Store) -> None:
        """Several callers' groups share a round trip; a refused one does not touch the others."""
        await store.inbox_append([entry("a")])
        groups = [
            ([entry("b"), entry("c")], "keep"),
            ([entry("a", body="other")], "refuse"),
            ([entry("a")], "refuse"),
            ([entry("b")], "keep"),
        ]
        outcomes = await store.inbox_append_many(groups)
        assert [[(a.duplicate, a.conflict) for a in outcome] for outcome in outcomes if isinstance(outcome, list)] == [
            [(False, False), (False, False)],
            [(False, True)],
            [(True, False)],
            [(True, False)],
        ]
        assert await store.inbox_length() == 3

    async def test_entries_are_found_by_id(self, store: Store) -> None:
        """Those that still stand are returned, the others left out."""
        answers = await store.inbox_append([entry("a"), entry("b")])
        await store.inbox_delete([answers[0].id])
        assert [item.id for item in await store.inbox_get([a.id for a in answers])] == [answers[1].id]

    async def test_reading_waits_for_the_first_entry(self, store: Store) -> None:
        """A blocked reader wakes with the entry that arrives, and returns empty when none does."""
        assert await store.inbox_read("0-0", 10, block_ms=10) == []
        reading = asyncio.create_task(store.inbox_read("0-0", 10, block_ms=30_000))
        await store.inbox_append([entry("a")])
        assert [item.raw for item in await reading] == [b"hello"]

    async def test_the_inbox_is_measured(self, store: Store) -> None:
        """Length, bytes and lag are those of what stands in it, zero when nothing does."""
        assert (await store.inbox_length(), await store.inbox_bytes(), await store.inbox_lag()) == (0, 0, 0)
        await store.inbox_append([entry("a", raw=b"x" * 10_000)])
        assert store.inbox_count == 1
        assert await store.inbox_bytes() > 10_000
        assert await store.inbox_lag() >= 0
        assert 0 < await store.memory_share() < 1


class TestJournal:
    """One append is the commit."""

    async def test_a_batch_follows_the_expected_last_id(self, store: Store) -> None:
        """Records are read back in order, and the last id is that of the newest."""
        assert await store.journal_last() == "0-0"
        await store.journal_append("0-0", [("1-0", b"fence")], {})
        await store.journal_append("1-0", [("1-1", b"a"), ("1-2", b"b")], {"m1": b"text"})
        assert await store.journal_read("1-0", 10) == [("1-1", b"a"), ("1-2", b"b")]
        assert await store.journal_last() == "1-2"
        assert await store.journal_length() == 3
        assert await store.journal_get("1-1") == b"a"
        assert await store.journal_get("1-9") is None
        assert await store.blobs_get(["m1"]) == {"m1": b"text"}

    async def test_a_stale_leader_is_refused_by_the_store(self, store: Store) -> None:
        """After a newer fence the old leader can append nothing, neither records nor blobs nor outgoing items."""
        await store.journal_append("0-0", [("1-0", b"old fence")])
        await store.outbox_put(1, "o1", b"sending")
        await store.journal_append("1-0", [("2-0", b"new fence")])
        with pytest.raises(Fenced):
            await store.journal_append("1-0", [("1-1", b"late")], {"m1": b"late"})
        with pytest.raises(Fenced):
            await store.outbox_put(1, "o2", b"late")
        with pytest.raises(Fenced):
            await store.blobs_put_leading(1, {"m1": b"late", "large": b"late" * INLINE_BYTES_MAX})
        with pytest.raises(Fenced):
            await store.outbox_delete(1, ["o1"])
        assert await store.journal_read("0-0", 10) == [("1-0", b"old fence"), ("2-0", b"new fence")]
        assert await store.blobs_get(["m1", "large"]) == {}
        await store.blobs_put_leading(2, {"m1": b"in time"})
        assert await store.blobs_get(["m1", "large"]) == {"m1": b"in time"}
        assert await store.outbox_all() == {"o1": b"sending"}
        with pytest.raises(Fenced):
            await store.desk_put(1, "thread", b"late")
        with pytest.raises(Fenced):
            await store.desk_add(1, "in:1", b"late")
        assert await store.desk_all() == {}
        await store.doc_put_leading(2, "labels", b"in time")
        with pytest.raises(Fenced):
            await store.doc_put_leading(1, "labels", b"late")
        assert await store.doc_get("labels") == b"in time"

    async def test_a_repeated_batch_is_fine_and_stored_once(self, store: Store) -> None:
        """The retry of an append whose reply was lost returns; a batch that only shares its ids is fenced."""
        batch = [("1-0", b"a"), ("1-1", b"b")]
        await store.journal_append("0-0", batch)
        await store.journal_append("0-0", batch)
        assert await store.journal_length() == 2
        with pytest.raises(Fenced):
            await store.journal_append("0-0", [("1-0", b"A"), ("1-1", b"b")])
        with pytest.raises(Fenced):
            await store.journal_append("0-0", [("1-1", b"b"), ("1-2", b"c")])

    @pytest.mark.parametrize("ids", [[], ["1-1", "1-1"], ["1-2", "1-1"], ["0-0"]])
    async def test_ids_that_do_not_ascend_are_never_sent(self, store: Store, ids: list[str]) -> None:
        """A batch the store would refuse half-way is refused before it leaves."""
        with pytest.raises(ValueError, match="ascend"):
            await store.journal_append("0-0", [(record, b"") for record in ids])
        assert await store.journal_length() == 0

    async def test_a_waiting_reader_wakes_with_the_record(self, store: Store) -> None:
        """A standby that waits at the end gets the next record."""
        await store.journal_append("0-0", [("1-0", b"a")])
        reading = asyncio.create_task(store.journal_read("1-0", 10, block_ms=30_000))
        await store.journal_append("1-0", [("1-1", b"b")])
        assert await reading == [("1-1", b"b")]


class TestSmallThings:
    """Keys, secret, leases, outbox, documents."""

    async def test_customer_keys_are_made_once_and_gone_for_good(self, store: Store) -> None:
        """Everybody gets the same 32 bytes for a name; a deleted key is not found again."""
        first = await store.keys_get_or_create(["a", "b"])
        assert {len(value) for value in first.values()} == {32}
        assert len(set(first.values())) == 2
        many = await asyncio.gather(*(store.keys_get_or_create(["b", "c"]) for _ in range(20)))
        assert all(found == many[0] for found in many)
        assert many[0]["b"] == first["b"]
        await store.keys_delete(["a"])
        assert await store.keys_get(["a", "b"]) == {"b": first["b"]}
        assert await store.keys_get_or_create([]) == {}

    async def test_the_secret_is_one(self, store: Store) -> None:
        """All who ask at once get the same 32 bytes."""
        secrets = await asyncio.gather(*(store.secret() for _ in range(20)))
        assert len(set(secrets)) == 1
        assert len(secrets[0]) == 32

    async def test_a_lease_has_one_owner(self, store: Store) -> None:
        """Only the owner may renew and release; when it lapses, the next may have it."""
        assert await store.lease_acquire("leader", "n1", 60_000)
        assert await store.lease_acquire("leader", "n1", 60_000)
        assert not await store.lease_acquire("leader", "n2", 60_000)
        assert not await store.lease_renew("leader", "n2", 60_000)
        assert not await store.lease_release("leader", "n2")
        assert await store.lease_owner("leader") == "n1"
        assert await store.lease_renew("leader", "n1", 1)
        while await store.lease_owner("leader"):
            await asyncio.sleep(0.01)
        assert not await store.lease_renew("leader", "n1", 60_000)
        assert await store.lease_acquire("leader", "n2", 60_000)
        assert await store.lease_release("leader", "n2")

    async def test_the_outbox_holds_what_was_put(self, store: Store) -> None:
        """Items are replaced and deleted by id, and an empty outbox is empty."""
        assert await store.outbox_all() == {}
        await store.outbox_put(1, "a", b"sending")
        await store.outbox_put(1, "a", b"sent")
        await store.outbox_put(1, "b", b"sending")
        await store.outbox_delete(1, ["a"])
        assert await store.outbox_all() == {"b": b"sending"}

    async def test_a_note_is_heard_and_kept_nowhere(self, store: Store) -> None:
        """What is passed on reaches whoever listens, and no key comes of it."""
        await passed_on(store)
        assert "db0" not in await store.facts("keyspace")

    async def test_a_desk_outside_is_remembered(self, store: Store) -> None:
        """What came in is kept once under its name; what was posted is replaced and forgotten by name."""
        assert await store.desk_add(1, "in:1", b"click")
        assert not await store.desk_add(1, "in:1", b"the same click")
        await store.desk_put(1, "thread", b"sending")
        await store.desk_put(1, "thread", b"posted")
        assert await store.desk_all() == {"in:1": b"click", "thread": b"posted"}
        await store.desk_delete(1, ["in:1"])
        assert await store.desk_all() == {"thread": b"posted"}
        assert await store.outbox_all() == {}

    async def test_what_is_single_use_is_used_once(self, store: Store) -> None:
        """Of many who put or take a single-use document at once, one succeeds; it lapses by itself."""
        assert (await asyncio.gather(*(store.doc_put_new("link", b"x", 60_000) for _ in range(10)))).count(True) == 1
        assert (await asyncio.gather(*(store.doc_delete("link") for _ in range(10)))).count(True) == 1
        assert await store.doc_put_new("link", b"x", 1)
        while await store.doc_get("link"):
            await asyncio.sleep(0.01)
        await store.doc_put("tokens", b"1")
        await store.doc_put("tokens", b"2")
        assert await store.doc_get("tokens") == b"2"

    async def test_of_two_changes_at_once_the_second_sees_the_first(self, store: Store) -> None:
        """A document is put in the place of what it was made from only, and the same change once more is fine."""
        assert (await asyncio.gather(*(store.doc_swap("list", None, b"%d" % n) for n in range(10)))).count(True) == 1
        first = await store.doc_get("list")
        assert not await store.doc_swap("list", None, b"x")
        assert await store.doc_swap("list", first, b"x")
        assert await store.doc_swap("list", first, b"x")
        assert not await store.doc_swap("list", first, b"y")
        assert await store.doc_get("list") == b"x"

    async def test_workspaces_do_not_meet(self, store: Store) -> None:
        """Keys of two workspaces differ in all kinds, and a name that could break out of the tag is refused."""
        assert Keys("a").inbox != Keys("b").inbox
        for name in ("a}:x", "", "a b", "*", "a\n"):
            with pytest.raises(ConfigError):
                Keys(name)
        await store.ping()
