"""What a supervisor asks a running daemon: status, queue, agents, contacts, explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url


def status(data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Say how the daemon is: who leads, how long the journal is, what lags, what is wrong."""
    found = _ask(data, url, token, json, "/v1/status")
    if json:
        output.give(found)
        return
    journal = found["journal"]
    rows: list[tuple[str, object]] = [
        ("node", found["node"]),
        ("leads", found["leader"] or "nobody"),
        ("workspace", found["config"][:12]),
        ("journal", f"{journal['records']} records, the last is {journal['last']}"),
        ("not yet read", found["inbox_lag"]),
        ("not yet sent", found["outbox_lag"]),
    ]
    rows += [
        ("standby", f"{one['node']}, {max(0, journal['records'] - one['records'])} records behind")
        for one in found["standbys"]
    ]
    rows += [(name, ", ".join(f"{k} {v}" for k, v in about.items())) for name, about in found["channels"].items()]
    output.table("usherd", ["", ""], rows)
    for problem in found["problems"]:
        output.say(f"[bold red]problem:[/] {output.escape(problem)}")


def queue(data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show what waits, by what it requires, and how many could take it."""
    found = _ask(data, url, token, json, "/v1/queue")
    if json:
        output.give(found)
        return
    rows = [
        (
            _requirement(line["requirement"]),
            line["kind"],
            line["waiting"],
            _span(line["oldest_seconds"]),
            line["able"],
            line["free"],
        )
        for line in found["profiles"]
    ]
    output.table(f"{found['waiting']} waiting", ["requirement", "kind", "waiting", "oldest", "able", "free"], rows)


def agents(data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the agents: status, what they hold, how much of their time is taken."""
    found = _ask(data, url, token, json, "/v1/agents")
    if json:
        output.give(found)
        return
    rows = [
        (
            agent["id"],
            agent["status"],
            len(agent["held"]) if isinstance(agent["held"], list) else agent["held"],
            agent["units"],
            f"{agent['utilisation']:.0%}",
            " ".join(f"{skill}:{level}" for skill, level in agent["skills"].items()),
        )
        for agent in found["agents"]
    ]
    output.table("agents", ["agent", "status", "held", "units", "utilisation", "skills"], rows)


def contacts(  # each is a flag
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    auto: Annotated[bool, typer.Option("--auto", help="Bounces, auto-replies and lists instead.")] = False,
) -> None:
    """List the open contacts."""
    found = _ask(data, url, token, json, "/v1/contacts", all=everything, auto=auto)
    if json:
        output.give(found)
        return
    if auto:
        names = ("id", "channel", "auto", "at", "from", "subject")
        listed = [tuple(one[name] for name in names) for one in found["auto"]]
        output.table(f"{len(listed)} that nobody is asked to answer", ["message", *names[1:]], listed)
        return
    rows = [
        (
            contact["id"],
            contact["state"],
            contact["channel"],
            contact.get("customer") or "",
            contact.get("subject") or "",
            ", ".join(topic if isinstance(topic, str) else topic["topic"] for topic in contact["topics"]),
            contact["priority"],
            contact["agent"] or "",
        )
        for contact in found["contacts"]
    ]
    columns = ["contact", "state", "channel", "customer", "subject", "topics", "priority", "agent"]
    output.table("1 contact" if len(rows) == 1 else f"{len(rows)} contacts", columns, rows)


def explain(  # each is a flag
    contact: Annotated[str, typer.Argument(help="A contact's id, such as c12.")],
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
    full: Annotated[bool, typer.Option("--full", help="Every candidate, by replaying to that moment.")] = False,
) -> None:
    """Say why this agent, this moment; or why the contact still waits."""
    found = _ask(data, url, token, json, f"/v1/explain/{quote(contact, safe='')}", full=full)
    if json:
        output.give(found)
        return
    who = {"offer": f"offered to {found['agent']}", "assign": f"given to {found['agent']}"}
    output.say(f"[bold]{found['contact']}[/] {who.get(found['decision'], 'waits')} at {found['at'] or 'no time yet'}")
    output.say(f"requires {_requirement(found['requirement'])}")
    if found["moods"]:
        output.say(f"sounds {' and '.join(found['moods'])}")
    effort = found["effort_seconds"]
    if effort["spread"] is not None:
        low, high = effort["spread"]
        output.say(f"likely takes {_minutes(effort['expected'])} min, {_minutes(low)} to {_minutes(high)} in 8 of 10")
    if found["deciding"]:
        output.say(f"decided by: {output.escape(found['deciding'])}")
    rows = [(one["rank"], one["agent"], one["why"]) for one in found["candidates"]]
    if rows:
        output.table("candidates", ["rank", "agent", "why"], rows)
    if found["ruled_out"]:
        output.table("ruled out", ["reason", "agents"], list(found["ruled_out"].items()))
    for change in found["would_have"]:
        output.say(f"it would have gone to {change['agent']}, {output.escape(change['why'])}")
    if found.get("could"):
        rows_could = [(one["agent"], one["at"] or "", one["why"]) for one in found["could"]]
        output.table(f"who could take it ({found['ahead']} before it)", ["agent", "likely at", "why"], rows_could)
    if not rows and {"offline", "away"} & set(found["ruled_out"]):
        output.say("  [dim]try:[/] agents choose Available on their desks; `usherd link AGENT` signs one in")


def _minutes(seconds: int) -> str:
    return f"{seconds / 60:.1f}"


def _ask(data: Path, url: str | None, token: str | None, json: bool, path: str, **query: object) -> dict[str, Any]:
    output.wants_json(json)
    return Daemon(data, url, token).get(path, **query)


def _requirement(requirement: dict[str, Any]) -> str:
    pairs = requirement.get("must", {})
    items = pairs.items() if isinstance(pairs, dict) else pairs
    return " ".join(f"{skill}≥{level}" for skill, level in items) or "anybody"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
