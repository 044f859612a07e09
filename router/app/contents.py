"""The contents of versions of the workspace, in the store: what one node has read all others can go by."""

from __future__ import annotations

import asyncio
import zlib
from typing import Protocol

import msgspec
import structlog

from router.core.errors import ConfigError
from skills.workspace import Loaded, restore

KEPT_MAX = 50  # contents of versions that were proposed; older ones are dropped
LISTED = "workspaces"  # the document that lists them, newest last
MENDED = "edit the folder of a node, and back: what is put in force is written anew"

log = structlog.get_logger()


class Documents(Protocol):
    """What is asked of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep one, durably."""
        ...

    async def doc_delete(self, name: str) -> bool:
        """Forget one."""
        ...


class Missing(ConfigError):
    """The store does not hold a version's content."""


class Contents:
    """Contents by version. Every method raises StoreUnavailable."""

    def __init__(self, store: Documents) -> None:
        self._store = store

    async def get(self, version: str, like: Loaded) -> Loaded:
        """The workspace of this version, as if it lay where `like` does. Raises ConfigError, also for a damaged one."""
        raw = await self._store.doc_get(_name(version))
        if raw is None:
            raise Missing("the content of the workspace in force is not in the store: edit the folder of a node")
        try:
            loaded = await asyncio.to_thread(lambda: restore(zlib.decompress(raw), like.folder))
        except ConfigError:
            raise
        except Exception as error:  # bytes that are not what we wrote may do anything to what reads them
            log.exception("workspace_content_damaged", version=version[:12], error=type(error).__name__)
            raise ConfigError(f"its content in the store ({version[:12]}) is damaged: {MENDED}") from error
        if loaded.version != version or loaded.config.workspace != like.config.workspace:
            raise ConfigError(f"what the store holds under {version[:12]} is something else: {MENDED}")
        return loaded

    async def put(self, loaded: Loaded) -> None:
        """Have it there, before anybody is told its version."""
        await self._store.doc_put(_name(loaded.version), await asyncio.to_thread(zlib.compress, loaded.content, 6))

    async def list(self, newest: str, in_force: str) -> None:
        """Have a version whose content is there as the newest on the list; the oldest are dropped.

        The one in force is not, however many were proposed and refused since.
        """
        try:
            listed = msgspec.json.decode(await self._store.doc_get(LISTED) or b"[]", type=list[str])
        except msgspec.MsgspecError:  # contents that only it knew stay; nothing hangs on that
            log.warning("list_of_workspaces_begun_anew")
            listed = []
        listed = [*(version for version in listed if version != newest), newest]
        listed.sort(key=lambda version: (version == newest, version == in_force))
        for version in listed[:-KEPT_MAX]:
            await self._store.doc_delete(_name(version))
        await self._store.doc_put(LISTED, msgspec.json.encode(listed[-KEPT_MAX:]))


def _name(version: str) -> str:
    return f"workspace:{version}"
