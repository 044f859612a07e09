"""Learning from the desk: when the model is trained anew, what comes into force, going back, poison."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.app import kept_models, learner, models, trainer
from router.app.kept_models import KeptModels
from router.app.learner import Learner
from router.core.decisions import EraseCustomer
from router.core.errors import Fenced
from router.core.events import ContactResolved, ContactRetagged, CustomerErased
from router.core.message import Address, Message
from router.core.state import Contact, Erasure, MessageRef, State
from router.core.transitions import ContactState
from router.core.values import WHOLE, Requirement, Topic, Workspace
from router.shell.labels import HEAD, Label, Labels
from router.shell.leader import Leader
from router.shell.workers import Models
from skills.compile import Classifier
from skills.model import WorkspaceConfig
from skills.topics import TopicModel
from skills.topics.features import TEXT_MAX, fold
from skills.topics.sounding import Handled
from skills.topics.training import Labelled
from tests.support.shell_scene import ShellStore

NIGHT = int(dt.datetime(2026, 11, 28, 3, 0, tzinfo=dt.UTC).timestamp() * 1_000)
TOPICS = {
    "refund": {"examples": [f"money back please {n}" for n in "abcdefgh"]},
    "bags": {"examples": [f"suitcase is lost {n}" for n in "abcdefgh"]},
}


class Scene:
    """A learner with a store in memory, a leader that stands still, and a trainer in this very process."""

    def __init__(self, folder: Path, **wish: Any) -> None:
        self.store = ShellStore()
        self.config = WorkspaceConfig.model_validate({"workspace": "w", "topics": TOPICS, "topic_model": wish})
        self.state = State(workspace=Workspace(name="w", topics={n: Topic(id=n, effort=1) for n in TOPICS}))
        self.leading = True
        self.now = NIGHT + 3_600_000
        self.forced: list[str] = []
        self.texts: dict[str, str] = {}
        self.folder = folder
        self.learner = self.node()

    def node(self) -> Learner:
        """Another node's learner, on the same store."""
        return Learner(
            store=self.store,
            bodies=self,
            leader=cast("Leader", self),
            forced=self,
            data=self.folder,
            now=lambda: self.now,
        )

    async def settled(self) -> State:
        """The state."""
        return self.state

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Those that are not erased."""
        found = {name: self.texts[name] for name in ids if name in self.texts}
        return {name: Message(channel="http", from_=Address(address=""), text=text) for name, text in found.items()}

    async def put_in_force(self, found: Models, classifier: Classifier) -> None:
        """What the daemon would do."""
        self.forced.append(classifier.model)

    def say(self, text: str, *topics: str) -> None:
        """An agent says what a new contact is about."""
        name = f"c{len(self.state.contacts) + 1}"
        ref = MessageRef(id=f"{name}-0", direction="in", at=1)
        self.texts[ref.id] = text
        self.state.contacts[name] = Contact(
            id=name, customer="k", participants=[], channel="http", kind="email", account="",
            state=ContactState.ASSIGNED, opened_at=1, waiting_since=None, requirement=Requirement(),
            topics=tuple((topic, WHOLE) for topic in topics), topics_set=True, messages=[ref],
        )  # fmt: skip
        event = ContactRetagged(at=1, agent="ana", contact=name, topics=topics)
        self.hear(event)

    def took(self, text: str, ms: int) -> None:
        """A contact is resolved after so long; nobody said what it is about."""
        name = f"c{len(self.state.contacts) + 1}"
        ref = MessageRef(id=f"{name}-0", direction="in", at=1)
        self.texts[ref.id] = text
        self.state.contacts[name] = Contact(
            id=name, customer="k", participants=[], channel="http", kind="email", account="",
            state=ContactState.RESOLVED, opened_at=1, waiting_since=None, requirement=Requirement(), took=ms,
            messages=[ref],
        )  # fmt: skip
        self.hear(ContactResolved(at=1, agent="ana", contact=name))

    def hear(self, event: object, *decisions: object) -> None:
        """Something is committed."""
        draft = SimpleNamespace(event=event, decisions=decisions)
        self.learner.hearing.committed(cast("Any", [SimpleNamespace(draft=draft)]))

    async def look(self, node: Learner | None = None) -> None:
        """One look, and the training that it began."""
        node = node or self.learner
        await node.look()
        await node.learned()

    async def model(self) -> TopicModel:
        """The one in force, as any node has it."""
        path = await self.learner.kept.fetch(self.forced[-1])
        assert path is not None
        return TopicModel.load(path)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process: what the process of its own does to the machine is shown in the acceptance test."""

    async def ask(job: trainer.Job) -> trainer.Done:
        return trainer.carry_out(job)

    monkeypatch.setattr(trainer, "ask", ask)


