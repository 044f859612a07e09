"""`usherd whatif`: what a change of the workspace would have done to what came in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from router.cli import output
from router.cli.options import CONFIG, DATA, Config, Data, Json

New = Annotated[Path, typer.Option("--new", metavar="DIR", help="The changed workspace: a folder of YAML files.")]
Since = Annotated[str, typer.Option("--since", metavar="AGO", help="How far to look back: 7d, 12h, 90m.")]
Reclassify = Annotated[
    bool, typer.Option("--reclassify", help="Train the new workspace's topics and read the bodies still kept again.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Draw waits and work by agent into this folder (SVG).")
]
MOVES_SHOWN = 10


def whatif(
    new: New,
    config: Config = CONFIG,
    data: Data = DATA,
    since: Since = "7d",
    reclassify: Reclassify = False,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Rehearse a change: live through what was recorded, under the workspace in use and under the new one."""
    from router.app.whatif import rehearse
    from router.core.errors import ConfigError
    from router.sim import rehearsal_plots
    from router.sim.plots import needs_matplotlib
    from skills.scalars import parse_duration

    output.wants_json(json)
    if plot is not None:
        needs_matplotlib()
    try:
        ago = parse_duration(since)
    except ValueError as error:
        raise ConfigError(f"--since {error}") from None
    with output.counting("reading") as progress:
        done = asyncio.run(rehearse(config, new, data, since_ms=ago, reclassify=reclassify, progress=progress))
    if json:
        output.give(done.found)
    else:
        _show(done.found)
    if plot is not None:
        drawn = rehearsal_plots.draw(done.before, done.after, plot)
        output.say(f"drew {', '.join(map(str, drawn))}")


def _show(found: dict[str, Any]) -> None:
    output.say(f"{found['contacts']:,} contacts from {found['since']} to {found['until']}")
    if not found["rehearsed"]:
        output.say("[dim]compared with the folder in --config, which is not what is in force[/]")
    if not found["contacts"]:
        output.say("Nobody wrote in that time: look further back with [bold]--since[/]")
    if found["same"]:
        output.say("[green]Nothing would have been different.[/]")
        return
    rows = [_row(topic or "(no topic)", both) for topic, both in found["waits"].items()]
    columns = ["topic", "contacts", "wait, s", "then", "p95, s", "then", "SLA kept", "then", "nobody", "then"]
    output.table("Waits until somebody had it", columns, [*rows, _row("all", found["wait"])])
    load = [_pair(agent, both, ",.1f") for agent, both in found["load"].items()]
    load.append(_pair("CV", found["load_cv"], ".3f"))
    output.table("Minutes of work", ["agent", "now", "then"], load)
    output.say(f"{found['moved']:,} contacts go to somebody else")
    for move in found["moves"][:MOVES_SHOWN]:
        who = f"{move['before'] or 'nobody'} → {move['after'] or 'nobody'}"
        output.out.print(f"  {output.escape(move['contact'])} ({output.escape(move['topic'] or 'no topic')}): {who}")
    for topic, number in found["dead_ends"].items():
        output.say(f"[bold red]dead end:[/] {number} more of {output.escape(topic or 'no topic')} with nobody able")
    _say_doubts(found)


def _say_doubts(found: dict[str, Any]) -> None:
    """What the record does not say, and so was assumed, left out or refused."""
    for what, both in found["assumed"].items():
        output.say(f"[dim]assumed:[/] {output.escape(what)} ({both['before']} now, {both['after']} then)")
    for what, number in found["left_out"].items():
        output.say(f"[dim]left out, because people decided it:[/] {output.escape(what)} ({number})")
    for what, both in found["refused"].items():
        output.say(f"[dim]refused by the engine:[/] {output.escape(what)} ({both['before']} now, {both['after']} then)")
    if found["reclassified"]:
        output.say(f"{found['reclassified']:,} messages were read again by the new model")


def _pair(name: str, both: dict[str, float | None], form: str) -> tuple[str, ...]:
    return name, _cell(both["before"], form), _cell(both["after"], form)


def _row(name: str, both: dict[str, Any]) -> tuple[str, ...]:
    before, after = both["before"], both["after"]
    pairs = [(_cell(before[key], form), _cell(after[key], form)) for key, form in FIGURES]
    return name, f"{before['contacts']:,}", *(cell for pair in pairs for cell in pair)


FIGURES = (("wait_mean", ",.1f"), ("wait_p95", ",.1f"), ("sla_attainment", ".1%"), ("nobody", ",d"))


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
