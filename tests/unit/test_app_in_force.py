"""The configuration in force: proposed until it stands or is refused, whatever comes between."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from router.app import contents as contents_module
from router.app import in_force as in_force_module
from router.app import proposed as proposed_module
from router.app.contents import Contents
from router.app.in_force import InForce, Proposal
from router.app.proposed import STALE, UNUSABLE
from router.core.errors import ConfigError, StoreUnavailable, TransientError
from router.core.events import WorkspaceChanged
from router.core.ports import Appended, InboxEntry
from router.core.values import Workspace
from router.desk.ports import Outcome
from router.shell import leader as leader_module
from router.shell.notes import Internal, internal_entry
from router.shell.workers import Models
from skills.compile import UNTRAINED, Classifier
from skills.model import WorkspaceConfig
from skills.workspace import Loaded, load
from tests.support.daemons import write_workspace
from tests.support.shell_scene import PATIENCE_SECONDS, WORKSPACE, ShellStore, Stage, until

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
    times = 0  # it was compiled

    async def _compiled(self, config: WorkspaceConfig, now: int) -> Workspace:
        self.times += 1
        workspace = await super()._compiled(config, now)
        between, self.between = self.between, None
        if between is not None:
            await between()
        return workspace


class Place:
    """A node on the stage, and an edit of its folder."""

    def __init__(self, root: Path, *, compiles: bool = False, store: ShellStore | None = None) -> None:
        """`compiles`: what comes into force at the start is the folder's, not the stage's."""
        self.root = root
        began = load(write_workspace(root / "config"))
        self.edit = load(write_workspace(root / "edited", capacity=7))
        self.stage = Stage(store, version=began.version, compile_workspace=self._compiled if compiles else None)
        self.forced = Overtaken(Home(root), self.stage.store, began, now=lambda: 0)
        self.forced.connect(self.stage.leader, self.stage.commands, self.stage.store)
        self.stage.reader.proposed = self.forced.proposed.take
        self.stage.leader.listeners.append(self.forced.committed)

    async def _compiled(self, now: int, in_force: str) -> tuple[str, Workspace]:
        return await self.forced.compile(now, in_force)

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


async def test_calendars_that_are_expanded_never_take_a_learned_model_out_of_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that comes into force while the workspace is compiled for its calendars is journaled with them."""
    place = Place(tmp_path, compiles=True)
    monkeypatch.setattr(leader_module, "HORIZON_LOOK_MS", 0)
    changed: list[str] = []
    async with place.stage.leading():
        place.forced.between = lambda: place.forced.put_in_force(Models(path="learned"), LEARNED)
        monkeypatch.setattr(leader_module, "HORIZON_MS_MIN", 1 << 62)  # they end too soon, however far they reach

        def expanded() -> bool:
            events = [one for one in place.stage.store.events(WorkspaceChanged) if isinstance(one, WorkspaceChanged)]
            changed[:] = [event.workspace.topic_model for event in events]
            return LEARNED.model in changed and changed.index(LEARNED.model) < len(changed) - 1

        await until(expanded)
        assert set(changed[changed.index(LEARNED.model) :]) == {LEARNED.model}


@pytest.mark.parametrize(
    "content", [b"", b"no zlib", zlib.compress(b"\xff{"), zlib.compress(b"[1]"), zlib.compress(b"{}")]
)
async def test_a_damaged_content_is_said_and_the_last_good_workspace_stays(place: Place, content: bytes) -> None:
    """Whatever the store holds in the place of a workspace in force, a node goes on with its own and says why."""
    stage, forced = place.stage, place.forced
    stage.store.documents[f"workspace:{place.edit.version}"] = content
    began = forced.loaded
    async with stage.leading():
        following = asyncio.create_task(forced.run())
        await stage.leader.propose(place.edit.version, WORKSPACE)
        await until(forced.problems)
        assert forced.loaded is began
        await forced.propose(Proposal(load(write_workspace(place.root / "again", capacity=9)), await forced.base()))
        await until(lambda: not forced.problems())  # it is mended by the next edit, and still followed
        assert not following.done()
        following.cancel()


async def test_a_list_of_contents_that_cannot_be_read_is_begun_anew(place: Place) -> None:
    """An edit comes into force though the document that lists the kept contents is damaged."""
    place.stage.store.documents[contents_module.LISTED] = b"\xff"
    async with place.stage.leading():
        await place.bring()
        assert place.stage.leader.engine.state.version == place.edit.version


