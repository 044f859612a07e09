"""Looking before leaping: is the workspace right, and what would usherd make of these messages?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from router.cli import output
from router.cli.options import CONFIG, DATA, Config, Data, Json
from router.core.errors import ConfigError

Files = Annotated[
    list[Path],
    typer.Argument(help="Mails as .eml files, or messages as .json; `-` reads a list of paths from standard input."),
]


Slack = Annotated[bool, typer.Option("--slack", help="Ask Slack whether tokens, scopes, channel and agents are right.")]


Preview = Annotated[
    Path | None, typer.Option("--preview", help="Write into this folder what mails would look like, by language.")
]


def check(
    config: Config = CONFIG, data: Data = DATA, slack: Slack = False, preview: Preview = None, json: Json = False
) -> None:
    """Check the workspace: every error at once with file, line and remedy, then who covers what, and how busy it is.

    How busy is found out from the last week of the journal in --data, which is only read; without one, from hours only.
    """
    from router.app.checking import check_workspace, previews

    output.wants_json(json)
    with output.counting("reading") as progress:
        found = check_workspace(config, data, progress)
    if slack and not found["errors"]:
        found["slack"] = _ask_slack(config)
    if preview is not None and not found["errors"]:
        found["preview"] = previews(config, preview)
    if json:
        output.give(found)
    else:
        _show_check(found)
    if found["errors"] or not all(one["ok"] for one in found.get("slack", ())):
        raise typer.Exit(2)


def _ask_slack(config: Path) -> list[dict[str, Any]]:
    """What Slack says: `{what, ok, said}` for each thing that must be right."""
    from router.app.slack_setup import try_slack
    from skills.workspace import load

    return [msgspec.to_builtins(one) for one in asyncio.run(try_slack(load(config).config))]


def _show_check(found: dict[str, Any]) -> None:
    for name, colour in (("errors", "bold red"), ("warnings", "yellow")):
        for one in found[name]:
            where = f"{one['file']}:{one['line']}: " if one["file"] and one["line"] else ""
            output.say(f"[{colour}]{name[:-1]}:[/] {output.escape(where + one['message'])}")
            if one["hint"]:
                output.say(f"  [dim]try:[/] {output.escape(one['hint'])}")
    if not found["errors"]:
        _show_coverage(found["coverage"])
        for one in found.get("slack", ()):
            mark = "[green]✓[/]" if one["ok"] else "[bold red]✗[/]"
            output.say(f"{mark} Slack, {output.escape(one['what'])}: {output.escape(one['said'])}")
        _show_preview(found.get("preview"))
        output.say(f"[green]The workspace is right[/], with {_counted(len(found['warnings']))}.")


def _show_preview(written: list[str] | None) -> None:
    if written:
        output.say(f"What mails look like: {output.escape(', '.join(written))}")
    elif written is not None:
        output.say("Mails are plain texts: there are no `channels.email.letters`.")


def _show_coverage(coverage: dict[str, Any]) -> None:
    """Who can take what, and in how many hours of the coming week nobody is there for it."""
    rows = [
        (
            topic,
            " ".join(f"{skill}≥{level}" for skill, level in one["requirement"].items()) or "anybody",
            one["team"] or "any",
            ", ".join(one["able"]) or "nobody",
            f"{one['uncovered_hours']:g}",
        )
        for topic, one in coverage["topics"].items()
    ]
    output.table("coverage", ["topic", "requires", "team", "able", "hours a week without anybody"], rows)
    output.table("", ["skill", "held by"], list(coverage["skills"].items()))
    if coverage["never_chosen"]:
        output.say(f"never chosen for anything: {output.escape(', '.join(coverage['never_chosen']))}")
    _show_ahead(coverage)


def _show_ahead(coverage: dict[str, Any]) -> None:
    """The load to expect, and whom one more skill would help."""
    rows = [
        (
            ", ".join(one["topics"]) or "no topic",
            " ".join(f"{skill}≥{level}" for skill, level in one["requirement"].items()) or "anybody",
            one["team"] or "any",
            one["kind"],
            f"{one['contacts_a_week']:g}",
            f"{one['hours_a_week']:g}",
            "nobody" if one["load"] is None else f"{one['load']:.1%}",
            f"{one['nobody_hours']:g}",
        )
        for one in coverage["groups"]
    ]
    if rows:
        columns = ["topics", "requires", "team", "kind", "contacts a week", "hours", "load", "hours without anybody"]
        output.table(f"load to expect, of {coverage['demand']['days']:g} days", columns, rows)
    if coverage["missing"]:
        output.say(f"[dim]The load to expect is not known:[/] {output.escape(coverage['missing'])}")
    for one in coverage["one_more_skill"]:
        output.say(f"[bold]would help:[/] {output.escape(one['words'])}")


def message(files: Files, config: Config = CONFIG, json: Json = False) -> None:
    """Show what usherd makes of messages: normal form, language, topics, requirement, who would get it.

    Touches nothing. With --json, or when the output is no terminal: JSON Lines, in the order given.
    """
    from rich.progress import Progress

    from router.app.checking import Trial
    from router.cli.running import spin
    from skills.workspace import load

    output.wants_json(json)
    paths = _listed(files)
    as_lines = json or not output.out.is_terminal

    async def examine() -> None:
        async with Trial(load(config).config) as trial:
            with Progress(console=output.people, transient=True, disable=len(paths) < 2) as bar:  # noqa: PLR2004
                task = bar.add_task("reading", total=len(paths))
                async for found in trial.examine(paths):
                    output.give(found) if as_lines else _show_message(found)
                    bar.advance(task)

    spin(examine())


def _listed(files: list[Path]) -> list[Path]:
    paths: list[Path] = []
    for path in files:
        if str(path) == "-":
            paths += [Path(line.strip()) for line in typer.get_text_stream("stdin") if line.strip()]
        else:
            paths.append(path)
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise ConfigError(f"there is no file {missing}", hint="name .eml or .json files", code="no-such-file")
    return paths


def _show_message(found: dict[str, Any]) -> None:
    sender = found["from"]
    topics = ", ".join(f"{one['topic']} {one['p']:.0%}" for one in found["topics"]) or "unsure"
    must = " ".join(f"{skill}≥{level}" for skill, level in found["requirement"]["must"].items()) or "anybody"
    rows = [
        ("from", f"{sender['name']} <{sender['address']}>" if sender["name"] else sender["address"]),
        ("subject", found["subject"]),
        ("kind", found["auto"] or "a person's message"),
        ("language", found["language"] or "not told"),
        ("topics", topics),
        ("requires", must),
        ("priority", found["priority"]),
        ("would go to", ", ".join(one["agent"] for one in found["candidates"]) or "nobody at once"),
        ("attachments", ", ".join(one["filename"] for one in found["attachments"]) or "none"),
        ("new words", found["text"]),
    ]
    rows += [("warning", warning) for warning in found["warnings"]]
    if found["quarantined"]:
        rows.append(("quarantined", found["reason"]))
    output.table(found["file"], ["", ""], [(name, str(value)) for name, value in rows])


def _counted(warnings: int) -> str:
    return "no warnings" if not warnings else "1 warning" if warnings == 1 else f"{warnings} warnings"
