"""An edited workspace comes into force: read whole, checked whole, proposed; or the last good stays.

The folder is looked at ten times a second, by the resolved path, size, time and inode of every file: that sees symlink
swaps, which file watchers miss, and costs microseconds. What is being written is left alone until it has been the
same for one look; a file that is half-written and wrong changes nothing and is said so. Where the workspace in force
says `require_rehearsal`, an edit waits until `usherd whatif` has looked at it. An edit that could not be proposed for
want of the store is tried again until it is known to be in force or refused.

Only an edit is proposed, never a folder that is behind because another node's was edited: what was dealt with is noted
in the data directory, so that this holds over a restart.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Protocol

import structlog

from router.app.in_force import Proposal
from router.app.proposed import REFUSALS, STALE, UNREHEARSED
from router.core.errors import ConfigError, RouterError, TransientError
from router.shell.store.server import write_private
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import Loaded, load

log = structlog.get_logger()

SLACK_FOLLOWED = frozenset(
    {"statuses", "customers", "supervisors_channel", "digest_at", "digest_week", "undo", "emoji"}
)  # asked for whenever they are needed

LOOK_SECONDS = 0.1
AGAIN_SECONDS = 1.0  # until an edit is tried again that could not be proposed
SURE_SECONDS = 2.5  # then a folder is read once more: file systems that count in seconds hide a second edit
PROBLEMS_SHOWN_MAX = 5
SUFFIXES = (".yaml", ".yml", ".csv")
NAME = "folder"  # in the data directory: the version of the workspace's folder that was dealt with last
DIFFERS = "this node's folder is not what is in force: edit it to have it put in force, or make it the same"
OWN = (("web", "listen"), ("channels", "email", "smtp", "listen"), ("store",), ("blobs",), ("archive",))
Signature = tuple[tuple[str, int, int, int], ...]


class Running(Protocol):
    """The daemon, as reloading needs it. `loaded`: the workspace that it goes by."""

    @property
    def loaded(self) -> Loaded:
        """What is in force, as far as this node knows."""
        ...

    async def base(self) -> str:
        """The version in force, which an edit seen now would replace. Raises StoreUnavailable."""
        ...

    async def propose(self, proposal: Proposal) -> None:
        """Have another workspace put in force; it is when this returns. Raises RouterError if it was refused."""
        ...

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had. Raises StoreUnavailable."""
        ...

    def decides(self) -> bool:
        """Whether this node leads and has met no other since it started."""
        ...


class Noted:
    """Which version of the folder this node has dealt with: what it holds now is an edit, or only behind."""

    def __init__(self, data: Path) -> None:
        self._path = data / NAME
        self._last = self._path.read_text().strip() if self._path.exists() else ""

    def edited(self, version: str) -> bool:
        """Whether a folder of this version was edited since."""
        return version != self._last

    async def note(self, version: str) -> None:
        """It is in force, or was refused, or another one was put in its place."""
        if version == self._last:
            return
        self._last = version
        try:
            await asyncio.to_thread(write_private, self._path, f"{version}\n".encode())
        except OSError as error:
            log.warning("folder_not_noted", error=error.strerror)


