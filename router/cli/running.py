"""Things that run until they are stopped: the daemon, the demo, the store alone."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from router.cli import output
from router.cli.options import CONFIG, DATA, Config, Data, Json
from router.core.errors import ConfigError

FILES_MAX = 65_536


def run(config: Config = CONFIG, data: Data = DATA, json: Json = False) -> None:
    """Run the daemon until SIGTERM or Ctrl-C. It logs `ready` with its addresses when it takes messages."""
    from router.app.daemon import Daemon
    from router.shell import log
    from skills.workspace import load

    output.wants_json(json)
    log.configure(json=True if json else None)
    loaded = load(config)
    for warning in loaded.warnings:
        output.say(f"[yellow]warning:[/] {output.escape(warning.message)}")
    _make_folder(data)
    _allow_files()
    spin(Daemon(loaded, data).run())


def demo(
    seconds: Annotated[int | None, typer.Option(help="End by itself after so many seconds.", min=5)] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Keep the data here; else it is thrown away.")] = None,
    slack_fake: Annotated[
        bool, typer.Option("--slack-fake", help="With a Slack of this machine: its page shows what agents see there.")
    ] = False,
    json: Json = False,
) -> None:
    """Show usherd at work: real mail from a small airline's customers, simulated agents, and a desk to open."""
    from router.app.demo import play
    from router.shell import log

    output.wants_json(json)
    log.configure(json=True if json else None, level="warning")
    try:
        figures = spin(play(seconds=seconds, data=data, quiet=json, slack=slack_fake))
    except asyncio.CancelledError:  # SIGTERM before it had begun
        raise typer.Exit(128 + signal.SIGTERM) from None
    if json:
        output.give(figures)
    if not figures["ok"]:
        raise typer.Exit(1)


def store(
    data: Data = DATA,
    listen: Annotated[str, typer.Option(help="Address and port for nodes that share it.")] = "127.0.0.1:6379",
    json: Json = False,
) -> None:
    """Run the bundled Valkey server alone, for several nodes that share one `store.url`."""
    from router.shell import log
    from router.shell.store.embedded import run_alone

    output.wants_json(json)
    log.configure(json=True if json else None)
    spin(until_signal(run_alone(data, listen, ready=_say_where)))


def _say_where(path: str) -> None:
    if output.is_json():
        output.give({"url_file": path})
    else:
        output.say(f"The store runs. Its address with the password is in {output.escape(path)}; Ctrl-C ends it.")


async def until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends, or until SIGTERM or SIGINT cancels it."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _allow_files() -> None:
    """Let this process open as many files as it may: connections are files, and the usual 1,024 are soon used up."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(most, FILES_MAX) if most != resource.RLIM_INFINITY else FILES_MAX
    if usual != resource.RLIM_INFINITY and usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _make_folder(data: Path) -> None:
    """The data directory, for its user alone. Raises ConfigError where it cannot be made."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"the data directory {data} cannot be used ({error.strerror})",
            hint="name a folder of your own with --data",
        ) from None


def spin(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  # gives whatever the work gives
    """Run a coroutine to its end, on the fast loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
