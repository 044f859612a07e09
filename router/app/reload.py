"""An edited workspace comes into force: read whole, checked whole, proposed; or the last good stays.

The folder is looked at ten times a second, by the resolved path, size, time and inode of every file: that sees symlink
swaps, which file watchers miss, and costs microseconds. What is being written is left alone until it has been the
same for one look; a file that is half-written and wrong changes nothing and is said so. Where the workspace in force
says `require_rehearsal`, an edit waits until `usherd whatif` has looked at it.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Protocol

import structlog

from router.core.errors import ConfigError, RouterError, TransientError
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import Loaded, load

log = structlog.get_logger()

LOOK_SECONDS = 0.1
PROBLEMS_SHOWN_MAX = 5
SUFFIXES = (".yaml", ".yml")
UNREHEARSED = "it was not rehearsed: run `usherd whatif --config … --new …` first, on the folder as it is now"
DIFFERS = "this node's folder is not what is in force: edit it to have it put in force, or make it the same"
OWN = (("web", "listen"), ("channels", "email", "smtp", "listen"), ("store",), ("blobs",), ("archive",))
Signature = tuple[tuple[str, int, int, int], ...]


class Running(Protocol):
    """The daemon, as reloading needs it. `loaded`: the workspace that it goes by."""

    @property
    def loaded(self) -> Loaded:
        """What is in force, as far as this node knows."""
        ...

    async def propose(self, loaded: Loaded) -> None:
        """Have another workspace put in force; it is when this returns. Raises RouterError if it was refused."""
        ...

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had. Raises StoreUnavailable."""
        ...

    def decides(self) -> bool:
        """Whether this node leads and no other one lives."""
        ...


class Reloader:
    """Watches the folder of a running daemon. `began`: what the folder held when the daemon started."""

    def __init__(self, running: Running, began: Loaded) -> None:
        self._running = running
        self._began = began
        self._folder = began
        self._compared: tuple[str, str, bool] = ("", "", True)
        self._broken: list[str] = []
        self._restart: list[str] = []
        self._unrehearsed: str | None = None  # the version that waits for its rehearsal
        self.reloads = 0

    def problems(self) -> list[str]:
        """What keeps the folder's content out of force, in plain words."""
        differs = [] if self._broken or self._alike() else [DIFFERS]
        return self._broken + self._restart + differs

    def _alike(self) -> bool:
        """Whether the folder says what is in force, but for what is each node's own."""
        loaded = self._running.loaded
        pair = (self._folder.version, loaded.version)
        if self._compared[:2] != pair:
            alike = pair[0] == pair[1] or shared(self._folder) == shared(loaded)
            self._compared = (*pair, alike)
        return self._compared[2]

    async def run(self) -> None:
        """Watch until cancelled."""
        folder = self._began.folder
        # What was loaded may have been edited since, while the daemon was starting: it is read once more.
        in_force: Signature | None = None
        seen = await asyncio.to_thread(signature, folder)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await asyncio.to_thread(signature, folder)
            settled, seen = now == seen, now
            if settled and (now != in_force or self._is_to_be_brought() or await self._rehearsed_meanwhile()):
                in_force = now
                await self._reload(folder)

    async def _rehearsed_meanwhile(self) -> bool:
        """Whether what waited for its rehearsal, and was not edited since, has had it."""
        if self._unrehearsed is None:
            return False
        try:
            return not await self._running.needs_rehearsal(self._unrehearsed)
        except TransientError:
            return False

    def _is_to_be_brought(self) -> bool:
        """Whether a folder that differed at the start counts after all: the other nodes on the list are gone."""
        return self._folder is self._began and not self._alike() and self._running.decides()

    async def _reload(self, folder: Path) -> None:
        self._unrehearsed = None
        try:
            loaded = await asyncio.to_thread(load, folder)
            await self._bring(loaded)
        except ConfigErrors as error:
            self._refuse([str(one) for one in error.errors])
        except ConfigError as error:
            self._refuse([str(error)])
        except RouterError as error:
            self._refuse([f"it could not be put in force: {error}"])

    def _refuse(self, errors: list[str]) -> None:
        shown = errors[:PROBLEMS_SHOWN_MAX]
        if len(errors) > len(shown):
            shown.append(f"and {len(errors) - len(shown)} more: see `usherd check`")
        self._broken = [f"the edited workspace is not in force: {text}" for text in shown]
        log.error("workspace_refused", errors=len(errors), first=errors[0])

    async def _bring(self, loaded: Loaded) -> None:
        edited = loaded.version != self._folder.version or self._broken
        self._broken = []
        if not edited and not self._is_to_be_brought():
            if not self._alike():
                log.warning("workspace_differs", folder=loaded.version[:12], in_force=self._running.loaded.version[:12])
            return
        before = self._running.loaded
        if loaded.config.workspace != before.config.workspace:
            raise ConfigError(
                f"the workspace's name cannot change from {before.config.workspace} to {loaded.config.workspace}",
                hint="another name is another workspace: start it with a data directory of its own",
            )
        self._folder = loaded
        self._restart = [
            f"{key} takes force at the next start" for key in takes_restart(self._began.config, loaded.config)
        ]
        if loaded.version != before.version:
            if await self._running.needs_rehearsal(loaded.version):
                self._unrehearsed = loaded.version
                raise ConfigError(UNREHEARSED)
            await self._running.propose(loaded)
            self.reloads += 1


def shared(loaded: Loaded) -> object:
    """What a workspace says, without the places that are each node's own."""
    values = json.loads(loaded.content)
    for path in OWN:
        *way, last = path
        place = values
        for key in way:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    return values


def signature(folder: Path) -> Signature:
    """What tells that a folder's YAML files are others than before: resolved path, size, time, inode of each."""
    found = []
    for here, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if not name.endswith(SUFFIXES):
                continue
            path = Path(here, name)
            try:
                about = path.stat()
                found.append((os.path.realpath(path), about.st_size, about.st_mtime_ns, about.st_ino))
            except OSError:  # swapped this very moment: the next look sees what is there then
                found.append((str(path), -1, 0, 0))
    return tuple(sorted(found))


def takes_restart(before: WorkspaceConfig, after: WorkspaceConfig) -> list[str]:
    """Keys that changed and that a running daemon cannot follow."""
    return [
        name
        for name, old, new in (
            ("channels", _doors(before), _doors(after)),
            ("web", before.web, after.web),
            ("store", before.store, after.store),
            ("blobs", before.blobs, after.blobs),
        )
        if old != new
    ]


def _doors(config: WorkspaceConfig) -> object:
    """What is opened at the start: the channels, but for what is read with each mail."""
    email = config.channels.email
    channels = config.channels
    rest = (
        channels.model_dump(exclude={"email": True, "webchat": True, "telegram": {"greeting"}}),
        channels.webchat is None,
    )
    smtp = None if email is None or email.smtp is None else email.smtp.model_dump(exclude={"recipients"})
    return rest, smtp, None if email is None else email.send