async def begun(scene: Scene) -> str:
    """Keep the first model; gives its SHA-256."""
    await scene.look()
    assert len(scene.forced) == 1
    return scene.forced[0]


async def test_enough_labels_are_learned_from_and_fewer_wait_for_the_night(tmp_path: Path) -> None:
    """Ten labels at once are learned from; a later one waits until the clocks say three."""
    scene = Scene(tmp_path, learn_after=10)
    await begun(scene)
    for number in range(10):
        scene.say(f"parcel shipping question {number}", "bags")
    await scene.look()
    assert len(scene.forced) == 2
    assert (await scene.model()).predict("parcel shipping")[0][0] == "bags"
    scene.say("postage", "refund")
    await scene.look()
    assert len(scene.forced) == 2
    scene.now += 86_400_000
    await scene.look()
    assert len(scene.forced) == 3
    await scene.look()
    assert len(scene.forced) == 3  # nothing new since


async def test_a_worse_model_is_refused_and_not_tried_again(tmp_path: Path) -> None:
    """Labels that contradict the admin's examples change nothing; the reason is shown; the next try needs new ones."""
    scene = Scene(tmp_path, learn_after=5)
    first = await begun(scene)
    for number in range(60):
        scene.say(f"money back please {number}", "bags")
        scene.say(f"suitcase is lost {number}", "refund")
    await scene.look()
    assert scene.forced == [first]
    shown = await scene.learner.versions()
    assert "of the admin's own examples" in str(shown["refused"])
    assert shown["current"] == first
    await scene.look()
    assert scene.forced == [first]


async def test_labels_that_a_crash_swallowed_are_found_in_the_contacts(tmp_path: Path) -> None:
    """A node that begins to lead keeps what contacts say and no label does; nothing is kept twice."""
    scene = Scene(tmp_path, learn_after=0)
    await begun(scene)
    scene.say("one", "bags")
    scene.say("two", "refund")
    other = scene.node()
    await scene.look(other)
    assert other.hearing.labels.count == 2
    third = scene.node()
    await scene.look(third)
    assert third.hearing.labels.count == 2


async def test_who_is_erased_is_not_learned_from(tmp_path: Path) -> None:
    """A label whose text is gone teaches nothing; the others do."""
    scene = Scene(tmp_path, learn_after=1)
    await begun(scene)
    for number in range(6):
        scene.say(f"quokka {number}", "bags")
        scene.say(f"wombat {number}", "bags")
    scene.texts = {name: text for name, text in scene.texts.items() if "quokka" not in text}
    await scene.look()
    linear = (await scene.model()).linear
    assert linear is not None
    assert "wombat" in linear.words
    assert "quokka" not in linear.words


async def test_back_holds_and_learn_goes_on(tmp_path: Path) -> None:
    """After going back nothing is learned, however much is said; `learn` takes it up; edited topics do so too."""
    scene = Scene(tmp_path, learn_after=3)
    first = await begun(scene)
    for number in range(6):
        scene.say(f"parcel {number}", "bags")
    await scene.look()
    second = scene.forced[-1]
    scene.store.documents[learner.ASKED] = b'{"what":"back","model":"%s"}' % first.encode()
    await scene.look()
    assert scene.forced[-1] == first
    assert scene.learner.problems()
    for number in range(6):
        scene.say(f"letter {number}", "bags")
    await scene.look()
    assert scene.forced[-1] == first
    scene.store.documents[learner.ASKED] = b'{"what":"learn"}'
    await scene.look()
    assert scene.forced[-1] not in {first, second}
    assert not scene.learner.problems()
    assert learner.ASKED not in scene.store.documents


async def test_again_trains_where_nothing_new_was_said(tmp_path: Path) -> None:
    """`learn` without new labels does nothing; `learn --again` trains on what there is, and it comes into force."""
    scene = Scene(tmp_path, learn_after=3)
    await begun(scene)
    for number in range(6):
        scene.say(f"parcel {number}", "bags")
    await scene.look()
    assert len(scene.forced) == 2
    scene.texts = {name: text for name, text in scene.texts.items() if not text.endswith("5")}
    scene.store.documents[learner.ASKED] = b'{"what":"learn"}'
    await scene.look()
    assert len(scene.forced) == 2
    scene.store.documents[learner.ASKED] = b'{"what":"learn","again":true}'
    await scene.look()
    assert len(scene.forced) == 3
    await scene.look()
    assert len(scene.forced) == 3


