"""An edited folder comes into force when it has had the rehearsal that the workspace in force demands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from router.app.reload import UNREHEARSED, Reloader
from router.core.errors import StoreUnavailable
from router.shell.rehearsed import REHEARSED_MS, note_rehearsed, was_rehearsed
from skills.workspace import Loaded, load
from tests.support.daemons import write_workspace

GUARD_SECONDS = 60


class Documents:
    """Small documents in memory, with the time they are kept. `down`: the store does not answer."""

    def __init__(self) -> None:
        self.docs: dict[str, bytes] = {}
        self.kept: dict[str, int | None] = {}
        self.down = False

    async def doc_get(self, name: str) -> bytes | None:
        """A document, or None."""
        if self.down:
            raise StoreUnavailable("no answer")
        return self.docs.get(name)

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int | None = None) -> bool:
        """Keep a document, unless there is one."""
        if name in self.docs:
            return False
        self.docs[name], self.kept[name] = value, ttl_ms
        return True

    async def doc_delete(self, name: str) -> bool:
        """Forget a document."""
        return self.docs.pop(name, None) is not None


class House:
    """A daemon as reloading knows it."""

    def __init__(self, folder: Path, *, demanded: bool = True) -> None:
        self.loaded = load(folder)
        self.store = Documents()
        self.demanded = demanded
        self.proposed: list[str] = []
        self.asked = 0

    async def propose(self, loaded: Loaded) -> None:
        """Note what is to be in force, and go by it."""
        self.proposed.append(loaded.version)
        self.loaded, self.demanded = loaded, loaded.config.require_rehearsal

    async def needs_rehearsal(self, version: str) -> bool:
        """As the daemon: what is in force decides."""
        self.asked += 1
        return self.demanded and not await was_rehearsed(self.store, version)

    def decides(self) -> bool:
        """It is the only one."""
        return True


@asynccontextmanager
async def watching(house: House) -> AsyncIterator[Reloader]:
    """A reloader that runs."""
    reloader = Reloader(house, house.loaded)
    task = asyncio.create_task(reloader.run())
    try:
        yield reloader
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], object]) -> None:
    """Wait for it; fails rather than hangs."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not true():
            await asyncio.sleep(0.01)


def edit(folder: Path, old: str, new: str) -> str:
    """Replace a piece of the workspace; gives the version that makes."""
    path = folder / "workspace.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return load(folder).version


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace that demands rehearsals."""
    return write_workspace(tmp_path / "config", extra="require_rehearsal: true\n")


async def test_an_edit_waits_for_its_rehearsal_and_needs_no_other_edit(folder: Path) -> None:
    """Without a rehearsal nothing is proposed and the remedy is told; once there is one, it comes into force."""
    house = House(folder)
    async with watching(house) as reloader:
        version = edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        assert reloader.problems() == [f"the edited workspace is not in force: {UNREHEARSED}"]
        looks = house.asked
        await until(lambda: house.asked > looks + 1)
        assert house.proposed == []
        await note_rehearsed(house.store, version, 1)
        await until(lambda: house.proposed)
        assert house.proposed == [version]
        await until(lambda: reloader.problems() == [])


async def test_another_version_is_not_what_was_rehearsed(folder: Path) -> None:
    """A rehearsal of one edit does not let the next one in."""
    house = House(folder)
    async with watching(house) as reloader:
        await note_rehearsed(house.store, house.loaded.version, 1)
        edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        assert house.proposed == []


async def test_turning_it_off_is_a_change_too(folder: Path) -> None:
    """The key's removal waits for its rehearsal; the change after it waits for none."""
    house = House(folder)
    async with watching(house) as reloader:
        without = edit(folder, "require_rehearsal: true", "require_rehearsal: false")
        await until(reloader.problems)
        await note_rehearsed(house.store, without, 1)
        await until(lambda: house.proposed == [without])
        later = edit(folder, "billing: 4", "billing: 3")
        await until(lambda: house.proposed == [without, later])


async def test_back_to_what_is_in_force_is_no_problem(folder: Path) -> None:
    """An edit that is undone leaves nothing to rehearse, and nothing to say."""
    house = House(folder)
    async with watching(house) as reloader:
        edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        edit(folder, "billing: 3", "billing: 4")
        await until(lambda: reloader.problems() == [])
        asked = house.asked
        await asyncio.sleep(0.3)
        assert house.asked == asked
        assert house.proposed == []


async def test_a_store_that_is_away_keeps_it_waiting(folder: Path) -> None:
    """While the store does not answer nothing comes into force; it does once the store is back."""
    house = House(folder)
    async with watching(house) as reloader:
        version = edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        house.store.down = True
        await note_rehearsed(house.store, version, 1)
        looks = house.asked
        await until(lambda: house.asked > looks + 1)
        assert house.proposed == []
        house.store.down = False
        await until(lambda: house.proposed == [version])


async def test_a_second_rehearsal_counts_for_a_week_of_its_own() -> None:
    """The note is made anew each time, with seven days to live."""
    store = Documents()
    await note_rehearsed(store, "v", 1)
    await note_rehearsed(store, "v", 2)
    assert store.docs == {"rehearsed:v": b"2"}
    assert store.kept == {"rehearsed:v": REHEARSED_MS}
    assert await was_rehearsed(store, "v")
    assert not await was_rehearsed(store, "w")