class Reloader:
    """Watches the folder of a running daemon. `began`: what the folder held when the daemon started."""

    def __init__(self, running: Running, began: Loaded, noted: Noted) -> None:
        self._running = running
        self._began = began
        self._folder = began
        self._noted = noted
        self._waits = noted.edited(began.version)  # edited while this node was down, and not in force
        self._compared: tuple[str, str, bool] = ("", "", True)
        self._broken: list[str] = []
        self._restart: list[str] = []
        self._unrehearsed: str | None = None  # the version that waits for its rehearsal
        self._proposal: Proposal | None = None  # the edit that is not known to be in force or refused
        self._failed = ""  # the version that is not in force, though it was tried
        self._untried = False  # it was not, for want of the store
        self._look_at = 0.0  # when to read the folder again though it looks the same, by the loop's time
        self.reloads = 0

    @property
    def unrehearsed(self) -> str | None:
        """The version of the folder that waits for its rehearsal."""
        return self._unrehearsed

    def problems(self) -> list[str]:
        """What keeps the folder's content out of force, in plain words."""
        if self._alike() and self._failed:  # what was refused here another node has put in force
            return list(self._restart)
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
        folder, loop = self._began.folder, asyncio.get_running_loop()
        # What was loaded may have been edited since, while the daemon was starting: it is read once more.
        in_force: Signature | None = None
        seen = await asyncio.to_thread(signature, folder)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await asyncio.to_thread(signature, folder)
            settled, seen = now == seen, now
            if not settled:
                continue
            if now != in_force:
                in_force, self._look_at = now, loop.time() + SURE_SECONDS
                await self._reload(folder)
            elif 0 < self._look_at <= loop.time():
                self._look_at, again, self._untried = 0.0, self._untried, False
                await self._reload(folder, again=again)
            elif self._is_to_be_brought() or await self._rehearsed_meanwhile():
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
        """Whether a folder that was edited before the start counts after all: the other nodes on the list are gone."""
        return self._waits and not self._alike() and self._running.decides()

    async def _reload(self, folder: Path, *, again: bool = True) -> None:
        """`again`: what was refused is tried once more, should it be the same still."""
        failed, self._failed = self._failed, ""
        try:
            loaded = await asyncio.to_thread(load, folder)
            self._failed = failed
            await self._bring(loaded, again=again)
        except ConfigErrors as error:
            self._refuse([str(one) for one in error.errors])
        except ConfigError as error:
            self._refuse([str(error)])
        except TransientError as error:
            self._look_at, self._untried = asyncio.get_running_loop().time() + AGAIN_SECONDS, True
            self._refuse([f"it could not be put in force yet, and is tried again: {error}"])
        except RouterError as error:
            self._refuse([f"it could not be put in force: {error}"])

    def _refuse(self, errors: list[str]) -> None:
        shown = errors[:PROBLEMS_SHOWN_MAX]
        if len(errors) > len(shown):
            shown.append(f"and {len(errors) - len(shown)} more: see `usherd check`")
        broken = [f"the edited workspace is not in force: {text}" for text in shown]
        if broken != self._broken:
            self._broken = broken
            log.error("workspace_refused", errors=len(errors), first=errors[0])

    async def _bring(self, loaded: Loaded, *, again: bool) -> None:
        edited = loaded.version != self._folder.version and self._noted.edited(loaded.version)
        failed = loaded.version == self._failed
        if not (edited or (failed and again) or self._is_to_be_brought()):
            self._folder = loaded
            if not failed:
                await self._unedited()
            return
        in_force = self._running.loaded
        if loaded.config.workspace != in_force.config.workspace:
            raise ConfigError(
                f"the workspace's name cannot change from {in_force.config.workspace} to {loaded.config.workspace}",
                hint="another name is another workspace: start it with a data directory of its own",
            )
        self._folder, self._waits, self._failed = loaded, False, loaded.version
        self._restart = [
            f"{key} takes force at the next start" for key in takes_restart(self._began.config, loaded.config)
        ]
        await self._propose(loaded)
        await self._settle(loaded)

    async def _unedited(self) -> None:
        """The folder holds what is in force, or is behind, or was edited before the start."""
        self._failed = ""
        if self._alike():
            self._waits = False
        else:
            log.warning(
                "workspace_differs", folder=self._folder.version[:12], in_force=self._running.loaded.version[:12]
            )
        if self._waits:
            self._broken = []
        else:
            await self._settle(self._folder)

    async def _settle(self, loaded: Loaded) -> None:
        """This version is dealt with."""
        self._broken, self._failed = [], ""
        self._proposal = self._unrehearsed = None
        await self._noted.note(loaded.version)

    async def _propose(self, loaded: Loaded) -> None:
        """Have it put in force, in the place of what was in force when this edit was seen for the first time."""
        self._unrehearsed = None
        if self._proposal is None or self._proposal.loaded.version != loaded.version:
            self._proposal = Proposal(loaded, await self._running.base())
        if self._proposal.base == loaded.version:
            return
        try:
            await self._require_rehearsal(loaded)
            await self._running.propose(self._proposal)
        except ConfigError as error:
            if error.code == UNREHEARSED:
                self._unrehearsed = loaded.version
            else:
                self._proposal = None  # written once more it is another edit
            if error.code == STALE:
                await self._noted.note(loaded.version)
            raise
        self.reloads += 1

    async def _require_rehearsal(self, loaded: Loaded) -> None:
        if await self._running.needs_rehearsal(loaded.version):
            raise ConfigError(REFUSALS[UNREHEARSED], code=UNREHEARSED)


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
    """What tells that a folder's YAML and CSV files changed: resolved path, size, time, inode of each."""
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
        channels.model_dump(
            exclude={"email": True, "webchat": True, "telegram": {"greeting"}, "slack": set(SLACK_FOLLOWED)}
        ),
        channels.webchat is None,
    )
    smtp = None if email is None or email.smtp is None else email.smtp.model_dump(exclude={"recipients"})
    send = None if email is None or email.send is None else email.send.model_copy(update={"dkim": ()})
    return rest, smtp, send
