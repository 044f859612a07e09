"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Option("--config", metavar="DIR", help="The workspace: a folder of YAML files.")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data directory of the daemon.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
Url = Annotated[str | None, typer.Option("--url", help="The daemon's address, instead of the data directory.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="USHERD_TOKEN", help="A token for --url; better given as USHERD_TOKEN."),
]

CONFIG = Path("config")
DATA = Path("var")