ERASED = EraseCustomer(erasure="e1", contacts=("c1",), keys=("k",), messages=("c1-0",))


async def test_who_is_erased_is_forgotten_at_once(tmp_path: Path) -> None:
    """As soon as their words are gone the model is trained anew, and no model that learned from them is kept."""
    scene = Scene(tmp_path, learn_after=3)
    await begun(scene)
    for number in range(6):
        scene.say(f"quokka {number}" if number == 0 else f"parcel {number}", "bags")
    await scene.look()
    knows = scene.forced[-1]
    assert "quokka" in cast("Any", (await scene.model()).linear).words
    scene.state.erasing["e1"] = Erasure(at=1, keys=("k",), messages=("c1-0",))
    scene.hear(CustomerErased(at=1, erasure="e1"), ERASED)
    await scene.look()
    assert scene.forced[-1] == knows  # not before they are gone
    scene.texts.pop("c1-0")
    scene.state.erasing.clear()
    await scene.look(scene.node())  # be it on another node, which heard nothing
    assert scene.forced[-1] != knows
    scene.learner.kept = KeptModels(scene.store, scene.folder)
    linear = cast("Any", (await scene.model()).linear)
    assert "parcel" in linear.words
    assert "quokka" not in linear.words
    listed = await scene.learner.kept.look()
    assert [one.digest for one in listed.kept] == [scene.forced[-1]]
    assert not listed.forget
    assert await scene.learner.kept.fetch(knows) is None


async def test_forgetting_is_not_put_off_by_worse_labels(tmp_path: Path) -> None:
    """Where what was said since would make it worse, the rest is learned again without who is erased, and no more."""
    scene = Scene(tmp_path, learn_after=100_000)
    await begun(scene)
    for number in range(6):
        scene.say(f"quokka {number}" if number == 0 else f"parcel {number}", "bags")
    scene.store.documents[learner.ASKED] = b'{"what":"learn"}'
    await scene.look()
    for number in range(60):
        scene.say(f"money back please {number}", "bags")
        scene.say(f"suitcase is lost {number}", "refund")
    scene.texts.pop("c1-0")
    scene.hear(CustomerErased(at=1, erasure="e1"), ERASED)
    await scene.look()
    shown = cast("Any", await scene.learner.versions())["versions"]
    assert len(shown) == 1
    assert shown[0]["labels"] == 6
    assert trainer.FORGOTTEN in shown[0]["said"]
    model = await scene.model()
    assert "quokka" not in cast("Any", model.linear).words
    assert model.predict("money back please")[0][0] == "refund"


async def test_who_went_back_forgets_too_and_stays_there(tmp_path: Path) -> None:
    """An earlier model that is in force by hand is trained again of what it knew, without who is erased."""
    scene = Scene(tmp_path, learn_after=3)
    await begun(scene)
    for number in range(4):
        scene.say(f"quokka {number}" if number == 0 else f"parcel {number}", "bags")
    await scene.look()
    for number in range(4):
        scene.say(f"letter {number}", "bags")
    await scene.look()
    scene.store.documents[learner.ASKED] = b'{"what":"back","model":"%s"}' % scene.forced[-2].encode()
    await scene.look()
    scene.texts.pop("c1-0")
    scene.hear(CustomerErased(at=1, erasure="e1"), ERASED)
    await scene.look()
    linear = cast("Any", (await scene.model()).linear)
    assert ("parcel" in linear.words, "letter" in linear.words, "quokka" in linear.words) == (True, False, False)
    assert scene.learner.problems()  # still by hand


async def test_what_contacts_took_is_learned_from(tmp_path: Path) -> None:
    """Contacts that were handled teach effort, each night like labels; the list says whether it is told, or why not."""
    scene = Scene(tmp_path, learn_after=10)
    await begun(scene)
    for number in range(12):
        scene.took(f"parcel number {number}", 60_000 * (number + 1))
    await scene.look()
    assert len(scene.forced) == 2
    shown = cast("Any", await scene.learner.versions())["versions"][0]
    assert (shown["labels"], shown["handled"]) == (0, 12)
    assert shown["beside"]["effort"]["said"] == "12 contacts were handled, 200 are needed"
    await scene.look()
    assert len(scene.forced) == 2


