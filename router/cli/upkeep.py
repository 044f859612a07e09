"""Operations: quarantine, sign-in links, tokens."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url

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
