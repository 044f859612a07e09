"""The configuration in force: which workspace this node goes by, and how an edited one comes into force everywhere.

A node *proposes* what its folder holds: the content is stored under its version, then {version, base} is told to
whoever leads, `base` being the version in force as far as the node knows; a node that does not lead puts a note into
the inbox. It is compiled, off the loop, and journaled; the engine takes it only if `base` still is in force. Every
node hears of the record and goes by the same content: names, addresses, tiers, texts, topics. What is opened at the
start (ports, store, folders) is each node's own and comes from its own folder.

Which folder counts at a start: the journal's workspace does, and a folder that differs is said to, unless no other
node runs and it was edited since this node last saw it; then it is as if it were edited now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from router.app import models
from router.app.contents import Contents, Documents, Missing
from router.app.kept_models import KeptModels, ModelStore
from router.app.proposed import REFUSALS, UNUSABLE, Proposed
from router.core.decisions import Refuse
from router.core.errors import ConfigError, RouterError, StoreUnavailable, TransientError
from router.core.events import WorkspaceChanged
from router.core.ports import Inbox
from router.core.values import Workspace
from router.desk.ports import Outcome
from router.shell.asked import NotLeading
from router.shell.dispatch import Dispatcher, outcome_of
from router.shell.follower import Applied
from router.shell.journal import Drafted
from router.shell.leader import Leader
from router.shell.notes import Internal, internal_entry
from router.shell.store.entries import InboxItem
from router.shell.workers import Models
from skills.compile import UNTRAINED, Classifier, compile_workspace
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import Loaded

log = structlog.get_logger()

ANSWER_SECONDS = 5.0  # then it is proposed again: whoever was to journal it may be gone
RETRY_SECONDS = 0.5
FAILED_SECONDS = 30.0


class ContentStore(ModelStore, Documents, Protocol):
    """What the configuration asks of the store: contents, the kept models, and whether a note was read."""

    async def inbox_heads(self, ids: list[str]) -> list[InboxItem]:
        """Entries by id, without large bytes; those that are gone are left out."""
        ...


class Node(Protocol):
    """The daemon, as its configuration needs it."""

    data: Path

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had."""
        ...

    def switch(self, loaded: Loaded) -> None:
        """Use another configuration wherever the daemon does."""
        ...

    async def change_models(self, found: Models) -> None:
        """Classify with another model."""
        ...


@dataclass(slots=True)
class Proposal:
    """An edit that is to come into force in the place of `base`; `stood`: it has been in force.

    `note`: the inbox entry that tells who leads, and `told` what tells it from others like it.
    """

    loaded: Loaded
    base: str
    stood: bool = False
    note: str = ""
    told: str = ""


