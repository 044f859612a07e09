"""The daemon: every part of usherd, put together. The only place that knows them all.

Start: store, then engine, then what people reach. Stop: the other way round, so that nothing is taken in that is not
also brought home.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import structlog
from fastapi import APIRouter

from channels.email.receive import SmtpReceiver
from router.app import chat, customers, erase, garbage, keeping, learner, local, mail, telegram
from router.app.gauges import Gauges
from router.app.in_force import InForce, Proposal
from router.app.invitations import Inviter
from router.app.mailboxes import Mailboxes
from router.app.names import Names
from router.app.opening import open_store
from router.app.reload import Noted, Reloader
from router.app.sealing import Seals
from router.app.server import WebServer
from router.app.upkeep import Upkeep
from router.app.ways import Asked, channels_of, facts_of, more_senders, senders_of, slack_of
from router.app.web_parts import web_parts
from router.app.webhooks import Webhooks
from router.core.errors import TransientError
from router.shell.acknowledged import Acknowledged
from router.shell.actions import Actions
from router.shell.autoanswers import AutoAnswerer, Wording, switched_off
from router.shell.clock import Clock
from router.shell.disk import DiskGuard
from router.shell.dispatch import Dispatcher, Past
from router.shell.enclosures import Enclosures
from router.shell.identities import identity_of
from router.shell.intake import Intake
from router.shell.leader import Leader
from router.shell.live import Live
from router.shell.metrics import Metrics
from router.shell.nodes import Nodes
from router.shell.outbox import Outbox
from router.shell.passing import Passing
from router.shell.reader import Reader
from router.shell.rehearsed import was_rehearsed
from router.shell.timekeeping import TimeWatch
from router.shell.vault import Vault
from router.shell.workers import Models, Workers, use_models
from router.web.app import create_app
from skills.workspace import Loaded

log = structlog.get_logger()

PRELOAD = ("channels.email.parse", "router.app.mail")


class Daemon:
    """One node. `start` and `stop` for those who run it inside something else; `run` until a signal."""

    def __init__(self, loaded: Loaded, data: Path, *, pages: tuple[APIRouter, ...] = ()) -> None:
        self.config = loaded.config  # what this node goes by; what it opens at the start is its folder's
        self.data = data
        self._folder = loaded
        self.pages = pages  # served beside our own
        self.node = ""
        self.smtp: tuple[str, int] | None = None
        self.http: tuple[str, int] = ("", 0)
        self.stopping = False
        self.clock = Clock()
        self._exit = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.gauges = Gauges(self)
        self.seals = Seals(lambda: self.config)
        self._troubles: list[Callable[[], list[str]]] = []

    # -- life ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, stop. Raises ConfigError, JournalBroken."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        starting = asyncio.create_task(self.start())
        waiting = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait([waiting, starting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            if not starting.done():
                await _cancel(starting)
            await self.stop()

    async def start(self) -> None:
        """Bring everything up; returns when this node leads or follows, and listens.

        Raises ConfigError, JournalBroken.
        """
        try:
            await self._start_store()
            await self.in_force.prepare()
            await self._start_engine(self.in_force.models)
            await self._start_doors()
        except BaseException:
            await self._exit.aclose()
            raise
        local.announce(
            self.data,
            local.Running(url=self.url, token=self.local_token, pid=os.getpid(), node=self.node),
        )
        self._exit.callback(local.withdraw, self.data)
        smtp = f"{self.smtp[0]}:{self.smtp[1]}" if self.smtp else None
        facts = {"node": self.node, "pid": os.getpid(), "leading": self.leader.leading}
        log.info("ready", smtp=smtp, http=f"{self.http[0]}:{self.http[1]}", data=str(self.data), **facts)

    @property
    def url(self) -> str:
        """Where the web is reached from this machine."""
        host, port = self.http
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Take nothing new, finish what is at hand, close; raises what ended a part of the daemon."""
        self.stopping = True
        log.info("stopping")
        await self._exit.aclose()
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def _begin(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    # -- the parts ---------------------------------------------------------------------------------------------------

    async def _start_store(self) -> None:
        config = self.config
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.disk = DiskGuard(self.data)
        self.store = await open_store(config, self.data, self.disk, self._exit, self._troubles)
        self.acknowledged = Acknowledged(self.data, self.store)
        await self.acknowledged.check()
        self.time = TimeWatch(self.clock, self.store.time, leading=lambda: self.leader.leading)
        await self.time.begin()
        self.store.now = self.clock.now
        self.secret = await self.store.secret()
        self.node = local.node_name(self.data)
        self.in_force = InForce(self, self.store, self._folder, now=self.clock.now)
        self.nodes = Nodes(self.store, self.node, self.gauges.about)
        self.passing = None
        if config.store.url is not None:
            self.passing = Passing(self.store, self.node, self.nodes.living)
            self._troubles.append(self.passing.problems)
            await self.nodes.look()
        self.noted = Noted(self.data)
        edited = config.store.url is None or self.noted.edited(self._folder.version)
        self.in_force.brings_own = edited and not self.nodes.listed
        self.upkeep = Upkeep(config, self.data, self.store, self.node)

    async def _start_engine(self, found: Models) -> None:
        use_models(found)
        self.workers = Workers(found, preload=PRELOAD)
        self.workers.start()
        self._exit.push_async_callback(self.workers.stop)
        await self.workers.warm()
        self.intake = Intake(self.store, self.disk)
        self.vault = Vault(self.store)
        self.chat = chat.web_chat(self.config, self.secret)
        self.bot = telegram.bot_of(lambda: self.config, self.secret, self.intake, self.vault, self._exit)
        self.slack = slack_of(self)
        self.stationery = mail.MailStationery(lambda: self.config, self.secret)
        self.asked = Asked(self)
        self._exit.push_async_callback(self.asked.close)
        self.reader = Reader(
            store=self.store,
            inbox=self.intake,
            vault=self.vault,
            workers=self.workers,
            actions=Actions(
                self.vault,
                self.stationery,
                partial(identity_of, self.secret, "email"),
                Inviter(lambda: self.config, self.secret, lambda: self.bot.name if self.bot is not None else ""),
            ),
            channels=channels_of(self.config, self.secret),
            facts=facts_of(self),
        )
        self.asked.attach(self.reader)
        self.leader = Leader(
            store=self.store,
            vault=self.vault,
            reader=self.reader,
            compile_workspace=self.in_force.compile,
            node=self.node,
            recover=self.upkeep.recover,
            clock=self.clock,
        )
        self.metrics = Metrics()
        self.upkeep.measure(self.metrics)
        self.mailboxes = Mailboxes(self.store, self.intake, self.node, self.clock.now, self.metrics.registry)
        self.names = Names(lambda: self.config)
        self.live = Live(self.leader, self.names)
        self.enclosures = Enclosures(
            self.store,
            self.vault,
            state=lambda: self.leader.engine.state,
            tidy=chat.tidy,
            identify=partial(identity_of, self.secret, "email"),
        )
        self._make_ways_out()
        self._connect()
        leading = self._begin("leader", self.leader.run())
        self._exit.push_async_callback(self._stop_leading, leading)
        await self._first(leading)
        if not self.leader.leading:  # another's workspace is in force, whatever stands in our folder
            self.in_force.brings_own = False
            await self.in_force.adopt(self.leader.engine.state.version)
            await self.in_force.follow()
        self._begin_background()

    def _make_ways_out(self) -> None:
        """Deeds of agents, and what leaves."""
        self.commands = Dispatcher(self.intake, Past(self.store, self.leader))
        self.outbox = Outbox(
            store=self.store,
            vault=self.vault,
            leader=self.leader,
            senders=senders_of(self, self._exit) | more_senders(self.bot, self.slack),
            tell=self.reader.tell,
            now=self.clock.now,
            compose=customers.late_answers(self).compose,
        )

    def _connect(self) -> None:
        """Who hears of what."""
        self.in_force.connect(self.leader, self.commands, self.intake)
        self.reader.proposed = self.in_force.proposed.take
        self.leader.yields = self._yields
        told = (self.in_force, self.commands, self.outbox, self.live, self.metrics)
        self.leader.listeners += [part.committed for part in told]
        self.leader.follower.renewals.append(self.live.renewed)
        self.eraser = erase.begin(self)
        self.learner = learner.begin(self)
        self.leader.compose = AutoAnswerer(self._wording, self.stationery).blobs
        parts = (self.disk, self.in_force, self.nodes, self.mailboxes, self.learner, self.seals, self.asked)
        self._troubles += [self._nobody_leads, self._switched_off, *(part.problems for part in parts)]
        self._exit.callback(self._farewell)

    def _yields(self) -> bool:
        """Whether another node can use the workspace in force, and this one cannot."""
        return bool(self.in_force.problems()) and any(about.able for about in self.nodes.living().values())

    def _switched_off(self) -> list[str]:
        return switched_off(self.leader.engine.state, self.clock.now(), self.config.timezone)

    def _nobody_leads(self) -> list[str]:
        return [] if self.leader.leading or self.leader.lease.holder else ["no node leads: nothing is routed"]

    def _begin_background(self) -> None:
        self.reloader = Reloader(self, self._folder, self.noted)
        self.webhooks = Webhooks(self.config.web.hooks, self.store, lambda: self.leader.leading, self.clock.now)
        self._exit.callback(self.in_force.close)
        self._exit.push_async_callback(self.nodes.leave)
        watched = (self.reloader, self.upkeep, self.eraser, self.time, self.acknowledged, self.webhooks)
        self._troubles += [part.problems for part in watched]
        for name, work in (
            ("in force", self.in_force.run()),
            ("learner", self.learner.run()),
            ("reloader", self.reloader.run()),
            ("nodes", self.nodes.run()),
            ("outbox", self.outbox.run()),
            ("disk", self.disk.run()),
            ("gauges", self.gauges.run()),
            ("witness", self.upkeep.keep_witness(self.leader)),
            ("snapshots", self.upkeep.keep_snapshots(self.leader)),
            ("time", self.time.run()),
            ("store", self.store.watch()),
            ("acknowledged", self.acknowledged.run()),
            ("sweep", keeping.sweep(self.store, self.enclosures)),
            ("eraser", self.eraser.run()),
            ("webhooks", self.webhooks.run()),
            ("keeper", keeping.keeper(self).run()),
            ("garbage", garbage.collect(lambda: self.leader.journal.n)),
        ):
            self._exit.push_async_callback(_cancel, self._begin(name, work))
        if self.passing is not None:
            self._exit.push_async_callback(_cancel, self._begin("passing", self.passing.run()))

    def _farewell(self) -> None:
        """Say what replaying the journal must give again."""
        log.info("stopped", records=self.leader.journal.n, state_hash=self.leader.engine.state_hash())

    async def _stop_leading(self, leading: asyncio.Task[None]) -> None:
        led = self.leader.leading
        await self.intake.drain()
        self.leader.stop()
        await asyncio.wait([leading], timeout=10)
        await self.upkeep.leave(self.leader.engine, self.leader.journal.position, led=led)
        with suppress(TransientError):
            await self.leader.lease.release()

    async def _first(self, leading: asyncio.Task[None]) -> None:
        """Wait until this node leads, or follows the one that does; whatever ends it before that is raised."""
        waiting = asyncio.create_task(self.leader.started())
        await asyncio.wait([leading, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if leading.done():
            leading.result()

    async def _start_doors(self) -> None:
        config = self.config
        smtp = config.channels.email.smtp if config.channels.email else None
        if smtp is not None:
            self.receiver = SmtpReceiver(mail.smtp_settings(smtp), self.intake)
            self.smtp = await self.receiver.start()
            self._exit.push_async_callback(self.receiver.stop)
        if self.bot is not None:
            self._troubles.append(self.bot.problems)
            self._exit.push_async_callback(_cancel, self._begin("telegram", self.bot.run(self.store, self.node)))
        self.mailboxes.start(config, self.secret)
        self._exit.push_async_callback(self.mailboxes.stop)
        self.local_token = local.new_token()
        self.parts = web_parts(self)
        web = WebServer(create_app(self.parts), *config.web.listen)
        self.http = await web.start()
        self._exit.push_async_callback(web.stop)
        if self.slack is not None:
            self._troubles.append(self.slack.problems)
            self._exit.push_async_callback(_cancel, self._begin("slack", self.slack.run()))

    # -- what the parts ask for ------------------------------------------------------------------------------------

    def _wording(self) -> Wording:
        config = self.config
        return Wording(texts=config.auto_answers.texts, language=config.languages[0], zone=config.timezone)

    def problems(self) -> list[str]:
        """What an admin should know, in plain words."""
        return [problem for trouble in self._troubles for problem in trouble()]

    @property
    def folder(self) -> Path:
        """Where this node's workspace is read from."""
        return self._folder.folder

    @property
    def loaded(self) -> Loaded:
        """The workspace that this node goes by."""
        return self.in_force.loaded

    async def base(self) -> str:
        """The version that an edit seen now would replace."""
        return await self.in_force.base()

    async def propose(self, proposal: Proposal) -> None:
        """Have an edited workspace put in force; it is when this returns."""
        await self.in_force.propose(proposal)

    def decides(self) -> bool:
        """Whether this node leads and has met no other since it started."""
        return self.leader.leading and (self.config.store.url is None or self.nodes.alone)

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had. Raises StoreUnavailable."""
        return self.leader.engine.state.workspace.require_rehearsal and not await was_rehearsed(self.store, version)

    def switch(self, loaded: Loaded) -> None:
        """Use another configuration from here on: names, addresses, tiers, how mail is read."""
        self.config = loaded.config
        self.reader.channels = channels_of(self.config, self.secret)
        self.reader.facts = facts_of(self)
        if self.smtp is not None:
            self.receiver.take_mail_for(mail.handed_to(self.config))
        self.mailboxes.follow(self.config)
        changed = chat.web_chat(self.config, self.secret)
        if self.chat is not None and changed is not None:
            self.chat.follow(changed)

    async def change_models(self, found: Models) -> None:
        """Classify with another model from the next message on."""
        await self.workers.change_models(found)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
