"""Learning from the desk: what people said of contacts' topics is kept, and a better model is put in force.

Whoever leads keeps the labels, has the model trained anew, whole and in a process that gives way to everything else,
when enough of them are new or the night has come, and puts it in force only if it is not worse than the one before on
the same texts held out. Which model is in force stands in the journal; every node takes it from there. An admin can go
back to an earlier one; then nothing is learned until they say so.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import msgspec
import structlog

from router.app import models, trainer
from router.app.kept_models import Kept, KeptModels, Listed, ModelStore
from router.core.errors import PermanentError, RouterError, StoreUnavailable, TransientError
from router.core.events import ContactReopened, ContactResolved, ContactRetagged, ReplyWritten
from router.core.message import Message
from router.core.state import State
from router.shell.follower import Applied
from router.shell.labels import Documents, Label, Labels, label_of
from router.shell.leader import Leader
from router.shell.workers import Models, words_of
from skills.compile import Classifier
from skills.model import WorkspaceConfig
from skills.topics.features import TEXT_MAX
from skills.topics.training import Labelled

if TYPE_CHECKING:
    from router.app.daemon import Daemon

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 600.0  # after a failure
SCAN_CONTACTS = 2_000  # looked at in one go, before others have their turn
READ_TOGETHER = 64  # messages
NEW_SHARE = 20  # of what is known already: with many labels a few more are no news
RETRY_SECONDS = 1.0
ANSWER_SECONDS = 15.0
ASK_SECONDS = 0.1
NICE = 19
NICE_WAITED_FOR = 5  # the admin edited the topics and waits for it
ASKED = "topics:asked"  # a document: what an admin asks of whoever leads
HELD = "an earlier topic model is in force by hand; nothing is learned from the desk: `usherd topics learn` goes on"
TEACHES = (ContactRetagged, ContactResolved, ContactReopened, ReplyWritten)


class LearnerStore(ModelStore, Documents, Protocol):
    """What learning asks of the store."""


class Bodies(Protocol):
    """Where texts are."""

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Messages by id; erased ones are left out."""
        ...


class Forced(Protocol):
    """What this node goes by."""

    @property
    def config(self) -> WorkspaceConfig:
        """The workspace's configuration in force."""
        ...

    async def put_in_force(self, found: Models, classifier: Classifier) -> None:
        """Classify with this model, here and, by the journal, everywhere. Only for who leads."""
        ...


class NobodyLeads(TransientError):
    """What was asked of whoever leads is not done yet."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`what`: back | learn; `model`: the SHA-256 to go back to."""

    what: str
    model: str = ""


