"""What `usherd whatif` reads of a journal, what it refuses, and how it tells people what it found."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from router.app import whatif
from router.app.rehearser import Job, NotRehearsed, ask
from router.app.whatif import Rehearsed, read_recorded, rehearse
from router.cli import output, rehearsing
from router.core.engine import Engine
from router.core.errors import ConfigError
from router.core.version import ENGINE
from router.shell import journal as journal_module
from router.shell.journal import Journal, OtherEngine
from router.shell.labels import HEAD, Label, Labels
from router.shell.store.client import Store
from router.sim.difference import difference
from router.sim.rehearsal import Fate, Outcome
from skills.workspace import load
from tests.support.daemons import write_workspace
from tests.support.journals import DocStore, begun, shelf, taken, toggled
from tests.support.shell_scene import Stage, until, written

MINUTE = 60_000


def unseen(_step: str, _number: int) -> None:
    """Nobody is told."""


async def test_a_desk_is_told_why_there_was_no_rehearsal(tmp_path: Path) -> None:
    """The process of its own says in words what is wrong with the folder."""
    folder = str(tmp_path / "nowhere")
    with pytest.raises(NotRehearsed, match="nowhere"):
        await ask(Job(config=folder, new=folder, data=str(tmp_path), since_ms=1_000))


class TestReading:
    """A stretch of a journal."""

    async def test_it_begins_at_a_snapshot(self) -> None:
        """Records before the last snapshot that lies before the stretch are not needed."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 4)
        await taken(lying, engine, journal)
        gone = len(store.rows)
        begin = engine.state.at + 1
        await toggled(engine, journal, 3)
        del store.rows[:gone]
        found = await read_recorded(store, lying, begin, unseen)
        assert found.begin < found.end == engine.state.at
        assert (found.version, found.last) == (engine.state.version, engine.state.workspace)
        assert len(found.outside) == 3

    async def test_another_engines_records_are_not_replayed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """After an update it begins at the oldest snapshot of this engine; without one it is refused."""
        store, lying = DocStore(), shelf()
        engine, journal = await begun(store)
        await toggled(engine, journal, 4)
        for module in (whatif, journal_module):
            monkeypatch.setattr(module, "ENGINE", ENGINE + 1)
        with pytest.raises(OtherEngine):
            await read_recorded(store, lying, 0, unseen)
        await taken(lying, engine, journal, by=ENGINE + 1)
        found = await read_recorded(store, lying, 0, unseen)
        assert found.state.n == engine.state.n
        assert found.outside == []

    async def test_a_quiet_time_is_a_rehearsal_of_nothing(self) -> None:
        """Where nothing happened since, the record is empty and knows what is in force."""
        store = DocStore()
        engine, journal = await begun(store)
        await toggled(engine, journal, 2)
        found = await read_recorded(store, shelf(), engine.state.at + 1, unseen)
        assert (found.outside, found.version) == ([], "v1")

    async def test_a_journal_without_a_workspace_is_refused(self) -> None:
        """Before a daemon ever ran there is nothing to rehearse."""
        store = DocStore()
        await Journal(store).fence(Engine(), node="n1", at=1, wall=1)
        with pytest.raises(ConfigError, match="no workspace"):
            await read_recorded(store, shelf(), 0, unseen)

    async def test_another_workspace_is_no_version_of_this_one(self, tmp_path: Path) -> None:
        """A folder of another name is refused before anything is read."""
        config, other = write_workspace(tmp_path / "one"), write_workspace(tmp_path / "two")
        page = other / "workspace.yaml"
        page.write_text(page.read_text().replace("workspace: acme", "workspace: zenith"))
        with pytest.raises(ConfigError, match="zenith, not acme"):
            await rehearse(config, other, tmp_path / "none", since_ms=MINUTE, progress=unseen)


