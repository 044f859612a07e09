"""The demo in the terminal: what to open, and a table that lives.

What customers wrote is shown as plain text only: nothing that a terminal would obey comes through.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from router.app.daemon import Daemon
from router.app.demo_audit import Audit
from router.core.decisions import Explanation
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import WHOLE

REFRESH_SECONDS = 0.5
BAR_CELLS = 10
WIDTH_MAX = 140
ROWS_OTHERWISE = 19  # of the table, beside the recent contacts
NEWS_MIN, NEWS_MAX = 3, 10
SUBJECTS_KEPT_MAX = 500
LANGUAGE = "lang:"
CHANNELS = {"email": "mail", "webchat": "chat"}
DOTS = {"available": "green", "busy": "yellow", "away": "red", "offline": "bright_black"}
STATES = {
    ContactState.WAITING: ("waiting", "red"),
    ContactState.OFFERED: ("offered", "yellow"),
    ContactState.ASSIGNED: ("open", "cyan"),
    ContactState.WAITING_CUSTOMER: ("answered", "blue"),
    ContactState.SNOOZED: ("snoozed", "magenta"),
    ContactState.RESOLVED: ("resolved", "green"),
}
WHY = {
    "who served this customer": "served them before",
    "preferred skills": "has preferred skills",
    "utilisation": "least utilised of {able} able",
    "scarcity of other skills": "least scarce of {able} able",
    "longest idle": "idle the longest of {able} able",
    "id": "first of {able} alike",
    "the only one": "the only free of {able} able",
}
WELCOME = """
[bold]usherd is at work.[/] A small airline's customers write mails and chat; eight simulated agents answer.

[bold]See both sides[/] in a browser: a visitor's chat, and the desk of the agent who is given it.
  [cyan]{url}/demo[/]

[bold]Open a desk[/] as {name} (the link works once, within ten minutes):
  [cyan]{desk}[/]

[bold]Write to it[/] with any mail client, at {account} by way of {smtp}, or:
  [cyan]swaks --server {smtp} --from you@example.org --to {account} \\
    --header 'Subject: Where is my suitcase?' --body 'It did not arrive with flight AB 123.'[/]
Within a second it is offered to an able agent, and left to you, as your chats are: a link to their desk appears here.

[bold]Ask it[/]   [cyan]{command} status --data {data}[/]
         [cyan]{url}/docs[/] for programs
