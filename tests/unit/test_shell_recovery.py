"""Recovery: the newest sound snapshot and the tail give what the whole journal gives; over a loss nobody goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.core.errors import JournalBroken
from router.core.events import LossAccepted
from router.core.version import ENGINE
from router.shell import journal as journal_module
from router.shell.journal import Journal, OtherEngine
from router.shell.recovery import check_before, recover
from router.shell.witness import Seen, Witness
from tests.support.journals import DocStore, archived, begun, damaged, shelf, taken, toggled


async def test_a_snapshot_and_the_tail_give_the_whole() -> None:
    """Recovering from a snapshot gives the state hash, the place and the epochs that replaying everything gives."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 5)
    await taken(lying, engine, journal)
    await journal.fence(engine, node="n2", at=900, wall=900)
    await toggled(engine, journal, 4)
    read: list[int] = []
    recovered, at = await recover(store, lying, progress=read.append)
    whole, _ = await recover(store)
    assert recovered.state_hash() == whole.state_hash() == engine.state_hash()
    assert read == list(range(8, 13))
    assert at.position == journal.position
    assert [at.id_of(n) for n in range(1, 13)] == [name for name, _ in store.rows]


async def test_a_damaged_snapshot_is_skipped() -> None:
    """Where the newest snapshot has a flipped byte, the one before it is used."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await taken(lying, engine, journal)
    await toggled(engine, journal, 3)
    await damaged(lying, await taken(lying, engine, journal))
    read: list[int] = []
    recovered, _ = await recover(store, lying, progress=read.append)
    assert read == [3, 4, 5]
    assert recovered.state_hash() == engine.state_hash()


async def test_without_any_snapshot_the_archive_gives_the_state() -> None:
    """Where all snapshots are damaged, the archived records and the store's are replayed from the first one on."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 6)
    name = await taken(lying, engine, journal)
    await toggled(engine, journal, 2)
    await archived(store, lying, 3, 6)
    await damaged(lying, name)
    recovered, at = await recover(store, lying)
    assert recovered.state_hash() == engine.state_hash()
    assert at.position == journal.position


async def test_a_trimmed_journal_goes_on_from_its_snapshot() -> None:
    """A journal that begins right after the snapshot's record is recovered; one that begins later is refused."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 3)
    await taken(lying, engine, journal)
    await toggled(engine, journal, 2)
    del store.rows[:5]
    recovered, _ = await recover(store, lying)
    assert recovered.state_hash() == engine.state_hash()
    del store.rows[0]
    with pytest.raises(JournalBroken, match="record 6 is missing") as caught:
        await recover(store, lying)
    assert caught.value.first_bad == 6


async def test_a_snapshot_ahead_of_the_journal_is_a_loss() -> None:
    """A snapshot of a record that the journal no longer has shows that its tail was cut."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 3)
    await taken(lying, engine, journal)
    del store.rows[-2:]
    with pytest.raises(JournalBroken, match="record 5") as caught:
        await recover(store, lying)
    assert caught.value.first_bad == 5


async def test_a_snapshot_of_another_journal_is_refused() -> None:
    """A snapshot whose record has other bytes in the journal is not gone on from."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await taken(lying, engine, journal)
    await toggled(engine, journal, 1)
    store.flip(2, b'"wall":2', b'"wall":3')
    with pytest.raises(JournalBroken, match="record 2"):
        await recover(store, lying)


@pytest.mark.parametrize("changed", [1, 3, 6])
async def test_a_record_changed_before_the_snapshot_is_noticed(changed: int) -> None:
    """The chain of the records that a snapshot covers is checked at the start, and the changed one named."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 6)
    await taken(lying, engine, journal)
    store.flip(changed, b'"wall":', b'"wall":1')
    with pytest.raises(JournalBroken) as caught:
        await recover(store, lying)
    assert caught.value.first_bad == changed


async def test_a_hole_before_the_snapshot_is_noticed() -> None:
    """A record that was taken out before the snapshot's is named."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 6)
    await taken(lying, engine, journal)
    del store.rows[4]
    with pytest.raises(JournalBroken, match="hole") as caught:
        await recover(store, lying)
    assert caught.value.first_bad == 5


async def test_so_many_records_are_left_to_the_archivist() -> None:
    """More records before the snapshot than a start has time for are not checked by it."""
    store = DocStore()
    engine, journal = await begun(store)
    await toggled(engine, journal, 6)
    store.flip(3, b'"wall":', b'"wall":1')
    await check_before(store, journal.position, records_max=5)
    with pytest.raises(JournalBroken):
        await check_before(store, journal.position, records_max=50)


async def test_a_journal_cut_behind_its_last_id_is_refused() -> None:
    """Where the stream remembers a later record than it holds, its end was deleted."""
    store = DocStore()
    engine, journal = await begun(store)
    await toggled(engine, journal, 2)
    store.generated = "1-9"
    with pytest.raises(JournalBroken, match="once held 1-9") as caught:
        await recover(store)
    assert caught.value.first_bad == 5


async def test_a_journal_that_is_gone_is_refused() -> None:
    """An empty store beside an archive is no first start."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    await toggled(engine, journal, 2)
    await archived(store, lying, 4)
    assert store.rows == []
    with pytest.raises(JournalBroken, match="is gone: 4 records"):
        await recover(store, lying)


