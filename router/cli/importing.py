"""`usherd import`: open contacts from elsewhere come in by the daemon's own door."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from router.cli import output
from router.cli.client import address
from router.cli.options import DATA, Data, Json, Token, Url
from router.core.errors import ConfigError

Files = Annotated[list[Path], typer.Argument(help="JSON Lines (.jsonl) or mbox files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read everything and say what would come in; send nothing.")]
PLACES_SHOWN_MAX = 5
REASONS_SHOWN_MAX = 12


def import_contacts(
    files: Files,
    dry_run: DryRun = False,
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Take in open contacts from another system. A second import of the same file doubles nothing."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from router.app.handing_in import Door, hand_in
    from router.app.incoming import how_many, read

    output.wants_json(json)
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise ConfigError(f"there is no file {missing}", hint="name .jsonl or .mbox files", code="no-such-file")
    door = Door(*address(data, url, token))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        known = door.known()
        with Progress(*columns, console=output.people, transient=True) as bar:
            task = bar.add_task("reading" if dry_run else "importing", total=sum(map(how_many, files)))
            found = itertools.chain.from_iterable(read(path, known) for path in files)
            tally = hand_in(found, door, dry=dry_run, progress=lambda: bar.advance(task))
    finally:
        door.close()
    if json:
        output.give({**msgspec.to_builtins(tally), "dry_run": dry_run})
    else:
        _show(tally, dry_run=dry_run)
    if tally.skipped and not tally.imported and not tally.duplicates:
        raise typer.Exit(1)


def _show(tally: Any, *, dry_run: bool) -> None:  # noqa: ANN401 (a handing_in.Tally, imported when it is needed)
    from router.app.handing_in import reasons

    would = "would come in" if dry_run else "came in"
    output.say(
        f"[green]{would}: {tally.imported:,}[/]; here already: {tally.duplicates:,}; skipped: {len(tally.skipped):,}"
    )
    if tally.assigned:
        output.say(f"given to who had them: {tally.assigned:,}")
    for title, odd in (("skipped", tally.skipped), ("not wholly", tally.notes)):
        for reason, ones in itertools.islice(reasons(odd), REASONS_SHOWN_MAX):
            places = ", ".join(f"{Path(one.file).name}:{one.place}" for one in ones[:PLACES_SHOWN_MAX])
            more = f" and {len(ones) - PLACES_SHOWN_MAX:,} more" if len(ones) > PLACES_SHOWN_MAX else ""
            output.say(f"  [yellow]{title}:[/] {output.escape(f'{reason} ({places}{more})')}")
