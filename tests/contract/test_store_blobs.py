"""Large values beside the store: the same for a folder and for objects in S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from router.core.errors import ConfigError, Fenced, StoreUnavailable
from router.core.ports import Appended
from router.shell.store import Store
from router.shell.store.commands import INLINE_BYTES_MAX
from router.shell.store.files import BlobFolder, BlobPlace
from router.shell.store.objects import BlobObjects
from router.shell.store.orphans import Orphans
from tests.support.buckets import Bucket, bucket
from tests.support.stores import entry, opened, running

LARGE = b"x" * (INLINE_BYTES_MAX + 1)


@pytest.fixture(scope="module")
def s3() -> Iterator[Bucket]:
    """A server that speaks S3, for all tests here."""
    with bucket() as found:
        yield found


@pytest.fixture(params=["folder", "s3"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> BlobPlace:
    """A place of each kind, empty."""
    if request.param == "folder":
        return BlobFolder(tmp_path / "files")
    found: Bucket = request.getfixturevalue("s3")
    place = msgspec.structs.replace(found.place, url=f"{found.place.url}/{tmp_path.name}")
    return await BlobObjects.at(place, "acme")


@asynccontextmanager
async def over(data: Path, files: BlobPlace) -> AsyncIterator[Store]:
    """An embedded store whose large values lie there."""
    async with running(data) as embedded:
        store = await Store.open(embedded.socket, "acme", blobs=files, user=embedded.user, password=embedded.password)
        try:
            yield store
        finally:
            await store.close()


@pytest.fixture
async def store(tmp_path: Path, files: BlobPlace) -> AsyncIterator[Store]:
    """A store over each place."""
    async with over(tmp_path, files) as found:
        yield found


class Down(BlobFolder):
    """A folder that can be switched off, as S3 can be."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.down = False

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("it does not answer")

    async def write(self, prefix: str, value: bytes) -> str:
        """As the folder does, or not."""
        self._check()
        return await super().write(prefix, value)

    async def read(self, name: str) -> bytes | None:
        """As the folder does, or not."""
        self._check()
        return await super().read(name)

    async def delete(self, names: list[str]) -> None:
        """As the folder does, or not."""
        self._check()
        await super().delete(names)


async def test_values_are_written_read_listed_and_deleted(files: BlobPlace) -> None:
    """Each writing has a name of its own; what is not there reads as None; deleting twice is fine."""
    one, two, other = (
        await files.write("inbox", b"1"),
        await files.write("inbox", b"2"),
        await files.write("blob-a", b""),
    )
    assert (await files.read(one), await files.read(two), await files.read(other)) == (b"1", b"2", b"")
    assert sorted(await files.names("inbox-")) == sorted([one, two])
    assert await files.names("blob-") == [other]
    await files.delete([one, one, "inbox-0"])
    assert (await files.read(one), await files.names("inbox-")) == (None, [two])


@pytest.mark.parametrize("name", ["../files/x", "/etc/hostname", ".hidden"])
async def test_a_name_that_leaves_the_place_is_no_name(files: BlobPlace, name: str) -> None:
    """What the store says of a value's name cannot reach other files."""
    assert await files.read(name) is None


async def test_a_large_entry_lies_beside_the_store_until_it_is_deleted(store: Store, files: BlobPlace) -> None:
    """Raw bytes over 256 kB are a value there; a duplicate leaves none; deleting the entry deletes it."""
    (first,) = await store.inbox_append([entry("a", raw=LARGE)])
    assert await store.inbox_append([entry("a", raw=LARGE)]) == [Appended(first.id, duplicate=True)]
    assert len(await files.names("")) == 1
    (item,) = await store.inbox_read("0-0", 10)
    assert item.raw == LARGE
    assert not item.path or Path(item.path).read_bytes() == LARGE
    await store.inbox_delete([first.id])
    assert await files.names("") == []


async def test_an_entry_whose_value_is_gone_is_lost_and_not_in_the_way(store: Store, files: BlobPlace) -> None:
    """A missing value marks its entry; the entries behind it are read."""
    await store.inbox_append([entry("a", raw=LARGE), entry("b")])
    await files.delete(await files.names(""))
    assert [(item.lost, item.raw) for item in await store.inbox_read("0-0", 10)] == [(True, b""), (False, b"hello")]


async def test_small_and_large_come_back(store: Store, files: BlobPlace) -> None:
    """Both kinds are read back, replaced and deleted under their names; missing ones are left out."""
    await store.blobs_put({"s/1": b"", "l/1": LARGE})
    assert await store.blobs_get(["s/1", "l/1", "no"]) == {"s/1": b"", "l/1": LARGE}
    assert len(await files.names("")) == 1
    await store.blobs_delete(["s/1", "l/1", "no"])
    assert await store.blobs_get(["s/1", "l/1"]) == {}
    assert await files.names("") == []


