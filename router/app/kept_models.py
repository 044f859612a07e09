"""The last few topic models, kept in the store for all nodes, so that one command goes back to an earlier one.

A list says of each what it was trained from and how it did; the files themselves are one blob each, under the SHA-256
of the model, which is also what the journal names.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from router.core.errors import RouterError, StoreUnavailable
from skills.topics import TopicModel

log = structlog.get_logger()

KEPT_MAX = 5
LISTED = "topics"  # the document that lists them


class ModelStore(Protocol):
    """What is asked of the store."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs."""
        ...

    async def blobs_get(self, names: list[str]) -> dict[str, bytes]:
        """Blobs by name; missing ones are left out."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Forget blobs."""
        ...


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A model. `examples`: a name for the admin's examples and keywords; `labels`: how many it has learned.

    `handled`: likewise of contacts and what they took. `said`: how it did beside the one before; `beside`: whether it
    tells effort and moods, and why not.
    """

    digest: str
    at: int
    examples: str
    labels: int = 0
    handled: int = 0
    said: str = ""
    beside: dict[str, dict[str, Any]] = {}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """`kept`: oldest first. `held`: somebody went back to an earlier one, and nothing is learned until they say so.

    `tried`: how many labels the last attempt had, `tried_handled` contacts and what they took, `tried_at` when that
    was, `refused` why it came to nothing. `forget`: somebody was erased whom the current one may have learned from.
    """

    kept: tuple[Kept, ...] = ()
    current: str = ""
    held: bool = False
    tried: int = 0
    tried_handled: int = 0
    tried_at: int = 0
    refused: str = ""
    forget: bool = False

    def digests(self) -> frozenset[str]:
        """Of all that are kept."""
        return frozenset(one.digest for one in self.kept)

    def before(self) -> Kept | None:
        """The model that was in force before the current one."""
        earlier = [one for one in self.kept if one.digest != self.current]
        place = next((at for at, one in enumerate(self.kept) if one.digest == self.current), 0)
        return self.kept[place - 1] if place else (earlier[-1] if earlier else None)

    def find(self, digest: str) -> Kept | None:
        """A kept model by its SHA-256, or by the beginning of it if that is one model's alone."""
        found = [one for one in self.kept if digest and one.digest.startswith(digest)]
        return found[0] if len(found) == 1 else None


class _Files(msgspec.Struct, frozen=True):
    arrays: bytes
    manifest: bytes


class KeptModels:
    """The list and the files."""

    def __init__(self, store: ModelStore, data: Path) -> None:
        self._store = store
        self._folder = data / "models"
        self.listed = Listed()
        self._writing = asyncio.Lock()

    async def look(self) -> Listed:
        """The list as the store has it. Raises StoreUnavailable."""
        raw = await self._store.doc_get(LISTED)
        try:
            return msgspec.json.decode(raw, type=Listed) if raw is not None else Listed()
        except msgspec.MsgspecError:
            log.warning("list_of_topic_models_begun_anew")
            return Listed()

    async def read(self) -> None:
        """Have the list as the store has it. Raises StoreUnavailable."""
        self.listed = await self.look()

    async def update(self, **changes: Any) -> None:
        """Change the list. Raises StoreUnavailable."""
        async with self._writing:
            listed = msgspec.structs.replace(self.listed, **changes)
            await self._store.doc_put(LISTED, msgspec.json.encode(listed))
            self.listed = listed

    async def add(
        self, path: Path, new: Kept, *, alone: bool = False, held: bool = False, forget: bool = False
    ) -> None:
        """Keep the model at `path` and have it be the current one; the oldest goes. Raises StoreUnavailable.

        Whoever went back to an earlier one did so for other topics: what is learned from now on counts again, unless
        `held`. `alone`: earlier ones know what is to be forgotten, and go; `forget`: by now this one does as well.
        """
        files = await asyncio.to_thread(_read, path)
        await self._store.blobs_put({_name(new.digest): msgspec.msgpack.encode(files)})
        others = [one for one in self.listed.kept if one.digest != new.digest]
        kept = (new,) if alone else (*others, new)[-KEPT_MAX:]
        await self.update(
            kept=kept,
            current=new.digest,
            held=held,
            tried=new.labels,
            tried_handled=new.handled,
            tried_at=new.at,
            refused="",
            forget=forget or (self.listed.forget and not alone),
        )
        await self._store.blobs_delete([_name(one.digest) for one in others if one not in kept])

    async def fetch(self, digest: str) -> Path | None:
        """Where the files of a model lie here, fetched if need be; None: it is not kept, or not to be read any more.

        Raises StoreUnavailable.
        """
        path = self._folder / f"kept-{digest[:32]}"
        if await asyncio.to_thread(_is, path, digest):
            return path
        raw = (await self._store.blobs_get([_name(digest)])).get(_name(digest))
        if raw is None or not await asyncio.to_thread(_unpack, raw, path, digest):
            return None
        return path

    async def fitting(self, examples: str) -> Path | None:
        """The current model, if it was trained from these very examples; None also if the store does not answer."""
        try:
            listed = await self.look()
            current = listed.find(listed.current)
            return await self.fetch(current.digest) if current is not None and current.examples == examples else None
        except StoreUnavailable:
            return None


def _name(digest: str) -> str:
    return f"topics:{digest}"


def _file(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")


def _read(path: Path) -> _Files:
    return _Files(_file(path, "npz").read_bytes(), _file(path, "json").read_bytes())


def _is(path: Path, digest: str) -> bool:
    """Whether a sound model of this SHA-256 lies there."""
    try:
        return TopicModel.load(path).digest == digest
    except RouterError:
        return False


def _unpack(raw: bytes, path: Path, digest: str) -> bool:
    """Put a model's files there; whether they are what was asked for."""
    try:
        files = msgspec.msgpack.decode(raw, type=_Files)
    except msgspec.MsgspecError:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _file(path, "npz").write_bytes(files.arrays)
    _file(path, "json").write_bytes(files.manifest)
    found = _is(path, digest)
    if not found:
        log.warning("kept_topics_not_usable", model=digest[:12])
    return found