def test_a_job_is_written_in_lots_and_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line holds more than a few hundred texts, and what is read is what was written."""
    monkeypatch.setattr(trainer, "LOT", 3)
    labelled = [Labelled(f"text {n}", ("bags",) if n % 2 else (), outright=n % 3 == 0) for n in range(10)]
    handled = [Handled(f"text {n}", "bags email", n, raised=(None, True, False)[n % 3]) for n in range(4)]
    for known in (None, [], labelled[:7]):
        job = trainer.Job(
            topics={"bags": trainer.Words(("a",), ())},
            known=known,
            labelled=labelled,
            handled=handled,
            path="p",
            nice=1,
        )
        lines = list(trainer.lines_of(job))
        assert all(line.count(b"text ") <= 3 for line in lines)
        assert trainer.read_job(io.BytesIO(b"".join(lines))) == job


async def test_who_leads_no_more_keeps_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is ready after another node began to lead neither replaces that node's list nor is used."""
    scene = Scene(tmp_path, learn_after=5)
    first = await begun(scene)
    ready = asyncio.Event()

    async def ask(job: trainer.Job) -> trainer.Done:
        await ready.wait()
        return trainer.carry_out(job)

    monkeypatch.setattr(trainer, "ask", ask)
    for number in range(5):
        scene.say(f"parcel shipping question {number}", "bags")
    await scene.learner.look()
    scene.leading = False
    new = KeptModels(scene.store, tmp_path / "of another node")
    await new.read()
    await new.update(held=True)  # there an admin went back
    ready.set()
    await scene.learner.learned()
    assert await new.look() == new.listed
    assert scene.forced == [first]


async def test_a_leader_that_was_stopped_writes_nothing_when_it_wakes(tmp_path: Path) -> None:
    """Another began meanwhile: its labels and list stand, whatever the old one has to say; later it reads them."""
    scene = Scene(tmp_path)
    await begun(scene)
    scene.say("parcel shipping question", "bags")
    await scene.learner.look()
    scene.store.rows.append(("7-0", b"the other's fence"))
    other = scene.node()
    scene.state.epoch = 7
    await scene.look(other)
    await other.kept.update(held=True)
    await other.hearing.labels.add([Label("c9", "9-0", ("refund",), outright=True)])
    scene.state.epoch = 0  # what the stopped one still thinks
    scene.say("where is my parcel", "bags")
    kept = dict(scene.store.documents)
    with pytest.raises(Fenced):
        await scene.learner.look()
    with pytest.raises(Fenced):
        await scene.learner.kept.update(held=False)
    assert scene.store.documents == kept
    scene.store.rows.append(("8-0", b"its own fence"))
    scene.state.epoch = 8
    await scene.look()
    assert scene.learner.kept.listed.held
    found = Labels(scene.store, Label, HEAD)
    await found.read()
    assert [label.contact for label in found.up_to(9)] == ["c1", "c9", "c2"]


async def test_training_ends_where_a_node_leads_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processor is not spent on what nobody will use."""
    ended, asked = asyncio.Event(), asyncio.Event()

    async def ask(job: trainer.Job) -> trainer.Done:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return trainer.carry_out(job)

    monkeypatch.setattr(trainer, "ask", ask)
    scene = Scene(tmp_path)
    scene.learner.look_seconds = 0.01
    task = asyncio.create_task(scene.learner.run())
    async with asyncio.timeout(60):
        await asked.wait()
        scene.leading = False
        await ended.wait()
    task.cancel()
    await asyncio.wait({task})


async def test_no_more_of_a_text_is_held_than_is_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 50,000 long mails the daemon and the trainer hold the beginnings, which are all that a model looks at."""
    scene = Scene(tmp_path, learn_after=1)
    await begun(scene)
    jobs: list[trainer.Job] = []

    async def ask(job: trainer.Job) -> trainer.Done:
        jobs.append(job)
        return trainer.Done(trained=False)

    monkeypatch.setattr(trainer, "ask", ask)
    scene.say("where is my suitcase " * 500, "bags")
    await scene.look()
    [label] = jobs[0].labelled
    assert len(label.text) == TEXT_MAX
    assert fold(label.text) == fold("\n" + "where is my suitcase " * 500)  # the subject is the first line


