"""Journals to be recovered, archived and damaged: small, and written by the real engine."""

from __future__ import annotations

from obstore.store import MemoryStore as Objects

from router.core.engine import Engine
from router.core.errors import Fenced
from router.core.events import StatusSet, WorkspaceChanged
from router.core.values import Agent, Status, Workspace
from router.core.version import ENGINE
from router.shell import snapshots
from router.shell.archive import Archive
from router.shell.journal import Drafted, Journal, JournalStore
from router.shell.recovery import recover
from router.shell.shelf import Shelf
from tests.support.memory_store import MemoryStore

WORKSPACE = Workspace(name="acme", agents={"ana": Agent(id="ana", team="everyone", capacity={"email": 2})})


class DocStore(MemoryStore):
    """With small documents, and a last id that outlives its record."""

    def __init__(self) -> None:
        super().__init__()
        self.docs: dict[str, bytes] = {}
        self.generated = ""

    async def journal_append(
        self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]
    ) -> None:
        """All, or Fenced if the last id that ever was is not the one expected."""
        if await self.journal_last() != expected_last:
            raise Fenced(expected_last)
        self.rows += records
        self.generated = ""

    async def journal_last(self) -> str:
        """The newest record's id, or the one that was set."""
        return self.generated or await super().journal_last()

    async def doc_get(self, name: str) -> bytes | None:
        """A document, or None."""
        return self.docs.get(name)

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a document."""
        self.docs[name] = value

    def flip(self, n: int, old: bytes, new: bytes) -> None:
        """Change record number `n`, which must be at that place."""
        name, raw = self.rows[n - 1]
        assert old in raw
        self.rows[n - 1] = (name, raw.replace(old, new))


def shelf() -> Shelf:
    """An empty shelf in memory."""
    return Shelf(Objects())


async def begun(store: JournalStore) -> tuple[Engine, Journal]:
    """A journal with a fence and a workspace."""
    engine, journal = await recover(store)
    await journal.fence(engine, node="n1", at=1, wall=1)
    await append(engine, journal, WorkspaceChanged(at=2, version="v1", workspace=WORKSPACE))
    return engine, journal


async def append(engine: Engine, journal: Journal, event: WorkspaceChanged | StatusSet) -> None:
    """One more record."""
    decisions = engine.apply(event)
    await journal.append([Drafted(engine.state.n, event, decisions, engine.state.version, "0-0")], {}, wall=event.at)


async def toggled(engine: Engine, journal: Journal, times: int) -> None:
    """So many changes of status."""
    for turn in range(times):
        status = Status.AVAILABLE if turn % 2 else Status.BUSY
        await append(engine, journal, StatusSet(at=10 + engine.state.n, agent="ana", target="ana", status=status))


async def taken(lying: Shelf, engine: Engine, journal: Journal, *, checked: bool = True, by: int = ENGINE) -> str:
    """A snapshot of the state as it is now; gives its name."""
    header = snapshots.header_of(engine.state, journal.position, engine=by, node="n1", wall=1, checked=checked)
    return await snapshots.put(lying, header, engine.state)


async def archived(store: MemoryStore, lying: Shelf, *cuts: int) -> None:
    """The records up to each number moved from the store to a segment of their own."""
    archive = Archive(lying)
    gone = 0
    for cut in cuts:
        rows, store.rows[:] = store.rows[: cut - gone], store.rows[cut - gone :]
        await archive.put(rows, cut)
        gone = cut


async def damaged(lying: Shelf, name: str) -> None:
    """A bit flipped in the middle of an object."""
    raw = bytearray(await lying.get(name) or b"")
    raw[len(raw) // 2] ^= 1
    await lying.put(name, bytes(raw))
