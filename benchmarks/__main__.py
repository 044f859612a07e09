"""`make bench`: figures of this machine, in one run. `--full` takes longer, has more points and long sections too."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from collections.abc import Callable

from rich.console import Console

from benchmarks import (
    channels,
    chat,
    corrections,
    desk,
    engine,
    journey,
    mailbox,
    reload,
    simulate,
    slack,
    start,
    takeover,
    topics,
)
from benchmarks.figures import Figure, show

Section = Callable[[bool], list[Figure]]

SECTIONS: dict[str, tuple[str, Section]] = {
    "disk": ("The disk", lambda _: journey.disk()),
    "intake": ("Durable intake", lambda full: journey.intake(full=full)),
    "offered": ("From SMTP to the offer", lambda full: journey.offered(full=full)),
    "mailbox": ("Catching up with a mailbox", lambda full: mailbox.run(full=full)),
    "channels": ("Durable messages by channel, and a large mail", lambda full: channels.run(full=full)),
    "chat": ("From a visitor to a desk", lambda full: chat.run(full=full)),
    "desk": ("The desk on 5,000 open contacts", lambda full: desk.run(full=full)),
    "slack": ("The desk in Slack, 200 agents and 5,000 open contacts", lambda full: slack.run(full=full)),
    "engine": ("Decisions of the engine, with records", lambda full: engine.run(full=full)),
    "reload": ("Reload under load", lambda full: reload.run(full=full)),
    "takeover": ("The leader is killed", lambda full: takeover.run(full=full)),
    "start": ("A start with years behind it", lambda full: start.run(full=full)),
    "topics": ("Topics of published texts", lambda full: topics.run(full=full)),
    "corrections": ("Corrections while it learns", lambda full: corrections.run(full=full)),
    "simulate": ("The engine beside other rules, and exact queues", lambda full: simulate.run(full=full)),
}
LONG = ("takeover", "corrections")  # minutes each: when asked for, and with all of `--full`
TABLES = {  # modules that print tables of their own
    "mail": "benchmarks.mail_corpora",
    "split": "benchmarks.mail_split",
}


def main() -> None:
    """Run the sections asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, *TABLES, []], help="only these")
    parser.add_argument("--full", action="store_true", help="longer, with more points")
    asked = parser.parse_args()
    console = Console(highlight=False)
    wanted = asked.sections or [name for name in (*SECTIONS, *TABLES) if asked.full or name not in LONG]
    console.print(f"{_commit()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    started = time.perf_counter()
    for name in wanted:
        begun = time.perf_counter()
        if name in SECTIONS:
            title, section = SECTIONS[name]
            show(console, title, section(asked.full))
        else:
            subprocess.run([sys.executable, "-m", TABLES[name]], check=True)
        console.print(f"[dim]{name}: {time.perf_counter() - begun:.0f} s[/]\n")
    console.print(f"[dim]in all: {(time.perf_counter() - started) / 60:.1f} min[/]")


def _commit() -> str:
    """The commit that is measured, so that figures can be told apart; marked where files differ from it."""
    asked = ("git", "describe", "--always", "--dirty", "--exclude=*")
    try:
        return "commit " + subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a clone"


if __name__ == "__main__":
    main()
