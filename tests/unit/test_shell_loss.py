"""Going on after a loss: what it costs is said first, the furthest state is gone on from, and all can see it later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from router.core.engine import Engine
from router.core.errors import JournalBroken
from router.shell.audit import verify
from router.shell.loss import accept, assess
from router.shell.recovery import recover
from router.shell.witness import Witness
from tests.support.journals import DocStore, archived, begun, damaged, shelf, taken, toggled


class Scene:
    """A journal of twelve records with a snapshot of the seventh, as a node has seen it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.store = DocStore()
        self.lying = shelf()
        self.hashes: dict[int, str] = {}

    async def written(self) -> Scene:
        """Fill it."""
        engine, journal = await begun(self.store)
        self._note(engine)
        for _ in range(5):
            await toggled(engine, journal, 1)
            self._note(engine)
        self.snapshot = await taken(self.lying, engine, journal)
        await toggled(engine, journal, 5)
        await Witness(self.data, self.store).note(journal.position, leading=True)
        return self

    def _note(self, engine: Engine) -> None:
        self.hashes[engine.state.n] = engine.state_hash()

    @property
    def witness(self) -> Witness:
        """As a node reads it at its start."""
        return Witness(self.data, self.store)

    async def refused(self) -> None:
        """Nobody leads."""
        with pytest.raises(JournalBroken):
            await recover(self.store, self.lying, witness=self.witness)

    async def accepted(self) -> None:
        """An admin says to go on; then a node leads, writes, and is replayed."""
        damage = await assess(self.store, self.lying, self.witness)
        assert damage is not None
        await accept(self.store, self.lying, self.witness, damage, node="n1", wall=99)
        engine, journal = await recover(self.store, self.lying, witness=self.witness)
        await journal.fence(engine, node="n1", at=100, wall=100)
        await toggled(engine, journal, 3)
        again, _ = await recover(self.store, self.lying, witness=self.witness)
        assert again.state_hash() == engine.state_hash()
        assert await assess(self.store, self.lying, self.witness) is None
        verdict, _ = await verify(self.store, self.lying, witness=self.witness)
        assert (verdict.ok, verdict.problem) == (True, "")
        assert len(verdict.losses) == 1
        assert verdict.state_hash == engine.state_hash()


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    """A journal to be damaged."""
    return await Scene(tmp_path).written()


async def test_a_whole_journal_costs_nothing(scene: Scene) -> None:
    """Where nothing is gone there is nothing to accept."""
    assert await assess(scene.store, scene.lying, scene.witness) is None


async def cut_after_the_snapshot(scene: Scene) -> None:
    """The tail is gone from record 10 on."""
    del scene.store.rows[9:]


async def cut_before_the_snapshot(scene: Scene) -> None:
    """The tail is gone from record 5 on: the snapshot has more than the journal."""
    del scene.store.rows[4:]


async def delete_the_key(scene: Scene) -> None:
    """The whole journal is gone; there is a snapshot."""
    scene.store.rows.clear()


async def delete_the_key_and_the_snapshot(scene: Scene) -> None:
    """All that is left is what was witnessed."""
    scene.store.rows.clear()
    await damaged(scene.lying, scene.snapshot)


async def delete_the_trimmed_key(scene: Scene) -> None:
    """The store's part is gone; the archive has the first records."""
    await archived(scene.store, scene.lying, 4)
    scene.store.rows.clear()


async def change_after_the_snapshot(scene: Scene) -> None:
    """Record 10 was changed, so that the ones after it hang in the air."""
    scene.store.flip(10, b'"wall":', b'"wall":1')


async def change_before_the_snapshot(scene: Scene) -> None:
    """Record 3 was changed, which the snapshot covers."""
    scene.store.flip(3, b'"wall":', b'"wall":1')


async def make_unreadable(scene: Scene) -> None:
    """Record 9 is no record any more."""
    name, _ = scene.store.rows[8]
    scene.store.rows[8] = (name, b"\x00garbage")


async def take_one_out(scene: Scene) -> None:
    """Record 11 is missing."""
    del scene.store.rows[10]


async def delete_the_end_under_its_id(scene: Scene) -> None:
    """The last three were deleted; the stream still remembers the id of the last."""
    scene.store.generated = scene.store.rows[-1][0]
    del scene.store.rows[9:]


DAMAGES: dict[Callable[[Scene], Awaitable[None]], tuple[int, int, tuple[tuple[int, int], ...]]] = {
    cut_after_the_snapshot: (9, 3, ()),
    cut_before_the_snapshot: (7, 5, ((5, 7),)),
    delete_the_key: (7, 5, ((1, 7),)),
    delete_the_key_and_the_snapshot: (0, 12, ()),
    delete_the_trimmed_key: (7, 5, ((5, 7),)),
    change_after_the_snapshot: (9, 3, ()),
    change_before_the_snapshot: (12, 0, ((3, 3),)),
    make_unreadable: (8, 4, ()),
    take_one_out: (10, 2, ()),
    delete_the_end_under_its_id: (9, 3, ()),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_each_damage_is_refused_told_and_gone_on_from(
    scene: Scene, damage: Callable[[Scene], Awaitable[None]]
) -> None:
    """Nobody leads over it; what is lost is said exactly; once accepted, a node leads and all of it verifies."""
    await damage(scene)
    await scene.refused()
    found = await assess(scene.store, scene.lying, scene.witness)
    assert found is not None
    after, lost, missing = DAMAGES[damage]
    assert (found.loss.after, found.lost, found.loss.missing) == (after, lost, missing)
    await scene.accepted()


async def test_a_snapshot_of_what_was_given_up_elsewhere_is_set_aside(scene: Scene, tmp_path: Path) -> None:
    """An admin says at one node to go on; another follows, whose own shelf has a snapshot of what was lost."""
    scene.store.rows.clear()
    there, lying = Witness(tmp_path / "there", scene.store), shelf()
    (tmp_path / "there").mkdir()
    damage = await assess(scene.store, lying, there)
    assert damage is not None
    assert (damage.loss.after, damage.lost) == (0, 12)
    await scene.refused()
    await accept(scene.store, lying, there, damage, node="n2", wall=99)
    engine, journal = await recover(scene.store, lying, witness=there)
    await journal.fence(engine, node="n2", at=100, wall=100)
    here, at = await recover(scene.store, scene.lying, witness=scene.witness)
    assert (here.state_hash(), at.n) == (engine.state_hash(), 2)
    assert await scene.lying.names("set-aside")
    verdict, _ = await verify(scene.store, scene.lying, witness=scene.witness)
    assert (verdict.ok, verdict.problem) == (True, "")
