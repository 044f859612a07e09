"""The archive: segments that are read back whole, a history over archive and store, and the audit of it all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore as Objects

from router.core.errors import JournalBroken
from router.core.events import LossAccepted
from router.core.version import ENGINE
from router.shell import audit as audit_module
from router.shell import journal as journal_module
from router.shell.archive import FOLDER, Archive, History, from_line, to_line
from router.shell.audit import verify
from router.shell.journal import Journal
from router.shell.recovery import recover
from router.shell.shelf import Place, Shelf
from router.shell.witness import Witness
from tests.support.journals import DocStore, archived, begun, damaged, shelf, taken, toggled


@given(seq=st.integers(0, 2**40), raw=st.text().map(lambda text: f'{{"x":{text!r}}}'.encode()))
def test_a_line_gives_back_what_was_put_into_it(seq: int, raw: bytes) -> None:
    """A record's id and bytes come back from its line, whatever the bytes are."""
    assert from_line(to_line((f"3-{seq}", raw))) == (f"3-{seq}", raw)


@pytest.mark.parametrize("line", [b"", b"{}", b'{"id":"1-0","record":', b'{"id":"1-0"}', b"\xff"])
def test_other_lines_are_refused(line: bytes) -> None:
    """What is no line of an archived journal is said to be none."""
    with pytest.raises(JournalBroken, match="is not a line"):
        from_line(line)