async def test_the_last_five_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest model goes, with its file; the one before the current one is told by its place."""
    monkeypatch.setattr(kept_models, "KEPT_MAX", 2)
    scene = Scene(tmp_path, learn_after=1)
    await begun(scene)
    for word in ("parcel", "letter"):
        scene.say(f"{word} {word}", "bags")
        await scene.look()
    listed = scene.learner.kept.listed
    assert [one.digest for one in listed.kept] == scene.forced[-2:]
    assert listed.before() == listed.kept[0]
    assert listed.find(scene.forced[0]) is None
    assert sorted(scene.store.blobs) == sorted(f"topics:{digest}" for digest in scene.forced[-2:])


async def test_a_kept_model_that_was_altered_is_not_used(tmp_path: Path) -> None:
    """A file that is not what its name says, or no model at all, is as if it were not kept; going back leaves all."""
    scene = Scene(tmp_path / "one", learn_after=0)
    first = await begun(scene)
    sound = scene.store.blobs[f"topics:{first}"]
    for broken in (b"", sound[:-50], sound.replace(b'"temperature": ', b'"temperature": 9'), b"\x92\xc4\x00\xc4\x00"):
        scene.store.blobs[f"topics:{first}"] = broken
        elsewhere = KeptModels(scene.store, tmp_path / "two")
        assert await elsewhere.fetch(first) is None
        assert await elsewhere.fitting(models.examples_of(scene.config)) is None
    scene.store.blobs[f"topics:{first}"] = sound
    assert await KeptModels(scene.store, tmp_path / "two").fitting(models.examples_of(scene.config)) is not None


async def test_going_back_to_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    """A model whose kept files were altered is not gone back to: the model in force stays, and whoever asked hears."""
    scene = Scene(tmp_path, learn_after=1)
    first = await begun(scene)
    scene.say("parcel parcel", "bags")
    await scene.look()
    second = scene.forced[-1]
    scene.store.blobs[f"topics:{first}"] = b"altered"
    scene.learner.look_seconds = 0.01
    running = asyncio.create_task(scene.learner.run())
    try:
        with pytest.raises(KeyError):
            await scene.learner.go_back("")
        with pytest.raises(KeyError):
            await scene.learner.go_back("no such model")
        assert scene.forced[-1] == second
        shown = await scene.learner.versions()
        assert (shown["current"], shown["held"]) == (second, False)
    finally:
        running.cancel()


async def test_a_defect_of_learning_ends_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that nobody can read is logged and looked at again; the task that the daemon waits for lives on."""
    scene = Scene(tmp_path, learn_after=1)
    await begun(scene)
    scene.learner.look_seconds = 0.01
    scene.store.documents[learner.ASKED] = b"no JSON"
    monkeypatch.setattr(learner, "RETRY_SECONDS", 0.01)
    looks = 0
    again = asyncio.Event()
    get = scene.store.doc_get

    async def doc_get(name: str) -> bytes | None:
        nonlocal looks
        looks += name == learner.ASKED
        if looks == 3:
            again.set()
        return await get(name)

    monkeypatch.setattr(scene.store, "doc_get", doc_get)
    running = asyncio.create_task(scene.learner.run())
    try:
        await again.wait()
        assert not running.done()
    finally:
        running.cancel()


def test_the_last_night_is_told_on_the_clocks_of_the_workspace() -> None:
    """Before three it is yesterday's; in another time zone three is another instant."""
    assert learner.last_night(NIGHT + 1, "03:00", "UTC") == NIGHT
    assert learner.last_night(NIGHT - 1, "03:00", "UTC") == NIGHT - 86_400_000
    assert learner.last_night(NIGHT, "04:00", "Europe/Madrid") == NIGHT


def test_old_files_leave_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest few stay, and the one in use however old."""
    monkeypatch.setattr(models, "FILES_MAX", 2)
    folder = tmp_path / "models"
    folder.mkdir()
    for number in range(5):
        for kind in ("json", "npz"):
            (folder / f"m{number}.{kind}").write_text("x")
    for number in range(5):
        os.utime(folder / f"m{number}.json", (number, number))
    models.tidy(tmp_path, folder / "m0")
    assert sorted(path.name for path in folder.glob("*.json")) == ["m0.json", "m3.json", "m4.json"]


def test_learned_models_that_are_kept_no_more_leave_at_once(tmp_path: Path) -> None:
    """Of models that were learned the used and the kept ones stay; what was trained of the workspace alone stays."""
    config = WorkspaceConfig.model_validate({"workspace": "w", "topics": TOPICS})
    models.train(config, tmp_path)
    own = models.place(config, tmp_path)
    model = TopicModel.load(own)
    for name in ("learned-a", "kept-b", "quick-c"):
        replace(model, warnings=(name,)).save(own.with_name(name))
    kept = TopicModel.load(own.with_name("kept-b")).digest
    models.tidy(tmp_path, own.with_name("quick-c"), [kept])
    assert sorted(file.stem for file in own.parent.glob("*.json")) == ["kept-b", "quick-c", own.name]
    assert models.find(tmp_path, kept) == own.with_name("kept-b")
    assert models.find(tmp_path, model.digest) == own
    assert models.find(tmp_path, "") is None
