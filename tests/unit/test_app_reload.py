"""An edited folder comes into force when it has had the rehearsal that the workspace in force demands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from router.app.in_force import Proposal
from router.app.proposed import REFUSALS, STALE, UNREHEARSED
from router.app.reload import Noted, Reloader
from router.core.errors import ConfigError, StoreUnavailable
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
    """A daemon as reloading knows it. `away`, `silent`: so many proposals, or questions, fail for want of the store."""

    def __init__(self, folder: Path, *, demanded: bool = True) -> None:
        self.loaded = load(folder)
        self.store = Documents()
        self.demanded = demanded
        self.proposed: list[str] = []
        self.bases: list[str] = []
        self.asked = 0
        self.away = 0
        self.silent = 0
        self.first = True
        self.noted = Noted(folder.parent)

    async def base(self) -> str:
        """What is in force."""
        if self.silent:
            self.silent -= 1
            raise StoreUnavailable("no answer")
        return self.loaded.version

    async def propose(self, proposal: Proposal) -> None:
        """Note what is to be in force, and go by it, as the engine does."""
        self.bases.append(proposal.base)
        if self.away:
            self.away -= 1
            raise StoreUnavailable("no answer")
        if proposal.base != self.loaded.version:
            raise ConfigError(REFUSALS[STALE], code=STALE)
        self.proposed.append(proposal.loaded.version)
        self.loaded, self.demanded = proposal.loaded, proposal.loaded.config.require_rehearsal

    async def needs_rehearsal(self, version: str) -> bool:
        """As the daemon: what is in force decides."""
        self.asked += 1
        return self.demanded and not await was_rehearsed(self.store, version)

    def decides(self) -> bool:
        """Whether it has met no other."""
        return self.first


@asynccontextmanager
async def watching(house: House, began: Loaded | None = None) -> AsyncIterator[Reloader]:
    """A reloader that runs; `began`: what the folder holds, if that is not what is in force."""
    reloader = Reloader(house, began or house.loaded, house.noted)
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
        assert reloader.problems() == [f"the edited workspace is not in force: {REFUSALS[UNREHEARSED]}"]
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


async def test_an_edit_that_the_store_did_not_take_is_tried_again(folder: Path) -> None:
    """It is proposed until it is known to be in force, each time in the place of what it was made from."""
    house = House(folder, demanded=False)
    began = house.loaded.version
    house.away, house.silent = 2, 1
    async with watching(house) as reloader:
        version = edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        await until(lambda: house.proposed == [version])
        await until(lambda: not reloader.problems())
    assert house.bases == [began] * 3


async def test_what_came_into_force_meanwhile_is_not_replaced(folder: Path) -> None:
    """While an edit waits another node's comes into force: it is refused once, and goes in when written once more."""
    house = House(folder, demanded=False)
    house.away = 1
    async with watching(house) as reloader:
        edit(folder, "billing: 4", "billing: 3")
        await until(reloader.problems)
        house.loaded = other = load(write_workspace(folder.parent / "other", extra="timezone: Europe/Madrid\n"))
        await until(lambda: any(REFUSALS[STALE] in one for one in reloader.problems()))
        await asyncio.sleep(3)  # the folder is read once more for certainty, and that is no edit
        assert house.loaded is other
        house.loaded = load(folder)  # the other node comes to the same
        assert reloader.problems() == []
        house.loaded = other
        (folder / "workspace.yaml").touch()
        await until(lambda: house.loaded is not other)
        await until(lambda: not reloader.problems())


async def test_a_folder_that_is_behind_is_never_proposed(folder: Path) -> None:
    """Another node's edit is in force: the folder here is said to differ and stays out, also after a restart."""
    house = House(folder, demanded=False)
    async with watching(house) as reloader:
        await until(lambda: not house.noted.edited(house.loaded.version))
        house.loaded = other = load(write_workspace(folder.parent / "other", extra="timezone: Europe/Madrid\n"))
        await until(reloader.problems)
        await asyncio.sleep(0.3)
    house.noted = Noted(folder.parent)
    async with watching(house, load(folder)) as reloader:
        await until(reloader.problems)
        await asyncio.sleep(0.3)
    assert (house.proposed, house.loaded) == ([], other)


async def test_a_folder_edited_before_the_start_counts_where_no_other_node_was_met(folder: Path) -> None:
    """It stays out, and is said to differ, while others may be there; once that is known not to be so it is brought."""
    house = House(folder, demanded=False)
    house.first = False
    version = edit(folder, "billing: 4", "billing: 3")
    async with watching(house, load(folder)) as reloader:
        await until(reloader.problems)
        await asyncio.sleep(0.3)
        assert house.proposed == []
        house.first = True
        await until(lambda: house.proposed == [version])
        await until(lambda: not reloader.problems())


async def test_a_second_rehearsal_counts_for_a_week_of_its_own() -> None:
    """The note is made anew each time, with seven days to live."""
    store = Documents()
    await note_rehearsed(store, "v", 1)
    await note_rehearsed(store, "v", 2)
    assert store.docs == {"rehearsed:v": b"2"}
    assert store.kept == {"rehearsed:v": REHEARSED_MS}
    assert await was_rehearsed(store, "v")
    assert not await was_rehearsed(store, "w")
