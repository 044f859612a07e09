"""Every command, under its name. The bodies stand in the modules beside this one, imported when they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from router.cli import (
    asking,
    changing,
    checking,
    erasing,
    importing,
    rehearsing,
    reporting,
    running,
    setup,
    simulating,
    teaching,
    topics,
    upkeep,
)
from router.cli import journal as keeping

app = typer.Typer(
    name="usherd",
    help="Takes in every message, and gives it at once to the agent who is able, free and least burdened.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _say_version(wanted: bool) -> None:  # typer calls it so
    if wanted:
        from importlib.metadata import version

        typer.echo(f"usherd {version('usherd')}")
        raise typer.Exit


@app.callback()
def _usherd(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Takes in every message, and gives it at once to the agent who is able, free and least burdened."""


app.command("init")(setup.init)

app.command("run")(running.run)
app.command("demo")(running.demo)
app.command("store")(running.store)

app.command("check")(checking.check)
app.command("message")(checking.message)
app.command("diff")(changing.diff)

app.command("import")(importing.import_contacts)

app.command("simulate")(simulating.simulate)
app.command("whatif")(rehearsing.whatif)

classifier = typer.Typer(help="The topic classifier.", no_args_is_help=True)
classifier.command("train")(topics.train)
classifier.command("evaluate")(topics.evaluate)
classifier.command("predict")(topics.predict)
classifier.command("suggest")(topics.suggest)
classifier.command("versions")(teaching.versions)
classifier.command("back")(teaching.back)
classifier.command("learn")(teaching.learn)
app.add_typer(classifier, name="topics")

app.command("status")(asking.status)
app.command("queue")(asking.queue)
app.command("agents")(asking.agents)
app.command("contacts")(asking.contacts)
app.command("explain")(asking.explain)
app.command("report")(reporting.report)

quarantine = typer.Typer(help="Messages that could not be read.", no_args_is_help=True)
quarantine.command("list")(upkeep.quarantine_list)
quarantine.command("show")(upkeep.quarantine_show)
quarantine.command("retry")(upkeep.quarantine_retry)
app.add_typer(quarantine, name="quarantine")

journal = typer.Typer(help="The record of every event and decision.", no_args_is_help=True)
journal.command("verify")(keeping.verify)
journal.command("snapshot")(keeping.snapshot)
journal.command("export")(keeping.export)
journal.command("restore")(keeping.restore)
journal.command("accept-loss")(keeping.accept_loss)
app.add_typer(journal, name="journal")

app.command("erase")(erasing.erase)
app.command("export")(erasing.export)
app.command("unblock")(erasing.unblock)
app.command("link")(upkeep.link)

token = typer.Typer(help="Tokens for programs that talk to usherd.", no_args_is_help=True)
token.command("create")(upkeep.token_create)
app.add_typer(token, name="token")
