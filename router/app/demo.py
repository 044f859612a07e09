"""The demo: the whole daemon on the embedded store, an airline's mail and chats, simulated agents, and a desk to open.

Nothing in it is staged: mail comes in by SMTP and chats by the widget's own line; each is stored, classified and
offered by the very code that runs in production, and mailed answers leave by SMTP to the demo's own sink. An auditor
that knows only the workspace and the journal's records counts what went wrong.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from channels.slack.manifest import manifest
from router.app.daemon import Daemon
from router.app.demo_audit import Audit
from router.app.demo_chats import Visitors, read_conversations
from router.app.demo_page import BothSides
from router.app.demo_people import Agents, Customers, Sink
from router.app.demo_view import View, because
from router.core.errors import AddressTaken
from router.shell.clock import wall_ms
from router.web.access import links, new_ticket
from skills.workspace import load

if TYPE_CHECKING:
    from router.sim.slack import FakeSlack

SMTP_PORT, HTTP_PORT = 2525, 8080
SETTLE_SECONDS = 8.0  # at the end of a timed demo: nothing new is sent, what is open is brought home
SETTLE_SECONDS_MAX = 60.0  # and so much longer on a machine that is busy with something else
PAUSE_SECONDS = 0.7  # between two mails of the first round
LATER_PAUSE_SECONDS = 4.0
PACE_SECONDS = 2.0
TYPING_SECONDS = 3.0  # of a visitor, a message, about
OFFER_SECONDS = 90  # an offer waits so long for whoever tries the demo
CUSTOMERS_TEAM = "T0BIGCO01"  # an organisation with whom a channel of the demo's Slack is shared


async def play(*, seconds: int | None, data: Path | None, quiet: bool, slack: bool = False) -> dict[str, Any]:
    """Run the demo until Ctrl-C, SIGTERM, or for `seconds`; gives its figures. Raises ConfigError.

    `slack`: with a Slack of this machine, whose page shows what agents see there.
    `ok`: nothing was lost or wrong, and, if it could end by itself, every contact reached an able agent.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="usherd-demo-")))
        sink = Sink()
        sink_port = await sink.start()
        stack.push_async_callback(sink.stop)
        config = lay_out(folder / "config", sink_port, fixed_ports=seconds is None)
        if slack:
            from router.sim.slack import FakeSlack  # noqa: PLC0415 (half a second, for those who ask for it)

            fake = await stack.enter_async_context(FakeSlack(manifest()))
            join_slack(config, fake)
            sys.stderr.write(f"Slack, as its members see it: {fake.page_url}\n")
        page = BothSides()
        daemon = await begin(config, data or folder / "data", page)
        audit = Audit(daemon)
        chance = random.Random(1)  # noqa: S311  # a story, not a secret
        try:
            over = await _act_out(daemon, page, sink, audit, chance, seconds=seconds, quiet=quiet)
            figures, ok = audit.verdict(over=over)
        finally:
            await daemon.stop()
        return {**msgspec.structs.asdict(figures), "ok": ok}


async def begin(config: Path, data: Path, page: BothSides) -> Daemon:
    """The demo's daemon; at other ports if the usual ones were taken since they were found free. Raises ConfigError."""
    while True:
        daemon = Daemon(load(config), data, pages=(page.routes,))
        try:
            await daemon.start()
        except AddressTaken:
            channels = config / "channels.yaml"
            before = channels.read_text()
            channels.write_text(re.sub(r'(listen: "127\.0\.0\.1:)\d+', r"\g<1>0", before))
            if channels.read_text() == before:
                raise
        else:
            return daemon


async def _act_out(  # the cast
    daemon: Daemon,
    page: BothSides,
    sink: Sink,
    audit: Audit,
    chance: random.Random,
    *,
    seconds: int | None,
    quiet: bool,
) -> bool:
    """Whether it ended by itself. Ctrl-C is how it is meant to end otherwise, in the middle of everything."""
    over = False
    with as_file(files("router.sim") / "sample") as folder:
        mails = sorted((folder / "mails").glob("*.eml"))
        customers = Customers(daemon, sink, mails, chance)
        brief = seconds is not None
        typing = 0.3 if brief else TYPING_SECONDS
        visitors = Visitors(daemon, read_conversations(folder / "chats.yaml"), chance, typing=typing)
        audit.watch(customers)
        audit.watch(visitors)
        agents = Agents(daemon, customers, visitors, chance, pace=0.25 if brief else PACE_SECONDS)
        view = View(daemon, audit, agents, sink, sign_in=lambda agent: sign_in(daemon, agent))
        page.follow(daemon, agents, audit.why, sign_in=lambda agent: sign_in(daemon, agent), because=because)
        tasks = [
            asyncio.create_task(agents.run()),
            asyncio.create_task(customers.answer(0.3)),
        ]
        if not quiet:
            tasks.append(asyncio.create_task(view.run()))
        try:
            if seconds is None:
                await asyncio.gather(_for_ever(customers), visitors.come_and_go())
            else:
                await _timed(customers, visitors, audit, len(mails), seconds)
            over = True
        except asyncio.CancelledError:
            over = False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not quiet:
                view.farewell(over=over)
    return over


