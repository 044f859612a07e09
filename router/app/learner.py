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

from router.app import lessons, models, trainer
from router.app.hearing import Hearing, unsure_messages
from router.app.kept_models import Kept, KeptModels, Listed
from router.core.erasing import pending
from router.core.errors import RouterError, TransientError
from router.shell.leader import Leader
from router.shell.leading import FencedStore, Leading
from router.shell.workers import Models
from skills.compile import Classifier
from skills.model import WorkspaceConfig

if TYPE_CHECKING:
    from router.app.daemon import Daemon

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 600.0  # after a failure
NEW_SHARE = 20  # of what is known already: with many labels a few more are no news
RETRY_SECONDS = 1.0
ANSWER_SECONDS = 15.0
ASK_SECONDS = 0.1
NICE = 10  # a tenth of a core where daemon and others want all; at 19 no model was ready while mail kept coming
NICE_WAITED_FOR = 5  # the admin edited the topics and waits for it
ASKED = "topics:asked"  # a document: what an admin asks of whoever leads
HELD = "an earlier topic model is in force by hand; nothing is learned from the desk: `usherd topics learn` goes on"


class LearnerStore(FencedStore, Protocol):
    """What learning asks of the store."""

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document, whoever leads."""
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
    """`what`: back | learn; `model`: the SHA-256 to go back to; `again`: learn even where nothing new was said."""

    what: str
    model: str = ""
    again: bool = False


class Learner:
    """One node's part in it."""

    def __init__(
        self,
        *,
        store: LearnerStore,
        bodies: lessons.Bodies,
        leader: Leader,
        forced: Forced,
        data: Path,
        now: Callable[[], int],
    ) -> None:
        self._leads = Leading(store)
        self.kept = KeptModels(self._leads, data)
        self.hearing = Hearing(self._leads)
        self.look_seconds = LOOK_SECONDS
        self._store = store
        self._bodies = bodies
        self._leader = leader
        self._forced = forced
        self._data = data
        self._now = now
        self._began = False
        self._woken = asyncio.Event()
        self._learning: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._wished = False  # an admin asked to learn now
        self._again = False  # also where nothing new was said
        self._erasures = 0  # heard of

    def problems(self) -> list[str]:
        """What an admin should know."""
        return [HELD] if self.kept.listed.held else []

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
                    self.hearing.clear()
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

        Raises StoreUnavailable; Fenced if another node leads.
        """
        state = await self._leader.settled()
        if not self._leader.leading:
            return
        if not self._began or self._leads.epoch != state.epoch:
            self._stop()  # what it knew was another epoch's
            self._began, self._leads.epoch = False, state.epoch
            await self.kept.read()
            await self.hearing.begin(state)
            self._began = True
        state = await self._leader.settled()
        await self.hearing.note(state)
        if self.hearing.erased:
            self._erasures += 1
            await self.kept.update(forget=True)
            self.hearing.erased = False
        await self._do_what_is_asked()
        erasing = bool(pending(state))
        if (self._learning is None or self._learning.done()) and self._is_due(self._now(), erasing=erasing):
            self._learning = asyncio.create_task(self._try(erasing=erasing))

    async def learned(self) -> None:
        """Wait until the attempt under way, if there is one, has ended."""
        if self._learning is not None:
            await self._learning

    # -- what admins ask -------------------------------------------------------------------------------------------

    async def _do_what_is_asked(self) -> None:
        raw = await self._store.doc_get(ASKED)
        if raw is None:
            return
        asked = msgspec.json.decode(raw, type=Asked)
        if asked.what == "learn":
            await self.kept.update(held=False, tried=0, tried_handled=0)
            self._wished, self._again = True, asked.again
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

    async def learn(self, *, again: bool = False) -> dict[str, object]:
        """Have the model trained now on all that was said, also after `back`; on any node. Raises TransientError.

        `again`: even if nothing was said since it was trained last.
        """
        return await self._ask(Asked(what="learn", again=again))

    async def unsure(self) -> dict[str, object]:
        """The SHA-256 of the model in force, and the texts of contacts whose topic is unsure. Raises TransientError."""
        state = await self._leader.settled()
        texts = await lessons.texts_of(self._bodies, unsure_messages(state))
        return {"model": state.workspace.topic_model, "texts": list(texts.values())}

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
        await self.kept.update(current=wanted.digest, held=True)
        await self._insist(found)
        log.info("topics_went_back", model=wanted.digest[:12])

    # -- learning --------------------------------------------------------------------------------------------------

    def _is_due(self, now: int, *, erasing: bool) -> bool:
        """Whether the model in force knows other examples than the admin's, or enough was said since the last try.

        `erasing`: somebody is being erased: their words must be gone before the model is trained without them.
        """
        config, listed = self._forced.config, self.kept.listed
        if asyncio.get_running_loop().time() < self._not_before:
            return False
        current = listed.find(listed.current)
        if current is None or current.examples != models.examples_of(config):
            return True  # also after going back: other topics are another matter
        if listed.forget and (current.labels or current.handled):
            return not erasing
        new = self.hearing.labels.count - max(current.labels, listed.tried)
        took = self.hearing.handled.count - max(current.handled, listed.tried_handled)
        wished, again, self._wished, self._again = self._wished, self._again, False, False
        if wished:
            return again or new > 0 or took > 0
        wish = config.topic_model
        if listed.held or not wish.learn_after or (new <= 0 and took <= 0):
            return False
        known = ((new, self.hearing.labels.count), (took, self.hearing.handled.count))
        enough = any(more >= max(wish.learn_after, of // NEW_SHARE) for more, of in known)
        return enough or listed.tried_at < last_night(now, wish.learn_at, config.timezone)

    async def _try(self, *, erasing: bool) -> None:
        try:
            await self._learn(erasing=erasing)
        except Exception as error:  # whatever it is, the model in force stays, and it is tried again later
            log.exception("learning_failed", error=type(error).__name__)
            self._not_before = asyncio.get_running_loop().time() + AGAIN_SECONDS

    async def _learn(self, *, erasing: bool) -> None:
        """`erasing`: somebody's words may still be there, so what is trained now has not forgotten them yet."""
        config, listed, erasures = self._forced.config, self.kept.listed, self._erasures
        examples, current = models.examples_of(config), listed.find(listed.current)
        champion = current if current is not None and current.examples == examples else None
        forget, held = listed.forget and not erasing, listed.held and champion is not None
        labels, handled = self.hearing.labels.count, self.hearing.handled.count
        if champion is not None and held:  # what it forgets is all that changes
            labels, handled = champion.labels, champion.handled
        said, took = self.hearing.labels.up_to(labels), self.hearing.handled.up_to(handled)
        path = models.place(config, self._data)
        done = trainer.Done(trained=True)
        first = not said and not took and champion is None and await asyncio.to_thread(models.is_sound, path)
        if not first:
            compared = champion is not None and champion.labels != labels
            known = self.hearing.labels.up_to(champion.labels) if champion is not None and compared else None
            log.info("learning_topics", topics=len(config.topics), labels=len(said), handled=len(took))
            nice = NICE_WAITED_FOR if champion is None else NICE
            job = await lessons.job(config, self._bodies, known=known, said=said, took=took, nice=nice, forget=forget)
            path = path.with_name(f"learned-{examples}-{labels}") if job.labelled or job.handled else path
            done = await trainer.ask(msgspec.structs.replace(job, path=str(path)))
        if not self._leader.leading or models.examples_of(self._forced.config) != examples:
            return  # the list is another node's now; or edited meanwhile: the next look begins anew
        at = self._now()
        if not done.trained:
            log.info("topics_challenger_refused", said=done.said)
            await self.kept.update(tried=labels, tried_handled=handled, tried_at=at, refused=done.said)
            return
        if champion is not None and not done.learned:
            labels = champion.labels
        found, told = await asyncio.to_thread(models.load_told, self._forced.config, path)
        new = Kept(
            digest=found[1].model,
            at=at,
            examples=examples,
            labels=labels,
            handled=handled,
            said=done.said,
            beside=told,
        )
        await self.kept.add(path, new, alone=forget, held=held, forget=self._erasures != erasures)
        await self._insist(found)
        await asyncio.to_thread(models.tidy, self._data, path, self.kept.listed.digests())
        event = "topics_kept" if first else "topics_in_force"  # the first is what the daemon began with
        log.info(event, topics=len(config.topics), model=new.digest[:12], labels=len(said), said=done.said)

    async def _insist(self, found: tuple[Models, Classifier]) -> None:
        """What is kept as the current one is put in force, however long the store takes."""
        while True:
            try:
                return await self._forced.put_in_force(*found)
            except TransientError:
                await asyncio.sleep(RETRY_SECONDS)


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
    daemon.leader.listeners.append(learner.hearing.committed)
    return learner


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
