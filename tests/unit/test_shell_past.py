"""What is long ago is read from where it begins, in archive and store; nothing of the span is passed over."""

from __future__ import annotations

from obstore.store import MemoryStore as Objects

from router.shell.archive import Archive
from router.shell.past import since
from router.shell.records import at_of
from router.shell.shelf import Shelf
from tests.support.journals import DocStore, archived, begun, damaged, toggled
from tests.support.shell_scene import Stage


async def test_what_is_older_is_passed_over() -> None:
    """Records are read from an instant on; one that cannot be read at all hides nothing."""
    stage = Stage()
    async with stage.leading():
        await stage.holding()
        rows, journal = stage.store.rows, stage.leader.journal
        found = [record.n async for record in since(stage.store, None, journal, 0)]
        assert found == list(range(1, len(rows) + 1))
        last = at_of(rows[-1][1])
        assert [record.n async for record in since(stage.store, None, journal, last + 1)] == []
        rows.append(("9-9", b"not a record"))
        assert [record.n async for record in since(stage.store, None, journal, last)][-1] == found[-1]


class Read(Shelf):
    """A shelf that notes what is fetched from it."""

    def __init__(self) -> None:
        super().__init__(Objects())
        self.fetched: list[str] = []

    async def get(self, name: str) -> bytes | None:
        """The object."""
        self.fetched.append(name)
        return await super().get(name)


async def test_segments_that_are_older_are_not_read() -> None:
    """From any instant on each record comes once; a recent one is found in the store, or in few of many segments."""
    store, lying = DocStore(), Read()
    engine, journal = await begun(store)
    await toggled(engine, journal, 30)
    await journal.fence(engine, node="n2", at=10 + engine.state.n, wall=100)
    await toggled(engine, journal, 38)
    rows = list(store.rows)
    await archived(store, lying, *range(2, 65, 2))
    for start, (_, raw) in enumerate(rows):
        lying.fetched.clear()
        found = [record.n async for record in since(store, lying, journal, at_of(raw))]
        assert found == list(range(start + 1, len(rows) + 1))
        if start > 65:
            assert lying.fetched == []
        else:
            needed = (65 - start) // 2 + 1
            assert len(lying.fetched) <= needed + 6


async def test_overlapping_and_damaged_segments_hide_nothing() -> None:
    """Two nodes that archived at once left segments that overlap; of a damaged one nobody knows how old it is."""
    store, lying = DocStore(), Read()
    engine, journal = await begun(store)
    await toggled(engine, journal, 18)
    rows = list(store.rows)
    archive = Archive(lying)
    for first, last in ((0, 6), (3, 8), (0, 9), (9, 14)):
        await archive.put(rows[first:last], last)
    store.rows = rows[14:]
    for start, (_, raw) in enumerate(rows):
        found = [record.n async for record in since(store, lying, journal, at_of(raw))]
        assert found == list(range(start + 1, len(rows) + 1))
    name = (await archive.segments())[-1].name
    await damaged(lying, name)
    assert await Archive(lying).before(at_of(rows[-1][1])) == rows[8][0]
    await lying.delete([name])
    assert await archive.before(at_of(rows[-1][1])) == rows[8][0]
