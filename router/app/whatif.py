"""`usherd whatif`: what a journal says of the last days, lived through under the workspace in use and under a new one.

Records, bodies and snapshots are only read, whether or not a daemon runs on them; a small document in the store says
for a week which version was looked at, for `require_rehearsal`. Where the workspace in force demands rehearsals, it is
what the new one is compared with, also if the folder was edited meanwhile; else it is the folder.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from router.app import lessons, models, trainer
from router.app.shelves import shelf_of
from router.app.verify import opened
from router.core.engine import Engine
from router.core.errors import ConfigError
from router.core.events import Event, MessageReceived
from router.core.values import Workspace
from router.core.version import ENGINE
from router.shell.archive import Archive, History
from router.shell.clock import rfc3339, wall_ms
from router.shell.journal import Journal, JournalStore, OtherEngine, drive
from router.shell.labels import HEAD, HEAD_HANDLED, Label, Labels, Took
from router.shell.recovery import newest
from router.shell.rehearsed import note_rehearsed
from router.shell.shelf import Shelf
from router.shell.snapshots import Damaged, Snapshot, listed, load
from router.shell.store.client import Store
from router.shell.vault import Vault
from router.sim.difference import difference
from router.sim.recorded import Recorded, Recorder
from router.sim.rehearsal import Outcome, Rehearsal
from skills import topics
from skills.compile import Classifier, compile_workspace
from skills.workspace import Loaded
from skills.workspace import load as load_workspace

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Rehearsed:
    """What `usherd whatif` found; `before` and `after` for who wants to draw them."""

    found: dict[str, Any]
    before: Outcome
    after: Outcome


async def rehearse(
    config: Path, new: Path, data: Path, *, since_ms: int, reclassify: bool = False, progress: Progress
) -> Rehearsed:
    """Live through the last `since_ms` under the workspace in `config` and under that in `new`.

    `progress` is told of each step by name, and how far it is. Raises ConfigError, JournalBroken.
    """
    loaded, changed = load_workspace(config), load_workspace(new)
    if changed.config.workspace != loaded.config.workspace:
        raise ConfigError(
            f"{new} is the workspace {changed.config.workspace}, not {loaded.config.workspace}",
            hint="a rehearsal compares two versions of one workspace",
        )
    begin = wall_ms() - since_ms
    async with opened(loaded.config, data) as store:
        recorded = await read_recorded(store, shelf_of(loaded.config, data), begin, progress)
        classifier = Classifier.of(recorded.state.workspace)
        again, reread, learned = recorded, 0, classifier
        if reclassify:
            again, reread, learned = await _reclassified(store, recorded, changed, progress)
        version, usual = _in_use(loaded, recorded, classifier)
        before = await asyncio.to_thread(_lived, recorded, usual, progress)
        after = await asyncio.to_thread(_lived, again, _compiled(changed, recorded, learned), progress)
        if version == recorded.version:
            await note_rehearsed(store, changed.version, wall_ms())
    names = {message: contact for contact, message in recorded.opened_by.items()}
    found = {
        "since": rfc3339(recorded.begin),
        "until": rfc3339(recorded.end),
        "version": {"before": version, "after": changed.version},
        **difference(before, after, names),
        "left_out": dict(sorted(recorded.left_out.items())),
        "reclassified": reread,
        "rehearsed": version == recorded.version,
    }
    return Rehearsed(found, before, after)


def _in_use(loaded: Loaded, recorded: Recorded, classifier: Classifier) -> tuple[str, Workspace]:
    """What the new workspace is compared with, by its version: the folder's, or what is in force and demands it."""
    last = recorded.last
    if last is not None and last.require_rehearsal and recorded.version != loaded.version:
        own = {"topic_threshold": classifier.threshold, "topic_also": classifier.also, "topic_model": classifier.model}
        return recorded.version, msgspec.structs.replace(last, **own)
    return loaded.version, _compiled(loaded, recorded, classifier)


def _compiled(loaded: Loaded, recorded: Recorded, classifier: Classifier) -> Workspace:
    return compile_workspace(loaded.config, recorded.begin, classifier=classifier)


def _lived(recorded: Recorded, workspace: Workspace, progress: Progress) -> Outcome:
    return Rehearsal(recorded, workspace).run(lambda number: progress("rehearsing", number))