async def test_history_is_one_journal() -> None:
    """Archive and store are read as one: every record once, in order, from any place on, and each by its id."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 8)
    await journal.fence(engine, node="n2", at=99, wall=99)
    await toggled(engine, journal, 3)
    rows = list(store.rows)
    await archived(store, lying, 3, 7)
    assert len(store.rows) == 7
    history = History(store, Archive(lying))
    for start, (identifier, raw) in enumerate(rows):
        assert await history.journal_get(identifier) == raw
        read, after = [], identifier
        while found := await history.journal_read(after, 2):
            read += found
            after = found[-1][0]
        assert read == rows[start + 1 :]
    assert await history.journal_get("1-99") is None
    assert [record.n async for record in Journal(history).read()] == list(range(1, 15))


async def test_a_segment_is_a_file_that_others_can_read(tmp_path: Path) -> None:
    """In a folder a segment is a gzip file of JSON Lines, whose name says what it holds."""
    store, lying = DocStore(), Shelf.at(Place(folder=str(tmp_path)), "acme")
    engine, journal = await begun(store)
    await toggled(engine, journal, 2)
    rows = list(store.rows)
    await archived(store, lying, 4)
    (path,) = (tmp_path / "acme" / FOLDER).iterdir()
    assert path.name.startswith("000000000001-000000000004_1-3_")
    assert [from_line(line) for line in gzip.decompress(path.read_bytes()).splitlines()] == rows


class Forgetful(Objects):
    """An object store that stores something else than it was given."""

    def put(self, path: str, file: bytes) -> None:  # type: ignore[override]
        """Leave the last byte off."""
        super().put(path, file[:-1])


async def test_a_segment_that_reads_otherwise_is_no_archive() -> None:
    """What cannot be read back as it was written is refused, so that nothing is trimmed for it."""
    store, lying = DocStore(), Shelf(Forgetful())
    await begun(store)
    with pytest.raises(JournalBroken, match="damaged"):
        await Archive(lying).put(store.rows, 2)


class TestAudit:
    """`usherd journal verify` over archive, store, snapshots and witness."""

    async def test_all_of_it_is_whole(self, tmp_path: Path) -> None:
        """An archived and snapshotted journal verifies from record 1, with its snapshots compared."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 6)
        await taken(lying, engine, journal)
        await toggled(engine, journal, 4)
        await taken(lying, engine, journal)
        await archived(store, lying, 5, 9)
        witness = Witness(tmp_path, store)
        await witness.note(journal.position, leading=True)
        seen: list[int] = []
        verdict, replayed = await verify(store, lying, witness=witness, progress=seen.append)
        assert (verdict.ok, verdict.problem) == (True, "")
        assert (verdict.records, verdict.archived, verdict.snapshots, verdict.compared_from) == (12, 9, 2, 1)
        assert verdict.state_hash == engine.state_hash() == replayed.state_hash()
        assert seen == list(range(1, 13))

    @pytest.mark.parametrize("segment", [0, 1])
    async def test_a_damaged_segment_is_named(self, segment: int) -> None:
        """A flipped bit in a segment names it and its first record."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 8)
        await archived(store, lying, 4, 8)
        await damaged(lying, (await lying.names(FOLDER))[segment])
        verdict, _ = await verify(store, lying)
        assert (verdict.ok, verdict.first_bad) == (False, (1, 5)[segment])
        assert "segment" in verdict.problem

    async def test_a_missing_segment_is_a_hole(self) -> None:
        """A segment that is gone is noticed at the first record after it."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 8)
        await archived(store, lying, 4, 6, 8)
        await lying.delete((await lying.names(FOLDER))[1:2])
        verdict, _ = await verify(store, lying)
        assert (verdict.ok, verdict.first_bad) == (False, 5)
        assert "hole" in verdict.problem

    async def test_a_damaged_snapshot_is_named(self) -> None:
        """A flipped bit in a snapshot names it and its record; the journal beside it is read to its end."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 2)
        name = await taken(lying, engine, journal)
        await toggled(engine, journal, 2)
        await damaged(lying, name)
        verdict, _ = await verify(store, lying)
        assert (verdict.ok, verdict.first_bad, verdict.records) == (False, 4, 6)
        assert name in verdict.problem

    async def test_a_snapshot_of_another_state_is_named(self) -> None:
        """A snapshot that is sound as a file, and not the state that the records give, is found out."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 2)
        engine.state.customers_seen += 1
        await taken(lying, engine, journal)
        verdict, _ = await verify(store, lying)
        assert (verdict.ok, verdict.first_bad) == (False, 4)
        assert "is not the state at record 4" in verdict.problem

    async def test_a_cut_tail_is_named(self, tmp_path: Path) -> None:
        """Snapshot and witness both know of records that the journal does not end with."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 5)
        await taken(lying, engine, journal)
        witness = Witness(tmp_path, store)
        await witness.note(journal.position, leading=False)
        del store.rows[4:]
        verdict, _ = await verify(store, lying, witness=witness)
        assert (verdict.ok, verdict.first_bad) == (False, 5)
        assert "3 records are lost" in verdict.problem
        assert "snapshot of record 7" in verdict.problem

    async def test_a_changed_record_that_is_also_archived_is_named(self) -> None:
        """What the store still holds of archived records is checked too."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 4)
        rows = list(store.rows)
        await archived(store, lying, 4)
        store.rows[:] = rows
        assert (await verify(store, lying))[0].ok
        store.flip(3, b'"wall":', b'"wall":1')
        verdict, _ = await verify(store, lying)
        assert (verdict.ok, verdict.first_bad) == (False, 3)

    async def test_an_accepted_gap_is_told(self) -> None:
        """Over a gap that was accepted the chain is read on, and decisions are compared from the next snapshot on."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 5)
        del store.rows[4:]
        store.generated = store.rows[-1][0]
        journal.last_id = store.generated
        loss = LossAccepted(after=7, seen=9, missing=((5, 7),))
        await journal.fence(engine, node="n1", at=99, wall=99, loss=loss)
        store.generated = ""
        await taken(lying, engine, journal)
        await toggled(engine, journal, 2)
        verdict, replayed = await verify(store, lying)
        assert (verdict.ok, verdict.problem) == (True, "")
        assert verdict.losses == ("record 8: records 8 to 9 were lost, and an admin said to go on",)
        assert verdict.compared_from == 9
        assert replayed.state_hash() == engine.state_hash()
        recovered, _ = await recover(store, lying)
        assert recovered.state_hash() == engine.state_hash()

    async def test_an_older_engines_records_are_read_not_replayed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of an older engine's part the chain is checked; decisions are compared from its last snapshot on."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 3)
        await taken(lying, engine, journal, checked=False)
        for module in (journal_module, audit_module):
            monkeypatch.setattr(module, "ENGINE", ENGINE + 1)
        verdict, replayed = await verify(store, lying)
        assert (verdict.ok, verdict.compared_from, verdict.snapshots) == (True, 6, 1)
        assert replayed.state_hash() == engine.state_hash()
        store.flip(3, b'"wall":', b'"wall":1')
        assert (await verify(store, lying))[0].first_bad == 3