def outcomes() -> tuple[Outcome, Outcome]:
    """One contact that ben gets instead of ana, later; one that nobody gets any more."""
    before = Outcome(
        fates={
            "m1": Fate(0, "refund", MINUTE, agent="ana", started_at=1_000),
            "m2": Fate(0, "bags", None, agent="ana", started_at=2_000),
        },
        load={"ana": 10.0 * MINUTE, "ben": 0.0},
        end=10 * MINUTE,
    )
    after = Outcome(
        fates={
            "m1": Fate(0, "refund", MINUTE, agent="ben", started_at=2 * MINUTE),
            "m2": Fate(0, "bags", None, dead_end=True),
        },
        load={"ana": 0.0, "ben": 5.0 * MINUTE},
        end=10 * MINUTE,
    )
    after.assumed["turns that were not worked to their end: the usual effort"] = 1
    after.refused["no-offer"] = 2
    return before, after


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person reads, on both streams."""
    text = io.StringIO()
    for name in ("people", "out"):
        monkeypatch.setattr(output, name, Console(file=text, width=300, highlight=False))
    return text


def says(monkeypatch: pytest.MonkeyPatch, before: Outcome, after: Outcome, **more: Any) -> None:
    """Have the command find these."""
    found = {
        "since": "2026-03-02T00:00:00Z",
        "until": "2026-03-02T00:10:00Z",
        **difference(before, after, {"m1": "c1", "m2": "c2"}),
        "left_out": {"ContactTaken": 3},
        "reclassified": 0,
        "rehearsed": True,
        **more,
    }

    async def done(*_: object, **__: object) -> Rehearsed:
        return Rehearsed(found, before, after)

    monkeypatch.setattr(whatif, "rehearse", done)


class TestTold:
    """The command."""

    def test_a_table_names_what_is_other(self, monkeypatch: pytest.MonkeyPatch, screen: io.StringIO) -> None:
        """Waits, promises, work, moves, dead ends, and what was assumed, left out and refused stand in it."""
        says(monkeypatch, *outcomes(), reclassified=7)
        rehearsing.whatif(Path("new"))
        text = screen.getvalue()
        for part in (
            "2 contacts from", "2 contacts go to somebody else", "c1 (refund): ana → ben", "c2 (bags): ana → nobody",
            "dead end: 1 more of bags", "100.0%", "usual effort (0 now, 1 then)", "ContactTaken (3)",
            "no-offer (0 now, 2 then)", "7 messages were read again",
        ):  # fmt: skip
            assert part in text, part

    def test_no_difference_is_said_in_a_sentence(self, monkeypatch: pytest.MonkeyPatch, screen: io.StringIO) -> None:
        """The same life twice needs no table; a quiet time and a folder that is not in force are told."""
        before, _ = outcomes()
        says(monkeypatch, before, before, rehearsed=False, contacts=0)
        rehearsing.whatif(Path("new"))
        text = screen.getvalue()
        assert "Nothing would have been different." in text
        assert "not what is in force" in text
        assert "look further back with --since" in text
        assert "Minutes of work" not in text

    def test_two_pictures_are_drawn(self, monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, tmp_path: Path) -> None:
        """--plot draws waits and work as SVG files and names them."""
        says(monkeypatch, *outcomes())
        rehearsing.whatif(Path("new"), plot=tmp_path / "drawn")
        names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
        assert names == ["whatif-load.svg", "whatif-waits.svg"]
        assert all("<svg" in (tmp_path / "drawn" / name).read_text() for name in names)
        assert "whatif-waits.svg" in screen.getvalue()

    def test_a_span_that_is_none_is_refused(self) -> None:
        """--since takes a duration."""
        with pytest.raises(ConfigError, match="--since"):
            rehearsing.whatif(Path("new"), since="yesterday")


async def test_reclassifying_learns_what_agents_said(tmp_path: Path) -> None:
    """The topics are trained with the labels from desks, as the daemon does, as far as their texts are left."""
    stage = Stage()
    changed = load(write_workspace(tmp_path / "config"))
    topic = next(iter(changed.config.topics))
    async with stage.leading():
        ids = [await stage.receive(written(f"quokka number {'abcdefgh'[n]}", f"c{n}@x.example")) for n in range(8)]
        for message in ids:
            await until(partial(stage.contact_of, message))
        labels = Labels(stage.store, Label, HEAD)
        await labels.add([Label(f"c{n}", message, (topic,), outright=True) for n, message in enumerate([*ids, "gone"])])
        store = cast("Store", stage.store)
        model, classifier = await whatif.trained(store, changed, unseen)
    assert model.linear is not None
    assert "quokka" in model.linear.words
    assert model.predict("my quokka")[0][0] == topic
    assert classifier.model == model.digest