async def read_recorded(store: JournalStore, shelf: Shelf, begin: int, progress: Progress) -> Recorded:
    """What the journal says of the time since `begin`, or since the first record that this engine can replay."""
    history = History(store, Archive(shelf))
    base = await newest(shelf, lambda header: header.engine == ENGINE and header.wall <= begin)
    try:
        return await _recorded(history, base, begin, progress)
    except OtherEngine:
        base = await _oldest(shelf)
        if base is None:
            raise
        return await _recorded(history, base, begin, progress)


async def _oldest(shelf: Shelf) -> Snapshot | None:
    """The oldest snapshot of this engine."""
    for label in reversed(await listed(shelf)):
        try:
            snapshot = await load(shelf, label.name)
        except Damaged:
            continue
        if snapshot.header.engine == ENGINE:
            return snapshot
    return None


async def _recorded(history: History, base: Snapshot | None, begin: int, progress: Progress) -> Recorded:
    engine = Engine() if base is None else Engine(base.state)
    journal = Journal(history) if base is None else Journal(history, base.header.position)
    recorder: Recorder | None = None
    async for record in journal.read():
        if not record.n % 1_000:
            progress("reading", record.n)
        if record.engine != ENGINE:
            raise OtherEngine(record)
        if recorder is None and record.event.at >= begin and engine.state.workspace.name:
            recorder = Recorder(engine)
        if recorder is None:
            drive(engine, record)
        else:
            recorder.hear(record.event)
    if recorder is None and not engine.state.workspace.name:
        raise ConfigError("the journal holds no workspace yet", hint="start the daemon once")
    recorder = recorder or Recorder(engine)  # nothing happened: that is a rehearsal too, of nothing
    return recorder.close()


# -- other topics ------------------------------------------------------------------------------------------------------


async def _reclassified(
    store: Store, recorded: Recorded, changed: Loaded, progress: Progress
) -> tuple[Recorded, int, Classifier]:
    """The record with the topics that the new workspace's model finds; how many were read again; what it is.

    It learns from what people said, as the daemon's does. Bodies that were erased keep the topics they had.
    """
    model, classifier = await trained(store, changed, progress)
    ids = [event.message for event in _messages(recorded)]
    texts = await lessons.texts_of(Vault(store), ids, lambda number: progress("reading bodies", number))

    def renewed(event: Event) -> Event:
        if not isinstance(event, MessageReceived) or event.message not in texts:
            return event
        text = texts[event.message]
        effort, moods = model.beside.effort_of(text), model.beside.moods_of(text)
        topics = model.predict(text)
        return msgspec.structs.replace(event, topics=topics, effort=effort, moods=moods, model=model.version)

    return _replaced(recorded, renewed), len(texts), classifier


def _messages(recorded: Recorded) -> list[MessageReceived]:
    found = [event for event in recorded.outside if isinstance(event, MessageReceived)]
    for script in recorded.scripts.values():
        for turn in script.turns:
            found += [event for _, event in turn.then]
    return found


def _replaced(recorded: Recorded, renewed: Callable[[Any], Any]) -> Recorded:
    again = deepcopy(recorded)
    again.outside = [renewed(event) for event in again.outside]
    for script in again.scripts.values():
        for turn in script.turns:
            turn.then = [(after, renewed(event)) for after, event in turn.then]
    return again


async def trained(store: Store, changed: Loaded, progress: Progress) -> tuple[topics.TopicModel, Classifier]:
    """A model of the workspace's topics and of all that agents said so far. Raises StoreUnavailable."""
    progress("training topics", 0)
    labels, handled = Labels(store, Label, HEAD), Labels(store, Took, HEAD_HANDLED)
    await labels.read()
    await handled.read()
    said, took = labels.up_to(labels.count), handled.up_to(handled.count)
    job = await lessons.job(changed.config, Vault(store), known=None, said=said, took=took, nice=0)
    with tempfile.TemporaryDirectory(prefix="usherd-whatif-") as folder:
        path = Path(folder) / "topics"
        await asyncio.to_thread(trainer.carry_out, msgspec.structs.replace(job, path=str(path)))
        _, classifier = models.load(changed.config, path)
        return topics.TopicModel.load(path), classifier
