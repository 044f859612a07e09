"""What became of things: how customers were served; in shadow mode, usherd's choices beside what people did."""

from __future__ import annotations

import enum
import sys
from typing import Annotated, Any

import msgspec
import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url
from router.desk.service import Report
from router.desk.service_words import as_csv, as_page, tables, title

PAIRS_SHOWN_MAX = 3


class Form(enum.StrEnum):
    """How a report is given."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    PAGE = "page"


def report(  # each is a flag
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="What usherd would have done, beside what people did.")
    ] = False,
    days: Annotated[float, typer.Option("--days", min=0.01, max=3_660, help="Of so many days, up to now.")] = 7,
    hourly: Annotated[float, typer.Option("--hourly", min=0, help="What an hour of work costs, for the cost.")] = 0,
    form: Annotated[Form, typer.Option("--format", help="text, csv, json or page (HTML, on stdout).")] = Form.TEXT,
) -> None:
    """Say how customers were served: waits, promises, effort and cost, load, satisfaction; or compare with --shadow."""
    output.wants_json(json or form is Form.JSON)
    if shadow:
        _shadow(Daemon(data, url, token), json=json)
        return
    found = Daemon(data, url, token).get("/v1/reports/service", days=days, hourly=hourly)
    if json or form is Form.JSON:
        output.give(found)
        return
    service = msgspec.convert(found, Report)
    if form is Form.TEXT:
        output.say(f"[bold]{output.escape(title(service))}[/]")
        for name, columns, rows in tables(service):
            output.table(name, columns, rows)
        return
    sys.stdout.write(as_csv(service) if form is Form.CSV else as_page(service))


def _shadow(daemon: Daemon, *, json: bool) -> None:
    found = daemon.get("/v1/reports/shadow")
    if json:
        output.give(found)
        return
    if found["mode"] != "shadow":
        output.say("usherd is live: what stands here is of the time in shadow mode.")
    rows = [_row(one["topic"] or "(none)", one) for one in found["topics"]]
    columns = ["topic", "contacts", "answered", "in time", "answer p50", "agreement", "usherd → people"]
    output.table("usherd beside people", columns, [*rows, _row("all", found)])


def _row(name: str, tally: dict[str, Any]) -> tuple[object, ...]:
    agreement = "" if tally["agreement"] is None else f"{tally['agreement']:.0%} of {tally['compared']}"
    seconds = tally["answer_seconds_p50"]
    shown = [
        f"{pair['chosen'] or 'nobody'} → {pair['answered'] or 'somebody'} {pair['contacts']}"
        for pair in tally["pairs"][:PAIRS_SHOWN_MAX]
    ]
    return (
        name,
        tally["contacts"],
        tally["answered"],
        f"{tally['in_time']} of {tally['promised']}" if tally["promised"] else "",
        "" if seconds is None else f"{seconds // 60} min",
        agreement,
        ", ".join(shown),
    )
