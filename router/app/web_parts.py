"""What the web is made of: the parts of the daemon that pages, desks and programs reach."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from channels.email.parse import extract
from router.app import chat, http, telegram
from router.app.credentials import StoredCredentials
from router.app.customers import Customers
from router.app.mail_entries import MailEntries
from router.app.rehearser import Rehearsals
from router.shell.live import Library
from router.shell.ops import Ops
from router.shell.rehearsed import was_rehearsed
from router.web.parts import Intake as WebIntake
from router.web.parts import WebParts, WebSettings

if TYPE_CHECKING:
    from router.app.daemon import Daemon


def web_parts(daemon: Daemon) -> WebParts:
    """The parts of a daemon whose store, engine and channels are there."""
    intake = WebIntake(model=http.HttpMessage, entry=http.entry) if daemon.config.channels.http else None
    ops = Ops(
        store=daemon.store,
        leader=daemon.leader,
        vault=daemon.vault,
        tell=daemon.reader.tell,
        gauges=daemon.gauges,
        node=daemon.node,
        shelf=daemon.upkeep.shelf,
    )
    of_slack = daemon.slack.pages if daemon.slack is not None else ()
    return WebParts(
        source=daemon.live,
        texts=Library(daemon.vault, daemon.leader, chat.by_channel(extract)),
        commands=daemon.commands,
        enclosures=daemon.enclosures,
        operations=ops,
        erasing=daemon.eraser,
        customers=Customers(daemon),
        topics=daemon.learner,
        inbox=daemon.intake,
        credentials=StoredCredentials(daemon.store),
        secret=daemon.secret,
        intake=intake,
        mails=MailEntries(lambda: daemon.config.accounts),
        chat=daemon.chat,
        pages=(*daemon.pages, *telegram.routes_of(daemon.bot), *of_slack),
        passing=daemon.passing,
        types=daemon.bot.types if daemon.bot is not None else None,
        local_token=daemon.local_token,
        settings=WebSettings(public_url=daemon.config.web.url or ""),
        metrics=daemon.metrics.registry,
        ready=lambda: daemon.leader.follower.current and not daemon.stopping,
        stopping=lambda: daemon.stopping,
        clock=daemon.clock.now,
        rehearsed=partial(was_rehearsed, daemon.store),
        rehearsing=Rehearsals(daemon),
    )
