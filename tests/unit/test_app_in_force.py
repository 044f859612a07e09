"""The configuration in force: proposed until it stands or is refused, whatever comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from router.app import contents as contents_module
from router.app import in_force as in_force_module
from router.app.contents import Contents
from router.app.in_force import UNUSABLE, InForce, Proposal
from router.core.errors import ConfigError, StoreUnavailable, TransientError
from router.core.ports import Appended, InboxEntry
from router.core.values import Workspace
from router.shell.notes import Internal, internal_entry
from router.shell.workers import Models
from skills.compile import UNTRAINED, Classifier
from skills.model import WorkspaceConfig
from skills.workspace import Loaded, load
from tests.support.daemons import write_workspace
from tests.support.shell_scene import PATIENCE_SECONDS, WORKSPACE, Stage, until

LEARNED = Classifier(model="learned", threshold=700)


class Home:
    """A daemon that only keeps what it is told."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.models: list[Models] = []

    async def needs_rehearsal(self, version: str) -> bool:
        """Nothing does."""
        return False

    def switch(self, loaded: Loaded) -> None:
        """Nothing here depends on it."""

    async def change_models(self, found: Models) -> None:
        """Keep it."""
        self.models.append(found)


class Overtaken(InForce):
    """`between`: what happens after the next workspace is compiled, before it is journaled."""

    between: Callable[[], Awaitable[object]] | None = None

    async def _compiled(self, config: WorkspaceConfig, now: int) -> Workspace:
        workspace = await super()._compiled(config, now)
        between, self.between = self.between, None
        if between is not None:
            await between()
        return workspace


class Place:
    """A node on the stage, and an edit of its folder."""

    def __init__(self, root: Path) -> None:
        began = load(write_workspace(root / "config"))
        self.edit = load(write_workspace(root / "edited", capacity=7))
        self.stage = Stage(version=began.version)
        self.forced = Overtaken(Home(root), self.stage.store, began, now=lambda: 0)
        self.forced.connect(self.stage.leader, self.stage.commands, self.stage.store)
        self.stage.reader.proposed = self.forced.proposed
        self.stage.leader.listeners.append(self.forced.committed)

    async def bring(self) -> None:
        """Have the edit put in force."""
        await self.forced.propose(Proposal(self.edit, await self.forced.base()))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A node that has not started."""
    return Place(tmp_path)


async def test_a_model_is_put_in_force_with_the_workspace_that_is_by_then(place: Place) -> None:
    """An edit that comes into force while the workspace is compiled for a learned model is not undone by that."""
    forced = place.forced

    async def edited() -> None:
        forced.classifier = UNTRAINED  # as if it had been compiled before the model was there
        await place.bring()
        forced.classifier = LEARNED

    forced.between = edited
    async with place.stage.leading():
        with suppress(TransientError):  # then it is tried again
            await forced.put_in_force(Models(path="learned"), LEARNED)
        state = place.stage.leader.engine.state
        assert state.version == place.edit.version
        assert {agent.capacity["email"] for agent in state.workspace.agents.values()} == {7}
        await forced.put_in_force(Models(path="learned"), LEARNED)
        assert (state.version, Classifier.of(state.workspace)) == (place.edit.version, LEARNED)
        assert {agent.capacity["email"] for agent in state.workspace.agents.values()} == {7}


async def test_whoever_puts_a_model_in_force_is_told_that_it_is_not(place: Place) -> None:
    """A model whose record came too late, since another workspace was faster, can be tried again."""
    place.forced.between = lambda: place.stage.leader.propose("another", WORKSPACE)
    async with place.stage.leading():
        with pytest.raises(TransientError):
            await place.forced.put_in_force(Models(path="learned"), LEARNED)


async def test_an_edit_never_takes_a_learned_model_out_of_force(place: Place) -> None:
    """An edit that was compiled before a model was learned, and is journaled after it, comes with that model."""
    place.forced.between = lambda: place.forced.put_in_force(Models(path="learned"), LEARNED)
    async with place.stage.leading():
        await place.bring()
        state = place.stage.leader.engine.state
        assert (state.version, Classifier.of(state.workspace)) == (place.edit.version, LEARNED)


async def test_a_store_that_refuses_a_proposal_is_not_asked_without_a_pause(place: Place) -> None:
    """What could not be told to the node that leads is told again after a while, not thousands of times a second."""
    asked: list[InboxEntry] = []

    class Closed:
        async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
            await asyncio.sleep(0)
            asked.extend(entries)
            raise StoreUnavailable("refused")

    leader = place.stage.leader
    await leader.follower.begin()
    place.forced.connect(leader, place.stage.commands, Closed())
    task = asyncio.create_task(place.bring())
    await until(lambda: asked)
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    assert len(asked) == 1


def mistaken(*_: object, **__: object) -> Workspace:
    """A compiler with a mistake."""
    raise RuntimeError("a mistake in the compiler")


async def test_a_mistake_of_ours_in_a_proposed_workspace_is_said_to_who_proposed_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace on which the compiler fails is refused, at the node that leads as for another; nothing else ends."""
    stage, forced = place.stage, place.forced
    monkeypatch.setattr(in_force_module, "compile_workspace", mistaken)
    async with stage.leading():
        with pytest.raises(ConfigError, match="usherd failed"):
            await place.bring()
        note = Internal(what="workspace", message="", version=place.edit.version, base=await forced.base())
        [appended] = await stage.store.append([internal_entry(note, distinct="once more")])
        outcome = await stage.commands.outcome(appended.id, seconds=PATIENCE_SECONDS)
    assert (outcome.ok, outcome.code) == (False, UNUSABLE)


async def test_what_is_in_force_is_kept_however_many_proposals_come_to_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contents of refused versions are dropped in time, oldest first; the one in force stays for new nodes."""
    monkeypatch.setattr(contents_module, "KEPT_MAX", 3)
    contents, documents = Contents(place.stage.store), place.stage.store.documents
    await contents.put(place.edit)
    await contents.list(place.edit.version, "")
    for refused in ("r1", "r2", "r3", "r4"):
        documents[f"workspace:{refused}"] = b""
        await contents.list(refused, place.edit.version)
    assert (await contents.get(place.edit.version, place.edit)).version == place.edit.version
    assert [name for name in documents if name.startswith("workspace:r")] == ["workspace:r3", "workspace:r4"]