All answers go to the demo's own sink: nothing leaves this machine. [bold]Ctrl-C[/] ends it.
"""
YOURS = "[bold green]Your {kind}[/] is contact {contact}, offered to {name}. Their desk:\n  [cyan]{link}[/]"
FAREWELL = (
    "{received} messages received: {contacts} contacts, {auto} automatic, [bold]{lost} lost[/]. "
    "{assigned} contacts reached an agent, {answered} were answered. "
    "{skill_violations} without the skills, {capacity_violations} over capacity."
)


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
        self._subjects: dict[str, str] = {}  # contact -> what its first message is headed

    async def run(self) -> None:
        """Welcome, then draw."""
        self._console.print(self._welcome(), soft_wrap=True)
        if not self._console.is_terminal:
            await self._lines()
            return
        with Live(self._draw([]), console=self._console, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                self._announce()
                live.update(self._draw(await self._recent()), refresh=True)

    def farewell(self, *, over: bool) -> None:
        """What it came to, in a sentence; `over`: nothing was under way any more."""
        figures = self._audit.figures(over=over)
        self._console.print(FAREWELL.format(**{name: getattr(figures, name) for name in figures.__struct_fields__}))

    def _welcome(self) -> str:
        first = next(iter(self._daemon.config.agents))
        host, port = self._daemon.smtp or ("", 0)
        called = Path(sys.argv[0])
        return WELCOME.format(
            desk=self._sign_in(first),
            name=self._name(first),
            smtp=f"{host}:{port}",
            account=self._daemon.config.accounts[0],
            url=self._daemon.url,
            command=called if called.name == "usherd" else "usherd",
            data=self._daemon.data,
        )

    async def _lines(self) -> None:
        while True:
            await asyncio.sleep(2)
            self._announce()
            self._console.print(self._counts(), soft_wrap=True)

    def _name(self, agent: str) -> str:
        person = self._daemon.names.person(agent)
        return person.name if person else agent

    def _announce(self) -> None:
        """A link to the desk that a mail from outside came to."""
        for contact, agent in tuple(self._agents.outside.items()):
            if self._links.get(contact, ("", ""))[0] == agent:
                continue
            link = self._sign_in(agent)
            self._links[contact] = (agent, link)
            found = self._daemon.live.state.contacts.get(contact)
            kind = CHANNELS.get(found.channel, found.channel) if found is not None else "message"
            words = YOURS.format(kind=kind, contact=contact, name=self._name(agent), link=link)
            self._console.print(words, soft_wrap=True)

    async def _recent(self) -> list[Contact]:
        """The contacts that somebody was given last, the latest first; their subjects are read."""
        state = self._daemon.live.state
        shown = max(NEWS_MIN, min(NEWS_MAX, self._console.height - ROWS_OTHERWISE))
        names = dict.fromkeys(reversed(self._audit.news))
        found = [state.contacts[name] for name in names if name in state.contacts][:shown]
        missing = {one.messages[0].id: one.id for one in found if one.messages and one.id not in self._subjects}
        if missing:
            messages = await self._daemon.vault.messages(list(missing))
            self._subjects |= {missing[name]: printable(message.subject) for name, message in messages.items()}
        while len(self._subjects) > SUBJECTS_KEPT_MAX:
            del self._subjects[next(iter(self._subjects))]
        return found

    # -- what is drawn ---------------------------------------------------------------------------------------------

    def _draw(self, recent: list[Contact]) -> RenderableType:
        parts = Group(self._counts(), self._speed(), Text(), self._team(), Text(), self._news(recent))
        return Panel(parts, title="usherd", border_style="bright_black", width=min(self._console.width, WIDTH_MAX))

    def _counts(self) -> Text:
        figures = self._audit.figures()
        lost = self._audit.lost_by_now()
        waiting = sum(1 for one in self._daemon.live.state.contacts.values() if one.state is ContactState.WAITING)
        return Text.assemble(
            (f"{figures.received}", "bold"), " received · ",
            (f"{figures.contacts}", "bold"), " contacts · ",
            (f"{figures.auto}", "bold"), " automatic · ",
            (f"{waiting}", "bold"), " waiting · ",
            (f"{len(self._sink.received)}", "bold"), " answers delivered · ",
            (f"{lost} lost", "bold red" if lost else "bold green"),
        )  # fmt: skip

    def _speed(self) -> Text:
        figures = self._audit.figures()
        if figures.assign_seconds_p50 is None or figures.assign_seconds_p99 is None:
            return Text("waiting for the first message", "bright_black")
        p50, p99 = figures.assign_seconds_p50 * 1_000, figures.assign_seconds_p99 * 1_000
        return Text(
            f"offered {p50:.0f} ms after the message was acknowledged (median; 99 % within {p99:.0f} ms)",
            "bright_black",
        )

    def _team(self) -> Table:
        state, config = self._daemon.live.state, self._daemon.config
        table = _table()
        for column in ("agent", "holds", "utilisation", "speaks"):
            table.add_column(column, no_wrap=True)
        table.add_column("skills", no_wrap=True, overflow="ellipsis", ratio=1)
        full = max(WHOLE, *(self._daemon.live.utilisation(name) for name in config.agents))
        for name, agent in config.agents.items():
            seat = state.agents.get(name)
            if seat is None:
                continue
            limit = agent.units if agent.units is not None else sum(agent.kinds.values())
            speaks = [skill.removeprefix(LANGUAGE) for skill in agent.skills if skill.startswith(LANGUAGE)]
            skills = [f"{skill} {level}" for skill, level in agent.skills.items() if not skill.startswith(LANGUAGE)]
            table.add_row(
                Text.assemble(("● ", DOTS[seat.status]), self._name(name)),
                _cells(len(seat.held), limit, "yellow"),
                _share(self._daemon.live.utilisation(name), full),
                Text(" ".join(speaks)),
                Text(", ".join(skills), "bright_black"),
            )
        return table

    def _news(self, recent: list[Contact]) -> Table:
        table = _table()
        table.add_column("contact", no_wrap=True)
        table.add_column("subject", no_wrap=True, overflow="ellipsis", ratio=1)
        for column in ("by", "topic", "", "agent", "state"):
            table.add_column(column, no_wrap=True)
        table.add_column("chosen because", no_wrap=True, overflow="ellipsis", min_width=24)
        for contact in recent:
            word, colour = STATES[contact.state]
            holder = contact.offer.agent if contact.offer is not None else contact.agent
            table.add_row(
                Text(contact.id, "bold"),
                Text(self._subjects.get(contact.id) or "(no subject)"),
                CHANNELS.get(contact.channel, contact.channel),
                contact.topics[0][0] if contact.topics else "unsure",
                contact.language or "",
                self._name(holder).partition(" ")[0] if holder else "",
                Text(word, colour),
                Text(because(self._audit.why.get(contact.id)), "bright_black"),
            )
        return table


def because(explanation: Explanation | None) -> str:
    """Why the agent was chosen, in a few words."""
    if explanation is None:
        return ""
    if explanation.manual:
        return "assigned by hand"
    return WHY.get(explanation.deciding, explanation.deciding).format(able=explanation.able)


def printable(text: str) -> str:
    """On one line, without anything that a terminal obeys or that turns its direction."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bright_black", expand=True)


def _cells(held: int, limit: int, colour: str) -> Text:
    return Text.assemble(("■" * min(held, limit), colour), ("·" * max(0, limit - held), "bright_black"))


def _share(utilisation: int, full: int) -> Text:
    """A bar that is full at `full`, and the share in per cent, which exceeds 100 when work comes in faster."""
    cells = round(utilisation * BAR_CELLS / full)
    rest = ("─" * (BAR_CELLS - cells), "bright_black")
    return Text.assemble(("━" * cells, "cyan"), rest, f" {utilisation / WHOLE:4.0%}")
