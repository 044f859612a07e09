"""Operations: quarantine, journal, sign-in links, tokens."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from urllib.parse import quote

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import CONFIG, DATA, Config, Data, Json, Token, Url

MessageId = Annotated[str, typer.Argument(help="A message's id, from `usherd quarantine list`.")]


def quarantine_list(data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """List what could not be read, and the contact that shows it."""
    output.wants_json(json)
    found = Daemon(data, url, token).get("/v1/quarantine")
    if json:
        output.give(found)
        return
    rows = [(item["id"], item["contact"], item["at"], item["reason"]) for item in found["quarantine"]]
    output.table(f"{len(rows)} in quarantine", ["message", "contact", "since", "why"], rows)


def quarantine_show(
    message: MessageId, data: Data = DATA, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Show one of them as it was received."""
    output.wants_json(json)
    found = Daemon(data, url, token).get(f"/v1/quarantine/{quote(message, safe='')}")
    if json:
        output.give(found)
        return
    output.say(f"[bold]{found['id']}[/] in contact {found['contact']}, {found['size']:,} bytes")
    output.out.print(output.escape(found["raw"]))


def quarantine_retry(
    message: MessageId, data: Data = DATA, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Have it read once more; what is understood then goes on as an ordinary contact."""
    output.wants_json(json)
    found = Daemon(data, url, token).post(f"/v1/quarantine/{quote(message, safe='')}/retry", {})
    if json:
        output.give(found)
        return
    output.say(f"{found['id']} is being read again; see contact {found['contact']}")


def journal_verify(config: Config = CONFIG, data: Data = DATA, json: Json = False) -> None:
    """Read the whole journal: no hole, an unbroken chain, and replaying it gives the same decisions."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from router.app.verify import verify_journal

    output.wants_json(json)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=output.people, transient=True) as bar:
        task = bar.add_task("reading the journal")
        verdict = asyncio.run(
            verify_journal(config, data, progress=lambda n: bar.update(task, description=f"{n:,} records read"))
        )
    found = {
        "records": verdict.records,
        "ok": verdict.ok,
        "first_bad": verdict.first_bad,
        "state_hash": verdict.state_hash,
        "problem": verdict.problem,
    }
    if json:
        output.give(found)
    elif verdict.ok:
        output.say(f"[green]whole:[/] {verdict.records:,} records; state {verdict.state_hash[:16]}")
    else:
        output.say(f"[bold red]broken at record {verdict.first_bad}:[/] {output.escape(verdict.problem)}")
    if not verdict.ok:
        raise typer.Exit(1)


def link(
    agent: Annotated[str, typer.Argument(help="An agent's id.")],
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a link that signs an agent in at the web desk; it works once, within ten minutes."""
    output.wants_json(json)
    found = Daemon(data, url, token).post("/v1/links", {"agent": agent})
    if json:
        output.give(found)
    else:
        output.out.print(found["url"], soft_wrap=True)


def token_create(
    scope: Annotated[
        Literal["messages", "read", "admin"], typer.Option(help="messages (send them in), read (ask), or admin.")
    ],
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a bearer token for a program. It is shown once and kept only as a hash."""
    output.wants_json(json)
    found = Daemon(data, url, token).post("/v1/tokens", {"scope": scope})
    if json:
        output.give(found)
    else:
        output.out.print(found["token"], soft_wrap=True)