async def _for_ever(customers: Customers) -> None:
    pause = PAUSE_SECONDS
    while True:
        await customers.send_round(pause)
        pause = LATER_PAUSE_SECONDS


async def _timed(customers: Customers, visitors: Visitors, audit: Audit, mails: int, seconds: int) -> None:
    """One round of the sample, then time for what is open."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    sending = max(1.0, min(seconds - SETTLE_SECONDS, seconds * 0.6))
    with suppress(TimeoutError):
        async with asyncio.timeout(max(sending, seconds - SETTLE_SECONDS / 2)):
            await asyncio.gather(customers.send_round(sending / mails * 0.8), visitors.come_all(sending))
    await asyncio.sleep(max(0.0, end - loop.time()))
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            await audit.settled()


def sign_in(daemon: Daemon, agent: str) -> str:
    """A link that opens an agent's desk, once, within ten minutes."""
    ticket = new_ticket(agent, wall_ms(), daemon.parts.settings.link_seconds)
    return f"{daemon.url}/desk#link={links(daemon.parts).sign(ticket)}"


def lay_out(folder: Path, sink_port: int, *, fixed_ports: bool) -> Path:
    """Copy the sample workspace, with hours round the present moment and ports that are free."""
    with as_file(files("router.sim") / "sample" / "workspace") as sample:
        shutil.copytree(sample, folder)
    smtp = SMTP_PORT if fixed_ports and is_free(SMTP_PORT) else 0
    http = HTTP_PORT if fixed_ports and is_free(HTTP_PORT) else 0
    (folder / "calendars.yaml").write_text(calendars(datetime.now(UTC)))
    (folder / "channels.yaml").write_text(
        "channels:\n"
        "  email:\n"
        f'    smtp: {{listen: "127.0.0.1:{smtp}", recipients: [help@alba-air.example, claims@alba-air.example]}}\n'
        f"    send: {{host: 127.0.0.1, port: {sink_port}, tls: none, name: Alba Air}}\n"
        "  webchat:\n"
        "    title: Alba Air\n"
        f"    origins: [{', '.join(origins(http))}]\n"
        "    limits: {visitors_per_hour: 10000, address_messages_per_minute: 1000}\n"  # all come from this machine
        "  http: {}\n"
        f'web: {{listen: "127.0.0.1:{http}"}}\n'
    )
    if fixed_ports:
        workspace = folder / "workspace.yaml"
        patient = f"accept_within: {{chat: {OFFER_SECONDS}s, messaging: 12s, email: {OFFER_SECONDS}s}}"
        workspace.write_text(re.sub(r"accept_within: \{.*\}", patient, workspace.read_text()))
    return folder


def join_slack(config: Path, slack: FakeSlack) -> None:
    """Put the workspace's agents into a Slack of this machine, and its app into the workspace; and a customer."""
    for name, agent in load(config).config.agents.items():
        if agent.email:
            slack.add_user(name, email=agent.email, real_name=agent.name)
    team = slack.add_channel("support", members=[*load(config).config.agents, slack.bot])
    for name, secret in (("slack-bot", slack.bot_token), ("slack-app", slack.app_token)):
        (config / name).write_text(secret)
    slack.add_user("cara", real_name="Cara Cruz", team=CUSTOMERS_TEAM)
    shop = slack.add_channel("bigco-help", members=["cara", slack.bot], shared_with=CUSTOMERS_TEAM)
    channels = config / "channels.yaml"
    named = f'bot_token: "file:slack-bot", app_token: "file:slack-app", team_channel: {team.id}, api: "{slack.api_url}"'
    named += f", customers: {{{shop.id}: {{}}}}"
    channels.write_text(channels.read_text().replace("  http: {}\n", f"  http: {{}}\n  slack: {{{named}}}\n"))


def origins(port: int) -> list[str]:
    """Pages that may show the chat, quoted for YAML: this machine's at the demo's port, by either name.

    None for a port that is yet to be picked: the daemon's own pages always may.
    """
    return [f'"http://{host}:{port}"' for host in ("127.0.0.1", "localhost")] if port else []


def calendars(now: datetime) -> str:
    """Two shifts that overlap now: one began six hours ago, the other two, in UTC."""
    lines = ["calendars:"]
    for name, began in (("lisbon", 6), ("bogota", 2)):
        start = (now - timedelta(hours=began)).replace(minute=0)
        end = start + timedelta(hours=12)
        lines.append(f'  {name}: {{timezone: UTC, hours: {{daily: ["{start:%H:%M}-{end:%H:%M}"]}}}}')
    return "\n".join(lines) + "\n"


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