class TestWitness:
    """What a node has seen outlives the store's journal."""

    async def test_a_first_start_has_nothing_to_miss(self, tmp_path: Path) -> None:
        """Without a journal and without a witness, recovery gives an empty engine."""
        store = DocStore()
        engine, journal = await recover(store, shelf(), witness=Witness(tmp_path, store))
        assert (engine.state.n, journal.n) == (0, 0)

    async def test_a_cut_tail_is_told_with_what_is_lost(self, tmp_path: Path) -> None:
        """A journal that ends before the last record a node saw is refused, with the number of records lost."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 5)
        await Witness(tmp_path, store).note(journal.position, leading=False)
        del store.rows[3:]
        with pytest.raises(JournalBroken, match="ends at 3: 4 records are lost") as caught:
            await recover(store, witness=Witness(tmp_path, store))
        assert caught.value.first_bad == 4

    async def test_a_witness_that_is_behind_is_fine(self, tmp_path: Path) -> None:
        """Records appended after the witness was written, as before a kill, are no loss."""
        store = DocStore()
        engine, journal = await begun(store)
        await Witness(tmp_path, store).note(journal.position, leading=True)
        await toggled(engine, journal, 5)
        _, at = await recover(store, witness=Witness(tmp_path, store))
        assert at.n == 7

    async def test_another_record_in_its_place_is_a_loss(self, tmp_path: Path) -> None:
        """A journal that went on from before the witnessed record, with others, is refused."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 3)
        await Witness(tmp_path, store).note(journal.position, leading=False)
        del store.rows[3:]
        engine, journal = await recover(store)
        await toggled(engine, journal, 4)
        with pytest.raises(JournalBroken, match="has another in its place"):
            await recover(store, witness=Witness(tmp_path, store))

    async def test_a_deleted_journal_is_told_by_the_document_beside_it(self, tmp_path: Path) -> None:
        """On a new node, whose folder is empty, what the leader noted in the store shows that a journal was there."""
        store = DocStore()
        _, journal = await begun(store)
        (tmp_path / "old").mkdir()
        await Witness(tmp_path / "old", store).note(journal.position, leading=True)
        store.rows.clear()
        with pytest.raises(JournalBroken, match="ends at 0: 2 records are lost"):
            await recover(store, witness=Witness(tmp_path, store))

    async def test_one_that_cannot_be_read_witnesses_nothing(self, tmp_path: Path) -> None:
        """A torn file does not keep a node from starting."""
        (tmp_path / "witness.json").write_bytes(b'["n":')
        assert Witness(tmp_path, DocStore()).last == Seen()

    async def test_an_accepted_loss_is_gone_on_over(self, tmp_path: Path) -> None:
        """After the fence that an admin had written, what was lost before is not missed again; a later loss is."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 5)
        await Witness(tmp_path, store).note(journal.position, leading=True)
        del store.rows[3:]
        engine, journal = await recover(store)
        await journal.fence(engine, node="n1", at=99, wall=99, loss=LossAccepted(after=3, seen=7))
        again, at = await recover(store, witness=Witness(tmp_path, store))
        assert again.state_hash() == engine.state_hash()
        assert [n for n, _ in at.losses] == [4]
        await toggled(engine, journal, 5)
        await Witness(tmp_path, store).note(journal.position, leading=True)
        del store.rows[6:]
        with pytest.raises(JournalBroken, match="ends at 6: 3 records are lost"):
            await recover(store, witness=Witness(tmp_path, store))

    async def test_what_stands_after_a_changed_record_can_be_left(self) -> None:
        """A fence that names the last sound record as the one before it is gone on from, over what stands between."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 1)
        good, state = journal.position, engine
        await toggled(engine, journal, 3)
        store.flip(4, b'"wall":', b'"wall":1')
        sound, _ = await recover(_first(store, 3))
        resumed = Journal(store, good)
        resumed.last_id = store.rows[-1][0]
        loss = LossAccepted(after=3, seen=6)
        await resumed.fence(sound, node="n1", at=99, wall=99, loss=loss, epoch=5)
        recovered, at = await recover(store)
        assert recovered.state_hash() == sound.state_hash() != state.state_hash()
        assert (at.n, at.last_id) == (4, "5-0")


def _first(store: DocStore, records: int) -> DocStore:
    """The beginning of a journal."""
    part = DocStore()
    part.rows = store.rows[:records]
    return part


class TestEngineVersions:
    """Only what this engine decided is replayed; an upgrade goes on from the older one's last snapshot."""

    async def test_records_of_an_older_engine_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tail of an older engine is not replayed; the message says what to do."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 1)
        monkeypatch.setattr(journal_module, "ENGINE", ENGINE + 1)
        with pytest.raises(OtherEngine, match="stop it in order") as caught:
            await recover(store)
        assert caught.value.first_bad == 1

    async def test_records_of_a_newer_engine_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A journal that a newer usherd wrote asks for the newer usherd."""
        store = DocStore()
        await begun(store)
        monkeypatch.setattr(journal_module, "ENGINE", ENGINE - 1)
        with pytest.raises(OtherEngine, match="start the newer usherd"):
            await recover(store)

    async def test_an_upgrade_goes_on_from_the_last_snapshot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A newer engine starts from the snapshot that the older one left at its last record; not over a tail of it."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 3)
        await taken(lying, engine, journal, checked=False)
        monkeypatch.setattr(journal_module, "ENGINE", ENGINE + 1)
        recovered, at = await recover(store, lying)
        assert recovered.state_hash() == engine.state_hash()
        assert at.n == 5
        monkeypatch.undo()
        await toggled(engine, journal, 1)
        monkeypatch.setattr(journal_module, "ENGINE", ENGINE + 1)
        with pytest.raises(OtherEngine) as caught:
            await recover(store, lying)
        assert caught.value.first_bad == 6
