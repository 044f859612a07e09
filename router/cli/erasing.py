"""What is done about one customer: `usherd erase`, `usherd export`, `usherd unblock`."""

from __future__ import annotations

import re
import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url

REMAINS = (
    "What others quoted of them, and mails on which they were only in copy, stay with those who wrote them.",
    "Backups made before keep what they have; keep erased.json of the data directory when you restore one.",
)


def erase(
    customer: Annotated[str, typer.Argument(help="An address, a customer's id, or the id of a contact of theirs.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Erase a customer for good: close their contacts, delete all that was written, forget who they were."""
    output.wants_json(json)
    daemon = Daemon(data, url, token)
    if not yes and not json and sys.stdin.isatty():
        output.say(f"All contacts, messages and files of [bold]{output.escape(customer)}[/] will be gone for good.")
        typer.confirm("Go on?", abort=True, err=True)
    elif not yes:
        raise typer.BadParameter("say --yes: what is erased cannot be brought back", param_hint="--yes")
    found = daemon.post("/v1/erasures", {"customer": customer})
    if json:
        output.give(found)
    else:
        _say(found)
    if found["problem"]:
        raise typer.Exit(1)


def unblock(
    customer: Annotated[
        str,
        typer.Argument(
            help="An address, a customer's id, the id of a contact of theirs, or of a message on `contacts --auto`."
        ),
    ],
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Let a customer write again who was blocked, also once no contact of theirs is kept any more."""
    output.wants_json(json)
    stored = Daemon(data, url, token).post("/v1/customers/unblock", {"customer": customer})
    if json:
        output.give(stored)
    else:
        output.say("They may write again. What they wrote meanwhile stays on the list of `usherd contacts --auto`.")


def export(
    customer: Annotated[str, typer.Argument(help="An address, a customer's id, or the id of a contact of theirs.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="A new folder: customer.json, and the files beside it.")
    ] = None,
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
) -> None:
    """Give all there is of a customer: JSON on stdout, or with --to a folder with their files as well."""
    output.wants_json(True)
    daemon = Daemon(data, url, token)
    found = daemon.get(f"/v1/exports/{quote(customer, safe='')}")
    if to is None:
        output.give(found)
        return
    to.mkdir(mode=0o700)
    for message in found["messages"]:
        for file in message.get("files", ()):
            name = f"{message['id']}-{file['part']}{_ending(file['filename'])}"
            content = daemon.file(f"/v1/messages/{quote(message['id'], safe='')}/files/{file['part']}")
            if content is not None:
                (to / name).write_bytes(content)
                file["saved_as"] = name
    (to / "customer.json").write_text(dumps(found, ensure_ascii=False, indent=1), "utf-8")
    output.say(f"[green]exported:[/] {len(found['messages'])} messages to {output.escape(str(to))}")


def _ending(name: str) -> str:
    """What a file's name ends with, where that is plain: the rest somebody else chose."""
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found[0] if found is not None else ""


def _say(found: dict[str, Any]) -> None:
    what = f"{len(found['contacts'])} contacts, {found['messages']} messages, {found['keys']} keys"
    if not found["done"]:
        output.say(f"[bold]journaled:[/] {what}. Deleting goes on, also after a restart; see `usherd status`.")
    elif found["problem"]:
        output.say(f"[bold red]erased, but for the store's file:[/] {what}.")
        output.say(
            f"The store did not write its append-only file anew ({output.escape(found['problem'])}): what was received "
            "still stands in it. Have somebody who may run BGREWRITEAOF there."
        )
    else:
        output.say(f"[green]erased:[/] {what}.")
    for one in REMAINS:
        output.say(f"[dim]{one}[/]")
