"""`usherd init`: from nothing to a workspace that is right, with a mail server that was tried."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from router.cli import output
from router.cli.options import CONFIG, DATA, Data, Json
from router.core.errors import ConfigError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every default.")]
AnswersFile = Annotated[
    Path | None, typer.Option("--answers", metavar="FILE", help="A JSON file with answers; defaults for the rest.")
]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that holds something already.")]
WARNINGS_SHOWN_MAX = 8


def init(
    folder: Folder,
    yes: Yes = False,
    answers: AnswersFile = None,
    force: Force = False,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Write a commented workspace from a few questions, check it, and try its mail servers."""
    from router.app import setup
    from router.app.checking import check_workspace
    from router.app.mailbox import try_mailbox, try_server
    from skills.workspace import load

    output.wants_json(json)
    asks = not (yes or json or answers is not None)
    _make_room(folder, asks=asks, force=force)
    asked = setup.questions(folder)
    given = setup.read_answers(answers) if answers is not None else {}
    made = setup.starter(_ask(asked) if asks else setup.answers_of(asked, given))
    written = setup.write(folder, made)
    checked = check_workspace(folder)
    steps = []
    email = load(folder).config.channels.email if not checked["errors"] else None
    if email is not None and email.send is not None:
        steps += asyncio.run(try_server(email.send))
    for one in email.imap if email is not None else ():
        steps += asyncio.run(try_mailbox(one))
    following = _next(folder, data, made.agents[0].id)
    found = {
        "folder": str(folder),
        "files": written,
        "check": checked,
        "listen": {"smtp": made.smtp_port, "http": made.http_port},
        "mailbox": msgspec.to_builtins(steps),
        "next": following,
    }
    if json:
        output.give(found)
    else:
        _show(found)
    if checked["errors"]:
        raise typer.Exit(2)


def _make_room(folder: Path, *, asks: bool, force: bool) -> None:
    """Nothing of anybody's is written over without a word."""
    from router.app.setup import occupied

    there = occupied(folder)
    if not there or force:
        return
    shown = ", ".join(there[:6]) + (", …" if len(there) > 6 else "")  # noqa: PLR2004 (a line's worth)
    question = f"{folder} holds {shown}. Write the workspace's files over those of the same name?"
    if asks and sys.stdin.isatty() and typer.confirm(question, default=False, err=True):
        return
    raise ConfigError(
        f"{folder} is not empty: it holds {shown}",
        hint="name a new folder, or say --force to write over files of the same name",
        code="not-empty",
    )


def _ask(asked: Any) -> dict[str, str]:  # noqa: ANN401 (a tuple of setup.Question, imported when it is needed)
    """Ask until each answer is one."""
    output.say("A few questions; Enter takes what stands in brackets. Every answer can be changed in the files.\n")
    answers: dict[str, str] = {}
    for question in asked:
        if not question.only_if(answers):
            answers[question.key] = ""
            continue
        while True:
            answer = _typed(question, question.default(answers))
            try:
                question.read(answer)
            except ValueError as error:
                output.say(f"  [yellow]{output.escape(str(error))}[/]")
                continue
            answers[question.key] = answer
            break
    output.say("")
    return answers


def _typed(question: Any, default: str) -> str:  # noqa: ANN401 (a setup.Question)
    output.say(f"[bold]{output.escape(question.words)}[/] [dim]{output.escape(question.note)}[/]".rstrip())
    try:
        found = typer.prompt(" ", default=default, show_default=bool(default), hide_input=question.secret, err=True)
    except (typer.Abort, EOFError):
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        raise ConfigError(
            "nobody answers: the input has ended", hint="say --yes for the defaults, or --answers FILE.json"
        ) from None
    return str(found).strip()


def _next(folder: Path, data: Path, agent: str) -> list[str]:
    """The two commands to type, as they work from here."""
    program = "usherd" if shutil.which("usherd") else sys.argv[0] if sys.argv[0].endswith("usherd") else "usherd"
    kept = [] if data == DATA else ["--data", str(data)]
    read = [] if folder == CONFIG else ["--config", str(folder)]
    return [
        shlex.join([program, "run", *read, *kept]),
        shlex.join([program, "link", agent, *kept]),
    ]


def _show(found: dict[str, Any]) -> None:
    from router.app.starter import HTTP_PORT, SMTP_PORT

    output.say(f"Written to [bold]{output.escape(found['folder'])}[/]: {', '.join(found['files'])}\n")
    for name, colour in (("errors", "bold red"), ("warnings", "yellow")):
        for one in found["check"][name][:WARNINGS_SHOWN_MAX]:
            where = f"{one['file']}:{one['line']}: " if one["file"] and one["line"] else ""
            output.say(f"[{colour}]{name[:-1]}:[/] {output.escape(where + one['message'])}")
    if not found["check"]["errors"]:
        output.say("[green]The workspace is right.[/] `usherd check` says so again after each change.")
    usual = {"smtp": SMTP_PORT, "http": HTTP_PORT}
    for what, port in found["listen"].items():
        if port != usual[what]:
            output.say(f"Port {usual[what]} is in use on this machine: workspace.yaml says {port} instead.")
    for step in found["mailbox"]:
        mark = "[green]works:[/]" if step["ok"] else "[bold red]fails:[/]"
        output.say(f"{mark} {output.escape(step['says'])}")
        if step["hint"]:
            output.say(f"  [dim]try:[/] {output.escape(step['hint'])}")
    if found["mailbox"] and not all(step["ok"] for step in found["mailbox"]):
        output.say("It is tried again and again: mail waits where it is, replies wait for two days.")
    run, link = found["next"]
    output.say(f"\nNow type:\n  [bold]{output.escape(run)}[/]")
    output.say(
        f"and, when it says `ready`, in another terminal, for a link to the desk:\n  [bold]{output.escape(link)}[/]"
    )
    output.say("Choose Available there: contacts are offered to nobody else.")
    if found["listen"].get("smtp"):
        where = f"127.0.0.1:{found['listen']['smtp']}"
        output.say(f"How your mail server hands its mail to {where}: docs/start.md, “Bring mail in”.")
