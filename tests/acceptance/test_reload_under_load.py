"""Rules are changed again and again while mail streams in: nothing is lost, and nobody is offered what is forbidden.

The times are `make bench`'s to tell (section `reload`); here it is shown that what happens is right, by an auditor that
follows the journal and shares no code with the engine.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiosmtplib
import pytest

from router.app.daemon import Daemon
from router.core.decisions import OfferTo
from router.core.engine import Engine
from router.core.events import WorkspaceChanged
from router.core.invariants import Auditor, check_state
from router.core.values import Workspace
from router.shell.journal import Journal
from skills.workspace import load

AGENTS = 100
MAILS = 800
CLIENTS = 6
CHANGES = 20


def workspace(change: int) -> str:
    """A hundred agents of five levels; each change asks for another level, and moves a skill from agent to agent."""
    agents = "\n".join(
        f"  a{n}: {{skills: {{bags: {1 + (n + change) % 5}, lang:en: 5}}, capacity: {{email: 4}}}}"
        for n in range(AGENTS)
    )
    return (
        f"workspace: acme\nlanguages: [en]\nagents:\n{agents}\n"
        "topics: {bags: {keywords: [suitcase]}}\n"
        f"rules: [{{when: {{topic: bags}}, require: {{bags: {1 + change % 5}}}}}]\n"
        "offers: {accept_within: {email: 8h}}\n"
        'channels: {email: {smtp: {listen: "127.0.0.1:0", recipients: [help@acme.example]}}}\n'
        'web: {listen: "127.0.0.1:0"}\n'
    )


async def send(port: int, numbers: list[int], acknowledged: list[int]) -> None:
    """One sender's share of the mails."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False) as client:
        for number in numbers:
            raw = f"From: c{number}@example.org\r\nMessage-ID: <m{number}@x.example>\r\n\r\nMy suitcase {number}.\r\n"
            await client.sendmail(f"c{number}@example.org", ["help@acme.example"], raw.encode())
            acknowledged.append(number)
            await asyncio.sleep(0.01)


async def change_rules(daemon: Daemon, path: Path) -> int:
    """Save CHANGES other workspaces, each once the one before is in force; gives how many came into force."""
    for change in range(1, CHANGES + 1):
        before = daemon.reloader.reloads
        partial = path.with_suffix(".new")
        partial.write_text(workspace(change))
        partial.replace(path)
        async with asyncio.timeout(60):
            while daemon.reloader.reloads == before:
                await asyncio.sleep(0.01)
    return daemon.reloader.reloads


async def audit(daemon: Daemon) -> tuple[list[str], int, int]:
    """Follow the journal from its beginning: violations, changes of the workspace, offers."""
    engine, journal, auditor = Engine(), Journal(daemon.store), Auditor()
    found: list[str] = []
    changes = offers = 0
    in_force = Workspace(name="")
    async for record in journal.read():
        decisions = engine.apply(record.event)
        found += [str(violation) for violation in auditor.observe(record.event, decisions, engine.state)]
        if isinstance(record.event, WorkspaceChanged):
            in_force = record.event.workspace
            changes += 1
        for decision in decisions:
            if isinstance(decision, OfferTo):
                offers += 1
                level = next(level for skill, level in decision.explanation.requirement.must if skill == "bags")
                wanted = dict(in_force.rules[0].require)["bags"]
                if level != wanted or in_force.agents[decision.agent].skills["bags"] < wanted:
                    found.append(f"record {record.n}: {decision.agent} was offered {decision.contact}")
    found += [str(violation) for violation in check_state(engine.state)]
    return found, changes, offers


@pytest.mark.timeout(600)
async def test_rules_change_twenty_times_while_mail_streams_in(tmp_path: Path) -> None:
    """Every mail is in one contact, each change is in force, and each offer follows the rules of its moment."""
    path = tmp_path / "config" / "workspace.yaml"
    path.parent.mkdir()
    path.write_text(workspace(0))
    daemon = Daemon(load(path.parent), tmp_path / "data")
    await daemon.start()
    try:
        assert daemon.smtp is not None
        for agent in daemon.config.agents:
            assert (await daemon.commands.act(agent, "status", {"status": "available"}, agent)).ok
        acknowledged: list[int] = []
        shares = [list(range(first, MAILS, CLIENTS)) for first in range(CLIENTS)]
        senders = asyncio.gather(*(send(daemon.smtp[1], share, acknowledged) for share in shares))
        assert await change_rules(daemon, path) == CHANGES
        await senders
        async with asyncio.timeout(120):
            while len(daemon.live.state.contacts) < MAILS:
                await asyncio.sleep(0.05)
        assert sorted(acknowledged) == list(range(MAILS))
        placed = Counter(ref.id for contact in daemon.live.state.contacts.values() for ref in contact.messages)
        assert len(placed) == MAILS
        assert set(placed.values()) == {1}
        violations, changes, offers = await audit(daemon)
        assert violations == []
        assert changes == CHANGES + 1
        assert offers > AGENTS
    finally:
        await daemon.stop()