async def test_a_fenced_batch_cannot_touch_the_value_of_a_valid_one(store: Store) -> None:
    """A stale leader's large blob of the same name leaves the one that was journaled as it is."""
    await store.journal_append("0-0", [("2-0", b"r")], {"m1": LARGE})
    with pytest.raises(Fenced):
        await store.journal_append("0-0", [("1-0", b"r")], {"m1": LARGE + b"stale"})
    assert await store.blobs_get(["m1"]) == {"m1": LARGE}


async def test_only_orphans_are_swept(store: Store, files: BlobPlace) -> None:
    """Values that an entry or a blob refers to stay; what lost replies and crashes left goes."""
    await store.inbox_append([entry("a", raw=LARGE)])
    await store.blobs_put({"m/1": LARGE})
    kept = sorted(await files.names(""))
    await store.blobs_put({"m/2": LARGE})
    (orphan,) = set(await files.names("")) - set(kept)
    await store.blobs_put({"m/2": b"small now"})
    await files.write("inbox", b"")
    await files.write("blob-gone", b"")
    assert await store.sweep_files() == 0
    assert await store.sweep_files(0.0) == 3
    assert sorted(await files.names("")) == kept
    assert orphan not in kept
    assert await store.sweep_files(0.0) == 0


async def test_a_file_that_was_never_finished_is_swept(tmp_path: Path) -> None:
    """A crash in the middle of writing leaves a part under another name; that goes too."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    (folder / "inbox-0123.partial").write_bytes(b"")
    async with opened(tmp_path) as store:
        assert await store.sweep_files(0.0) == 1
    assert list(folder.iterdir()) == []


def test_no_jump_of_a_clock_makes_an_orphan() -> None:
    """How long nothing has referred to a value is told by a clock that nobody sets, from when it was first seen."""
    now = 0.0
    orphans = Orphans(lambda: now)
    assert orphans.ripe(["a"], 3_600.0) == []
    now = 3_599.0
    assert orphans.ripe(["a", "b"], 3_600.0) == []
    now = 3_600.0
    assert orphans.ripe(["a", "b"], 3_600.0) == ["a"]
    now = 7_200.0
    assert orphans.ripe(["a"], 3_600.0) == ["a"]  # not deleted, for want of an answer: it is tried again
    assert orphans.ripe(["b"], 3_600.0) == []  # referred to in between, or so it seemed: it begins anew


async def test_a_place_that_is_down_refuses_large_messages_and_no_others(tmp_path: Path) -> None:
    """The caller of a large message hears that it is not stored; a small one in the same round trip is."""
    place = Down(tmp_path / "files")
    async with over(tmp_path, place) as store:
        place.down = True
        refused, kept = await store.inbox_append_many([([entry("a", raw=LARGE)], "keep"), ([entry("b")], "keep")])
        assert isinstance(refused, StoreUnavailable)
        assert isinstance(kept, list)
        with pytest.raises(StoreUnavailable):
            await store.blobs_put({"m1": LARGE})
        place.down = False
        (stored,) = await store.inbox_append([entry("a", raw=LARGE)])
        assert not stored.duplicate


async def test_a_place_that_is_down_does_not_stop_the_journal(tmp_path: Path) -> None:
    """A journaled blob up to a megabyte goes into the store then; a larger one waits for the place."""
    place = Down(tmp_path / "files")
    async with over(tmp_path, place) as store:
        place.down = True
        await store.journal_append("0-0", [("1-0", b"r")], {"m1": LARGE})
        with pytest.raises(StoreUnavailable):
            await store.journal_append("1-0", [("1-1", b"r")], {"m2": b"x" * (1 << 21)})
        assert await store.blobs_get(["m1"]) == {"m1": LARGE}
        assert await store.journal_last() == "1-0"


async def test_a_done_entry_is_deleted_whether_its_value_can_be_or_not(tmp_path: Path) -> None:
    """What a place that is down keeps of it is swept up later."""
    place = Down(tmp_path / "files")
    async with over(tmp_path, place) as store:
        (large,) = await store.inbox_append([entry("a", raw=LARGE)])
        await store.inbox_read("0-0", 10)
        place.down = True
        await store.inbox_delete([large.id])
        assert await store.inbox_length() == 0
        place.down = False
        assert await store.sweep_files(0.0) == 1


async def test_s3_that_does_not_answer_is_a_problem_until_it_does() -> None:
    """A request that fails is StoreUnavailable and stands in `usherd status`; the next that succeeds clears it."""
    with bucket() as found:
        files = await BlobObjects.at(found.place, "acme")
        assert files.problems() == []
        found.stop()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await files.write("inbox", b"1")
        (problem,) = files.problems()
        assert problem.startswith(f"{found.place.url}/acme does not answer")
        assert "large mails are refused" in problem
        with pytest.raises(ConfigError, match="does not answer") as refused:
            await BlobObjects.at(found.place, "acme")
        assert "`blobs`" in (refused.value.hint or "")
        found.start()
        name = await files.write("inbox", b"1")
        assert (await files.read(name), files.problems()) == (b"1", [])