class Learner:
    """One node's part in it."""

    def __init__(
        self,
        *,
        store: LearnerStore,
        bodies: Bodies,
        leader: Leader,
        forced: Forced,
        data: Path,
        now: Callable[[], int],
    ) -> None:
        self.kept = KeptModels(store, data)
        self.labels = Labels(store)
        self.look_seconds = LOOK_SECONDS
        self._store = store
        self._bodies = bodies
        self._leader = leader
        self._forced = forced
        self._data = data
        self._now = now
        self._said: dict[str, None] = {}  # contacts of which something was said
        self._began = False
        self._woken = asyncio.Event()
        self._learning: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._wished = False  # an admin asked to learn now

    def problems(self) -> list[str]:
        """What an admin should know."""
        return [HELD] if self.kept.listed.held else []

    def committed(self, applied: list[Applied]) -> None:
        """A listener: somebody may have said what a contact is about."""
        for one in applied:
            if isinstance(one.draft.event, TEACHES):
                self._said[one.draft.event.contact] = None

    def wake(self) -> None:
        """There may be something to learn at once: the admin edited the topics."""
        self._not_before = 0.0
        self._woken.set()

    async def run(self) -> None:
        """Keep labels and learn from them while this node leads, until cancelled."""
        try:
            while True:
                await self._pause()
                if not self._leader.leading:
                    self._began = False
                    self._said.clear()
                    self._stop()
                    continue
                try:
                    await self.look()
                except RouterError as error:
                    log.warning("learning_waits", error=type(error).__name__)
                except Exception as error:  # a defect here must not end routing
                    log.exception("learning_failed", error=type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._stop()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self.look_seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def _stop(self) -> None:
        if self._learning is not None:
            self._learning.cancel()

    async def look(self) -> None:
        """Keep what was said since the last look, do what was asked, and begin to learn if it is time.

        Raises StoreUnavailable.
        """
        if not self._began:
            await self.kept.read()
            await self.labels.read()
            await self._scan(await self._leader.settled())
            self._began = True
        await self._note(await self._leader.settled())
        await self._do_what_is_asked()
        if (self._learning is None or self._learning.done()) and self._is_due(self._now()):
            self._learning = asyncio.create_task(self._try())

    async def learned(self) -> None:
        """Wait until the attempt under way, if there is one, has ended."""
        if self._learning is not None:
            await self._learning

    # -- labels ----------------------------------------------------------------------------------------------------

    async def _scan(self, state: State) -> None:
        """What contacts say that no label says yet: a crash may have come between a commit and its label."""
        names = list(state.contacts)
        for start in range(0, len(names), SCAN_CONTACTS):
            for name in names[start : start + SCAN_CONTACTS]:
                contact = state.contacts.get(name)
                label = None if contact is None else label_of(state.workspace, contact)
                if label is not None and self.labels.latest(name) != label:
                    self._said[name] = None
            await asyncio.sleep(0)

    async def _note(self, state: State) -> None:
        said, self._said = self._said, {}
        contacts = (state.contacts[name] for name in said if name in state.contacts)
        found = [label for label in (label_of(state.workspace, contact) for contact in contacts) if label is not None]
        try:
            await self.labels.add(found)
        except StoreUnavailable:
            self._said = {**said, **self._said}
            raise

    # -- what admins ask -------------------------------------------------------------------------------------------

    async def _do_what_is_asked(self) -> None:
        raw = await self._store.doc_get(ASKED)
        if raw is None:
            return
        asked = msgspec.json.decode(raw, type=Asked)
        if asked.what == "learn":
            await self.kept.write(msgspec.structs.replace(self.kept.listed, held=False, tried=0))
            self._wished = True
            self.wake()
        elif (wanted := self.kept.listed.find(asked.model)) is not None:
            await self._go_back(wanted)
        await self._store.doc_delete(ASKED)

    async def versions(self) -> dict[str, object]:
        """The JSON of `usherd topics versions`; on any node. Raises StoreUnavailable."""
        return _shown(await self.kept.look())

    async def go_back(self, model: str) -> dict[str, object]:
        """Have an earlier model put in force: by the beginning of its SHA-256, or "" for the one before.

        On any node. Raises KeyError if none of the kept ones is meant, TransientError if nobody leads.
        """
        listed = await self.kept.look()
        wanted = listed.find(model) if model else listed.before()
        if wanted is None:
            raise KeyError(model)
        found = await self._ask(Asked(what="back", model=wanted.digest))
        if found["current"] != wanted.digest:  # its files cannot be used any more
            raise KeyError(model)
        return found

    async def learn(self) -> dict[str, object]:
        """Have the model trained now on all that was said, also after `back`; on any node. Raises TransientError."""
        return await self._ask(Asked(what="learn"))

    async def _ask(self, asked: Asked) -> dict[str, object]:
        """Leave it for whoever leads, and wait until it is done."""
        await self._store.doc_put(ASKED, msgspec.json.encode(asked))
        self._woken.set()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while await self._store.doc_get(ASKED) is not None:  # noqa: ASYNC110 - another node's doing
                    await asyncio.sleep(ASK_SECONDS)
        except TimeoutError:
            raise NobodyLeads("it is noted, and done as soon as a node leads") from None
        return await self.versions()

    async def _go_back(self, wanted: Kept) -> None:
        self._stop()
        path = await self.kept.fetch(wanted.digest)
        if path is None:
            log.error("kept_topics_missing", model=wanted.digest[:12])
            return
        found = await asyncio.to_thread(models.load, self._forced.config, path)
        await self.kept.write(msgspec.structs.replace(self.kept.listed, current=wanted.digest, held=True))
        await self._insist(found)
        log.info("topics_went_back", model=wanted.digest[:12])

    # -- learning --------------------------------------------------------------------------------------------------

    def _is_due(self, now: int) -> bool:
        """Whether the model in force knows other examples than the admin's, or enough was said since the last try."""
        config, listed = self._forced.config, self.kept.listed
        if asyncio.get_running_loop().time() < self._not_before:
            return False
        current = listed.find(listed.current)
        if current is None or current.examples != models.examples_of(config):
            return True  # also after going back: other topics are another matter
        new = self.labels.count - max(current.labels, listed.tried)
        wished, self._wished = self._wished, False
        if wished:
            return new > 0
        wish = config.topic_model
        if listed.held or not wish.learn_after or new <= 0:
            return False
        enough = max(wish.learn_after, self.labels.count // NEW_SHARE)
        return new >= enough or listed.tried_at < last_night(now, wish.learn_at, config.timezone)

    async def _try(self) -> None:
        try:
            await self._learn()
        except Exception as error:  # whatever it is, the model in force stays, and it is tried again later
            log.exception("learning_failed", error=type(error).__name__)
            self._not_before = asyncio.get_running_loop().time() + AGAIN_SECONDS

    async def _learn(self) -> None:
        config, listed = self._forced.config, self.kept.listed
        count, examples = self.labels.count, models.examples_of(config)
        current = listed.find(listed.current)
        champion = current if current is not None and current.examples == examples else None
        said = self.labels.up_to(count)
        texts = await self._texts([label.message for label in said])
        path = models.place(config, self._data)
        done = trainer.Done(trained=True)
        first = not texts and champion is None and await asyncio.to_thread(models.is_sound, path)
        if not first:
            path = path.with_name(f"learned-{examples}-{count}") if texts else path
            known = None if champion is None else _labelled(self.labels.up_to(champion.labels), texts)
            log.info("learning_topics", topics=len(config.topics), labels=len(said), known=known and len(known))
            done = await trainer.ask(
                trainer.Job(
                    topics={
                        name: trainer.Words(tuple(topic.examples), tuple(topic.keywords))
                        for name, topic in config.topics.items()
                    },
                    known=known,
                    labelled=_labelled(said, texts),
                    path=str(path),
                    encoder=config.topic_model.encoder,
                    nice=NICE_WAITED_FOR if champion is None else NICE,
                )
            )
        if not self._leader.leading or models.examples_of(self._forced.config) != examples:
            return  # the list is another node's now; or edited meanwhile: the next look begins anew
        at = self._now()
        if not done.trained:
            log.info("topics_challenger_refused", said=done.said)
            await self.kept.write(
                msgspec.structs.replace(self.kept.listed, tried=count, tried_at=at, refused=done.said)
            )
            return
        found = await asyncio.to_thread(models.load, self._forced.config, path)
        new = Kept(digest=found[1].model, at=at, examples=examples, labels=count, said=done.said)
        await self.kept.add(path, new)
        await self._insist(found)
        await asyncio.to_thread(models.tidy, self._data, path)
        event = "topics_kept" if first else "topics_in_force"  # the first is what the daemon began with
        log.info(event, topics=len(config.topics), model=new.digest[:12], labels=len(said), said=done.said)

    async def _insist(self, found: tuple[Models, Classifier]) -> None:
        """What is kept as the current one is put in force, however long the store takes."""
        while True:
            try:
                return await self._forced.put_in_force(*found)
            except TransientError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _texts(self, ids: list[str]) -> dict[str, str]:
        """As much of these messages as is learned from; of those that are erased, nothing. Raises StoreUnavailable."""
        texts: dict[str, str] = {}
        for start in range(0, len(ids), READ_TOGETHER):
            try:
                found = await self._bodies.messages(ids[start : start + READ_TOGETHER])
            except PermanentError:
                log.warning("labelled_texts_not_readable", number=READ_TOGETHER)
                continue
            texts.update((name, words_of(message)[:TEXT_MAX]) for name, message in found.items())
            await asyncio.sleep(0)
        return texts


def begin(daemon: Daemon) -> Learner:
    """The node's learner; it hears of commits, and of edited topics."""
    learner = Learner(
        store=daemon.store,
        bodies=daemon.vault,
        leader=daemon.leader,
        forced=daemon.in_force,
        data=daemon.data,
        now=daemon.clock.now,
    )
    daemon.in_force.edited = learner.wake
    daemon.leader.listeners.append(learner.committed)
    return learner


def _labelled(labels: list[Label], texts: dict[str, str]) -> list[Labelled]:
    return [Labelled(texts[label.message], label.topics, label.outright) for label in labels if label.message in texts]


def last_night(now: int, at: str, timezone: str) -> int:
    """The last instant before `now` at which clocks in the workspace's time zone said `at`."""
    zone, hour, minute = ZoneInfo(timezone), int(at[:2]), int(at[3:])
    here = dt.datetime.fromtimestamp(now / 1_000, zone)
    night = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if night > here:
        night -= dt.timedelta(days=1)
    return int(night.timestamp() * 1_000)


def _shown(listed: Listed) -> dict[str, object]:
    """The JSON of `usherd topics versions`."""
    return {
        "current": listed.current,
        "held": listed.held,
        "refused": listed.refused,
        "versions": [msgspec.to_builtins(one) for one in reversed(listed.kept)],
    }
