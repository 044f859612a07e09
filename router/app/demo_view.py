"""The demo in the terminal: a table that lives, and what to open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from router.app.daemon import Daemon
from router.app.demo_audit import Audit
from router.core.transitions import ContactState
from router.core.values import WHOLE

REFRESH_SECONDS = 0.5
BAR_CELLS = 12
NEWS_SHOWN = 6
DOTS = {"available": "green", "busy": "yellow", "away": "red", "offline": "dim"}
WELCOME = """[bold]usherd is at work.[/] Mail of a small airline's customers comes in, eight simulated agents answer it.

  [bold]a desk to open[/]     {desk}
                     (you are {name}; the link works once, for ten minutes)
  [bold]write to it[/]        swaks --server {smtp} --from you@example.org --to {account} \\
                       --header 'Subject: Where is my suitcase?' --body 'It did not arrive with flight AB 123.'
  [bold]the HTTP API[/]       {url}/docs
  [bold]the command line[/]   usherd status --data {data}

Mail of yours is offered to an able agent within a second; a link to that agent's desk then appears below.
All answers go to the demo's own sink: nothing leaves this machine. [bold]Ctrl-C[/] ends it.
"""


class Outside(Protocol):
    """Who was offered the mails from outside the sample."""

    outside: dict[str, str]


class Kept(Protocol):
    """What was delivered."""

    received: list[bytes]


class View:
    """Draws until cancelled; where nobody watches it prints a line now and then."""

    def __init__(
        self, daemon: Daemon, audit: Audit, agents: Outside, sink: Kept, *, sign_in: Callable[[str], str]
    ) -> None:
        self._daemon = daemon
        self._audit = audit
        self._agents = agents
        self._sink = sink
        self._sign_in = sign_in
        self._console = Console(stderr=True, highlight=False)
        self._links: dict[str, tuple[str, str]] = {}  # contact -> (agent, link)

    async def run(self) -> None:
        """Welcome, then draw."""
        self._console.print(self._welcome(), soft_wrap=True)
        if not self._console.is_terminal:
            await self._lines()
            return
        with Live(self._draw(), console=self._console, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                self._announce()
                live.update(self._draw(), refresh=True)

    def _welcome(self) -> str:
        first = next(iter(self._daemon.config.agents))
        person = self._daemon.names.person(first)
        host, port = self._daemon.smtp or ("", 0)
        return WELCOME.format(
            desk=self._sign_in(first),
            name=person.name if person else first,
            smtp=f"{host}:{port}",
            account=self._daemon.config.accounts[0],
            url=self._daemon.url,
            data=self._daemon.data,
        )

    async def _lines(self) -> None:
        while True:
            await asyncio.sleep(2)
            self._announce()
            self._console.print(self._counts())

    def _announce(self) -> None:
        """A link to the desk that a mail from outside came to."""
        for contact, agent in tuple(self._agents.outside.items()):
            if self._links.get(contact, ("", ""))[0] == agent:
                continue
            link = self._sign_in(agent)
            self._links[contact] = (agent, link)
            person = self._daemon.names.person(agent)
            name = person.name if person else agent
            self._console.print(f"[bold green]your mail[/] is contact {contact}, with {name}: {link}", soft_wrap=True)

    def _draw(self) -> RenderableType:
        return Panel(Group(self._counts(), Text(), self._team(), Text(), self._news()), title="usherd", expand=False)

    def _counts(self) -> Text:
        figures = self._audit.figures()
        waiting = sum(1 for one in self._daemon.live.state.contacts.values() if one.state is ContactState.WAITING)
        line = Text.assemble(
            (f"{figures.received}", "bold"), " received · ",
            (f"{figures.contacts}", "bold"), " contacts · ",
            (f"{figures.auto}", "bold"), " automatic · ",
            (f"{waiting}", "bold"), " waiting · ",
            (f"{len(self._sink.received)}", "bold"), " answers delivered · ",
            (f"{figures.lost} lost", "bold red" if figures.lost else "bold green"),
        )  # fmt: skip
        if figures.assign_seconds_p50 is not None and figures.assign_seconds_p99 is not None:
            p50, p99 = figures.assign_seconds_p50 * 1_000, figures.assign_seconds_p99 * 1_000
            line.append(f" · offered after {p50:.0f} ms (p50), {p99:.0f} ms (p99)", "dim")
        return line

    def _team(self) -> Table:
        state, config = self._daemon.live.state, self._daemon.config
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("agent", "", "holds", "effort per available minute", "skills"):
            table.add_column(column)
        for name, agent in config.agents.items():
            seat = state.agents.get(name)
            if seat is None:
                continue
            share = min(1.0, self._daemon.live.utilisation(name) / WHOLE)
            full = round(share * BAR_CELLS)
            bar = Text("█" * full + "·" * (BAR_CELLS - full) + f" {share:4.0%}", "cyan")
            skills = " ".join(f"{skill} {level}" for skill, level in agent.skills.items())
            limit = agent.units if agent.units is not None else sum(agent.kinds.values())
            table.add_row(
                agent.name, Text("●", DOTS[seat.status]), f"{len(seat.held)} of {limit}", bar, Text(skills, "dim")
            )
        return table

    def _news(self) -> Table:
        state = self._daemon.live.state
        table = Table(box=None, pad_edge=False, show_header=False)
        for contact, agent in self._audit.news[-NEWS_SHOWN:]:
            found = state.contacts.get(contact)
            if found is None:
                continue
            topics = ", ".join(topic for topic, _ in found.topics[:1]) or "unsure"
            table.add_row(Text(contact, "bold"), topics, found.language or "", "→", agent, Text(found.state, "dim"))
        return table
