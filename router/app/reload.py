"""An edited workspace comes into force: read whole, checked whole, journaled, switched whole; or the last good stays.

The folder is looked at ten times a second, by the resolved path, size, time and inode of every file: that sees symlink
swaps, which file watchers miss, and costs microseconds. What is being written is left alone until it has been the
same for one look; a file that is half-written and wrong changes nothing and is said so.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Protocol

import structlog

from router.app import models
from router.core.errors import ConfigError, RouterError
from router.core.values import Workspace
from router.shell.workers import Models
from skills.compile import compile_workspace
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import Loaded, load

log = structlog.get_logger()

LOOK_SECONDS = 0.1
PROBLEMS_SHOWN_MAX = 5
SUFFIXES = (".yaml", ".yml")
Signature = tuple[tuple[str, int, int, int], ...]


class Running(Protocol):
    """The daemon, as reloading needs it."""

    loaded: Loaded
    data: Path
    models: Models
    threshold: int | None

    async def propose(self, version: str, workspace: Workspace) -> None:
        """Journal a workspace; in force when this returns."""
        ...

    def switch(self, loaded: Loaded) -> None:
        """Use another configuration wherever the daemon does."""
        ...

    async def change_models(self, found: Models, threshold: int) -> None:
        """Classify with another model."""
        ...


class Reloader:
    """Watches the folder of a running daemon."""

    def __init__(self, running: Running, *, now: Callable[[], int]) -> None:
        self._running = running
        self._now = now
        self._broken: list[str] = []
        self._restart: list[str] = []
        self._training: asyncio.Task[None] | None = None
        self.reloads = 0

    def problems(self) -> list[str]:
        """What keeps the folder's content out of force, in plain words."""
        return self._broken + self._restart

    async def run(self) -> None:
        """Watch until cancelled."""
        folder = self._running.loaded.folder
        # What was loaded may have been edited since, while the daemon was starting: it is read once more.
        in_force: Signature | None = None
        seen = await asyncio.to_thread(signature, folder)
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                now = await asyncio.to_thread(signature, folder)
                settled, seen = now == seen, now
                if settled and now != in_force:
                    in_force = now
                    await self._reload(folder)
        finally:
            if self._training is not None:
                self._training.cancel()

    async def _reload(self, folder: Path) -> None:
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
        before = self._running.loaded
        if loaded.version == before.version:
            self._broken = []
            return
        if loaded.config.workspace != before.config.workspace:
            raise ConfigError(
                f"the workspace's name cannot change from {before.config.workspace} to {loaded.config.workspace}",
                hint="another name is another workspace: start it with a data directory of its own",
            )
        compiled = await asyncio.to_thread(
            compile_workspace, loaded.config, self._now(), topic_threshold=self._running.threshold
        )
        await self._running.propose(loaded.version, compiled)
        self._running.switch(loaded)
        self._broken = []
        self._restart = [f"{key} takes force at the next start" for key in takes_restart(before.config, loaded.config)]
        self.reloads += 1
        log.info("workspace_in_force", version=loaded.version[:12], agents=len(loaded.config.agents))
        if _classified(loaded.config) != _classified(before.config):
            self._train(loaded)

    def _train(self, loaded: Loaded) -> None:
        """Keywords at once; a new model as soon as it is trained, off this process."""
        if self._training is not None:
            self._training.cancel()
        self._training = asyncio.create_task(self._retrain(loaded))

    async def _retrain(self, loaded: Loaded) -> None:
        quick, threshold = await asyncio.to_thread(
            models.with_keywords, loaded.config, self._running.data, Path(self._running.models.path)
        )
        await self._running.change_models(quick, threshold)
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            loop = asyncio.get_running_loop()
            asked = (dict(loaded.config.topics), self._running.data)
            await loop.run_in_executor(pool, models.train, *asked)
        found, threshold = await asyncio.to_thread(models.prepare, loaded.config, self._running.data)
        compiled = await asyncio.to_thread(compile_workspace, loaded.config, self._now(), topic_threshold=threshold)
        await self._running.change_models(found, threshold)
        await self._running.propose(loaded.version, compiled)
        log.info("topics_in_force", version=loaded.version[:12], topics=len(loaded.config.topics))


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


def _classified(config: WorkspaceConfig) -> object:
    """What the classifier depends on."""
    return config.topics, config.topic_model, config.languages


def _doors(config: WorkspaceConfig) -> object:
    """What is opened at the start: the channels, but for what is read with each mail."""
    email = config.channels.email
    rest = config.channels.model_dump(exclude={"email", "webchat"}), config.channels.webchat is None
    smtp = None if email is None or email.smtp is None else email.smtp.model_dump(exclude={"recipients"})
    return rest, smtp, None if email is None else email.send
