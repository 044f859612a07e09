"""Snapshots and formats: bytes that prove themselves, older formats upgraded, newer ones refused in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore as Objects

from router.core.errors import ConfigError, JournalBroken, StoreUnavailable
from router.core.events import TimePassed
from router.core.state import State
from router.shell import records, snapshots
from router.shell.records import Position, Record, decode, encode, id_before
from router.shell.shelf import Place, Shelf
from router.shell.snapshots import Damaged
from tests.support.journals import DocStore, begun, shelf, taken, toggled


def made(state: State | None = None) -> bytes:
    """A snapshot's bytes."""
    state = state or State(n=3, at=9)
    header = snapshots.header_of(state, Position(n=3, id="1-2"), engine=1, node="n1", wall=5, checked=True)
    return snapshots.encode(header, state)


def test_a_snapshot_gives_back_its_state() -> None:
    """Header and state come back as they were put in, and the header names the state's hash."""
    state = State(n=3, at=9, identities={"k": "c"})
    found = snapshots.decode(made(state))
    assert found.state == state
    assert (found.header.position, found.header.checked) == (Position(n=3, id="1-2"), True)


@given(place=st.integers(0, len(made()) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(place: int, bit: int) -> None:
    """Whichever bit of a snapshot is flipped, header or state, it is said to be damaged."""
    raw = bytearray(made())
    raw[place] ^= 1 << bit
    with pytest.raises(Damaged):
        snapshots.decode(bytes(raw))


@pytest.mark.parametrize("length", [0, 1, 40, 100, -1])
def test_a_cut_snapshot_is_noticed(length: int) -> None:
    """Half a snapshot is none."""
    with pytest.raises(Damaged):
        snapshots.decode(made()[:length])


def test_an_older_state_is_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of an older format goes through one pure function for each format since."""
    old = made(State(n=3, customers_seen=4))

    def double(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "customers_seen": found["customers_seen"] * 2}

    monkeypatch.setattr(snapshots, "STATE_FORMAT", snapshots.STATE_FORMAT + 2)
    monkeypatch.setattr(snapshots, "UPGRADES", {snapshots.STATE_FORMAT - 2: double, snapshots.STATE_FORMAT - 1: double})
    assert snapshots.decode(old).state.customers_seen == 16


def test_a_newer_state_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that a newer usherd wrote is not guessed at."""
    new = made()
    monkeypatch.setattr(snapshots, "STATE_FORMAT", snapshots.STATE_FORMAT - 1)
    with pytest.raises(Damaged, match="a newer usherd wrote it"):
        snapshots.decode(new)


async def test_so_many_are_kept_and_one_of_each_engine() -> None:
    """The newest are kept, and of each other engine the last: an upgrade went on from it."""
    store, lying = DocStore(), shelf()
    engine, journal = await begun(store)
    for by in (1, 1, 2, 2, 3, 3, 3):
        await toggled(engine, journal, 1)
        await taken(lying, engine, journal, by=by)
    await snapshots.prune(lying, 2)
    assert [(label.n, label.engine) for label in await snapshots.listed(lying)] == [(9, 3), (8, 3), (6, 2), (4, 1)]


async def test_names_that_are_no_snapshots_are_left_alone() -> None:
    """Other objects in the folder are neither listed nor pruned."""
    lying = shelf()
    await lying.put("snapshots/readme.txt", b"hello")
    assert await snapshots.listed(lying) == []
    await snapshots.prune(lying, 1)
    assert await lying.get("snapshots/readme.txt") == b"hello"
    with pytest.raises(Damaged, match="gone"):
        await snapshots.load(lying, "snapshots/none")


class TestRecordFormats:
    """Records of older formats."""

    RECORD = Record(n=7, prev="0" * 64, wall=1, config="v1", inbox="5-0", event=TimePassed(at=1))

    def test_an_older_record_is_upgraded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A record whose older format cannot be read as it is goes through the function for that format."""
        old = {**msgspec.json.decode(encode(self.RECORD)), "v": records.FORMAT, "clock": 44}
        del old["wall"]

        def rename(found: dict[str, Any]) -> dict[str, Any]:
            return {**found, "wall": found["clock"]}

        monkeypatch.setattr(records, "FORMAT", records.FORMAT + 1)
        monkeypatch.setattr(records, "UPGRADES", {records.FORMAT - 1: rename})
        found = decode(msgspec.json.encode(old))
        assert (found.v, found.n, found.wall, found.event) == (records.FORMAT, 7, 44, TimePassed(at=1))

    def test_a_newer_record_is_refused(self) -> None:
        """A record of a newer format asks for the usherd that wrote it, whatever else is in it."""
        new = {**msgspec.json.decode(encode(self.RECORD)), "v": records.FORMAT + 1, "event": {"type": "Unheard"}}
        with pytest.raises(JournalBroken, match=r"record 7 has format .* start the newer") as caught:
            decode(msgspec.json.encode(new), 7)
        assert caught.value.first_bad == 7

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"v":"x"}', b'{"v":1}', b"\xff", b'{"v":0}'])
    def test_what_is_no_record_is_refused(self, raw: bytes) -> None:
        """Bytes that are no record of any format are reported with their number."""
        with pytest.raises(JournalBroken, match="record 3"):
            decode(raw, 3)

    @pytest.mark.parametrize(
        ("identifier", "before"),
        [("3-17", "3-16"), ("3-1", "3-0"), ("3-0", f"2-{2**64 - 1}")],
    )
    def test_the_id_before(self, identifier: str, before: str) -> None:
        """The greatest id before another is found, over the beginning of an epoch too."""
        assert id_before(identifier) == before


class TestShelf:
    """Where they lie."""

    async def test_a_folder_is_for_its_user_alone(self, tmp_path: Path) -> None:
        """The folder of a workspace is made with mode 0700; names come back sorted; deleting twice is fine."""
        lying = Shelf.at(Place(folder=str(tmp_path / "archive")), "acme")
        assert (tmp_path / "archive" / "acme").stat().st_mode & 0o777 == 0o700
        for name in ("a/2", "a/1", "b/1"):
            await lying.put(name, b"x")
        assert await lying.names("a") == ["a/1", "a/2"]
        await lying.delete(["a/1", "a/1"])
        assert await lying.get("a/1") is None
        assert not lying.shared

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        """Where a file is in the way, the admin is told which folder."""
        (tmp_path / "archive").write_text("in the way")
        with pytest.raises(ConfigError, match="cannot be used"):
            Shelf.at(Place(folder=str(tmp_path / "archive")), "acme")

    async def test_an_error_of_the_library_is_ours(self) -> None:
        """Whatever the library raises is said to be unavailable, without details that may hold secrets."""

        class Broken(Objects):
            def get(self, path: str) -> bytes:  # type: ignore[override]
                raise PermissionError(f"token in {path}")

        with pytest.raises(StoreUnavailable, match=r"^memory does not answer \(PermissionError\)$"):
            await Shelf(Broken()).get("x")