class InForce:
    """What this node goes by: `loaded` and, of its topic model, `models` and what the engine knows of it."""

    def __init__(self, node: Node, store: ContentStore, loaded: Loaded, *, now: Callable[[], int]) -> None:
        self.loaded = loaded
        self.models = Models()
        self.classifier: Classifier = UNTRAINED
        self.edited: Callable[[], None] = _nobody  # told that the topics were edited
        self.brings_own = True  # at its next look at the journal's workspace this node's own counts
        self._node = node
        self._store = store
        self._contents = Contents(store)
        self._now = now
        self._problems: list[str] = []
        self._wanted = asyncio.Event()
        self._known = {loaded.version: loaded}
        self._tasks: set[asyncio.Task[None]] = set()
        self._proposal: Proposal | None = None
        self._kept = KeptModels(store, node.data)
        self._changing = asyncio.Lock()
        self._followed = ""  # the model that the journal named last

    def connect(self, leader: Leader, commands: Dispatcher, inbox: Inbox) -> None:
        """The parts that were not there yet; before anything is led or followed."""
        self._leader = leader
        leader.classified = self._classified
        self.proposed = Proposed(self, leader)
        self._commands = commands
        self._inbox = inbox

    def problems(self) -> list[str]:
        """What keeps this node from going by what is in force."""
        return list(self._problems)

    async def prepare(self) -> None:
        """Have a classifier for the first time: the one in force when these topics were last, else a new one."""
        config, data = self.loaded.config, self._node.data
        path = await self._kept.fitting(models.examples_of(config))
        if path is not None:
            self.models, self.classifier = await asyncio.to_thread(models.load, config, path)
            with suppress(StoreUnavailable):
                await self._tidy(path)
        else:
            self.models, self.classifier = await asyncio.to_thread(models.prepare, config, data)

    async def _tidy(self, path: Path) -> None:
        """Delete models that are used and kept no more: somebody may have been erased. Raises StoreUnavailable."""
        await asyncio.to_thread(models.tidy, self._node.data, path, (await self._kept.look()).digests())

    # -- what is in force ------------------------------------------------------------------------------------------

    async def compile(self, now: int, in_force: str) -> tuple[str, Workspace]:
        """For the leader: the workspace that is to be in force, where now the one of version `in_force` is."""
        own, self.brings_own = self.brings_own or not in_force, False
        if own and in_force and await self._node.needs_rehearsal(self.loaded.version):
            own = False  # edited while nobody ran: the reloader says so, and looks for the rehearsal
        if not own and in_force != self.loaded.version:
            known = await self.adopt(in_force)
            await self._follow(self._leader.engine.state.workspace.topic_model)
            if known and self.loaded.version != in_force:  # it is good, and only this node cannot use it
                return in_force, self._leader.engine.state.workspace
        if self.loaded.version != in_force:
            await self._contents.put(self.loaded)
            await self._contents.list(self.loaded.version, in_force)
        return self.loaded.version, await self._compiled(self.loaded.config, now)

    async def _compiled(self, config: WorkspaceConfig, now: int) -> Workspace:
        try:
            return await asyncio.to_thread(partial(compile_workspace, config, now, classifier=self.classifier))
        except Exception as error:  # a mistake of ours must end neither the node nor the wait of whoever proposes it
            log.exception("workspace_not_compiled", error=type(error).__name__)
            raise ConfigError("usherd failed on it; this was logged", code=UNUSABLE) from error

    async def adopt(self, version: str) -> bool:
        """Go by the workspace of this version, if that is possible here; else stay, and say so.

        Gives whether its content is in the store at all: the one of a journal from before there were contents is not.
        """
        try:
            loaded = self._known.get(version) or await self._contents.get(version, self.loaded)
        except Missing as error:
            self._problems = [str(error)]
            return False
        except ConfigErrors as error:
            self._problems = [f"the workspace in force cannot be used here: {error.errors[0]}"]
        except ConfigError as error:
            self._problems = [f"the workspace in force cannot be used here: {error}"]
        else:
            self._go_by(loaded)
        return True

    def _go_by(self, loaded: Loaded) -> None:
        self._problems = []
        if loaded.version != self.loaded.version:
            self._switch(loaded)

    def _switch(self, loaded: Loaded) -> None:
        before, self.loaded = self.loaded.config, loaded
        self._known = {loaded.version: loaded}
        self._node.switch(loaded)
        log.info("workspace_in_force", version=loaded.version[:12], agents=len(loaded.config.agents))
        if _classified(before) != _classified(loaded.config):
            task = asyncio.create_task(self._reword(loaded.config))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def committed(self, applied: list[Applied]) -> None:
        """A listener: another workspace may be in force; one whose content is at hand is gone by at once."""
        for one in applied:
            event = one.draft.event
            refused = any(isinstance(made, Refuse) for made in one.draft.decisions)
            if not isinstance(event, WorkspaceChanged) or refused:
                continue
            if self._proposal is not None and self._proposal.loaded.version == event.version:
                self._proposal.stood = True
            if (known := self._known.get(event.version)) is not None:
                self._go_by(known)
            self._wanted.set()  # in any case: an older one may be on its way from the store

    async def run(self) -> None:
        """Follow what comes into force, until cancelled."""
        again: float | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._wanted.wait()
            self._wanted.clear()
            again = None
            try:
                await self.adopt((await self._leader.settled()).version)
                await self.follow()
            except TransientError:
                await asyncio.sleep(RETRY_SECONDS)
                self._wanted.set()
            except Exception as error:  # whatever stands in the store, this node goes on with what it has
                log.exception("workspace_not_followed", error=type(error).__name__)
                again = FAILED_SECONDS
                self._problems = ["the workspace in force cannot be used here: usherd failed on it; this was logged"]

    # -- proposing -------------------------------------------------------------------------------------------------

    async def base(self) -> str:
        """The version that an edit seen now would replace. Raises StoreUnavailable."""
        return (await self._leader.settled()).version

    async def propose(self, proposal: Proposal) -> None:
        """Have it put in force; it is, or was for a moment, when this returns.

        Raises ConfigError if it was refused, TransientError where that is not known: the same proposal may be made
        again then. It never takes the place of another version than its `base`, however long it takes.
        """
        loaded = proposal.loaded
        self._proposal = proposal
        self._known[loaded.version] = loaded
        await self._contents.put(loaded)
        while not await self._stands(proposal):
            try:
                outcome = await (self._decide(proposal) if self._leader.leading else self._ask(proposal))
            except (StoreUnavailable, NotLeading, TimeoutError):
                log.warning("workspace_proposed_again", version=loaded.version[:12])
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not outcome.ok and not await self._stands(proposal):
                text = REFUSALS.get(outcome.code, f"it was refused ({outcome.code}): {outcome.detail}")
                raise ConfigError(text, code=outcome.code)
        await self.adopt(await self.base())

    async def _stands(self, proposal: Proposal) -> bool:
        """Whether it is in force, or has been."""
        return proposal.stood or await self.base() == proposal.loaded.version

    async def _decide(self, proposal: Proposal) -> Outcome:
        """Here, where this node leads: past the inbox, so that it waits for no mail."""
        loaded = proposal.loaded
        workspace = await self._made_ready(loaded)
        async with asyncio.timeout(ANSWER_SECONDS):
            draft = await self._journal(loaded.version, workspace, proposal.base)
        return outcome_of(draft.event, draft.decisions)

    async def _made_ready(self, loaded: Loaded) -> Workspace:
        """Compiled, and its content on the list of those that are kept."""
        listed = self._contents.list(loaded.version, self._leader.engine.state.version)
        workspace, _ = await asyncio.gather(self._compiled(loaded.config, self._now()), listed)
        return workspace

    async def _journal(self, version: str, workspace: Workspace, base: str, entry: str = "") -> Drafted:
        """Have it journaled, with the classifier of that moment: one may have been learned since it was compiled."""

        def happen(at: int) -> WorkspaceChanged:
            return WorkspaceChanged(
                at=at, inbox=entry, version=version, workspace=self._classified(workspace), base=base
            )

        return await self._leader.record(happen)

    def _classified(self, workspace: Workspace) -> Workspace:
        return self.classifier.put_into(workspace)

    async def _ask(self, proposal: Proposal) -> Outcome:
        """The node that leads, through the inbox; what nobody has read yet is not told once more.

        While nobody leads the journal does not grow, so that nodes with the same edit tell it once together.
        """
        if proposal.note and not await self._store.inbox_heads([proposal.note]):
            proposal.note = proposal.told = ""  # read and not answered: its reader leads no more, or takes long
        if not proposal.note:
            proposal.told = proposal.told or str(self._leader.engine.state.n)
            note = Internal(what="workspace", message="", version=proposal.loaded.version, base=proposal.base)
            [appended] = await self._inbox.append([internal_entry(note, distinct=proposal.told)])
            proposal.note = appended.id
        return await self._commands.outcome(proposal.note, seconds=ANSWER_SECONDS)

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had."""
        return await self._node.needs_rehearsal(version)

    async def put_forward(self, version: str, base: str, entry: str) -> None:
        """For who leads: what another node proposes. Raises RouterError if it cannot be used, or could not be read."""
        loaded = self._known.get(version) or await self._contents.get(version, self.loaded)
        workspace = await self._made_ready(loaded)
        self._known[version] = loaded
        await self._journal(version, workspace, base, entry)

    # -- the classifier --------------------------------------------------------------------------------------------

    @property
    def config(self) -> WorkspaceConfig:
        """The workspace's configuration in force."""
        return self.loaded.config

    async def _reword(self, config: WorkspaceConfig) -> None:
        """Keywords at once; a new model as soon as whoever leads has trained it."""
        path = await self._kept.fitting(models.examples_of(config))
        async with self._changing:
            if path is not None:
                found = await asyncio.to_thread(models.load, config, path)
            else:
                found = await asyncio.to_thread(models.with_keywords, config, self._node.data, Path(self.models.path))
            await self._use(*found)
        self.edited()

    async def follow(self) -> None:
        """Use the model that the journal names. Raises StoreUnavailable."""
        await self._follow((await self._leader.settled()).workspace.topic_model)

    async def _follow(self, digest: str) -> None:
        """Use the model that the journal names, where that is another one than before. Raises StoreUnavailable."""
        if digest in {"", self._followed, self.classifier.model}:
            self._followed = digest
            return
        path = await self._kept.fetch(digest)
        self._followed = digest
        if path is None:
            return  # this node's own tells topics as well as it can
        try:
            found = await asyncio.to_thread(models.load, self.loaded.config, path)
        except RouterError as error:
            log.warning("topics_not_followed", model=digest[:12], error=type(error).__name__)
            return
        async with self._changing:
            await self._use(*found)
        await self._tidy(path)
        log.info("topics_followed", model=digest[:12])

    async def put_in_force(self, found: Models, classifier: Classifier) -> None:
        """Classify with this model, here and, by the journal, everywhere. Only for who leads.

        Raises TransientError if another workspace came into force meanwhile: the model is not in force then.
        """
        self._followed = classifier.model
        if classifier.model != self.classifier.model:
            async with self._changing:
                await self._use(found, classifier)
        state = await self._leader.settled()
        if self._leader.leading and Classifier.of(state.workspace) != classifier:
            loaded = self.loaded  # of one piece, whatever comes into force while it is compiled
            compiled = await self._compiled(loaded.config, self._now())
            with suppress(NotLeading):  # whoever leads next brings it
                await self._journal(loaded.version, compiled, loaded.version)
                stands = Classifier.of((await self._leader.settled()).workspace) == classifier
                if not stands and not self._problems:
                    raise TransientError("another workspace came into force meanwhile")

    async def _use(self, found: Models, classifier: Classifier) -> None:
        if found != self.models or classifier != self.classifier:
            await self._node.change_models(found)
        self.models, self.classifier = found, classifier

    def close(self) -> None:
        """Stop what is under way."""
        self.proposed.close()
        for task in self._tasks:
            task.cancel()


def _nobody() -> None:
    """Nobody learns here."""


def _classified(config: WorkspaceConfig) -> object:
    """What the classifier depends on."""
    return config.topics, config.moods, config.topic_model, config.languages
