"""`usherd journal`: the record of every event and decision, verified, exported, restored, gone on with after a loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from router.cli import output
from router.cli.options import CONFIG, DATA, Config, Data, Json


def verify(config: Config = CONFIG, data: Data = DATA, json: Json = False) -> None:
    """Read the whole journal, archive included: no hole, an unbroken chain, the same decisions when replayed."""
    from router.app.journal import verify_journal

    output.wants_json(json)
    with _progress("read") as progress:
        verdict = asyncio.run(verify_journal(config, data, progress=progress))
    found = {
        "records": verdict.records,
        "ok": verdict.ok,
        "first_bad": verdict.first_bad,
        "state_hash": verdict.state_hash,
        "problem": verdict.problem,
        "archived": verdict.archived,
        "snapshots": verdict.snapshots,
        "compared_from": verdict.compared_from,
        "losses": list(verdict.losses),
    }
    if json:
        output.give(found)
    else:
        for loss in verdict.losses:
            output.say(f"[yellow]accepted:[/] {output.escape(loss)}")
        if verdict.ok:
            where = f"{verdict.archived:,} of them archived, {verdict.snapshots} snapshots compared"
            output.say(f"[green]whole:[/] {verdict.records:,} records, {where}; state {verdict.state_hash[:16]}")
        else:
            output.say(f"[bold red]broken at record {verdict.first_bad}:[/] {output.escape(verdict.problem)}")
    if not verdict.ok:
        raise typer.Exit(1)


def snapshot(config: Config = CONFIG, data: Data = DATA, json: Json = False) -> None:
    """Replay since the last snapshot, take one, and put old records into the archive, as the daemon does by itself."""
    from router.app.journal import snapshot as take

    output.wants_json(json)
    done = asyncio.run(take(config, data))
    if json:
        output.give({"records": done.n, "snapshot": done.snapshot, "archived": done.archived, "trimmed": done.trimmed})
        return
    output.say(f"Replayed to record {done.n:,} in {done.seconds} s; {done.archived:,} records archived")


def export(
    to: Annotated[Path | None, typer.Option(help="A file; .gz compresses it. Else standard output.")] = None,
    first: Annotated[int, typer.Option(help="The first record.", min=1)] = 1,
    last: Annotated[int | None, typer.Option(help="The last record.", min=1)] = None,
    config: Config = CONFIG,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Write records as JSON Lines, {"id", "record"}, from archive and store."""
    from router.app.journal import export as write

    output.wants_json(json)
    with _progress("written") as progress:
        done = asyncio.run(write(config, data, to, first=first, last=last, progress=progress))
    if to is not None:
        if json:
            output.give({"records": done, "file": str(to)})
        else:
            output.say(f"{done:,} records in {output.escape(str(to))}")


def restore(config: Config = CONFIG, data: Data = DATA, json: Json = False) -> None:
    """Put the archived records back into the empty journal of a new store. No daemon may run."""
    from router.app.journal import restore as put_back

    output.wants_json(json)
    with _progress("restored") as progress:
        done = asyncio.run(put_back(config, data, progress=progress))
    if json:
        output.give({"records": done})
    else:
        output.say(f"{done:,} records restored. Records that were not archived are lost: `usherd journal accept-loss`")


def accept_loss(
    yes: Annotated[bool, typer.Option("--yes", help="Go on without what is lost; else it is only said.")] = False,
    config: Config = CONFIG,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Say what a damaged journal has lost and, with --yes, go on without it. Stop all nodes first."""
    from router.app.journal import accept_loss as accept
    from router.app.journal import what_is_lost

    output.wants_json(json)
    if yes:
        accepted = asyncio.run(accept(config, data))
        damage, record = (None, None) if accepted is None else accepted
    else:
        damage, record = asyncio.run(what_is_lost(config, data)), None
    if json:
        loss = None if damage is None else damage.loss
        output.give(
            {
                "lost": 0 if damage is None else damage.lost,
                "after": None if loss is None else loss.after,
                "seen": None if loss is None else loss.seen,
                "missing": [] if loss is None else [list(span) for span in loss.missing],
                "problem": "" if damage is None else damage.problem,
                "accepted": record,
            }
        )
    elif damage is None:
        output.say("[green]Nothing is lost:[/] the journal holds everything that is known of")
    else:
        output.say(f"[bold red]{output.escape(damage.problem)}[/]")
        output.say(
            f"The state after record {damage.loss.after:,} can be had; {damage.lost:,} records after it are lost"
        )
        for first, last in damage.loss.missing:
            output.say(f"Records {first:,} to {last:,} are in that state, and can no longer be read themselves")
        if record is not None:
            output.say(f"Record {record:,} says that you go on without them")
        else:
            output.say("With --yes usherd goes on from there, and the journal says so for good")
    if damage is not None and record is None:
        raise typer.Exit(1)


@contextmanager
def _progress(done: str) -> Iterator[Callable[[int], object]]:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=output.people, transient=True) as bar:
        task = bar.add_task("looking at the journal")

        def show(n: int) -> None:
            if n % 500 == 0:
                bar.update(task, description=f"{n:,} records {done}")

        yield show
