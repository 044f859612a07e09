"""`usherd topics versions`, `back`, `learn`: what the running daemon learned, and which model is in force."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url

SHOWN = 12  # characters of a SHA-256

Version = Annotated[
    str, typer.Argument(metavar="[MODEL]", help="The beginning of a model's name; else the one before.")
]

Again = Annotated[bool, typer.Option("--again", help="Also where nothing was said since it was trained last.")]


def versions(data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """List the models that are kept, the newest first: what they learned, how they did, which is in force."""
    output.wants_json(json)
    _tell(Daemon(data, url, token).get("/v1/topics"), json=json)


def back(model: Version = "", data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Put an earlier model in force; nothing more is learned from desks until `usherd topics learn`."""
    output.wants_json(json)
    _tell(Daemon(data, url, token).post("/v1/topics/back", {"model": model}), json=json)


def learn(data: Data = DATA, url: Url = None, token: Token = None, again: Again = False, json: Json = False) -> None:
    """Train the model anew, now, on all that agents said; it comes into force unless it is worse."""
    output.wants_json(json)
    _tell(Daemon(data, url, token).post("/v1/topics/learn", {"again": again}), json=json)


def _tell(found: dict[str, Any], *, json: bool) -> None:
    if json:
        output.give(found)
        return
    rows = [
        (one["digest"][:SHOWN], _when(one["at"]), one["labels"], one["said"], "yes" if _in_force(one, found) else "")
        for one in found["versions"]
    ]
    output.table("Topic models kept", ["model", "since", "labels", "how it did", "in force"], rows)
    for name, about in next((one["beside"] for one in found["versions"] if _in_force(one, found)), {}).items():
        state = "[green]told[/]" if about["on"] else "[yellow]off[/]"
        output.say(f"{name}: {state}, {output.escape(about['said'])}")
    if found["held"]:
        output.say("[yellow]Nothing is learned from desks[/] until `usherd topics learn`.")
    if found["refused"]:
        output.say(f"The last attempt came to nothing, for it would be worse: {output.escape(found['refused'])}")


def _in_force(one: dict[str, Any], found: dict[str, Any]) -> bool:
    return bool(one["digest"] == found["current"])


def _when(at: int) -> str:
    return dt.datetime.fromtimestamp(at / 1_000).astimezone().strftime("%Y-%m-%d %H:%M")