async def test_a_mistake_while_following_ends_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What usherd itself fails on is said as a problem; what comes into force after it is followed."""
    stage, forced = place.stage, place.forced
    adopt = forced.adopt

    async def mistaken_once(version: str) -> bool:
        monkeypatch.setattr(forced, "adopt", adopt)
        raise RuntimeError("a mistake")

    monkeypatch.setattr(forced, "adopt", mistaken_once)
    async with stage.leading():
        following = asyncio.create_task(forced.run())
        await until(lambda: any("usherd failed" in problem for problem in forced.problems()))
        await place.bring()
        assert forced.loaded.version == place.edit.version
        assert not following.done()
        following.cancel()


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


async def test_an_edit_is_told_once_however_long_nobody_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who proposes while nobody leads, twice over and again, leaves one note, and the next leader compiles it once."""
    monkeypatch.setattr(in_force_module, "ANSWER_SECONDS", 0.001)
    monkeypatch.setattr(in_force_module, "RETRY_SECONDS", 0.001)
    first = Place(tmp_path / "first")
    async with first.stage.leading():
        pass
    place = Place(tmp_path, store=first.stage.store)
    stage, forced = place.stage, place.forced
    stage.store.leases["leader"] = "one that does nothing"
    tries: list[str] = []
    outcome = stage.commands.outcome

    async def noted(entry: str, *, earlier: bool = False, seconds: float | None = None) -> Outcome:
        tries.append(entry)
        return await outcome(entry, earlier=earlier, seconds=seconds)

    monkeypatch.setattr(stage.commands, "outcome", noted)
    following = asyncio.create_task(stage.leader.run())
    await stage.leader.started()
    base = await forced.base()
    proposing = [asyncio.create_task(forced.propose(Proposal(place.edit, base))) for _ in range(2)]
    await until(lambda: len(tries) >= 10)
    assert len(set(tries)) == len(stage.store.inbox) == 1
    times = forced.times
    monkeypatch.setattr(in_force_module, "ANSWER_SECONDS", PATIENCE_SECONDS)
    stage.store.leases.clear()
    await asyncio.wait_for(asyncio.gather(*proposing), PATIENCE_SECONDS)
    await until(lambda: not stage.store.inbox)
    assert await forced.base() == place.edit.version
    assert forced.times <= times + 1 + len(proposing)
    stage.leader.stop()
    await following


async def test_of_many_proposals_for_one_place_only_the_first_is_compiled(place: Place) -> None:
    """What no longer takes the place of the workspace in force is refused without being compiled."""
    stage, forced = place.stage, place.forced
    later = load(write_workspace(place.root / "later", capacity=9))
    async with stage.leading():
        base, times = await forced.base(), forced.times
        for loaded in (place.edit, later):
            await Contents(stage.store).put(loaded)
        notes = [Internal(what="workspace", message="", version=one.version, base=base) for one in (place.edit, later)]
        told = await stage.store.append([internal_entry(note) for note in notes])
        found = [await stage.commands.outcome(one.id, seconds=PATIENCE_SECONDS) for one in told]
    assert [outcome.code for outcome in found] == ["", STALE]
    assert forced.times == times + 1


async def test_what_is_told_several_times_is_compiled_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it comes to nothing: every note is answered by the one look at it."""
    stage, forced = place.stage, place.forced
    async with stage.leading():
        monkeypatch.setattr(in_force_module, "compile_workspace", mistaken)
        await Contents(stage.store).put(place.edit)
        note = Internal(what="workspace", message="", version=place.edit.version, base=await forced.base())
        times = forced.times
        told = await stage.store.append([internal_entry(note, distinct=name) for name in "abc"])
        found = [await stage.commands.outcome(one.id, seconds=PATIENCE_SECONDS) for one in told]
    assert [outcome.code for outcome in found] == [UNUSABLE] * 3
    assert forced.times == times + 1


async def test_a_proposal_is_answered_though_the_store_was_away(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A content that cannot be read for a moment is read again: who proposes it need not tell it anew."""
    monkeypatch.setattr(proposed_module, "RETRY_SECONDS", 0.001)
    stage, away = place.stage, [1, 1, 1]
    having = stage.store.doc_get

    async def get(name: str) -> bytes | None:
        if away and name.startswith("workspace:"):
            away.pop()
            raise StoreUnavailable("away")
        return await having(name)

    async with stage.leading():
        await Contents(stage.store).put(place.edit)
        monkeypatch.setattr(stage.store, "doc_get", get)
        note = Internal(what="workspace", message="", version=place.edit.version, base=await place.forced.base())
        [told] = await stage.store.append([internal_entry(note)])
        assert (await stage.commands.outcome(told.id, seconds=PATIENCE_SECONDS)).ok


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
