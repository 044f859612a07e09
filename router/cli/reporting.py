"""What became of things: the shadow report, usherd's choices beside what people did."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import DATA, Data, Json, Token, Url
from router.core.errors import ConfigError

PAIRS_SHOWN_MAX = 3


def report(
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="What usherd would have done, beside what people did.")
    ] = False,
) -> None:
    """Compare: with --shadow, usherd's choices with those of the people who answered."""
    output.wants_json(json)
    if not shadow:
        raise ConfigError("which report?", hint="--shadow: what usherd would have done, beside what people did")
    found = Daemon(data, url, token).get("/v1/reports/shadow")
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
