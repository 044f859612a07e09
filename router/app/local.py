"""How commands find a running daemon: a file in its data directory that only its user may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from router.core.errors import ConfigError

FILE = "daemon.json"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Where a daemon answers. `token` has the scope admin."""

    url: str
    token: str
    pid: int
    node: str


def node_name(data: Path) -> str:
    """The node's name, made once per data directory."""
    path = data / "node"
    if path.exists():
        return path.read_text().strip()
    name = f"n-{secrets.token_hex(4)}"
    path.write_text(f"{name}\n")
    return name


def new_token() -> str:
    """A token for commands on this machine, valid until the daemon stops."""
    return secrets.token_urlsafe(32)


def announce(data: Path, running: Running) -> None:
    """Tell commands on this machine where we are."""
    path = data / FILE
    descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(running))
    path.with_suffix(".new").replace(path)


def withdraw(data: Path) -> None:
    """We are gone."""
    (data / FILE).unlink(missing_ok=True)


def find(data: Path) -> Running:
    """The daemon of a data directory. Raises ConfigError if none runs there."""
    path = data / FILE
    try:
        running = msgspec.json.decode(path.read_bytes(), type=Running)
        os.kill(running.pid, 0)
    except PermissionError:
        raise ConfigError(
            f"{path} belongs to somebody else", hint="run this as the daemon's user, or pass --url"
        ) from None
    except (OSError, OverflowError, UnicodeDecodeError, msgspec.MsgspecError):  # no file, no such process, torn
        running = None
    if running is None:
        raise ConfigError(
            f"no daemon runs with the data directory {data}",
            hint="start one with `usherd run`, or name it with --data or --url and --token",
            code="not-running",
        )
    return running
